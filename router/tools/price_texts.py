"""Prices as an author writes them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from router.decide.prices import price_at
from router.plan import Price, PriceTable, Target
from router.policy.prices import PARTS, Days, OwnDiscount, OwnPrice
from router.policy.scalars import count_text, money_text, share_text

AUSD_PER_MILLION = 1_000
"""Atto-USD a token of one nano-USD a million tokens."""

UNKNOWN = "unknown"


def price_text(table: PriceTable) -> str:
    """`{input_per_million: $2, output_per_million: $8}`, every discount off already."""
    if not any(_amounts(table)):
        return "free"
    first, *above = table.tiers
    parts = [
        *_rates(first),
        *([f"per_request: {money_text(table.per_request_nusd)}"] if table.per_request_nusd else ()),
    ]
    tiers = [f"{count_text(tier.above_tokens)}: {{{', '.join(_rates(tier))}}}" for tier in above]
    if tiers:
        parts.append(f"above: {{{', '.join(tiers)}}}")
    return f"{{{', '.join(parts)}}}"


def _amounts(table: PriceTable) -> Iterator[int]:
    yield table.per_request_nusd
    for tier in table.tiers:
        yield from (tier.input_ausd, tier.output_ausd, *(getattr(tier, part) for part, _ in PARTS.values()))


def _rates(tier: Price) -> Iterator[str]:
    found = {"input_per_million": tier.input_ausd, "output_per_million": tier.output_ausd}
    stated = ((key, getattr(tier, part), getattr(tier, whole)) for key, (part, whole) in PARTS.items())
    found |= {key: rate for key, rate, otherwise in stated if rate != otherwise}
    if tier.cache_write_1h_ausd not in (None, tier.cache_write_ausd):
        found["cache_write_1h_per_million"] = tier.cache_write_1h_ausd or 0
    yield from (f"{key}: {money_text(rate // AUSD_PER_MILLION)}" for key, rate in found.items())


def own_price_text(own: OwnPrice) -> str:
    return f"{price_text(own.table)}{days_text(own.days)}"


def discount_text(own: OwnDiscount) -> str:
    return f"{share_text(own.off)}{days_text(own.days)}"


def days_text(days: Days) -> str:
    """` from 2026-12-01 until 2027-01-01`; nothing for every day."""
    since = f" from {days.since.isoformat()}" if days.since else ""
    return f"{since} until {days.until.isoformat()}" if days.until else since


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceThen:
    """A price as an author writes it, less its `discount` (None: there is none). `since` is its first day, in
    `settings.time_zone`; None: it applies now."""

    since: date | None
    text: str
    discount: str | None


def prices_from(target: Target, at_s: float) -> tuple[PriceThen, ...]:
    """The price at that time, and each one that comes."""
    now = price_at(target, at_s)
    coming = ((each.day, each.prices) for each in target.price_changes if each.at_s > at_s)
    return tuple(_then(day, prices) for day, prices in ((None, now), *coming))


def _then(day: date | None, prices: PriceTable | None) -> PriceThen:
    off = share_text(prices.discount) if prices and prices.discount else None
    return PriceThen(since=day, text=_told(prices), discount=off)


def _told(prices: PriceTable | None) -> str:
    if prices is None:
        return UNKNOWN
    whose = "" if prices.source in ("policy", "free") else f", the {prices.source}'s"
    off = f", {share_text(prices.discount)} off" if prices.discount else ""
    return f"{price_text(prices)}{whose}{off}"
