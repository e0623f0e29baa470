"""What the files say of prices: written ones, discounts, and the days on which each holds."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import date, tzinfo

from router.decide.windows import day_start_s
from router.plan import Price, PriceChange, PriceTable
from router.policy import scalars
from router.policy.document import Spot, text_of

_AUSD_PER_TOKEN = 1_000  # nano-USD per million tokens, in atto-USD per token

WHOLE = 100 * scalars.SHARE_SCALE
"""A discount of everything."""

PARTS = {
    "cached_per_million": ("cached_input_ausd", "input_ausd"),
    "cache_write_per_million": ("cache_write_ausd", "input_ausd"),
    "audio_input_per_million": ("audio_input_ausd", "input_ausd"),
    "image_input_per_million": ("image_input_ausd", "input_ausd"),
    "reasoning_per_million": ("reasoning_ausd", "output_ausd"),
    "audio_output_per_million": ("audio_output_ausd", "output_ausd"),
}
"""Key -> (its rate, the rate it has where it is not written)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Days:
    """Days in `settings.time_zone`, `until` not included; None: no end on that side."""

    since: date | None = None
    until: date | None = None

    def hold(self, day: date) -> bool:
        return (self.since is None or self.since <= day) and (self.until is None or day < self.until)


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnPrice:
    table: PriceTable
    days: Days = Days()


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnDiscount:
    """`off` in thousandths of a percent."""

    off: int
    days: Days = Days()


# --- Read -------------------------------------------------------------------------------------------------------------


def own_price(spot: Spot | None) -> OwnPrice | None:
    """None: nothing is written, or nothing that could be read."""
    if spot is None:
        return None
    if spot.value == "free":
        return OwnPrice(table=PriceTable(tiers=(_flat(0, 0),), source="free"))
    above = spot.get("above")
    tiers = (
        [_tier(spot, 0), *(_tier(tier, scalars.count(text) or 0) for text, tier in above.fields())]
        if above
        else [_tier(spot, 0)]
    )
    known = sorted((tier for tier in tiers if tier is not None), key=lambda tier: tier.above_tokens)
    if len(known) < len(tiers):
        return None
    fee = spot.get("per_request")
    fee_nusd = scalars.money_nusd(fee.value) if fee else None
    table = PriceTable(tiers=tuple(known), per_request_nusd=fee_nusd or 0, source="policy")
    return OwnPrice(table=table, days=days_of(spot))


def own_discount(spot: Spot | None) -> OwnDiscount | None:
    if spot is None:
        return None
    off = scalars.share(spot.value if spot.get("off") is None else spot.at("off").value)  # type: ignore[union-attr]
    return None if off is None else OwnDiscount(off=off, days=days_of(spot))


def days_of(spot: Spot) -> Days:
    return Days(since=_day(spot.get("valid_from")), until=_day(spot.get("valid_until")))


def _day(spot: Spot | None) -> date | None:
    text = text_of(spot)
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError:  # told as a wrong form
        return None


def _tier(spot: Spot, above_tokens: int) -> Price | None:
    """A price by itself: what it does not state is as its input or its output."""
    entry, answer = _ausd(spot, "input_per_million"), _ausd(spot, "output_per_million")
    if entry is None or answer is None:
        return None
    flat = replace(_flat(entry, answer), above_tokens=above_tokens)
    stated = {part: rate for key, (part, _) in PARTS.items() if (rate := _ausd(spot, key)) is not None}
    return replace(flat, **stated, cache_write_1h_ausd=_ausd(spot, "cache_write_1h_per_million"))


def _ausd(spot: Spot, key: str) -> int | None:
    """Atto-USD per token of a price per million tokens."""
    written = spot.get(key)
    nusd = scalars.money_nusd(written.value) if written else None
    return None if nusd is None else nusd * _AUSD_PER_TOKEN


def _flat(entry: int, answer: int) -> Price:
    parts = {part: entry if whole == "input_ausd" else answer for part, whole in PARTS.values()}
    return Price(input_ausd=entry, output_ausd=answer, **parts)


# --- Over time --------------------------------------------------------------------------------------------------------


def over_time(
    prices: Sequence[OwnPrice | None],
    discounts: Sequence[OwnDiscount | None],
    book: PriceTable | None,
    zone: tzinfo,
) -> tuple[PriceTable | None, tuple[PriceChange, ...]]:
    """The price before any day that is named, and every change of it. Of `prices` and of `discounts` the first that
    holds on a day counts; where no price does, that of the `book`."""
    written, off = [each for each in prices if each], [each for each in discounts if each]
    spans = [*(each.days for each in written), *(each.days for each in off)]
    named = sorted({day for days in spans for day in (days.since, days.until) if day})
    first = before = _on(date.min, written, off, book)
    changes: list[PriceChange] = []
    for day in named:
        now = _on(day, written, off, book)
        if now != before:
            changes.append(PriceChange(day=day, at_s=day_start_s(day, zone), prices=now))
        before = now
    return first, tuple(changes)


def _on(
    day: date, prices: Sequence[OwnPrice], discounts: Sequence[OwnDiscount], book: PriceTable | None
) -> PriceTable | None:
    table = next((each.table for each in prices if each.days.hold(day)), book)
    off = next((each.off for each in discounts if each.days.hold(day)), 0)
    return table if table is None else discounted(table, off)


def discounted(table: PriceTable, off: int) -> PriceTable:
    """Every price less `off` thousandths of a percent, rounded up to what prices are counted in."""
    if off == 0 or table.source == "free":
        return table
    return replace(
        table,
        tiers=tuple(_less(tier, off) for tier in table.tiers),
        per_request_nusd=_share_of(table.per_request_nusd, off),
        batch=table.batch and (_share_of(table.batch[0], off), _share_of(table.batch[1], off)),
        discount=off,
    )


def _less(price: Price, off: int) -> Price:
    rates = ((each.name, getattr(price, each.name)) for each in fields(Price) if each.name.endswith("_ausd"))
    return replace(price, **{name: _share_of(rate, off) for name, rate in rates if rate is not None})


def _share_of(amount: int, off: int) -> int:
    return -(-amount * (WHOLE - off) // WHOLE)
