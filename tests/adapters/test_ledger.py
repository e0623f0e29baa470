"""The contract of Ledger, for every implementation."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from router.errors import StoreError
from router.ports import Balance, Granted, Hold, Shortfall, Take
from router.values import Kind, Usage
from tests.adapters.states import (
    LEASE_S,
    NOW_S,
    STATES,
    State,
    balance,
    balances_of_rows,
    budget,
    charge,
    counter,
    do,
    granted,
    hold,
    limit,
    nothing,
    opened,
    refused,
    row,
    settlement,
)


@pytest.fixture(params=sorted(STATES))
def state(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[State]:
    with opened(request.param, tmp_path) as state:
        yield state


DAY = budget(amount=100)
MONTH = budget(amount=150, window="month")


# --- Reserve ------------------------------------------------------------------------------------------------------


def test_what_fits_to_the_last_nano_is_reserved_and_one_more_is_not(state: State) -> None:
    assert granted(state, hold("a", charge(DAY, 60)))
    assert granted(state, hold("b", charge(DAY, 40)))
    short = refused(state, hold("c", charge(DAY, 1))).shortfalls
    assert [(each.budget, each.limit, each.needed, each.available) for each in short] == [(DAY, None, 1, 0)]
    assert balance(state, DAY) == (0, 100)


def test_reserving_is_all_or_nothing(state: State) -> None:
    assert granted(state, hold("a", charge(MONTH, 100)))
    tokens = limit(at_most=50)
    held = hold("b", charge(DAY, 60), charge(MONTH, 60), takes=[Take(limit=tokens, amount=20)])
    assert [each.budget for each in refused(state, held).shortfalls] == [MONTH]
    assert balance(state, DAY) == (0, 0)
    assert do(state.limiter.used([tokens], now_s=NOW_S)) == {tokens: 0}
    assert [each.id for each in do(state.ledger.rows())] == ["a"]


def test_a_refusal_names_everything_that_did_not_fit_in_order(state: State) -> None:
    tokens, total = limit(at_most=10), budget(amount=5, window="total")
    held = hold(
        "a",
        charge(DAY, 101),
        charge(total, 101, start="", resets_at_s=None),
        takes=[Take(limit=tokens, amount=11)],
    )
    short = refused(state, held).shortfalls
    assert [(each.budget, each.limit) for each in short] == [(DAY, None), (total, None), (None, tokens)]
    assert [each.resets_at_s for each in short] == [NOW_S + 3600, None, None]
    assert [each.available for each in short] == [100, 5, 10]


def test_a_charge_of_nothing_fits_a_budget_that_is_spent(state: State) -> None:
    assert granted(state, hold("a", charge(DAY, 100)))
    assert granted(state, hold("b", charge(DAY, 0)))


def test_an_amount_lowered_below_what_is_spent_leaves_nothing(state: State) -> None:
    assert granted(state, hold("a", charge(DAY, 80)))
    lower = budget(amount=50)
    short = refused(state, hold("b", charge(lower, 1))).shortfalls
    assert [(each.needed, each.available) for each in short] == [(1, 0)]


def test_an_amount_raised_keeps_what_is_spent(state: State) -> None:
    assert granted(state, hold("a", charge(DAY, 100)))
    raised = budget(amount=130)
    assert [each.available for each in refused(state, hold("b", charge(raised, 31))).shortfalls] == [30]
    assert granted(state, hold("c", charge(raised, 30)))


def test_counters_are_apart_by_owner_unit_window_and_start(state: State) -> None:
    others = [budget("tenant:acme 2"), budget(unit="tokens"), budget(window="week"), budget("user:acme:å b")]
    assert granted(state, hold("a", charge(DAY, 100)))
    assert granted(state, hold("b", charge(DAY, 100, start="2026-09-22")))
    for number, other in enumerate(others):
        assert granted(state, hold(f"c{number}", charge(other, 100)))
        assert balance(state, other) == (0, 100)


def test_two_budgets_on_one_counter_are_the_same_money(state: State) -> None:
    twice = budget(amount=90)
    assert granted(state, hold("a", charge(DAY, 60), charge(twice, 30)))
    assert balance(state, DAY) == (0, 60)
    assert [
        each.budget for each in refused(state, hold("b", charge(DAY, 40), charge(twice, 40))).shortfalls
    ] == [twice]
    do(state.ledger.mark_sent("a", now_s=NOW_S))
    do(state.ledger.settle("a", settlement(50)))
    assert balance(state, DAY) == (50, 0)


def test_numbers_are_taken_by_grants_and_refusals_alike_and_only_rise(state: State) -> None:
    results = [do(state.ledger.reserve(hold(f"a{number}", charge(DAY, 40)))) for number in range(6)]
    numbers = [each.seq for each in results]
    assert numbers == sorted(set(numbers))
    assert [each.seq for each in do(state.ledger.rows())] == numbers[:2]


def test_an_id_is_reserved_once(state: State) -> None:
    assert granted(state, hold("a", charge(DAY, 10)))
    with pytest.raises(StoreError, match="a row `a` already") as raised:
        do(state.ledger.reserve(hold("a", charge(DAY, 10))))
    assert raised.value.port == "ledger"
    assert balance(state, DAY) == (0, 10)


def test_a_hold_without_charges_is_a_row(state: State) -> None:
    assert granted(state, hold("a"))
    assert row(state, "a").counters == ()


# --- Ends ---------------------------------------------------------------------------------------------------------


def test_a_settlement_frees_what_it_did_not_cost(state: State) -> None:
    assert granted(state, hold("a", charge(DAY, 60), charge(MONTH, 60)))
    do(state.ledger.mark_sent("a", now_s=NOW_S))
    do(state.ledger.settle("a", settlement(25)))
    assert (balance(state, DAY), balance(state, MONTH)) == ((25, 0), (25, 0))


def test_a_cost_above_the_reservation_is_recorded_in_full(state: State) -> None:
    assert granted(state, hold("a", charge(DAY, 60)))
    do(state.ledger.settle("a", settlement(250)))
    assert balance(state, DAY) == (250, 0)
    assert row(state, "a").cost_nusd == 250
    assert refused(state, hold("b", charge(DAY, 1))).shortfalls[0].available == 0


def test_more_than_a_counter_can_hold_is_not_reserved_in_shadow_either(state: State) -> None:
    """A budget in shadow refuses nothing; a script would stop in the middle, and SQLite go on with a rounded number."""
    tried, hard = budget("policy:tried", 100, shadow=True), budget("pool:hard", 100)
    for number in range(9):
        assert granted(state, hold(f"a{number}", charge(hard, 1), charge(tried, 10**18)))
    for number in range(9, 12):
        with pytest.raises(StoreError, match="can't hold a reservation of 1000000000000000000"):
            do(state.ledger.reserve(hold(f"a{number}", charge(hard, 1), charge(tried, 10**18))))
    assert (balance(state, hard), balance(state, tried)) == ((0, 9), (0, 9 * 10**18))
    assert granted(state, hold("b", charge(hard, 1), charge(tried, 5)))


def test_what_no_counter_can_hold_leaves_everything_as_it_was(state: State) -> None:
    """A provider may report anything. SQLite would go on with a rounded number, a script stop in the middle."""
    tokens, full = limit(at_most=100), budget("pool:full", 100)
    for name in ("a", "b"):
        assert granted(
            state, hold(name, charge(full, 50), charge(DAY, 50), takes=[Take(limit=tokens, amount=9)])
        )
    do(state.ledger.settle("a", settlement(2**62 - 50)))
    for cost in (51, 2**62, 2**63 - 1, 10**30):
        with pytest.raises(StoreError, match="can't hold what `b` is said to cost"):
            do(state.ledger.settle("b", settlement(cost, usage=Usage(input_tokens=10**30))))
        assert (row(state, "b").state, balance(state, full)) == ("reserved", (2**62 - 50, 50))
        assert do(state.limiter.used([tokens], now_s=NOW_S)) == {tokens: 15 + 9}
    do(state.ledger.settle("b", settlement(50, usage=Usage(input_tokens=10**30))))
    assert balance(state, full) == (2**62, 0)
    assert do(state.limiter.used([tokens], now_s=NOW_S))[tokens] > 10**12


def test_token_and_request_budgets_settle_in_their_own_unit(state: State) -> None:
    tokens, requests = budget(unit="tokens"), budget(unit="requests")
    assert granted(state, hold("a", charge(tokens, 40), charge(requests, 1)))
    do(state.ledger.settle("a", settlement(7, usage=Usage(input_tokens=10, output_tokens=5))))
    assert (balance(state, tokens), balance(state, requests)) == ((15, 0), (1, 0))


@pytest.mark.parametrize(("how", "tokens"), [("worst_case", 40), ("nothing", 0)])
def test_tokens_without_usage_are_the_reservation_or_nothing(state: State, how: str, tokens: int) -> None:
    unit = budget(unit="tokens")
    assert granted(state, hold("a", charge(unit, 40)))
    do(state.ledger.settle("a", settlement(0, usage=None, how=how, kind=Kind.TIMEOUT)))
    assert balance(state, unit) == (tokens, 0)


def test_what_never_left_holds_nothing_in_any_unit_and_what_cost_nothing_was_a_request(state: State) -> None:
    units = [budget(unit=unit) for unit in ("nusd", "tokens", "requests")]
    rate, tokens = limit(unit="requests", at_most=9), limit()
    takes = [Take(limit=rate, amount=1), Take(limit=tokens, amount=7)]
    held: dict[str, list[int]] = {}
    for how in ("unsent", "nothing"):
        assert granted(state, hold(how, *(charge(each, 5) for each in units), takes=takes))
        do(state.ledger.mark_sent(how, now_s=NOW_S))
        do(state.ledger.settle(how, settlement(0, usage=None, how=how, kind=Kind.CONNECTION)))
        used = do(state.limiter.used([rate, tokens], now_s=NOW_S))
        held[how] = [*(balance(state, each)[0] for each in units), used[rate], used[tokens]]
        assert sum(held[how][:3]) == sum(amount for _, amount in row(state, how).counters)
    assert held == {"unsent": [0, 0, 0, 0, 0], "nothing": [0, 0, 5, 1, 0]}
    assert do(state.ledger.all_balances()) == balances_of_rows(do(state.ledger.rows()))


def test_a_row_that_expired_is_corrected_to_nothing_where_it_never_left(state: State) -> None:
    requests = budget(unit="requests")
    assert granted(state, hold("a", charge(DAY, 60), charge(requests, 1)))
    do(state.ledger.mark_sent("a", now_s=NOW_S))
    do(state.ledger.reconcile(now_s=NOW_S + 9999))
    assert (balance(state, DAY), balance(state, requests)) == ((60, 0), (1, 0))
    do(state.ledger.settle("a", settlement(0, usage=None, how="unsent")))
    assert (balance(state, DAY), balance(state, requests)) == ((0, 0), (0, 0))


def test_every_end_is_final(state: State) -> None:
    for name in ("settled", "released"):
        assert granted(state, hold(name, charge(DAY, 20)))
    do(state.ledger.settle("settled", settlement(15)))
    do(state.ledger.release("released", now_s=NOW_S))
    before = balance(state, DAY), do(state.ledger.rows())
    for name in ("settled", "released"):
        do(state.ledger.settle(name, settlement(1)))
        do(state.ledger.release(name, now_s=NOW_S))
        do(state.ledger.renew(name, lease_until_s=NOW_S + 999))
    assert do(state.ledger.reconcile(now_s=NOW_S + 9999)) == 0
    assert (balance(state, DAY), do(state.ledger.rows())) == before == ((15, 0), before[1])


def test_a_release_costs_nothing(state: State) -> None:
    assert granted(state, hold("a", charge(DAY, 60)))
    do(state.ledger.release("a", now_s=NOW_S + 2))
    assert balance(state, DAY) == (0, 0)
    ended = row(state, "a")
    assert (ended.state, ended.cost_nusd, ended.ended_at_s) == ("released", 0, NOW_S + 2)


def test_a_sent_row_is_not_given_back_by_release(state: State) -> None:
    """The provider may bill it: it stays reserved until it is settled, or its lease charges the worst."""
    assert granted(state, hold("a", charge(DAY, 60)))
    do(state.ledger.mark_sent("a", now_s=NOW_S))
    do(state.ledger.release("a", now_s=NOW_S))
    assert (row(state, "a").state, balance(state, DAY)) == ("sent", (0, 60))


def test_marking_sent_twice_is_once(state: State) -> None:
    assert granted(state, hold("a", charge(DAY, 60)))
    do(state.ledger.mark_sent("a", now_s=NOW_S))
    do(state.ledger.mark_sent("a", now_s=NOW_S))
    assert (row(state, "a").state, balance(state, DAY)) == ("sent", (0, 60))


@pytest.mark.parametrize("end", ["released", "settled", "lapsed"])
def test_what_has_ended_may_not_be_sent(state: State, end: str) -> None:
    """A process that stood still for longer than its lease has no money left to send with."""
    assert granted(state, hold("a", charge(DAY, 60)))
    if end == "released":
        do(state.ledger.release("a", now_s=NOW_S))
    elif end == "settled":
        do(state.ledger.settle("a", nothing()))
    else:
        do(state.ledger.reconcile(now_s=NOW_S + LEASE_S))
    with pytest.raises(StoreError, match="before it was sent") as raised:
        do(state.ledger.mark_sent("a", now_s=NOW_S))
    assert raised.value.port == "ledger"


def test_rows_that_are_not_there_are_an_error_where_money_hangs_on_them(state: State) -> None:
    for call in (state.ledger.mark_sent("x", now_s=NOW_S), state.ledger.settle("x", settlement(1))):
        with pytest.raises(StoreError, match="no row `x`"):
            do(call)
    do(state.ledger.release("x", now_s=NOW_S))
    do(state.ledger.renew("x", lease_until_s=NOW_S))


# --- Leases -------------------------------------------------------------------------------------------------------


def test_reconcile_releases_what_was_never_sent_and_charges_what_was(state: State) -> None:
    tokens = budget(unit="tokens")
    assert granted(state, hold("never", charge(DAY, 20), charge(tokens, 30)))
    assert granted(state, hold("sent", charge(DAY, 60), charge(tokens, 40)))
    do(state.ledger.mark_sent("sent", now_s=NOW_S))
    assert do(state.ledger.reconcile(now_s=NOW_S + LEASE_S - 0.5)) == 0
    assert do(state.ledger.reconcile(now_s=NOW_S + LEASE_S)) == 2
    assert do(state.ledger.reconcile(now_s=NOW_S + LEASE_S)) == 0
    assert (balance(state, DAY), balance(state, tokens)) == ((60, 0), (40, 0))
    assert {each.id: (each.state, each.cost_nusd) for each in do(state.ledger.rows())} == {
        "never": ("released", 0),
        "sent": ("expired", 60),
    }


def test_reconcile_resolves_a_crowd(state: State) -> None:
    for number in range(150):
        assert granted(state, hold(f"a{number}", charge(budget(amount=10**6), 10)))
        if number % 2:
            do(state.ledger.mark_sent(f"a{number}", now_s=NOW_S))
    assert do(state.ledger.reconcile(now_s=NOW_S + LEASE_S)) == 150
    assert balance(state, DAY) == (750, 0)


def test_a_late_truth_corrects_an_expired_row_in_its_own_window(state: State) -> None:
    assert granted(state, hold("a", charge(DAY, 60)))
    do(state.ledger.mark_sent("a", now_s=NOW_S))
    do(state.ledger.reconcile(now_s=NOW_S + LEASE_S))
    assert granted(state, hold("b", charge(DAY, 60, start="2026-09-22"), now_s=NOW_S + 90_000))
    do(state.ledger.settle("a", settlement(12, now_s=NOW_S + 90_000)))
    assert (balance(state, DAY), balance(state, DAY, "2026-09-22")) == ((12, 0), (0, 60))
    assert (row(state, "a").state, row(state, "a").cost_nusd) == ("settled", 12)
    do(state.ledger.settle("a", settlement(50)))
    assert balance(state, DAY) == (12, 0)


def test_a_late_truth_above_the_worst_case_is_recorded_in_full(state: State) -> None:
    assert granted(state, hold("a", charge(DAY, 60)))
    do(state.ledger.mark_sent("a", now_s=NOW_S))
    do(state.ledger.reconcile(now_s=NOW_S + LEASE_S))
    do(state.ledger.settle("a", settlement(90)))
    assert balance(state, DAY) == (90, 0)


def test_a_renewed_lease_lives_on(state: State) -> None:
    assert granted(state, hold("a", charge(DAY, 60)))
    do(state.ledger.mark_sent("a", now_s=NOW_S))
    do(state.ledger.renew("a", lease_until_s=NOW_S + 100))
    do(state.ledger.renew("a", lease_until_s=NOW_S + 50))  # overtaken on its way: a lease only grows
    assert do(state.ledger.reconcile(now_s=NOW_S + 99)) == 0
    assert row(state, "a").lease_until_s == NOW_S + 100
    assert do(state.ledger.reconcile(now_s=NOW_S + 100)) == 1


def test_a_reservation_meets_lapsed_leases_before_it_is_judged(state: State) -> None:
    assert granted(state, hold("dead", charge(DAY, 60)))
    assert granted(state, hold("worse", charge(DAY, 30)))
    do(state.ledger.mark_sent("worse", now_s=NOW_S))
    later_s = NOW_S + LEASE_S
    assert granted(state, hold("a", charge(DAY, 70), now_s=later_s))
    assert (row(state, "dead").state, row(state, "worse").state) == ("released", "expired")
    assert balance(state, DAY) == (30, 70)


def test_a_crowd_that_died_is_resolved_a_few_at_a_time(state: State) -> None:
    big = budget(amount=10**6)
    for number in range(40):
        assert granted(state, hold(f"a{number}", charge(big, 10)))
    assert granted(state, hold("b", charge(big, 10), now_s=NOW_S + LEASE_S))
    states = [each.state for each in do(state.ledger.rows())]
    assert 0 < states.count("released") < 40
    for number in range(5):
        assert granted(state, hold(f"c{number}", charge(big, 10), now_s=NOW_S + LEASE_S))
    assert [each.state for each in do(state.ledger.rows())].count("released") == 40


# --- Sliding windows ----------------------------------------------------------------------------------------------


def test_token_limits_are_taken_with_the_money_and_corrected_by_the_truth(state: State) -> None:
    limits = [limit(at_most=100, unit=unit) for unit in ("tokens", "input_tokens", "output_tokens")]
    amounts = (60, 40, 20)
    takes = [Take(limit=each, amount=amount) for each, amount in zip(limits, amounts, strict=True)]
    assert granted(state, hold("a", takes=takes))
    assert list(do(state.limiter.used(limits, now_s=NOW_S)).values()) == [60, 40, 20]
    do(state.ledger.settle("a", settlement(1, usage=Usage(input_tokens=30, output_tokens=25))))
    assert list(do(state.limiter.used(limits, now_s=NOW_S + 1)).values()) == [55, 30, 25]


def test_a_release_and_a_failure_that_costs_nothing_give_tokens_back(state: State) -> None:
    tokens = limit(at_most=100)
    for name in ("a", "b"):
        assert granted(state, hold(name, takes=[Take(limit=tokens, amount=50)]))
    assert not granted(state, hold("c", takes=[Take(limit=tokens, amount=1)]))
    do(state.ledger.release("a", now_s=NOW_S))
    do(state.ledger.settle("b", nothing()))
    assert do(state.limiter.used([tokens], now_s=NOW_S)) == {tokens: 0}
    assert granted(state, hold("d", takes=[Take(limit=tokens, amount=100)]))


def test_a_window_that_is_full_says_when_it_will_do(state: State) -> None:
    tokens = limit(at_most=100)
    assert granted(state, hold("a", takes=[Take(limit=tokens, amount=80)], lease_s=300))
    assert granted(state, hold("b", takes=[Take(limit=tokens, amount=20)], now_s=NOW_S + 30))
    (short,) = refused(state, hold("c", takes=[Take(limit=tokens, amount=60)], now_s=NOW_S + 40)).shortfalls
    assert (short.needed, short.available, short.limit) == (60, 0, tokens)
    assert short.resets_at_s is not None
    assert NOW_S + 60 <= short.resets_at_s <= NOW_S + 61.1
    assert granted(state, hold("d", takes=[Take(limit=tokens, amount=60)], now_s=short.resets_at_s))


def test_an_expired_row_keeps_its_tokens_until_the_truth(state: State) -> None:
    tokens = limit(at_most=100)
    assert granted(state, hold("a", takes=[Take(limit=tokens, amount=80)], lease_s=5))
    do(state.ledger.mark_sent("a", now_s=NOW_S))
    do(state.ledger.reconcile(now_s=NOW_S + 5))
    assert do(state.limiter.used([tokens], now_s=NOW_S + 5)) == {tokens: 80}
    do(state.ledger.settle("a", settlement(1, usage=Usage(input_tokens=3))))
    assert do(state.limiter.used([tokens], now_s=NOW_S + 5)) == {tokens: 3}


def test_one_limit_met_twice_is_taken_once(state: State) -> None:
    tokens, stricter = limit(at_most=100), limit(at_most=70)
    takes = [Take(limit=tokens, amount=60), Take(limit=stricter, amount=60)]
    assert granted(state, hold("a", takes=takes))
    assert do(state.limiter.used([tokens], now_s=NOW_S)) == {tokens: 60}
    again = refused(state, hold("b", takes=[Take(limit=each.limit, amount=20) for each in takes]))
    assert [each.limit for each in again.shortfalls] == [stricter]


# --- Rows ---------------------------------------------------------------------------------------------------------


def test_a_row_keeps_everything_of_an_attempt(state: State) -> None:
    assert granted(state, hold("a", charge(DAY, 60), worst_tokens=77))
    fresh = row(state, "a")
    assert (fresh.state, fresh.cost_nusd, fresh.counters) == ("reserved", 60, ((counter(DAY), 60),))
    assert (fresh.usage, fresh.how, fresh.kind, fresh.ended_at_s) == (None, None, None, None)
    assert (fresh.reserved_at_s, fresh.lease_until_s) == (NOW_S, NOW_S + LEASE_S)
    usage = Usage(input_tokens=9, output_tokens=4, cached_input_tokens=3, reasoning_tokens=2, reported=False)
    do(state.ledger.settle("a", settlement(33, usage=usage, how="counted", kind=Kind.SERVER_ERROR)))
    ended = row(state, "a")
    assert (ended.state, ended.cost_nusd, ended.counters) == ("settled", 33, ((counter(DAY), 33),))
    assert (ended.usage, ended.how, ended.kind, ended.ended_at_s) == (
        usage,
        "counted",
        "server_error",
        NOW_S + 1,
    )
    assert (ended.request_id, ended.policy, ended.tenant, ended.user) == ("r-a", "cheap-fast", "acme", None)
    assert (ended.target, ended.attempt, ended.worst_nusd, ended.worst_tokens) == (
        "openai/gpt-5-nano",
        1,
        60,
        77,
    )
    assert (ended.plan_digest, ended.prices_digest) == ("d" * 64, "p" * 64)


def test_a_row_keeps_the_key_and_the_tags_of_its_call(state: State) -> None:
    tags = ("batch", 'quo"te, [x]', "töst")
    assert granted(state, replace(hold("a", charge(DAY, 1)), key="OPENAI_API_KEY_2", tags=tags))
    assert granted(state, hold("b", charge(DAY, 1)))
    assert (row(state, "a").key, row(state, "a").tags) == ("OPENAI_API_KEY_2", tags)
    assert (row(state, "b").key, row(state, "b").tags) == (None, ())
    do(state.ledger.settle("a", settlement(1)))
    assert (row(state, "a").key, row(state, "a").tags) == ("OPENAI_API_KEY_2", tags)


def test_rows_come_oldest_first_from_a_time_on_and_up_to_a_number(state: State) -> None:
    for number in range(6):
        assert granted(state, hold(f"a{number}", now_s=NOW_S + number))
    names = [each.id for each in do(state.ledger.rows(since_s=NOW_S + 2))]
    assert names == ["a2", "a3", "a4", "a5"]
    assert [each.id for each in do(state.ledger.rows(since_s=NOW_S + 2, limit=2))] == ["a2", "a3"]
    assert do(state.ledger.rows(limit=0)) == []


def test_a_counter_never_written_is_empty(state: State) -> None:
    assert do(state.ledger.balances([counter(DAY), counter(MONTH)])) == {
        counter(DAY): Balance(),
        counter(MONTH): Balance(),
    }


def test_balances_are_the_sum_of_the_rows(state: State) -> None:
    for number, name in enumerate("abcdef"):
        assert granted(state, hold(name, charge(DAY, 10 + number), charge(MONTH, 10 + number)))
    for name in "bcdf":
        do(state.ledger.mark_sent(name, now_s=NOW_S))
    do(state.ledger.settle("b", settlement(3)))
    do(state.ledger.settle("c", nothing()))
    do(state.ledger.release("a", now_s=NOW_S))
    do(state.ledger.renew("e", lease_until_s=NOW_S + 99))
    do(state.ledger.reconcile(now_s=NOW_S + LEASE_S))
    do(state.ledger.settle("d", settlement(44)))
    expected = balances_of_rows(do(state.ledger.rows()))
    assert do(state.ledger.balances([counter(DAY), counter(MONTH)])) == expected
    assert expected[counter(DAY)] == Balance(settled=3 + 44 + 15, reserved=14)


# --- Shadow -------------------------------------------------------------------------------------------------------


def shadowed(state: State, held: Hold) -> tuple[Shortfall, ...]:
    result = do(state.ledger.reserve(held))
    assert isinstance(result, Granted)
    return result.shadow


def test_a_budget_in_shadow_is_counted_and_refuses_nothing(state: State) -> None:
    tried = budget(amount=100, shadow=True)
    assert shadowed(state, hold("a", charge(tried, 60))) == ()
    (short,) = shadowed(state, hold("b", charge(tried, 60)))
    assert (short.budget, short.needed, short.available) == (tried, 60, 40)
    assert short.resets_at_s == NOW_S + 3600
    assert balance(state, tried) == (0, 120)
    for name in "ab":
        do(state.ledger.mark_sent(name, now_s=NOW_S))
        do(state.ledger.settle(name, settlement(55)))
    assert balance(state, tried) == (110, 0)
    (short,) = shadowed(state, hold("c", charge(tried, 1)))
    assert (short.needed, short.available) == (1, 0)
    assert row(state, "c").counters == ((counter(tried), 1),)


def test_a_budget_in_shadow_does_not_soften_the_hard_one_beside_it(state: State) -> None:
    tried, tokens = budget(amount=10, shadow=True), limit(at_most=5, shadow=True)
    takes = [Take(limit=tokens, amount=20)]
    held = hold("a", charge(tried, 60), charge(MONTH, 60), takes=takes)
    assert [each.budget or each.limit for each in shadowed(state, held)] == [tried, tokens]
    short = refused(state, hold("b", charge(tried, 100), charge(MONTH, 100), takes=takes)).shortfalls
    assert [each.budget for each in short] == [MONTH]
    assert (balance(state, tried), balance(state, MONTH)) == ((0, 60), (0, 60))
    assert do(state.limiter.used([tokens], now_s=NOW_S)) == {tokens: 20}


def test_a_token_limit_in_shadow_says_when_it_would_have_done(state: State) -> None:
    tried = limit(at_most=100, shadow=True)
    assert shadowed(state, hold("a", takes=[Take(limit=tried, amount=80)])) == ()
    (short,) = shadowed(state, hold("b", takes=[Take(limit=tried, amount=60)], now_s=NOW_S + 10))
    assert (short.limit, short.needed, short.available) == (tried, 60, 20)
    assert short.resets_at_s is not None
    assert NOW_S + 60 <= short.resets_at_s <= NOW_S + 61.1
    assert do(state.limiter.used([tried], now_s=NOW_S + 10)) == {tried: 140}


def test_what_was_spent_in_shadow_counts_when_it_is_enforced(state: State) -> None:
    tried, enforced = budget(amount=100, shadow=True), budget(amount=100)
    assert len(shadowed(state, hold("a", charge(tried, 120)))) == 1
    assert refused(state, hold("b", charge(enforced, 1))).shortfalls[0].available == 0
