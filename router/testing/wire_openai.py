"""OpenAI chat completions, with the small differences of the providers that speak it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from router.testing import wire_openai_errors
from router.testing.fake_provider_script import ErrorFault
from router.testing.fake_provider_words import count_tokens, pieces
from router.testing.wire_types import (
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
    sse,
    texts_of,
    whole,
)

_WORDS_A_CHUNK = 1
_MESSAGE_TOKENS = 4
_REPLY_TOKENS = 3
_IMAGE_TOKENS = 85
_DONE = b"data: [DONE]\n\n"
# Providers whose last chunk has the usage in it, asked or not.
_USAGE_WITH_FINISH = frozenset(
    {"cerebras", "deepseek", "fireworks_ai", "mistral", "perplexity", "together_ai"}
)
_REFUSAL_ALWAYS = frozenset({"azure", "openai"})
_SAFE = {
    name: {"filtered": False, "severity": "safe"} for name in ("hate", "self_harm", "sexual", "violence")
}  # fmt: skip


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
    body = {**_envelope(ask, stamp, "chat.completion"), "choices": choices, "usage": _usage(ask.kind, said)}
    return dump({**body, **_extras(ask.kind, stamp)})


def _envelope(ask: Ask, stamp: Stamp, kind: str) -> Json:
    return {"id": _id(ask.kind, stamp), "object": kind, "created": int(stamp.now_s), "model": ask.model}


def _id(kind: str, stamp: Stamp) -> str:
    prefixes = {"mistral": "", "openrouter": f"gen-{int(stamp.now_s)}-"}
    return stamp.id(prefixes.get(kind, "chatcmpl-"), 32 if kind == "mistral" else 29)


def _choice(ask: Ask, said: Said, at: int) -> Json:
    choice: Json = {
        "index": at,
        "message": _message(ask, said, at),
        "logprobs": None,
        "finish_reason": said.finish,
    }
    if ask.kind == "azure":
        choice["content_filter_results"] = _SAFE
    if ask.kind == "openrouter":
        choice["native_finish_reason"] = said.finish
    return choice


def _message(ask: Ask, said: Said, at: int) -> Json:
    message: Json = {
        "role": "assistant",
        "content": said.texts[at] or (None if said.calls or said.refusal else ""),
    }
    if said.calls:
        message["tool_calls"] = [
            _called(call.id, call.name, json.dumps(dict(call.arguments))) for call in said.calls
        ]
    if ask.kind in _REFUSAL_ALWAYS:
        message |= {"refusal": said.refusal, "annotations": []}
    elif said.refusal is not None:
        message["refusal"] = said.refusal
    return message


def _called(id: str, name: str, arguments: str) -> Json:
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


def _usage(kind: str, said: Said) -> Json:
    counts = said.counts
    usage: Json = {
        "prompt_tokens": counts.input,
        "completion_tokens": counts.output,
        "total_tokens": counts.input + counts.output,
    }
    if kind == "groq":
        return usage | _groq_times(counts.input, counts.output)
    usage["prompt_tokens_details"] = {"cached_tokens": counts.cached, "audio_tokens": 0}
    usage["completion_tokens_details"] = {
        "reasoning_tokens": counts.reasoning,
        "audio_tokens": 0,
        "accepted_prediction_tokens": 0,
        "rejected_prediction_tokens": 0,
    }
    if kind == "deepseek":
        usage |= {
            "prompt_cache_hit_tokens": counts.cached,
            "prompt_cache_miss_tokens": counts.input - counts.cached,
        }
    if kind == "xai":
        usage["prompt_tokens_details"] |= {"text_tokens": counts.input, "image_tokens": 0}
        usage["num_sources_used"] = 0
    return usage


def _groq_times(input_tokens: int, output_tokens: int) -> Json:
    prompt_s, completion_s = input_tokens / 10_000, output_tokens / 500
    times = {"queue_time": 0.02, "prompt_time": prompt_s, "completion_time": completion_s}
    return times | {"total_time": round(prompt_s + completion_s, 6)}


def _extras(kind: str, stamp: Stamp) -> Json:
    """What a provider adds beside choices and usage."""
    match kind:
        case "openai":
            return {"service_tier": "default", "system_fingerprint": "fp_51db84afab"}
        case "azure":
            filtered = [{"prompt_index": 0, "content_filter_results": _SAFE}]
            return {"system_fingerprint": "fp_3dcd5944f5", "prompt_filter_results": filtered}
        case "groq":
            extras = {
                "service_tier": "on_demand",
                "system_fingerprint": "fp_21854da540",
                "usage_breakdown": None,
            }
            return {**extras, "x_groq": {"id": stamp.id("req_", 26)}}
        case "openrouter":
            return {"provider": "Fake", "system_fingerprint": None, "service_tier": None}
        case "mistral" | "hosted_vllm":
            return {}
        case _:
            return {"system_fingerprint": "fp_f02e6df795"}


def frames(ask: Ask, said: Said, stamp: Stamp) -> Frames:
    base = {**_envelope(ask, stamp, "chat.completion.chunk"), **_stream_extras(ask.kind)}
    if ask.usage_in_stream and ask.kind in ("openai", "azure"):
        base["usage"] = None
    opening = [_chunk(base, at, _first_delta(ask.kind)) for at in range(ask.choices)]
    content = [_chunk(base, at, delta) for at in range(ask.choices) for delta in _deltas(said, at)]
    return Frames(
        opening=tuple(opening), content=tuple(content), closing=tuple(_closing(ask, said, base, stamp))
    )


def _first_delta(kind: str) -> Json:
    delta: Json = {"role": "assistant", "content": ""}
    return {**delta, "refusal": None} if kind in _REFUSAL_ALWAYS else delta


def _stream_extras(kind: str) -> Json:
    if kind == "openrouter":
        return {"provider": "Fake"}
    return {"system_fingerprint": "fp_c1fb89028d"} if kind != "mistral" else {}


def _chunk(base: Json, at: int, delta: Json, finish: str | None = None) -> bytes:
    return sse(
        {**base, "choices": [{"index": at, "delta": delta, "logprobs": None, "finish_reason": finish}]}
    )


def _deltas(said: Said, at: int) -> Iterator[Json]:
    yield from ({"content": piece} for piece in pieces(said.texts[at], _WORDS_A_CHUNK))
    yield from ({"refusal": piece} for piece in pieces(said.refusal or "", _WORDS_A_CHUNK))
    for number, call in enumerate(said.calls):
        yield {"tool_calls": [{"index": number, **_called(call.id, call.name, "")}]}
        for piece in pieces(json.dumps(dict(call.arguments)), _WORDS_A_CHUNK):
            yield {"tool_calls": [{"index": number, "function": {"arguments": piece}}]}


def _closing(ask: Ask, said: Said, base: Json, stamp: Stamp) -> Iterator[bytes]:
    usage: dict[str, Any] = _usage(ask.kind, said)
    last = ask.choices - 1
    for at in range(ask.choices):
        ends = dict(base)
        if at == last and ask.kind in _USAGE_WITH_FINISH:
            ends["usage"] = usage
        if at == last and ask.kind == "groq":
            ends["x_groq"] = {"id": stamp.id("req_", 26), "usage": usage}
        yield _chunk(ends, at, {}, said.finish)
    if ask.kind == "openrouter":
        yield _chunk({**base, "usage": usage}, last, {"content": "", "role": "assistant"}, said.finish)
    elif ask.usage_in_stream and ask.kind not in _USAGE_WITH_FINISH:
        yield sse({**base, "choices": [], "usage": usage})
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
