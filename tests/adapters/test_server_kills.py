"""A server that is killed while calls are under way: what it kept goes on by itself, what it lost stays closed."""

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from router import events as ev
from router.adapters.clocks import AsyncClock, SystemClock
from router.adapters.redis_state import RedisState
from router.client import AsyncRouter, Router
from router.errors import RouterError, StoreError
from router.ports import Row
from router.testing import Says, ScriptedTransport
from router.values import Reply, Usage
from tests.adapters.states import do
from tests.adapters.valkey import ValkeyServer

UNDER_WAY = 12
WORKS_S = 1.0
"""How long the provider works: the server dies and is back in that time."""

LEASES_OVER_S = 40.0
OPEN = {"on_store_error": {"ledger": "open", "limiter": "open"}}
POLICIES: dict[str, Any] = {
    "version": 1,
    "providers": {"openai": {}},
    "policies": {
        "main": {
            "targets": ["openai/gpt-5-nano"],
            "ceiling": {"input_tokens": 1000, "output_tokens": 1000},
            "budget": {"per_day": "$1"},
        }
    },
    "tenants": {"acme": {"policies": "all", "limits": {"concurrent_requests": 50}}},
}
CALL: dict[str, Any] = {"policy": "main", "tenant": "acme"}
HI = Says("hi", usage=Usage(input_tokens=1, output_tokens=1000), after_s=WORKS_S)

Outcome = Reply | RouterError
Between = Callable[[], None]


def killed(server: ValkeyServer) -> None:
    server.kill()
    server.start()


def async_calls(url: str, between: Between, later: int, settings: Any) -> tuple[list[Outcome], list[Outcome]]:
    """The outcomes of calls that are under way while `between` happens, and of `later` ones."""

    async def main() -> tuple[list[Outcome], list[Outcome]]:
        transport = ScriptedTransport(HI, clock=AsyncClock())
        async with AsyncRouter.open(
            {**POLICIES, "settings": settings}, state=url, transport=transport
        ) as router:
            calls = [asyncio.ensure_future(router.complete(f"{each}", **CALL)) for each in range(UNDER_WAY)]
            while len(transport.calls) < UNDER_WAY:
                await asyncio.sleep(0.01)
            await asyncio.to_thread(between)
            first: Sequence[Any] = await asyncio.gather(*calls, return_exceptions=True)
            then = [router.complete(f"later {each}", **CALL) for each in range(later)]
            second: Sequence[Any] = await asyncio.gather(*then, return_exceptions=True)
            return list(first), list(second)

    return asyncio.run(main())


def sync_calls(url: str, between: Between, later: int, settings: Any) -> tuple[list[Outcome], list[Outcome]]:
    transport = ScriptedTransport(HI, clock=SystemClock())
    made = {**POLICIES, "settings": settings}
    with Router.open(made, state=url, transport=transport) as router, ThreadPoolExecutor(UNDER_WAY) as pool:

        def call(name: str) -> Outcome:
            try:
                return router.complete(name, **CALL)
            except RouterError as error:
                return error

        calls = [pool.submit(call, f"{each}") for each in range(UNDER_WAY)]
        while len(transport.calls) < UNDER_WAY:
            time.sleep(0.01)
        between()
        first = [each.result() for each in calls]
        return first, list(pool.map(call, [f"later {each}" for each in range(later)]))


CALLS = {"async": async_calls, "sync": sync_calls}


def after_the_leases(server: ValkeyServer) -> list[Row]:
    state = RedisState(server.url, SystemClock(), name="router-fake")
    try:
        do(state.ledger.reconcile(now_s=time.time() + LEASES_OVER_S))
        rows, balances = list(do(state.ledger.rows())), do(state.ledger.all_balances())
    finally:
        do(state.aclose())
    assert {row.state for row in rows} <= {"settled", "released", "expired"}
    assert [each.reserved for each in balances.values()] == [0] * len(balances)
    money = {each.settled for counter, each in balances.items() if counter.unit == "nusd"}
    assert money == ({sum(row.cost_nusd for row in rows)} if rows else money)
    return rows


@pytest.mark.parametrize("mode", CALLS)
def test_a_server_that_kept_its_rows_ends_every_call_that_was_under_way(mode: str, tmp_path: Path) -> None:
    with ValkeyServer(tmp_path / "server", durable=True) as server:
        first, later = CALLS[mode](server.url, lambda: killed(server), 5, {})
        for each in (*first, *later):
            assert isinstance(each, Reply), each
        rows = after_the_leases(server)
    assert [row.state for row in rows] == ["settled"] * (UNDER_WAY + 5)


@pytest.mark.parametrize("mode", CALLS)
def test_a_server_that_is_away_for_longer_leaves_rows_to_their_leases(mode: str, tmp_path: Path) -> None:
    """Every answer is delivered; what could not be settled counts at its worst case."""
    with ValkeyServer(tmp_path / "server", durable=True) as server:
        first, later = CALLS[mode](server.url, server.kill, 5, {})
        server.start()
        for each in first:
            assert isinstance(each, Reply), each
            assert [type(event) for event in each.trace if isinstance(event, ev.SettleFailed)]
        assert {type(each) for each in later} == {StoreError}
        rows = after_the_leases(server)
    assert [(row.state, row.cost_nusd == row.worst_nusd) for row in rows] == [("expired", True)] * UNDER_WAY


@pytest.mark.parametrize("mode", CALLS)
def test_a_server_that_lost_its_rows_stays_closed_to_those_who_were_calling(
    mode: str, tmp_path: Path
) -> None:
    with ValkeyServer(tmp_path / "server") as server:
        first, later = CALLS[mode](server.url, lambda: killed(server), 5, {})
        for each in first:
            assert isinstance(each, Reply), each
            (failed,) = (event for event in each.trace if isinstance(event, ev.SettleFailed))
            assert "has lost rows" in failed.why
        for each in later:
            assert isinstance(each, StoreError), each
            assert "has lost rows" in each.message
        assert after_the_leases(server) == []


@pytest.mark.parametrize("mode", CALLS)
def test_with_open_stores_a_server_that_lost_its_rows_is_done_without(mode: str, tmp_path: Path) -> None:
    with ValkeyServer(tmp_path / "server") as server:
        first, later = CALLS[mode](server.url, lambda: killed(server), 5, OPEN)
        for each in (*first, *later):
            assert isinstance(each, Reply), each
        for each in later:
            why = {(event.port, event.step) for event in each.trace if isinstance(event, ev.StoreBypassed)}
            assert {("limiter", "admit"), ("ledger", "reserve")} <= why
        assert after_the_leases(server) == []


@pytest.mark.parametrize("mode", ["async", "sync"])
def test_a_router_whose_server_is_not_there_yet_opens_and_says_so_at_its_first_call(
    mode: str, tmp_path: Path
) -> None:
    """As with any other store: open, and it works without; closed, and it works once the server is there."""
    import redis

    server = ValkeyServer(tmp_path / "server")
    server.kill()
    everything = {"on_store_error": dict.fromkeys(("ledger", "limiter", "health", "cache"), "open")}
    quick = Says("hi", usage=Usage(input_tokens=1, output_tokens=1))

    def calls(settings: Any) -> list[Outcome]:
        made = {**POLICIES, "settings": {**settings, "cache": server.url}}
        found: list[Outcome] = []

        async def in_a_loop() -> None:
            wire = ScriptedTransport(quick, clock=AsyncClock())
            async with AsyncRouter.open(made, state=server.url, transport=wire) as router:
                for between in (server.start, server.kill):
                    found.extend(await asyncio.gather(router.complete("hi", **CALL), return_exceptions=True))  # type: ignore[arg-type]
                    between()

        if mode == "async":
            asyncio.run(in_a_loop())
            return found
        wire = ScriptedTransport(quick, clock=SystemClock())
        with Router.open(made, state=server.url, transport=wire) as router:
            for between in (server.start, server.kill):
                try:
                    found.append(router.complete("hi", **CALL))
                except RouterError as error:
                    found.append(error)
                between()
        return found

    without, within = calls(everything)
    assert isinstance(without, Reply)
    assert [event for event in without.trace if isinstance(event, ev.StoreBypassed)]
    assert isinstance(within, Reply)
    assert not [event for event in within.trace if isinstance(event, ev.StoreBypassed)]
    refused, admitted = calls({})
    assert isinstance(refused, StoreError)
    assert refused.port == "limiter"
    assert isinstance(admitted, Reply)
    server.start()
    with closing(redis.Redis.from_url(server.url)) as client:
        assert client.ping()
    server.kill()
