"""Answers of a given form: how a target is asked for one, where it stands in an answer, what is told of a misfit."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from router.plan import Method, Target
from router.values import Message, Output

MOST_FAULTS = 10
"""Faults of one answer that the model is told of."""

_FENCE = re.compile(r"^\s*```[a-z]*\n")
_FENCED = re.compile(r"^\s*```[a-z]*\n(.*?)\n?```\s*$", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is added to a request so that its answer has the form: parameters, and a message at the end."""

    method: Method
    params: Mapping[str, Any] = field(default_factory=dict)
    messages: tuple[Message, ...] = ()


_FORMAT = ("response_format", "response_format=json_schema")
_TOOL = ("tools", "tool_choice", "tool_choice=function")


def asked(output: Output, target: Target, params: Mapping[str, Any]) -> Asked:
    """By the provider's own schemas where it has them, else by a tool that must be called, else in words. Where nothing
    is known of the target only words are sure to be taken."""
    can = target.supports or frozenset()
    if "json" in can and target.refuses.isdisjoint(_FORMAT):
        form = {"name": output.name, "schema": output.schema, "strict": output.strict}
        return Asked(
            method="schema", params={"response_format": {"type": "json_schema", "json_schema": form}}
        )
    if "tools" in can and not params.get("tools") and target.refuses.isdisjoint(_TOOL):
        function = {"name": output.name, "description": "The answer.", "parameters": output.schema}
        return Asked(
            method="tool",
            params={
                "tools": [{"type": "function", "function": function}],
                "tool_choice": {"type": "function", "function": {"name": output.name}},
            },
        )
    schema = json.dumps(output.schema, ensure_ascii=False, separators=(",", ":"))
    words = (
        f"Answer with one JSON value and nothing else. It must be valid against this JSON Schema: {schema}"
    )
    return Asked(method="prompt", messages=({"role": "user", "content": words},))


def text_of(message: Message, method: Method) -> str:
    """The JSON text of an answer: the arguments of the tool that was asked for, else its text, without a fence."""
    if method == "tool":
        for call in message.get("tool_calls") or ():
            return str((call.get("function") or {}).get("arguments") or "")
    text = message.get("content")
    text = text if isinstance(text, str) else ""
    fenced = _FENCED.match(text)
    return fenced[1] if fenced else text


def begun_text(message: Message, method: Method) -> str:
    """The same of an answer that has begun: a fence may have been opened, and not closed yet."""
    text = text_of(message, method)
    return _FENCE.sub("", text).rstrip("` \n") if _FENCE.match(text) else text


def repair(message: Message, faults: Sequence[str]) -> tuple[Message, Message]:
    """What is added to the transcript so that the model can mend its answer: the answer, and what is wrong with it."""
    said = message.get("content")
    for call in message.get("tool_calls") or ():
        said = str((call.get("function") or {}).get("arguments") or "")
    listed = "\n".join(f"- {fault}" for fault in faults[:MOST_FAULTS])
    told = f"That answer is not valid:\n{listed}\nAnswer again, with the whole JSON value and nothing else."
    return (
        {"role": "assistant", "content": said if isinstance(said, str) and said else "(nothing)"},
        {"role": "user", "content": told},
    )
