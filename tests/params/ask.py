"""What litellm makes of each parameter for a model: sent (whatever it is called there), refused, or left out unsaid.

It is asked by its own translation, without a network. What it leaves out without a word counts as not taken: a caller
who sets a seed is not told otherwise that none was sent.
"""

import json
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any

from router.adapters.litellm_calls import PREFIX

TOOL = {
    "type": "function",
    "function": {"name": "look", "description": "Look.", "parameters": {"type": "object", "properties": {}}},
}
SCHEMA = {
    "type": "object",
    "properties": {"a": {"type": "string"}},
    "required": ["a"],
    "additionalProperties": False,
}
FORMAT = {"type": "json_schema", "json_schema": {"name": "it", "strict": True, "schema": SCHEMA}}
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
LEVELS = {"by default": None, "without reasoning": "none", "with reasoning": "low"}
ROOM = 60_000  # tokens of output, in which all thinking has its place


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Whether a target refuses `word`. `unsaid`: it is taken although nothing of it is sent, for it says what holds
    anyway."""

    word: str
    params: Mapping[str, Any]
    beside: Mapping[str, Any] = field(default_factory=dict)
    unsaid: bool = False


def _plain() -> Iterator[Question]:
    values: Mapping[str, Any] = {
        "frequency_penalty": 0.5,
        "logit_bias": {"50": -1},
        "max_tokens": 5_000,
        "n": 2,
        "presence_penalty": 0.5,
        "seed": 7,
        "stop": ["END"],
        "tools": [TOOL],
        "verbosity": "low",
        "web_search_options": {},
    }
    for name, value in values.items():
        yield Question(word=name, params={name: value})
    yield Question(
        word="parallel_tool_calls", params={"parallel_tool_calls": False}, beside={"tools": [TOOL]}
    )
    for choice in ("auto", "none", "required"):
        params = {"tool_choice": choice}
        yield Question(
            word=f"tool_choice={choice}", params=params, beside={"tools": [TOOL]}, unsaid=choice == "auto"
        )
    named = {"tool_choice": {"type": "function", "function": {"name": "look"}}}
    yield Question(word="tool_choice=function", params=named, beside={"tools": [TOOL]})
    for form in ({"type": "json_object"}, FORMAT):
        yield Question(word=f"response_format={form['type']}", params={"response_format": form})
    for effort in EFFORTS:
        params, beside = {"reasoning_effort": effort}, {"max_tokens": ROOM}
        yield Question(
            word=f"reasoning_effort={effort}", params=params, beside=beside, unsaid=effort == "none"
        )


def _by_effort() -> Iterator[Question]:
    """Parameters that some models take only while they don't reason."""
    for level, effort in LEVELS.items():
        beside = {"max_tokens": ROOM, **({"reasoning_effort": effort} if effort else {})}
        ask = {"temperature!=1": {"temperature": 0.5}, "temperature": {"temperature": 1}}
        ask |= {"top_p": {"top_p": 0.5}, "logprobs": {"logprobs": True}}
        for word, params in ask.items():
            yield Question(word=f"{word} {level}", params=params, beside=beside, unsaid=word == "temperature")
        yield Question(
            word=f"top_logprobs {level}", params={"top_logprobs": 2}, beside={**beside, "logprobs": True}
        )


PLAIN, BY_EFFORT = tuple(_plain()), tuple(_by_effort())


def refused(kind: str, model: str) -> frozenset[str]:
    """The words of all that litellm does not send to `model` at a provider of `kind`."""
    logging.getLogger("LiteLLM").setLevel(logging.CRITICAL)
    sent = cache(partial(_sent, kind, model))
    found = {each.word for each in PLAIN if not _taken(each, sent)}
    possible = {level for level, effort in LEVELS.items() if f"reasoning_effort={effort}" not in found}
    depends = {each.word for each in BY_EFFORT if _level(each) in possible and not _taken(each, sent)}
    return frozenset(_shortened(found | depends | set(_too_short(sent)), possible))


def _too_short(sent: Callable[[str], str | None]) -> Iterator[str]:
    """Efforts that are sent as a budget of thinking, within which no answer has room: Anthropic refuses those."""
    for effort in EFFORTS:
        whole = sent(json.dumps({"max_tokens": ROOM, "reasoning_effort": effort}))
        budget = re.search(r"'budget_tokens': (\d+)", whole or "")
        if budget is not None:
            yield f"reasoning_effort={effort} within {budget[1]}"


def _taken(question: Question, sent: Callable[[str], str | None]) -> bool:
    whole = sent(json.dumps({**question.beside, **question.params}))
    if whole is None:
        return False
    return question.unsaid or whole != sent(json.dumps(question.beside))


def _sent(kind: str, model: str, params: str) -> str | None:
    """What litellm would send of `params`; None: it refuses them."""
    from litellm import BadRequestError
    from litellm.utils import get_optional_params

    said = [{"role": "user", "content": "Say hi"}]
    try:
        sent = get_optional_params(
            model=model, custom_llm_provider=PREFIX.get(kind, kind), messages=said, **json.loads(params)
        )
    except BadRequestError:  # UnsupportedParamsError is one
        return None
    return repr(sorted(item for item in sent.items() if item[0] not in _unsent(kind, model)))


def _unsent(kind: str, model: str) -> frozenset[str]:
    """What its translation still holds, and its request then does not."""
    gemini = kind == "gemini" or (kind == "vertex_ai" and model.startswith("gemini"))
    return frozenset({"json_mode", *(["parallel_tool_calls"] if gemini else [])})


def _level(question: Question) -> str:
    return next(level for level in LEVELS if question.word.endswith(level))


def _shortened(words: set[str], possible: set[str]) -> Iterator[str]:
    """What is refused in every value is one word, and so is what is refused at every level of reasoning."""
    groups = {
        "tool_choice": [f"tool_choice={each}" for each in ("auto", "none", "required", "function")],
        "response_format": ["response_format=json_object", "response_format=json_schema"],
        "reasoning_effort": [f"reasoning_effort={each}" for each in EFFORTS],
    }
    for word in ("temperature", "temperature!=1", "top_p", "logprobs", "top_logprobs"):
        groups[word] = [f"{word} {level}" for level in sorted(possible)]
    for whole, parts in groups.items():
        if words.issuperset(parts):
            words = words - set(parts) | {whole}
    for word in words:
        name, _, level = word.partition(" ")
        wider = {name, *(["temperature", f"temperature {level}"] if name == "temperature!=1" else [])} - {
            word
        }
        if words.isdisjoint(wider):
            yield word
