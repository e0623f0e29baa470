"""The error a request ends in, from what happened to it. Every failure is kept."""

from collections.abc import Sequence
from datetime import UTC, datetime
from math import isfinite

from router.decide.step import Stop
from router.errors import (
    Attempt,
    BudgetExceeded,
    DeadlineExceeded,
    Dropped,
    LimitExceeded,
    NoRoute,
    RouterError,
    TargetsExhausted,
)
from router.plan import Budget, Candidate, Limit, Route, Sliding
from router.values import NUSD_PER_USD, Kind

FAKE_SWITCH = "or set ROUTER_TRANSPORT=fake to answer without any key"


def dollars(nusd: int) -> str:
    """`$0.0042`: exact, without trailing zeros beyond cents."""
    whole, fraction = divmod(abs(nusd), NUSD_PER_USD)
    digits = f"{fraction:09d}".rstrip("0").ljust(2, "0")
    return f"{'-' if nusd < 0 else ''}${whole}.{digits}"


def no_route(route: Route, dropped: Sequence[Dropped]) -> NoRoute:
    """Nothing is left to try, or a rule rejects the request."""
    if route.reject is not None:
        return NoRoute(f"policy `{_of(route)}` rejects this request: {route.reject}", dropped=dropped)
    reasons = (
        "; ".join(f"{drop.target}: {drop.detail or drop.reason}" for drop in dropped) or "its list is empty"
    )
    return NoRoute(
        f"policy `{_of(route)}` has no target left for this request: {reasons}",
        dropped=dropped,
        help=_what_helps(route, dropped),
    )


def refused_by_breaker(candidate: Candidate, left_s: float) -> Dropped:
    return Dropped(
        target=candidate.target.name,
        policy=candidate.policy,
        reason="breaker_open",
        detail=f"its breaker is open, for {max(0.0, left_s):.1f} s at most",
    )


def all_open(route: Route, dropped: Sequence[Dropped], retry_after_s: float) -> NoRoute:
    """Nothing was sent, as breakers refuse every target that is left."""
    open_ones = [drop for drop in dropped if drop.reason == "breaker_open"]
    reasons = "; ".join(f"{drop.target}: {drop.detail}" for drop in open_ones)
    return NoRoute(
        f"policy `{_of(route)}` has no target that may be tried now: {reasons}",
        dropped=dropped,
        retry_after_s=retry_after_s,
        help=f"try again in {retry_after_s:.1f} s; `router breaker` shows every breaker, and closes one by hand",
    )


def _of(route: Route) -> str:
    """The policy whose list it is."""
    return route.jumped or route.policy


def after(first: RouterError, error: RouterError) -> RouterError:
    """`error`, which ended a request that `first` had handed over to another policy; the caller is told both."""
    if error is not first and first.message not in error.message:
        error.args = (f"{error.message}; it had come there because of this: {first.message}",)
    return error


def _what_helps(route: Route, dropped: Sequence[Dropped]) -> str:
    if any(drop.reason == "missing_key" for drop in dropped):
        return f"set the key, {FAKE_SWITCH}"
    if dropped and all(drop.reason == "not_in_only" for drop in dropped):
        targets = ", ".join(dict.fromkeys(drop.target for drop in dropped))
        return f"`only` names no target that this call comes to; those are {targets}"
    return explained_by(route.policy)


def explained_by(policy: str) -> str:
    """The advice of a refusal that no caller can mend."""
    return f"`router explain {policy}` shows every candidate"


Refusal = BudgetExceeded | LimitExceeded
"""Why one attempt did not fit: kept until it is known whether another target answers."""


def budget_exceeded(
    target: str, budget: Budget, needed: int, available: int, resets_at_s: float | None
) -> BudgetExceeded:
    needs = f"one attempt at `{target}` may need {amount_of(budget, needed)}"
    ways = "raise the budget, lower `ceiling.output_tokens`, or add a cheaper target"
    if budget.unit == "requests":
        needs, ways = f"`{target}` would be one more", "raise the budget"
    return BudgetExceeded(
        f"over budget: `{budget.whose}` has {amount_of(budget, available)} left of `{budget.text}` "
        f"({budget.place}), and {needs}",
        budget=budget.whose,
        needed=needed,
        available=available,
        resets_at_s=resets_at_s,
        help=f"{_refill(resets_at_s, rolling=budget.rolling)}{ways}",
    )


def amount_of(budget: Budget, amount: int) -> str:
    """In the unit of the budget: `$0.25`, `400 tokens`, `3 requests`."""
    return dollars(amount) if budget.unit == "nusd" else f"{amount} {budget.unit}"


def _refill(resets_at_s: float | None, *, rolling: bool) -> str:
    if resets_at_s is None or not isfinite(resets_at_s):
        return ""
    when = f"{datetime.fromtimestamp(resets_at_s, UTC):%Y-%m-%d %H:%M} UTC"
    return f"{'enough has left its window' if rolling else 'it refills'} at {when}; until then "


def limit_exceeded(limit: Sliding, retry_after_s: float) -> LimitExceeded:
    when = f"try again in {retry_after_s:.1f} s"
    if limit.unit == "concurrent_requests":  # nobody knows how long the calls under way will take
        when = f"try again when one of its calls has ended, at the latest in {retry_after_s:.0f} s"
    return LimitExceeded(
        f"over limit: `{limit.whose}` is at its `{limit.text}` ({limit.place}); {when}",
        limit=limit.whose,
        retry_after_s=retry_after_s,
    )


def attempt_limit_exceeded(
    target: str, limit: Limit, needed: int, available: int, after_s: float
) -> LimitExceeded:
    """`after_s` is infinite where one attempt is more than the whole limit."""
    never = " (one attempt is more than the whole limit)" if needed > limit.at_most else ""
    needs = f"and one attempt at `{target}` may need {needed}{never}"
    if limit.unit == "requests":
        needs = f"and `{target}` would be one more; try again in {after_s:.1f} s"
    return LimitExceeded(
        f"over limit: `{limit.whose}` has {available} left of `{limit.text}` ({limit.place}), {needs}",
        limit=limit.whose,
        retry_after_s=after_s,
    )


def kind_of(refusals: Sequence[Refusal]) -> Kind:
    """A request that lacks money lacks it for longer than one that lacks room in a window."""
    return Kind.OVER_BUDGET if any(isinstance(each, BudgetExceeded) for each in refusals) else Kind.OVER_LIMIT


def _nearest(refusals: Sequence[Sequence[Refusal]]) -> Refusal:
    """The refusal to tell: of budgets the one that asked for least; else, of the limits that bind each attempt longest,
    the one that frees first, so that waiting for it is enough."""
    budgets = [each for of_one in refusals for each in of_one if isinstance(each, BudgetExceeded)]
    if budgets:
        return min(budgets, key=lambda each: each.needed - each.available)
    limits = [[each for each in of_one if isinstance(each, LimitExceeded)] for of_one in refusals]
    binding = [max(of_one, key=lambda each: each.retry_after_s) for of_one in limits]
    return min(binding, key=lambda each: each.retry_after_s)


def still_loading(route: Route) -> DeadlineExceeded:
    """The time of the request went into what the wire loads once."""
    return DeadlineExceeded(
        f"policy `{route.policy}` ran out of its {route.total_s:g} s while the wire library was still loading; "
        "nothing was sent",
        attempts=(),
        help="it is loaded once a process, which takes seconds: give the first call more time",
    )


def still_waiting(route: Route) -> DeadlineExceeded:
    """The time of the request went into waiting for an identical one."""
    return DeadlineExceeded(
        f"policy `{route.policy}` ran out of its {route.total_s:g} s while an identical call was under way; nothing "
        "was sent for this one",
        attempts=(),
        help="the call that leads has more time than this one; calls without a cache rule are not shared",
    )


def stopped(
    stop: Stop,
    route: Route,
    attempts: Sequence[Attempt],
    refusals: Sequence[Sequence[Refusal]],
    dropped: Sequence[Dropped],
    may_pass_in_s: float | None = None,
) -> RouterError:
    """The error of a request that ended without an answer. `refusals`: of each attempt that did not fit a budget or
    limit, what did not, in order. `may_pass_in_s`: when the first breaker that refused a target may let it pass."""
    sent = [attempt for attempt in attempts if attempt.kind not in (Kind.OVER_BUDGET, Kind.OVER_LIMIT)]
    if not sent and refusals and stop.why != "deadline":
        return _nearest(refusals)
    if not attempts and stop.why == "exhausted" and may_pass_in_s is not None:
        return all_open(route, dropped, may_pass_in_s)
    tried = "; ".join(str(attempt) for attempt in attempts) or "nothing had been tried"
    if stop.why == "deadline":
        message = f"policy `{route.policy}` ran out of its {route.total_s:g} s: {tried}"
        return DeadlineExceeded(message, attempts=attempts, dropped=dropped)
    why = {
        "attempts": "reached its `ceiling.attempts`",
        "failed": "failed in a way it does not fall back on",
        "exhausted": "has no target left",
    }[stop.why]
    return TargetsExhausted(
        f"policy `{route.policy}` {why}: {tried}",
        attempts=attempts,
        dropped=dropped,
        retry_after_s=may_pass_in_s,
        help=f"{_left_alone(dropped)}`router explain {route.policy}` shows its list, and what its `retry` and "
        "`fall_back_on` allow",
    )


def _left_alone(dropped: Sequence[Dropped]) -> str:
    """What was not among the attempts, although the list holds it."""
    refused = dict.fromkeys(
        f"`{drop.target}` was not tried: {drop.detail}; " for drop in dropped if drop.reason == "breaker_open"
    )
    return "".join(refused)
