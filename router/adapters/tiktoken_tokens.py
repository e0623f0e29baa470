"""Input tokens before sending: counted with tiktoken, bounded by what the model's family adds to that."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

from router.adapters.encodings import encoding
from router.adapters.input_parts import Image, Parts, parts_of
from router.adapters.token_families import SEARCHES, UNMEASURED, Family, ImageCost, family_of
from router.plan import TokenClass
from router.values import InputEstimate, Message

ENCODED_CHARS = 200_000
"""Characters of one request that are encoded, in about 10 ms; what is beyond them is bounded by its bytes."""

_PIECE_CHARS = 20_000  # older tiktokens take quadratic time over one long word
_CUT_TOKENS = 2  # a cut may fall on a better split than the whole would get
_SCHEMA_PERCENT = 60  # compact JSON against a schema as providers write it out, where that isn't known
_CUSTOM_TOOL_TOKENS = 150
_CALL_TOKENS = 8
_OPAQUE_CHARS_PER_TOKEN = 3
_BYTES_PER_TOKEN = 5  # no tokenizer was seen to average more over a whole text, whatever o200k makes of it


class TiktokenTokens:
    """Implements the Tokens port. Stateless; encodings load on first use, and any thread may call."""

    def reader(self, messages: Sequence[Message]) -> "TiktokenReader":
        return TiktokenReader(messages)

    def count_text(self, text: str, encoding: str) -> int:
        """Tokens of plain text; of a very long one the end is estimated from the rest."""
        counted, chars = _count(text, encoding, ENCODED_CHARS)
        return counted if chars == len(text) else ceil(counted * len(text) / chars)


class TiktokenReader:
    """Implements the InputReader port: takes a request apart once, and encodes a text once however many ask."""

    def __init__(self, messages: Sequence[Message]) -> None:
        self._messages = messages
        self._taken: list[tuple[Mapping[str, Any], Parts]] = []
        self._texts = Texts()

    def estimate(
        self, params: Mapping[str, Any], tokens: TokenClass, *, context_tokens: int | None
    ) -> InputEstimate:
        """`bound` is the context window where only that bounds the input; without one, `unbounded` says why."""
        parts, family = self._parts(params), family_of(tokens)
        likely, bound = _text_tokens(self._texts, parts, tokens)
        around, media = _around_tokens(parts, family), _media_tokens(parts, family)
        overhead = max(tokens.overhead_tokens, family.overhead_tokens if family is UNMEASURED else 0)
        bound += around + media + overhead + tokens.per_message_tokens * parts.messages
        likely += (
            around // 2 + overhead // 3 + 4 * parts.messages + 3 + _media_tokens(parts, family, likely=True)
        )
        unbounded = [*parts.unbounded, *(["server-side search"] if tokens.family.endswith(SEARCHES) else [])]
        if tokens.method == "window" or parts.opaque_files:
            if context_tokens is None:
                unbounded.append("a length that only a context window would bound, and none is known")
            bound = max(bound, context_tokens or 0)
        return InputEstimate(
            tokens=min(likely, bound), bound=bound, unbounded=tuple(dict.fromkeys(unbounded))
        )

    def _parts(self, params: Mapping[str, Any]) -> Parts:
        """Most targets are sent the same parameters."""
        for taken, parts in self._taken:
            if taken == params:
                return parts
        self._taken.append((params, parts_of(self._messages, params)))
        return self._taken[-1][1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """By what tokenizers may differ over a text: its size, and the tokens beyond a margin over its count."""

    size: int
    beyond: int


class Texts:
    """What is known of the texts of one request, each looked at once."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str, int], tuple[int, int]] = {}
        self._spreads: dict[str, Spread] = {}

    def count(self, text: str, encoding: str, limit: int) -> tuple[int, int]:
        key = (text, encoding, min(limit, len(text)))
        found = self._counts.get(key)
        if found is None:
            found = self._counts[key] = _count(text, encoding, limit)
        return found

    def spread(self, text: str) -> Spread:
        found = self._spreads.get(text)
        if found is None:
            found = self._spreads[text] = _spread(text)
        return found


def _text_tokens(texts: Texts, parts: Parts, tokens: TokenClass) -> tuple[int, int]:
    """(likely, bound) of everything that is text."""
    left, likely, bound = ENCODED_CHARS, 0, ceil(parts.opaque_chars / _OPAQUE_CHARS_PER_TOKEN)
    for text, margin, seen in _texts(parts, tokens):
        counted, chars = texts.count(text, tokens.encoding, left)
        left -= chars
        rest_bytes = 0 if chars == len(text) else len(_utf8(text[chars:]))
        bound += counted if margin is None else _bound(counted, margin, texts.spread(text[:chars]))
        bound += rest_bytes
        likely += counted + rest_bytes // 4 if seen else 0
    return likely, bound


def _texts(parts: Parts, tokens: TokenClass) -> Iterator[tuple[str, int | None, bool]]:
    """(text, margin or None where it is counted exactly, whether every model reads it)."""
    percent = None if tokens.method == "exact" else tokens.margin_percent
    schema_percent = None if percent is None else max(percent, _SCHEMA_PERCENT)
    yield from ((text, percent, True) for text in parts.texts)
    yield from ((text, percent, False) for text in parts.extras)
    yield from ((text, schema_percent, True) for text in parts.schemas)


def _count(text: str, name: str, limit: int) -> tuple[int, int]:
    """(tokens, characters that were encoded: at most `limit`)."""
    encode = encoding(name).encode_ordinary
    if len(text) <= min(limit, _PIECE_CHARS):
        return len(encode(text)), len(text)
    chars = max(min(len(text), limit), 0)
    pieces = (text[at : min(at + _PIECE_CHARS, chars)] for at in range(0, chars, _PIECE_CHARS))
    return sum(len(encode(piece)) + _CUT_TOKENS for piece in pieces), chars


def _bound(counted: int, margin_percent: int, spread: Spread) -> int:
    """The most tokens that a tokenizer with this margin makes of a text; none makes more than there are bytes."""
    prose = ceil(max(counted, spread.size / _BYTES_PER_TOKEN) * (100 + margin_percent) / 100)
    return min(spread.size, prose + spread.beyond)


def _spread(text: str) -> Spread:
    """A margin holds for prose and code in Latin letters. Tokenizers differ more over digits (in threes, or one by
    one), runs of blanks and other scripts (in words, or in bytes), so each of those is reserved on top."""
    raw = _utf8(text)
    size = len(raw)
    beyond_ascii = size - len(text)
    digits = size - len(raw.translate(None, b"0123456789"))
    blanks = size - len(b" ".join(raw.split()))
    return Spread(size=size, beyond=ceil(beyond_ascii * 3 / 4 + digits * 2 / 3 + blanks / 4))


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")  # a lone half of a pair comes through JSON as well


def _around_tokens(parts: Parts, family: Family) -> int:
    """What a provider adds around the texts."""
    tools = 10 * parts.tools + _CUSTOM_TOOL_TOKENS * parts.custom_tools
    return (
        tools
        + (family.tools_tokens if parts.tools else 0)
        + (family.schema_tokens if parts.formats else 0)
        + (family.thinking_tokens if parts.thinking else 0)
        + family.file_tokens * parts.files
        + _CALL_TOKENS * parts.calls
    )


def _media_tokens(parts: Parts, family: Family, *, likely: bool = False) -> int:
    sound = 20 + ceil(parts.sound_s * family.audio_tokens_per_s) if parts.sound_s else 0
    return sound + sum(_image_tokens(image, family.image, likely=likely) for image in parts.images)


def _image_tokens(image: Image, cost: ImageCost, *, likely: bool) -> int:
    if image.low_detail and cost.low is not None:
        return cost.low
    if image.size is None:
        return cost.most // 4 if likely else cost.most
    width, height = image.size
    tiles = max(ceil(width / cost.tile_px), 1) * max(ceil(height / cost.tile_px), 1)
    return min(cost.base + cost.per_tile * tiles, cost.most)
