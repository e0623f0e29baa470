"""What is known of a target: from the document first, then from the book; and what its tokens cost."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from math import ceil
from typing import Any

from tests.reference.interpreter.units import NUSD, count, dollars
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

    @property
    def dearest_input(self) -> Decimal:
        return max(self.input, self.cache_write, self.cached)


@dataclass(frozen=True)
class Price:
    tiers: tuple[Tier, ...]
    fee: Decimal = Decimal(0)

    def worst(self, input: int, output: int) -> int:
        """Nano-USD: every product at the dearest tier that this input can reach, rounded up."""
        reachable = [tier for tier in self.tiers if tier.above < max(input, 1)]
        dear_in = max(tier.dearest_input for tier in reachable)
        dear_out = max(tier.output for tier in reachable)
        return _up(input * dear_in / MILLION) + _up(output * dear_out / MILLION) + _up(self.fee)

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
    price: Price | None
    context: int | None
    max_output: int | None
    supports: frozenset[str] | None
    tokens: str | int  # "exact", "window", or percent of margin
    labels: frozenset[str]
    enabled: bool

    @property
    def is_free(self) -> bool:
        return self.price is not None and self.price.worst(10**9, 10**9) == 0

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
        **{key: block[key] for key in ("price", "context", "max_output", "supports") if key in block},
        **own,
    }
    return Model(
        name=name,
        provider=provider,
        price=_written_price(written["price"]) if "price" in written else _book_price(facts),
        context=count(written["context"]) if "context" in written else facts.get("context"),
        max_output=count(written["max_output"]) if "max_output" in written else facts.get("max_output"),
        supports=_words(written.get("supports", facts.get("supports"))),
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


def _written_price(written: Any) -> Price:
    if written == "free":
        return Price((Tier(0, *[Decimal(0)] * 4),))
    plain, output = dollars(written["input_per_million"]), dollars(written["output_per_million"])
    write = dollars(written["cache_write_per_million"]) if "cache_write_per_million" in written else plain
    cached = dollars(written["cached_per_million"]) if "cached_per_million" in written else plain
    return Price((Tier(0, plain, output, write, cached),), dollars(written.get("per_request", "$0")))


def _book_price(facts: Mapping[str, Any]) -> Price | None:
    if "input" not in facts:
        return None
    tiers = {0: facts, **facts.get("tiers", {})}
    return Price(tuple(_tier(above, tiers[above]) for above in sorted(tiers)), Decimal(facts.get("fee", "0")))


def _tier(above: int, row: Mapping[str, Any]) -> Tier:
    plain, output = Decimal(row["input"]), Decimal(row["output"])
    return Tier(above, plain, output, Decimal(row.get("write", plain)), Decimal(row.get("cached", plain)))
