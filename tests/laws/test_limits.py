"""Law 1 for every limit: no burst of tasks, threads or processes gets more through than it lets, and what fits is
let in.

At the ports, a burst asks for every unit of a limit, in windows of all lengths, and for concurrency. Each answer has a
number that was taken inside the store's atomic step; the naive state (tests/adapters/naive.py) goes through them in
that order, with plain integers, and says of each whether it was right. Through the engine, whoever may have limits has
each of them in turn.
"""

import asyncio
import pickle
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC
from functools import partial
from pathlib import Path

import pytest

from router import events as ev
from router.adapters.clocks import AsyncClock, ManualClock, SystemClock
from router.adapters.scripted_transport import Says
from router.client.inline import run_inline
from router.decide.scopes import caller
from router.engine import execute
from router.errors import LimitExceeded
from router.plan import Plan
from router.policy.load import load_text
from router.ports import Admission, Granted, Hold, Refused, Take
from router.values import Usage
from tests.adapters.naive import Naive
from tests.adapters.states import State, concurrency, hold, limit, nothing, valkey
from tests.laws.stores import SHARED, T0_S, asked, ended, in_child, needs_fork, opened, ports_of, shared_state
from tests.laws.test_law_1_budgets import Patient
from tests.policy.books import Book

TOKEN_UNITS = ("tokens", "input_tokens", "output_tokens")
WINDOWS_S = (1.0, 60.0, 3600.0)
LIMITS = (
    concurrency(9),
    *(limit("tenant:acme", 11, unit="requests", window_s=window_s) for window_s in WINDOWS_S),
    *(
        limit("tenant:acme", 100, unit=unit, window_s=window_s)
        for unit in TOKEN_UNITS
        for window_s in WINDOWS_S
    ),
)
LONG_S = 1000.0


@dataclass(frozen=True)
class Asked:
    """One call of a burst, and what it was told."""

    take: Take
    name: str
    answer: Admission | Granted | Refused

    @property
    def hold(self) -> Hold:
        return hold(self.name, takes=[self.take], now_s=T0_S, lease_s=LONG_S)

    @property
    def let_in(self) -> bool:
        return isinstance(self.answer, Granted) or (
            isinstance(self.answer, Admission) and not self.answer.full
        )


async def ask(state: State, number: int) -> Asked:
    """The calls of a burst meet the limits in turn, with few tokens or with many."""
    of, name = LIMITS[number % len(LIMITS)], f"r{number:06}"
    if of.unit in TOKEN_UNITS:
        take = Take(limit=of, amount=1 + number % 7)
        held = hold(name, takes=[take], now_s=T0_S, lease_s=LONG_S)
        return Asked(take, name, await state.ledger.reserve(held))
    take = Take(limit=of, amount=1)
    return Asked(take, name, await state.limiter.admit(name, [take], now_s=T0_S, lease_s=LONG_S))


def check(burst: Sequence[Asked]) -> None:
    """Go through the answers in the order of their numbers. All is within one instant, so nothing comes free."""
    naive = Naive(UTC)
    for port in (Admission, Granted | Refused):
        answers = sorted(
            (each for each in burst if isinstance(each.answer, port)), key=lambda each: each.answer.seq
        )
        assert len({each.answer.seq for each in answers}) == len(answers)
        for each in answers:
            if isinstance(each.answer, Admission):
                naive.admitted(each.name, [each.take], each.answer, T0_S, LONG_S)
            else:
                naive.reserved(each.hold, each.answer)
    for of in LIMITS:
        asked = [each for each in burst if each.take.limit == of]
        refused = [each.take.amount for each in asked if not each.let_in]
        assert refused, f"{of.text} was never full"
        assert (
            of.at_most - min(refused) < sum(each.take.amount for each in asked if each.let_in) <= of.at_most
        )


async def end(state: State, burst: Sequence[Asked]) -> None:
    """All end; what costs nothing holds nothing."""
    for each in burst:
        if isinstance(each.answer, Admission):
            await state.limiter.release(each.name)
        elif each.let_in:
            await state.ledger.settle(each.name, nothing(now_s=T0_S))
    for of, held in (await state.limiter.used(LIMITS, now_s=T0_S)).items():
        assert held == (of.at_most if of.unit == "requests" else 0)


@pytest.mark.parametrize("store", SHARED)
def test_a_thousand_tasks_of_one_loop_meet_every_limit(store: str, tmp_path: Path) -> None:
    async def all_at_once() -> list[Asked]:
        state = shared_state(store, tmp_path, AsyncClock())
        try:
            burst = await asyncio.gather(*(ask(state, number) for number in range(1000)))
            await end(state, burst)
        finally:
            await state.aclose()
        return burst

    check(asyncio.run(all_at_once()))


@pytest.mark.parametrize("store", SHARED)
def test_sixty_four_threads_meet_every_limit(store: str, tmp_path: Path) -> None:
    with opened(store, tmp_path, SystemClock()) as state, ThreadPoolExecutor(64) as pool:
        burst = list(pool.map(lambda number: run_inline(ask(state, number)), range(640)))
        run_inline(end(state, burst))
    check(burst)


@needs_fork
@pytest.mark.parametrize("store", SHARED)
def test_eight_processes_meet_every_limit(store: str, tmp_path: Path) -> None:
    valkey()  # before the forks: they share it

    def work(process: int) -> None:
        with opened(store, tmp_path, Patient(T0_S)) as state:
            found = [run_inline(ask(state, number)) for number in range(process, 640, 8)]
        (tmp_path / f"{process}.pickle").write_bytes(pickle.dumps(found))

    pids = [in_child(partial(work, process)) for process in range(8)]
    assert [ended(pid) for pid in pids] == [0] * 8
    burst = [
        each
        for process in range(8)
        for each in pickle.loads((tmp_path / f"{process}.pickle").read_bytes())  # noqa: S301 - our own children's
    ]
    check(burst)
    with opened(store, tmp_path, ManualClock(T0_S)) as state:
        run_inline(end(state, burst))


# --- Whoever may have limits ------------------------------------------------------------------------------------------

FITS = 7
TEXT = "x" * 99  # bounded at 100 tokens
FULL = Usage(input_tokens=100, output_tokens=400)
"""An answer that takes all that was reserved, so that the order of settlements makes no difference."""

AMOUNTS = {
    "requests_per_hour": FITS,
    "tokens_per_hour": FITS * 500 + 6,
    "input_tokens_per_hour": FITS * 100 + 6,
    "output_tokens_per_hour": FITS * 400 + 6,
    "concurrent_requests": FITS,
}
OWNERS = ("tenant", "user", "policy", "provider", "model", "key")


def plan_of(owner: str, unit: str) -> Plan:
    """One limit of one owner, and nothing else."""
    its = {each: f"limits: {{{unit}: {AMOUNTS[unit]}}}" if each == owner else "" for each in OWNERS}
    each_user = f"each: {{user: {{{its['user']}}}}}" if its["user"] else ""
    key = block("env: OPENAI_API_KEY", its["key"])
    text = f"""
version: 1
providers:
  openai: {block(f"keys: [{key}]", f"models: {{small: {block(its['model'])}}}", its["provider"])}
policies:
  main: {block("targets: [openai/small]", "ceiling: {output_tokens: 400}", its["policy"])}
tenants:
  acme: {block("policies: all", its["tenant"], each_user)}
"""
    found = load_text(text, Book(), file="policies/a.yaml")
    assert found.plan is not None, found.problems
    return found.plan


def block(*parts: str) -> str:
    return f"{{{', '.join(part for part in parts if part)}}}"


class Watch:
    """Counts the attempts under way."""

    def __init__(self) -> None:
        self.under_way = self.most = 0

    def __call__(self, event: ev.Event) -> None:
        self.under_way += isinstance(event, ev.AttemptSent)
        self.under_way -= isinstance(event, ev.Settled)
        self.most = max(self.most, self.under_way)


@pytest.mark.parametrize("store", SHARED)
@pytest.mark.parametrize("unit", AMOUNTS)
@pytest.mark.parametrize("owner", OWNERS)
def test_a_burst_through_the_engine(owner: str, unit: str, store: str, tmp_path: Path) -> None:
    plan, watch = plan_of(owner, unit), Watch()
    request = replace(asked(0, TEXT), tenant="acme", user="ann")
    (of,) = (
        *caller(plan, request).limits,
        *plan.policies["main"].limits,
        *plan.providers["openai"].limits_of("small"),
        *plan.providers["openai"].keys[0].limits,
    )
    assert of.owner.startswith(f"{owner}:")

    async def all_at_once() -> list[str]:
        clock = AsyncClock()
        state = shared_state(store, tmp_path, clock)
        ports = ports_of(plan, state, clock, Says("x", usage=FULL, after_s=0.002), watch)
        try:
            calls = (execute(plan, ports, replace(request, id=f"r{number}")) for number in range(40))
            ends = await asyncio.gather(*calls, return_exceptions=True)
            held = (await state.limiter.used([of], now_s=clock.now_s()))[of]
        finally:
            await state.aclose()
        assert held == {"concurrent_requests": 0, "requests": FITS}.get(of.unit, of.at_most // FITS * FITS)
        return [type(each).__name__ for each in ends]

    ends = asyncio.run(all_at_once())
    assert set(ends) == {"Reply", LimitExceeded.__name__}
    assert watch.under_way == 0
    if of.unit == "concurrent_requests":
        assert watch.most == FITS <= ends.count("Reply")
    else:
        assert ends.count("Reply") == FITS
