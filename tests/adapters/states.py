"""Every implementation of the state ports under one name, and small holds, budgets and limits to try them with.

A further implementation joins the contract tests by one more entry in STATES.
"""

import atexit
import os
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any, Protocol, TypeVar

from router.adapters.clocks import AsyncClock, ManualClock, SystemClock
from router.adapters.memory_state import MemoryState
from router.adapters.redis_state import RedisState
from router.adapters.sqlite_state import SqliteState
from router.plan import Budget, Limit, Unit, Window
from router.ports import (
    Balance,
    Charge,
    Clock,
    Counter,
    Granted,
    Health,
    Hold,
    Ledger,
    Limiter,
    Refused,
    Row,
    Settlement,
    Take,
)
from router.values import Kind, Place, Usage
from tests.adapters.valkey import REDIS_SERVER, ValkeyServer

T = TypeVar("T")
NOW_S = 1_790_000_000.0
LEASE_S = 30.0
PLACE = Place(file="policies/a.yaml", line=1, column=1)


class AtNow(SystemClock):
    """Waits in real time, on the day that holds are made: their leases have not lapsed while they are looked at."""

    def now_s(self) -> float:
        return NOW_S


class AsyncAtNow(AsyncClock):
    """The same on an event loop."""

    def now_s(self) -> float:
        return NOW_S


class State(Protocol):
    ledger: Ledger
    limiter: Limiter
    health: Health

    @property
    def suspends(self) -> bool: ...

    async def aclose(self) -> None: ...


_running: dict[str, ValkeyServer] = {}
_names = count()


def valkey() -> ValkeyServer:
    """One server for all tests of a run that need just any; each state on it has a name of its own."""
    return _server("valkey", None)


def _server(name: str, program: str | None) -> ValkeyServer:
    if name not in _running:
        _running[name] = ValkeyServer(Path(mkdtemp(prefix=f"{name}-")), program=program)
        atexit.register(_end, _running[name])
    return _running[name]


def _end(server: ValkeyServer) -> None:
    server.kill()
    rmtree(server.folder)


def redis_state(clock: Clock, server: ValkeyServer | None = None) -> RedisState:
    url = (server or valkey()).url
    return RedisState(url, clock, name=f"{os.getpid()}-{next(_names)}", server_time=False)


STATES: dict[str, Callable[[Path], State]] = {
    "memory": lambda folder: MemoryState(),
    "redis": lambda folder: redis_state(ManualClock()),
    "sqlite": lambda folder: SqliteState(folder / "state" / "state.db", ManualClock()),
}
if REDIS_SERVER is not None:  # tests/adapters/test_redis_server.py says so where there is none
    STATES["redis-server"] = lambda folder: redis_state(ManualClock(), _server("redis", REDIS_SERVER))


@contextmanager
def opened(name: str, folder: Path) -> Iterator[State]:
    state = STATES[name](folder)
    try:
        yield state
    finally:
        do(state.aclose())


def do(call: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine of a port that does not suspend, as the sync client does."""
    try:
        call.send(None)
    except StopIteration as stop:
        return stop.value
    call.close()
    raise AssertionError("it suspended")


def budget(
    owner: str = "tenant:acme",
    amount: int = 100,
    *,
    unit: Unit = "nusd",
    window: Window = "day",
    **fields: Any,
) -> Budget:
    return Budget(
        owner=owner,
        unit=unit,
        window=window,
        amount=amount,
        place=PLACE,
        text=f"per_{window}: {amount}",
        **fields,
    )


def limit(
    owner: str = "tenant:acme",
    at_most: int = 10,
    *,
    unit: Any = "tokens",
    window_s: float = 60.0,
    **fields: Any,
) -> Limit:
    return Limit(
        owner=owner,
        unit=unit,
        window_s=window_s,
        at_most=at_most,
        place=PLACE,
        text=f"{unit}: {at_most}",
        **fields,
    )


def concurrency(at_most: int, owner: str = "tenant:acme", *, shadow: bool = False) -> Limit:
    return limit(owner, at_most, unit="concurrent_requests", window_s=0.0, shadow=shadow)


def counter(of: Budget, start: str = "2026-09-21") -> Counter:
    return Counter(
        owner=of.owner, unit=of.unit, window=of.window, start="" if of.window == "total" else start
    )


def charge(
    of: Budget, needed: int, *, start: str = "2026-09-21", resets_at_s: float | None = NOW_S + 3600
) -> Charge:
    return Charge(counter=counter(of, start), needed=needed, budget=of, resets_at_s=resets_at_s)


def hold(
    id: str,
    *charges: Charge,
    takes: Sequence[Take] = (),
    now_s: float = NOW_S,
    lease_s: float = LEASE_S,
    worst_nusd: int | None = None,
    worst_tokens: int = 30,
) -> Hold:
    dearest = max((each.needed for each in charges if each.counter.unit == "nusd"), default=0)
    return Hold(
        id=id,
        request_id=f"r-{id}",
        attempt=1,
        policy="cheap-fast",
        tenant="acme",
        user=None,
        target="openai/gpt-5-nano",
        plan_digest="d" * 64,
        prices_digest="p" * 64,
        worst_nusd=dearest if worst_nusd is None else worst_nusd,
        worst_tokens=worst_tokens,
        charges=charges,
        takes=tuple(takes),
        now_s=now_s,
        lease_s=lease_s,
    )


def settlement(cost_nusd: int, *, now_s: float = NOW_S + 1, **fields: Any) -> Settlement:
    values: dict[str, Any] = {
        "usage": Usage(input_tokens=10, output_tokens=5),
        "how": "reported",
        "kind": None,
        "now_s": now_s,
    }
    return Settlement(cost_nusd=cost_nusd, **{**values, **fields})


def nothing(*, kind: Kind = Kind.RATE_LIMITED, now_s: float = NOW_S + 1) -> Settlement:
    return settlement(0, usage=None, how="nothing", kind=kind, now_s=now_s)


def balance(state: State, of: Budget, start: str = "2026-09-21") -> tuple[int, int]:
    """(settled, reserved)"""
    found = do(state.ledger.balances([counter(of, start)]))[counter(of, start)]
    return found.settled, found.reserved


def row(state: State, id: str) -> Row:
    return next(each for each in do(state.ledger.rows()) if each.id == id)


def granted(state: State, held: Hold) -> bool:
    return isinstance(do(state.ledger.reserve(held)), Granted)


def refused(state: State, held: Hold) -> Refused:
    result = do(state.ledger.reserve(held))
    assert isinstance(result, Refused)
    return result


def balances_of_rows(rows: Sequence[Row]) -> dict[Counter, Balance]:
    """What the counters must hold, from nothing but the rows."""
    sums: dict[Counter, list[int]] = {}
    for each in rows:
        for key, amount in each.counters:
            sums.setdefault(key, [0, 0])[each.state in ("reserved", "sent")] += amount
    return {key: Balance(settled=settled, reserved=reserved) for key, (settled, reserved) in sums.items()}
