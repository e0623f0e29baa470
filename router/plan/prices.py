"""What a model costs, and how its input is counted."""

from dataclasses import dataclass
from datetime import date
from typing import Literal

AUSD_PER_NUSD = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """Prices per token in atto-USD, for requests whose whole input is more than `above_tokens`."""

    above_tokens: int = 0
    input_ausd: int
    output_ausd: int
    cached_input_ausd: int
    cache_write_ausd: int
    audio_input_ausd: int
    image_input_ausd: int
    reasoning_ausd: int
    audio_output_ausd: int
    cache_write_1h_ausd: int | None = None  # written to be kept for an hour; None: as `cache_write_ausd`


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceTable:
    """The price of a model: tiers by rising `above_tokens` (the first is 0), and a fee a request. `discount`, in
    thousandths of a percent, is off already. `batch`: (input, output) a token in atto-USD at the provider's batch
    API."""

    tiers: tuple[Price, ...]
    per_request_nusd: int = 0
    source: str = ""  # "policy" | "price file" | "free"
    discount: int = 0
    batch: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceChange:
    """From `at_s` on, the first moment of `day` in `settings.time_zone`, the price is another one; None: unknown."""

    day: date
    at_s: float
    prices: PriceTable | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenClass:
    """How the input of a model is bounded.

    `exact`: `encoding` is the model's own tokenizer. `margin`: its count times (100 + margin_percent) / 100, plus
    `overhead_tokens` once and `per_message_tokens` for each message. `window`: the whole context window, for what
    can't be counted.
    """

    method: Literal["exact", "margin", "window"]
    encoding: str = "o200k_base"
    margin_percent: int = 0
    overhead_tokens: int = 0
    per_message_tokens: int = 4
    family: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFacts:
    """What the price file knows of a model. None: not stated there."""

    name: str
    prices: PriceTable | None = None
    context_tokens: int | None = None
    max_output_tokens: int | None = None
    supports: frozenset[str] = (
        frozenset()
    )  # tools, json, vision, audio, reasoning, ...: the words of `supports:`
    deprecated_on: date | None = None
    tokens: TokenClass = TokenClass(method="margin", margin_percent=60)
