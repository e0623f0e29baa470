"""Recorded conversations with tools: each through a whole router, and each recorded answer told to every other kind of
provider. `python -m tests.recorded_flows` writes the table anew; the difference is for people to judge."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from router.decide.transcript import transcript
from tests.adapters.posted import MODELS, posted
from tests.recorded_calls import PASS, REASONS, chat_rows, tools_of
from tests.recorded_flows import flow_outcomes, read_table
from tests.recorded_requests import DIFFERENCES, SAME
from tests.recorded_routing import Came, Routed, document, load_plan, played_sync, routed
from tests.wire_rules import read

LEAST_LEGS = 47
LEAST_ASKED = 35
LEAST_TOLD = 22
DICE = "deepseek/chat_parallel_tool_calls__deepseek-chat__ruby-llm.yaml"
THINKING = "anthropic/chat_tool_call__claude-opus-4-1-20250805__req-llm.yaml"

pytestmark = [
    pytest.mark.recordings,
    pytest.mark.filterwarnings("ignore:Pydantic serializer warnings:UserWarning"),  # litellm's own models
    pytest.mark.filterwarnings("ignore:.*`ReadOnly` qualifier:UserWarning"),  # litellm's own models
]


def test_the_table_has_a_row_for_each_leg_of_each_conversation(recordings: Path) -> None:
    legs = Counter(row.file for row in chat_rows(recordings) if "/flow_" in row.file)
    assert legs == Counter(file for file, _ in read_table())


def test_every_conversation_does_under_a_whole_router_what_the_table_says(recordings: Path) -> None:
    assert flow_outcomes(recordings) == read_table()


def test_enough_legs_pass_and_every_other_names_its_reason() -> None:
    asked, came = (Counter(line[column] for line in read_table().values()) for column in (0, 1))
    assert came[PASS] >= LEAST_LEGS
    assert asked[SAME] >= LEAST_ASKED
    assert set(came) <= set(REASONS)
    assert {reason for line in asked for reason in line.split("+")} <= set(DIFFERENCES)


# --- Told to every kind of provider -----------------------------------------------------------------------------------


def calling(folder: Path) -> list[Routed]:
    """Recorded answers that call tools: one of each provider, whole and streamed, several calls at once where there is
    such a one; one call thrice; and one with thoughts."""
    found = {}
    for each in routed(folder):
        row = each.row
        first = "/flow_tool" in row.file and row.interaction == 0
        if first or "parallel_tool_calls" in row.behaviour:
            found.setdefault((row.provider, row.streaming), each)
        if row.file in (THINKING, DICE):
            found[row.file, ""] = each
    return list(found.values())


def test_every_recorded_call_may_be_told_to_every_kind_of_provider(recordings: Path) -> None:
    every = calling(recordings)
    plan = load_plan(document(every))[0]
    told: Counter[str] = Counter()
    for each in every:
        came = played_sync(plan, each)
        if not isinstance(came, Came) or not came.reply.tool_calls:
            continue
        told[each.row.provider] += 1
        for kind in MODELS:
            check_told(kind, came)
    assert sum(told.values()) >= LEAST_TOLD, told
    assert {"anthropic", "azure", "bedrock", "cohere", "gemini", "groq", "mistral", "openai"} <= told.keys()


def one_by_one(came: Came) -> list[tuple[Any, str]]:
    """Each call and its result."""
    return [(call, f"result {at}") for at, call in enumerate(tools_of(came.reply.message))]


def together(came: Came) -> list[tuple[Any, str]]:
    """The same, of equal calls all the results: three throws of a die were recorded, and litellm tells Gemini one."""
    found: list[tuple[Any, str]] = []
    for call, result in one_by_one(came):
        at = next((at for at, (known, _) in enumerate(found) if known == call), None)
        if at is None:
            found.append((call, result))
        else:
            found[at] = (call, f"{found[at][1]}\n{result}")
    return found


def check_told(kind: str, came: Came) -> None:
    """The calls and their results, in that order, and nothing of it is lost or made up."""
    calls = came.reply.tool_calls
    results = [
        {"role": "tool", "tool_call_id": call["id"], "content": f"result {at}"}
        for at, call in enumerate(calls)
    ]
    conversation = [{"role": "user", "content": "hi"}, came.reply.message, *results]
    names = dict.fromkeys(call["function"]["name"] for call in calls)
    tools = [
        {"type": "function", "function": {"name": name, "parameters": {"type": "object"}}} for name in names
    ]
    body = posted(kind, transcript(conversation, kind=kind, model=MODELS[kind]), tools=tools)
    _, asked, answered = read(kind, body)
    assert asked.text == came.reply.text
    told = [
        ((name, json.loads(arguments)), text)
        for (name, arguments), (_, text) in zip(asked.calls, answered.results, strict=True)
    ]
    assert told == (together(came) if kind == "gemini" else one_by_one(came))
    thoughts = [block["signature"] for block in came.reply.message.get("thinking_blocks", ())]
    text = json.dumps(body)
    assert all((signature in text) == (kind in ("anthropic", "bedrock")) for signature in thoughts)
