"""What one attempt must reserve: a charge on every budget and a take of every token limit that applies."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import tzinfo

from router.decide.fit import Worst
from router.decide.windows import window_start
from router.plan import Budget, Candidate, Limit

Need = tuple[Budget, int, str, float | None]
"""(budget, needed, start of its window, when it resets)."""


def needs_of_budgets(
    budgets: Iterable[Budget],
    worst: Worst,
    now_s: float,
    zone: tzinfo,
    *,
    counted: Collection[str] = (),
) -> tuple[Need, ...]:
    """One need per budget that is not rolling, in the window of `now_s`. An unknown price needs nothing: `fit` saw to
    hard budgets. `counted`: the owners in whose budgets of requests this request counts already."""
    return tuple(
        (budget, _amount(budget, worst, counted), *window_start(budget.window, now_s, zone))
        for budget in budgets
        if not budget.rolling
    )


def rolling_takes(
    budgets: Iterable[Budget], worst: Worst, *, counted: Collection[str] = ()
) -> tuple[tuple[Budget, int], ...]:
    """(budget, needed) for every budget that is rolling; `counted` as above."""
    return tuple((budget, _amount(budget, worst, counted)) for budget in budgets if budget.rolling)


def _amount(budget: Budget, worst: Worst, counted: Collection[str] = ()) -> int:
    if budget.unit == "requests":  # of a provider's, every send is one: so its invoice says
        return int(not _is_counted(budget.owner, counted))
    if budget.unit == "tokens":
        return worst.input_tokens + worst.output_tokens
    return worst.nusd or 0


Amounts = tuple[tuple[Limit, int], ...]
"""(limit, what is taken of it)."""


def attempt_takes(
    of_request: Iterable[Limit],
    of_attempt: Iterable[Limit],
    worst: Worst,
    counted: Collection[str] = (),
) -> Amounts:
    """Tokens of every limit that holds, and requests of those that are taken for each attempt: of a provider, a model
    and a key every send is one; of a nested policy a request is one, once it is `counted` no more."""
    tokens = {
        "tokens": worst.input_tokens + worst.output_tokens,
        "input_tokens": worst.input_tokens,
        "output_tokens": worst.output_tokens,
    }
    each = tuple(of_attempt)
    return (
        *((limit, tokens[limit.unit]) for limit in (*of_request, *each) if limit.unit in tokens),
        *((limit, 1) for limit in each if limit.unit == "requests" and not _is_counted(limit.owner, counted)),
    )


def attempt_permits(limits: Iterable[Limit]) -> Amounts:
    """(limit, 1) for the concurrency of what is taken for each attempt."""
    return tuple((limit, 1) for limit in limits if limit.unit == "concurrent_requests")


def _is_counted(owner: str, counted: Collection[str]) -> bool:
    return owner in counted and not owner.startswith(("provider:", "model:", "key:"))


def admission_takes(limits: Sequence[Limit]) -> Amounts:
    """(limit, 1) for request rates and concurrency, taken once per request."""
    return tuple((limit, 1) for limit in limits if limit.unit in ("requests", "concurrent_requests"))


Spent = Mapping[tuple[str, str], int]
"""By (owner, unit) of a `per_request` budget: what the request has come to so far."""


RequestShort = tuple[Budget, int, int]
"""(`per_request` budget, what an attempt needs of it, what is left)."""


def request_shortfalls(candidate: Candidate, worst: Worst, spent: Spent) -> tuple[RequestShort, ...]:
    """The `per_request` budgets that this attempt does not fit, and that are not in shadow."""
    return tuple(short for short in _request_shorts(candidate, worst, spent) if not short[0].shadow)


def request_shadows(candidate: Candidate, worst: Worst, spent: Spent) -> tuple[RequestShort, ...]:
    """The `per_request` budgets in shadow that this attempt does not fit."""
    return tuple(short for short in _request_shorts(candidate, worst, spent) if short[0].shadow)


def _request_shorts(candidate: Candidate, worst: Worst, spent: Spent) -> Iterator[RequestShort]:
    for budget in candidate.per_request:
        needed, left = _amount(budget, worst), budget.amount - spent.get((budget.owner, budget.unit), 0)
        if needed > max(left, 0):
            yield budget, needed, max(left, 0)
