"""The rules that each wire format has for a conversation with tools, from its provider's own documentation, and what
such a conversation says: a request body is read here as the provider would read it, without litellm."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Calls = tuple[tuple[str, str], ...]
"""(name of the tool, its arguments as canonical JSON, or what it said), in order."""


@dataclass(frozen=True)
class Turn:
    """What one side says: a text, calls of tools, or their results. `ids` are of the calls."""

    role: str
    text: str = ""
    calls: Calls = ()
    results: Calls = ()
    ids: tuple[str, ...] = ()


class Broken(AssertionError):
    """A rule of the format."""


IDS: Mapping[str, str] = {
    "openai": r".{1,40}",
    "mistral": r"[a-zA-Z0-9]{9}",
    "anthropic": r"[a-zA-Z0-9_-]+",
    "bedrock": r"[a-zA-Z0-9_.:-]{1,64}",
}
_FIELDS: Mapping[str, frozenset[str]] = {
    "openai": frozenset({"role", "content", "name", "refusal", "audio", "tool_calls", "function_call"}),
    "mistral": frozenset({"role", "content", "tool_calls", "prefix"}),
    "groq": frozenset({"role", "content", "name", "tool_calls"}),
    "deepseek": frozenset({"role", "content", "name", "tool_calls", "prefix", "reasoning_content"}),
    "cohere": frozenset({"role", "content", "tool_calls", "tool_plan", "citations"}),
}
"""What an assistant's message may hold: each of these services refuses another field, or is documented to."""


def read(kind: str, body: Mapping[str, Any]) -> list[Turn]:
    """The conversation of a request. Raises Broken."""
    match kind:
        case "anthropic":
            turns = list(_anthropic(body["messages"]))
        case "gemini":
            turns = list(_gemini(body["contents"]))
        case "bedrock":
            turns = list(_bedrock(body["messages"]))
        case _:
            turns = list(_openai(kind, body["messages"]))
    _check_turns(kind, turns)
    return turns


def _check_turns(kind: str, turns: Sequence[Turn]) -> None:
    ids = [each for turn in turns for each in turn.ids]
    hold(len(ids) == len(set(ids)) and all(re.fullmatch(IDS.get(kind, ".+"), each) for each in ids), ids)
    for turn, after in zip(turns, [*turns[1:], Turn("end")], strict=True):
        hold(not (turn.calls or after.results) or _names(turn.calls) == _names(after.results), (turn, after))


def _names(calls: Calls) -> list[str]:
    return [name for name, _ in calls]


def hold(rule: bool, about: Any) -> None:
    """Raises Broken."""
    if not rule:
        raise Broken(repr(about))


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _text(content: Any) -> str:
    if isinstance(content, list):
        hold(all(part.keys() == {"type", "text"} for part in content), content)
        return "".join(part["text"] for part in content)
    return content or ""


# --- OpenAI's, and those of its shape ---------------------------------------------------------------------------------


def _openai(kind: str, messages: Sequence[Mapping[str, Any]]) -> Iterator[Turn]:
    waiting: dict[str, str] = {}
    results: dict[str, str] = {}
    for message in messages:
        if message["role"] == "tool":
            hold(message.keys() <= {"role", "content", "tool_call_id", "name"}, message)
            hold(message["tool_call_id"] in waiting.keys() - results.keys(), (message, waiting))
            results[message["tool_call_id"]] = _text(message["content"])
            continue
        if waiting:
            yield Turn("user", results=tuple((name, results[each]) for each, name in waiting.items()))
        waiting, results = {}, {}
        if message["role"] != "assistant":
            yield Turn(message["role"], _text(message["content"]))
            continue
        hold(message.keys() <= _FIELDS.get(kind, _FIELDS["openai"]), message)
        hold(message.get("content") is not None or bool(message.get("tool_calls")), message)
        calls = message.get("tool_calls") or []
        waiting = {call["id"]: call["function"]["name"] for call in calls}
        yield Turn(
            "assistant",
            _text(message.get("content")),
            tuple(map(_call, calls)),
            (),
            tuple(c["id"] for c in calls),
        )
    if waiting:
        hold(results.keys() == waiting.keys(), (waiting, results))
        yield Turn("user", results=tuple((name, results[each]) for each, name in waiting.items()))


def _call(call: Mapping[str, Any]) -> tuple[str, str]:
    hold(call.keys() == {"id", "type", "function"} and call["type"] == "function", call)
    hold(call["function"].keys() == {"name", "arguments"}, call)
    arguments = json.loads(call["function"]["arguments"])
    hold(isinstance(arguments, dict), call)
    return (call["function"]["name"], _canonical(arguments))


# --- Anthropic's ------------------------------------------------------------------------------------------------------


def _anthropic(messages: Sequence[Mapping[str, Any]]) -> Iterator[Turn]:
    _alternate([message["role"] for message in messages], "user", "assistant")
    names: dict[str, str] = {}
    for message in messages:
        blocks = message["content"]
        blocks = [{"type": "text", "text": blocks}] if isinstance(blocks, str) else blocks
        thoughts = [at for at, block in enumerate(blocks) if block["type"] == "thinking"]
        hold(
            thoughts == list(range(len(thoughts))) and all(blocks[at].get("signature") for at in thoughts),
            message,
        )
        texts = [block["text"] for block in blocks if block["type"] == "text"]
        hold(all(text.strip() and "[System" not in text for text in texts), message)
        uses = [block for block in blocks if block["type"] == "tool_use"]
        hold(all(isinstance(block["input"], dict) for block in uses), message)
        found = [block for block in blocks if block["type"] == "tool_result"]
        hold(blocks[: len(found)] == found, message)
        results = {block["tool_use_id"]: _text(block["content"]) for block in found}
        hold(results.keys() == names.keys() and len(found) == len(names), (message, names))
        hold(len(texts) + len(uses) + len(found) + len(thoughts) == len(blocks), message)
        yield Turn(
            message["role"],
            "".join(texts),
            tuple((block["name"], _canonical(block["input"])) for block in uses),
            tuple((name, results[each]) for each, name in names.items()),
            tuple(block["id"] for block in uses),
        )
        names = {block["id"]: block["name"] for block in uses}
    hold(not names, names)


def _alternate(roles: Sequence[str], first: str, second: str) -> None:
    hold(list(roles) == [(first, second)[at % 2] for at in range(len(roles))], roles)


# --- Google's ---------------------------------------------------------------------------------------------------------


def _gemini(contents: Sequence[Mapping[str, Any]]) -> Iterator[Turn]:
    _alternate([content["role"] for content in contents], "user", "model")
    for content in contents:
        parts = content["parts"]
        texts = [part["text"] for part in parts if part.keys() == {"text"}]
        calls = [
            part["function_call"] for part in parts if part.keys() - {"thoughtSignature"} == {"function_call"}
        ]
        results = [part["function_response"] for part in parts if part.keys() == {"function_response"}]
        hold(len(texts) + len(calls) + len(results) == len(parts) and all(texts), content)
        yield Turn(
            {"model": "assistant"}.get(content["role"], "user"),
            "".join(texts),
            tuple((call["name"], _canonical(call["args"])) for call in calls),
            tuple((result["name"], result["response"]["content"]) for result in results),
        )


# --- Amazon's ---------------------------------------------------------------------------------------------------------


def _bedrock(messages: Sequence[Mapping[str, Any]]) -> Iterator[Turn]:
    _alternate([message["role"] for message in messages], "user", "assistant")
    names: dict[str, str] = {}
    for message in messages:
        blocks = message["content"]
        texts = [block["text"] for block in blocks if block.keys() == {"text"}]
        uses = [block["toolUse"] for block in blocks if block.keys() == {"toolUse"}]
        found = [block["toolResult"] for block in blocks if block.keys() == {"toolResult"}]
        thoughts = [block for block in blocks if block.keys() == {"reasoningContent"}]
        hold(all(text.strip() for text in texts), message)
        hold(all(each["reasoningContent"]["reasoningText"]["signature"] for each in thoughts), message)
        hold(len(texts) + len(uses) + len(found) + len(thoughts) == len(blocks), message)
        results = {each["toolUseId"]: "".join(part["text"] for part in each["content"]) for each in found}
        hold(results.keys() == names.keys(), (message, names))
        yield Turn(
            message["role"],
            "".join(texts),
            tuple((use["name"], _canonical(use["input"])) for use in uses),
            tuple((name, results[each]) for each, name in names.items()),
            tuple(use["toolUseId"] for use in uses),
        )
        names = {use["toolUseId"]: use["name"] for use in uses}
    hold(not names, names)
