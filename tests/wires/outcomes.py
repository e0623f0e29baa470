"""What came of one call, in a form that two wires can be compared in."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from router.errors import ProviderError
from router.ports import Transport, WireCall, WireChunk, WireReply

Outcome = Mapping[str, Any]

_MADE_UP = re.compile(
    r"^(?:call_|chatcmpl-|toolu_)?(?:[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|[0-9a-f]{28,32})(?![0-9a-f])"
)
"""The id that litellm makes up for a tool call of a provider that gives it none: another one every time."""


async def outcome(transport: Transport, call: WireCall) -> Outcome:
    """Whole answers and failures as they are; a stream put together, with how it ended."""
    try:
        result = await _result(transport, transport.start(call))
    except ProviderError as error:
        return _failed(error)
    return _reply(result) if isinstance(result, WireReply) else await _streamed(transport, result)


async def _result(transport: Transport, pending: Any) -> Any:
    assert await transport.wait([pending], 20.0) is pending, "a call has not ended after 20 s"
    result = transport.result(pending)
    if isinstance(result, WireReply):
        await transport.cancel(pending)
    return result


def is_answer(outcome: Outcome) -> bool:
    """Whole, or a stream that came to its end."""
    return outcome.get("error") is None


def _failed(error: ProviderError) -> Outcome:
    said = {
        name: getattr(error, name)
        for name in ("kind", "status", "retry_after_s", "sent", "provider_request_id")
    }
    refused = error.status is not None and error.status >= 400  # else it names a class of litellm's
    return {"error": {**said, "message": error.message if refused else ""}}


def _reply(reply: WireReply) -> Outcome:
    return {
        "reply": _known({**asdict(reply), "choices": list(reply.choices), "headers": dict(reply.headers)})
    }


async def _streamed(transport: Transport, stream: Any) -> Outcome:
    chunks: list[WireChunk] = []
    try:
        while not chunks or not chunks[-1].done:
            chunks.append(await _next(transport, stream))
    except ProviderError as error:
        return {"stream": put_together(chunks), **_failed(error)}
    finally:
        await transport.close(stream)
    return {"stream": put_together(chunks), "error": None}


async def _next(transport: Transport, stream: Any) -> WireChunk:
    pending = transport.next(stream)
    assert await transport.wait([pending], 20.0) is pending, "a stream has not gone on for 20 s"
    chunk = transport.result(pending)
    assert isinstance(chunk, WireChunk)
    return chunk


def put_together(chunks: Sequence[WireChunk]) -> Outcome:
    """Of each choice its texts and its calls, why it ended, and the usage; however they were cut into chunks."""
    choices: dict[int, dict[str, Any]] = {}
    usages = [chunk.usage for chunk in chunks if chunk.usage is not None]
    for chunk in chunks:
        if chunk.delta or chunk.finish_reason:
            _add(choices.setdefault(chunk.index, {}), chunk.delta)
            if chunk.finish_reason:
                choices[chunk.index].setdefault("finish_reasons", []).append(chunk.finish_reason)
    return _known({
        "choices": choices,
        "usage": asdict(usages[-1]) if usages else None,
        "usages": len(usages),
        "done": [chunk.done for chunk in chunks].count(True),
    })  # fmt: skip


def _add(held: dict[Any, Any], piece: Mapping[Any, Any]) -> None:
    """Texts grow, lists by their `index` or at their end, and anything else is what was said last."""
    for name, value in piece.items():
        match held.get(name), value:
            case str(before), str() if name not in ("role", "id", "type", "name"):
                held[name] = before + value
            case dict(before), Mapping():
                _add(before, value)
            case _, list():
                _add_items(held.setdefault(name, {}), value)
            case _, Mapping():
                held[name] = {}
                _add(held[name], value)
            case _:
                held[name] = value


def _add_items(held: dict[Any, Any], items: Sequence[Any]) -> None:
    for item in items:
        at = item.get("index", len(held)) if isinstance(item, Mapping) else len(held)
        if isinstance(item, Mapping):
            _add(held.setdefault(at, {}), item)
        else:
            held[at] = item


def _known(value: Any) -> Any:
    """Without what is made up, or told, anew for every answer."""
    if isinstance(value, Mapping):
        return {name: "a date" if name == "date" else _known(below) for name, below in value.items()}
    if isinstance(value, list | tuple):
        return [_known(below) for below in value]
    return _MADE_UP.sub("made up", value) if isinstance(value, str) else value
