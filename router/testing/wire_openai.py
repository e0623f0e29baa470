"""OpenAI chat completions, with the small differences of the providers that speak it."""

from __future__ import annotations

import json
from collections.abc import Iterator

from router.testing import wire_openai_errors
from router.testing.fake_provider_script import ErrorFault
from router.testing.fake_provider_words import count_tokens, pieces
from router.testing.wire_openai_dialects import (
    answer_id,
    choice_extras,
    dialect,
    extras,
    stream_extras,
    usage,
)
from router.testing.wire_types import (
    Ask,
    Call,
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
    sse,
    texts_of,
    whole,
)

_WORDS_A_CHUNK = 1
_MESSAGE_TOKENS = 4
_REPLY_TOKENS = 3
_IMAGE_TOKENS = 85
_DONE = b"data: [DONE]\n\n"


def read(route: Route, body: Json) -> Ask:
    messages = body.get("messages")
    if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
        raise Unreadable("Missing required parameter: 'messages'.")
    model = route.model or body.get("model")
    if not isinstance(model, str) or not model:
        raise Unreadable("you must provide a model parameter")
    shape = body.get("response_format") or {}
    tools = _tools(body)
    return Ask(
        kind=route.kind,
        model=model,
        prompt=_prompt(messages),
        input_tokens=_input_tokens(messages, body.get("tools")),
        stream=body.get("stream") is True,
        choices=max(whole(body.get("n")) or 1, 1),
        max_tokens=whole(body.get("max_completion_tokens")) or whole(body.get("max_tokens")),
        stops=_stops(body.get("stop")),
        tools=tools,
        forced_tool=_forced(body.get("tool_choice"), tools),
        wants_json=shape.get("type") in ("json_object", "json_schema"),
        schema=(shape.get("json_schema") or {}).get("schema"),
        usage_in_stream=(body.get("stream_options") or {}).get("include_usage") is True,
    )


def _prompt(messages: list[Json]) -> str:
    for message in reversed(messages):
        if message.get("role") in ("user", "tool", "function"):
            return "\n".join(texts_of(message.get("content")))
    return ""


def _input_tokens(messages: list[Json], tools: object) -> int:
    texts = sum(count_tokens(text) for message in messages for text in texts_of(message.get("content")))
    calls = sum(
        count_tokens(json.dumps(message["tool_calls"])) for message in messages if message.get("tool_calls")
    )
    images = sum(_images(message.get("content")) for message in messages)
    shown = count_tokens(json.dumps(tools)) if tools else 0
    return texts + calls + images + shown + _MESSAGE_TOKENS * len(messages) + _REPLY_TOKENS


def _images(content: object) -> int:
    parts = content if isinstance(content, list) else []
    return sum(_IMAGE_TOKENS for part in parts if isinstance(part, dict) and part.get("type") == "image_url")


def _stops(stop: object) -> tuple[str, ...]:
    listed = [stop] if isinstance(stop, str) else stop if isinstance(stop, list) else []
    return tuple(item for item in listed if isinstance(item, str))


def _tools(body: Json) -> tuple[Tool, ...]:
    functions = [
        tool.get("function") or {} for tool in body.get("tools") or () if tool.get("type") == "function"
    ]
    return tuple(
        Tool(name=item["name"], schema=item.get("parameters") or {}) for item in functions if "name" in item
    )


def _forced(choice: object, tools: tuple[Tool, ...]) -> str | None:
    if isinstance(choice, dict):
        return (choice.get("function") or {}).get("name")
    return tools[0].name if choice in ("required", "any") and tools else None


def answer(ask: Ask, said: Said, stamp: Stamp) -> bytes:
    choices = [_choice(ask, said, at) for at in range(ask.choices)]
    body = {
        **_envelope(ask, stamp, "chat.completion"),
        "choices": choices,
        "usage": usage(ask.kind, said.counts),
    }
    return dump({**body, **extras(ask.kind, stamp)})


def _envelope(ask: Ask, stamp: Stamp, kind: str) -> Json:
    return {"id": answer_id(ask.kind, stamp), "object": kind, "created": int(stamp.now_s), "model": ask.model}


def _choice(ask: Ask, said: Said, at: int) -> Json:
    shown = {"logprobs": None} if dialect(ask.kind).logprobs else {}
    ends = {"finish_reason": said.finish, **choice_extras(ask.kind, said.finish)}
    return {"index": at, "message": _message(ask, said, at), **shown, **ends}


def _message(ask: Ask, said: Said, at: int) -> Json:
    spoken = dialect(ask.kind)
    nothing = None if said.calls or said.refusal else ""
    message: Json = {"role": "assistant", "content": said.texts[at] or nothing}
    if said.calls:
        message["tool_calls"] = [_called(call.id, call.name, arguments(call)) for call in said.calls]
    elif spoken.no_calls:
        message["tool_calls"] = None
    if spoken.refusal or said.refusal is not None:
        message["refusal"] = said.refusal
    return {**message, "annotations": []} if ask.kind in ("openai", "azure") else message


def arguments(call: Call) -> str:
    """As text: the one part of an answer that is JSON within JSON."""
    return json.dumps(dict(call.arguments))


def _called(id: str, name: str, arguments: str) -> Json:
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


def frames(ask: Ask, said: Said, stamp: Stamp) -> Frames:
    base = {**_envelope(ask, stamp, "chat.completion.chunk"), **stream_extras(ask.kind)}
    if ask.usage_in_stream and ask.kind in ("openai", "azure"):
        base["usage"] = None
    opening = [_chunk(ask, base, at, _first_delta(ask.kind)) for at in range(ask.choices)]
    content = [_chunk(ask, base, at, delta) for at in range(ask.choices) for delta in _deltas(said, at)]
    return Frames(
        opening=tuple(opening), content=tuple(content), closing=tuple(_closing(ask, said, base, stamp))
    )  # fmt: skip


def _first_delta(kind: str) -> Json:
    delta: Json = {"role": "assistant", "content": ""}
    return {**delta, "refusal": None} if kind in ("openai", "azure") else delta


def _chunk(ask: Ask, base: Json, at: int, delta: Json, finish: str | None = None) -> bytes:
    shown = {"logprobs": None} if dialect(ask.kind).logprobs else {}
    return sse({**base, "choices": [{"index": at, "delta": delta, **shown, "finish_reason": finish}]})


def _deltas(said: Said, at: int) -> Iterator[Json]:
    yield from ({"content": piece} for piece in pieces(said.texts[at], _WORDS_A_CHUNK))
    yield from ({"refusal": piece} for piece in pieces(said.refusal or "", _WORDS_A_CHUNK))
    for number, call in enumerate(said.calls):
        yield {"tool_calls": [{"index": number, **_called(call.id, call.name, "")}]}
        for piece in pieces(arguments(call), _WORDS_A_CHUNK):
            yield {"tool_calls": [{"index": number, "function": {"arguments": piece}}]}


def _closing(ask: Ask, said: Said, base: Json, stamp: Stamp) -> Iterator[bytes]:
    told = usage(ask.kind, said.counts)
    at_end = dialect(ask.kind).usage_at_end
    last = ask.choices - 1
    for at in range(ask.choices):
        ends = dict(base)
        if at == last and at_end:
            ends["usage"] = told
        if at == last and ask.kind == "groq":
            ends["x_groq"] = {"id": stamp.id("req_", 26), "usage": told}
        yield _chunk(ask, ends, at, {}, said.finish)
    if ask.kind == "openrouter":
        yield _chunk(ask, {**base, "usage": told}, last, {"content": "", "role": "assistant"}, said.finish)
    elif ask.usage_in_stream and not at_end:
        yield sse({**base, "choices": [], "usage": told})
    yield _DONE


def headers(ask: Ask, stamp: Stamp) -> Headers:
    return wire_openai_errors.headers(ask.kind, stamp, spent_tokens=ask.input_tokens)


def failure(kind: str, model: str, fault: ErrorFault, stamp: Stamp) -> Failure:
    return wire_openai_errors.failure(kind, model, fault, stamp)


def error_frame(kind: str, model: str, fault: ErrorFault, stamp: Stamp) -> bytes:
    """OpenAI sends the error as data, then its end mark; Groq names the event."""
    found = wire_openai_errors.envelope(kind, wire_openai_errors.told(kind, model, fault))
    if kind == "groq":
        found["error"]["status_code"] = wire_openai_errors.told(kind, model, fault).status
        return sse(found, event="error")
    return sse(found) + _DONE


def blocked_prompt(ask: Ask, stamp: Stamp) -> bytes | None:
    return None
