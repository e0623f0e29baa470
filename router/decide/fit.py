"""Which candidates this request fits, once its input has been counted, and what one attempt at each may cost."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from router.decide.demands import Refusal
from router.decide.estimate import worst_nusd
from router.decide.prices import all_prices, is_priced, price_at, prices_an_hour
from router.errors import Dropped
from router.plan import Budget, Candidate, Target
from router.values import InputEstimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Worst:
    """The worst case of one attempt. `nusd` None: the price is unknown, so nothing can be promised about money."""

    input_tokens: int
    output_tokens: int  # over all choices
    nusd: int | None


def input_cap(candidate: Candidate, bound: int) -> int:
    """What is reserved for the input: a provider takes no more than the context window of its model."""
    context = candidate.target.context_tokens
    return bound if context is None else min(bound, context)


def worst_for(candidate: Candidate, estimate: InputEstimate, *, at_s: float | None = None) -> Worst:
    """The worst case of one attempt with this very input."""
    adds = bool(unpriced(candidate.target, estimate))
    return worst_of(candidate, estimate.bound, adds=adds, for_an_hour=estimate.for_an_hour, at_s=at_s)


def unpriced(target: Target, estimate: InputEstimate) -> tuple[str, ...]:
    """What of the input has a cost that its bound and the prices do not bound."""
    if not estimate.for_an_hour or prices_an_hour(target):
        return estimate.unbounded
    return (*estimate.unbounded, FOR_AN_HOUR)


def worst_of(
    candidate: Candidate,
    bound: int,
    *,
    adds: bool = True,
    for_an_hour: bool = True,
    at_s: float | None = None,
) -> Worst:
    """The worst case of one attempt at `candidate` with an input of at most `bound` tokens, at the price of `at_s`,
    or of its dearest day. `adds`: the provider may add input of its own, for which the allowance of the policy is
    reserved too. `for_an_hour`: some of it may be written to a cache to be kept so long."""
    choices = int(candidate.params.get("n", 1))
    output, target = candidate.output_tokens or 0, candidate.target
    tokens = input_cap(candidate, bound)
    added = (candidate.added_cost_nusd or 0) if adds and not is_free(candidate) else 0
    prices = all_prices(target) if at_s is None else (price_at(target, at_s),)
    costs = [
        worst_nusd(each, input_tokens=tokens, output_tokens=output, choices=choices, for_an_hour=for_an_hour)
        for each in prices
        if each is not None
    ]
    nusd = max(costs) + added if len(costs) == len(prices) else None
    return Worst(input_tokens=tokens, output_tokens=output * choices, nusd=nusd)


FOR_AN_HOUR = "a cache written for 1h"
DUPLICATE: Refusal = ("duplicate", "it occurs earlier in the list")


def as_open(earlier: Candidate, later: Candidate) -> bool:
    """Whether `earlier` fits every request that `later`, the same target on another path, fits: then only `earlier`
    can be tried. Else that hangs on the request's input, and both are kept until it is counted."""
    least, most = earlier.input_ceiling, later.input_ceiling
    return (
        (least is None or (most is not None and most <= least))
        and _promised(earlier) <= _promised(later)
        and (earlier.added_cost_nusd is not None) >= (later.added_cost_nusd is not None)
    )


def hard(budgets: Iterable[Budget]) -> tuple[Budget, ...]:
    """Those that promise something: one in shadow refuses nothing."""
    return tuple(
        [budget for budget in budgets if not budget.shadow]
    )  # a list, as it is asked for each candidate


def _promised(candidate: Candidate) -> frozenset[str]:
    """What must be bounded before a call, by the budgets of its path: `nusd`, `tokens`; requests are but counted."""
    held = hard((*candidate.budgets, *candidate.per_request))
    return frozenset(budget.unit for budget in held) - {"requests"}


def fit(
    candidates: Sequence[Candidate],
    estimates: Sequence[InputEstimate],
    budgets_of: Callable[[str], Sequence[Budget]],
) -> tuple[tuple[Candidate, ...], tuple[Dropped, ...]]:
    """Split into what may be tried, each target once, and what may not. `estimates` are those of the candidates, whose
    parameters may differ on two paths to one target; `budgets_of` gives the budgets of the caller and of a provider."""
    kept: dict[str, Candidate] = {}
    dropped: list[Dropped] = []
    for candidate, estimate in zip(candidates, estimates, strict=True):
        name = candidate.target.name
        reason = DUPLICATE if name in kept else is_too_long(candidate, estimate)
        reason = reason or _without_promise(candidate, estimate, budgets_of)
        if reason is None:
            kept[name] = candidate
        else:
            dropped.append(Dropped(target=name, policy=candidate.policy, reason=reason[0], detail=reason[1]))
    return tuple(kept.values()), tuple(dropped)


def is_too_long(candidate: Candidate, estimate: InputEstimate) -> Refusal | None:
    """Why an input of this size is not sent to it; None: it may be."""
    target, ceiling = candidate.target, candidate.input_ceiling
    if target.context_tokens is not None and estimate.tokens > target.context_tokens:
        return (
            "context",
            f"about {estimate.tokens} input tokens, and its context holds {target.context_tokens}",
        )
    reach = input_cap(candidate, estimate.bound)
    if ceiling is not None and reach > ceiling:
        grown = (
            f"reach {reach} tokens"
            if reach != target.context_tokens
            else f"fill its context of {reach} tokens"
        )
        return "input_ceiling", f"the input may {grown}, and the ceiling is {ceiling}"
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Short:
    """A candidate that a request came to and could not be sent to, with every budget that it did not fit; none where
    something else was in the way."""

    candidate: Candidate
    budgets: tuple[Budget, ...]


def _without_promise(
    candidate: Candidate, estimate: InputEstimate, budgets_of: Callable[[str], Sequence[Budget]]
) -> Refusal | None:
    """Why nothing can be promised about cost or tokens, where a hard budget asks for that promise."""
    every = (*candidate.budgets, *candidate.per_request, *budgets_of(candidate.target.provider))
    held = {budget.unit for budget in hard(every)}
    money = "nusd" in held and not is_free(candidate)
    tokens = "tokens" in held
    if money and not is_priced(candidate.target):
        when = " on some days" if any(all_prices(candidate.target)) else ""
        return "unknown_price", f"its price is unknown{when}, and a hard budget holds here"
    added, costly = ", ".join(estimate.unbounded), ", ".join(unpriced(candidate.target, estimate))
    if added and tokens:
        return (
            "unbounded_input",
            f"it adds input that can't be bounded ({added}), and a token budget holds here",
        )
    if costly and money and candidate.added_cost_nusd is None:
        return (
            "unbounded_input",
            f"it adds input that can't be bounded ({costly}), and no `ceiling.added_cost` says what that may cost",
        )
    if candidate.output_tokens is None and (money or tokens):
        return (
            "unbounded_output",
            "neither a ceiling nor the model bounds its output, and a hard budget holds here",
        )
    return None


def unpromised(
    candidates: Sequence[Candidate],
    estimates: Sequence[InputEstimate],
    kept: Sequence[Candidate],
    budgets_of: Callable[[str], Sequence[Budget]],
) -> tuple[Short, ...]:
    """Of the candidates that `fit` did not keep, those that nothing but budgets kept out, and which did."""
    if len(kept) == len(candidates):
        return ()
    names = {each.target.name for each in kept}
    return tuple(
        Short(candidate=candidate, budgets=budgets)
        for candidate, estimate in zip(candidates, estimates, strict=True)
        if candidate.target.name not in names and is_too_long(candidate, estimate) is None
        if (budgets := _unbounded_under(candidate, estimate, budgets_of))
    )


def _unbounded_under(
    candidate: Candidate, estimate: InputEstimate, budgets_of: Callable[[str], Sequence[Budget]]
) -> tuple[Budget, ...]:
    """The budgets for which nothing can be promised."""
    open_ended = candidate.output_tokens is None
    free, priced = is_free(candidate), is_priced(candidate.target)
    costly = bool(unpriced(candidate.target, estimate)) and candidate.added_cost_nusd is None
    units = {
        "nusd": not free and (not priced or open_ended or costly),
        "tokens": open_ended or bool(estimate.unbounded),
    }
    held = (*candidate.budgets, *candidate.per_request, *budgets_of(candidate.target.provider))
    return tuple(budget for budget in hard(held) if units.get(budget.unit, False))


def is_free(candidate: Candidate) -> bool:
    """Whether nothing that is sent to it can cost anything, at any size."""
    return costs_nothing(candidate.target)


def costs_nothing(target: Target) -> bool:
    """On every day."""
    return all(
        each is not None
        and not any(
            worst_nusd(each, input_tokens=tier.above_tokens + 1, output_tokens=1, choices=1)
            for tier in each.tiers
        )
        for each in all_prices(target)
    )
