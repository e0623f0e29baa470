"""One small stream in each wire format, in the pieces that faults are made of.

Cohere's is missing: litellm's reader of it takes lines of events for JSON and reads none, so that every such stream
ends before its first content, and another target answers.
"""

import json
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zlib import crc32

SSE: Mapping[str, str] = {"content-type": "text/event-stream"}


@dataclass(frozen=True, kw_only=True)
class Format:
    """`opening` comes before content, `end` is the end mark with all that a provider sends up to it, `behind` what it
    sends after that. `error` is an error in the middle of a stream. `counts_behind`: the usage is in what is behind."""

    kind: str
    model: str = "m"
    path: str = ""
    headers: Mapping[str, str]
    opening: bytes
    words: Callable[[str], bytes]
    end: bytes
    behind: bytes = b""
    counts_behind: bool = False
    error: bytes
    done: bytes = b""
    """What looks like an end, and is not one: behind the end mark it stands for nothing."""

    def good(self, *texts: str) -> Sequence[bytes]:
        return (self.opening, *map(self.words, texts or WORDS), self.end, self.behind)


WORDS = ("one ", "two ", "thrée")


def _data(value: object, event: str = "") -> bytes:
    head = f"event: {event}\n".encode() if event else b""
    return head + b"data: " + json.dumps(value, ensure_ascii=False).encode() + b"\n\n"


# --- OpenAI -----------------------------------------------------------------------------------------------------------


def _chunk(delta: Mapping[str, Any], finish: str | None = None, **more: Any) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    whole = {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": "m", "choices": [choice]}
    return _data({**whole, **more})


DONE = b"data: [DONE]\n\n"

OPENAI = Format(
    kind="openai",
    path="/v1",
    headers=SSE,
    opening=_chunk({"role": "assistant", "content": ""}),
    words=lambda text: _chunk({"content": text}),
    end=_chunk({}, "stop"),
    behind=_chunk({}, choices=[], usage={"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8})
    + DONE,
    counts_behind=True,
    error=_data({"error": {"message": "overloaded", "type": "server_error", "code": None}}),
    done=DONE,
)

# --- Anthropic --------------------------------------------------------------------------------------------------------


def _event(type: str, **fields: Any) -> bytes:
    return _data({"type": type, **fields}, type)


_USED = {"input_tokens": 3, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}
_MESSAGE = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": []}
_WAITS = {"stop_reason": None, "stop_sequence": None, "usage": {**_USED, "output_tokens": 1}}

ANTHROPIC = Format(
    kind="anthropic",
    headers=SSE,
    opening=_event("message_start", message={**_MESSAGE, **_WAITS})
    + _event("content_block_start", index=0, content_block={"type": "text", "text": ""})
    + _event("ping"),
    words=lambda text: _event("content_block_delta", index=0, delta={"type": "text_delta", "text": text}),
    end=_event("content_block_stop", index=0)
    + _event(
        "message_delta", delta={"stop_reason": "end_turn", "stop_sequence": None}, usage={"output_tokens": 5}
    ),
    behind=_event("message_stop"),
    error=_event("error", error={"type": "overloaded_error", "message": "Overloaded"}),
    done=_event("message_stop"),
)

# --- Gemini -----------------------------------------------------------------------------------------------------------


def _candidate(text: str, finish: str | None = None) -> bytes:
    candidate = {"content": {"parts": [{"text": text}], "role": "model"}, "index": 0}
    ending = {"finishReason": finish} if finish else {}
    counts = {"promptTokenCount": 3, "candidatesTokenCount": 5, "totalTokenCount": 8}
    return _data({"candidates": [{**candidate, **ending}], "usageMetadata": counts, "modelVersion": "m"})


GEMINI = Format(
    kind="gemini",
    path="/v1beta",
    headers=SSE,
    opening=_candidate(""),
    words=_candidate,
    end=_candidate("", "STOP"),
    error=_data({"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}}),
)

# --- Ollama -----------------------------------------------------------------------------------------------------------


def _line(text: str = "", **more: Any) -> bytes:
    message = {"role": "assistant", "content": text}
    return (
        json.dumps({"model": "m", "message": message, "done": False, **more}, ensure_ascii=False).encode()
        + b"\n"
    )


OLLAMA = Format(
    kind="ollama",
    headers={"content-type": "application/x-ndjson"},
    opening=_line(),
    words=_line,
    end=_line(done=True, done_reason="stop", prompt_eval_count=3, eval_count=5),
    error=b'{"error": "model runner has unexpectedly stopped"}\n',
)

# --- Bedrock ----------------------------------------------------------------------------------------------------------


def _frame(payload: Mapping[str, Any], **headers: str) -> bytes:
    """A frame of AWS's event stream: lengths, their checksum, headers of text, the payload, the checksum of it all."""
    head = b"".join(
        struct.pack(">B", len(name)) + name + b"\x07" + struct.pack(">H", len(value)) + value
        for name, value in (
            (f":{each.replace('_', '-')}".encode(), text.encode()) for each, text in headers.items()
        )
    )
    body = json.dumps(payload, ensure_ascii=False).encode()
    lengths = struct.pack(">II", 16 + len(head) + len(body), len(head))
    whole = lengths + struct.pack(">I", crc32(lengths)) + head + body
    return whole + struct.pack(">I", crc32(whole))


def _aws(type: str, payload: Mapping[str, Any]) -> bytes:
    return _frame(payload, event_type=type, content_type="application/json", message_type="event")


_COUNTS = {"inputTokens": 3, "outputTokens": 5, "totalTokens": 8}

BEDROCK = Format(
    kind="bedrock",
    model="converse/anthropic.claude-3-haiku-20240307-v1:0",
    headers={"content-type": "application/vnd.amazon.eventstream"},
    opening=_aws("messageStart", {"role": "assistant"}),
    words=lambda text: _aws("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": text}}),
    end=_aws("contentBlockStop", {"contentBlockIndex": 0}) + _aws("messageStop", {"stopReason": "end_turn"}),
    behind=_aws("metadata", {"usage": _COUNTS, "metrics": {"latencyMs": 1}}),
    counts_behind=True,
    error=_frame(
        {"message": "Too many requests"},
        exception_type="throttlingException", content_type="application/json", message_type="exception",
    ),
)  # fmt: skip

FORMATS = {each.kind: each for each in (OPENAI, ANTHROPIC, GEMINI, OLLAMA, BEDROCK)}
