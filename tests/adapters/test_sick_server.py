"""A server behind a sick wire: every step ends in bounded time, as documented, with a loop that goes on turning."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from router import events as ev
from router.adapters.clocks import AsyncClock, SystemClock
from router.adapters.redis_state import RedisState
from router.adapters.redis_wire import ANSWER_S
from router.client import AsyncRouter, Router
from router.errors import RouterError, StoreError
from router.ports import Row
from router.testing import Says, ScriptedTransport
from router.values import Reply, Usage
from tests.adapters.sick_wire import HEARD, ILLNESSES, MUTE, Illness, SickWire
from tests.adapters.states import do
from tests.adapters.valkey import ValkeyServer

STEPS = ("admit", "reserve", "mark_sent", "settle")
BOUND_S = {"once": ANSWER_S, "always": 2 * ANSWER_S}
"""What a mute wire may cost a call: one try's patience where the second is answered, else two."""

NOISE_S = 2.5
LEASES_OVER_S = 40.0
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
    "tenants": {
        "acme": {"policies": "all", "limits": {"concurrent_requests": 5, "requests_per_minute": 100}}
    },
}
CALL: dict[str, Any] = {"policy": "main", "tenant": "acme"}
HI = Says("hi", usage=Usage(input_tokens=1, output_tokens=1000))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    with ValkeyServer(tmp_path_factory.mktemp("sick")) as running:
        yield running


@pytest.fixture
def wire(server: ValkeyServer) -> Iterator[SickWire]:
    import redis

    with redis.Redis.from_url(server.url) as client:
        client.flushall()
    with SickWire(server) as between:
        yield between


class Seen:
    """How a call at a sick server went: its outcome, how long it took, how long the loop stood still, what was sent."""

    def __init__(self, outcome: Reply | RouterError, took_s: float, stood_s: float, sent: int) -> None:
        self.outcome, self.took_s, self.stood_s, self.sent = outcome, took_s, stood_s, sent

    def facts(self, kind: type[ev.Event]) -> list[Any]:
        return [event for event in self.outcome.trace if isinstance(event, kind)]


def seen_async(wire: SickWire, step: str, illness: Illness, times: int) -> Seen:
    """One call in health, so that connections, scripts and clock are known; then one at the sick step."""

    async def main() -> Seen:
        transport = ScriptedTransport(HI, clock=AsyncClock())
        async with AsyncRouter.open(POLICIES, state=wire.url, transport=transport) as router:
            await router.complete("in health", **CALL)
            wire.fall_ill(step, illness, times=times)
            began_s = last_s = time.monotonic()
            call, stood_s = asyncio.ensure_future(router.complete("in illness", **CALL)), 0.0
            while not call.done():
                await asyncio.sleep(0.005)
                stood_s, last_s = max(stood_s, time.monotonic() - last_s), time.monotonic()
            took_s = time.monotonic() - began_s
            try:
                outcome: Reply | RouterError = await call
            except RouterError as error:
                outcome = error
            wire.get_well()
            return Seen(outcome, took_s, stood_s, len(transport.calls) - 1)

    return asyncio.run(main())


def seen_sync(wire: SickWire, step: str, illness: Illness, times: int) -> Seen:
    transport = ScriptedTransport(HI, clock=SystemClock())
    with Router.open(POLICIES, state=wire.url, transport=transport) as router:
        router.complete("in health", **CALL)
        wire.fall_ill(step, illness, times=times)
        began_s = time.monotonic()
        try:
            outcome: Reply | RouterError = router.complete("in illness", **CALL)
        except RouterError as error:
            outcome = error
        took_s = time.monotonic() - began_s
        wire.get_well()
        return Seen(outcome, took_s, 0.0, len(transport.calls) - 1)


SEEN = {"async": seen_async, "sync": seen_sync}


@contextmanager
def state_of(server: ValkeyServer) -> Iterator[RedisState]:
    state = RedisState(server.url, SystemClock(), name="router-fake")
    try:
        yield state
    finally:
        do(state.aclose())


def after_the_leases(server: ValkeyServer) -> list[Row]:
    """The rows once every lease is over, when nothing may be held any more and sums must agree."""
    now_s = time.time() + LEASES_OVER_S
    with state_of(server) as state:
        do(state.ledger.reconcile(now_s=now_s))
        rows, balances = list(do(state.ledger.rows())), do(state.ledger.all_balances())
        assert {row.state for row in rows} <= {"settled", "released", "expired"}
        assert [each.reserved for each in balances.values()] == [0] * len(balances)
        money = [each.settled for counter, each in balances.items() if counter.unit == "nusd"]
        assert set(money) == {sum(row.cost_nusd for row in rows)}
        with Router.open(POLICIES, state="memory", transport="fake") as router:
            limits = [each for tenant in router.plan.tenants.values() for each in tenant.limits]
        used = do(state.limiter.used(limits, now_s=now_s))
        assert [n for limit, n in used.items() if limit.unit == "concurrent_requests"] == [0]
    return rows


def quick(illness: str, times: str) -> float:
    return NOISE_S + (BOUND_S[times] if illness in MUTE else 0.0)


ONCE = [
    *(("async", illness, step) for illness in ILLNESSES if illness not in MUTE for step in STEPS),
    *(("async", "silence", step) for step in ("reserve", "settle")),
    *(("async", "half an answer", step) for step in ("admit", "mark_sent")),
    *(("sync", illness, step) for illness in ("cut answer", "garbage") for step in STEPS),
    ("sync", "silence", "reserve"),
    ("sync", "half an answer", "settle"),
]


@pytest.mark.parametrize(("mode", "illness", "step"), ONCE)
def test_an_illness_that_passes_costs_a_second_try_and_is_done_once(
    server: ValkeyServer, wire: SickWire, mode: str, illness: Illness, step: str
) -> None:
    seen = SEEN[mode](wire, step, illness, 1)
    assert wire.met == 1
    assert isinstance(seen.outcome, Reply), seen.outcome
    assert seen.sent == 1
    assert seen.took_s < quick(illness, "once")
    assert seen.stood_s < NOISE_S / 3, "the loop stood still"
    rows = after_the_leases(server)
    assert [(row.state, row.cost_nusd) for row in rows] == [("settled", seen.outcome.cost_nusd)] * 2


ALWAYS = [
    *(("async", illness, step) for illness in ("cut question", "cut answer", "garbage") for step in STEPS),
    *(("sync", "cut answer", step) for step in STEPS),
    ("async", "silence", "reserve"),
    ("async", "silence", "settle"),
    ("sync", "silence", "admit"),
    ("sync", "silence", "mark_sent"),
    ("async", "half an answer", "settle"),
]


@pytest.mark.parametrize(("mode", "illness", "step"), ALWAYS)
def test_an_illness_that_stays_ends_the_call_in_time_and_holds_nothing_after_its_lease(
    server: ValkeyServer, wire: SickWire, mode: str, illness: Illness, step: str
) -> None:
    seen = SEEN[mode](wire, step, illness, 1000)
    assert wire.met == 2, "a try, and a second one"
    assert seen.took_s < quick(illness, "always")
    assert seen.stood_s < NOISE_S / 3, "the loop stood still"
    rows = after_the_leases(server)
    assert rows[0].state == "settled"
    if step == "settle":  # the answer is paid for, and is not lost
        assert isinstance(seen.outcome, Reply), seen.outcome
        assert len(seen.facts(ev.SettleFailed)) == seen.sent == 1
        heard = illness in HEARD
        assert rows[1].state == ("settled" if heard else "expired")
        assert rows[1].cost_nusd == (seen.outcome.cost_nusd if heard else rows[1].worst_nusd)
        return
    assert isinstance(seen.outcome, StoreError), seen.outcome
    assert seen.outcome.port == ("limiter" if step == "admit" else "ledger")
    assert seen.outcome.help
    assert seen.sent == 0
    assert sum(row.cost_nusd for row in rows[1:]) == 0


@pytest.mark.parametrize("illness", ["cut answer", "garbage", "silence"])
def test_a_server_that_never_greets_is_a_store_error_in_time(
    server: ValkeyServer, wire: SickWire, illness: Illness
) -> None:
    wire.fall_ill("hello", illness, times=1000)
    transport = ScriptedTransport(HI, clock=SystemClock())
    with Router.open(POLICIES, state=wire.url, transport=transport) as router:
        began_s = time.monotonic()
        with pytest.raises(StoreError):
            router.complete("hello", **CALL)
        assert time.monotonic() - began_s < quick(illness, "always")
        assert transport.calls == []


def test_who_accepts_connections_and_never_answers_is_a_store_error_in_time(tmp_path: Path) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"redis://127.0.0.1:{mute.getsockname()[1]}"
        transport = ScriptedTransport(HI, clock=SystemClock())
        with Router.open(POLICIES, state=url, transport=transport) as router:
            began_s = time.monotonic()
            with pytest.raises(StoreError, match="does not answer"):
                router.complete("hello", **CALL)
            assert time.monotonic() - began_s < quick("silence", "always")
            assert transport.calls == []
