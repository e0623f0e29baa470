"""Whether a target meets what the scopes on its path demand, and the first demand it does not meet."""

from collections.abc import Iterable, Iterator

from router.decide.prices import all_prices, is_priced
from router.decide.scopes import tenant_of
from router.errors import DropReason
from router.plan import Demand, MaxPrice, PriceTable, Target

Refusal = tuple[DropReason, str]
"""(reason, detail) of a drop: a stable word, and a sentence for people."""


def refusal(target: Target, demands: Iterable[Demand], *, input_tokens: int | None) -> Refusal | None:
    """Why `target` may not serve; None: it may. `input_tokens` bounds the price tiers that count; None: all of them."""
    return next((found for demand in demands for found in _refusals(target, demand, input_tokens)), None)


def _refusals(target: Target, demand: Demand, input_tokens: int | None) -> Iterator[Refusal]:
    whose = f"{_plainly(demand.owner)} ({demand.place})"
    if demand.allow is not None and target.name not in demand.allow:
        yield "not_allowed", f"it is not in what {whose} allows"
    missing = demand.require - target.labels
    if missing:
        yield "label", f"it lacks the label {_listed(missing)}, which {whose} requires"
    lacking = demand.needs - target.supports if target.supports is not None else frozenset()
    if lacking:
        yield "capability", f"it has no {_listed(lacking)}, which {whose} needs"
    if demand.max_price and not is_priced(target):
        yield "max_price", f"its price is unknown, and `max_price` of {whose} holds here"
    elif demand.max_price and not all(
        _is_within(prices, demand.max_price, input_tokens) for prices in all_prices(target) if prices
    ):
        yield "max_price", f"it is dearer than the `max_price` of {whose}"


def _is_within(prices: PriceTable, most: MaxPrice, input_tokens: int | None) -> bool:
    """Judged by the prices of ordinary text, at every tier that a request can reach. (`max_price` holds on every
    day.)"""
    tiers = prices.tiers
    reachable = [each for each in tiers if input_tokens is None or each.above_tokens < input_tokens] or tiers[
        :1
    ]
    return all(
        (most.input_ausd is None or tier.input_ausd <= most.input_ausd)
        and (most.output_ausd is None or tier.output_ausd <= most.output_ausd)
        for tier in reachable
    )


def _plainly(owner: str) -> str:
    """`tenant:acme/search` as ``tenant `acme/search` ``, `user:acme:*` as ``each user of `acme` ``."""
    kind, _, name = owner.partition(":")
    if kind in ("user", "session", "child"):
        return f"each {kind} of `{tenant_of(owner)}`"
    return f"{kind} `{name}`"


def _listed(words: Iterable[str]) -> str:
    return ", ".join(f"`{word}`" for word in sorted(words))
