"""Whether a flat list has room now: what each of its targets would be refused for, in the words of the refusal."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from router.books.balance import BudgetNow, LimitNow, budgets_now, limits_now
from router.decide import fit
from router.decide.fit import Worst, hard, unpriced, worst_of
from router.decide.outcome import budget_exceeded
from router.decide.reserve import needs_of_budgets, request_shortfalls, rolling_takes
from router.engine.run import Run
from router.plan import Budget, Candidate, Key, Limit, Policy
from router.tools.limits_met import limited_keys, limits_met, short_of_limits
from router.tools.remedy import Short
from router.values import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A flat list, and for each of its targets the worst of one attempt (None: nothing bounds its input) and what
    would refuse it now. `budgets` and `limits` are all that such a call meets."""

    candidates: tuple[Candidate, ...]
    worsts: tuple[Worst | None, ...]
    shorts: tuple[tuple[Short, ...], ...]
    budgets: Mapping[Budget, BudgetNow]
    limits: Mapping[Limit, LimitNow]

    @property
    def has_room(self) -> bool:
        """Whether a target has room, and each before it that has none is one to fall back from for that."""
        met = list(self._come_to())
        return bool(met) and not met[-1][1]

    @property
    def unsent(self) -> tuple[fit.Short, ...]:
        """What such a call comes to and is not sent to, with the budgets that refuse it, as the engine has it: what one
        request may cost is looked at first."""
        return tuple(
            fit.Short(candidate=candidate, budgets=tuple(self._refusing(shorts)))
            for candidate, shorts in self._come_to()
            if shorts
        )

    def _come_to(self) -> Iterator[tuple[Candidate, tuple[Short, ...]]]:
        for candidate, shorts in zip(self.candidates, self.shorts, strict=True):
            yield candidate, shorts
            kind = Kind.OVER_BUDGET if any(each.budget for each in shorts) else Kind.OVER_LIMIT
            if not shorts or kind not in candidate.lexical.fall_back_on:
                return

    def _refusing(self, shorts: Sequence[Short]) -> Iterator[Budget]:
        names = [each.budget for each in shorts if each.budget is not None]
        of_request = [each for each in names if each.window == "request"]
        for budget, now in self.budgets.items():
            if any(each is now for each in of_request or names):
                yield budget


async def listed(run: Run, policy: Policy, candidates: Sequence[Candidate]) -> Listed:
    """Raises StoreError where balances can't be read."""
    budgets = await budgets_now(
        run.ports.ledger,
        _budgets_met(run, policy, candidates),
        now_s=run.ports.clock.now_s(),
        zone=run.zone,
    )
    met = limits_met(run, policy, candidates)
    limits = await limits_now(run.ports.limiter, met, now_s=run.ports.clock.now_s())
    keys = await limited_keys(run, candidates)
    now_s = run.ports.clock.now_s()
    return Listed(
        candidates=tuple(candidates),
        worsts=tuple(worst_of_call(run, each) for each in candidates),
        shorts=tuple(
            _shorts(run, policy, each, worst_of_call(run, each, at_s=now_s), budgets, limits, keys)
            for each in candidates
        ),
        budgets=budgets,
        limits=limits,
    )


def worst_of_call(run: Run, candidate: Candidate, *, at_s: float | None = None) -> Worst | None:
    """Of this request, or of the ceilings where there is no prompt; None where nothing bounds the input. At the price
    of `at_s`, or of the dearest day: a call may be sent again after midnight."""
    if run.request.messages:
        return run.worst(candidate, at_s=at_s)
    bounds = [each for each in (candidate.input_ceiling, candidate.target.context_tokens) if each is not None]
    return worst_of(candidate, min(bounds), at_s=at_s) if bounds else None


def _budgets_met(run: Run, policy: Policy, candidates: Sequence[Candidate]) -> Iterator[Budget]:
    """Every budget that this call meets: the caller's, the policies', the providers'; the last also without a list."""
    yield from run.caller.budgets
    yield from policy.budgets
    for candidate in candidates:
        yield from (*candidate.per_request, *candidate.budgets, *run.budgets(candidate.target.provider))


def _shorts(
    run: Run,
    policy: Policy,
    candidate: Candidate,
    worst: Worst | None,
    budgets: Mapping[Budget, BudgetNow],
    limits: Mapping[Limit, LimitNow],
    keys: Mapping[str, Sequence[Key]],
) -> tuple[Short, ...]:
    """What would refuse one attempt now, in the words of the refusal."""
    if worst is None:
        return ()
    estimate = run.estimate(candidate) if run.request.messages else None  # None: of any request
    short = partial(
        Short,
        candidate=candidate,
        worst=worst,
        adds=estimate is None or bool(unpriced(candidate.target, estimate)),
        for_an_hour=estimate is None or estimate.for_an_hour,
        at_s=run.ports.clock.now_s(),
    )
    return (
        *_over_request_budget(candidate, worst, budgets, short),
        *_over_budgets(run, candidate, worst, budgets, short),
        *short_of_limits(run, policy, candidate, worst, limits, keys, short),
    )


def _over_request_budget(
    candidate: Candidate, worst: Worst, budgets: Mapping[Budget, BudgetNow], short: Callable[..., Short]
) -> Iterator[Short]:
    for budget, needed, left in request_shortfalls(candidate, worst, {}):
        error = budget_exceeded(candidate.target.name, budget, needed, left, None)
        yield short(message=error.message, budget=budgets[budget], needed=needed)


def _over_budgets(
    run: Run,
    candidate: Candidate,
    worst: Worst,
    budgets: Mapping[Budget, BudgetNow],
    short: Callable[..., Short],
) -> Iterator[Short]:
    met = (*run.budgets(candidate.target.provider), *candidate.budgets)
    lasting = [budget for budget in hard(met) if budget.window != "request"]
    for budget, needed, _, resets_at_s in needs_of_budgets(lasting, worst, run.ports.clock.now_s(), run.zone):
        now = budgets[budget]
        if needed > max(now.left, 0):
            error = budget_exceeded(candidate.target.name, budget, needed, max(now.left, 0), resets_at_s)
            yield short(message=error.message, budget=now, needed=needed)
    for budget, needed in rolling_takes(lasting, worst):
        now = budgets[budget]
        if needed > max(now.left, 0):
            error = budget_exceeded(candidate.target.name, budget, needed, max(now.left, 0), None)
            yield short(message=error.message, budget=now, needed=needed)
