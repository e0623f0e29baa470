"""The contract of what people do to a ledger, for every implementation: grants, late truths, rows moved out."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import pytest

from router.adapters.memory_state import MemoryState
from router.errors import StoreError
from router.ports import Act, Balance, Note, Take
from router.values import Kind, Usage
from tests.adapters.states import (
    LEASE_S,
    NOW_S,
    STATES,
    State,
    balance,
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

_ids = count()


@pytest.fixture(params=sorted(STATES))
def state(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[State]:
    with opened(request.param, tmp_path) as state:
        yield state


DAY = budget(amount=100)
ALL = budget(amount=1000, window="total")
TOKENS = budget(amount=1000, unit="tokens")
WINDOW = limit(at_most=100)
WORST = settlement(60, usage=None, how="worst_case", kind=Kind.TIMEOUT)


def note(at_s: float = NOW_S + 5) -> Note:
    return Note(id=f"n{next(_ids)}", who="ann", why="launch", at_s=at_s)


def kept(state: State) -> Balance:
    return do(state.ledger.balances([counter(DAY)]))[counter(DAY)]


# --- Grants -------------------------------------------------------------------------------------------------------


def test_a_grant_lets_that_much_more_be_spent_in_its_window(state: State) -> None:
    assert granted(state, hold("a", charge(DAY, 100)))
    assert do(state.ledger.grant(counter(DAY), 30, note())) == Balance(reserved=100, granted=30)
    assert [each.available for each in refused(state, hold("b", charge(DAY, 31))).shortfalls] == [30]
    assert granted(state, hold("c", charge(DAY, 30)))
    assert not granted(state, hold("d", charge(DAY, 1)))
    assert granted(state, hold("e", charge(DAY, 100, start="2026-09-22")))
    assert not granted(state, hold("f", charge(DAY, 1, start="2026-09-22"))), (
        "the next window starts without it"
    )


def test_a_ledger_has_a_name_of_its_own_that_stays(state: State) -> None:
    name = do(state.ledger.identity())
    assert granted(state, hold("a", charge(DAY, 1)))
    assert do(state.ledger.identity()) == name
    assert len(name) >= 16
    assert do(MemoryState().ledger.identity()) != name


def test_what_was_granted_is_told_apart_from_what_was_settled(state: State) -> None:
    do(state.ledger.grant(counter(DAY), 30, note()))
    do(state.ledger.grant(counter(DAY), 12, note()))
    assert granted(state, hold("a", charge(DAY, 60)))
    do(state.ledger.settle("a", settlement(25)))
    assert kept(state) == Balance(settled=25, granted=42)
    assert do(state.ledger.all_balances()) == {counter(DAY): Balance(settled=25, granted=42)}


def test_less_than_nothing_may_be_left_and_then_nothing_is_sent(state: State) -> None:
    assert granted(state, hold("a", charge(DAY, 80)))
    do(state.ledger.settle("a", settlement(80)))
    do(state.ledger.grant(counter(DAY), -50, note()))
    assert kept(state) == Balance(settled=80, granted=-50)
    assert [each.available for each in refused(state, hold("b", charge(DAY, 1))).shortfalls] == [0]
    do(state.ledger.grant(counter(DAY), 40, note()))
    assert granted(state, hold("c", charge(DAY, 10)))


@pytest.mark.parametrize("amount", [1, 999_999_999, 10**9, 10**12 + 1, 10**15, 2**53 + 1, 2**60 + 7])
def test_large_grants_are_exact(state: State, amount: int) -> None:
    do(state.ledger.grant(counter(DAY), amount, note()))
    short = refused(state, hold("a", charge(DAY, amount + 101))).shortfalls
    assert [each.available for each in short] == [amount + 100]
    assert granted(state, hold("b", charge(DAY, amount + 100)))
    assert not granted(state, hold("c", charge(DAY, 1)))
    do(state.ledger.grant(counter(DAY), -amount, note()))
    assert kept(state) == Balance(reserved=amount + 100)


def test_a_sum_of_grants_that_no_counter_holds_is_refused_and_changes_nothing(state: State) -> None:
    do(state.ledger.grant(counter(DAY), 2**62, note()))
    do(state.ledger.grant(counter(ALL), -(2**62), note()))
    for of, amount in ((DAY, 1), (ALL, -1), (DAY, 2**70)):
        with pytest.raises(StoreError, match="can't hold a grant") as raised:
            do(state.ledger.grant(counter(of), amount, note()))
        assert raised.value.port == "ledger"
    assert kept(state) == Balance(granted=2**62)
    assert len(do(state.ledger.acts())) == 2


def test_grants_and_reservations_at_once_spend_what_there_is_and_no_more(state: State) -> None:
    def one(number: int) -> int:
        if number % 4 == 0:
            do(state.ledger.grant(counter(DAY), 10, note()))
            return 0
        return sum(granted(state, hold(f"{number}-{n}", charge(DAY, 10))) for n in range(3))

    with ThreadPoolExecutor(8) as pool:
        early = sum(pool.map(one, range(40)))
    late = sum(granted(state, hold(f"late-{n}", charge(DAY, 10))) for n in range(30))
    assert early + late == 20
    assert kept(state) == Balance(reserved=200, granted=100)


def test_acts_are_kept_in_order_with_who_and_why_and_numbers_of_their_own(state: State) -> None:
    assert granted(state, hold("a", charge(DAY, 60)))
    do(state.ledger.grant(counter(DAY), -7, note(NOW_S + 5)))
    do(state.ledger.mark_sent("a", now_s=NOW_S))
    do(state.ledger.reconcile(now_s=NOW_S + LEASE_S))
    assert do(state.ledger.correct("a", settlement(20), note(NOW_S + 99)))
    assert granted(state, hold("b", charge(DAY, 1)))
    acts = list(do(state.ledger.acts()))
    common = {"who": "ann", "why": "launch"}
    assert acts == [
        Act(seq=acts[0].seq, at_s=NOW_S + 5, kind="grant", amount=-7, counter=counter(DAY), **common),
        Act(seq=acts[1].seq, at_s=NOW_S + 99, kind="settle", amount=20, row="a", before=60, **common),
    ]
    assert row(state, "a").seq < acts[0].seq < acts[1].seq < row(state, "b").seq


# --- Late truths --------------------------------------------------------------------------------------------------


def at_worst_case(state: State, how: str) -> None:
    """A row `a` that was charged at its worst case."""
    held = hold("a", charge(DAY, 60), charge(TOKENS, 40), takes=[Take(limit=WINDOW, amount=40)])
    assert granted(state, held)
    do(state.ledger.mark_sent("a", now_s=NOW_S))
    if how == "expired":
        do(state.ledger.reconcile(now_s=NOW_S + LEASE_S))
    else:
        do(state.ledger.settle("a", WORST))
    assert (balance(state, DAY), balance(state, TOKENS)) == ((60, 0), (40, 0))
    assert do(state.limiter.used([WINDOW], now_s=NOW_S)) == {WINDOW: 40}


@pytest.mark.parametrize("how", ["expired", "worst_case"])
@pytest.mark.parametrize("truth", ["reported", "counted"])
def test_the_truth_corrects_what_was_charged_at_worst_case_in_the_windows_of_its_reservation(
    state: State, how: str, truth: str
) -> None:
    at_worst_case(state, how)
    do(state.ledger.settle("a", settlement(25, how=truth, now_s=NOW_S + 90_000)))
    assert (balance(state, DAY), balance(state, TOKENS)) == ((25, 0), (15, 0))
    assert do(state.limiter.used([WINDOW], now_s=NOW_S)) == {WINDOW: 15}
    found = row(state, "a")
    assert (found.state, found.how, found.cost_nusd, found.usage) == (
        "settled",
        truth,
        25,
        Usage(input_tokens=10, output_tokens=5),
    )
    do(state.ledger.settle("a", settlement(1)))
    assert row(state, "a") == found, "the truth is final"


@pytest.mark.parametrize("how", ["expired", "worst_case"])
def test_people_correct_it_once_and_without_usage_tokens_stay(state: State, how: str) -> None:
    at_worst_case(state, how)
    ending = settlement(250, usage=None)
    assert do(state.ledger.correct("a", ending, note()))
    assert (balance(state, DAY), balance(state, TOKENS)) == ((250, 0), (40, 0))
    assert not do(state.ledger.correct("a", settlement(1), note()))
    assert balance(state, DAY) == (250, 0)
    assert [each.amount for each in do(state.ledger.acts())] == [250]


def test_what_is_no_truth_corrects_nothing(state: State) -> None:
    at_worst_case(state, "worst_case")
    before = row(state, "a")
    do(state.ledger.settle("a", nothing()))
    do(state.ledger.settle("a", settlement(59, usage=None, how="worst_case")))
    assert row(state, "a") == before
    assert balance(state, DAY) == (60, 0)


def test_only_what_was_charged_at_worst_case_is_corrected_by_people(state: State) -> None:
    for name in ("reserved", "sent", "settled", "released", "nothing"):
        assert granted(state, hold(name, charge(DAY, 10)))
    for name in ("sent", "settled", "nothing"):
        do(state.ledger.mark_sent(name, now_s=NOW_S))
    do(state.ledger.settle("settled", settlement(5)))
    do(state.ledger.settle("nothing", nothing()))
    do(state.ledger.release("released", now_s=NOW_S))
    before = do(state.ledger.rows()), kept(state)
    for name in ("reserved", "sent", "settled", "released", "nothing"):
        assert not do(state.ledger.correct(name, settlement(1), note()))
    assert (do(state.ledger.rows()), kept(state)) == before
    assert list(do(state.ledger.acts())) == []
    with pytest.raises(StoreError, match="no row `x`"):
        do(state.ledger.correct("x", settlement(1), note()))


# --- Rows that are moved out --------------------------------------------------------------------------------------


def lived_in(state: State) -> None:
    """One row of each end, and one that is open: 60, 25 and 60 settled, 10 reserved."""
    at_worst_case(state, "worst_case")
    do(state.ledger.grant(counter(DAY), 500, note()))
    for name, needed in (("truth", 40), ("released", 50), ("expired", 60), ("open", 10)):
        lease_s = LEASE_S if name == "expired" else 9999
        assert granted(state, hold(name, charge(DAY, needed), charge(TOKENS, needed), lease_s=lease_s))
    do(state.ledger.settle("truth", settlement(25)))
    do(state.ledger.release("released", now_s=NOW_S))
    do(state.ledger.mark_sent("expired", now_s=NOW_S))
    do(state.ledger.reconcile(now_s=NOW_S + LEASE_S))


def test_rows_that_are_moved_out_stay_in_the_balances(state: State) -> None:
    lived_in(state)
    rows, before = do(state.ledger.rows()), do(state.ledger.all_balances())
    assert before[counter(DAY)] == Balance(settled=145, reserved=10, granted=500)
    assert do(state.ledger.move_out(rows)) == 4
    assert [each.id for each in do(state.ledger.rows())] == ["open"]
    after = do(state.ledger.all_balances())
    assert after == {
        counter(DAY): Balance(settled=145, reserved=10, granted=500, moved=145),
        counter(TOKENS): Balance(settled=115, reserved=10, moved=115),
    }
    assert do(state.ledger.balances(list(after))) == after
    assert do(state.ledger.move_out(rows)) == 0, "once"
    assert do(state.ledger.all_balances()) == after
    assert do(state.ledger.row("truth")) is None


def test_a_row_that_was_corrected_meanwhile_stays(state: State) -> None:
    lived_in(state)
    rows = do(state.ledger.rows())
    do(state.ledger.settle("a", settlement(7)))
    do(state.ledger.settle("expired", settlement(8)))
    do(state.ledger.settle("open", settlement(9)))
    assert do(state.ledger.move_out(rows)) == 2
    assert [each.id for each in do(state.ledger.rows())] == ["a", "expired", "open"]
    assert kept(state) == Balance(settled=7 + 25 + 8 + 9, granted=500, moved=25)


def test_numbers_do_not_go_back_when_all_rows_are_gone(state: State) -> None:
    for number in range(3):
        assert granted(state, hold(f"a{number}", charge(DAY, 1)))
        do(state.ledger.settle(f"a{number}", settlement(1)))
    rows = do(state.ledger.rows())
    assert do(state.ledger.move_out(rows)) == 3
    assert do(state.ledger.rows()) == []
    assert granted(state, hold("b", charge(DAY, 1)))
    assert row(state, "b").seq > rows[-1].seq
    assert do(state.ledger.rows(after=row(state, "b").seq)) == []
    assert [each.id for each in do(state.ledger.rows(after=rows[-1].seq))] == ["b"]


def test_more_rows_than_a_step_takes_are_moved_out(state: State) -> None:
    wide = budget(amount=10**6)
    for number in range(450):
        assert granted(state, hold(f"a{number}", charge(wide, 3)))
        do(state.ledger.settle(f"a{number}", settlement(2)))
    assert do(state.ledger.move_out(do(state.ledger.rows()))) == 450
    assert kept(state) == Balance(settled=900, moved=900)


def test_a_counter_is_forgotten_when_no_row_holds_anything_of_it(state: State) -> None:
    lived_in(state)
    both = [counter(DAY), counter(TOKENS)]
    assert do(state.ledger.forget(both)) == 0
    do(state.ledger.move_out(do(state.ledger.rows())))
    assert do(state.ledger.forget(both)) == 0, "a reservation is open"
    do(state.ledger.settle("open", settlement(3)))
    assert do(state.ledger.forget(both)) == 0, "its row is still there"
    do(state.ledger.move_out(do(state.ledger.rows())))
    assert do(state.ledger.forget([*both, counter(ALL)])) == 2
    assert do(state.ledger.all_balances()) == {}
    assert [each.amount for each in do(state.ledger.acts())] == [500], "what people did is kept"


def test_a_correction_that_comes_after_its_counter_was_forgotten_counts(state: State) -> None:
    """A row that was charged nothing at worst, as its model was thought to be free."""
    assert granted(state, hold("a", charge(DAY, 0)))
    do(state.ledger.settle("a", settlement(0, usage=None, how="worst_case", kind=Kind.TIMEOUT)))
    assert do(state.ledger.forget([counter(DAY)])) == 1
    do(state.ledger.settle("a", settlement(9)))
    assert kept(state) == Balance(settled=9)
