"""Requests of every shape that a caller of the router may send, the same ones every time."""

import json
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any

from router.ports import WireCall
from tests.wires.subjects import KEY, SUBJECTS

Message = dict[str, Any]

_TEXTS = (
    "Why is the sea salty?",
    "Übersetze „naïve café“ ins 日本語, bitte. 🦀👩‍🚀",
    'A "quoted" line,\n\ttabs, a back\\slash, a null-like \u2028 separator and </script>.',
    "x" * 3000,
    "  spaces at both ends  ",
    "0",
)
_PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
_IMAGE = f"data:image/png;base64,{_PNG}"
_SCHEMA = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "description": "Where"},
        "days": {"type": "array", "items": {"type": "integer"}},
        "unit": {"type": "string", "enum": ["c", "f"]},
    },
    "required": ["city", "days", "unit"],
    "additionalProperties": False,
}
_NESTED = {
    "type": "object",
    "properties": {
        "person": {"$ref": "#/$defs/person"},
        "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
    },
    "required": ["person"],
    "$defs": {"person": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}},
}
_EMPTY = {"type": "object", "properties": {}}
_TOOLS = tuple(
    {"type": "function", "function": {"name": name, "description": f"Asks for {name}.", "parameters": schema}}
    for name, schema in (("get_weather", _SCHEMA), ("find-person", _NESTED), ("now", _EMPTY))
)  # fmt: skip


def request(kind: str, number: int, base_url: str, known: Callable[[str], Sequence[str]]) -> WireCall:
    """Request `number` of a kind. `known` says which parameters litellm takes for a model: these make up most of what
    is asked for, and the others some, so that what is refused is refused alike."""
    draw, subject = Random(f"{kind} {number}"), SUBJECTS[kind]
    model = draw.choice(subject.models)
    params = _params(draw, frozenset(known(model)))
    return WireCall(
        attempt=f"{kind}-{number}",
        target=f"{kind}/{model}",
        kind=kind,
        model=model,
        messages=tuple(_messages(draw, tools="tools" in params)),
        params=params,
        timeout_s=20.0,  # litellm keeps a client for every one
        stream=draw.random() < 0.3,
        base_url=base_url + subject.base + ("/" if subject.base and draw.random() < 0.05 else ""),
        api_key=None
        if subject.key is None
        else (KEY if draw.random() < 0.95 else "another+key/with=letters"),
        wire=subject.wire,
    )


# --- Messages ---------------------------------------------------------------------------------------------------------


def _messages(draw: Random, *, tools: bool) -> Iterator[Message]:
    if draw.random() < 0.4:
        yield {"role": draw.choice(("system", "system", "developer")), "content": _system(draw)}
    for _ in range(draw.choice((0, 0, 0, 1, 3))):
        yield {"role": "user", "content": _user(draw)}
        yield {"role": "assistant", "content": draw.choice(_TEXTS)}
    yield _named(draw, {"role": "user", "content": _user(draw)})
    if tools and draw.random() < 0.5:
        for _ in range(draw.choice((1, 1, 2))):
            yield from _round_trip(draw)


def _named(draw: Random, message: Message) -> Message:
    return {**message, "name": "ann"} if draw.random() < 0.05 else message


def _system(draw: Random) -> Any:
    text = draw.choice(_TEXTS[:3])
    if draw.random() < 0.75:
        return text
    part: Message = {"type": "text", "text": text}
    return [{**part, "cache_control": {"type": "ephemeral"}} if draw.random() < 0.5 else part]


def _user(draw: Random) -> Any:
    if draw.random() < 0.7:
        return draw.choice(_TEXTS)
    parts: list[Message] = [{"type": "text", "text": draw.choice(_TEXTS)}]
    if draw.random() < 0.6:
        image: Message = {"url": _IMAGE}
        if draw.random() < 0.3:
            image["detail"] = draw.choice(("low", "high"))
        parts.append({"type": "image_url", "image_url": image})
    if draw.random() < 0.2:
        parts.append({"type": "text", "text": draw.choice(_TEXTS), "cache_control": {"type": "ephemeral"}})
    if draw.random() < 0.1:
        parts.append({"type": "input_audio", "input_audio": {"data": _PNG, "format": "wav"}})
    if draw.random() < 0.1:
        file = {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{_PNG}"}
        parts.append({"type": "file", "file": file})
    return parts


def _round_trip(draw: Random) -> Iterator[Message]:
    """A turn in which tools were called, and what came of it."""
    calls = draw.sample(_TOOLS, draw.choice((1, 1, 2)))
    ids = [f"call_{draw.getrandbits(40):010x}" for _ in calls]
    yield {
        "role": "assistant",
        "content": draw.choice((None, None, "Let me look.")),
        "tool_calls": [
            {
                "id": name,
                "type": "function",
                "function": {"name": tool["function"]["name"], "arguments": _arguments(draw)},
            }
            for name, tool in zip(ids, calls, strict=True)
        ],
    }
    for name in ids:
        yield {"role": "tool", "tool_call_id": name, "content": draw.choice(('{"c": 21}', "21 °C", ""))}
    if draw.random() < 0.5:
        yield {"role": "assistant", "content": "It is 21 °C."}
        yield {"role": "user", "content": draw.choice(_TEXTS)}


def _arguments(draw: Random) -> str:
    return draw.choice(("{}", '{"city": "Zürich", "days": [1, 2], "unit": "c"}', '{ "city":"x" }'))


# --- Parameters -------------------------------------------------------------------------------------------------------


def _params(draw: Random, known: frozenset[str]) -> dict[str, Any]:
    found = {name: made for name, make in _MAKE.items() if (made := make(draw)) is not None}
    taken = {name: value for name, value in found.items() if name in known or draw.random() < 0.02}
    if "tools" not in taken:
        taken.pop("tool_choice", None)
        taken.pop("parallel_tool_calls", None)
    if "logprobs" not in taken:
        taken.pop("top_logprobs", None)
    if "max_tokens" in taken:
        taken.pop("max_completion_tokens", None)
    return taken


def _at(chance: float, *values: Any) -> Callable[[Random], Any]:
    return lambda draw: draw.choice(values) if draw.random() < chance else None


def _tools(draw: Random) -> list[Message] | None:
    if draw.random() >= 0.35:
        return None
    chosen = [json.loads(json.dumps(tool)) for tool in draw.sample(_TOOLS, draw.randint(1, 3))]
    if draw.random() < 0.2:
        chosen[0]["function"]["strict"] = True
    return chosen


def _shape(draw: Random) -> Message | None:
    if draw.random() >= 0.2:
        return None
    if draw.random() < 0.3:
        return {"type": "json_object"}
    schema = draw.choice((_SCHEMA, _NESTED))
    return {
        "type": "json_schema",
        "json_schema": {"name": "answer", "schema": schema, "strict": schema is _SCHEMA},
    }


_MAKE: dict[str, Callable[[Random], Any]] = {
    "tools": _tools,
    "tool_choice": _at(
        0.5, "auto", "none", "required", {"type": "function", "function": {"name": "get_weather"}}
    ),
    "parallel_tool_calls": _at(0.2, True, False),
    "temperature": _at(0.3, 0, 0.7, 1),
    "top_p": _at(0.2, 0.5, 1.0),
    "max_tokens": _at(0.4, 1, 500, 4096),
    "max_completion_tokens": _at(0.3, 1, 2000),
    "stop": _at(0.2, "END", ["END"], ["\n\n", "STOP", "</s>"]),
    "n": _at(0.1, 1, 2),
    "seed": _at(0.15, 0, 42),
    "presence_penalty": _at(0.1, 0.5, -1),
    "frequency_penalty": _at(0.1, 0, 1.5),
    "logit_bias": _at(0.05, {"50256": -100}),
    "logprobs": _at(0.1, True, False),
    "top_logprobs": _at(0.5, 0, 3),
    "response_format": _shape,
    "reasoning_effort": _at(0.15, "low", "medium", "high", "none", "minimal"),
    "verbosity": _at(0.05, "low"),
    "web_search_options": _at(0.03, {}, {"search_context_size": "low"}),
}
