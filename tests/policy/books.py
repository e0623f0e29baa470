"""A small price book for tests of policies: a few models, round prices."""

from collections.abc import Mapping, Sequence
from datetime import date
from types import MappingProxyType

from router.plan import ModelFacts, Price, PriceTable, TokenClass

ALL = frozenset({"tools", "json", "vision", "audio", "files"})


def price_table(input_ausd: int, output_ausd: int) -> PriceTable:
    """Atto-USD per token; whatever is not text costs the same."""
    tier = Price(
        input_ausd=input_ausd,
        output_ausd=output_ausd,
        cached_input_ausd=input_ausd // 10,
        cache_write_ausd=input_ausd,
        audio_input_ausd=input_ausd,
        image_input_ausd=input_ausd,
        reasoning_ausd=output_ausd,
        audio_output_ausd=output_ausd,
    )
    return PriceTable(tiers=(tier,), source="price file")


def _facts(
    name: str, dollars_in: int, dollars_out: int, *, context: int = 200_000, gone: date | None = None
) -> ModelFacts:
    """Prices in whole dollars per million tokens."""
    return ModelFacts(
        name=name,
        prices=price_table(dollars_in * 10**12, dollars_out * 10**12),
        context_tokens=context,
        max_output_tokens=64_000,
        supports=ALL - {"audio"},
        deprecated_on=gone,
        tokens=TokenClass(method="margin", margin_percent=20),
    )


FACTS: Mapping[str, Mapping[str, ModelFacts]] = MappingProxyType(
    {
        "openai": {
            "small": _facts("small", 1, 2),
            "large": _facts("large", 10, 20),
            "unpriced": ModelFacts(name="unpriced", context_tokens=100_000, max_output_tokens=4_000),
            "4.10": _facts("4.10", 1, 2),
        },
        "anthropic": {
            "haiku": _facts("haiku", 1, 5),
            "old": _facts("old", 1, 5, gone=date(2027, 1, 10)),
        },
        "gemini": {"flash": _facts("flash", 1, 3, context=1_000_000)},
        "groq": {"openai/oss": _facts("openai/oss", 1, 1, context=32_000)},
        "azure": {"eu/large": _facts("eu/large", 12, 24)},
    }
)


REFUSES = {"haiku": frozenset({"seed", "n"}), "flash": frozenset({"top_p with reasoning"})}
"""What models do not take; all of the others take everything."""


class Book:
    """The facts above, as compiling asks for them."""

    digest = "0" * 64

    def facts(self, kind: str, model: str) -> ModelFacts | None:
        return FACTS.get(kind, {}).get(model)

    def tokens(self, kind: str, model: str) -> TokenClass:
        return TokenClass(method="window" if "odd" in model else "margin", margin_percent=60)

    def refuses(self, kind: str, model: str) -> frozenset[str]:
        return REFUSES.get(model, frozenset())

    def models(self, kind: str) -> Sequence[str]:
        return sorted(FACTS.get(kind, {}))
