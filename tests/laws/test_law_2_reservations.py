"""Law 2: every reservation ends once.

A process is killed at every step that a call, a fallback, a retry and a stream take, and at moments of chance.
Afterwards every row has ended, balances are the sum of the rows, and what was sent is charged.
"""

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from router import events as ev
from router.adapters.clocks import ManualClock, SystemClock
from router.adapters.scripted_transport import Fails, Says, Script
from router.books.audit import audit
from router.client.inline import run_inline
from router.engine import Ports, execute, open_stream
from router.errors import RouterError, StreamBroken
from router.plan import RetryRule
from router.ports import Take
from router.values import Kind, Usage
from tests.adapters.states import valkey
from tests.build import budget, lexical, limit, plan, policy, price, provider, target
from tests.laws.stores import SHARED, T0_S, asked, ended, in_child, needs_fork, opened, ports_of

CAP = budget("policy:main", 10**9)
TWICE = lexical(retry=RetryRule(attempts=2, base_s=0.0, max_s=0.0, on=frozenset({Kind.SERVER_ERROR})))
REQUESTS = replace(CAP, unit="requests", text="requests_per_day: 1G")
HOUR = limit("provider:openai", 10**9)
BUSY = limit("model:openai/a", 10**9, unit="concurrent_requests", window_s=0.0)
CALLED, AT_ONCE = (
    limit("policy:main", 10**9),
    limit("policy:main", 1, unit="concurrent_requests", window_s=0.0),
)
NEXT = (Take(limit=AT_ONCE, amount=1),)
PLAN = plan(
    policy("main", "openai/a", "openai/b", budgets=(CAP, REQUESTS), limits=(CALLED, AT_ONCE), lexical=TWICE),
    targets=tuple(target(f"openai/{name}", prices=price(10**9, 2 * 10**9)) for name in "ab"),
    providers={"openai": replace(provider("openai"), limits=(HOUR,), model_limits={"a": (BUSY,)})},
)
ANSWER = Says("x", usage=Usage(input_tokens=10, output_tokens=40))
WORDS = replace(ANSWER, text="one two three")
COST = 10 + 80
SCRIPTS: dict[str, Script] = {
    "a call": ANSWER,
    "a fallback": {"openai/a": Fails(Kind.NOT_FOUND, status=404), "openai/b": ANSWER},
    "a retry": [Fails(Kind.SERVER_ERROR, status=500), ANSWER],
    "a stream": WORDS,
    "a stream that falls back": {
        "openai/a": Fails(Kind.CONNECTION, says=WORDS, chunks=0),
        "openai/b": WORDS,
    },
    "a stream that breaks": Fails(Kind.CONNECTION, says=WORDS, chunks=2),
    "a stream that is closed": WORDS,
}
TIMES = 5
UNITS = ("nusd", "requests")
AFTER_S = 61.0


def call(store: str, place: Path, name: str, *sinks: Any) -> None:
    clock = ManualClock(T0_S)
    with opened(store, place, clock) as state:
        ask(ports_of(PLAN, state, clock, SCRIPTS[name], *sinks), 1, name)


def ask(ports: Ports, number: object, name: str) -> None:
    if "stream" in name:
        run_inline(read(ports, number, closed="closed" in name))
    else:
        run_inline(execute(PLAN, ports, asked(number)))


async def read(ports: Ports, number: object, *, closed: bool) -> None:
    """To its end, or for one piece."""
    live = await open_stream(PLAN, ports, replace(asked(number), stream=True))
    with suppress(StreamBroken):
        while await live.advance() is not None and not closed:
            pass
    await live.close()


def dying_at(step: int) -> Callable[[ev.Event], None]:
    """A sink that kills its process when it is told of the `step`-th event."""
    seen = iter(range(1, 1000))

    def sink(event: ev.Event) -> None:
        if next(seen) == step:
            os.kill(os.getpid(), signal.SIGKILL)

    return sink


def left_behind(store: str, place: Path) -> str:
    """What the dead one had come to. Everything that must hold of what it left, and after its leases, is asserted."""
    with opened(store, place, ManualClock(T0_S)) as state:
        before = list(run_inline(state.ledger.rows()))
        left = run_inline(state.limiter.used((CALLED, AT_ONCE), now_s=T0_S))
    assert left[CALLED] >= max(left[AT_ONCE], bool(before)), (
        "who is let in is counted before anything is reserved"
    )
    clock = ManualClock(T0_S + AFTER_S)
    with opened(store, place, clock) as state:
        after = list(run_inline(state.ledger.rows()))  # to open it is enough
        found = run_inline(audit(ports_of(PLAN, state, clock, ANSWER)))
        balances = run_inline(state.ledger.all_balances())
        used = run_inline(state.limiter.used((HOUR, BUSY, CALLED, AT_ONCE), now_s=clock.now_s()))
        if left[AT_ONCE]:
            assert (
                run_inline(state.limiter.admit("next", NEXT, now_s=clock.now_s(), lease_s=1.0)).full is None
            )
    sent = [row for row in after if row.state != "released"]
    assert used == {HOUR: len(sent), BUSY: 0, CALLED: left[CALLED], AT_ONCE: 0}, (
        "every send is one of the provider's, whoever was let in stays counted, and nobody is busy"
    )
    settled = {unit: sum(b.settled for c, b in balances.items() if c.unit == unit) for unit in UNITS}
    assert settled["requests"] == len({row.request_id for row in sent})
    assert found.findings == ()
    assert found.resolved == 0
    for old, new in zip(before, after, strict=True):
        assert new.state == {"reserved": "released", "sent": "expired"}.get(old.state, old.state)
        if new.state == "expired":
            assert new.cost_nusd == new.worst_nusd > 0
    assert sum(each.reserved for each in balances.values()) == 0
    assert settled["nusd"] == sum(row.cost_nusd for row in after) <= CAP.amount
    if before:
        return before[-1].state
    return "admitted" if left[AT_ONCE] else "nothing"


@needs_fork
@pytest.mark.parametrize("store", SHARED)
def test_killed_at_every_step_of_a_call_a_fallback_a_retry_and_a_stream(store: str, tmp_path: Path) -> None:
    valkey()
    died: Counter[str] = Counter()
    for place, name in places(tmp_path):
        step, code = 0, -9
        while code == -9:
            step += 1
            codes = set()
            for turn in range(TIMES):
                here = place / f"{place.name}-{step}-{turn}"  # a server tells states apart by that name
                here.mkdir(parents=True)
                doomed = dying_at(step)
                codes.add(ended(in_child(lambda: call(store, here, name, doomed))))  # noqa: B023
                left = left_behind(store, here)
                died[left if code == -9 else "ended"] += 1
            assert len(codes) == 1, f"{name} dies at step {step} now and then"
            code = codes.pop()
        assert (step, code) == (EVENTS[name] + 1, 0)
    print(f"{store}: killed while {dict(died)}")  # noqa: T201 - told by `pytest -s`, as a failure would
    assert {"nothing", "admitted", "reserved", "sent", "settled"} <= died.keys()


EVENTS = {
    "a call": 9,
    "a fallback": 14,
    "a retry": 15,
    "a stream": 10,
    "a stream that falls back": 15,
    "a stream that breaks": 10,
    "a stream that is closed": 9,
}
"""How many events each tells: the steps there are to die at."""


def places(folder: Path) -> Iterator[tuple[Path, str]]:
    for number, name in enumerate(SCRIPTS):
        yield folder / str(number), name


def live(store: str, place: Path, process: int) -> None:
    """Calls without end, on real time: whoever kills this one finds it anywhere."""
    clock = SystemClock()
    names = list(SCRIPTS)
    with opened(store, place, clock) as state:
        for number in range(10**9):
            try:
                name = names[number % len(names)]
                ask(ports_of(PLAN, state, clock, SCRIPTS[name]), f"{process}-{number}", name)
            except RouterError:
                continue


@needs_fork
@pytest.mark.parametrize("store", SHARED)
def test_killed_a_hundred_times_by_chance(store: str, tmp_path: Path) -> None:
    valkey()
    chance = random.Random(7)
    for process in range(0, 100, 2):
        pids = [
            in_child(lambda number=number: live(store, tmp_path, number)) for number in (process, process + 1)
        ]  # type: ignore[misc]
        time.sleep(chance.uniform(0.0, 0.05))
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
            assert ended(pid) == -9
    later = ManualClock(time.time() + AFTER_S)
    with opened(store, tmp_path, later) as state:
        found = run_inline(audit(ports_of(PLAN, state, later, ANSWER)))
        rows = run_inline(state.ledger.rows())
        used = run_inline(state.limiter.used((HOUR, BUSY), now_s=later.now_s()))
    assert used == {HOUR: sum(row.state != "released" for row in rows), BUSY: 0}
    assert found.findings == ()
    assert all(row.ended_at_s is not None for row in rows)
    assert sum(row.cost_nusd for row in rows) <= CAP.amount


@pytest.mark.parametrize("store", SHARED)
def test_the_truth_corrects_a_row_that_its_lease_had_ended(store: str, tmp_path: Path) -> None:
    """A process that stood still for longer than its lease, and then got its answer."""
    from tests.adapters.states import balance, charge, hold, row, settlement

    with opened(store, tmp_path, ManualClock(T0_S)) as state:
        run_inline(state.ledger.reserve(hold("slow", charge(CAP, 100))))
        run_inline(state.ledger.mark_sent("slow", now_s=T0_S))
        assert run_inline(state.ledger.reconcile(now_s=T0_S + AFTER_S)) == 1
        assert (row(state, "slow").state, balance(state, CAP)) == ("expired", (100, 0))
        run_inline(state.ledger.settle("slow", settlement(70)))
        run_inline(state.ledger.settle("slow", settlement(5)))
        run_inline(state.ledger.release("slow", now_s=T0_S))
        assert (row(state, "slow").state, balance(state, CAP)) == ("settled", (70, 0))


@pytest.mark.parametrize("store", SHARED)
def test_a_settlement_lands_in_the_window_of_its_reservation(store: str, tmp_path: Path) -> None:
    from tests.adapters.states import balance, charge, hold, settlement

    with opened(store, tmp_path, ManualClock(T0_S)) as state:
        run_inline(state.ledger.reserve(hold("late", charge(CAP, 100, start="2026-09-21"))))
        run_inline(state.ledger.mark_sent("late", now_s=T0_S))
        run_inline(state.ledger.settle("late", settlement(70, now_s=T0_S + 2 * 86_400)))
        assert balance(state, CAP, "2026-09-21") == (70, 0)
        assert balance(state, CAP, "2026-09-23") == (0, 0)


@pytest.mark.parametrize("store", SHARED)
def test_a_truth_corrects_what_a_timeout_was_charged_and_is_final(store: str, tmp_path: Path) -> None:
    from tests.adapters.states import balance, charge, hold, row, settlement

    worst = settlement(100, usage=None, how="worst_case", kind=Kind.TIMEOUT)
    with opened(store, tmp_path, ManualClock(T0_S)) as state:
        run_inline(state.ledger.reserve(hold("lost", charge(CAP, 100))))
        run_inline(state.ledger.mark_sent("lost", now_s=T0_S))
        run_inline(state.ledger.settle("lost", worst))
        assert (row(state, "lost").how, balance(state, CAP)) == ("worst_case", (100, 0))
        run_inline(state.ledger.settle("lost", settlement(70)))
        run_inline(state.ledger.settle("lost", settlement(5)))
        run_inline(state.ledger.settle("lost", worst))
        assert (row(state, "lost").how, balance(state, CAP)) == ("reported", (70, 0))


@pytest.mark.parametrize("store", SHARED)
def test_rows_that_leave_the_store_leave_what_they_had_settled(store: str, tmp_path: Path) -> None:
    from tests.adapters.states import balance, charge, hold, settlement

    clock = ManualClock(T0_S)
    with opened(store, tmp_path, clock) as state:
        for name in ("a", "b", "open"):
            run_inline(state.ledger.reserve(hold(name, charge(CAP, 100), now_s=T0_S, lease_s=9999)))
        for name in ("a", "b"):
            run_inline(state.ledger.settle(name, settlement(70)))
        rows = run_inline(state.ledger.rows())
        assert run_inline(state.ledger.move_out(rows)) == 2
        assert run_inline(state.ledger.move_out(rows)) == 0
        assert balance(state, CAP) == (140, 100)
        assert run_inline(audit(ports_of(PLAN, state, clock, ANSWER))).findings == ()
