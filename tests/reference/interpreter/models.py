"""What is known of a target: from the document first, then from the book; and what its tokens cost."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date
from decimal import Decimal
from math import ceil
from typing import Any

from tests.reference.interpreter.units import NUSD, count, dollars, share
from tests.reference.interpreter.world import Used

MILLION = 1_000_000


@dataclass(frozen=True)
class Tier:
    """Dollars a million tokens, for a request whose whole input is more than `above` tokens."""

    above: int
    input: Decimal
    output: Decimal
    cache_write: Decimal
    cached: Decimal
    audio: Decimal = Decimal(0)
    image: Decimal = Decimal(0)
    reasoning: Decimal = Decimal(0)
    spoken: Decimal = Decimal(0)

    @property
    def dearest_input(self) -> Decimal:
        return max(self.input, self.cache_write, self.cached, self.audio, self.image)

    @property
    def dearest_output(self) -> Decimal:
        return max(self.output, self.reasoning, self.spoken)

    def less(self, share: Decimal) -> "Tier":
        rates = {
            each.name: getattr(self, each.name) * (1 - share) for each in fields(self) if each.name != "above"
        }
        return Tier(self.above, **rates)


@dataclass(frozen=True)
class Price:
    tiers: tuple[Tier, ...]
    fee: Decimal = Decimal(0)

    def worst(self, input: int, output: int) -> int:
        """Nano-USD: every product at the dearest tier that this input can reach, rounded up."""
        reachable = [tier for tier in self.tiers if tier.above < max(input, 1)]
        dear_in = max(tier.dearest_input for tier in reachable)
        dear_out = max(tier.dearest_output for tier in reachable)
        return _up(input * dear_in / MILLION) + _up(output * dear_out / MILLION) + _up(self.fee)

    def less(self, share: Decimal) -> "Price":
        return Price(tuple(tier.less(share) for tier in self.tiers), self.fee * (1 - share))

    def cost(self, used: Used) -> int:
        """Nano-USD of what was used, rounded up once."""
        tier = [tier for tier in self.tiers if tier.above < max(used.input, 1)][-1]
        plain = (used.input - used.cached - used.written) * tier.input
        whole = (
            plain + used.cached * tier.cached + used.written * tier.cache_write + used.output * tier.output
        )
        return _up(whole / MILLION + self.fee)


def _up(dollars: Decimal) -> int:
    return ceil(NUSD * dollars)


@dataclass(frozen=True)
class Model:
    name: str
    provider: str
    prices: tuple[
        tuple[date, Price | None], ...
    ]  # by the first day of each, in order; the first is of all days before
    context: int | None
    max_output: int | None
    supports: frozenset[str] | None
    refuses: frozenset[str]  # parameters that it does not take
    tokens: str | int  # "exact", "window", or percent of margin
    labels: frozenset[str]
    enabled: bool

    @property
    def is_free(self) -> bool:
        return all(price is not None and price.worst(10**9, 10**9) == 0 for _, price in self.prices)

    def price(self, day: date) -> Price | None:
        return [price for first, price in self.prices if first <= day][-1]

    def bound(self, tokens: int) -> int:
        """The most that an input of `tokens`, as counted, is billed as."""
        if self.tokens == "window" and self.context is not None:
            return self.context
        margin = 0 if self.tokens == "exact" else int(self.tokens) if self.tokens != "window" else 60
        bound = -(-tokens * (100 + margin) // 100)
        return bound if self.context is None else min(bound, self.context)


def model_of(document: Mapping[str, Any], book: Mapping[str, Any], name: str) -> Model:
    provider, _, model = name.partition("/")
    block = document["providers"][provider] or {}
    own = (block.get("models") or {}).get(model) or {}
    kind = block.get("kind", provider)
    facts = book.get(kind, {}).get(own.get("as", model)) or {}
    written = {
        **{key: block[key] for key in ("context", "max_output", "supports") if key in block},
        **own,
    }
    return Model(
        name=name,
        provider=provider,
        prices=_prices([own, block], facts),
        context=count(written["context"]) if "context" in written else facts.get("context"),
        max_output=count(written["max_output"]) if "max_output" in written else facts.get("max_output"),
        supports=_words(written.get("supports", facts.get("supports"))),
        refuses=frozenset(
            word
            for name in (own.get("as", model), own.get("deployment", model))
            for word in book.get(kind, {}).get(name, {}).get("refuses", ())
        ),
        tokens=_tokens(own.get("tokens", block.get("tokens")), facts),
        labels=frozenset(block.get("labels", ())) | frozenset(own.get("labels", ())),
        enabled=block.get("enabled", True) and own.get("enabled", True),
    )


def _words(words: Any) -> frozenset[str] | None:
    return None if words is None else frozenset(words)


def _tokens(written: str | None, facts: Mapping[str, Any]) -> str | int:
    known = facts.get("tokens", 60)
    if written == "margin":
        return known if isinstance(known, int) else 60
    return known if written is None else written


def _prices(
    blocks: list[Mapping[str, Any]], facts: Mapping[str, Any]
) -> tuple[tuple[date, Price | None], ...]:
    """What holds on each day: the nearest block that speaks of it goes first, for prices and for discounts."""
    said = [block[key] for block in blocks for key in ("price", "discount") if key in block]
    named = {day for each in said if isinstance(each, dict) for day in _ends(each) if day}
    return tuple((day, _on(day, blocks, facts)) for day in sorted({date.min, *named}))


def _on(day: date, blocks: list[Mapping[str, Any]], facts: Mapping[str, Any]) -> Price | None:
    prices = [block["price"] for block in blocks if "price" in block and _holds(block["price"], day)]
    shares = [block["discount"] for block in blocks if "discount" in block and _holds(block["discount"], day)]
    price = _written_price(prices[0]) if prices else _book_price(facts)
    if price is None or not shares:
        return price
    return price.less(share(shares[0]["off"] if isinstance(shares[0], dict) else shares[0]))


def _holds(written: Any, day: date) -> bool:
    first, last = _ends(written) if isinstance(written, dict) else (None, None)
    return (first is None or first <= day) and (last is None or day < last)


def _ends(written: Mapping[str, Any]) -> tuple[date | None, date | None]:
    first, last = (written.get(key) for key in ("valid_from", "valid_until"))
    return first and date.fromisoformat(first), last and date.fromisoformat(last)


def _written_price(written: Any) -> Price:
    if written == "free":
        return Price((Tier(0, *[Decimal(0)] * 4),))
    above = {count(length): tier for length, tier in written.get("above", {}).items()}
    tiers = {0: written, **above}
    fee = dollars(written.get("per_request", "$0"))
    return Price(tuple(_written_tier(length, tiers[length]) for length in sorted(tiers)), fee)


def _written_tier(above: int, written: Mapping[str, Any]) -> Tier:
    def rate(name: str, otherwise: str) -> Decimal:
        return dollars(written.get(f"{name}_per_million", written[f"{otherwise}_per_million"]))

    return Tier(
        above,
        rate("input", "input"),
        rate("output", "output"),
        rate("cache_write", "input"),
        rate("cached", "input"),
        rate("audio_input", "input"),
        rate("image_input", "input"),
        rate("reasoning", "output"),
        rate("audio_output", "output"),
    )


def _book_price(facts: Mapping[str, Any]) -> Price | None:
    if "input" not in facts:
        return None
    tiers = {0: facts, **facts.get("tiers", {})}
    return Price(tuple(_tier(above, tiers[above]) for above in sorted(tiers)), Decimal(facts.get("fee", "0")))


def _tier(above: int, row: Mapping[str, Any]) -> Tier:
    plain, output = Decimal(row["input"]), Decimal(row["output"])
    return Tier(above, plain, output, Decimal(row.get("write", plain)), Decimal(row.get("cached", plain)))
