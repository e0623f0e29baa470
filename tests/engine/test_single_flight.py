"""Identical calls at once: one is sent and paid for, and each caller is served as it would be from the cache."""

import asyncio
import threading
from collections.abc import Sequence
from typing import Any

import pytest

from router import AsyncRouter, DeadlineExceeded, Reply, Router, RouterError, TargetsExhausted
from router import events as ev
from router.adapters.clocks import AsyncClock, SystemClock
from router.adapters.scripted_transport import Fails, Says, Script, ScriptedTransport
from router.values import Kind

POLICIES: dict[str, Any] = {
    "version": 1,
    "providers": {"openai": {}},
    "policies": {
        "kept": {
            "targets": ["openai/gpt-5-nano"],
            "retry": "off",
            "ceiling": {"input_tokens": "10k", "output_tokens": 100},
            "timeout": {"total": "5s"},
            "cache": {"ttl": "1h", "sampled": True},
            "budget": {"per_day": "$5"},
        },
        "alone": {"targets": ["openai/gpt-5-nano"], "ceiling": {"input_tokens": "10k", "output_tokens": 100}},
    },
    "tenants": {
        "acme": {"policies": "all", "budget": {"per_day": "$5"}, "limits": {"concurrent_requests": "2k"}},
        "other": {"policies": "all"},
    },
}
SLOW = Says("hello", after_s=0.2)


def opened(script: Script) -> tuple[AsyncRouter, ScriptedTransport]:
    clock = AsyncClock()
    wire = ScriptedTransport(script, clock=clock)
    return AsyncRouter.open(POLICIES, transport=wire, clock=clock, state="memory", cache="memory"), wire


def told(reply: Reply, fact: type[ev.Event]) -> Sequence[ev.Event]:
    return [event for event in reply.trace if isinstance(event, fact)]


async def held(router: AsyncRouter) -> set[str]:
    """The states of the rows; nothing else may be held."""
    limits = router.plan.tenants["acme"].limits
    used = await router.ports.limiter.used(limits, now_s=router.ports.clock.now_s())
    assert set(used.values()) == {0}
    return {row.state for row in await router.ports.ledger.rows()}


def test_a_thousand_identical_calls_are_sent_once() -> None:
    async def main() -> None:
        router, wire = opened(SLOW)
        async with router:
            call = {"policy": "kept", "tenant": "acme"}
            replies = await asyncio.gather(*(router.complete("hi", **call) for _ in range(1000)))
            assert len(wire.calls) == 1
            assert {reply.text for reply in replies} == {"hello"}
            paid = [reply for reply in replies if not reply.cached]
            assert len(paid) == 1
            assert {reply.cost_nusd for reply in replies if reply.cached} == {0}
            shared = [reply for reply in replies if told(reply, ev.AnswerShared)]
            assert len(shared) == 999
            assert len({reply.request_id for reply in replies}) == 1000
            assert await held(router) == {"settled"}

    asyncio.run(main())


def test_each_may_change_what_it_was_given() -> None:
    async def main() -> None:
        router, _ = opened(SLOW)
        async with router:

            async def changed(number: int) -> Reply:
                reply = await router.complete("hi", policy="kept", tenant="acme")
                assert reply.message["content"] == reply.choices[0]["message"]["content"] == "hello"
                reply.message["content"] = f"changed by {number}"
                return reply

            replies = await asyncio.gather(*map(changed, range(3)))
            assert [reply.text for reply in replies] == [f"changed by {number}" for number in range(3)]

    asyncio.run(main())


def test_threads_share_too() -> None:
    clock = SystemClock()
    wire = ScriptedTransport(SLOW, clock=clock)
    replies: list[Reply] = []
    with Router.open(POLICIES, transport=wire, clock=clock, state="memory", cache="memory") as router:
        threads = [
            threading.Thread(
                target=lambda: replies.append(router.complete("hi", policy="kept", tenant="acme"))
            )
            for _ in range(32)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(wire.calls) == 1
    assert [reply.text for reply in replies] == ["hello"] * 32


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"tenant": "acme"}, {"tenant": "other"}),
        ({"messages": "hi"}, {"messages": "ho"}),
        ({"policy": "kept"}, {"policy": "alone"}),
        ({"policy": "alone"}, {"policy": "alone"}),
        ({"max_tokens": 50}, {"max_tokens": 60}),
    ],
    ids=["tenants", "messages", "policies", "no-cache", "parameters"],
)
def test_what_the_cache_keeps_apart_is_not_shared(one: dict[str, Any], other: dict[str, Any]) -> None:
    async def main() -> None:
        router, wire = opened(SLOW)
        call = {"policy": "kept", "tenant": "acme", "messages": "hi"}
        async with router:
            await asyncio.gather(router.complete(**{**call, **one}), router.complete(**{**call, **other}))
            assert len(wire.calls) == 2

    asyncio.run(main())


def test_when_the_leader_is_cancelled_the_next_one_goes_on_its_own_money() -> None:
    async def main() -> None:
        router, wire = opened(SLOW)
        call = {"policy": "kept", "tenant": "acme"}
        async with router:
            leader = asyncio.create_task(router.complete("hi", **call))
            await asyncio.sleep(0.05)
            others = [asyncio.create_task(router.complete("hi", **call)) for _ in range(5)]
            await asyncio.sleep(0.05)
            leader.cancel()
            replies = await asyncio.gather(*others)
            assert len(wire.calls) == 2
            assert [reply.cached for reply in replies] == [False, True, True, True, True]
            assert await held(router) == {"settled"}

    asyncio.run(main())


def test_when_the_leader_fails_the_others_go_on_in_order() -> None:
    async def main() -> None:
        failing = Fails(Kind.SERVER_ERROR, status=500, after_s=0.05)
        router, wire = opened([failing, failing, Says("hello", after_s=0.05)])
        call = {"policy": "kept", "tenant": "acme"}
        async with router:
            ends = await asyncio.gather(
                *(router.complete("hi", **call) for _ in range(6)), return_exceptions=True
            )
            assert len(wire.calls) == 3
            assert [type(end) for end in ends[:2]] == [TargetsExhausted] * 2
            assert [end.text for end in ends[2:] if isinstance(end, Reply)] == ["hello"] * 4
            assert await held(router) == {"settled"}

    asyncio.run(main())


def test_a_follower_in_a_hurry_is_told_in_time_and_the_flight_goes_on() -> None:
    async def main() -> None:
        router, wire = opened(SLOW)
        call = {"policy": "kept", "tenant": "acme"}
        async with router:
            leader = asyncio.create_task(router.complete("hi", **call))
            await asyncio.sleep(0.02)
            with pytest.raises(DeadlineExceeded, match="an identical call was under way"):
                await router.complete("hi", timeout=0.05, **call)
            assert (await leader).text == "hello"
            assert len(wire.calls) == 1
            assert await held(router) == {"settled"}

    asyncio.run(main())


def test_a_stream_waits_for_who_leads_and_is_replayed() -> None:
    async def main() -> None:
        router, wire = opened(SLOW)
        call = {"policy": "kept", "tenant": "acme"}
        async with router:
            leader = asyncio.create_task(router.complete("hi", **call))
            await asyncio.sleep(0.02)
            stream = await router.stream("hi", **call)
            assert "".join([chunk.text async for chunk in stream]) == "hello"
            assert (await stream.reply()).cached
            assert not (await leader).cached
            assert len(wire.calls) == 1

    asyncio.run(main())


def test_a_stream_that_is_open_keeps_nobody_waiting() -> None:
    clock = SystemClock()
    wire = ScriptedTransport(Says("one two"), clock=clock)
    with Router.open(POLICIES, transport=wire, clock=clock, state="memory", cache="memory") as router:
        stream = router.stream("hi", policy="kept", tenant="acme")
        next(stream)
        assert router.complete("hi", policy="kept", tenant="acme").text == "one two"
        stream.close()
    assert len(wire.calls) == 2


@pytest.mark.parametrize("reason", ["length", "content_filter"])
@pytest.mark.parametrize("falls_back", [True, False])
def test_a_cut_answer_is_that_of_all_who_wait_and_is_not_kept(reason: str, falls_back: bool) -> None:
    kind = {"length": "truncated", "content_filter": "content_filter"}[reason]
    cutting = {**POLICIES["policies"]["kept"], "targets": ["openai/gpt-5-nano", "openai/gpt-5-mini"]}
    policies = {"kept": {**cutting, **({"fall_back_on": ["transient", kind]} if falls_back else {})}}

    async def main() -> None:
        clock = AsyncClock()
        wire = ScriptedTransport(Says("half of", finish_reason=reason, after_s=0.05), clock=clock)
        written, call = {**POLICIES, "policies": policies}, {"policy": "kept", "tenant": "acme"}
        async with AsyncRouter.open(
            written, transport=wire, clock=clock, state="memory", cache="memory"
        ) as router:
            replies = await asyncio.gather(*(router.complete("hi", **call) for _ in range(20)))
            sends = 2 if falls_back else 1  # each target once, for all of them
            assert len(wire.calls) == sends
            assert {(each.text, each.finish_reason) for each in replies} == {("half of", reason)}
            assert {each.truncated for each in replies} == {reason == "length"}
            assert not (await router.complete("hi", **call)).cached
            assert len(wire.calls) == 2 * sends

    asyncio.run(main())


def test_a_leader_that_is_over_budget_refuses_itself_alone() -> None:
    poor = {**POLICIES, "tenants": {"acme": {"policies": "all", "budget": {"per_day": "$0.00001"}}}}

    async def main() -> None:
        clock = AsyncClock()
        wire = ScriptedTransport(SLOW, clock=clock)
        async with AsyncRouter.open(
            poor, transport=wire, clock=clock, state="memory", cache="memory"
        ) as router:
            calls = (router.complete("hi", policy="kept", tenant="acme") for _ in range(5))
            ends = await asyncio.gather(*calls, return_exceptions=True)
            assert {type(end).__name__ for end in ends} == {"BudgetExceeded"}
            assert all(isinstance(end, RouterError) for end in ends)
            assert wire.calls == []

    asyncio.run(main())
