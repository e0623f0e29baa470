"""The stores that processes share, for the laws of money: opened by whoever needs them, in whichever process."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from router.adapters.clocks import ManualClock
from router.adapters.draws import SystemDraw
from router.adapters.redis_state import RedisState
from router.adapters.scripted_transport import Script, ScriptedTransport
from router.adapters.sqlite_state import SqliteState
from router.client.inline import run_inline
from router.engine import Ports
from router.plan import Plan
from router.ports import Clock
from router.values import Request
from tests.adapters.states import State, valkey
from tests.world import World

T0_S = 1_790_000_000.0
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")

SHARED = ("redis", "sqlite")


def shared_state(store: str, place: Path, clock: Clock) -> State:
    """The same rows for the same place, whoever opens it."""
    if store == "sqlite":
        return SqliteState(place / "state.db", clock)
    return RedisState(valkey().url, clock, name=f"laws-{place.name}", server_time=False)


@contextmanager
def opened(store: str, place: Path, clock: Clock) -> Iterator[State]:
    state = shared_state(store, place, clock)
    try:
        yield state
    finally:
        run_inline(state.aclose())


def ports_of(plan: Plan, state: State, clock: Clock, script: Script, *sinks: Any) -> Ports:
    """Real ids, so that two processes never meet in one."""
    world = World(plan, clock=ManualClock())
    wire = ScriptedTransport(script, clock=clock)
    return replace(
        world.ports,
        transport=wire,
        ledger=state.ledger,
        limiter=state.limiter,
        health=state.health,
        clock=clock,
        draw=SystemDraw(),
        sinks=sinks,
    )


def asked(number: object, text: str = "hello") -> Request:
    return Request(id=f"r{number}", policy="main", messages=({"role": "user", "content": text},))


def in_child(work: Callable[[], object]) -> int:
    """The process id of a fork that does `work` and ends without a word."""
    pid = os.fork()
    if pid:
        return pid
    try:
        work()
    except BaseException:  # noqa: BLE001 - a child must not go on with the tests
        os._exit(1)
    os._exit(0)


def ended(pid: int) -> int:
    """The exit code of a child; -9 where it was killed."""
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)
