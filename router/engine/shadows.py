"""Telling what would have been refused, were it not in shadow."""

from collections.abc import Iterable
from math import isfinite

from router import events as ev
from router.decide.reserve import RequestShort
from router.engine.run import Run
from router.plan import Budget, Limit
from router.ports import Admission, Granted, Hold


def tell_attempt(run: Run, hold: Hold, granted: Granted, of_request: Iterable[RequestShort]) -> None:
    """The budgets and token limits that had no room for an attempt which was granted all the same."""
    for budget, needed, left in of_request:
        _tell(run, budget, target=hold.target, needed=needed, available=left, resets_at_s=None, seq=None)
    for short in granted.shadow:
        rule = short.budget or short.limit
        assert rule is not None  # noqa: S101 - a shortfall is of one or the other
        _tell(
            run,
            rule,
            target=hold.target,
            needed=short.needed,
            available=short.available,
            resets_at_s=short.resets_at_s,
            seq=granted.seq,
        )


def tell_admission(run: Run, admission: Admission, now_s: float, target: str | None) -> None:
    """The limits that were full when this request, or an attempt of it at `target`, was admitted; it needs one of
    each."""
    for full in admission.shadow:
        at_s = now_s + full.retry_after_s if isfinite(full.retry_after_s) else None
        _tell(run, full.limit, target=target, needed=1, available=0, resets_at_s=at_s, seq=None)


def _tell(run: Run, rule: Budget | Limit, **fields: object) -> None:
    run.emit(ev.ShadowExceeded, owner=rule.whose, rule=rule.text, place=rule.place, **fields)
