"""Families of models that count alike: how much their input may exceed what tiktoken counts.

The numbers are the least round ones that hold on every recorded exchange of a family with room to spare; docs/tokens.md
has the figures, and tests/test_token_bounds.py measures them again. Providers add prompts of their own (a preamble, the
instructions for tools or a schema); those are the `_tokens` here.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from router.plan import TokenClass


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageCost:
    """Tokens of one image: `base` plus `per_tile` for each tile of `tile_px` squared; never above `most`.

    An image whose size isn't known costs `most`. `low` is what `detail: low` costs, where a provider has that.
    """

    base: int
    per_tile: int
    tile_px: int
    most: int
    low: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """`margin_percent` None: `encoding` is the model's own tokenizer. Everything else is added to the text."""

    names: str  # pattern of the model names that belong here, matched anywhere in the lower-case name
    encoding: Literal["o200k_base", "cl100k_base"] = "o200k_base"
    margin_percent: int | None = 60
    overhead_tokens: int = 10
    per_message_tokens: int = 5
    tools_tokens: int = 700  # once, when tools are given
    schema_tokens: int = 200  # once, when a response format is given
    thinking_tokens: int = 0  # once, when reasoning is asked for
    file_tokens: int = 300  # each document, besides its text
    audio_tokens_per_s: int = 50
    image: ImageCost = ImageCost(base=1200, per_tile=1, tile_px=14, most=16400)


_OPENAI_TILES = ImageCost(base=85, per_tile=170, tile_px=512, most=1445, low=85)
_OPENAI_MINI_TILES = ImageCost(base=2833, per_tile=5667, tile_px=512, most=48169, low=2833)
_OPENAI_PATCHES = ImageCost(base=255, per_tile=3, tile_px=32, most=12000, low=1100)


def _openai(
    names: str, image: ImageCost, encoding: Literal["o200k_base", "cl100k_base"] = "o200k_base"
) -> Family:
    """Text is counted exactly; what surrounds messages, tools and schemas is measured."""
    return Family(
        names=names,
        encoding=encoding,
        margin_percent=None,
        overhead_tokens=4,
        per_message_tokens=5,
        tools_tokens=90,
        schema_tokens=30,
        file_tokens=100,
        audio_tokens_per_s=12,
        image=image,
    )


FAMILIES: Mapping[str, Family] = {
    "gpt-oss": Family(
        names=r"gpt-oss",
        margin_percent=10,  # the same tokenizer, in a chat format that providers fill in their own ways
        overhead_tokens=80,
        per_message_tokens=15,
        tools_tokens=70,
        schema_tokens=60,
    ),
    "gpt-4o-mini": _openai(r"gpt-4o-mini", _OPENAI_MINI_TILES),
    "gpt-4o": _openai(r"gpt-4o|gpt-4\.5|gpt-4\.1(?!-(mini|nano))|(^|/)o[13]\b", _OPENAI_TILES),
    "gpt-4": _openai(r"gpt-3\.5|gpt-35|gpt-4(?![\do.])", _OPENAI_TILES, "cl100k_base"),
    "openai": _openai(
        r"gpt-4\.1|gpt-5|(^|/)o\d|gpt-audio|gpt-realtime|codex-mini|chatgpt-4o|computer-use", _OPENAI_PATCHES
    ),
    "claude-5": Family(  # a later tokenizer, said to give up to 35 % more; not among the recordings
        names=r"claude-opus-4[-.][7-9]|claude-[a-z]+-[5-9]",
        margin_percent=110,
        tools_tokens=950,
        schema_tokens=950,
        thinking_tokens=60,
        file_tokens=950,
        image=ImageCost(base=30, per_tile=1, tile_px=24, most=5000),
    ),
    "claude": Family(
        names=r"claude",
        tools_tokens=700,
        schema_tokens=700,  # litellm asks older models for a schema by way of a tool
        thinking_tokens=40,
        file_tokens=700,
        image=ImageCost(base=30, per_tile=1, tile_px=24, most=1700),
    ),
    "gemini-2": Family(
        names=r"gemini-[12]|gemma",
        margin_percent=50,
        tools_tokens=60,
        schema_tokens=20,
        file_tokens=100,
        audio_tokens_per_s=40,
        image=ImageCost(base=0, per_tile=258, tile_px=256, most=6500),
    ),
    "gemini": Family(
        names=r"gemini",
        margin_percent=50,
        tools_tokens=60,
        schema_tokens=40,
        file_tokens=100,
        audio_tokens_per_s=40,
        image=ImageCost(base=1120, per_tile=258, tile_px=256, most=6500),
    ),
    "llama-4": Family(
        names=r"llama-?4",
        margin_percent=40,
        tools_tokens=700,
        image=ImageCost(base=160, per_tile=150, tile_px=336, most=2700),
    ),
    "llama": Family(names=r"(?<!o)llama", margin_percent=40, overhead_tokens=45, tools_tokens=200),
    "qwen": Family(
        names=r"qwen|qwq",
        margin_percent=40,
        overhead_tokens=30,
        tools_tokens=250,
        image=ImageCost(base=40, per_tile=1, tile_px=28, most=16400),
    ),
    "deepseek": Family(
        names=r"deepseek", margin_percent=40, overhead_tokens=110, per_message_tokens=6, tools_tokens=300
    ),
    "mistral": Family(
        names=r"mistral|mixtral|ministral|magistral|pixtral|codestral|devstral|voxtral",
        margin_percent=50,
        overhead_tokens=25,
        tools_tokens=80,
        schema_tokens=40,
        image=ImageCost(base=40, per_tile=1, tile_px=14, most=4300),
    ),
    "grok-4": Family(
        names=r"grok-4(-0709|-latest)?$",
        margin_percent=40,
        overhead_tokens=1250,
        tools_tokens=300,
        schema_tokens=60,
        image=ImageCost(base=300, per_tile=256, tile_px=448, most=2100),
    ),
    "grok": Family(
        names=r"grok|^xai",
        margin_percent=40,
        overhead_tokens=210,
        tools_tokens=300,
        schema_tokens=60,
        image=ImageCost(base=300, per_tile=256, tile_px=448, most=2100),
    ),
    "command": Family(
        names=r"command|c4ai|\baya|^cohere",
        overhead_tokens=230,
        tools_tokens=1500,
        schema_tokens=600,
        image=ImageCost(base=520, per_tile=256, tile_px=512, most=3600),
    ),
    "nova": Family(names=r"nova", overhead_tokens=110, tools_tokens=800, schema_tokens=800),
    "glm": Family(
        names=r"glm|^zai", margin_percent=40, overhead_tokens=20, tools_tokens=130, schema_tokens=130
    ),
    "kimi": Family(
        names=r"kimi|moonshot",
        margin_percent=40,
        tools_tokens=80,
        image=ImageCost(base=40, per_tile=1, tile_px=28, most=16400),
    ),
}
"""By name; the first whose pattern is found wins."""

UNMEASURED = Family(
    names="", overhead_tokens=200, per_message_tokens=10, tools_tokens=1500, schema_tokens=800
)

SEARCHES = "+search"
"""Ends the family of a token class whose models search on their own account and bill what they find as input."""

_PATTERNS = tuple((name, re.compile(family.names)) for name, family in FAMILIES.items())
_ADDS_INPUT = re.compile(r"deep-research|search-api|compound|:online$|perplexity/preset/")
_SEARCH_FEE = re.compile(r"/sonar|-online$|search-preview")


def token_class(kind: str, model: str) -> TokenClass:
    """How the input of `model`, as a provider of litellm's `kind` names it, is bounded."""
    full = _full(kind, model)
    name = _family_in(model.lower()) or _family_in(kind)
    family = FAMILIES.get(name, UNMEASURED)
    return TokenClass(
        method="exact" if family.margin_percent is None else "margin",
        encoding=family.encoding,
        margin_percent=family.margin_percent or 0,
        overhead_tokens=family.overhead_tokens,
        per_message_tokens=family.per_message_tokens,
        family=name + SEARCHES if _ADDS_INPUT.search(full) else name,
    )


def family_of(tokens: TokenClass) -> Family:
    """The family that a token class names; what is assumed where nothing was measured."""
    return FAMILIES.get(tokens.family.removesuffix(SEARCHES), UNMEASURED)


def always_searches(kind: str, model: str) -> bool:
    """Whether every request pays for a search. What it finds is not billed as input by these."""
    full = _full(kind, model)
    return bool(_SEARCH_FEE.search(full)) and not _ADDS_INPUT.search(full)


def _family_in(name: str) -> str:
    """The family of a model, or of a provider that serves its own; "" where none was measured."""
    return next((family for family, pattern in _PATTERNS if pattern.search(name)), "")


def _full(kind: str, model: str) -> str:
    return f"{kind}/{model}".lower()
