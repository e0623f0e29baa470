"""Rolling budgets, for every ledger: a sliding window that never holds more than its amount."""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.adapters.clocks import ManualClock
from router.adapters.redis_state import RedisState
from router.decide.sliding import MOST
from router.plan import Budget, Unit, Window
from router.ports import Counter, Granted, Hold, Take
from router.values import Kind, Usage
from tests.adapters.states import (
    NOW_S,
    STATES,
    State,
    budget,
    do,
    granted,
    hold,
    limit,
    nothing,
    opened,
    refused,
    row,
    settlement,
    valkey,
)

HOUR_S = 3_600.0


@pytest.fixture(params=sorted(STATES))
def state(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[State]:
    with opened(request.param, tmp_path) as state:
        yield state


def rolling(amount: int = 100, *, unit: Unit = "nusd", window: Window = "hour", **fields: bool) -> Budget:
    return budget(amount=amount, unit=unit, window=window, rolling=True, **fields)


def taking(id: str, of: Budget, amount: int, *, now_s: float = NOW_S, lease_s: float = 2 * HOUR_S) -> Hold:
    return hold(id, takes=[Take(limit=of, amount=amount)], now_s=now_s, lease_s=lease_s, worst_nusd=amount)


def held(state: State, of: Budget, now_s: float = NOW_S) -> int:
    return do(state.ledger.held([of], now_s=now_s))[of]


def test_what_fits_to_the_last_nano_is_taken_and_a_refusal_says_when_enough_has_left(state: State) -> None:
    of = rolling()
    assert granted(state, taking("a", of, 60))
    assert granted(state, taking("b", of, 40, now_s=NOW_S + 1_800))
    (short,) = refused(state, taking("c", of, 50, now_s=NOW_S + 1_801)).shortfalls
    assert (short.budget, short.limit, short.needed, short.available) == (of, None, 50, 0)
    assert short.resets_at_s is not None
    assert NOW_S + HOUR_S <= short.resets_at_s <= NOW_S + HOUR_S + 61
    assert granted(state, taking("d", of, 50, now_s=short.resets_at_s))
    assert held(state, of, short.resets_at_s) == 90


def test_what_is_more_than_the_whole_never_fits(state: State) -> None:
    (short,) = refused(state, taking("a", rolling(), 101)).shortfalls
    assert (short.available, short.resets_at_s) == (100, None)


def test_the_truth_takes_the_place_of_the_worst_case_where_it_was_taken(state: State) -> None:
    of = rolling()
    assert granted(state, taking("a", of, 80))
    do(state.ledger.mark_sent("a", now_s=NOW_S))
    do(state.ledger.settle("a", settlement(30, now_s=NOW_S + 600)))
    assert held(state, of, NOW_S + 600) == 30
    assert granted(state, taking("b", of, 70, now_s=NOW_S + 600))
    assert held(state, of, NOW_S + HOUR_S + 61) == 70  # it left by the time of its reservation


def test_a_bill_above_its_bound_is_held_in_full(state: State) -> None:
    of = rolling()
    assert granted(state, taking("a", of, 80))
    do(state.ledger.settle("a", settlement(1_000)))
    assert held(state, of) == 1_000
    assert refused(state, taking("b", of, 1)).shortfalls[0].available == 0


@pytest.mark.parametrize("cost", [2**53 - 1, 2**53 + 1, 2**62])
def test_a_bill_beyond_all_bounds_closes_the_window_to_the_end(state: State, cost: int) -> None:
    """Above 2^53 numbers of a server are not whole: a window says no more than that, and it is far too much."""
    of = rolling(MOST // 2)
    assert granted(state, taking("a", of, 80))
    assert granted(state, taking("b", of, 70))
    do(state.ledger.settle("a", settlement(cost)))
    do(state.ledger.settle("b", settlement(0)))
    assert MOST - 80 <= held(state, of) <= MOST
    assert not granted(state, taking("c", of, 1))


def test_released_and_unsent_hold_nothing_and_an_expired_row_its_worst_case(state: State) -> None:
    of = rolling()
    for name in ("released", "refused", "died"):
        assert granted(state, taking(name, of, 30, lease_s=30.0))
    do(state.ledger.release("released", now_s=NOW_S))
    do(state.ledger.settle("refused", nothing()))
    do(state.ledger.mark_sent("died", now_s=NOW_S))
    do(state.ledger.reconcile(now_s=NOW_S + 30))
    assert held(state, of, NOW_S + 30) == 30
    do(state.ledger.settle("died", settlement(4, now_s=NOW_S + 40)))
    assert held(state, of, NOW_S + 40) == 4


def test_tokens_and_requests_roll_in_their_own_unit(state: State) -> None:
    tokens, requests = rolling(unit="tokens"), rolling(unit="requests")
    takes = [Take(limit=tokens, amount=60), Take(limit=requests, amount=1)]
    assert granted(state, hold("a", takes=takes))
    do(state.ledger.settle("a", settlement(7, usage=Usage(input_tokens=10, output_tokens=5))))
    assert do(state.ledger.held([tokens, requests], now_s=NOW_S)) == {tokens: 15, requests: 1}
    assert granted(state, hold("b", takes=takes))
    do(state.ledger.settle("b", settlement(0, usage=None, how="worst_case", kind=Kind.TIMEOUT)))
    assert do(state.ledger.held([tokens, requests], now_s=NOW_S)) == {tokens: 75, requests: 2}


def test_it_is_no_window_of_a_limit_nor_of_another_length_or_owner(state: State) -> None:
    of = rolling(unit="tokens")
    same = limit(at_most=100, unit="tokens", window_s=HOUR_S)
    named = limit("tenant:acme tokens:rolling", 100, unit="tokens", window_s=HOUR_S)
    others = [
        rolling(unit="tokens", window="day"),
        rolling(),
        budget("tenant:beta", unit="tokens", window="hour", rolling=True),
    ]
    assert granted(state, taking("a", of, 100))
    for number, other in enumerate([same, named, *others]):
        assert granted(state, hold(f"b{number}", takes=[Take(limit=other, amount=100)]))
    assert held(state, of) == 100
    assert do(state.limiter.used([same], now_s=NOW_S)) == {same: 100}


def test_an_edited_amount_keeps_what_the_window_holds_and_shadow_only_tells(state: State) -> None:
    assert granted(state, taking("a", rolling(100), 90))
    assert not granted(state, taking("b", rolling(50), 1))
    assert granted(state, taking("c", rolling(130), 40))
    tried = do(state.ledger.reserve(taking("d", rolling(130, shadow=True), 5)))
    assert isinstance(tried, Granted)
    assert [(each.needed, each.available) for each in tried.shadow] == [(5, 0)]
    assert held(state, rolling()) == 135


def test_all_or_nothing_over_what_rolls_and_what_does_not(state: State) -> None:
    from tests.adapters.states import balance, charge

    of, day = rolling(), budget(amount=50)
    held_ = hold("a", charge(day, 60), takes=[Take(limit=of, amount=60)])
    assert [each.budget for each in refused(state, held_).shortfalls] == [day]
    assert (held(state, of), balance(state, day)) == (0, (0, 0))


def test_no_server_may_drop_the_window_of_a_budget_and_it_is_forgotten_when_long_over() -> None:
    """What has an expiry is dropped by `volatile-*`; money is not among it."""
    import redis

    state = RedisState(valkey().url, ManualClock(), name="rolling", server_time=False)
    of, tokens, key = rolling(), limit(at_most=100), "{rolling}:window:tenant:acme nusd:rolling 3600"
    try:
        takes = [Take(limit=of, amount=10), Take(limit=tokens, amount=10)]
        assert granted(state, hold("a", takes=takes))
        with closing(redis.Redis.from_url(valkey().url)) as client:
            assert client.ttl(key) == -1
            assert client.ttl("{rolling}:window:tenant:acme tokens 60") > 60
            later_s = NOW_S + 4 * HOUR_S + 1_300
            assert granted(state, taking("b", rolling(window="day"), 10, now_s=later_s))
            assert not client.exists(key)
    finally:
        do(state.aclose())


AMOUNT = 12


@settings(max_examples=40, deadline=None)
@given(
    calls=st.lists(
        st.tuples(
            st.one_of(st.floats(0, 0.05), st.floats(0, 1.3)),  # later, in windows
            st.integers(1, 9),  # the worst case
            st.integers(0, 9),  # what it comes to, at most that
            st.sampled_from(["settled", "released", "expired", "late"]),
        ),
        max_size=30,
    ),
    window=st.sampled_from(["hour", "day"]),
)
def test_no_span_of_its_length_ever_holds_more_and_all_stores_answer_alike(
    calls: list[tuple[float, int, int, str]], window: Window
) -> None:
    """Law 1, of windows that begin at any moment: checked with what every row holds from its reservation on."""
    of = rolling(AMOUNT, window=window)
    now_s, log = NOW_S, list[tuple[Fraction, int]]()
    length = Fraction(of.window_s)
    with TemporaryDirectory() as folder, ExitStack() as stack:
        states = [stack.enter_context(opened(name, Path(folder))) for name in sorted(STATES)]
        for number, (gap, needed, cost, end) in enumerate(calls):
            now_s += gap * of.window_s
            attempt = taking(f"a{number}", of, needed, now_s=now_s, lease_s=1.0)
            answers = [do(state.ledger.reserve(attempt)) for state in states]
            assert answers == answers[:1] * len(answers)
            before = sum(amount for at, amount in log if at > Fraction(now_s) - length)
            if not isinstance(answers[0], Granted):
                early = sum(amount for at, amount in log if at > Fraction(now_s) - length * 61 / 60)
                assert early + needed > AMOUNT
                continue
            assert before + needed <= AMOUNT
            came_to = _ended(states, attempt, min(cost, needed), end, now_s)
            log.append((Fraction(now_s), came_to))
            found = [held(state, of, now_s) for state in states]
            assert found == found[:1] * len(found)
    for last, _ in log:
        assert sum(amount for at, amount in log if last - length < at <= last) <= AMOUNT


def _ended(states: list[State], attempt: Hold, cost: int, end: str, now_s: float) -> int:
    """What the row holds in the end."""
    for state in states:
        ledger = state.ledger
        if end == "released":
            do(ledger.release(attempt.id, now_s=now_s))
            continue
        do(ledger.mark_sent(attempt.id, now_s=now_s))
        if end in ("expired", "late"):
            do(ledger.reconcile(now_s=now_s + 1.0))
        if end in ("settled", "late"):
            do(ledger.settle(attempt.id, settlement(cost, now_s=now_s + 2.0)))
    return {"released": 0, "expired": attempt.worst_nusd}.get(end, cost)


@settings(max_examples=30, deadline=None)
@given(
    steps_s=st.lists(
        st.sampled_from([0.0, 40.0, 1_800.0, 3_661.0, -50.0, -3_661.0, -7_900.0, -8_000.0]), max_size=30
    )
)
def test_all_stores_answer_alike_whatever_the_clock_does(steps_s: list[float]) -> None:
    of, now_s = rolling(3), NOW_S
    with TemporaryDirectory() as folder, ExitStack() as stack:
        states = [stack.enter_context(opened(name, Path(folder))) for name in sorted(STATES)]
        for number, step_s in enumerate(steps_s):
            now_s += step_s
            attempt = taking(f"a{number}", of, 1, now_s=now_s, lease_s=10**6)
            answers = [do(state.ledger.reserve(attempt)) for state in states]
            assert answers == answers[:1] * len(answers)
            found = [held(state, of, now_s) for state in states]
            assert found == found[:1] * len(found)


def test_a_row_says_what_it_holds_of_a_rolling_budget_and_nothing_of_limits(state: State) -> None:
    of, tokens = rolling(window="day"), limit(at_most=100)
    takes = [Take(limit=of, amount=60), Take(limit=tokens, amount=30)]
    assert granted(state, hold("a", takes=takes))
    counted = Counter(owner="tenant:acme", unit="nusd", window="day", start="")
    assert row(state, "a").rolling == ((counted, 60),)
    do(state.ledger.settle("a", settlement(25)))
    assert row(state, "a").rolling == ((counted, 25),)
    assert row(state, "a").counters == ()
