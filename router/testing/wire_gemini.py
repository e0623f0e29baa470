"""Gemini generateContent and streamGenerateContent, also under Vertex AI's longer paths."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

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
    retry_headers,
    retry_seconds,
    sse,
    texts_of,
    whole,
)

_WORDS_A_CHUNK = 8
_IMAGE_TOKENS = 85
_DAY_S = 86_400.0
_JSON = "application/json; charset=UTF-8"
_GOOGLE = "type.googleapis.com/google.rpc."
_REASONS = {"stop": "STOP", "length": "MAX_TOKENS", "tool_calls": "STOP", "content_filter": "SAFETY"}
_STATUSES = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND"} | {
    429: "RESOURCE_EXHAUSTED", 500: "INTERNAL", 503: "UNAVAILABLE", 504: "DEADLINE_EXCEEDED",
}  # fmt: skip
_RATINGS = [
    {"category": f"HARM_CATEGORY_{name}", "probability": "NEGLIGIBLE"}
    for name in ("HARASSMENT", "SEXUALLY_EXPLICIT", "DANGEROUS_CONTENT")
]
_BLOCKED = [{"category": "HARM_CATEGORY_HATE_SPEECH", "probability": "HIGH", "blocked": True}, *_RATINGS]


def read(route: Route, body: Json) -> Ask:
    contents = body.get("contents")
    if isinstance(contents, dict):
        contents = [contents]
    if not isinstance(contents, list) or not all(isinstance(content, dict) for content in contents):
        raise Unreadable("* GenerateContentRequest.contents: contents is not specified")
    config: Json = _either(body, "generationConfig") or {}
    schema = _either(config, "responseJsonSchema") or _either(config, "responseSchema")
    tools = _tools(body)
    return Ask(
        kind=route.kind,
        model=route.model,
        prompt=_prompt(contents),
        input_tokens=_input_tokens(body, contents),
        stream=route.stream,
        choices=max(whole(_either(config, "candidateCount")) or 1, 1),
        max_tokens=whole(_either(config, "maxOutputTokens")),
        stops=tuple(stop for stop in _either(config, "stopSequences") or () if isinstance(stop, str)),
        tools=tools,
        forced_tool=_forced(_either(body, "toolConfig") or {}, tools),
        wants_json=_either(config, "responseMimeType") == "application/json",
        schema=schema if isinstance(schema, dict) else None,
        usage_in_stream=True,
        event_stream=route.event_stream,
    )


def _either(value: Json, name: str) -> Any:
    """A field by its JSON name or by its proto name: the service takes both."""
    return value.get(name, value.get("".join(f"_{c.lower()}" if c.isupper() else c for c in name)))


def _parts(content: object) -> list[Json]:
    parts = content.get("parts") if isinstance(content, dict) else None
    return [part for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []


def _prompt(contents: list[Json]) -> str:
    for content in reversed(contents):
        if content.get("role", "user") in ("user", "function", "tool"):
            results = [_either(part, "functionResponse") for part in _parts(content)]
            return "\n".join(texts_of(_parts(content)) + [json.dumps(found) for found in results if found])
    return ""


def _input_tokens(body: Json, contents: list[Json]) -> int:
    every = [
        *_parts(_either(body, "systemInstruction")),
        *(part for content in contents for part in _parts(content)),
    ]
    texts = sum(count_tokens(text) for text in texts_of(every))
    images = sum(_IMAGE_TOKENS for part in every if _either(part, "inlineData") or _either(part, "fileData"))
    calls = [_either(part, "functionCall") or _either(part, "functionResponse") for part in every]
    shown = count_tokens(json.dumps(body["tools"])) if body.get("tools") else 0
    return max(texts + images + shown + sum(count_tokens(json.dumps(call)) for call in calls if call), 1)


def _tools(body: Json) -> tuple[Tool, ...]:
    declared = [
        found for tool in body.get("tools") or () for found in _either(tool, "functionDeclarations") or ()
    ]
    return tuple(
        Tool(name=item["name"], schema=_either(item, "parametersJsonSchema") or item.get("parameters") or {})
        for item in declared
        if "name" in item
    )


def _forced(config: Json, tools: tuple[Tool, ...]) -> str | None:
    calling = _either(config, "functionCallingConfig") or {}
    if calling.get("mode") != "ANY" or not tools:
        return None
    allowed = _either(calling, "allowedFunctionNames")
    return allowed[0] if allowed else tools[0].name


def answer(ask: Ask, said: Said, stamp: Stamp) -> bytes:
    return dump(
        _response(ask, [_candidate(said, at, _all_parts(said, at)) for at in range(ask.choices)], said, stamp)
    )


def _all_parts(said: Said, at: int) -> list[Json]:
    text = said.texts[at] or said.refusal or ""
    if said.finish == "content_filter" and not text:
        return []
    return ([{"text": text}] if text or not said.calls else []) + _call_parts(said)


def _call_parts(said: Said) -> list[Json]:
    return [_call_part(call) for call in said.calls]


def _call_part(call: Call) -> Json:
    signed = {"thoughtSignature": call.signature} if call.signature else {}
    return {"functionCall": {"name": call.name, "args": dict(call.arguments)}, **signed}


def _candidate(said: Said, at: int, parts: list[Json], *, ends: bool = True) -> Json:
    candidate: Json = {"content": {"parts": parts, "role": "model"} if parts else {}}
    if ends:
        candidate["finishReason"] = _REASONS[said.finish]
        if said.finish == "content_filter":
            candidate["safetyRatings"] = _BLOCKED
    return {**candidate, "index": at}


def _response(ask: Ask, candidates: list[Json], said: Said, stamp: Stamp) -> Json:
    return {
        "candidates": candidates,
        "usageMetadata": _usage(said),
        "modelVersion": ask.model,
        "responseId": stamp.id("", 22),
    }


def _usage(said: Said) -> Json:
    """Gemini counts its thoughts apart from the candidates, and what it read from a cache within the prompt."""
    counts = said.counts
    usage: Json = {
        "promptTokenCount": counts.input,
        "candidatesTokenCount": counts.output - counts.reasoning,
        "totalTokenCount": counts.input + counts.output,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": counts.input}],
        "candidatesTokensDetails": [{"modality": "TEXT", "tokenCount": counts.output - counts.reasoning}],
    }
    if counts.cached:
        usage["cachedContentTokenCount"] = counts.cached
        usage["cacheTokensDetails"] = [{"modality": "TEXT", "tokenCount": counts.cached}]
    if counts.reasoning:
        usage["thoughtsTokenCount"] = counts.reasoning
    return usage


def frames(ask: Ask, said: Said, stamp: Stamp) -> Frames:
    content = [parts for at in range(ask.choices) for parts in _stream_parts(said, at)]
    shown = [_frame(ask, [_candidate(said, at, parts, ends=False)], said, stamp) for at, parts in content]
    last = [_candidate(said, at, [{"text": ""}]) for at in range(ask.choices)]
    return Frames(opening=(), content=tuple(shown), closing=(_frame(ask, last, said, stamp),))


def _stream_parts(said: Said, at: int) -> Iterator[tuple[int, list[Json]]]:
    for piece in pieces(said.texts[at] or said.refusal or "", _WORDS_A_CHUNK):
        yield at, [{"text": piece}]
    if said.calls:
        yield at, _call_parts(said)


def _frame(ask: Ask, candidates: list[Json], said: Said, stamp: Stamp) -> bytes:
    return sse(_response(ask, candidates, said, stamp))


def headers(ask: Ask, stamp: Stamp) -> Headers:
    return _HEADERS


_HEADERS: Headers = (
    ("vary", "Origin"),
    ("x-content-type-options", "nosniff"),
    ("server-timing", "gfet4t7; dur=1"),
)


def failure(kind: str, model: str, fault: ErrorFault, stamp: Stamp) -> Failure:
    error = _error(model, fault)
    extra: Headers = ()
    if isinstance(fault, RateLimited):
        extra = retry_headers(fault, stamp.now_s)
    elif isinstance(fault, Overloaded) and fault.retry_after is not None:
        extra = retry_headers(RateLimited(retry_after=fault.retry_after), stamp.now_s)
    return Failure(
        status=error["code"], body=dump({"error": error}), headers=_HEADERS + extra, content_type=_JSON
    )  # fmt: skip


def _error(model: str, fault: ErrorFault) -> Json:
    status, message = _told(model, fault)
    error: Json = {"code": status, "message": message, "status": _STATUSES.get(status, "UNKNOWN")}
    details = _details(model, fault, message)
    return {**error, "details": details} if details else error


def _told(model: str, fault: ErrorFault) -> tuple[int, str]:
    match fault:
        case RateLimited():
            return 429, "Resource has been exhausted (e.g. check quota)."
        case QuotaExceeded():
            return (
                fault.status or 429,
                "You exceeded your current quota, please check your plan and billing details.",
            )
        case Unauthorized(status=403):
            return 403, "Permission denied on resource project fake-project."
        case Unauthorized():
            return fault.status or 400, "API key not valid. Please pass a valid API key."
        case NotFound():
            return (
                404,
                f"models/{model} is not found for API version v1beta, or is not supported for generateContent.",
            )
        case BadRequest():
            return fault.status, fault.message or f"Invalid value at 'generation_config.{fault.param}'"
        case ContextTooLong():
            used = fault.input_tokens or fault.limit_tokens + 1
            words = f"exceeds the maximum number of tokens allowed ({fault.limit_tokens})."
            return 400, f"The input token count ({used}) {words}"
        case ContentFilter():
            return 400, "The request was blocked for safety reasons."
        case Overloaded():
            return fault.status or 503, "The model is overloaded. Please try again later."
        case ServerError():
            return fault.status, fault.message or "An internal error has occurred. Please retry."


def _details(model: str, fault: ErrorFault, message: str) -> list[Json]:
    if isinstance(fault, RateLimited | QuotaExceeded):
        return _quota_details(model, fault)
    if isinstance(fault, Unauthorized) and fault.status != 403:
        service = {"service": "generativelanguage.googleapis.com"}
        info = {"@type": f"{_GOOGLE}ErrorInfo", "reason": "API_KEY_INVALID", "domain": "googleapis.com"}
        told = {"@type": f"{_GOOGLE}LocalizedMessage", "locale": "en-US", "message": message}
        return [{**info, "metadata": service}, told]
    return []


def _quota_details(model: str, fault: RateLimited | QuotaExceeded) -> list[Json]:
    span = "Minute" if isinstance(fault, RateLimited) else "Day"
    violation = {
        "quotaMetric": "generativelanguage.googleapis.com/generate_content_requests",
        "quotaId": f"GenerateRequestsPer{span}PerProjectPerModel",
        "quotaDimensions": {"location": "global", "model": model},
        "quotaValue": "500",
    }
    failure = {"@type": f"{_GOOGLE}QuotaFailure", "violations": [violation]}
    if isinstance(fault, QuotaExceeded) or fault.retry_after is not None:
        wait_s = _DAY_S if isinstance(fault, QuotaExceeded) else retry_seconds(fault)
        return [failure, {"@type": f"{_GOOGLE}RetryInfo", "retryDelay": f"{wait_s:g}s"}]
    return [failure]


def error_frame(kind: str, model: str, fault: ErrorFault, stamp: Stamp) -> bytes:
    return sse({"error": _error(model, fault)})


def blocked_prompt(ask: Ask, stamp: Stamp) -> bytes | None:
    """Gemini answers 200 and says that it blocked the prompt."""
    tokens = ask.input_tokens
    usage = {"promptTokenCount": tokens, "totalTokenCount": tokens}
    feedback = {"blockReason": "SAFETY", "safetyRatings": _BLOCKED}
    body = {"promptFeedback": feedback, "usageMetadata": usage, "modelVersion": ask.model}
    return dump({**body, "responseId": stamp.id("", 22)})
