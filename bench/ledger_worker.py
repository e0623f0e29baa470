"""A process that reserves, marks as sent and settles, in blocks: `python -m bench.ledger_worker STATE PLACE MODE`.

Spoken to in lines of JSON, as `bench.worker` is. `MODE` is `sync`, `async` (one after another) or `at_once`.
"""

import asyncio
import json
import os
import sys
import time
import uuid
from collections.abc import Coroutine
from typing import Any

from router.adapters.clocks import AsyncClock, SystemClock
from router.adapters.memory_state import MemoryState
from router.adapters.redis_state import RedisState
from router.adapters.sqlite_state import SqliteState
from router.client.inline import run_inline
from router.plan import Budget, Limit
from router.ports import Charge, Counter, Granted, Hold, Settlement, Take
from router.values import Place, Usage

BUDGETS, LIMITS, AT_ONCE = 5, 4, 64
LEASE_S = 60.0
PLACE = Place(file="policies/bench.yaml", line=1, column=1)


def state_of(kind: str, place: str, mode: str) -> Any:
    clock = SystemClock() if mode == "sync" else AsyncClock()
    if kind == "memory":
        return MemoryState()
    if kind == "valkey":
        return RedisState(place, clock, name="bench")
    return SqliteState(place, clock, full=kind == "sqlite-full")


def _charges() -> tuple[Charge, ...]:
    budgets = [
        Budget(
            owner=f"tenant:acme/{number}",
            unit="nusd",
            window="day",
            amount=10**17,
            place=PLACE,
            text="per_day: $100000000",
        )
        for number in range(BUDGETS)
    ]
    return tuple(
        Charge(
            counter=Counter(owner=budget.owner, unit="nusd", window="day", start="2026-11-28"),
            needed=240_000,
            budget=budget,
            resets_at_s=None,
        )
        for budget in budgets
    )


def _takes() -> tuple[Take, ...]:
    limits = [
        Limit(
            owner=f"tenant:acme/{number}",
            unit="tokens",
            window_s=60.0,
            at_most=10**9,
            place=PLACE,
            text="tokens_per_minute: 1000M",
        )
        for number in range(LIMITS)
    ]
    return tuple(Take(limit=limit, amount=1500) for limit in limits)


CHARGES, TAKES = _charges(), _takes()


def hold() -> Hold:
    return Hold(
        id=uuid.uuid4().hex,
        request_id=uuid.uuid4().hex,
        attempt=1,
        policy="cheap-fast",
        tenant="acme/search",
        user="alice",
        target="openai/gpt-5-nano",
        plan_digest="d" * 64,
        prices_digest="p" * 64,
        worst_nusd=240_000,
        worst_tokens=1500,
        charges=CHARGES,
        takes=TAKES,
        now_s=time.time(),
        lease_s=LEASE_S,
    )


async def steps(ledger: Any) -> float:
    """The seconds of one row's life: reserved, sent, settled."""
    held = hold()
    began_s = time.perf_counter()
    granted = await ledger.reserve(held)
    await ledger.mark_sent(held.id, now_s=time.time())
    usage = Usage(input_tokens=900, output_tokens=300)
    ending = Settlement(cost_nusd=150_000, usage=usage, how="reported", kind=None, now_s=time.time())
    await ledger.settle(held.id, ending)
    lasted_s = time.perf_counter() - began_s
    assert isinstance(granted, Granted), granted
    return lasted_s


async def _in_turn(ledger: Any, calls: int) -> list[float]:
    return [await steps(ledger) for _ in range(calls)]


def blocks(state: Any, mode: str, runner: asyncio.Runner, calls: int) -> list[float]:
    if mode == "sync":
        return [run_inline(steps(state.ledger)) for _ in range(calls)]

    async def shared() -> list[float]:
        shares = [calls // AT_ONCE + (place < calls % AT_ONCE) for place in range(AT_ONCE)]
        return [
            each
            for part in await asyncio.gather(*(_in_turn(state.ledger, share) for share in shares))
            for each in part
        ]

    work: Coroutine[Any, Any, list[float]] = _in_turn(state.ledger, calls) if mode == "async" else shared()
    return runner.run(work)


def main() -> None:
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    kind, place, mode = sys.argv[1:]
    state = state_of(kind, place, mode)
    with asyncio.Runner() as runner:
        answers.write(json.dumps("ready") + "\n")
        for line in sys.stdin:
            wall_s, cpu_s = time.perf_counter(), time.process_time()
            durations_s = blocks(state, mode, runner, json.loads(line)["calls"])
            block = {
                "durations_s": durations_s,
                "cpu_s": time.process_time() - cpu_s,
                "wall_s": time.perf_counter() - wall_s,
            }
            answers.write(json.dumps(block) + "\n")
        if mode == "sync":
            run_inline(state.aclose())
        else:
            runner.run(state.aclose())


if __name__ == "__main__":
    main()
