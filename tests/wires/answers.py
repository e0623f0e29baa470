"""The fixed answer to every request: by its path, in the format of the provider that has such a path."""

import json
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from random import Random
from typing import Any

from router.testing import wire_anthropic, wire_gemini, wire_openai
from router.testing.wire_types import Ask, Call, Counts, Format, Said, Stamp, WireFormat
from tests.wires.variations import varied

Json = dict[str, Any]

_STAMP = Stamp(serial=1, now_s=1_700_000_000.0)
_COUNTS = Counts(input=30, output=7, cached=8)
_CALLS = (
    Call(id="call_0001", name="get_weather", arguments={"city": "Zürich", "days": [1, 2], "unit": "c"}),
    Call(id="call_0002", name="now", arguments={}),
)
_SPOKEN: Mapping[Format, WireFormat] = {
    "openai": wire_openai,
    "anthropic": wire_anthropic,
    "gemini": wire_gemini,
}
_JSON, _LINES = "application/json", "application/x-ndjson"
_EVENTS, _FRAMES = "text/event-stream; charset=utf-8", "application/vnd.amazon.eventstream"


def answer_to(path: str, body: Any, seed: str) -> bytes:
    """A whole HTTP response, varied by `seed`; "" for none."""
    kind, answer, headers = _answer(path, body)
    if seed and kind in (_JSON, _EVENTS):
        answer = varied(Random(seed), answer, openai=path.endswith("/chat/completions"))
    return _response(kind, answer, headers)


def _answer(path: str, body: Any) -> tuple[str, bytes, Mapping[str, str]]:
    """(content type, body, headers of its own)"""
    asked = body if isinstance(body, dict) else {}
    called = bool(asked.get("tools") or asked.get("toolConfig"))
    streams = bool(asked.get("stream"))
    if path.endswith("/api/chat"):
        return _LINES if streams else _JSON, _ollama(called=called, streams=streams), {}
    if path.endswith("/v2/chat"):
        return _EVENTS if streams else _JSON, _cohere(called=called, streams=streams), {}
    if path.endswith("/converse"):
        return _JSON, _dump(_CONVERSE), {}
    if path.endswith("/converse-stream"):
        return _FRAMES, b"".join(_converse_stream()), {}
    return _made(path, asked, called=called)


def _made(path: str, asked: Json, *, called: bool) -> tuple[str, bytes, Mapping[str, str]]:
    """In one of the formats that the fake provider speaks."""
    gemini = ":" in path.rpartition("/")[2]
    spoken: Format = "gemini" if gemini else "anthropic" if path.endswith("/messages") else "openai"
    streams = "streamGenerateContent" in path or bool(asked.get("stream"))
    ask = Ask(
        kind=spoken,
        model=str(asked.get("model") or "some-model"),
        prompt="",
        input_tokens=30,
        stream=streams,
        choices=asked.get("n") or 1,
        usage_in_stream=bool((asked.get("stream_options") or {}).get("include_usage")),
    )
    said = Said(
        texts=(("", "") if called else ("It is salt, naïve 🦀.",) * ask.choices),
        counts=_COUNTS,
        finish="tool_calls" if called else "stop",
        calls=_CALLS if called else (),
    )
    written = _SPOKEN[spoken]
    headers = dict(written.headers(ask, _STAMP))
    if not streams:
        return _JSON, written.answer(ask, said, _STAMP), headers
    frames = written.frames(ask, said, _STAMP)
    return _EVENTS, b"".join((*frames.opening, *frames.content, *frames.closing)), headers


def _response(kind: str, body: bytes, headers: Mapping[str, str]) -> bytes:
    named = {
        "content-type": kind,
        "content-length": str(len(body)),
        "x-request-id": "req_0001",
        "x-ratelimit-remaining-requests": "41",
        "set-cookie": "session=secret",
        **headers,
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in named.items())
    return f"HTTP/1.1 200 OK\r\n{lines}\r\n".encode() + body


def _dump(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def _lines(values: Sequence[object]) -> bytes:
    return b"".join(_dump(value) + b"\n" for value in values)


# --- Ollama -----------------------------------------------------------------------------------------------------------


def _ollama(*, called: bool, streams: bool) -> bytes:
    base = {"model": "llama3", "created_at": "2026-01-01T00:00:00Z"}
    end = {"done": True, "done_reason": "stop", "prompt_eval_count": 30, "eval_count": 7}
    calls = [{"function": {"name": each.name, "arguments": each.arguments}} for each in _CALLS]
    said = {"role": "assistant", "content": "", "tool_calls": calls} if called else {"role": "assistant"}
    pieces = [said] if called else [{**said, "content": piece} for piece in ("It is ", "salt 🦀.")]
    if streams:
        shown = [{**base, "message": piece, "done": False} for piece in pieces]
        return _lines([*shown, {**base, "message": {"role": "assistant", "content": ""}, **end}])
    whole = said if called else {**said, "content": "It is salt 🦀."}
    return _dump({**base, "message": whole, **end})


# --- Cohere -----------------------------------------------------------------------------------------------------------


def _cohere(*, called: bool, streams: bool) -> bytes:
    usage = {
        "billed_units": {"input_tokens": 25, "output_tokens": 6},
        "tokens": {"input_tokens": 30, "output_tokens": 7},
    }
    calls = [
        {"id": each.id, "type": "function", "function": {"name": each.name, "arguments": json.dumps(each.arguments)}}
        for each in _CALLS
    ]  # fmt: skip
    finish = "TOOL_CALL" if called else "COMPLETE"
    if streams:
        events = _cohere_events(calls if called else [], {"finish_reason": finish, "usage": usage})
        return b"".join(b"data: " + _dump(event) + b"\n\n" for event in events)
    text = [] if called else [{"type": "text", "text": "It is salt 🦀."}]
    message = {"role": "assistant", "content": text, **({"tool_calls": calls} if called else {})}
    return _dump({"id": "c-1", "finish_reason": finish, "message": message, "usage": usage})


def _cohere_events(calls: Sequence[Json], end: Json) -> Iterator[Json]:
    yield {
        "type": "message-start",
        "id": "c-1",
        "delta": {"message": {"role": "assistant", "content": [], "tool_calls": []}},
    }
    for number, call in enumerate(calls):
        yield {"type": "tool-call-start", "index": number, "delta": {"message": {"tool_calls": call}}}
        yield {"type": "tool-call-end", "index": number}
    if not calls:
        started = {"type": "text", "text": ""}
        yield {"type": "content-start", "index": 0, "delta": {"message": {"content": started}}}
        for piece in ("It is ", "salt 🦀."):
            yield {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": piece}}}}
        yield {"type": "content-end", "index": 0}
    yield {"type": "message-end", "delta": end}


# --- Bedrock ----------------------------------------------------------------------------------------------------------

_USAGE = {"inputTokens": 30, "outputTokens": 7, "totalTokens": 37}
_CONVERSE = {
    "output": {"message": {"role": "assistant", "content": [{"text": "It is salt 🦀."}]}},
    "stopReason": "end_turn",
    "usage": _USAGE,
    "metrics": {"latencyMs": 1},
}


def _converse_stream() -> Iterator[bytes]:
    yield _frame("messageStart", {"role": "assistant"})
    for piece in ("It is ", "salt 🦀."):
        yield _frame("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": piece}})
    yield _frame("contentBlockStop", {"contentBlockIndex": 0})
    yield _frame("messageStop", {"stopReason": "end_turn"})
    yield _frame("metadata", {"usage": _USAGE, "metrics": {"latencyMs": 1}})


def _frame(event: str, payload: Json) -> bytes:
    """One message of AWS's event stream: lengths and checksums around headers and JSON."""
    named = {":event-type": event, ":content-type": "application/json", ":message-type": "event"}
    headers = b"".join(
        bytes([len(name)]) + name.encode() + b"\x07" + struct.pack(">H", len(value)) + value.encode()
        for name, value in named.items()
    )
    body = _dump(payload)
    prelude = struct.pack(">II", 16 + len(headers) + len(body), len(headers))
    message = prelude + struct.pack(">I", zlib.crc32(prelude)) + headers + body
    return message + struct.pack(">I", zlib.crc32(message))
