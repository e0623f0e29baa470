"""When a stream has committed: which pieces of it are content, and how much may wait for the first of them."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from router.values import Chunk, Reply

MOST_CHUNKS = 64
MOST_BYTES = 256 * 1024
"""What is held back at most while no content has come; beyond it the stream is passed on as it is."""

CONTENT = ("content", "tool_calls", "audio", "refusal", "function_call")
"""Fields of a delta that are content. Its role, reasoning and usage are not: another target may still answer."""


def is_content(delta: Mapping[str, Any]) -> bool:
    return any(delta.get(name) for name in CONTENT)


def is_too_much(deltas: Iterable[Mapping[str, Any]]) -> bool:
    """Whether what is held back has reached its bound."""
    held = list(deltas)
    return len(held) >= MOST_CHUNKS or sum(map(_size, held)) >= MOST_BYTES


def _size(delta: Mapping[str, Any]) -> int:
    return len(json.dumps(delta, ensure_ascii=False, default=str).encode(errors="surrogatepass"))


def pieces_of(reply: Reply) -> tuple[Chunk, ...]:
    """A whole answer as a stream would bring it, in two pieces a choice."""
    pieces: list[Chunk] = []
    for choice in reply.choices:
        index, message = int(choice.get("index", 0)), dict(choice["message"])
        calls = message.pop("tool_calls", None)
        delta = {
            name: value for name, value in message.items() if name != "role" and value not in (None, "", [])
        }
        if calls:
            delta["tool_calls"] = [{"index": at, **call} for at, call in enumerate(calls)]
        if delta or choice.get("logprobs"):
            pieces.append(Chunk(raw=delta, index=index, logprobs=choice.get("logprobs")))
        ended = str(choice.get("finish_reason") or reply.finish_reason)
        pieces.append(Chunk(raw={}, index=index, finish_reason=ended))
    return tuple(pieces)
