"""Which URL belongs to which provider: the base URLs litellm is given, and the way back from a path."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from urllib.parse import parse_qs, unquote

from router.testing.fake_provider_script import closest
from router.testing.wire_types import Format, Route

FAKE_KEY = "fake-key"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of provider. `base_path` is what litellm's `api_base` needs after the provider's own segment."""

    format: Format
    base_path: str
    key_variable: str
    base_variable: str


def _openai(prefix: str, base_variable: str) -> Kind:
    return Kind(
        format="openai", base_path="/v1", key_variable=f"{prefix}_API_KEY", base_variable=base_variable
    )


KINDS: Mapping[str, Kind] = MappingProxyType({
    "anthropic": Kind(
        format="anthropic", base_path="", key_variable="ANTHROPIC_API_KEY", base_variable="ANTHROPIC_API_BASE"
    ),
    "azure": Kind(format="openai", base_path="", key_variable="AZURE_API_KEY", base_variable="AZURE_API_BASE"),
    "cerebras": _openai("CEREBRAS", "CEREBRAS_API_BASE"),
    "deepseek": _openai("DEEPSEEK", "DEEPSEEK_API_BASE"),
    "fireworks_ai": _openai("FIREWORKS", "FIREWORKS_API_BASE"),
    "gemini": Kind(
        format="gemini", base_path="/v1beta", key_variable="GEMINI_API_KEY", base_variable="GEMINI_API_BASE"
    ),
    "groq": _openai("GROQ", "GROQ_API_BASE"),
    "hosted_vllm": _openai("HOSTED_VLLM", "HOSTED_VLLM_API_BASE"),
    "mistral": _openai("MISTRAL", "MISTRAL_AZURE_API_BASE"),
    "openai": _openai("OPENAI", "OPENAI_BASE_URL"),
    "openrouter": _openai("OPENROUTER", "OPENROUTER_API_BASE"),
    "perplexity": _openai("PERPLEXITYAI", "PERPLEXITY_API_BASE"),
    "together_ai": _openai("TOGETHERAI", "TOGETHER_AI_API_BASE"),
    "xai": _openai("XAI", "XAI_API_BASE"),
})  # fmt: skip

_GEMINI = re.compile(r"/models/([^/:]+(?:/[^/:]+)*):(generateContent|streamGenerateContent)$")
_DEPLOYMENT = re.compile(r"/deployments/(.+)/chat/completions$")


def base_path(kind: str, name: str | None) -> str:
    """The path of `api_base` for a kind, `name` telling two providers of one kind apart."""
    if kind not in KINDS:
        raise ValueError(f"the fake provider does not speak as `{kind}`; {closest(kind, list(KINDS))}")
    if name is not None and not re.fullmatch(r"[A-Za-z0-9._-]+", name):
        raise ValueError(f"`{name}` can't stand in a URL; use letters, digits, `.`, `_` and `-`")
    segment = kind if name in (None, kind) else f"{kind}@{name}"
    return f"/{segment}{KINDS[kind].base_path}"


@lru_cache(maxsize=512)
def route(target: str) -> Route | None:
    """Where a request target leads, or None. The first segment is a kind, or `kind@name`, or anything."""
    path, _, query = target.partition("?")
    path = unquote(path)
    if path.endswith("/chat/completions"):
        found = _DEPLOYMENT.search(path)
        return _route("openai", path, found.group(1) if found else "")
    if path.endswith("/v1/messages"):
        return _route("anthropic", path, "")
    gemini = _GEMINI.search(path)
    if gemini is None:
        return None
    streams = gemini.group(2) == "streamGenerateContent"
    in_events = parse_qs(query).get("alt") == ["sse"] or not streams
    return _route("gemini", path, gemini.group(1), stream=streams, event_stream=in_events)


def _route(
    format: Format, path: str, model: str, *, stream: bool = False, event_stream: bool = True
) -> Route:
    kind, _, name = path.strip("/").partition("/")[0].partition("@")
    if kind not in KINDS or KINDS[kind].format != format:
        kind, name = format, ""
    return Route(
        format=format, kind=kind, name=name or kind, model=model, stream=stream, event_stream=event_stream
    )  # fmt: skip


def environment(root: str) -> dict[str, str]:
    """The variables that send litellm's calls for every kind to the server at `root`, with a key for each."""
    found: dict[str, str] = {"AZURE_API_VERSION": "2024-12-01-preview"}
    for name, kind in KINDS.items():
        found[kind.key_variable] = FAKE_KEY
        found[kind.base_variable] = root + base_path(name, None)
    return found
