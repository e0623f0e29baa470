"""One row of litellm's price file as prices and facts: exact in atto-USD, unknown where tokens don't bound the bill.

Where a rate of a part is missing it is the rate of its whole, so that nothing is priced at zero by omission.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date
from decimal import ROUND_CEILING, Decimal
from typing import Any

from router.plan import AUSD_PER_NUSD, Price, PriceTable
from router.values import NUSD_PER_USD

Row = Mapping[str, Any]
"""Keys as in the file; numbers are int or Decimal."""

SUPPORTS: Mapping[str, tuple[str, ...]] = {
    "tools": ("supports_function_calling",),
    "json": ("supports_response_schema", "supports_native_structured_output"),
    "vision": ("supports_vision", "supports_image_input"),
    "audio": ("supports_audio_input",),
    "files": ("supports_pdf_input",),
    "reasoning": ("supports_reasoning",),
    "video": ("supports_video_input",),
    "web_search": ("supports_web_search",),
    "caching": ("supports_prompt_caching",),
    "audio_output": ("supports_audio_output",),
}
"""Word of `supports:` -> keys of the file, any of which says yes."""

NOT_BY_TOKENS = (
    "input_cost_per_image",
    "input_cost_per_audio_per_second",
    "input_cost_per_video_per_second",
    "output_cost_per_video_token",
    "citation_cost_per_token",  # billed beside the input that is reported
)
"""Charges that come on top of the tokens of input and output, and that no count of those bounds."""

IMAGE_OUTPUT = ("output_cost_per_image", "output_cost_per_image_token")

FREE_AT_ZERO = frozenset({"ollama", "ollama_chat", "lemonade", "lm_studio", "llamafile", "hosted_vllm"})
"""Kinds of local servers. Elsewhere the file writes zero for what it doesn't know as well as for what is free."""

_TIER = re.compile(r"(?:in|out)put_cost_per_token_above_(\d+)k_tokens")
_AUSD_PER_USD = AUSD_PER_NUSD * NUSD_PER_USD


def prices_of(row: Row, *, kind: str, always_searches: bool = False) -> PriceTable | None:
    """What the row says of prices; None where that doesn't bound what a call costs."""
    tiers = tuple(_tiers(row))
    if not tiers or _bills_beside_tokens(row) or (always_searches and _search_ausd(row) is None):
        return None
    fee_ausd = (_ausd(row, "input_cost_per_request") or 0) + (
        (_search_ausd(row) or 0) if always_searches else 0
    )
    if _is_zero(tiers, fee_ausd):
        return PriceTable(tiers=tiers[:1], source="price file") if kind in FREE_AT_ZERO else None
    uplift = _uplift(row, kind)
    fee_nusd = -(-fee_ausd // AUSD_PER_NUSD)
    scaled = tuple(_scaled(tier, uplift) for tier in tiers)
    return PriceTable(tiers=scaled, per_request_nusd=fee_nusd, source="price file", batch=_batch(row, uplift))


def _batch(row: Row, factor: Decimal) -> tuple[int, int] | None:
    """The rates of the provider's batch API, where the row states both."""
    entry, answer = _ausd(row, "input_cost_per_token_batches"), _ausd(row, "output_cost_per_token_batches")
    if not entry or not answer:
        return None
    return _ceil(entry * factor), _ceil(answer * factor)


def supports_of(row: Row) -> frozenset[str]:
    """The words of `supports:` that the row says yes to.

    Thousands of rows state tools and nothing of JSON; litellm speaks JSON mode to those, so silence there is a yes.
    """
    words = {word for word, keys in SUPPORTS.items() if any(row.get(key) is True for key in keys)}
    if "tools" in words and all(row.get(key) is None for key in SUPPORTS["json"]):
        words.add("json")
    return frozenset(words)


def context_of(row: Row) -> int | None:
    """Tokens of input; `max_tokens` only where it isn't the limit on output under its old name."""
    if (context := _count(row, "max_input_tokens")) is not None:
        return context
    old = _count(row, "max_tokens")
    return None if old == _count(row, "max_output_tokens") else old


def max_output_of(row: Row) -> int | None:
    return _count(row, "max_output_tokens")


def deprecation_of(row: Row) -> date | None:
    stated = row.get("deprecation_date")
    try:
        return date.fromisoformat(stated) if isinstance(stated, str) else None
    except ValueError:
        return None


def _tiers(row: Row) -> Iterator[Price]:
    """Prices by rising threshold; nothing where the row has no price a token for input and output."""
    if (brackets := row.get("tiered_pricing")) is not None:
        for bracket in _by_start(brackets):
            yield from _base(row, bracket)
        return
    base = list(_base(row, row))
    yield from base
    for thousands in sorted({int(found[1]) for key in row if (found := _TIER.fullmatch(key))}):
        base = base and [_above(row, thousands, base[0])]
        yield from base


def _by_start(brackets: Any) -> list[Row]:
    """Brackets by where they start; none where they don't start at nothing, for then they leave a request unpriced."""
    starts = [(bracket.get("range") or [None])[0] for bracket in brackets]
    if 0 not in starts or not all(isinstance(start, int | Decimal) for start in starts):
        return []
    return [bracket for _, bracket in sorted(zip(starts, brackets, strict=True), key=lambda pair: pair[0])]


def _base(row: Row, bracket: Row) -> Iterator[Price]:
    rates = {**row, **bracket}
    entry, answer = _ausd(rates, "input_cost_per_token"), _ausd(rates, "output_cost_per_token")
    if entry is None or answer is None:
        return
    cached = _ausd(rates, "cache_read_input_token_cost")
    if cached is None:
        cached = _ausd(rates, "input_cost_per_token_cache_hit")
    yield Price(
        above_tokens=int(bracket.get("range", (0,))[0]),
        input_ausd=entry,
        output_ausd=answer,
        cached_input_ausd=entry if cached is None else cached,
        # Nobody writes a cache for nothing: a zero there stands for no surcharge.
        cache_write_ausd=_ausd(rates, "cache_creation_input_token_cost") or entry,
        audio_input_ausd=_or(_ausd(rates, "input_cost_per_audio_token"), entry),
        image_input_ausd=_or(_ausd(rates, "input_cost_per_image_token"), entry),
        reasoning_ausd=_or(_ausd(rates, "output_cost_per_reasoning_token"), answer),
        audio_output_ausd=_or(_ausd(rates, "output_cost_per_audio_token"), answer),
        cache_write_1h_ausd=_ausd(rates, "cache_creation_input_token_cost_above_1hr") or None,
    )


def _above(row: Row, thousands: int, below: Price) -> Price:
    """The tier above a threshold: what it doesn't state stays, but no part gets cheaper than its whole became."""
    suffix = f"_above_{thousands}k_tokens"
    entry = _or(_ausd(row, "input_cost_per_token" + suffix), below.input_ausd)
    answer = _or(_ausd(row, "output_cost_per_token" + suffix), below.output_ausd)
    written = _ausd(row, "cache_creation_input_token_cost" + suffix)
    kept = below.cached_input_ausd if below.cached_input_ausd < below.input_ausd else entry
    return Price(
        above_tokens=thousands * 1000,
        input_ausd=entry,
        output_ausd=answer,
        cached_input_ausd=_or(_ausd(row, "cache_read_input_token_cost" + suffix), kept),
        cache_write_ausd=written or max(entry, below.cache_write_ausd),
        audio_input_ausd=max(entry, below.audio_input_ausd),
        image_input_ausd=max(entry, below.image_input_ausd),
        reasoning_ausd=max(answer, below.reasoning_ausd),
        audio_output_ausd=max(answer, below.audio_output_ausd),
        cache_write_1h_ausd=_hour_above(row, suffix, written, below),
    )


def _hour_above(row: Row, suffix: str, written: int | None, below: Price) -> int | None:
    """Where the tier states no rate of an hour, it is no cheaper than that of five minutes became."""
    hour = _ausd(row, f"cache_creation_input_token_cost_above_1hr{suffix}")
    if hour or below.cache_write_1h_ausd is None:
        return hour or None
    return max(written or 0, below.cache_write_1h_ausd)


def _bills_beside_tokens(row: Row) -> bool:
    modalities = row.get("supported_output_modalities")
    images = () if modalities is not None and "image" not in modalities else IMAGE_OUTPUT
    routed_on = (
        "model-router" in row["key"] or "model_router" in row["key"]
    )  # the model behind it is billed as well
    return routed_on or any(row.get(key) for key in (*NOT_BY_TOKENS, *images))


def _search_ausd(row: Row) -> int | None:
    """The dearest search of one request; None: not stated."""
    costs = row.get("search_context_cost_per_query")
    rates = [_ausd(costs, size) or 0 for size in costs] if isinstance(costs, Mapping) else []
    return max(rates, default=None)


def _uplift(row: Row, kind: str) -> Decimal:
    """Vertex bills its regional endpoints above the global one, and a region is what litellm asks for by default."""
    uplift = row.get("regional_endpoint_uplift_multiplier") if kind.startswith("vertex_ai") else None
    return Decimal(uplift or 1)


def _scaled(price: Price, factor: Decimal) -> Price:
    if factor == 1:
        return price
    rates = [name for name in Price.__slots__ if name.endswith("_ausd")]
    known = ((name, rate) for name in rates if (rate := getattr(price, name)) is not None)
    return replace(price, **{name: _ceil(rate * factor) for name, rate in known})


def _is_zero(tiers: tuple[Price, ...], fee_ausd: int) -> bool:
    return fee_ausd == 0 and all(tier.input_ausd == tier.output_ausd == 0 for tier in tiers)


def _ausd(rates: Row, key: str) -> int | None:
    """USD as atto-USD. Finer than that, as a few conversions from other units are, it rounds up."""
    usd = rates.get(key)
    if isinstance(usd, bool) or not isinstance(usd, int | Decimal) or usd < 0:
        return None
    return _ceil(Decimal(usd) * _AUSD_PER_USD)


def _ceil(amount: Decimal) -> int:
    return int(amount.to_integral_value(ROUND_CEILING))


def _or(rate: int | None, otherwise: int) -> int:
    return otherwise if rate is None else rate


def _count(row: Row, key: str) -> int | None:
    value = row.get(key)
    return (
        int(value) if isinstance(value, int | Decimal) and not isinstance(value, bool) and value > 0 else None
    )
