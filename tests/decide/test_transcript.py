"""A conversation as its next provider takes it: ids, thoughts and fields of other providers."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.decide.transcript import params_for, transcript
from tests.wire_rules import IDS

TARGETS = {
    "openai": "gpt-5-nano",
    "azure": "gpt-4o",
    "anthropic": "claude-haiku-4-5",
    "bedrock": "anthropic.claude-haiku-4-5-20251001-v1:0",
    "gemini": "gemini-2.5-flash",
    "mistral": "mistral-small-latest",
    "groq": "openai/gpt-oss-20b",
    "deepseek": "deepseek-reasoner",
}
RULES = {**IDS, "azure": IDS["openai"], "gemini": ".+"}
SIGNED = {"type": "thinking", "thinking": "hm", "signature": "EsIDabc="}
HIDDEN = {"type": "redacted_thinking", "data": "xyz"}


def call(id: Any, name: str = "weather", arguments: str = '{"city": "Rome"}', **more: Any) -> dict[str, Any]:
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}, **more}


def asked(*calls: Mapping[str, Any], content: Any = None, **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content, "tool_calls": list(calls), **more}


def said(id: Any, content: Any = "sunny") -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": id, "content": content}


def to(kind: str, *messages: Mapping[str, Any], model: str | None = None) -> list[dict[str, Any]]:
    return [dict(each) for each in transcript(messages, kind=kind, model=model or TARGETS.get(kind, "model"))]


def ids(messages: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[str]]:
    """(of the calls, of the results)."""
    calls = [one["id"] for each in messages for one in each.get("tool_calls") or ()]
    return calls, [each["tool_call_id"] for each in messages if each["role"] == "tool"]


# --- any conversation


names = st.sampled_from(
    ["weather", "time", "call_1", "8JctI49Z3", "functions.a:0", "toolu_01AoUF", "x" * 70, "", "é z"]
)
signatures = st.sampled_from(["", "__thought__CmMB/+="])
turns = st.lists(
    st.tuples(
        st.lists(st.tuples(names, signatures), min_size=1, max_size=3),
        st.sampled_from([None, "", " ", "Let me see.", []]),
        st.booleans(),
    ),
    max_size=4,
)


def conversation(drawn: Sequence[Any]) -> Iterator[dict[str, Any]]:
    yield {"role": "user", "content": "hi"}
    for number, (calls, content, thinks) in enumerate(drawn):
        thoughts = {"thinking_blocks": [SIGNED], "reasoning_content": "hm"} if thinks else {}
        texts = [f"{name}{signature}" for name, signature in calls]
        calls_ = (call(text, f"tool_{at}") for at, text in enumerate(texts))
        yield asked(*calls_, content=content, **thoughts)
        yield from (said(text, f"{number} {at}") for at, text in enumerate(texts))
        yield {"role": "user", "content": "and?"}


@pytest.mark.parametrize("kind", TARGETS)
@settings(max_examples=30, deadline=None)
@given(drawn=turns)
def test_every_call_has_a_valid_id_of_its_own_and_every_result_that_of_its_call(
    kind: str, drawn: Any
) -> None:
    messages = list(conversation(drawn))
    before = deepcopy(messages)
    told = to(kind, *messages)
    assert messages == before
    calls, results = ids(told)
    assert calls == results  # all are answered in order
    assert max(Counter(calls).values(), default=1) == 1
    assert all(re.fullmatch(RULES.get(kind, ".+"), each, re.DOTALL) for each in calls)
    assert [each["content"] for each in told if each["role"] != "assistant"] == [
        each["content"] for each in messages if each["role"] != "assistant"
    ]


@pytest.mark.parametrize("kind", TARGETS)
@settings(max_examples=30, deadline=None)
@given(drawn=turns, cut=st.integers(0, 12))
def test_a_longer_conversation_begins_as_the_shorter_one_and_what_is_told_stays(
    kind: str, drawn: Any, cut: int
) -> None:
    messages = list(conversation(drawn))
    told = to(kind, *messages)
    assert to(kind, *messages[:cut]) == told[:cut]
    assert to(kind, *told) == told


# --- ids


def test_an_id_that_is_valid_stays():
    messages = ({"role": "user", "content": "hi"}, asked(call("8JctI49Z3")), said("8JctI49Z3"))
    for kind in ("openai", "anthropic", "gemini", "mistral", "groq"):
        assert transcript(messages, kind=kind, model="m") is messages


def test_a_conversation_of_texts_is_the_same_object():
    messages = ({"role": "user", "content": "hi"},)
    assert transcript(messages, kind="mistral", model="m") is messages


def test_ids_that_differ_where_a_provider_accepts_no_difference_stay_different():
    calls, results = ids(to("anthropic", asked(call("a.b"), call("a:b")), said("a:b"), said("a.b")))
    assert len(set(calls)) == 2
    assert results == calls[::-1]


def test_a_later_turn_may_use_an_id_again():
    turn = (asked(call("tool_0")), said("tool_0"))
    calls, results = ids(to("anthropic", *turn, *turn, *turn))
    assert calls[0] == "tool_0"
    assert calls == results
    assert len(set(calls)) == 3


def test_calls_without_ids_are_answered_in_their_order():
    calls, results = ids(to("openai", asked(call(None), call("")), said(None, "1"), said("", "2")))
    assert calls == results
    assert len(set(calls)) == 2


def test_a_second_result_of_a_call_and_one_of_none_keep_their_places():
    told = to("mistral", asked(call("call_1")), said("call_1"), said("call_1"), said("8JctI49Z3"))
    (made,), results = ids(told)
    assert results == [made, made, "8JctI49Z3"]


@pytest.mark.parametrize("model", ["mistral-large", "Ministral-3B"])
def test_mistrals_models_have_its_ids_at_azure_and_google_too(model: str):
    for kind in ("azure_ai", "vertex_ai"):
        assert re.fullmatch(IDS["mistral"], ids(to(kind, asked(call("call_1")), model=model))[0][0])


def test_gemini_has_the_results_in_the_order_of_their_calls():
    told = to("gemini", asked(call("1"), call("2", "time")), said("2", "noon"), said("1", "sunny"), said("x"))
    assert [(each["tool_call_id"], each["content"]) for each in told[1:]] == [
        ("1", "sunny"), ("2", "noon"), ("x", "sunny")
    ]  # fmt: skip


def test_gemini_is_told_of_a_call_of_no_function():
    own = {"id": "1", "type": "custom", "custom": {"name": "f", "input": "x"}, "function": None}
    told = to("gemini", asked(own, call("2")), said("1", "a"), said("2", "b"))
    assert {message["tool_call_id"] for message in told[-2:]} == {"1", "2"}


def test_gemini_has_two_equal_calls_as_one_with_both_results():
    dice = [call("1", "dice", "{}"), call("2", "time"), call("3", "dice", "")]
    told = to("gemini", asked(*dice), said("1", "4"), said("2", "noon"), said("3", "6"))
    assert told == [asked(*dice[:2]), said("1", "4\n6"), said("2", "noon")]
    parts = [{"type": "text", "text": "4"}]
    assert to("gemini", asked(*dice), said("1", parts), said("3", "6"))[1]["content"] == [
        *parts, {"type": "text", "text": "6"}
    ]  # fmt: skip


# --- what an answer says beside OpenAI's words


FULL = asked(
    call("1", caller={"type": "direct"}, index=0, provider_specific_fields={"thought_signature": "x"}),
    annotations=[],
    images=[],
    thinking_blocks=[SIGNED, HIDDEN, {"type": "thinking", "thinking": "of another, unsigned"}],
    reasoning_content="hm",
    provider_specific_fields={"thought_signatures": ["x"]},
)


@pytest.mark.parametrize(
    ("kind", "model", "wanted"),
    [
        ("openai", "gpt-5-nano", {}),
        ("groq", "openai/gpt-oss-20b", {}),
        ("mistral", "magistral-small-latest", {}),
        ("deepseek", "deepseek-reasoner", {"reasoning_content": "hm"}),
        ("anthropic", "claude-haiku-4-5", {"thinking_blocks": [SIGNED, HIDDEN]}),
        ("vertex_ai", "claude-haiku-4-5", {"thinking_blocks": [SIGNED, HIDDEN]}),
        ("bedrock", "anthropic.claude-haiku-4-5", {"thinking_blocks": [SIGNED, HIDDEN]}),
        ("bedrock", "amazon.nova-lite", {}),
        ("gemini", "gemini-2.5-flash", {"provider_specific_fields": {"thought_signatures": ["x"]}}),
        ("openrouter", "google/gemini-2.5-flash", {}),
    ],
)
def test_a_provider_sees_of_an_answer_what_it_wants_back_and_no_more(kind: str, model: str, wanted: Any):
    (told,) = to(kind, FULL, model=model)
    one = call("1", **({"provider_specific_fields": {"thought_signature": "x"}} if kind == "gemini" else {}))
    assert told == asked({**one, "id": told["tool_calls"][0]["id"]}, **wanted)


@pytest.mark.parametrize("blank", ["", " \n", [], [{"type": "text", "text": ""}]])
def test_a_call_needs_no_text_and_no_arguments(blank: Any):
    (told,) = to("gemini", asked(call("1", arguments=""), content=blank))
    assert told == asked(call("1", arguments="{}"))


def test_an_empty_list_of_calls_is_none():
    assert to("openai", {"role": "assistant", "content": "hi", "tool_calls": []}) == [
        {"role": "assistant", "content": "hi"}
    ]


def test_a_refusal_is_a_text_where_it_has_no_field():
    refused = {"role": "assistant", "content": None, "refusal": "No."}
    assert to("openai", refused) == to("azure", refused) == [refused]
    assert to("mistral", refused) == [{"role": "assistant", "content": "No."}]


# --- thinking


def test_claude_is_not_told_to_think_after_a_call_that_it_did_not_think_about():
    params = {"reasoning_effort": "low", "temperature": 1}
    foreign, own = asked(call("1")), asked(call("1"), thinking_blocks=[SIGNED])
    question = {"role": "user", "content": "hi"}

    def left(kind: str, *messages: Mapping[str, Any]) -> Mapping[str, Any]:
        return params_for(params, messages, kind=kind, model=TARGETS[kind])

    assert left("anthropic", question, foreign, said("1")) == {"temperature": 1}
    assert left("bedrock", question, foreign, said("1")) == {"temperature": 1}
    assert left("anthropic", question, own, said("1")) is params
    assert left("openai", question, foreign, said("1")) is params
    concluded = {"role": "assistant", "content": "Sunny."}
    assert left("anthropic", question, foreign, said("1"), concluded, question) is params
