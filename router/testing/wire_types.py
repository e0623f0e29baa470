"""The neutral shapes between the fake provider's server and its wire formats.

A wire format (`wire_openai`, `wire_anthropic`, `wire_gemini`) is a module that fits `WireFormat`: it reads a
request body into an `Ask` and writes `Said` or a fault as that provider's bytes. No input or output here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any, Literal, Protocol

from router.testing.fake_provider_script import ErrorFault, FinishReason, RateLimited

Format = Literal["openai", "anthropic", "gemini"]
Json = dict[str, Any]
Headers = tuple[tuple[str, str], ...]

JSON_TYPE = "application/json"
EVENT_STREAM = "text/event-stream; charset=utf-8"
ORGANISATION_LIMIT = 10_000


class Unreadable(Exception):
    """The request body is not a request of this format; the message is what the provider would say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """What the path says. `name` is the part after `@` in `/kind@name/...`, else the kind."""

    format: Format
    kind: str
    name: str
    model: str = ""
    stream: bool = False
    event_stream: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    name: str
    schema: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One request, whatever its format. `prompt` is the last user text or tool result."""

    kind: str
    model: str
    prompt: str
    input_tokens: int
    stream: bool = False
    choices: int = 1
    max_tokens: int | None = None
    stops: tuple[str, ...] = ()
    tools: tuple[Tool, ...] = ()
    forced_tool: str | None = None
    wants_json: bool = False
    schema: Mapping[str, Any] | None = None
    usage_in_stream: bool = False
    event_stream: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    id: str
    name: str
    arguments: Mapping[str, Any]
    signature: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Tokens. `input` has the cached and written parts in it, `output` the reasoning."""

    input: int
    output: int
    cached: int = 0
    written: int = 0
    reasoning: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What the model said: one text for each choice."""

    texts: tuple[str, ...]
    counts: Counts
    finish: FinishReason = "stop"
    stopped_by: str | None = None
    calls: tuple[Call, ...] = ()
    refusal: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """What makes one answer differ from the next: its number in this server and the wall clock."""

    serial: int
    now_s: float

    def id(self, prefix: str, length: int = 24) -> str:
        return f"{prefix}{self.serial:0{length}x}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An error answer."""

    status: int
    body: bytes
    headers: Headers = ()
    content_type: str = JSON_TYPE


@dataclass(frozen=True, slots=True, kw_only=True)
class Frames:
    """A stream in order: what opens it, its content, what ends it (usage and end mark)."""

    opening: tuple[bytes, ...]
    content: tuple[bytes, ...]
    closing: tuple[bytes, ...]


class WireFormat(Protocol):
    """The contract of a wire format module. Pure: the same arguments give the same bytes."""

    def read(self, route: Route, body: Json) -> Ask:
        """Raises `Unreadable` when the body is not a request of this format."""
        ...

    def answer(self, ask: Ask, said: Said, stamp: Stamp) -> bytes: ...

    def frames(self, ask: Ask, said: Said, stamp: Stamp) -> Frames: ...

    def headers(self, ask: Ask, stamp: Stamp) -> Headers:
        """The provider's own headers of a good answer: request id and rate limits."""
        ...

    def failure(self, kind: str, model: str, fault: ErrorFault, stamp: Stamp) -> Failure: ...

    def error_frame(self, kind: str, model: str, fault: ErrorFault, stamp: Stamp) -> bytes:
        """The fault as it appears inside a running stream."""
        ...

    def blocked_prompt(self, ask: Ask, stamp: Stamp) -> bytes | None:
        """A 200 that says the prompt was blocked, where the format has one."""
        ...


_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def dump(value: object) -> bytes:
    return _ENCODER.encode(value).encode()


def sse(value: object, *, event: str | None = None) -> bytes:
    """One server-sent event."""
    head = b"" if event is None else b"event: " + event.encode() + b"\n"
    return head + b"data: " + dump(value) + b"\n\n"


def retry_headers(fault: RateLimited, now_s: float) -> Headers:
    """The header that carries the wait, as the fault's style asks."""
    after = fault.retry_after
    if after is None or fault.style == "body":
        return ()
    if after == "date" or fault.style == "date":
        return (("retry-after", formatdate(now_s + retry_seconds(fault), usegmt=True)),)
    if fault.style == "ms":
        return (("retry-after-ms", str(round(retry_seconds(fault) * 1000))),)
    return (("retry-after", after if isinstance(after, str) else f"{after:g}"),)


def retry_seconds(fault: RateLimited) -> float:
    """The wait as a number, for the formats that say it in the body; 7 for a text that is no number."""
    try:
        return float(fault.retry_after or 0)
    except ValueError:
        return 7.0


def texts_of(content: object) -> list[str]:
    """The texts in a message's content: a string, or a list of parts."""
    if isinstance(content, str):
        return [content]
    parts = content if isinstance(content, list) else []
    return [part["text"] for part in parts if isinstance(part, dict) and isinstance(part.get("text"), str)]


def tool_named(tools: Sequence[Tool], name: str) -> Tool | None:
    return next((tool for tool in tools if tool.name == name), None)


def whole(value: object) -> int | None:
    """`value` when it is a whole number, else None."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None
