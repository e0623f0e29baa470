"""What a settlement is asked to look at, and what is told of it: budgets that have come to a share of `warn_at`."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from router import events as ev
from router.decide.warn import percent
from router.engine.run import Run
from router.plan import Budget
from router.ports import Counter, Crossed, Hold, Watch

KEPT_S = 86_400.0
"""How long after its window a warning counts as given: machines whose clocks are behind still count there."""


class _Warning(NamedTuple):
    budget: Budget
    resets_at_s: float | None


def watches_of(hold: Hold, *, now_s: float) -> tuple[Watch, ...]:
    """One for each counter and window of a hold whose budget warns of anything; none where none does."""
    return tuple(
        Watch(
            of=of, amount=budget.amount, warn_at=budget.warn_at, until_s=_until_s(budget, resets_at_s, now_s)
        )
        for of, (budget, resets_at_s) in _warning(hold).items()
    )


def _warning(hold: Hold) -> Mapping[Counter | Budget, _Warning]:
    """A pool that applies twice warns once."""
    found: dict[Counter | Budget, _Warning] = {
        each.counter: _Warning(each.budget, each.resets_at_s) for each in hold.charges if each.budget.warn_at
    }
    for each in hold.takes:
        if isinstance(each.limit, Budget) and each.limit.warn_at:
            found[each.limit] = _Warning(each.limit, None)
    return found


def _until_s(budget: Budget, resets_at_s: float | None, now_s: float) -> float | None:
    """A rolling budget warns again when all that was in its window has left it."""
    if budget.rolling:
        return now_s + budget.window_s
    return None if resets_at_s is None else resets_at_s + KEPT_S


def warn(run: Run, hold: Hold, crossed: Sequence[Crossed]) -> None:
    known = _warning(hold) if crossed else {}
    for each in crossed:
        budget, resets_at_s = known[each.watch.of]
        run.emit(
            ev.BudgetWarning,
            owner=budget.whose,
            rule=budget.text,
            place=budget.place,
            unit=budget.unit,
            percent=percent(each.share),
            settled=each.settled,
            amount=budget.amount,
            granted=each.granted,
            resets_at_s=resets_at_s,
        )
