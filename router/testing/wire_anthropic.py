"""Anthropic messages."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime

from router.testing.fake_provider_script import (
    BadRequest,
    ContentFilter,
    ContextTooLong,
    ErrorFault,
    NotFound,
    Overloaded,
    QuotaExceeded,
    RateLimited,
    ServerError,
    Unauthorized,
)
from router.testing.fake_provider_words import count_tokens, pieces
from router.testing.wire_types import (
    ORGANISATION_LIMIT,
    Ask,
    Failure,
    Frames,
    Headers,
    Json,
    Route,
    Said,
    Stamp,
    Tool,
    Unreadable,
    dump,
    retry_headers,
    sse,
    texts_of,
    whole,
)

_WORDS_A_CHUNK = 3
_MESSAGE_TOKENS = 4
_IMAGE_TOKENS = 85
_INPUT_LIMIT, _OUTPUT_LIMIT = 450_000, 90_000
_REASONS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "content_filter": "refusal"}


def read(route: Route, body: Json) -> Ask:
    messages = body.get("messages")
    if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
        raise Unreadable("messages: Field required")
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise Unreadable("model: Field required")
    if whole(body.get("max_tokens")) is None:
        raise Unreadable("max_tokens: Field required")
    schema = _schema(body)
    tools = tuple(Tool(name=tool["name"], schema=tool.get("input_schema") or {}) for tool in _custom(body))
    return Ask(
        kind=route.kind,
        model=model,
        prompt=_prompt(messages),
        input_tokens=_input_tokens(body, messages),
        stream=body.get("stream") is True,
        max_tokens=body["max_tokens"],
        stops=tuple(stop for stop in body.get("stop_sequences") or () if isinstance(stop, str)),
        tools=tools,
        forced_tool=_forced(body.get("tool_choice") or {}, tools),
        wants_json=schema is not None,
        schema=schema,
        usage_in_stream=True,
    )


def _custom(body: Json) -> list[Json]:
    """The caller's own tools; a server-side tool has a type of its own and no schema."""
    return [
        tool for tool in body.get("tools") or () if "name" in tool and tool.get("type", "custom") == "custom"
    ]


def _schema(body: Json) -> Json | None:
    shape = body.get("output_format") or (body.get("output_config") or {}).get("format") or {}
    found = shape.get("schema") if shape.get("type") == "json_schema" else None
    return found if isinstance(found, dict) else None


def _prompt(messages: list[Json]) -> str:
    for message in reversed(messages):
        if message.get("role") == "user":
            content = message.get("content")
            return "\n".join(texts_of(content) + _results(content))
    return ""


def _results(content: object) -> list[str]:
    parts = content if isinstance(content, list) else []
    results = [
        part.get("content") for part in parts if isinstance(part, dict) and part.get("type") == "tool_result"
    ]
    return [text for result in results for text in texts_of(result)]


def _input_tokens(body: Json, messages: list[Json]) -> int:
    contents = [body.get("system"), *(message.get("content") for message in messages)]
    texts = sum(count_tokens(text) for content in contents for text in texts_of(content) + _results(content))
    blocks = [
        part
        for content in contents
        if isinstance(content, list)
        for part in content
        if isinstance(part, dict)
    ]
    images = sum(_IMAGE_TOKENS for part in blocks if part.get("type") == "image")
    uses = sum(count_tokens(json.dumps(part)) for part in blocks if part.get("type") == "tool_use")
    shown = count_tokens(json.dumps(body["tools"])) if body.get("tools") else 0
    return texts + images + uses + shown + _MESSAGE_TOKENS * len(messages)


def _forced(choice: Json, tools: tuple[Tool, ...]) -> str | None:
    if choice.get("type") == "tool":
        return choice.get("name")
    return tools[0].name if choice.get("type") == "any" and tools else None


def answer(ask: Ask, said: Said, stamp: Stamp) -> bytes:
    blocks: list[Json] = []
    if _text(said) or not said.calls:
        blocks.append({"type": "text", "text": _text(said)})
    blocks += [_tool_use(call.id, call.name, dict(call.arguments)) for call in said.calls]
    message = _message(ask, stamp, blocks)
    return dump({**message, **_ending(said), "usage": _usage(said, said.counts.output)})


def _text(said: Said) -> str:
    return said.texts[0] or said.refusal or ""


def _tool_use(id: str, name: str, arguments: Json) -> Json:
    return {"type": "tool_use", "id": f"toolu_{id.removeprefix('call_')}", "name": name, "input": arguments}


def _message(ask: Ask, stamp: Stamp, blocks: list[Json]) -> Json:
    told = {"model": ask.model, "id": stamp.id("msg_01"), "type": "message", "role": "assistant"}
    return {**told, "content": blocks}


def _ending(said: Said) -> Json:
    if said.refusal is not None:
        return {"stop_reason": "refusal", "stop_sequence": None}
    reason = "stop_sequence" if said.stopped_by and said.finish == "stop" else _REASONS[said.finish]
    return {"stop_reason": reason, "stop_sequence": said.stopped_by}


def _usage(said: Said, output: int) -> Json:
    """Anthropic counts what it read from its cache, and wrote to it, apart from the input."""
    counts = said.counts
    return {
        "input_tokens": max(counts.input - counts.cached - counts.written, 0),
        "cache_creation_input_tokens": counts.written,
        "cache_read_input_tokens": counts.cached,
        "cache_creation": {"ephemeral_5m_input_tokens": counts.written, "ephemeral_1h_input_tokens": 0},
        "output_tokens": output,
        "service_tier": "standard",
    }


def frames(ask: Ask, said: Said, stamp: Stamp) -> Frames:
    begun = _message(ask, stamp, []) | {"stop_reason": None, "stop_sequence": None, "usage": _usage(said, 1)}
    opening = (_event("message_start", message=begun), _event("ping"))
    usage = _usage(said, said.counts.output)
    kept = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens")
    delta = _event("message_delta", delta=_ending(said), usage={key: usage[key] for key in kept})
    return Frames(opening=opening, content=tuple(_content(said)), closing=(delta, _event("message_stop")))


def _content(said: Said) -> Iterator[bytes]:
    """Each frame has some content in it: the events that only open or close a block travel with one."""
    text = pieces(_text(said), _WORDS_A_CHUNK)
    if text:
        yield from _block(
            0, {"type": "text", "text": ""}, [{"type": "text_delta", "text": piece} for piece in text]
        )
    for at, call in enumerate(said.calls, start=1 if text else 0):
        parts = pieces(json.dumps(dict(call.arguments)), _WORDS_A_CHUNK)
        deltas = [{"type": "input_json_delta", "partial_json": part} for part in parts]
        yield from _block(at, _tool_use(call.id, call.name, {}), deltas)


def _block(at: int, start: Json, deltas: list[Json]) -> Iterator[bytes]:
    shown = [_event("content_block_delta", index=at, delta=delta) for delta in deltas]
    shown[0] = _event("content_block_start", index=at, content_block=start) + shown[0]
    shown[-1] += _event("content_block_stop", index=at)
    yield from shown


def _event(event: str, **fields: object) -> bytes:
    return sse({"type": event, **fields}, event=event)


def headers(ask: Ask, stamp: Stamp) -> Headers:
    return _headers(stamp, ask.input_tokens)


def _headers(stamp: Stamp, spent_tokens: int) -> Headers:
    reset = datetime.fromtimestamp(int(stamp.now_s), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    limits = (
        ("requests", ORGANISATION_LIMIT, 1),
        ("input-tokens", _INPUT_LIMIT, spent_tokens),
        ("output-tokens", _OUTPUT_LIMIT, 0),
        ("tokens", _INPUT_LIMIT + _OUTPUT_LIMIT, spent_tokens),
    )
    shown: list[tuple[str, str]] = [("request-id", stamp.id("req_011C"))]
    for name, limit, used in limits:
        shown.append((f"anthropic-ratelimit-{name}-limit", str(limit)))
        shown.append((f"anthropic-ratelimit-{name}-remaining", str(max(limit - used, 0))))
        shown.append((f"anthropic-ratelimit-{name}-reset", reset))
    return tuple(shown)


def failure(kind: str, model: str, fault: ErrorFault, stamp: Stamp) -> Failure:
    status, error, message = _told(model, fault)
    again = status in (408, 409, 429) or status >= 500
    extra: Headers = (("x-should-retry", "true" if again else "false"),)
    if isinstance(fault, RateLimited):
        extra += retry_headers(fault, stamp.now_s)
    elif isinstance(fault, Overloaded) and fault.retry_after is not None:
        extra += retry_headers(RateLimited(retry_after=fault.retry_after), stamp.now_s)
    body = {**_error(error, message), "request_id": stamp.id("req_011C")}
    return Failure(status=status, body=dump(body), headers=_headers(stamp, 0) + extra)


def _error(type: str, message: str) -> Json:
    return {"type": "error", "error": {"type": type, "message": message}}


def _told(model: str, fault: ErrorFault) -> tuple[int, str, str]:
    """Status, error type, message."""
    match fault:
        case RateLimited():
            words = (
                f"limit of {_INPUT_LIMIT:,} input tokens per minute (model: {model}). Please try again later."
            )
            return 429, "rate_limit_error", f"This request would exceed your organization's rate {words}"
        case QuotaExceeded(status=402):
            return 402, "billing_error", "Your credit balance is too low to access the Anthropic API."
        case QuotaExceeded(status=status):
            message = "Your credit balance is too low to access the Anthropic API. Please purchase credits."
            return status or 400, "invalid_request_error", message
        case Unauthorized(status=403):
            return (
                403,
                "permission_error",
                "Your API key does not have permission to use the specified resource.",
            )
        case Unauthorized(status=status):
            return status or 401, "authentication_error", "invalid x-api-key"
        case NotFound():
            return 404, "not_found_error", f"model: {model}"
        case BadRequest():
            usual = f"{fault.param}: Extra inputs are not permitted"
            return fault.status, "invalid_request_error", fault.message or usual
        case ContextTooLong():
            used = fault.input_tokens or fault.limit_tokens + 1
            return (
                400,
                "invalid_request_error",
                f"prompt is too long: {used} tokens > {fault.limit_tokens} maximum",
            )
        case ContentFilter():
            return 400, "invalid_request_error", "Output blocked by content filtering policy"
        case Overloaded():
            return fault.status or 529, "overloaded_error", "Overloaded"
        case ServerError():
            return fault.status, "api_error", fault.message or "Internal server error"


def error_frame(kind: str, model: str, fault: ErrorFault, stamp: Stamp) -> bytes:
    _, error, message = _told(model, fault)
    return sse(_error(error, message), event="error")


def blocked_prompt(ask: Ask, stamp: Stamp) -> bytes | None:
    return None
