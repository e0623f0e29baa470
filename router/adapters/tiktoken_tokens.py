"""Input tokens before sending: counted with tiktoken, bounded by what the model's family adds to that."""

from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any

from router.adapters.input_parts import Image, Parts, parts_of
from router.adapters.known_texts import KnownText, KnownTexts, utf8
from router.adapters.token_families import SEARCHES, UNMEASURED, Family, ImageCost, family_of
from router.plan import TokenClass
from router.values import InputEstimate, Message

ENCODED_CHARS = 200_000
"""Characters of one request that are encoded, in about 10 ms; what is beyond them is bounded by its bytes."""

_SCHEMA_PERCENT = 60  # compact JSON against a schema as providers write it out, where that isn't known
_CUSTOM_TOOL_TOKENS = 150
_CALL_TOKENS = 8
_OPAQUE_CHARS_PER_TOKEN = 3
_BYTES_PER_TOKEN = 5  # no tokenizer was seen to average more over a whole text, whatever o200k makes of it


class TiktokenTokens:
    """Implements the Tokens port. Encodings load on first use; any thread may call. It keeps counts, never a text."""

    def __init__(self) -> None:
        self._known = KnownTexts()

    def reader(self, messages: Sequence[Message]) -> "TiktokenReader":
        return TiktokenReader(messages, self._known)

    def count_text(self, text: str, encoding: str) -> int:
        """Tokens of plain text; of a very long one the end is estimated from the rest."""
        head = text[:ENCODED_CHARS]
        counted = self._known.of(head).tokens(head, encoding)
        return counted if len(head) == len(text) else ceil(counted * len(text) / len(head))


class TiktokenReader:
    """Implements the InputReader port: takes a request apart once, and looks at a text once however many ask."""

    def __init__(self, messages: Sequence[Message], known: KnownTexts) -> None:
        self._messages = messages
        self._known = known
        self._taken: list[tuple[Mapping[str, Any], Parts]] = []
        self._texts: dict[str, KnownText] = {}

    def estimate(
        self, params: Mapping[str, Any], tokens: TokenClass, *, context_tokens: int | None
    ) -> InputEstimate:
        """`bound` is the context window where only that bounds the input; without one, `unbounded` says why."""
        parts, family = self._parts(params), family_of(tokens)
        likely, bound = self._text_tokens(parts, tokens)
        around, (likely_media, media) = _around_tokens(parts, family), _media_tokens(parts, family)
        overhead = max(tokens.overhead_tokens, family.overhead_tokens if family is UNMEASURED else 0)
        bound += around + media + overhead + tokens.per_message_tokens * parts.messages
        likely += around // 2 + overhead // 3 + 4 * parts.messages + 3 + likely_media
        unbounded = [*parts.unbounded, *(["server-side search"] if tokens.family.endswith(SEARCHES) else [])]
        if tokens.method == "window" or parts.opaque_files:
            if context_tokens is None:
                unbounded.append("a length that only a context window would bound, and none is known")
            bound = max(bound, context_tokens or 0)
        return InputEstimate(
            tokens=min(likely, bound),
            bound=bound,
            unbounded=tuple(dict.fromkeys(unbounded)),
            for_an_hour=parts.for_an_hour,
        )

    def _parts(self, params: Mapping[str, Any]) -> Parts:
        """Most targets are sent the same parameters."""
        for taken, parts in self._taken:
            if taken == params:
                return parts
        self._taken.append((params, parts_of(self._messages, params)))
        return self._taken[-1][1]

    def _text_tokens(self, parts: Parts, tokens: TokenClass) -> tuple[int, int]:
        """(likely, bound) of everything that is text."""
        left, likely, bound = ENCODED_CHARS, 0, ceil(parts.opaque_chars / _OPAQUE_CHARS_PER_TOKEN)
        for texts, margin, seen in _texts(parts, tokens):
            for text in texts:
                head = text[:left]
                known = self._known_text(head)
                counted = known.tokens(head, tokens.encoding)
                left -= len(head)
                rest_bytes = 0 if len(head) == len(text) else len(utf8(text[len(head) :]))
                bound += counted if margin is None else _bound(counted, margin, *known.spread(head))
                bound += rest_bytes
                likely += counted + rest_bytes // 4 if seen else 0
        return likely, bound

    def _known_text(self, text: str) -> KnownText:
        found = self._texts.get(text)
        if found is None:
            found = self._texts[text] = self._known.of(text)
        return found


def _texts(parts: Parts, tokens: TokenClass) -> tuple[tuple[list[str], int | None, bool], ...]:
    """(texts, margin or None where they are counted exactly, whether every model reads them)."""
    percent = None if tokens.method == "exact" else tokens.margin_percent
    schema_percent = None if percent is None else max(percent, _SCHEMA_PERCENT)
    return (parts.texts, percent, True), (parts.extras, percent, False), (parts.schemas, schema_percent, True)


def _bound(counted: int, margin_percent: int, size: int, beyond: int) -> int:
    """The most tokens that a tokenizer with this margin makes of a text; none makes more than there are bytes."""
    prose = ceil(max(counted, size / _BYTES_PER_TOKEN) * (100 + margin_percent) / 100)
    return min(size, prose + beyond)


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


def _media_tokens(parts: Parts, family: Family) -> tuple[int, int]:
    """(likely, bound) of everything that is heard or seen."""
    if not parts.images and not parts.sound_s:
        return 0, 0
    sound = 20 + ceil(parts.sound_s * family.audio_tokens_per_s) if parts.sound_s else 0
    likely, most = (
        sum(_image_tokens(image, family.image, likely=likely) for image in parts.images)
        for likely in (True, False)
    )
    return sound + likely, sound + most


def _image_tokens(image: Image, cost: ImageCost, *, likely: bool) -> int:
    if image.low_detail and cost.low is not None:
        return cost.low
    if image.size is None:
        return cost.most // 4 if likely else cost.most
    width, height = image.size
    tiles = max(ceil(width / cost.tile_px), 1) * max(ceil(height / cost.tile_px), 1)
    return min(cost.base + cost.per_tile * tiles, cost.most)
