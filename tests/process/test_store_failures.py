"""Stores that can't be used: without a ledger nothing is sent, without a cache everything is."""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from math import inf
from pathlib import Path

import pytest

from router import AsyncRouter, Reply, Router, StoreError
from router import events as ev
from router.adapters.clocks import ManualClock
from router.adapters.memory_ledger import MemoryLedger
from router.adapters.memory_store import MemoryStore
from router.adapters.scripted_transport import NeverAnswers, Says
from router.errors import RouterError
from router.testing import Answer
from tests.build import lexical, plan, policy
from tests.process.scene import WHO, Scene, begin, ended
from tests.world import World

pytestmark = pytest.mark.usefixtures("warm")

KEPT = {**WHO, "policy": "kept"}
BOUND_S = 2.0
NOISE_S = 1.5


@contextmanager
def held_by_another_process(file: Path) -> Iterator[None]:
    """`file` within a write transaction of somebody else."""
    process = begin("hold_lock.py", file)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield
        assert ended(process) == (0, "", "")
    finally:
        process.kill()
        process.wait()


def refused(router: Router, port: str | None = None) -> StoreError:
    with pytest.raises(StoreError) as caught:
        router.complete("hello", **WHO)
    assert port is None or caught.value.port == port
    assert caught.value.help
    return caught.value


# --- the ledger: closed


def test_a_state_folder_that_can_not_be_made_stops_every_call(scene: Scene, tmp_path: Path):
    (tmp_path / "file").write_text("not a folder", encoding="utf-8")
    with Router.open(scene.policies, state=f"sqlite:///{tmp_path / 'file' / 'state.db'}") as router:
        assert str(tmp_path / "file" / "state.db") in str(refused(router))
    assert scene.provider.requests == ()


def test_garbage_in_place_of_the_state_stops_every_call_until_it_is_moved_away(scene: Scene):
    scene.state.parent.mkdir()
    scene.state.write_bytes(b"this is no database, however long one looks at it\n" * 200)
    with Router.open(scene.policies) as router:
        assert "damaged" in str(refused(router))
        assert scene.provider.requests == ()
        scene.state.unlink()
        assert router.complete("hello", **WHO).text
    assert len(scene.rows()) == 1


def test_a_state_that_is_overwritten_while_it_is_open_stops_every_call(scene: Scene):
    with Router.open(scene.policies) as router:
        router.complete("hello", **WHO)
    with Router.open(scene.policies) as router:
        router.complete("hello", **WHO)
        for file in scene.state.parent.glob("state.db*"):
            file.write_bytes(b"\xff" * file.stat().st_size)
        assert "damaged" in str(refused(router))
    assert scene.provider.request_count == 2


def test_a_state_that_another_process_holds_stops_a_call_in_bounded_time(scene: Scene):
    with Router.open(scene.policies) as router:
        router.complete("hello", **WHO)
        with held_by_another_process(scene.state):
            began_s = time.monotonic()
            error = refused(router)
            took_s = time.monotonic() - began_s
        assert "busy" in str(error)
        assert BOUND_S <= took_s < BOUND_S + NOISE_S
        assert scene.provider.request_count == 1
        router.complete("hello", **WHO)
    assert [row.state for row in scene.rows()] == ["settled"] * 2


def test_a_loop_goes_on_while_its_state_is_held_by_another_process(scene: Scene):
    async def main() -> float:
        async with AsyncRouter.open(scene.policies) as router:
            await router.complete("hello", **WHO)
            with held_by_another_process(scene.state):
                call = asyncio.create_task(router.complete("hello", **WHO))
                longest_s, last_s = 0.0, time.monotonic()
                while not call.done():
                    await asyncio.sleep(0.005)
                    longest_s, last_s = max(longest_s, time.monotonic() - last_s), time.monotonic()
                assert isinstance(call.exception(), StoreError)
            return longest_s

    assert asyncio.run(main()) < 0.5, "the loop stood still"
    assert scene.provider.request_count == 1


def test_an_answer_is_not_lost_when_its_state_is_held_meanwhile(scene: Scene):
    """It is paid for. What can't be settled or given back now is left to the leases."""
    scene.provider.script("*", [Answer("hello"), Answer("an answer", delay_s=0.2)])

    async def main() -> Reply:
        async with AsyncRouter.open(scene.policies) as router:
            await router.complete("hello", **WHO)
            call = asyncio.create_task(router.complete("hello", **WHO))
            await asyncio.to_thread(scene.provider.wait_for, lambda requests: len(requests) == 2)
            with held_by_another_process(scene.state):
                return await call

    reply = asyncio.run(main())
    assert reply.text == "an answer"
    failed = [type(event) for event in reply.trace if isinstance(event, ev.SettleFailed | ev.ReleaseFailed)]
    assert failed == [ev.SettleFailed, ev.ReleaseFailed]
    first, second = scene.rows()
    assert (first.state, second.state) == ("settled", "sent")
    assert second.cost_nusd == second.worst_nusd, "what is not settled counts at its worst case"


@contextmanager
def stopped_in_a_write(file: Path) -> Iterator[Callable[[], None]]:
    """A neighbour that stands still inside a write transaction on `file`, until what is yielded is called."""
    process = begin("hold_lock.py", file)
    try:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        os.kill(process.pid, signal.SIGSTOP)
        process.stdin.close()  # what it ends at, once it goes on

        def go_on() -> None:
            os.kill(process.pid, signal.SIGCONT)
            assert process.wait(30) == 0

        yield go_on
    finally:
        process.kill()
        process.wait()
        for each in (process.stdout, process.stderr):
            if each is not None:
                each.close()


def test_a_neighbour_that_stands_still_in_a_write_stops_calls_in_time_and_until_it_goes_on(scene: Scene):
    with Router.open(scene.policies) as router:
        router.complete("hello", **WHO)
        with stopped_in_a_write(scene.state) as go_on:
            took_s = list[float]()
            for _ in range(3):
                began_s = time.monotonic()
                assert "busy" in str(refused(router))
                took_s.append(time.monotonic() - began_s)
            assert BOUND_S <= took_s[0] < BOUND_S + NOISE_S
            assert max(took_s[1:]) < 0.2, "nobody waits in vain twice"
            go_on()
        assert scene.provider.request_count == 1
        router.complete("hello", **WHO)
    assert [row.state for row in scene.rows()] == ["settled"] * 2
    assert scene.permits([each for tenant in router.plan.tenants.values() for each in tenant.limits]) == 0


def test_a_neighbour_that_stands_still_takes_no_call_more_than_its_time(scene: Scene):
    async def ticked(router: AsyncRouter) -> None:
        call = asyncio.create_task(router.complete("hello", timeout=0.3, **WHO))
        longest_s, last_s = 0.0, time.monotonic()
        while not call.done():
            await asyncio.sleep(0.005)
            longest_s, last_s = max(longest_s, time.monotonic() - last_s), time.monotonic()
        assert isinstance(call.exception(), StoreError)
        assert longest_s < 0.5, "the loop stood still"

    async def in_a_loop() -> None:
        async with AsyncRouter.open(scene.policies) as router:
            await ticked(router)

    with Router.open(scene.policies) as router:
        router.complete("hello", **WHO)
        with stopped_in_a_write(scene.state):
            began_s = time.monotonic()
            with pytest.raises(StoreError, match="all that the request had left"):
                router.complete("hello", timeout=0.3, **WHO)
            asyncio.run(in_a_loop())
            assert time.monotonic() - began_s < BOUND_S, "alone, one of them would have waited for so long"
    assert scene.provider.request_count == 1


def test_a_loop_turns_while_a_neighbour_stands_still_in_a_write(scene: Scene):
    async def main() -> None:
        async with AsyncRouter.open(scene.policies) as router:
            await router.complete("hello", **WHO)
            with stopped_in_a_write(scene.state) as go_on:
                calls = [asyncio.create_task(router.complete("hello", **WHO)) for _ in range(20)]
                longest_s, last_s = 0.0, time.monotonic()
                while not all(call.done() for call in calls):
                    await asyncio.sleep(0.005)
                    longest_s, last_s = max(longest_s, time.monotonic() - last_s), time.monotonic()
                assert {type(call.exception()) for call in calls} == {StoreError}
                assert longest_s < 0.5, "the loop stood still"
                await asyncio.to_thread(go_on)
            await router.complete("hello", **WHO)

    asyncio.run(main())
    assert scene.provider.request_count == 2
    assert [row.state for row in scene.rows()] == ["settled"] * 2


def test_with_open_stores_a_neighbour_that_stands_still_stops_nobody(scene: Scene):
    text = (scene.policies / "main.yaml").read_text(encoding="utf-8")
    chosen = "settings: {on_store_error: {ledger: open, limiter: open}}\n"
    (scene.policies / "main.yaml").write_text(text + chosen, encoding="utf-8")
    with Router.open(scene.policies) as router:
        router.complete("hello", **WHO)
        with stopped_in_a_write(scene.state) as go_on:
            began_s = time.monotonic()
            without = [router.complete("hello", **WHO) for _ in range(10)]
            assert time.monotonic() - began_s < BOUND_S + NOISE_S, "only the first one waits"
            go_on()
        within = router.complete("hello", **WHO)
    told = [
        {(event.port, event.step) for event in reply.trace if isinstance(event, ev.StoreBypassed)}
        for reply in (*without, within)
    ]
    steps = {("limiter", "admit"), ("ledger", "reserve")}
    assert told == [steps] * 10 + [set()]
    assert scene.provider.request_count == 12
    assert [row.state for row in scene.rows()] == ["settled"] * 2


class Unrenewed(MemoryLedger):
    """A ledger in which no lease can be extended."""

    async def renew(self, id: str, *, lease_until_s: float, wait_s: float = inf) -> None:
        raise StoreError("busy", port="ledger")


class SlowToRenew(MemoryLedger):
    """A ledger in which a lease is extended after four seconds."""

    clock: ManualClock

    async def renew(self, id: str, *, lease_until_s: float, wait_s: float = inf) -> None:
        self.clock.advance(4.0)
        await super().renew(id, lease_until_s=lease_until_s)


def test_a_lease_that_takes_long_to_extend_gives_no_provider_more_time():
    world = World(plan(policy("main", "openai/a", lexical=lexical(attempt_s=12.0))), NeverAnswers())
    ledger = SlowToRenew(MemoryStore())
    ledger.clock = world.clock
    world.ports = replace(world.ports, ledger=ledger)
    with pytest.raises(RouterError):
        world.call()
    assert {event.duration_s for event in world.facts(ev.AttemptFailed)} == {14.0}


def test_a_lease_that_can_not_be_extended_ends_no_call():
    world = World(plan(policy("main", "openai/a", lexical=lexical(attempt_s=60.0))), Says("late", after_s=25))
    world.ports = replace(world.ports, ledger=Unrenewed(MemoryStore()))
    assert world.call().text == "late"
    assert len(world.facts(ev.RenewFailed)) == 2
    assert [row.state for row in world.rows()] == ["settled"]


# --- the cache: open


def test_a_cache_folder_that_can_not_be_made_fails_no_call(scene: Scene, tmp_path: Path):
    (tmp_path / "file").write_text("not a folder", encoding="utf-8")
    with Router.open(scene.policies, cache=tmp_path / "file" / "cache") as router:
        replies = [router.complete("hello", **KEPT) for _ in range(2)]
    assert [(reply.cached, bool(reply.text)) for reply in replies] == [(False, True)] * 2
    assert [event.why for event in replies[1].trace if isinstance(event, ev.CacheMissed)] == ["store_error"]
    assert [event.why for event in replies[1].trace if isinstance(event, ev.CacheSkipped)] == ["store_error"]


def test_garbage_in_place_of_the_cache_fails_no_call(scene: Scene):
    scene.cache.mkdir(parents=True, mode=0o700)
    (scene.cache / "cache.db").write_bytes(b"this is no database\n" * 500)
    with Router.open(scene.policies) as router:
        replies = [router.complete("hello", **KEPT) for _ in range(2)]
    assert [(reply.cached, bool(reply.text)) for reply in replies] == [(False, True)] * 2


def test_a_cache_that_another_process_holds_fails_no_call_and_delays_none(scene: Scene):
    with Router.open(scene.policies) as router:
        router.complete("hello", **KEPT)
        with held_by_another_process(scene.cache / "cache.db"):
            began_s = time.monotonic()
            kept, new = router.complete("hello", **KEPT), router.complete("new", **KEPT)
            took_s = time.monotonic() - began_s
        assert (kept.cached, new.cached) == (True, False), "readers need not wait for a writer"
        assert took_s < 0.5
        assert not router.complete("new", **KEPT).cached
        assert router.complete("new", **KEPT).cached
