"""From a request and a scripted answer to what the model said, with its token counts. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from router.testing.fake_provider_script import Answer, FinishReason, ToolCall
from router.testing.fake_provider_shapes import fitting
from router.testing.fake_provider_words import count_tokens, cut_to_tokens, pieces, story
from router.testing.wire_types import Ask, Call, Counts, Said, Stamp, tool_named

_CALL_TOKENS = 3
_WORDS_IN_VALUES = 6


def compose(ask: Ask, answer: Answer, stamp: Stamp) -> Said:
    """What is said: limits and stop sequences of the request hold unless the script gives the numbers."""
    calls = _calls(ask, answer, stamp)
    said = Said(
        texts=_texts(ask, answer, calls),
        counts=Counts(input=0, output=0),
        calls=calls,
        refusal=answer.refusal,
    )
    if answer.output_tokens is None and answer.finish_reason is None:
        said = _within_limits(ask, _stopped(ask, said))
    finish: FinishReason = answer.finish_reason or ("tool_calls" if calls else said.finish)
    return replace(said, finish=finish, counts=_counts(ask, answer, said))


def _calls(ask: Ask, answer: Answer, stamp: Stamp) -> tuple[Call, ...]:
    if not ask.tools:
        return ()
    wanted: Sequence[ToolCall | str] = answer.tool_calls
    if not wanted and answer.text is None and ask.forced_tool is not None:
        wanted = (ask.forced_tool,)
    return tuple(_call(ask, item, stamp, at) for at, item in enumerate(wanted))


def _call(ask: Ask, item: ToolCall | str, stamp: Stamp, at: int) -> Call:
    call = ToolCall(item) if isinstance(item, str) else item
    arguments = call.arguments
    if arguments is None:
        tool = tool_named(ask.tools, call.name)
        arguments = _object(tool.schema if tool else {}, ask)
    made_up = f"{stamp.id('call_', 20)}{at:04x}"
    return Call(id=call.id or made_up, name=call.name, arguments=arguments, signature=call.signature)


def _object(schema: Mapping[str, Any], ask: Ask) -> dict[str, Any]:
    value = fitting(schema, words=_few_words(ask)) if schema else {}
    return value if isinstance(value, dict) else {}


def _few_words(ask: Ask) -> str:
    return pieces(" ".join(ask.prompt.split()), _WORDS_IN_VALUES)[0] if ask.prompt.strip() else "nothing"


def _texts(ask: Ask, answer: Answer, calls: tuple[Call, ...]) -> tuple[str, ...]:
    if answer.refusal is not None:
        return ("",) * ask.choices
    if answer.text is not None:
        return (answer.text,) * ask.choices
    if calls:
        return ("",) * ask.choices
    return tuple(_made_up(ask, choice) for choice in range(ask.choices))


def _made_up(ask: Ask, choice: int) -> str:
    if ask.schema is not None:
        return json.dumps(fitting(ask.schema, words=_few_words(ask)), ensure_ascii=False)
    told = story(ask.model, ask.prompt, choice)
    return json.dumps({"answer": told}, ensure_ascii=False) if ask.wants_json else told


def _stopped(ask: Ask, said: Said) -> Said:
    """Cut at the first stop sequence of each text."""
    found = [(text.find(stop), stop) for text in said.texts for stop in ask.stops if stop and stop in text]
    if not found:
        return said
    texts = tuple(_before(text, ask.stops) for text in said.texts)
    return replace(said, texts=texts, stopped_by=min(found)[1])


def _before(text: str, stops: tuple[str, ...]) -> str:
    return text[: min((text.find(stop) for stop in stops if stop and stop in text), default=len(text))]


def _within_limits(ask: Ask, said: Said) -> Said:
    if ask.max_tokens is None or said.calls:
        return said
    texts = tuple(cut_to_tokens(text, ask.max_tokens) for text in said.texts)
    return said if texts == said.texts else replace(said, texts=texts, finish="length", stopped_by=None)


def _counts(ask: Ask, answer: Answer, said: Said) -> Counts:
    made = sum(count_tokens(text) for text in said.texts) + count_tokens(said.refusal or "")
    made += sum(
        _CALL_TOKENS + count_tokens(f"{call.name} {json.dumps(call.arguments)}") for call in said.calls
    )
    return Counts(
        input=ask.input_tokens if answer.input_tokens is None else answer.input_tokens,
        output=made + answer.reasoning_tokens if answer.output_tokens is None else answer.output_tokens,
        cached=answer.cached_tokens,
        written=answer.cache_write_tokens,
        reasoning=answer.reasoning_tokens,
    )
