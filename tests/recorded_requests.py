"""Reads a recorded request back into the call that a router's user would have made, and what it says of the
conversation into a form in which it can be compared with what is sent for that call. Without litellm."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from router.adapters.cassette_tape import Interaction, Tape

JSON = Mapping[str, Any]


class NotRead(Exception):
    """A request in another form, or with something in it that OpenAI's messages have no words for."""


@dataclass(frozen=True)
class Asked:
    """The conversation and its tools, as OpenAI has them."""

    messages: tuple[JSON, ...]
    params: JSON


def asked(path: str, body: JSON) -> Asked:
    """Raises NotRead."""
    try:
        return _reader(path, body)(body)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise NotRead(repr(error)) from error


def told(path: str, body: JSON) -> JSON:
    """What a request says of the conversation and its tools. Raises NotRead."""
    found = asked(path, body)
    try:
        return {
            "messages": [_canonical(message) for message in found.messages],
            "tools": [_tool(tool) for tool in found.params.get("tools", ())],
            "tool_choice": found.params.get("tool_choice"),
        }
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise NotRead(repr(error)) from error


def _reader(path: str, body: JSON) -> Callable[[JSON], Asked]:
    if path.endswith(("/chat/completions", "/v2/chat")) and "messages" in body:
        return _openai
    if "contents" in body:
        return _gemini
    if path.endswith("/messages") or "anthropic_version" in body:
        return _anthropic
    raise NotRead(path)


# --- OpenAI's form, and Cohere's --------------------------------------------------------------------------------------

_TOOL_PARAMS = ("tools", "tool_choice", "parallel_tool_calls")


def _openai(body: JSON) -> Asked:
    if body.get("functions"):
        raise NotRead("functions")
    params = {name: body[name] for name in _TOOL_PARAMS if body.get(name)}
    return Asked(tuple(body["messages"]), params)


# --- Anthropic's ------------------------------------------------------------------------------------------------------

_CHOICES = {
    "auto": "auto",
    "any": "required",
    "none": "none",
    "AUTO": "auto",
    "ANY": "required",
    "NONE": "none",
}


def _anthropic(body: JSON) -> Asked:
    messages = [{"role": "system", "content": _texts(body["system"])}] if body.get("system") else []
    for message in body["messages"]:
        messages += _spoken(message["role"], message["content"])
    params: dict[str, Any] = {}
    if body.get("tools"):
        params["tools"] = [
            _function(tool["name"], tool.get("description"), tool["input_schema"]) for tool in body["tools"]
        ]
    choice = body.get("tool_choice")
    if choice:
        params["tool_choice"] = _CHOICES.get(choice["type"]) or _named(choice["name"])
    return Asked(tuple(messages), params)


def _spoken(role: str, content: Any) -> Iterator[dict[str, Any]]:
    if isinstance(content, str):
        yield {"role": role, "content": content}
        return
    parts: list[Any] = []
    calls, thoughts = [], []
    for block in content:
        match block["type"]:
            case "tool_result":
                yield {"role": "tool", "tool_call_id": block["tool_use_id"], "content": _result(block)}
            case "tool_use":
                calls.append(_call(block["id"], block["name"], block["input"]))
            case "thinking" | "redacted_thinking":
                thoughts.append(block)
            case _:
                parts.append(_part(block))
    said: dict[str, Any] = {"role": role, "content": parts or None}
    said |= {"tool_calls": calls} if calls else {}
    said |= {"thinking_blocks": thoughts} if thoughts else {}
    if parts or calls:
        yield said


def _result(block: JSON) -> Any:
    content = block.get("content", "")
    return content if isinstance(content, str) else [_part(part) for part in content]


def _part(block: JSON) -> dict[str, Any]:
    cached = {"cache_control": block["cache_control"]} if block.get("cache_control") else {}
    if block["type"] == "text":
        return {"type": "text", "text": block["text"], **cached}
    if block["type"] == "image" and block["source"]["type"] == "base64":
        source = block["source"]
        return {
            "type": "image_url",
            "image_url": {"url": f"data:{source['media_type']};base64,{source['data']}"},
        }
    raise NotRead(block["type"])


def _texts(system: Any) -> Any:
    return system if isinstance(system, str) else [_part(block) for block in system]


# --- Google's ---------------------------------------------------------------------------------------------------------


_ONE_ALPHABET = str.maketrans("-_", "+/")
"""Of base64: a client has its own, and the service takes both."""


def _gemini(body: JSON) -> Asked:
    system = body.get("systemInstruction") or body.get("system_instruction")
    messages: list[dict[str, Any]] = []
    if system:
        messages.append({"role": "system", "content": [_google_part(part) for part in system["parts"]]})
    for turn, content in enumerate(body["contents"]):
        messages += _google_turn(turn, content, messages)
    params: dict[str, Any] = {}
    declared = [
        _function(
            each["name"], each.get("description"), _either(each, "parameters", "parametersJsonSchema") or {}
        )
        for tool in body.get("tools") or ()
        for each in _either(tool, "functionDeclarations", "function_declarations")
    ]
    params |= {"tools": declared} if declared else {}
    config = (body.get("toolConfig") or {}).get("functionCallingConfig") or {}
    if config.get("mode"):
        names = _either(config, "allowedFunctionNames", "allowed_function_names")
        params["tool_choice"] = _named(names[0]) if names else _CHOICES[config["mode"]]
    return Asked(tuple(messages), params)


def _either(found: JSON, one: str, other: str) -> Any:
    return found[one] if one in found else found.get(other)


def _google_turn(turn: int, content: JSON, before: Sequence[JSON]) -> Iterator[dict[str, Any]]:
    role = {"model": "assistant"}.get(content.get("role", "user"), "user")
    parts, calls = [], []
    open_ids = [call["id"] for message in before[-1:] for call in message.get("tool_calls") or ()]
    for part in content["parts"]:
        call, result = (_either(part, *names) for names in (("functionCall", "function_call"),
                                                            ("functionResponse", "function_response")))  # fmt: skip
        if call:
            signature = (part.get("thoughtSignature") or "").translate(_ONE_ALPHABET)
            made = f"call_{turn}_{len(calls)}" + (f"__thought__{signature}" if signature else "")
            calls.append(_call(made, call["name"], call.get("args") or {}))
        elif result:
            yield {"role": "tool", "tool_call_id": open_ids.pop(0), "content": json.dumps(result["response"])}
        else:
            parts.append(_google_part(part))
    said: dict[str, Any] = {"role": role, "content": parts or None}
    if parts or calls:
        yield {**said, "tool_calls": calls} if calls else said


def _google_part(part: JSON) -> dict[str, Any]:
    if part.keys() <= {"text"}:
        return {"type": "text", "text": part["text"]}
    data = _either(part, "inlineData", "inline_data")
    if data and (kind := _either(data, "mimeType", "mime_type")).startswith("image/"):
        return {"type": "image_url", "image_url": {"url": f"data:{kind};base64,{data['data']}"}}
    raise NotRead(str(list(part)))


# --- What is compared -------------------------------------------------------------------------------------------------


def _function(name: str, description: str | None, schema: JSON) -> dict[str, Any]:
    told = {"description": description} if description else {}
    return {"type": "function", "function": {"name": name, **told, "parameters": schema}}


def _named(name: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name}}


def _call(id: str, name: str, arguments: Any) -> dict[str, Any]:
    return {"id": id, "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}


def _canonical(message: JSON) -> dict[str, Any]:
    """A text is the same in parts, nothing is the same as an empty text, and arguments are JSON."""
    found = {name: value for name, value in message.items() if value not in (None, "", [])}
    found["content"] = _content(found.pop("content", ()))
    if "tool_calls" in found:
        found["tool_calls"] = [_canonical_call(call) for call in found["tool_calls"]]
    return found


_PARTS = ("text", "refusal", "image_url", "input_audio", "file")
"""What a message of the router's may be made of."""


def _content(content: Any) -> Any:
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else list(content)
    if not {part["type"] for part in parts} <= set(_PARTS):
        raise NotRead(str(parts)[:40])
    return [dict(part) for part in parts if part.get("text", part) != ""]


def _canonical_call(call: JSON) -> dict[str, Any]:
    function = call["function"]
    return {**call, "function": {**function, "arguments": json.loads(function["arguments"] or "{}")}}


def _tool(tool: JSON) -> Any:
    function = tool.get("function") or tool
    return {name: value for name, value in function.items() if value not in (None, "", {}, False)}


# --- What was sent ----------------------------------------------------------------------------------------------------


class Listening(Tape):
    """A tape that keeps what it is asked in `heard`."""

    def __init__(self, interactions: Sequence[Interaction], heard: list[Any]) -> None:
        super().__init__(interactions, recording=False)
        self.heard = heard

    def play_response(self, request: Any) -> Mapping[str, Any]:
        response = super().play_response(request)
        self.heard.append(json.loads(request.body or b"null"))
        return response


SAME = "pass"
DIFFERENCES: Mapping[str, str] = {
    SAME: "the conversation, its tools and the choice among them are sent as they were recorded",
    "other_form": "the recorded request is not read back into OpenAI's form: asked with a word of the tests' own",
    "unsent": "litellm sends nothing for this row: its outcome says why",
    "choice_left_out": "litellm leaves out a choice among no tools",
    "fields_left_out": "litellm or the router leaves out a field that OpenAI's form does not have in this place",
    "new_ids": "calls of two turns had one id, and the router gives each its own",
    "parts_joined": "litellm makes one text of several parts, and none of a blank one",
    "role_renamed": "litellm tells a developer's message as one of the system",
    "schema_reworded": "litellm rewords the schema of a tool",
    "system_as_user": "litellm tells this model the system's message as the user's",
    "thoughts_left_out": "thoughts are not told again to who does not want them back",
}
_REASONS = (
    (r"\.tools\b", "schema_reworded"),
    (r"\.tool_choice$", "choice_left_out"),
    (r"\.messages$", "system_as_user"),
    (r"\.role$", "role_renamed"),
    (r"\.reasoning(_content)?$", "thoughts_left_out"),
    (r"\.(index|name)$", "fields_left_out"),
    (r"\.(id|tool_call_id)$", "new_ids"),
)


def sameness(path: str, recorded: JSON, heard: Sequence[JSON]) -> str:
    """How what was sent differs from what was recorded: a word of DIFFERENCES, or several."""
    if not heard:
        return "unsent"
    found = [reason for sent in heard for reason in _differences(told(path, recorded), told(path, sent), "")]
    return "+".join(sorted(set(found))) or SAME


def _differences(one: Any, other: Any, path: str) -> Iterator[str]:
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        for name in {*one, *other}:
            yield from _differences(one.get(name), other.get(name), f"{path}.{name}")
    elif path.endswith(".content") and one != other:
        thinks = any(part.get("type") == "thinking" for part in one)
        yield (
            "parts_joined"
            if _said(one) == _said(other)
            else "thoughts_left_out"
            if thinks
            else f"{path} differs"
        )
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for at, (mine, yours) in enumerate(zip(one, other, strict=True)):
            yield from _differences(mine, yours, f"{path}[{at}]")
    elif one != other:
        yield next((reason for form, reason in _REASONS if re.search(form, path)), f"{path} differs")


def _said(parts: Sequence[JSON]) -> str:
    return "".join(part.get("text", str(part)) for part in parts).strip()
