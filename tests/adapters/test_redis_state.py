"""State on a real server: many processes, a server that dies or forgets, a wire that fails, and an event loop."""

import asyncio
import json
import multiprocessing
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from router.adapters.clocks import AsyncClock, ManualClock, SystemClock
from router.adapters.outage import REST_S
from router.adapters.redis_cache import RedisCache
from router.adapters.redis_state import RedisState
from router.adapters.redis_store import RedisStore
from router.client import AsyncRouter, Router
from router.client.assembly import public
from router.errors import BudgetExceeded, StoreError
from router.ports import Balance, CacheEntry, Granted, Refused, Take, Watch
from router.testing import Says, ScriptedTransport
from router.values import Usage
from tests.adapters.states import (
    NOW_S,
    balance,
    balances_of_rows,
    budget,
    charge,
    concurrency,
    counter,
    do,
    granted,
    hold,
    limit,
    row,
    settlement,
)
from tests.adapters.states import valkey as any_server
from tests.adapters.valkey import ValkeyServer

TEAM = budget("tenant:acme", 3000)
NEEDED = 10


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ValkeyServer]:
    with ValkeyServer(tmp_path / "server") as running:
        yield running


@contextmanager
def state_at(url: str, *, name: str = "t", mark: Path | None = None) -> Iterator[RedisState]:
    state = RedisState(url, ManualClock(), name=name, mark=mark, server_time=False)
    try:
        yield state
    finally:
        do(state.aclose())


def reserve_all(url: str, name: str, tries: int) -> int:
    with state_at(url) as state:
        return sum(granted(state, hold(f"{name}-{number}", charge(TEAM, NEEDED))) for number in range(tries))


# --- Many processes -----------------------------------------------------------------------------------------------


def test_four_processes_admit_exactly_what_fits(server: ValkeyServer) -> None:
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        granted_by = pool.starmap(reserve_all, [(server.url, f"p{number}", 150) for number in range(4)])
    assert sum(granted_by) == TEAM.amount // NEEDED
    with state_at(server.url) as state:
        assert balance(state, TEAM) == (0, TEAM.amount)
        rows = do(state.ledger.rows())
        assert len({each.seq for each in rows}) == len(rows) == TEAM.amount // NEEDED
        assert next(iter(balances_of_rows(rows).values())).reserved == TEAM.amount


def die_between(url: str) -> None:
    with state_at(url) as state:
        granted(state, hold("sent", charge(TEAM, 60)))
        do(state.ledger.mark_sent("sent", now_s=NOW_S))
        granted(state, hold("never", charge(TEAM, 30)))
        os.kill(os.getpid(), signal.SIGKILL)


def test_what_a_killed_process_held_is_ended_by_its_lease(server: ValkeyServer) -> None:
    process = multiprocessing.get_context("spawn").Process(target=die_between, args=(server.url,))
    process.start()
    process.join(30)
    assert process.exitcode == -9
    with state_at(server.url) as state:
        assert balance(state, TEAM) == (0, 90)
        assert granted(state, hold("next", charge(TEAM, 2900), now_s=NOW_S + 31))
        assert [row(state, each).state for each in ("sent", "never", "next")] == [
            "expired",
            "released",
            "reserved",
        ]
        assert balance(state, TEAM) == (60, 2900)


# --- A server that dies or forgets ----------------------------------------------------------------------------------


def test_a_server_that_kept_its_rows_goes_on_by_itself(tmp_path: Path) -> None:
    with ValkeyServer(tmp_path / "server", durable=True) as server, state_at(server.url) as state:
        assert granted(state, hold("a", charge(TEAM, 100)))
        do(state.ledger.settle("a", settlement(70)))
        server.kill()
        with pytest.raises(StoreError, match="does not answer"):
            do(state.ledger.reserve(hold("b", charge(TEAM, 100))))
        server.start()
        assert granted(state, hold("c", charge(TEAM, 100)))
        assert balance(state, TEAM) == (70, 100)


@pytest.mark.parametrize("who", ["the same process", "a later one"])
def test_a_server_that_lost_its_rows_hands_out_nothing_until_somebody_accepts_that(
    server: ValkeyServer, tmp_path: Path, who: str
) -> None:
    mark = tmp_path / ".router" / "seen.json"
    with state_at(server.url, mark=mark) as state:
        assert granted(state, hold("a", charge(TEAM, 3000)))
        server.kill()
        server.start()
        if who == "the same process":
            refuses(state)
            do(state.store.accept_loss(who="ann", why="the disk is gone"))
            assert granted(state, hold("c", charge(TEAM, 3000)))
            return
    with state_at(server.url, mark=mark) as later:
        refuses(later)
        do(later.store.accept_loss(who="ann", why="the disk is gone"))
        assert granted(later, hold("c", charge(TEAM, 3000)))


def refuses(state: RedisState) -> None:
    for call in (
        state.ledger.reserve(hold("b", charge(TEAM, 1))),
        state.ledger.balances([]),
        state.limiter.release("x"),
    ):
        with pytest.raises(StoreError, match="has lost rows") as caught:
            do(call)
        assert "--accept-loss" in caught.value.help


def test_who_accepts_a_loss_is_on_record_and_others_go_on_with_it(
    server: ValkeyServer, tmp_path: Path
) -> None:
    with state_at(server.url) as one, state_at(server.url) as other:
        assert granted(one, hold("a", charge(TEAM, 1)))
        assert granted(other, hold("b", charge(TEAM, 1)))
        server.kill()
        server.start()
        refuses(one)
        refuses(other)
        do(one.store.accept_loss(who="ann", why="no copy is left"))
        assert granted(other, hold("c", charge(TEAM, 1)))
        losses = do(one.store.losses())
        assert [(each["who"], each["why"]) for each in losses] == [("ann", "no copy is left")]


def test_a_state_that_is_not_as_far_as_it_was_is_closed_too(server: ValkeyServer) -> None:
    import redis

    with state_at(server.url) as state, closing(redis.Redis.from_url(server.url)) as client:
        assert granted(state, hold("a", charge(TEAM, 1)))
        assert granted(state, hold("b", charge(TEAM, 1)))
        client.hset("{t}:meta", "seq", "1")  # as an older snapshot would have it
        refuses(state)


def test_a_garbled_mark_is_as_good_as_none(server: ValkeyServer, tmp_path: Path) -> None:
    mark = tmp_path / "seen.json"
    mark.write_text('{"epoch": 3')
    with state_at(server.url, mark=mark) as state:
        assert granted(state, hold("a", charge(TEAM, 1)))
    assert json.loads(mark.read_text())["seq"] == 1
    assert mark.stat().st_mode & 0o077 == 0


def test_an_older_copy_is_closed_to_those_who_can_not_see_it_too(server: ValkeyServer) -> None:
    import redis

    with (
        state_at(server.url) as knows,
        state_at(server.url) as other,
        closing(redis.Redis.from_url(server.url)) as client,
    ):
        assert granted(other, hold("a", charge(TEAM, 1)))
        assert granted(knows, hold("b", charge(TEAM, 1)))
        client.hset("{t}:meta", "seq", "1")  # `other` has seen no more than that
        refuses(knows)
        for number in range(3):  # else its own numbers would soon hide what was lost
            with pytest.raises(StoreError, match="has lost rows"):
                do(other.ledger.reserve(hold(f"c{number}", charge(TEAM, 1))))


@pytest.mark.parametrize("by", ["one that knows", "one that has never been here"])
def test_a_loss_that_was_accepted_accepts_no_later_one(server: ValkeyServer, by: str) -> None:
    import redis

    with state_at(server.url) as state, closing(redis.Redis.from_url(server.url)) as client:
        for round_ in range(2):
            for number in range(3):
                assert granted(state, hold(f"{round_}-{number}", charge(TEAM, 1)))
            client.hset("{t}:meta", "seq", "1")
            refuses(state)
            with state_at(server.url) as stranger:
                someone = state if by == "one that knows" else stranger
                do(someone.store.accept_loss(who="ann", why="an older copy is all there is"))
        assert granted(state, hold("last", charge(TEAM, 1)))
        assert len(do(state.store.losses())) == 2


def test_a_loss_is_accepted_for_all_that_missed_their_rows_by_a_host_that_never_saw_them(
    server: ValkeyServer,
) -> None:
    with state_at(server.url) as one, state_at(server.url) as other:
        assert granted(one, hold("a", charge(TEAM, 1)))
        assert granted(other, hold("b", charge(TEAM, 1)))
        server.kill()
        server.start()
        refuses(one)
        refuses(other)
        with state_at(server.url) as elsewhere:
            do(elsewhere.store.accept_loss(who="ann", why="no copy is left"))
        assert granted(one, hold("c", charge(TEAM, 1)))
        assert granted(other, hold("d", charge(TEAM, 1)))


def test_whoever_goes_on_after_a_loss_was_accepted_does_not_even_notice(server: ValkeyServer) -> None:
    with state_at(server.url) as busy, state_at(server.url) as other:
        assert granted(busy, hold("a", charge(TEAM, 1)))
        do(other.store.accept_loss(who="ann", why="to be sure"))
        assert granted(busy, hold("b", charge(TEAM, 1)))


def test_a_mark_never_goes_back(server: ValkeyServer, tmp_path: Path) -> None:
    mark = tmp_path / "seen.json"
    with state_at(server.url, mark=mark) as early:
        assert granted(early, hold("a", charge(TEAM, 1)))
        with state_at(server.url, mark=mark) as later:
            assert granted(later, hold("b", charge(TEAM, 1)))
    assert json.loads(mark.read_text())["seq"] == 2  # though the one that saw less wrote last


def test_a_server_that_drops_rows_when_it_is_full_is_refused(server: ValkeyServer) -> None:
    import redis

    with closing(redis.Redis.from_url(server.url)) as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
        with state_at(server.url) as state:
            assert granted(state, hold("a", charge(TEAM, 1)))  # without a bound on memory nothing is dropped
        client.config_set("maxmemory", 64 * 2**20)
        with state_at(server.url) as state:
            with pytest.raises(StoreError, match="drops any row") as caught:
                do(state.ledger.reserve(hold("b", charge(TEAM, 1))))
            assert "noeviction" in caught.value.help
            client.config_set("maxmemory-policy", "volatile-lru")
            assert granted(state, hold("b", charge(TEAM, 1)))


def test_all_keys_of_a_state_lie_in_one_slot_of_a_cluster(tmp_path: Path) -> None:
    import redis

    with ExitStack() as opened:
        server = opened.enter_context(ValkeyServer(tmp_path / "server", cluster=True))
        state = opened.enter_context(state_at(server.url))
        with closing(redis.Redis.from_url(server.url, decode_responses=True)) as client:
            client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
            ends_s = time.monotonic() + 10
            while client.cluster("INFO")["cluster_state"] != "ok":
                assert time.monotonic() < ends_s
                time.sleep(0.02)
            tokens, permits = limit(), concurrency(2)
            held = hold("a", charge(TEAM, 100), takes=[Take(limit=tokens, amount=3)])
            assert granted(state, held)
            do(state.ledger.mark_sent("a", now_s=NOW_S))
            do(state.ledger.settle("a", settlement(7)))
            takes = [Take(limit=permits, amount=1)]
            assert do(state.limiter.admit("r", takes, now_s=NOW_S, lease_s=30)).full is None
            do(state.limiter.release("r"))
            assert balance(state, TEAM) == (7, 0)
            assert {client.cluster("KEYSLOT", key) for key in client.scan_iter()} == {
                client.cluster("KEYSLOT", "{t}")
            }


# --- A wire that fails ------------------------------------------------------------------------------------------------


class Proxy:
    """Between clients and the server: passes everything on, but answers every `cut`-th script by hanging up."""

    def __init__(self, server: ValkeyServer) -> None:
        self.cut = 0
        self.cut_at = 0  # once, when so many scripts have gone through
        self.scripts = 0
        self._server = server
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                upstream = socket.socket(socket.AF_UNIX)
                upstream.connect(str(self._server.socket))
                doomed = threading.Event()
                for way in ((client, upstream, self._question), (upstream, client, self._answer)):
                    threading.Thread(target=self._pump, args=(*way, doomed), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, passes: Any, doomed: threading.Event) -> None:
        with suppress(OSError):
            while (data := source.recv(2**20)) and passes(data, doomed):
                sink.sendall(data)
        for each in (source, sink):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _question(self, data: bytes, doomed: threading.Event) -> bool:
        if b"EVAL" in data:
            self.scripts += 1
            if self.scripts == self.cut_at or (self.cut and self.scripts % self.cut == 0):
                doomed.set()
        return True

    def _answer(self, data: bytes, doomed: threading.Event) -> bool:
        return not doomed.is_set()

    def close(self) -> None:
        self._listener.close()


def test_an_answer_that_is_lost_is_asked_for_again_and_nothing_is_done_twice(server: ValkeyServer) -> None:
    proxy = Proxy(server)
    with closing(proxy), state_at(f"redis://127.0.0.1:{proxy.port}") as state:
        assert granted(state, hold("first", charge(TEAM, NEEDED)))
        proxy.cut = 5  # asking again takes up to three scripts
        for number in range(40):
            name = f"a{number}"
            assert granted(state, hold(name, charge(TEAM, NEEDED)))
            do(state.ledger.mark_sent(name, now_s=NOW_S))
            do(state.ledger.settle(name, settlement(7)))
        proxy.cut = 0
        assert balance(state, TEAM) == (40 * 7, NEEDED)
        rows = do(state.ledger.rows())
        assert [each.state for each in rows] == ["reserved", *["settled"] * 40]


def test_a_warning_whose_answer_was_lost_is_told_all_the_same_and_to_nobody_else(
    server: ValkeyServer,
) -> None:
    total = budget(amount=40, window="total")
    watch = Watch(of=counter(total), amount=40, warn_at=(50_000, 100_000), until_s=None)
    proxy = Proxy(server)
    with closing(proxy), state_at(f"redis://127.0.0.1:{proxy.port}") as state:
        told = []
        for number in range(4):
            name = f"a{number}"
            assert granted(state, hold(name, charge(total, 0)))
            proxy.cut_at = proxy.scripts + 1
            told.append([each.share for each in do(state.ledger.settle(name, settlement(10), [watch]))])
        assert told == [[], [50_000], [], [100_000]]


def test_a_lost_answer_is_told_again_with_what_was_in_shadow(server: ValkeyServer) -> None:
    tried, tokens = budget(amount=10, shadow=True), limit(at_most=5, shadow=True)
    requests = limit(unit="requests", at_most=0, shadow=True)
    proxy = Proxy(server)
    with closing(proxy), state_at(f"redis://127.0.0.1:{proxy.port}") as state:
        assert granted(state, hold("first", charge(tried, 7)))
        for number in range(4):  # every second answer is lost
            proxy.cut_at = proxy.scripts + 1
            held = hold(f"a{number}", charge(tried, 7), takes=[Take(limit=tokens, amount=6)])
            found = do(state.ledger.reserve(held))
            assert isinstance(found, Granted)
            left = max(0, 3 - 7 * number)
            assert [(each.budget, each.available) for each in found.shadow] == [
                (tried, left),
                (None, max(0, 5 - 6 * number)),
            ]
            proxy.cut_at = proxy.scripts + 1
            takes = [Take(limit=requests, amount=1)]
            admission = do(state.limiter.admit(f"r{number}", takes, now_s=NOW_S, lease_s=30))
            assert (admission.full, [each.limit for each in admission.shadow]) == (None, [requests])
        assert balance(state, tried) == (0, 35)
        assert do(state.limiter.used([requests], now_s=NOW_S)) == {requests: 4}


def test_a_connection_that_fails_takes_no_other_call_with_it(server: ValkeyServer) -> None:
    proxy = Proxy(server)

    def calls(thread: str) -> int:
        return sum(granted(state, hold(f"{thread}-{number}", charge(TEAM, NEEDED))) for number in range(10))

    with closing(proxy), state_at(f"redis://127.0.0.1:{proxy.port}") as state, ThreadPoolExecutor(8) as pool:
        for round_ in range(3):
            proxy.cut_at = proxy.scripts + 20
            assert sum(pool.map(calls, [f"{round_}-{thread}" for thread in range(8)])) == 80
            assert proxy.scripts > proxy.cut_at
        assert balance(state, TEAM) == (0, 240 * NEEDED)


def test_tasks_of_one_loop_share_trips_and_outlast_a_cut_one(server: ValkeyServer) -> None:
    proxy = Proxy(server)

    async def burst() -> None:
        state = RedisState(f"redis://127.0.0.1:{proxy.port}", AsyncClock(), name="t")
        assert await state.ledger.reserve(hold("first", charge(TEAM, NEEDED), now_s=time.time()))
        proxy.cut, admitted = 7, 0
        for first in range(0, 600, 20):
            holds = [hold(f"x{first + each}", charge(TEAM, NEEDED), now_s=time.time()) for each in range(20)]
            found = await asyncio.gather(*(state.ledger.reserve(each) for each in holds))
            admitted += sum(isinstance(each, Granted) for each in found)
        assert admitted == TEAM.amount // NEEDED - 1
        assert 7 < proxy.scripts < 300  # pieces of what was sent, not questions
        await state.aclose()

    with closing(proxy):
        asyncio.run(burst())


def test_a_crowd_at_a_server_that_hangs_is_told_in_time(server: ValkeyServer) -> None:
    async def crowd() -> None:
        state = RedisState(server.url, AsyncClock(), name="t")
        assert await state.ledger.reserve(hold("a", charge(TEAM, 1), now_s=time.time()))
        os.kill(server.pid, signal.SIGSTOP)
        began_s = time.monotonic()
        try:
            holds = [hold(f"x{number}", charge(TEAM, 1), now_s=time.time()) for number in range(1000)]
            found = await asyncio.gather(
                *(state.ledger.reserve(each) for each in holds), return_exceptions=True
            )
        finally:
            os.kill(server.pid, signal.SIGCONT)
        assert {type(each) for each in found} == {StoreError}
        assert time.monotonic() - began_s < 12  # two tries of two seconds, not two for each trip
        with pytest.raises(StoreError, match="does not answer"):
            await state.ledger.reserve(hold("b", charge(TEAM, 1), now_s=time.time()))
        await asyncio.sleep(REST_S)
        assert await state.ledger.reserve(hold("b", charge(TEAM, 1), now_s=time.time()))
        await state.aclose()

    asyncio.run(crowd())


def test_a_server_that_is_not_there_is_a_store_error_in_time(tmp_path: Path) -> None:
    with state_at(f"unix://{tmp_path}/nobody.sock") as state:
        began_s = time.monotonic()
        with pytest.raises(StoreError) as caught:
            do(state.ledger.reserve(hold("a", charge(TEAM, 1))))
        assert caught.value.port == "ledger"
        assert time.monotonic() - began_s < 8


def test_a_server_that_hangs_is_a_store_error_in_time(server: ValkeyServer) -> None:
    with state_at(server.url) as state:
        assert granted(state, hold("a", charge(TEAM, 1)))
        os.kill(server.pid, signal.SIGSTOP)
        try:
            with pytest.raises(StoreError, match="does not answer"):
                do(state.ledger.reserve(hold("b", charge(TEAM, 1))))
        finally:
            os.kill(server.pid, signal.SIGCONT)
        assert granted(state, hold("c", charge(TEAM, 1)))


def test_credentials_are_in_no_message(tmp_path: Path) -> None:
    assert public("redis://ann:hunter2@cache:6379/1") == "redis://cache:6379/1"
    with state_at("redis://ann:hunter2@127.0.0.1:1") as state:
        with pytest.raises(StoreError) as caught:
            do(state.ledger.balances([]))
        assert "hunter2" not in f"{caught.value} {caught.value.help} {state!r}"


def test_amounts_beyond_what_floats_hold_are_exact(server: ValkeyServer) -> None:
    huge = budget("tenant:acme", 2**62)
    with state_at(server.url) as state:
        assert granted(state, hold("a", charge(huge, 2**62 - 3)))
        assert not granted(state, hold("b", charge(huge, 4)))
        assert granted(state, hold("c", charge(huge, 3)))
        do(state.ledger.settle("a", settlement(2**61 + 1)))
        assert balance(state, huge) == (2**61 + 1, 3)


def test_a_usage_that_can_not_be_leaves_every_balance_as_it_was(server: ValkeyServer) -> None:
    """A script that fails in the middle is not undone: what does not fit is refused before the first change."""
    tokens, window = budget("tenant:acme/a", 10**6, unit="tokens"), limit(at_most=100)
    with state_at(server.url) as state:
        held = hold("a", charge(tokens, 30), charge(TEAM, 100), takes=[Take(limit=window, amount=30)])
        assert granted(state, held)
        do(state.ledger.mark_sent("a", now_s=NOW_S))
        for cost, usage in (
            (2**63, Usage(input_tokens=1)),
            (10**40, Usage(input_tokens=10**40)),
            (7, Usage(input_tokens=2**63)),
        ):
            with pytest.raises(StoreError, match="can't hold"):
                do(state.ledger.settle("a", settlement(cost, usage=usage)))
            assert balance(state, TEAM) == (0, 100)
            assert balance(state, tokens) == (0, 30)
            assert row(state, "a").state == "sent"
        do(state.ledger.settle("a", settlement(7, usage=Usage(input_tokens=2**60))))
        assert balance(state, TEAM) == (7, 0)
        assert not granted(state, hold("b", takes=[Take(limit=window, amount=1)]))
        assert granted(state, hold("c", takes=[Take(limit=window, amount=0)]))


# --- An event loop, and machines whose clocks differ --------------------------------------------------------------


def test_it_suspends_on_a_loop_and_goes_on_on_the_next_one(server: ValkeyServer) -> None:
    state = RedisState(server.url, AsyncClock(), name="t")

    async def burst(first: int) -> int:
        holds = [
            hold(f"x{number}", charge(TEAM, NEEDED), now_s=time.time())
            for number in range(first, first + 200)
        ]
        found = await asyncio.gather(*(state.ledger.reserve(each) for each in holds))
        await state.aclose()
        return sum(isinstance(each, Granted) for each in found)

    assert state.suspends
    assert asyncio.run(burst(0)) + asyncio.run(burst(200)) == TEAM.amount // NEEDED


def test_a_settlement_is_not_lost_to_a_cancellation(server: ValkeyServer) -> None:
    state = RedisState(server.url, AsyncClock(), name="t")

    async def cancelled() -> None:
        await state.ledger.reserve(hold("a", charge(TEAM, NEEDED), now_s=time.time()))
        task = asyncio.ensure_future(state.ledger.settle("a", settlement(7)))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        for _ in range(200):
            rows = await state.ledger.rows()
            if rows[0].state == "settled":
                break
            await asyncio.sleep(0.01)
        assert rows[0].cost_nusd == 7
        await state.aclose()

    asyncio.run(cancelled())


class Shifted(SystemClock):
    """The clock of a machine that is off by an hour."""

    def now_s(self) -> float:
        return super().now_s() + 3600


def test_leases_are_kept_in_the_servers_time(server: ValkeyServer) -> None:
    here, there = RedisState(server.url, SystemClock(), name="t"), RedisState(server.url, Shifted(), name="t")
    try:
        assert granted(here, hold("a", charge(TEAM, 3000), now_s=time.time()))
        assert not granted(there, hold("b", charge(TEAM, 1), now_s=time.time() + 3600))
        assert row(here, "a").state == "reserved"
        assert abs(row(here, "a").reserved_at_s - time.time()) < 5
    finally:
        do(here.aclose())
        do(there.aclose())


def test_a_clock_that_is_ahead_ends_no_lease_of_others_whatever_it_asks_first(server: ValkeyServer) -> None:
    here = RedisState(server.url, SystemClock(), name="t")
    assert granted(here, hold("a", charge(TEAM, 1), now_s=time.time()))
    do(here.ledger.mark_sent("a", now_s=time.time()))
    for first in ("reconcile", "settle", "release", "renew"):
        there = RedisState(server.url, Shifted(), name="t")
        now_s = time.time() + 3600
        if first == "reconcile":
            assert do(there.ledger.reconcile(now_s=now_s)) == 0
        elif first == "release":
            do(there.ledger.release("b", now_s=now_s))
        elif first == "renew":
            do(there.ledger.renew("a", lease_until_s=now_s + 40))
        else:
            assert granted(here, hold("b", charge(TEAM, 1), now_s=time.time()))
            do(there.ledger.settle("b", settlement(1, now_s=now_s)))
        do(there.aclose())
    assert row(here, "a").state == "sent"
    assert row(here, "a").lease_until_s - time.time() < 60
    ended_at_s = row(here, "b").ended_at_s
    assert ended_at_s is not None
    assert abs(ended_at_s - time.time()) < 5
    do(here.aclose())


# --- Routers -------------------------------------------------------------------------------------------------------

POLICIES = {
    "version": 1,
    "providers": {"openai": {}},
    "policies": {
        "main": {
            "targets": ["openai/gpt-5-nano"],
            "ceiling": {"input_tokens": 1000, "output_tokens": 1000},
            "budget": {"per_day": "$0.001"},
            "cache": {"ttl": "1h", "sampled": True},
        }
    },
}


def test_routers_on_one_server_spend_one_budget_and_share_answers(
    server: ValkeyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATE_URL", server.url)
    places = {"state": {"env": "STATE_URL"}, "cache": {"env": "STATE_URL"}}
    policies = {**POLICIES, "settings": places}
    clock = SystemClock()
    usage = Usage(input_tokens=1, output_tokens=1000)

    def opened() -> Router:
        wire = ScriptedTransport(Says("hi", usage=usage), clock=clock)
        return Router.open(policies, transport=wire, clock=clock)

    with opened() as one, opened() as other:
        first = one.complete("question", policy="main")
        assert other.complete("question", policy="main").cached
        assert first.cost_nusd is not None
        with pytest.raises(BudgetExceeded) as caught:
            spend_all(one, other)
        assert caught.value.budget == "policy:main"

    async def later() -> None:
        wire = ScriptedTransport(Says("hi", usage=usage), clock=AsyncClock())
        async with AsyncRouter.open(policies, transport=wire) as third:
            assert (await third.complete("question", policy="main")).cached
            with pytest.raises(BudgetExceeded):
                await third.complete("something new", policy="main")

    asyncio.run(later())


@pytest.mark.parametrize("step", ["admit", "reserve", "mark_sent"])
def test_a_call_that_is_cancelled_on_its_way_to_the_store_leaves_nothing_held(
    server: ValkeyServer, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server did what nobody waited for any more; no lease should have to end it, and nothing was sent."""
    tenants = {"acme": {"policies": "all", "limits": {"concurrent_requests": 2}}}
    evaluate = RedisStore._evaluate
    calls: list[asyncio.Future[Any]] = []

    async def cancelling(store: RedisStore, script: str, values: list[str]) -> list[Any]:
        if script == step:
            calls[0].cancel()
        return await evaluate(store, script, values)

    async def cancelled() -> None:
        clock = AsyncClock()
        wire = ScriptedTransport(Says("hi"), clock=clock)
        places: Any = {**POLICIES, "tenants": tenants}
        async with AsyncRouter.open(places, state=server.url, transport=wire) as router:
            call = router.complete("question", policy="main", tenant="acme")
            calls.append(asyncio.ensure_future(call))
            with pytest.raises(asyncio.CancelledError):
                await calls[0]
            rows = await router.ports.ledger.rows()
            assert [each.state in ("released", "settled") and each.cost_nusd for each in rows] == [0] * len(
                rows
            )
            assert len(rows) == (step != "admit")
            assert wire.calls == []
            limits = [each for tenant in router.plan.tenants.values() for each in tenant.limits]
            assert list((await router.ports.limiter.used(limits, now_s=clock.now_s())).values()) == [0]
            balances = await router.ports.ledger.all_balances()
            assert all(each == Balance() for each in balances.values())

    monkeypatch.setattr(RedisStore, "_evaluate", cancelling)
    asyncio.run(cancelled())


def spend_all(*routers: Router) -> None:
    for number in range(9):
        routers[number % len(routers)].complete(f"another {number}", policy="main")


def test_a_cache_that_is_down_is_an_error_of_the_cache(tmp_path: Path) -> None:
    cache = RedisCache(f"unix://{tmp_path}/nobody.sock", ManualClock())
    with pytest.raises(StoreError) as caught:
        do(cache.get("ab" * 8))
    assert caught.value.port == "cache"
    do(cache.aclose())


def test_a_damaged_answer_is_absent() -> None:
    import redis

    server = any_server()
    cache = RedisCache(server.url, ManualClock(), name="damaged")
    do(cache.put("ab" * 8, CacheEntry(body=b"{}", stored_at_s=1.0), ttl_s=60))
    with closing(redis.Redis.from_url(server.url)) as client:
        name = f"{{damaged}}:answer:{'ab' * 8}"
        client.set(name, client.get(name)[:-1] + b"!")
    assert do(cache.get("ab" * 8)) is None
    do(cache.aclose())


def test_a_clock_that_is_set_right_between_question_and_answer_changes_no_answer(
    server: ValkeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another call may ask for the server's time while this one waits."""
    tokens, requests = limit(at_most=5), limit(unit="requests", at_most=1)
    with state_at(server.url) as state:
        assert granted(state, hold("a", takes=[Take(limit=tokens, amount=5)]))
        takes = [Take(limit=requests, amount=1)]
        assert do(state.limiter.admit("a", takes, now_s=NOW_S, lease_s=30)).full is None
        asked: list[float] = []

        def server_s(now_s: float) -> float:
            asked.append(now_s)
            return now_s if len(asked) == 1 else now_s + 300.0

        monkeypatch.setattr(state.ledger._store, "server_s", server_s)
        found = do(state.ledger.reserve(hold("b", takes=[Take(limit=tokens, amount=1)])))
        assert isinstance(found, Refused)
        asked.clear()
        assert do(state.limiter.admit("b", takes, now_s=NOW_S, lease_s=30)).full is not None
