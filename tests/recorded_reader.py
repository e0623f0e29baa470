"""Reads recorded bytes on its own, without litellm: what a provider said, as text, tool calls and usage, or its error.

Small on purpose: one function per wire format, plain JSON in, `Answer` or `Failure` out.
"""

import base64
import json
import re
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

JSON = Mapping[str, Any]
ToolCall = tuple[str, Any]


@dataclass(frozen=True)
class Counts:
    """Tokens as reported; the input includes what was cached or written to a cache, the output what was reasoned."""

    input: int = 0
    output: int = 0
    cached: int = 0
    written: int = 0
    reasoning: int = 0


@dataclass(frozen=True)
class Choice:
    text: str
    tools: tuple[ToolCall, ...]
    finish: str | None


@dataclass(frozen=True)
class Answer:
    choices: tuple[Choice, ...]
    usage: Counts | None


@dataclass(frozen=True)
class Failure:
    """An error status, or an error inside a success: `said` is its JSON."""

    said: Any


class OtherFormat(Exception):
    """Not a chat exchange in a format of this reader."""


def read(path: str, status: int, body: bytes, headers: Mapping[str, str]) -> Answer | Failure:
    """What the exchange at `path` brought. Raises OtherFormat."""
    path = unquote(path.partition("?")[0])
    if status >= 400:
        return Failure(body)
    for suffix, reader in _READERS.items():
        if suffix in path:
            return reader(body)
    if "/invoke" in path:
        return _bedrock_invoke(path, body, headers)
    raise OtherFormat(path)


# --- OpenAI's format ------------------------------------------------------------------------------------------------


def _openai(body: bytes) -> Answer | Failure:
    if _is_sse(body):
        return _openai_stream(_sse(body))
    whole = json.loads(body)
    if "choices" not in whole:
        return Failure(whole["error"])
    choices = [Choice(_text(c["message"].get("content")), _openai_tools(c["message"]), c.get("finish_reason"))
               for c in whole["choices"]]  # fmt: skip
    return Answer(tuple(choices), _openai_usage(whole.get("usage")))


def _openai_tools(message: JSON) -> tuple[ToolCall, ...]:
    calls = list(message.get("tool_calls") or ())
    if message.get("function_call"):
        calls.append({"function": message["function_call"]})
    return tuple(_openai_tool(call) for call in calls)


def _openai_tool(call: JSON) -> ToolCall:
    if call.get("type") == "custom":
        return (call["custom"]["name"], call["custom"]["input"])
    return (call["function"]["name"], _arguments(call["function"]["arguments"]))


def _openai_stream(events: Iterable[JSON]) -> Answer | Failure:
    parts: dict[int, _Parts] = {}
    usage = None
    for event in events:
        if event.get("error"):
            return Failure(event["error"])
        usage = event.get("usage") or (event.get("x_groq") or {}).get("usage") or usage
        for choice in event.get("choices") or ():
            parts.setdefault(choice.get("index", 0), _Parts()).add_openai(choice)
    return Answer(tuple(parts[index].choice() for index in sorted(parts)), _openai_usage(usage))


def _openai_usage(usage: JSON | None) -> Counts | None:
    if not usage:
        return None
    read, wrote = usage.get("prompt_tokens") or 0, usage.get("completion_tokens") or 0
    prompt = usage.get("prompt_tokens_details") or {}
    reasoned = (usage.get("completion_tokens_details") or {}).get("reasoning_tokens") or 0
    if usage.get("total_tokens") == read + wrote + reasoned:
        wrote += reasoned  # xAI counts it beside the completion
    cached = prompt.get("cached_tokens") or usage.get("prompt_cache_hit_tokens") or 0
    return Counts(read, wrote, cached, prompt.get("cache_write_tokens") or 0, reasoned)


class _Parts:
    """One choice of a stream, put together."""

    def __init__(self) -> None:
        self.text = ""
        self.tools: dict[Any, list[str]] = {}
        self.ids: dict[Any, str] = {}
        self.finish: str | None = None

    def add_openai(self, choice: JSON) -> None:
        delta = choice.get("delta") or {}
        self.text += _text(delta.get("content"))
        self.finish = choice.get("finish_reason") or self.finish
        for call in delta.get("tool_calls") or ():
            self.add_tool(self._key(call), call.get("function") or {})
        if delta.get("function_call"):
            self.add_tool("function", delta["function_call"])

    def _key(self, call: JSON) -> Any:
        """One service gives every call the number 0: another id begins another call."""
        at = call.get("index", call.get("id"))
        self.ids[at] = call.get("id") or self.ids.get(at, "")
        return (at, self.ids[at])

    def add_tool(self, key: Any, function: JSON) -> None:
        held = self.tools.setdefault(key, ["", ""])
        held[0] = held[0] or function.get("name") or ""
        arguments = function.get("arguments") or ""
        held[1] += arguments if isinstance(arguments, str) else json.dumps(arguments)

    def choice(self) -> Choice:
        tools = tuple((name, _arguments(arguments)) for name, arguments in self.tools.values())
        return Choice(self.text, tools, self.finish)


# --- Anthropic's format -----------------------------------------------------------------------------------------------


def _anthropic(body: bytes) -> Answer | Failure:
    return _anthropic_events(_sse(body)) if _is_sse(body) else _anthropic_message(json.loads(body))


def _anthropic_message(message: JSON) -> Answer:
    blocks = message["content"]
    text = "".join(block["text"] for block in blocks if block["type"] == "text")
    tools = tuple((block["name"], block["input"]) for block in blocks if block["type"] == "tool_use")
    return Answer((Choice(text, tools, message["stop_reason"]),), _anthropic_usage(message["usage"]))


def _anthropic_events(events: Iterable[JSON]) -> Answer | Failure:
    parts, usage = _Parts(), {}
    for event in events:
        kind = event["type"]
        if kind == "error":
            return Failure(event["error"])
        if kind == "message_start":
            usage.update(event["message"]["usage"])
        if kind == "message_delta":
            parts.finish = event["delta"].get("stop_reason")
            usage.update({name: count for name, count in event["usage"].items() if count is not None})
        if kind == "content_block_start" and event["content_block"]["type"] == "tool_use":
            parts.add_tool(event["index"], {"name": event["content_block"]["name"]})
        if kind == "content_block_delta":
            delta = event["delta"]
            parts.text += delta.get("text", "") if delta["type"] == "text_delta" else ""
            if event["index"] in parts.tools:
                parts.add_tool(event["index"], {"arguments": delta.get("partial_json", "")})
    return Answer((parts.choice(),), _anthropic_usage(usage))


def _anthropic_usage(usage: JSON) -> Counts:
    cached, written = usage.get("cache_read_input_tokens") or 0, usage.get("cache_creation_input_tokens") or 0
    return Counts(usage["input_tokens"] + cached + written, usage["output_tokens"], cached, written)


# --- Gemini, Cohere, Ollama -------------------------------------------------------------------------------------------


def _gemini(body: bytes) -> Answer | Failure:
    whole = list(_sse(body)) if _is_sse(body) else json.loads(body)
    parts: dict[int, _Parts] = {}
    usage: JSON = {}
    for piece in whole if isinstance(whole, list) else [whole]:
        usage = piece.get("usageMetadata") or usage
        for candidate in piece.get("candidates") or ():
            held = parts.setdefault(candidate.get("index", 0), _Parts())
            held.finish = candidate.get("finishReason") or held.finish
            for part in (candidate.get("content") or {}).get("parts") or ():
                if "functionCall" in part:
                    call = part["functionCall"]
                    held.add_tool(
                        len(held.tools), {"name": call["name"], "arguments": call.get("args") or {}}
                    )
                elif not part.get("thought"):
                    held.text += part.get("text") or ""
    return Answer(tuple(parts[index].choice() for index in sorted(parts)), _gemini_usage(usage))


def _gemini_usage(usage: JSON) -> Counts:
    reasoned = usage.get("thoughtsTokenCount") or 0
    read = usage.get("promptTokenCount", 0) + (usage.get("toolUsePromptTokenCount") or 0)
    wrote = (usage.get("candidatesTokenCount") or 0) + reasoned
    return Counts(read, wrote, usage.get("cachedContentTokenCount") or 0, 0, reasoned)


def _cohere(body: bytes) -> Answer | Failure:
    parts, usage = _Parts(), {}
    if not _is_sse(body):
        whole = json.loads(body)
        parts.text, parts.finish = _text(whole["message"].get("content")), whole.get("finish_reason")
        choice = Choice(parts.text, _openai_tools(whole["message"]), parts.finish)
        return Answer((choice,), _cohere_usage(whole.get("usage") or {}))
    for event in _sse(body):
        message = (event.get("delta") or {}).get("message") or {}
        if event["type"] == "content-delta":
            parts.text += message["content"].get("text") or ""
        if event["type"] in ("tool-call-start", "tool-call-delta"):
            parts.add_tool(event["index"], message["tool_calls"]["function"])
        if event["type"] == "message-end":
            usage, parts.finish = event["delta"].get("usage") or {}, event["delta"].get("finish_reason")
    return Answer((parts.choice(),), _cohere_usage(usage))


def _cohere_usage(usage: JSON) -> Counts | None:
    tokens = usage.get("tokens") or usage.get("billed_units")
    if not tokens:
        return None
    return Counts(
        int(tokens["input_tokens"]), int(tokens["output_tokens"]), int(usage.get("cached_tokens") or 0)
    )


def _ollama(body: bytes) -> Answer | Failure:
    parts, usage = _Parts(), None
    for line in filter(None, body.splitlines()):
        piece = json.loads(line)
        parts.text += piece["message"].get("content") or ""
        for call in piece["message"].get("tool_calls") or ():
            parts.add_tool(len(parts.tools), call["function"])
        if piece["done"]:
            usage, parts.finish = (
                Counts(piece["prompt_eval_count"], piece["eval_count"]),
                piece.get("done_reason"),
            )
    return Answer((parts.choice(),), usage)


# --- Bedrock ----------------------------------------------------------------------------------------------------------


def _converse(body: bytes) -> Answer | Failure:
    return _converse_whole(json.loads(body))


def _converse_whole(whole: JSON) -> Answer:
    blocks = whole["output"]["message"]["content"]
    tools = tuple(
        (block["toolUse"]["name"], block["toolUse"]["input"]) for block in blocks if "toolUse" in block
    )
    choice = Choice("".join(block.get("text", "") for block in blocks), tools, whole["stopReason"])
    return Answer((choice,), _converse_usage(whole["usage"]))


def _converse_stream(body: bytes) -> Answer | Failure:
    return _converse_events((name, json.loads(payload)) for name, payload in _frames(body))


def _converse_events(events: Iterable[tuple[str, JSON]]) -> Answer:
    parts, usage = _Parts(), {}
    for name, event in events:
        if name == "contentBlockStart" and "toolUse" in event.get("start", {}):
            parts.add_tool(event["contentBlockIndex"], {"name": event["start"]["toolUse"]["name"]})
        if name == "contentBlockDelta":
            parts.text += event["delta"].get("text", "")
            if "toolUse" in event["delta"]:
                parts.add_tool(event["contentBlockIndex"], {"arguments": event["delta"]["toolUse"]["input"]})
        if name == "messageStop":
            parts.finish = event["stopReason"]
        if name == "metadata":
            usage = event["usage"]
    return Answer((parts.choice(),), _converse_usage(usage))


def _converse_usage(usage: JSON) -> Counts:
    cached, written = usage.get("cacheReadInputTokens") or 0, usage.get("cacheWriteInputTokens") or 0
    return Counts(
        usage.get("inputTokens", 0) + cached + written, usage.get("outputTokens", 0), cached, written
    )


def _bedrock_invoke(path: str, body: bytes, headers: Mapping[str, str]) -> Answer | Failure:
    """Each maker's own format, whole or as chunks."""
    if path.endswith("/invoke"):
        pieces = [json.loads(body)]
    else:
        pieces = [json.loads(base64.b64decode(json.loads(payload)["bytes"])) for _, payload in _frames(body)]
    first = pieces[0]
    if first.get("type") in ("message", "message_start"):
        return _anthropic_message(first) if first["type"] == "message" else _anthropic_events(pieces)
    if "output" in first:
        return _converse_whole(first)
    if "messageStart" in first:
        return _converse_events(next(iter(piece.items())) for piece in pieces)
    if "choices" in first:
        return _openai_stream(pieces) if "delta" in first["choices"][0] else _openai(body)
    return _plain_completion(pieces, headers)


def _plain_completion(pieces: list[JSON], headers: Mapping[str, str]) -> Answer:
    metrics = pieces[-1].get("amazon-bedrock-invocationMetrics")
    counted = [headers.get(f"x-amzn-bedrock-{way}-token-count") for way in ("input", "output")]
    usage = Counts(int(counted[0]), int(counted[1])) if counted[0] and counted[1] else None
    if metrics:
        usage = Counts(metrics["inputTokenCount"], metrics["outputTokenCount"])
    finish = next((found for piece in reversed(pieces) if (found := _finish(piece))), None)
    return Answer((Choice("".join(_completion(piece) for piece in pieces), (), finish),), usage)


def _finish(piece: JSON) -> str | None:
    held = next(
        (piece[name][0] for name in ("results", "generations", "outputs", "completions") if piece.get(name)),
        piece,
    )
    names = ("completionReason", "finish_reason", "stop_reason")
    return next((str(held[name]) for name in names if isinstance(held.get(name), str)), None)


def _completion(piece: JSON) -> str:
    for name in ("results", "generations", "outputs", "completions"):
        if piece.get(name):
            held = piece[name][0]
            return str(held.get("outputText") or held.get("text") or held["data"]["text"])
    return next(
        (str(piece[name]) for name in ("outputText", "generation", "completion", "text") if piece.get(name)),
        "",
    )


# --- Framing ----------------------------------------------------------------------------------------------------------


def _is_sse(body: bytes) -> bool:
    return body.lstrip().startswith((b"data:", b"event:", b":"))


def _sse(body: bytes) -> Iterator[JSON]:
    for block in re.split(r"\r?\n\r?\n", body.decode()):
        data = "\n".join(line[5:].strip() for line in block.splitlines() if line.startswith("data:"))
        if data and data != "[DONE]":
            yield json.loads(data)


def _frames(body: bytes) -> Iterator[tuple[str, bytes]]:
    """AWS event stream: length, header length, checksum, headers, payload, checksum. Yields (event type, payload)."""
    at = 0
    while at < len(body):
        length, header_length = struct.unpack(">II", body[at : at + 8])
        header = body[at + 12 : at + 12 + header_length]
        name = re.search(rb":event-type\x07(..)", header, re.DOTALL)
        if name is not None:
            begin, (size,) = name.end(), struct.unpack(">H", name[1])
            yield header[begin : begin + size].decode(), body[at + 12 + header_length : at + length - 4]
        at += length


def _text(content: Any) -> str:
    if isinstance(content, list):
        return "".join(part.get("text") or "" for part in content if part.get("type", "text") == "text")
    return content or ""


def _arguments(arguments: Any) -> Any:
    if not isinstance(arguments, str):
        return arguments or {}
    try:
        return json.loads(arguments or "{}")
    except ValueError:
        return arguments


_READERS = {
    "/chat/completions": _openai,
    "/v1/messages": _anthropic,
    "awPredict": _anthropic,
    "enerateContent": _gemini,
    "/v2/chat": _cohere,
    "/api/chat": _ollama,
    "/converse-stream": _converse_stream,
    "/converse": _converse,
}
