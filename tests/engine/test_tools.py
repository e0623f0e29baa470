"""Conversations with tools through the engine: what each attempt is told, and what makes two of them the same."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from router import AsyncRouter, Router
from router import events as ev
from router.adapters.clocks import AsyncClock, ManualClock
from router.adapters.scripted_transport import Fails, Says, ScriptedTransport
from router.values import Kind, Message
from tests.build import plan, policy
from tests.world import ByteReader, ByteTokens, World

MISTRAL, CLAUDE = "mistral/mistral-small-latest", "anthropic/claude-haiku-4-5"
POLICIES: dict[str, Any] = {
    "version": 1,
    "providers": {"openai": {}, "mistral": {}, "anthropic": {}},
    "policies": {
        "main": {"targets": ["openai/gpt-5-nano", MISTRAL, CLAUDE], "retry": "off"},
        "kept": {"targets": ["openai/gpt-5-nano"], "cache": {"ttl": "1h", "sampled": True}},
        "thinking": {"targets": [CLAUDE], "params": {"reasoning_effort": "low"}},
    },
}
TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
OTHER = {
    "type": "function",
    "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}},
}
DOWN = Fails(Kind.OVERLOADED)


def conversation(name: str = "call_NEvGoF86nhPQfXRoJd5SOyLd") -> list[dict[str, Any]]:
    asked = {"id": name, "type": "function", "function": {"name": "weather", "arguments": "{}"}}
    return [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": None, "tool_calls": [asked], "reasoning_content": "hm"},
        {"role": "tool", "tool_call_id": name, "content": "sunny"},
    ]


def test_each_target_is_told_the_same_conversation_in_its_own_words() -> None:
    clock = ManualClock()
    wire = ScriptedTransport([DOWN, DOWN, Says("Sunny.")], clock=clock)
    messages = conversation()
    with Router.open(POLICIES, transport=wire, clock=clock, state="memory", cache="memory") as router:
        router.complete(messages, policy="main", tools=[TOOL])
    assert messages == conversation()
    openai, mistral, claude = (call.messages for call in wire.calls)
    assert [each[2]["tool_call_id"] for each in (openai, claude)] == ["call_NEvGoF86nhPQfXRoJd5SOyLd"] * 2
    assert len(mistral[2]["tool_call_id"]) == 9
    assert mistral[2]["tool_call_id"] == mistral[1]["tool_calls"][0]["id"]
    assert not any("reasoning_content" in each[1] for each in (openai, mistral, claude))


class Heard(ByteTokens):
    """Keeps what it was asked to count."""

    def __init__(self) -> None:
        self.conversations: list[Sequence[Message]] = []

    def reader(self, messages: Sequence[Message]) -> ByteReader:
        self.conversations.append(messages)
        return super().reader(messages)


def test_what_is_reserved_for_is_the_conversation_as_it_is_sent() -> None:
    """An id of one character becomes one of nine, which some providers show their model."""
    world, heard = World(plan(policy("main", MISTRAL)), Says("Sunny.")), Heard()
    world.ports = replace(world.ports, tokens=heard)
    world.call_with(conversation("1"))
    [sent] = world.transport.calls
    assert sent.messages in heard.conversations


def test_what_a_conversation_does_not_allow_is_left_out_and_told() -> None:
    clock = ManualClock()
    wire = ScriptedTransport(Says("Sunny."), clock=clock)
    with Router.open(POLICIES, transport=wire, clock=clock, state="memory", cache="memory") as router:
        replies = [router.complete(each, policy="thinking", tools=[TOOL]) for each in ("hi", conversation())]
    left = [
        [(event.target, event.params) for event in reply.trace if isinstance(event, ev.ParamsLeftOut)]
        for reply in replies
    ]
    assert left == [[], [(CLAUDE, ("reasoning_effort",))]]
    assert [call.params.get("reasoning_effort") for call in wire.calls] == ["low", None]


CHANGES: Mapping[str, Mapping[str, Any]] = {
    "another tool": {"tools": [OTHER]},
    "no tool": {"tools": None},
    "a choice": {"tool_choice": "required"},
    "a named choice": {"tool_choice": {"type": "function", "function": {"name": "weather"}}},
    "one at a time": {"parallel_tool_calls": False},
    "another id": {"messages": conversation("call_2")},
    "another result": {"messages": [*conversation()[:2], {**conversation()[2], "content": "rain"}]},
}


@pytest.mark.parametrize("change", CHANGES)
def test_calls_that_differ_in_tools_share_neither_an_answer_nor_a_flight(change: str) -> None:
    first = {"messages": conversation(), "policy": "kept", "tools": [TOOL]}
    second = {**first, **CHANGES[change]}

    async def sends(*calls: Mapping[str, Any], at_once: bool) -> int:
        clock = AsyncClock()
        wire = ScriptedTransport(Says("Sunny.", after_s=0.02), clock=clock)
        async with AsyncRouter.open(
            POLICIES, transport=wire, clock=clock, state="memory", cache="memory"
        ) as router:
            if at_once:
                await asyncio.gather(*(router.complete(**call) for call in calls))
            else:
                for call in calls:
                    await router.complete(**call)
            return len(wire.calls)

    for at_once in (True, False):
        assert asyncio.run(sends(first, second, at_once=at_once)) == 2
        assert asyncio.run(sends(second, second, at_once=at_once)) == 1
