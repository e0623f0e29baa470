"""Law 4: time and money are bounded before the call."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router import events as ev
from router.adapters.clocks import ManualClock
from router.adapters.scripted_transport import Fails, NeverAnswers, Says, Step
from router.adapters.sqlite_state import SqliteState
from router.client.inline import run_inline
from router.decide.bounds import GRACE_S, policy_bounds
from router.decide.classify import DEFAULT_FALL_BACK_ON, TRANSIENT
from router.engine.run import STORE_GRACE_S
from router.errors import DeadlineExceeded, RouterError, StoreError
from router.plan import Ceiling, Plan, PolicyEntry, PriceChange, PriceTable, RetryRule
from router.values import Kind, Usage
from tests.build import PLACE, budget, lexical, plan, policy, price, target
from tests.world import World

DEAR = target("groq/b", prices=price(10**12, 4 * 10**12), context_tokens=5_000)

NOW_S = ManualClock().now_s()

USED = Usage(input_tokens=5, output_tokens=9)
STEPS: st.SearchStrategy[Step] = st.one_of(
    st.builds(
        Fails,
        st.sampled_from([*Kind]),
        status=st.sampled_from([None, 200, 400, 429, 500]),
        retry_after_s=st.none() | st.floats(0, 30),
        sent=st.booleans(),
        after_s=st.floats(0, 10),
    ),
    st.builds(
        Says,
        st.text(max_size=5),
        after_s=st.floats(0, 40),
        usage=st.just(Usage(input_tokens=5, output_tokens=9)),
    ),
    st.just(NeverAnswers()),
)


def two(attempts: int, total_s: float, ceiling: Ceiling, cap: int | None) -> Plan:
    rule = RetryRule(attempts=attempts, base_s=0.5, max_s=3.0, on=TRANSIENT)
    settings = lexical(retry=rule, attempt_s=4.0, fall_back_on=DEFAULT_FALL_BACK_ON | {Kind.CONTENT_FILTER})
    budgets = () if cap is None else (budget("policy:main", cap, "request"),)
    main = policy(
        "main", "openai/a", "groq/b", lexical=settings, total_s=total_s, ceiling=ceiling, budgets=budgets
    )
    return plan(main, targets=(DEAR,))


def assert_bounded(world: World, most_nusd: int, *, capped: bool) -> None:
    """At no moment has the run spent and reserved more than that, what a provider bills above its bound aside. A cap on
    the request counts what was spent: an attempt that cost less than it reserved leaves the rest to the next. Without
    one, all reservations together are bounded."""
    spent = held = 0
    for event in world.seen:
        if isinstance(event, ev.Reserved):
            held += event.worst_nusd
        elif isinstance(event, ev.Settled):
            spent += min(event.cost_nusd or 0, event.worst_nusd)
            held -= event.worst_nusd
        assert spent + held <= most_nusd
    if not capped:
        assert sum(event.worst_nusd for event in world.facts(ev.Reserved)) <= most_nusd


CAPS = st.none() | st.integers(0, 40_000) | st.integers(0, 40_000_000)


@given(
    steps=st.lists(STEPS, min_size=12, max_size=12),
    attempts=st.integers(1, 3),
    total_s=st.floats(0.5, 40),
    ceiling=st.builds(Ceiling, output_tokens=st.integers(1, 400), attempts=st.none() | st.integers(1, 4)),
    cap=CAPS,
    seed=st.integers(0, 100),
)
def test_no_run_lasts_longer_or_reserves_more_than_is_printed_beforehand(
    steps: Sequence[Step], attempts: int, total_s: float, ceiling: Ceiling, cap: int | None, seed: int
) -> None:
    whole = two(attempts, total_s, ceiling, cap)
    printed = policy_bounds(whole, whole.policies["main"])[0]
    world = World(whole, steps, seed=seed)
    with suppress(RouterError):  # how it ends is for other tests
        world.call()
    assert printed.cost_nusd is not None
    assert_bounded(world, printed.cost_nusd, capped=cap is not None)
    assert world.clock.mono_s() <= printed.seconds
    assert world.clock.mono_s() <= total_s + GRACE_S
    began_s = world.seen[0].at_s
    assert all(event.at_s - began_s < total_s for event in world.facts(ev.AttemptSent))
    sends = len(world.facts(ev.AttemptSent))
    assert sends <= min(2 * attempts, ceiling.attempts or 99)


PRICES = st.builds(price, st.integers(0, 10**12), st.integers(0, 10**12))


@given(
    prices=st.lists(PRICES, min_size=2, max_size=4),
    steps=st.lists(STEPS, min_size=6, max_size=6),
    every_s=st.floats(0.1, 10.0),
    begins_s=st.floats(-20.0, 20.0),
)
def test_whatever_day_it_is_no_run_reserves_more_than_is_printed_beforehand(
    prices: Sequence[PriceTable], steps: Sequence[Step], every_s: float, begins_s: float
) -> None:
    """Prices that change while a call is sent again and again."""
    first, *later = prices
    changes = tuple(
        PriceChange(day=date(2026, 1, 1 + number), at_s=NOW_S + number * every_s, prices=each)
        for number, each in enumerate(later)
    )
    rule = RetryRule(attempts=3, base_s=0.5, max_s=3.0, on=TRANSIENT)
    one = target("openai/a", prices=first, price_changes=changes)
    main = policy("main", "openai/a", lexical=lexical(retry=rule), ceiling=Ceiling(output_tokens=100))
    whole = plan(main, targets=(one,))
    (printed,) = policy_bounds(whole, main)
    world = World(whole, steps, clock=ManualClock(NOW_S + begins_s))
    with suppress(RouterError):
        world.call("x" * 127_999)  # all that the context takes
    assert printed.cost_nusd is not None
    assert sum(event.worst_nusd for event in world.facts(ev.Reserved)) <= printed.cost_nusd


def test_the_ceiling_on_attempts_counts_every_send() -> None:
    world = World(
        two(3, 30.0, Ceiling(output_tokens=9, attempts=2), None), Fails(Kind.OVERLOADED, status=503)
    )
    with pytest.raises(RouterError):
        world.call()
    assert world.targets() == ["openai/a", "openai/a"]


def test_what_a_request_may_reserve_counts_what_it_has_spent() -> None:
    one = 6 * 50 + 9 * 400  # the whole of one attempt, which a timeout costs
    world = World(two(3, 30.0, Ceiling(output_tokens=9), 2 * one), NeverAnswers())
    with pytest.raises(RouterError):
        world.call("hello")
    assert world.targets() == ["openai/a", "openai/a"]
    assert sum(row.cost_nusd for row in world.rows()) == 2 * one


def test_a_retry_never_waits_past_the_deadline() -> None:
    world = World(
        two(3, 2.0, Ceiling(output_tokens=9), None), Fails(Kind.RATE_LIMITED, status=429, retry_after_s=1.5)
    )
    with pytest.raises(RouterError):
        world.call()
    assert world.clock.mono_s() <= 2.0


def test_a_caller_in_a_hurry_is_answered_in_time() -> None:
    world = World(two(3, 30.0, Ceiling(output_tokens=9), None), NeverAnswers())
    with pytest.raises(DeadlineExceeded):
        world.call(timeout_s=1.0)
    assert world.clock.mono_s() == pytest.approx(1.0)


@pytest.mark.parametrize("size", [0, 1, 4_000, 10**6])
def test_what_is_reserved_for_the_input_is_no_more_than_its_ceilings(size: int) -> None:
    tight = Ceiling(input_tokens=3_000, output_tokens=10)
    world = World(plan(policy("main", "groq/b", ceiling=tight), targets=(DEAR,)), Says("x"))
    fields: dict[str, Any] = {}
    if size < 3_000:
        world.call("x" * size, **fields)
        assert world.facts(ev.Reserved)[0].input_tokens <= 3_000
    else:
        with pytest.raises(RouterError):
            world.call("x" * size, **fields)
        assert world.transport.calls == []


@pytest.mark.parametrize(
    ("slow", "seconds", "calls", "ended_s", "state"),
    [
        ("reserve", 3.0, 1, 5.0, "settled"),
        ("reserve", 6.0, 0, 6.0, "released"),
        ("mark_sent", 3.0, 1, 5.0, "settled"),
    ],
)
def test_what_a_busy_store_takes_is_taken_from_the_time_of_the_attempt(
    slow: str, seconds: float, calls: int, ended_s: float, state: str
) -> None:
    world = World(plan(policy("main", "openai/a", total_s=5.0)), [Says("late", after_s=4.0)])
    world.ports = replace(world.ports, ledger=SlowLedger(world, slow, seconds))
    with pytest.raises(DeadlineExceeded):
        world.call()
    assert (len(world.transport.calls), world.clock.mono_s()) == (calls, ended_s)
    assert [row.state for row in world.rows()] == [state]


@pytest.mark.parametrize(
    ("held_from", "ended_s", "state"),
    [
        (ev.RequestStarted, 0.8, None),
        (ev.Reserved, 0.8 + STORE_GRACE_S, "reserved"),
        (ev.AttemptSent, 0.8 + STORE_GRACE_S, "sent"),
    ],
)
def test_a_store_that_somebody_holds_takes_no_more_than_the_time_of_the_request(
    held_from: type[ev.Event], ended_s: float, state: str | None, tmp_path: Path
) -> None:
    """What was begun has the grace, and what can't be put on record by then is left to its lease."""
    world = World(plan(policy("main", "openai/a", total_s=0.8)), [Says("late", after_s=0.7)])
    store = SqliteState(tmp_path / "state.db", world.clock)
    assert run_inline(store.ledger.rows()) == []
    with closing(sqlite3.connect(tmp_path / "state.db", isolation_level=None)) as neighbour:

        def hold(event: ev.Event) -> None:
            if isinstance(event, held_from):
                neighbour.execute("BEGIN IMMEDIATE")

        world.ports = replace(world.ports, ledger=store.ledger, sinks=(hold,))
        if held_from is ev.AttemptSent:
            assert world.call().text == "late"
        else:
            with pytest.raises(StoreError, match="all that the request had left"):
                world.call()
        assert world.clock.mono_s() == pytest.approx(ended_s, abs=1e-6)
    assert [row.state for row in world.rows()] == ([] if state is None else [state])
    run_inline(store.aclose())


class SlowLedger:
    """The ledger of `world`, one of whose steps takes `seconds`."""

    def __init__(self, world: World, step: str, seconds: float) -> None:
        self._world, self._ledger, self._step, self._seconds = world, world.ports.ledger, step, seconds

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._ledger, name)
        if name != self._step:
            return real

        async def slowly(*given: Any, **named: Any) -> Any:
            result = await real(*given, **named)
            await self._world.clock.sleep(self._seconds)
            return result

        return slowly


@given(
    steps=st.lists(STEPS, min_size=12, max_size=12),
    attempts=st.integers(1, 3),
    total_s=st.floats(0.5, 40),
    ceiling=st.builds(Ceiling, output_tokens=st.integers(1, 400), attempts=st.none() | st.integers(1, 4)),
    caps=st.lists(CAPS, min_size=2, max_size=2),
)
def test_no_run_after_a_jump_passes_the_branch_that_is_printed_for_it(
    steps: Sequence[Step], attempts: int, total_s: float, ceiling: Ceiling, caps: list[int | None]
) -> None:
    whole = two(attempts, total_s, ceiling, caps[0])
    main = whole.policies["main"]
    spent = replace(budget("policy:main", 1), when_spent=PolicyEntry(policy="after", place=PLACE))
    cap = () if caps[1] is None else (budget("policy:after", caps[1], "request"),)
    after = replace(main, name="after", entries=tuple(reversed(main.entries)), budgets=cap)
    main = replace(main, budgets=(*main.budgets, spent))
    whole = replace(whole, policies={"main": main, "after": after})
    printed = {each.branch: each for each in policy_bounds(whole, main)}
    bound = printed["policy:main per_day spent: policy after"]
    world = World(whole, steps)
    with suppress(RouterError):
        world.call()
    assert bound.cost_nusd is not None
    assert_bounded(world, bound.cost_nusd, capped=caps[1] is not None)
    assert bool(world.facts(ev.Reserved)) <= bool(world.facts(ev.Jumped))
    assert world.clock.mono_s() <= min(bound.seconds, total_s + GRACE_S)
    assert len(world.facts(ev.AttemptSent)) <= bound.sends
