"""The contract of `settle` with watches, for every ledger: each share of each window is told once."""

import os
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest

from router.adapters.clocks import ManualClock
from router.adapters.redis_state import RedisState
from router.adapters.sqlite_state import SqliteState
from router.errors import StoreError
from router.plan import Budget
from router.ports import Counter, Crossed, Note, Take, Watch
from router.values import Kind
from tests.adapters.states import (
    LEASE_S,
    NOW_S,
    STATES,
    State,
    budget,
    charge,
    counter,
    do,
    granted,
    hold,
    nothing,
    opened,
    settlement,
    valkey,
)

HALF, MOST, ALL = 50_000, 80_000, 100_000
DAY = budget(amount=1_000)
UNTIL_S = NOW_S + 3_600


@pytest.fixture(params=sorted(STATES))
def state(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[State]:
    with opened(request.param, tmp_path) as state:
        yield state


def watch(
    of: Budget = DAY,
    *shares: int,
    amount: int | None = None,
    until_s: float | None = UNTIL_S,
    start: str = "2026-09-21",
) -> Watch:
    return Watch(
        of=of if of.rolling else counter(of, start),
        amount=of.amount if amount is None else amount,
        warn_at=shares or (HALF, MOST),
        until_s=until_s,
    )


def spend(
    state: State, id: str, cost: int, *watches: Watch, of: Budget = DAY, needed: int = 0
) -> list[Crossed]:
    """One attempt from its reservation to its end."""
    starts = {each.of.start for each in watches if isinstance(each.of, Counter)} or {"2026-09-21"}
    assert granted(state, hold(id, *(charge(of, needed, start=start) for start in starts)))
    do(state.ledger.mark_sent(id, now_s=NOW_S))
    return list(do(state.ledger.settle(id, settlement(cost), watches)))


def shares(crossed: list[Crossed]) -> list[int]:
    return [each.share for each in crossed]


def test_a_share_is_told_when_it_is_reached_to_the_last_nano_and_once(state: State) -> None:
    assert spend(state, "a", 499, watch()) == []
    assert spend(state, "b", 1, watch()) == [Crossed(watch=watch(), share=HALF, settled=500, granted=0)]
    assert spend(state, "c", 299, watch()) == []
    assert shares(spend(state, "d", 1, watch())) == [MOST]
    assert spend(state, "e", 1_000, watch()) == []


def test_all_that_one_attempt_comes_to_is_told_in_order(state: State) -> None:
    found = spend(state, "a", 5_000, watch(DAY, HALF, MOST, ALL))
    assert [(each.share, each.settled) for each in found] == [(HALF, 5_000), (MOST, 5_000), (ALL, 5_000)]


def test_what_is_only_reserved_tells_nothing(state: State) -> None:
    assert granted(state, hold("open", charge(DAY, 900)))
    assert spend(state, "a", 50, watch(), needed=50) == []


def test_nothing_is_told_unasked_and_nothing_is_lost_by_that(state: State) -> None:
    assert spend(state, "a", 600) == []
    assert shares(spend(state, "b", 0, watch())) == [HALF]


def test_what_a_lapsed_lease_came_to_is_told_by_the_next_settlement(state: State) -> None:
    assert granted(state, hold("dead", charge(DAY, 900)))
    do(state.ledger.mark_sent("dead", now_s=NOW_S))
    assert do(state.ledger.reconcile(now_s=NOW_S + LEASE_S + 1)) == 1
    assert shares(spend(state, "a", 1, watch())) == [HALF, MOST]


def test_a_window_of_its_own_for_each_start_and_each_counter(state: State) -> None:
    other = budget("tenant:zoo", amount=1_000)
    assert shares(spend(state, "a", 600, watch())) == [HALF]
    assert shares(spend(state, "b", 600, watch(start="2026-09-22"))) == [HALF]
    assert shares(spend(state, "c", 600, watch(other), of=other)) == [HALF]


def test_an_edit_of_the_amount_tells_nothing_again(state: State) -> None:
    assert shares(spend(state, "a", 600, watch())) == [HALF]
    assert spend(state, "b", 0, watch(amount=10_000)) == []
    assert spend(state, "c", 5_000, watch(amount=10_000)) == []
    assert shares(spend(state, "d", 0, watch(amount=100))) == [MOST]


def test_a_second_settlement_tells_nothing_and_a_truth_that_comes_late_does(state: State) -> None:
    assert granted(state, hold("a", charge(DAY, 100)))
    do(state.ledger.mark_sent("a", now_s=NOW_S))
    worst = settlement(100, usage=None, how="worst_case", kind=Kind.TIMEOUT)
    assert do(state.ledger.settle("a", worst, [watch()])) in ([], ())
    assert shares(list(do(state.ledger.settle("a", settlement(700), [watch()])))) == [HALF]
    assert list(do(state.ledger.settle("a", settlement(900), [watch()]))) == []


def test_what_cost_nothing_reaches_nothing(state: State) -> None:
    assert granted(state, hold("a", charge(DAY, 900)))
    do(state.ledger.mark_sent("a", now_s=NOW_S))
    assert list(do(state.ledger.settle("a", nothing(), [watch()]))) == []


def test_a_share_is_of_the_amount_and_what_was_granted(state: State) -> None:
    do(state.ledger.grant(counter(DAY), 1_000, Note(id="g", who="ann", why="launch", at_s=NOW_S)))
    assert spend(state, "a", 999, watch()) == []
    found = spend(state, "b", 1, watch())
    assert [(each.share, each.settled, each.granted) for each in found] == [(HALF, 1_000, 1_000)]
    do(state.ledger.grant(counter(DAY), -900, Note(id="h", who="ann", why="over", at_s=NOW_S)))
    assert shares(spend(state, "c", 0, watch())) == [MOST]


@pytest.mark.parametrize("amount", [10**18 + 7, 2**62 - 1])
def test_large_amounts_are_compared_exactly(state: State, amount: int) -> None:
    large = budget(amount=amount)
    level = -(-amount * MOST // 100_000)
    assert shares(spend(state, "a", level - 1, watch(large), of=large)) == [HALF]
    assert shares(spend(state, "b", 1, watch(large), of=large)) == [MOST]


@pytest.mark.parametrize(("share", "level"), [(1, 1), (500, 5), (99_999, 1_000), (33_333, 334)])
def test_shares_of_a_thousandth_of_a_percent(state: State, share: int, level: int) -> None:
    assert spend(state, "a", level - 1, watch(DAY, share)) == []
    assert shares(spend(state, "b", 1, watch(DAY, share))) == [share]


def settled_at(state: State, name: str, after_s: float, *watches: Watch) -> list[int]:
    """What the settlement of one that cost nothing tells, so long after all others."""
    assert granted(state, hold(name, charge(DAY, 0), now_s=NOW_S + after_s))
    return shares(list(do(state.ledger.settle(name, settlement(0, now_s=NOW_S + after_s), watches))))


def test_a_mark_holds_until_the_watch_says(state: State) -> None:
    brief = watch(until_s=NOW_S + 60)
    assert shares(spend(state, "a", 600, brief)) == [HALF]
    assert settled_at(state, "b", 59.0, brief) == []
    assert settled_at(state, "c", 60.0, brief) == [HALF]


def test_a_mark_without_an_end_holds_for_ever(state: State) -> None:
    lasting = watch(until_s=None)
    assert shares(spend(state, "a", 600, lasting)) == [HALF]
    assert settled_at(state, "b", 10.0**9, lasting) == []


def rolled(state: State, name: str, amount: int, after_s: float, *watches: Watch) -> list[int]:
    """An attempt that takes and costs `amount` of the rolling budgets that are watched."""
    now_s = NOW_S + after_s
    takes = [Take(limit=each.of, amount=amount) for each in watches if isinstance(each.of, Budget)]
    assert granted(state, hold(name, takes=takes, now_s=now_s, worst_nusd=amount))
    do(state.ledger.mark_sent(name, now_s=now_s))
    return shares(list(do(state.ledger.settle(name, settlement(amount, now_s=now_s), watches))))


def test_a_rolling_budget_warns_of_what_its_window_holds(state: State) -> None:
    hour = budget(amount=1_000, window="hour", rolling=True)

    def at(after_s: float) -> Watch:
        return watch(hour, until_s=NOW_S + after_s + 3_600)

    assert rolled(state, "a", 400, 0, at(0)) == []
    assert rolled(state, "b", 200, 1_800, at(1_800)) == [HALF]
    assert rolled(state, "c", 100, 3_000, at(3_000)) == []
    assert rolled(state, "d", 100, 4_000, at(4_000)) == []  # the first has left: 400 of 1,000
    assert rolled(state, "e", 100, 5_000, at(5_000)) == []  # its mark holds for an hour
    assert rolled(state, "f", 300, 5_450, at(5_450)) == [HALF]


def test_an_unknown_row_marks_nothing(state: State) -> None:
    spend(state, "a", 600)
    with pytest.raises(StoreError):
        do(state.ledger.settle("never", settlement(1), [watch()]))
    assert shares(spend(state, "b", 0, watch())) == [HALF]


def test_threads_of_one_state_tell_each_share_once(state: State) -> None:
    ids = [f"t{number}" for number in range(40)]
    for name in ids:
        assert granted(state, hold(name, charge(DAY, 25)))
        do(state.ledger.mark_sent(name, now_s=NOW_S))
    told: list[Crossed] = []

    def settle(mine: list[str]) -> None:
        for name in mine:
            told.extend(do(state.ledger.settle(name, settlement(25), [watch(DAY, HALF, MOST, ALL)])))

    threads = [Thread(target=settle, args=(ids[at::8],)) for at in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted((each.share, each.settled) for each in told) == [(HALF, 500), (MOST, 800), (ALL, 1_000)]


# --- Processes and restarts -------------------------------------------------------------------------------------------


def shared(store: str, folder: Path) -> State:
    if store == "sqlite":
        return SqliteState(folder / "state.db", ManualClock())
    return RedisState(valkey().url, ManualClock(), name=f"warn-{folder.name}", server_time=False)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.parametrize("store", ["redis", "sqlite"])
def test_processes_tell_each_share_once_and_so_does_one_that_comes_later(store: str, tmp_path: Path) -> None:
    total = budget(amount=1_000, window="total")
    of_all = watch(total, HALF, MOST, ALL, until_s=None)
    if store == "redis":
        valkey()  # one for all, before there are several of us
    children = []
    for child in range(4):
        pid = os.fork()
        if not pid:
            code = 1
            try:
                state = shared(store, tmp_path)
                told = [
                    each
                    for number in range(25)
                    for each in spend(state, f"{child}-{number}", 10, of_all, of=total, needed=10)
                ]
                (tmp_path / f"{child}.txt").write_text(" ".join(str(each.share) for each in told))
                do(state.aclose())
                code = 0
            finally:
                os._exit(code)
        children.append(pid)
    assert [os.waitpid(pid, 0)[1] for pid in children] == [0] * 4
    told = " ".join((tmp_path / f"{child}.txt").read_text() for child in range(4)).split()
    assert sorted(map(int, told)) == [HALF, MOST, ALL]
    later = shared(store, tmp_path)
    assert spend(later, "later", 0, of_all, of=total) == []
    do(later.aclose())


def test_old_marks_leave_a_file(tmp_path: Path) -> None:
    state = SqliteState(tmp_path / "state.db", ManualClock())
    for number in range(5):
        of = budget(f"user:acme:{number}", amount=10)
        assert granted(state, hold(str(number), charge(of, 0), now_s=NOW_S + 100 * number))
        until_s = NOW_S + 100 * number + 150
        ended = settlement(10, now_s=NOW_S + 100 * number)
        assert len(do(state.ledger.settle(str(number), ended, [watch(of, until_s=until_s)]))) == 2
    marks = do(
        state._file.step("ledger", lambda cursor: cursor.execute("SELECT count(*) FROM marks").fetchone())
    )
    assert marks == (4,)
    do(state.aclose())
