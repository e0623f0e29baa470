"""A store that kept somebody waiting in vain keeps nobody else waiting, and is found again soon after it is back."""

import asyncio
import os
import signal
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from router.adapters.clocks import AsyncClock, ManualClock, SystemClock
from router.adapters.outage import LONG_S, LOOK_S, REST_S, Outage
from router.adapters.redis_cache import RedisCache
from router.adapters.redis_state import RedisState
from router.adapters.redis_wire import ANSWER_S
from router.adapters.sqlite_file import STILL_S
from router.adapters.sqlite_state import SqliteState
from router.errors import StoreError
from router.ports import CacheEntry, Outcome
from router.values import Kind
from tests.adapters.states import budget, charge, do, granted, hold
from tests.adapters.valkey import ValkeyServer

TEAM = budget("tenant:acme", 3000)
DOWN = StoreError("down", port="ledger", help="start it")
QUICK_S = 0.3
"""Longer than anything takes that waits for nothing, on a busy machine."""


# --- On a clock that is told


def refused(outage: Outage) -> bool:
    try:
        outage.must_look("limiter")
    except StoreError as error:
        return (error.port, error.message) == ("limiter", "down")
    return False


def test_after_a_wait_in_vain_one_looks_and_the_others_are_refused_meanwhile() -> None:
    clock = ManualClock()
    outage = Outage(clock)
    assert not outage.must_look("ledger")
    clock.advance(4.0)
    outage.failed(DOWN, 0.0)
    assert refused(outage)
    clock.advance(REST_S)
    assert outage.must_look("ledger")
    assert refused(outage)
    clock.advance(LOOK_S)
    outage.failed(DOWN, clock.mono_s() - LOOK_S)
    assert refused(outage)
    clock.advance(REST_S)
    assert outage.must_look("ledger")
    outage.answered()
    assert not outage.must_look("ledger")


def test_whoever_looks_and_never_tells_is_followed_by_another() -> None:
    clock = ManualClock()
    outage = Outage(clock)
    clock.advance(4.0)
    outage.failed(DOWN, 0.0)
    clock.advance(REST_S)
    assert outage.must_look("ledger")
    clock.advance(LOOK_S + REST_S)
    assert outage.must_look("ledger")


def test_what_fails_at_once_is_asked_anew_by_everybody() -> None:
    clock = ManualClock()
    outage = Outage(clock)
    outage.failed(DOWN, clock.mono_s())
    assert not outage.must_look("ledger")
    clock.advance(4.0)
    outage.failed(DOWN, 0.0)
    assert refused(outage)
    outage.failed(DOWN, clock.mono_s() - LONG_S / 2)  # from one who began before: now it fails at once
    assert not outage.must_look("ledger")


def test_one_who_was_answered_meanwhile_knows_better() -> None:
    clock = ManualClock()
    outage = Outage(clock)
    clock.advance(3.0)
    outage.answered()
    clock.advance(1.0)
    outage.failed(DOWN, 0.0)
    assert not outage.must_look("ledger")


# --- Real stores


@contextmanager
def standing_still(server: ValkeyServer) -> Iterator[None]:
    os.kill(server.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(server.pid, signal.SIGCONT)


def took_s(step: Any, port: str) -> float:
    began_s = time.monotonic()
    with pytest.raises(StoreError) as caught:
        do(step())
    assert caught.value.port == port
    assert caught.value.help
    return time.monotonic() - began_s


def test_a_server_that_hangs_is_waited_for_once_and_found_again(tmp_path: Path) -> None:
    with ValkeyServer(tmp_path / "server") as server:
        state = RedisState(server.url, SystemClock(), name="t")
        assert granted(state, hold("a", charge(TEAM, 1), now_s=time.time()))
        steps = {"ledger": lambda: state.ledger.balances([]), "limiter": lambda: state.limiter.release("x")}
        with standing_still(server):
            assert 3.5 < took_s(steps["ledger"], "ledger") < 8
            for port, step in (*steps.items(), *steps.items()):
                assert took_s(step, port) < QUICK_S
            time.sleep(REST_S)
            looks = [took_s(step, port) for port, step in (*steps.items(), *steps.items())]
            assert LOOK_S * 0.9 < looks[0] < LOOK_S + 1.5
            assert max(looks[1:]) < QUICK_S
        time.sleep(REST_S)
        assert granted(state, hold("b", charge(TEAM, 1), now_s=time.time()))
        do(state.aclose())


def test_a_server_of_answers_that_hangs_is_waited_for_once_and_found_again(tmp_path: Path) -> None:
    with ValkeyServer(tmp_path / "server") as server:
        cache, key = RedisCache(server.url, SystemClock()), "ab" * 8
        do(cache.put(key, CacheEntry(body=b"{}", stored_at_s=1.0), ttl_s=60))
        with standing_still(server):
            assert took_s(lambda: cache.get(key), "cache") > 3.5
            assert took_s(lambda: cache.get(key), "cache") < QUICK_S
        time.sleep(REST_S)
        assert do(cache.get(key)) is not None
        do(cache.aclose())


def test_a_server_that_is_gone_is_found_in_the_moment_it_is_back(tmp_path: Path) -> None:
    """Its refusal costs nobody a wait, so nobody is refused without asking."""
    with ValkeyServer(tmp_path / "server", durable=True) as server:
        state = RedisState(server.url, SystemClock(), name="t")
        assert granted(state, hold("a", charge(TEAM, 1), now_s=time.time()))
        server.kill()
        assert took_s(lambda: state.ledger.balances([]), "ledger") < QUICK_S * 3
        server.start()
        assert granted(state, hold("b", charge(TEAM, 1), now_s=time.time()))
        do(state.aclose())


def test_a_hundred_tasks_at_a_server_that_hangs_wait_together_and_later_not_at_all(tmp_path: Path) -> None:
    async def main(server: ValkeyServer) -> None:
        state = RedisState(server.url, AsyncClock(), name="t")
        await state.ledger.balances([])

        async def all_at_once() -> float:
            began_s = time.monotonic()
            asked = [state.ledger.balances([]) for _ in range(100)]
            found = await asyncio.gather(*asked, return_exceptions=True)
            assert {type(each) for each in found} == {StoreError}
            return time.monotonic() - began_s

        with standing_still(server):
            assert await all_at_once() < 8
            assert await all_at_once() < QUICK_S * 3
        await asyncio.sleep(REST_S)
        assert await state.ledger.balances([]) == {}
        await state.aclose()

    with ValkeyServer(tmp_path / "server") as server:
        asyncio.run(main(server))


def test_a_file_that_somebody_holds_is_waited_for_once_and_free_at_once(tmp_path: Path) -> None:
    state = SqliteState(tmp_path / "state.db", SystemClock())
    assert granted(state, hold("a", charge(TEAM, 1), now_s=time.time()))
    with closing(sqlite3.connect(tmp_path / "state.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")

        def reserve() -> Any:
            return state.ledger.reserve(hold("b", charge(TEAM, 1), now_s=time.time()))

        assert 1.5 < took_s(reserve, "ledger") < 4
        do(state.ledger.all_balances())  # who only reads waits for nobody, and tells nothing of writers
        assert took_s(reserve, "ledger") < QUICK_S
        time.sleep(REST_S)
        assert LOOK_S * 0.9 < took_s(reserve, "ledger") < LOOK_S + 1.5
        assert took_s(reserve, "ledger") < QUICK_S
        other.execute("ROLLBACK")
        assert granted(state, hold("c", charge(TEAM, 1), now_s=time.time()))
    do(state.aclose())


def test_threads_at_a_file_that_somebody_holds_wait_together(tmp_path: Path) -> None:
    state = SqliteState(tmp_path / "state.db", SystemClock())
    assert granted(state, hold("a", charge(TEAM, 1), now_s=time.time()))
    waits: list[float] = []
    with closing(sqlite3.connect(tmp_path / "state.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")

        def reserve(name: str) -> None:
            step = state.ledger.reserve(hold(name, charge(TEAM, 1), now_s=time.time()))
            waits.append(took_s(lambda: step, "ledger"))

        threads = [threading.Thread(target=reserve, args=(f"b{number}",)) for number in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        other.execute("ROLLBACK")
    assert len(waits) == 16
    assert max(waits) < 5
    assert granted(state, hold("c", charge(TEAM, 1), now_s=time.time()))
    do(state.aclose())


def test_whoever_has_little_time_gives_up_alone_and_tells_of_a_file_that_stood_still(tmp_path: Path) -> None:
    clock = ManualClock()
    state = SqliteState(tmp_path / "state.db", clock)
    assert granted(state, hold("a", charge(TEAM, 1)))
    steps = {
        "ledger": lambda wait_s: state.ledger.reserve(hold("b", charge(TEAM, 1)), wait_s=wait_s),
        "limiter": lambda wait_s: state.limiter.release("a", wait_s=wait_s),
        "health": lambda wait_s: state.health.note(failed_outcome(), wait_s=wait_s),
    }
    with closing(sqlite3.connect(tmp_path / "state.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        for wait_s in (0.0, 0.3):
            for port, step in steps.items():
                began_s = clock.mono_s()
                took_s(lambda step=step, wait_s=wait_s: step(wait_s), port)
                assert clock.mono_s() - began_s == pytest.approx(wait_s)
        took_s(lambda: steps["limiter"](STILL_S), "limiter")
        began_s = clock.mono_s()
        took_s(lambda: steps["ledger"](9.0), "ledger")
        assert clock.mono_s() == began_s, "that it is held is known by now"
    do(state.aclose())


def failed_outcome() -> Outcome:
    return Outcome(provider="openai", model="m", key="K", kind=Kind.RATE_LIMITED, named_s=1, now_s=0.0)


def test_a_server_that_hangs_keeps_a_loop_no_longer_than_a_request_lasts(tmp_path: Path) -> None:
    async def main(server: ValkeyServer) -> None:
        state = RedisState(server.url, AsyncClock(), name="t")
        now_s = time.time()
        await state.ledger.reserve(hold("a", charge(TEAM, 1), now_s=now_s))
        with standing_still(server):
            began_s = time.monotonic()
            with pytest.raises(StoreError, match=r"within 0\.2 s, all that the request had left"):
                await state.ledger.release("a", now_s=now_s, wait_s=0.2)
            assert 0.19 < time.monotonic() - began_s < 1.5
            for read in (
                state.ledger.balances([], wait_s=0.2),
                state.ledger.held([], now_s=now_s, wait_s=0.2),
                state.health.read(keys=[("openai", "K")], wait_s=0.2),
            ):
                with pytest.raises(StoreError, match="all that the request had left"):
                    await read
            assert time.monotonic() - began_s < 3.0
        while (row := await state.ledger.row("a")) is None or row.state != "released":
            await asyncio.sleep(0.01)  # it was asked all the same
        await state.aclose()

    with ValkeyServer(tmp_path / "server") as server:
        asyncio.run(asyncio.wait_for(main(server), 20))


def test_a_server_that_hangs_is_asked_no_second_time_by_whoever_has_no_time(tmp_path: Path) -> None:
    with ValkeyServer(tmp_path / "server") as server:
        state = RedisState(server.url, SystemClock(), name="t")
        assert granted(state, hold("a", charge(TEAM, 1), now_s=time.time()))
        with standing_still(server):
            assert took_s(lambda: state.limiter.release("a", wait_s=1.0), "limiter") < 2 * ANSWER_S - 0.3
        do(state.aclose())


def begun(connection: sqlite3.Connection) -> bool:
    try:
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError:
        return False
    return True


def test_a_file_that_is_busy_with_the_steps_of_others_is_waited_for(tmp_path: Path) -> None:
    state = SqliteState(tmp_path / "state.db", SystemClock())
    assert granted(state, hold("a", charge(TEAM, 1), now_s=time.time()))
    held = threading.Event()

    def keep_busy() -> None:
        """For three seconds the next step begins where the last one ended."""
        with closing(sqlite3.connect(tmp_path / "state.db", isolation_level=None)) as other:
            for _ in range(10):
                while not begun(other):
                    time.sleep(0)
                other.execute("UPDATE meta SET value = value + 1 WHERE name = 'refused_seq'")
                held.set()
                time.sleep(0.3)
                other.execute("COMMIT")

    busy = threading.Thread(target=keep_busy)
    busy.start()
    held.wait()
    assert granted(state, hold("b", charge(TEAM, 1), now_s=time.time()))
    busy.join()
    do(state.aclose())
