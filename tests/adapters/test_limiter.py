"""The contract of Limiter, for every implementation."""

from collections.abc import Iterator
from fractions import Fraction
from math import inf
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.plan import Limit
from router.ports import Admission, LimitFull, Take
from tests.adapters.states import LEASE_S, NOW_S, STATES, State, concurrency, do, hold, limit, opened


@pytest.fixture(params=sorted(STATES))
def state(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[State]:
    with opened(request.param, tmp_path) as state:
        yield state


def rate(at_most: int, *, window_s: float = 60.0, owner: str = "tenant:acme", shadow: bool = False) -> Limit:
    return limit(owner, at_most, unit="requests", window_s=window_s, shadow=shadow)


def admit(
    state: State, id: str, *limits: Limit, now_s: float = NOW_S, lease_s: float = LEASE_S
) -> LimitFull | None:
    return admission(state, id, *limits, now_s=now_s, lease_s=lease_s).full


def admission(
    state: State, id: str, *limits: Limit, now_s: float = NOW_S, lease_s: float = LEASE_S
) -> Admission:
    takes = [Take(limit=each, amount=1) for each in limits]
    return do(state.limiter.admit(id, takes, now_s=now_s, lease_s=lease_s))


def used(state: State, of: Limit, now_s: float = NOW_S) -> int:
    return do(state.limiter.used([of], now_s=now_s))[of]


def test_as_many_as_the_limit_and_no_more(state: State) -> None:
    per_minute = rate(3)
    assert [admit(state, f"r{n}", per_minute) for n in range(3)] == [None] * 3
    full = admit(state, "r3", per_minute)
    assert full is not None
    assert full.limit == per_minute
    assert 60 <= full.retry_after_s <= 61.1
    assert admit(state, "r3", per_minute, now_s=NOW_S + full.retry_after_s) is None


def test_admission_is_all_or_nothing(state: State) -> None:
    wide, narrow, permits = rate(9), rate(1, owner="user:acme:alice"), concurrency(5)
    assert admit(state, "a", narrow) is None
    full = admit(state, "b", wide, permits, narrow)
    assert full is not None
    assert full.limit == narrow
    assert [used(state, each) for each in (wide, permits)] == [0, 0]


def test_of_several_full_limits_the_longest_wait_is_told(state: State) -> None:
    second, hour = rate(1, window_s=1.0), rate(1, window_s=3600.0)
    assert admit(state, "a", second, hour) is None
    full = admit(state, "b", second, hour)
    assert full is not None
    assert full.limit == hour


def test_requests_stay_counted_after_they_end(state: State) -> None:
    per_minute = rate(2)
    assert admit(state, "a", per_minute) is None
    do(state.limiter.release("a"))
    assert used(state, per_minute) == 1


def test_concurrency_is_given_back_once(state: State) -> None:
    permits = concurrency(2)
    assert [admit(state, name, permits) for name in "ab"] == [None, None]
    assert admit(state, "c", permits) is not None
    do(state.limiter.release("a"))
    do(state.limiter.release("a"))
    do(state.limiter.release("never admitted"))
    assert used(state, permits) == 1
    assert admit(state, "c", permits) is None
    assert admit(state, "d", permits) is not None


def test_a_permit_lapses_with_its_lease(state: State) -> None:
    permits = concurrency(1)
    assert admit(state, "dead", permits) is None
    full = admit(state, "b", permits, now_s=NOW_S + 10)
    assert full is not None
    assert LEASE_S - 10 <= full.retry_after_s <= LEASE_S - 9.9
    assert admit(state, "b", permits, now_s=NOW_S + 10 + full.retry_after_s) is None
    assert used(state, permits, NOW_S + LEASE_S + 1) == 1


def test_a_renewed_permit_is_held_on(state: State) -> None:
    permits = concurrency(1)
    assert admit(state, "a", permits) is None
    do(state.limiter.renew("a", lease_until_s=NOW_S + 100))
    do(state.limiter.renew("unknown", lease_until_s=NOW_S + 100))
    assert admit(state, "b", permits, now_s=NOW_S + 99) is not None
    assert admit(state, "b", permits, now_s=NOW_S + 100) is None


def test_who_is_admitted_twice_holds_one_permit(state: State) -> None:
    permits = concurrency(1)
    assert admit(state, "a", permits) is None
    assert admit(state, "a", permits) is None
    assert used(state, permits) == 1


def test_a_refusal_of_one_who_was_admitted_takes_nothing_from_it(state: State) -> None:
    permits, narrow = concurrency(1), rate(1)
    assert admit(state, "a", permits, narrow) is None
    assert admit(state, "a", permits, narrow) is not None
    assert used(state, permits) == 1


def test_what_can_never_pass_says_so(state: State) -> None:
    for never in (rate(0), concurrency(0)):
        full = admit(state, "a", never)
        assert full is not None
        assert full.retry_after_s == inf


def test_an_edited_amount_keeps_the_count(state: State) -> None:
    for name in "abc":
        assert admit(state, name, rate(3)) is None
    assert admit(state, "d", rate(3)) is not None
    assert admit(state, "d", rate(4)) is None
    assert admit(state, "e", rate(2)) is not None


def test_one_limit_met_twice_is_counted_once_and_held_to_both_amounts(state: State) -> None:
    assert admit(state, "a", rate(1), rate(5), concurrency(1), concurrency(5)) is None
    assert [used(state, each) for each in (rate(5), concurrency(5))] == [1, 1]
    for strict, loose in ((rate(1), rate(5)), (concurrency(1), concurrency(5))):
        full = admit(state, "b", strict, loose)
        assert full is not None
        assert full.limit == strict


def test_windows_are_apart_by_owner_unit_and_length(state: State) -> None:
    first = rate(1)
    others = [
        rate(1, owner="tenant:acme 2"),
        rate(1, window_s=1.0),
        rate(1, window_s=3600.0),
        limit(at_most=1),
    ]
    assert admit(state, "a", first) is None
    for each in others:
        assert admit(state, "b", each) is None
        assert used(state, each) == 1


def test_token_limits_of_the_ledger_are_seen_here(state: State) -> None:
    tokens = limit(at_most=100)
    do(state.ledger.reserve(hold("a", takes=[Take(limit=tokens, amount=40)])))
    assert used(state, tokens) == 40
    assert used(state, tokens, NOW_S + 62) == 0


def test_nothing_was_used_of_a_limit_never_met(state: State) -> None:
    assert do(state.limiter.used([rate(5), concurrency(5)], now_s=NOW_S)) == {rate(5): 0, concurrency(5): 0}


@settings(max_examples=40, deadline=None)
@given(
    window_s=st.sampled_from([1.0, 60.0]),
    at_most=st.integers(1, 6),
    gaps=st.lists(st.one_of(st.floats(0, 0.05), st.floats(0, 1.3)), max_size=40),
)
@pytest.mark.parametrize("name", sorted(STATES))
def test_no_span_of_the_length_holds_more_and_waiting_is_enough(
    name: str, window_s: float, at_most: int, gaps: list[float]
) -> None:
    of, now_s, log = rate(at_most, window_s=window_s), NOW_S, []
    with TemporaryDirectory() as folder, opened(name, Path(folder)) as state:
        for number, gap in enumerate(gaps):
            now_s += gap * window_s
            full = admit(state, f"r{number}", of, now_s=now_s)
            if full is not None:
                assert sum(Fraction(now_s) - Fraction(window_s) * 61 / 60 < at for at in log) >= at_most
                now_s += full.retry_after_s
                assert admit(state, f"r{number}", of, now_s=now_s) is None
            log.append(Fraction(now_s))
    for last in log:
        assert sum(last - Fraction(window_s) < at <= last for at in log) <= at_most


def test_a_limit_in_shadow_lets_pass_and_says_that_it_was_full(state: State) -> None:
    tried, permits = rate(1, shadow=True), concurrency(1, shadow=True)
    assert admission(state, "a", tried, permits) == Admission()
    passed = admission(state, "b", tried, permits)
    assert passed.full is None
    assert [each.limit for each in passed.shadow] == [tried, permits]
    assert 60 <= passed.shadow[0].retry_after_s <= 61.1
    assert [used(state, each) for each in (tried, permits)] == [2, 2]
    do(state.limiter.release("a"))
    assert used(state, permits) == 1


def test_a_limit_in_shadow_does_not_soften_the_hard_one_beside_it(state: State) -> None:
    tried, narrow = rate(1, shadow=True), rate(1, owner="user:acme:alice")
    assert admission(state, "a", tried, narrow) == Admission()
    passed = admission(state, "b", tried, narrow)
    assert passed.full is not None
    assert (passed.full.limit, passed.shadow) == (narrow, ())
    assert used(state, tried) == 1
