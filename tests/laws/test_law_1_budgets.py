"""Law 1: a hard budget is never exceeded, in tasks, threads and processes; and what fits is admitted.

Every admission and every refusal carries a number that was taken inside the store's atomic step. A checker with plain
integers goes through them in that order and says of each whether it was right.
"""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import date
from itertools import count, cycle
from pathlib import Path
from threading import Lock
from typing import Any

import pytest

from router import events as ev
from router.adapters.clocks import AsyncClock, ManualClock, SystemClock
from router.adapters.redis_state import RedisState
from router.adapters.scripted_transport import Fails, Says
from router.adapters.sqlite_state import SqliteState
from router.client.inline import run_inline
from router.engine import execute
from router.errors import BudgetExceeded, RouterError, StoreError
from router.plan import Ceiling, Key, OnStoreError, Plan, PriceChange, Settings
from router.ports import Granted, Note, Refused, Row, Take, WireCall
from router.testing.down import ALL, MayBeDown
from router.values import Kind, Usage
from tests.adapters.states import settlement, valkey
from tests.build import budget, lexical, limit, plan, policy, price, provider, target
from tests.laws.stores import SHARED, T0_S, asked, ended, in_child, needs_fork, opened, ports_of
from tests.world import World

TEXT = "x" * 99  # bounded at 100 tokens
WORST = 100 * 1 + 400 * 2
"""Nano-USD of one attempt: 100 tokens in, 400 out."""

FITS = 137
CAP = budget("policy:main", FITS * WORST + WORST - 1)
PLAN = plan(
    policy("main", "openai/a", budgets=(CAP,), lexical=lexical(params={"max_tokens": 400})),
    targets=(target("openai/a", prices=price(10**9, 2 * 10**9)),),
)
FULL = Says("x", usage=Usage(input_tokens=100, output_tokens=400))
"""An answer that costs all that was reserved, so that the order of settlements makes no difference."""

Verdict = tuple[int, int]
"""(number, 1 for an admission and 0 for a refusal)."""


def check(verdicts: Sequence[Verdict], fits: int = FITS) -> None:
    """Justify each one from nothing but those before it."""
    numbers = [number for number, _ in verdicts]
    assert len(set(numbers)) == len(numbers)
    left = CAP.amount
    for number, admitted in sorted(verdicts):
        assert (left >= WORST) == bool(admitted), f"number {number} with {left} left"
        left -= WORST * admitted
    assert sum(admitted for _, admitted in verdicts) == fits


def verdicts_of(events: Sequence[ev.Event]) -> list[Verdict]:
    return [
        (event.seq, int(isinstance(event, ev.Reserved)))
        for event in events
        if isinstance(event, ev.Reserved | ev.ReserveRefused)
    ]


class Patient(ManualClock):
    """Waits as well: for a neighbour that is in the middle of a write, and has to get on with it."""

    async def sleep(self, seconds: float) -> None:
        time.sleep(seconds)
        await super().sleep(seconds)


def burst(store: str, place: Path, numbers: Sequence[int]) -> list[Verdict]:
    """Calls one after the other; what was decided about each."""
    seen: list[ev.Event] = []
    clock = Patient(T0_S)
    with opened(store, place, clock) as state:
        ports = ports_of(PLAN, state, clock, FULL, seen.append)
        for number in numbers:
            with suppress(BudgetExceeded):
                run_inline(execute(PLAN, ports, asked(number, TEXT)))
    return verdicts_of(seen)


def spent(store: str, place: Path) -> tuple[int, int]:
    """(settled, reserved) of every counter together, which the rows must agree with."""
    with opened(store, place, ManualClock(T0_S)) as state:
        balances = run_inline(state.ledger.all_balances())
        rows = run_inline(state.ledger.rows())
    assert sum(row.cost_nusd for row in rows) == sum(
        each.settled + each.reserved for each in balances.values()
    )
    assert {row.state for row in rows} == {"settled"}
    return sum(each.settled for each in balances.values()), sum(each.reserved for each in balances.values())


@pytest.mark.parametrize("store", SHARED)
def test_one_after_the_other(store: str, tmp_path: Path) -> None:
    check(burst(store, tmp_path, range(FITS + 30)))
    assert spent(store, tmp_path) == (FITS * WORST, 0)


@pytest.mark.parametrize("store", SHARED)
def test_a_thousand_tasks_of_one_loop(store: str, tmp_path: Path) -> None:
    seen: list[ev.Event] = []
    clock = AsyncClock()

    async def all_at_once() -> None:
        state: Any = (
            SqliteState(tmp_path / "state.db", clock)
            if store == "sqlite"
            else RedisState(valkey().url, clock, name=f"laws-{tmp_path.name}", server_time=False)
        )
        ports = ports_of(PLAN, state, clock, FULL, seen.append)
        calls = (execute(PLAN, ports, asked(number, TEXT)) for number in range(1000))
        try:
            results = await asyncio.gather(*calls, return_exceptions=True)
        finally:
            await state.aclose()
        assert {type(each).__name__ for each in results} == {"Reply", "BudgetExceeded"}

    asyncio.run(all_at_once())
    check(verdicts_of(seen))
    assert spent(store, tmp_path) == (FITS * WORST, 0)


@pytest.mark.parametrize("store", SHARED)
def test_sixty_four_threads_of_one_router(store: str, tmp_path: Path) -> None:
    seen: list[ev.Event] = []
    clock = SystemClock()
    with opened(store, tmp_path, clock) as state, ThreadPoolExecutor(64) as pool:
        ports = ports_of(PLAN, state, clock, FULL, seen.append)

        def call(number: int) -> str:
            try:
                run_inline(execute(PLAN, ports, asked(number, TEXT)))
            except RouterError as error:
                return type(error).__name__
            return "Reply"

        assert set(pool.map(call, range(320))) == {"Reply", "BudgetExceeded"}
    check(verdicts_of(seen))
    assert spent(store, tmp_path) == (FITS * WORST, 0)


def check_in_order(events: Sequence[ev.Event], rows: Sequence[Row]) -> None:
    """Every admission and every refusal is justified by what had been decided before it, endings among it."""
    costs = {row.id: row.cost_nusd for row in rows}
    steps = [(event.seq, "reserve", 0) for event in events if isinstance(event, ev.Reserved)]
    steps += [(event.seq, "refuse", 0) for event in events if isinstance(event, ev.ReserveRefused)]
    steps += [(row.ended_seq or 0, "end", costs[row.id]) for row in rows]
    numbers = [number for number, _, _ in steps]
    assert sorted(numbers) == list(range(1, len(steps) + 1)), "a number is missing, or is there twice"
    used = 0
    for number, step, cost in sorted(steps):
        fits = used + WORST <= CAP.amount
        if step == "end":
            used += cost - WORST
        else:
            assert fits == (step == "reserve"), f"number {number} with {used} used"
            used += WORST * (step == "reserve")
        assert used <= CAP.amount
    assert used == sum(costs.values())


@pytest.mark.parametrize("store", SHARED)
def test_what_is_given_back_is_given_out_again_in_the_order_of_the_numbers(
    store: str, tmp_path: Path
) -> None:
    """Answers that cost less than was reserved, each another sum: only the order of all steps explains who fitted."""
    seen: list[ev.Event] = []
    clock = SystemClock()

    def cheaper(call: WireCall) -> Says:
        return Says("x", usage=Usage(input_tokens=100, output_tokens=350 + int(call.attempt[:2], 16) % 50))

    with opened(store, tmp_path, clock) as state, ThreadPoolExecutor(32) as pool:
        ports = ports_of(PLAN, state, clock, cheaper, seen.append)

        def call(number: int) -> None:
            with suppress(BudgetExceeded):
                run_inline(execute(PLAN, ports, asked(number, TEXT)))

        list(pool.map(call, range(FITS + 120)))
        rows = run_inline(state.ledger.rows())
    check_in_order(seen, rows)
    assert len(rows) > FITS, "nothing was given out again"
    assert len(rows) < FITS + 120, "nothing was refused"


@needs_fork
@pytest.mark.parametrize("store", SHARED)
def test_eight_processes(store: str, tmp_path: Path) -> None:
    valkey()  # before the forks: they share it

    def work(process: int) -> None:
        found = burst(store, tmp_path, range(process * 1000, process * 1000 + 40))
        (tmp_path / f"{process}.json").write_text(json.dumps(found))

    pids = [in_child(lambda process=process: work(process)) for process in range(8)]  # type: ignore[misc]
    assert [ended(pid) for pid in pids] == [0] * 8
    verdicts = [
        tuple(each) for process in range(8) for each in json.loads((tmp_path / f"{process}.json").read_text())
    ]
    check(verdicts)  # type: ignore[arg-type]
    assert spent(store, tmp_path) == (FITS * WORST, 0)


BOUNDS = {"money": 40, "requests of a budget": 30, "requests of a provider": 20}
"""How many attempts each would admit by itself; the least of them is to bind, exactly."""


def mixed(bounds: Mapping[str, int], at_once: int) -> Plan:
    """Money and requests of a policy's budget, requests and concurrency of a provider, tokens of a key."""
    requests = replace(CAP, unit="requests", amount=bounds["requests of a budget"], text="requests_per_day")
    hour = limit("provider:openai", bounds["requests of a provider"])
    key = limit("key:openai/K", 10**9, unit="tokens")
    busy = limit("provider:openai", at_once, unit="concurrent_requests", window_s=0.0)
    money = replace(CAP, amount=bounds["money"] * WORST + WORST - 1)
    keys = (Key(name="K", secret=None, limits=(key,)),)
    return plan(
        policy("main", "openai/a", budgets=(money, requests), lexical=lexical(params={"max_tokens": 400})),
        targets=(target("openai/a", prices=price(10**9, 2 * 10**9)),),
        providers={"openai": replace(provider("openai"), keys=keys, limits=(hour, busy))},
    )


def check_mixed(verdicts: Sequence[Verdict], bounds: Mapping[str, int]) -> None:
    """All of them are taken in one step, so the one that binds first binds exactly, and nothing before it does."""
    left = min(bounds.values())
    for number, admitted in sorted(verdicts):
        assert (left > 0) == bool(admitted), f"number {number} with {left} left"
        left -= admitted
    assert sum(admitted for _, admitted in verdicts) == min(bounds.values())


@pytest.mark.parametrize("binds", BOUNDS)
@pytest.mark.parametrize("store", SHARED)
def test_money_and_requests_of_a_budget_and_a_provider_in_one_burst_of_threads(
    store: str, binds: str, tmp_path: Path
) -> None:
    bounds = {**BOUNDS, binds: 10}
    seen: list[ev.Event] = []
    clock, both = SystemClock(), mixed(bounds, at_once=1000)
    with opened(store, tmp_path, clock) as state, ThreadPoolExecutor(32) as pool:
        ports = ports_of(both, state, clock, FULL, seen.append)

        def call(number: int) -> str:
            try:
                run_inline(execute(both, ports, asked(number, TEXT)))
            except RouterError as error:
                return type(error).__name__
            return "Reply"

        refused = "LimitExceeded" if binds.endswith("provider") else "BudgetExceeded"
        assert set(pool.map(call, range(80))) == {"Reply", refused}
        check_mixed(verdicts_of(seen), bounds)
        limits = (*both.providers["openai"].limits, *both.providers["openai"].keys[0].limits)
        used = run_inline(state.limiter.used(limits, now_s=clock.now_s()))
        assert [used[each] for each in limits] == [10, 0, 10 * 500]
        held = {
            counter.unit: (each.settled, each.reserved)
            for counter, each in run_inline(state.ledger.all_balances()).items()
        }
        assert held == {"nusd": (10 * WORST, 0), "requests": (10, 0)}


@pytest.mark.parametrize("store", SHARED)
def test_no_more_attempts_are_on_the_wire_than_a_provider_takes_and_none_is_held_afterwards(
    store: str, tmp_path: Path
) -> None:
    """Some are answered, some fail, some never leave; what comes too many is refused, and gives nothing to wait for."""
    most, now, peak, lock = 3, [0], [0], Lock()
    clock, wide = SystemClock(), mixed(dict.fromkeys(BOUNDS, 10**6), at_once=most)

    def count_them(event: ev.Event) -> None:
        if isinstance(event, ev.AttemptSent | ev.Settled):
            with lock:
                now[0] += 1 if isinstance(event, ev.AttemptSent) else -1
                peak[0] = max(peak[0], now[0])

    ends = cycle(
        [
            replace(FULL, after_s=0.003),
            Fails(Kind.NOT_FOUND, status=404, after_s=0.002),
            Fails(Kind.CONNECTION, sent=False),
        ]
    )
    with opened(store, tmp_path, clock) as state, ThreadPoolExecutor(16) as pool:
        ports = ports_of(wide, state, clock, lambda call: next(ends), count_them)

        def call(number: int) -> str:
            try:
                run_inline(execute(wide, ports, asked(number, TEXT)))
            except RouterError as error:
                return type(error).__name__
            return "Reply"

        ended_in = Counter(pool.map(call, range(200)))
        hour, busy = wide.providers["openai"].limits
        used = run_inline(state.limiter.used((hour, busy), now_s=clock.now_s()))
        rows = run_inline(state.ledger.rows())
    assert {"Reply", "TargetsExhausted", "LimitExceeded"} <= ended_in.keys()
    assert peak[0] <= most
    assert used[busy] == 0
    assert used[hour] == sum(row.how != "unsent" for row in rows) > 0


@pytest.mark.parametrize("store", SHARED)
def test_a_bill_above_its_bound_is_recorded_in_full_and_closes_the_budget(store: str, tmp_path: Path) -> None:
    dear = Says("x", usage=Usage(input_tokens=100, output_tokens=CAP.amount))
    seen: list[ev.Event] = []
    clock = ManualClock(T0_S)
    with opened(store, tmp_path, clock) as state:
        ports = ports_of(PLAN, state, clock, dear, seen.append)
        reply = run_inline(execute(PLAN, ports, asked(1, TEXT)))
        assert reply.cost_nusd == 100 + 2 * CAP.amount
        assert [each.bound_exceeded for each in seen if isinstance(each, ev.Settled)] == [True]
        with pytest.raises(BudgetExceeded) as caught:
            run_inline(execute(PLAN, ports, asked(2, TEXT)))
        assert caught.value.available == 0


@pytest.mark.parametrize("store", SHARED)
def test_a_refusal_says_what_it_saw_and_all_or_nothing_is_reserved(store: str, tmp_path: Path) -> None:
    """A budget with room is left as it was when another one has none."""
    from tests.adapters.states import balance, charge, hold

    wide, narrow = budget("tenant:acme", 1000), budget("user:acme:ann", 10)
    with opened(store, tmp_path, ManualClock(T0_S)) as state:
        result = run_inline(state.ledger.reserve(hold("a", charge(wide, 50), charge(narrow, 11))))
        assert isinstance(result, Refused)
        assert [(short.needed, short.available) for short in result.shortfalls] == [(11, 10)]
        assert balance(state, wide) == balance(state, narrow) == (0, 0)
        assert isinstance(
            run_inline(state.ledger.reserve(hold("a", charge(wide, 50), charge(narrow, 10)))), Granted
        )


@pytest.mark.parametrize("store", SHARED)
def test_a_budget_in_shadow_softens_none_that_is_hard(store: str, tmp_path: Path) -> None:
    """It is no hard budget, as `check` says; those beside it are."""
    from tests.adapters.states import balance, charge, hold

    tried, enforced = replace(budget("user:acme:ann", 10), shadow=True), budget("tenant:acme", 100)
    with opened(store, tmp_path, ManualClock(T0_S)) as state:
        held = [hold(f"a{number}", charge(tried, 30), charge(enforced, 30)) for number in range(5)]
        results = [run_inline(state.ledger.reserve(each)) for each in held]
        assert [isinstance(each, Granted) for each in results] == [True, True, True, False, False]
        assert [len(each.shadow) for each in results if isinstance(each, Granted)] == [1, 1, 1]
        assert balance(state, enforced) == balance(state, tried) == (0, 90)


@pytest.mark.parametrize("store", SHARED)
def test_no_span_of_a_rolling_budget_ever_holds_more(store: str, tmp_path: Path) -> None:
    """Whatever is settled late, above its bound or not at all: what was taken counts from its reservation on."""
    from tests.adapters.states import hold

    of = replace(budget("tenant:acme", 100, "hour"), rolling=True)
    clock, length_s, log = ManualClock(T0_S), 3_600.0, list[tuple[float, int]]()
    with opened(store, tmp_path, clock) as state:
        for number in range(160):
            clock.advance(97.0)
            now_s, needed = clock.now_s(), 7 + number % 5
            held = hold(f"a{number}", takes=[Take(limit=of, amount=needed)], now_s=now_s, worst_nusd=needed)
            within = sum(amount for at_s, amount in log if at_s > now_s - length_s)
            if isinstance(run_inline(state.ledger.reserve(held)), Refused):
                early = sum(amount for at_s, amount in log if at_s > now_s - length_s * 61 / 60)
                assert early + needed > of.amount
                continue
            assert within + needed <= of.amount
            run_inline(state.ledger.mark_sent(held.id, now_s=now_s))
            cost = (0, needed // 2, needed, needed + 40)[number % 4]
            run_inline(state.ledger.settle(held.id, settlement(cost, now_s=now_s + 1)))
            log.append((now_s, cost))
        assert len(log) < 160
        assert any(amount > 40 for _, amount in log)


@pytest.mark.parametrize("store", SHARED)
def test_caches_that_are_written_for_an_hour_are_held_at_their_price(store: str, tmp_path: Path) -> None:
    """All of the input is billed at the rate of an hour, which is the dearest."""
    tier = replace(price().tiers[0], cache_write_1h_ausd=10**12)
    made = plan(
        policy(
            "main", "openai/a", budgets=(budget("policy:main", 10**6),), ceiling=Ceiling(output_tokens=10)
        ),
        targets=(target("openai/a", prices=replace(price(), tiers=(tier,))),),
    )
    every = Usage(input_tokens=100, cache_write_tokens=100, cache_write_1h_tokens=100, output_tokens=10)
    asks = {"params": {"cache_control": {"type": "ephemeral", "ttl": "1h"}}}
    clock, seen = ManualClock(T0_S), list[ev.Event]()
    with opened(store, tmp_path, clock) as state:
        ports = ports_of(made, state, clock, Says("x", usage=every), seen.append)
        for number in range(9):
            run_inline(execute(made, ports, replace(asked(number, "x" * 99), **asks)))
        with pytest.raises(BudgetExceeded):
            run_inline(execute(made, ports, replace(asked(9, "x" * 99), **asks)))
    settled = [event for event in seen if isinstance(event, ev.Settled)]
    assert [event.bound_exceeded for event in settled] == [False] * 9
    assert spent(store, tmp_path)[0] == 9 * (100 * 1000 + 10 * 400)


@pytest.mark.parametrize("store", SHARED)
def test_failures_that_may_have_been_billed_stay_charged(store: str, tmp_path: Path) -> None:
    """A provider that times out again and again can't be made to work for more than the budget."""
    numbers = count()
    clock = ManualClock(T0_S)
    with opened(store, tmp_path, clock) as state:
        ports = ports_of(PLAN, state, clock, Fails(Kind.TIMEOUT))
        for _ in range(FITS):
            with pytest.raises(RouterError):
                run_inline(execute(PLAN, ports, asked(next(numbers), TEXT)))
        assert len(ports.transport.calls) == FITS  # type: ignore[attr-defined]


@pytest.mark.parametrize("store", SHARED)
@pytest.mark.parametrize("said", ["closed", "open"])
def test_a_ledger_that_is_down_hands_out_nothing_unless_it_is_called_open(
    store: str, said: Any, tmp_path: Path
) -> None:
    """What is sent past an open ledger is on no record: with it nothing is promised, and `check` says so."""
    made = replace(PLAN, settings=Settings(on_store_error=OnStoreError(ledger=said)))
    clock, seen = ManualClock(T0_S), list[ev.Event]()
    with opened(store, tmp_path, clock) as state:
        ports = ports_of(made, state, clock, FULL, seen.append)
        ledger = MayBeDown(ports.ledger, "ledger")
        ports = replace(ports, ledger=ledger)
        ended = list[str]()
        for number in range(FITS + 20):
            ledger.down = ALL if number % 3 == 1 else ()
            try:
                run_inline(execute(made, ports, asked(number, TEXT)))
                ended.append("Reply")
            except (BudgetExceeded, StoreError) as error:
                ended.append(type(error).__name__)
    down = sum(number % 3 == 1 for number in range(FITS + 20))
    assert ended.count("Reply") == FITS + 20 - down if said == "closed" else FITS + 20
    assert len(ports.transport.calls) == ended.count("Reply")  # type: ignore[attr-defined]
    on_record = sum(isinstance(each, ev.Reserved) for each in seen)
    assert spent(store, tmp_path) == (on_record * WORST, 0)
    assert sum(isinstance(each, ev.StoreBypassed) for each in seen) == (down if said == "open" else 0)


def test_a_price_that_rises_while_a_call_is_under_way_takes_it_past_no_budget() -> None:
    """It is the price of the moment of its reservation that a call costs, however late it ends."""
    begins_s = ManualClock().now_s()
    rises = PriceChange(day=date(2026, 1, 2), at_s=begins_s + 5.0, prices=price(10**10, 10**11))
    one = target("openai/a", prices=price(10**9, 2 * 10**9), price_changes=(rises,))
    cap = budget("policy:main", 2 * WORST, "total")
    lexicals = lexical(params={"max_tokens": 400})
    whole = plan(policy("main", "openai/a", budgets=(cap,), lexical=lexicals), targets=(one,))
    world = World(whole, [replace(FULL, after_s=4.0)])
    assert [world.call(TEXT).cost_nusd for _ in range(2)] == [WORST, WORST]  # the second ends after the rise
    assert world.clock.now_s() > rises.at_s
    with pytest.raises(BudgetExceeded):
        world.call(TEXT)
    assert sum(row.cost_nusd for row in world.rows()) == cap.amount


@pytest.mark.parametrize("store", SHARED)
def test_a_grant_is_spent_to_its_last_and_no_further_by_threads_that_wait_for_it(
    store: str, tmp_path: Path
) -> None:
    from tests.adapters.states import balance, charge, counter, granted, hold

    team = budget("policy:main", 100)
    with opened(store, tmp_path, ManualClock(T0_S)) as state:

        def work(thread: int) -> int:
            if thread % 2:
                note = Note(id=f"n{thread}", who="ann", why="launch", at_s=T0_S)
                run_inline(state.ledger.grant(counter(team), 50, note))
            return sum(granted(state, hold(f"{thread}-{n}", charge(team, 10))) for n in range(20))

        with ThreadPoolExecutor(8) as pool:
            taken = sum(pool.map(work, range(8)))
        assert taken == (100 + 4 * 50) // 10
        assert balance(state, team) == (0, 300)
        run_inline(state.ledger.grant(counter(team), -50, Note(id="less", who="ann", why="x", at_s=T0_S)))
        assert not granted(state, hold("more", charge(team, 1)))
