"""Whoever opens a state ends what dead processes left open: so many at a time, once, and nobody waits for it."""

import os
import signal
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from router.adapters.accounts import LAPSES_AN_OPENING
from router.adapters.clocks import ManualClock
from router.plan import Limit
from router.ports import Take
from tests.adapters.states import (
    LEASE_S,
    NOW_S,
    State,
    balance,
    balances_of_rows,
    budget,
    charge,
    do,
    granted,
    hold,
    limit,
    settlement,
    valkey,
)
from tests.laws.stores import SHARED, ended, in_child, needs_fork, opened, shared_state

TEAM = budget(amount=10**9)
TOKENS: Limit = limit(at_most=10**9)
OVER_S = NOW_S + LEASE_S

pytestmark = needs_fork


@pytest.fixture(params=SHARED)
def store(request: pytest.FixtureRequest) -> str:
    if request.param == "redis":
        valkey()  # before there are children that would begin one of their own
    return str(request.param)


def leave(store: str, place: Path, *, reserved: int, sent: int) -> None:
    """What a process that is killed leaves behind: nothing of it is closed or said."""

    def work() -> None:
        state = shared_state(store, place, ManualClock(NOW_S))
        for number in range(reserved + sent):
            held = hold(f"{number}", charge(TEAM, 10), takes=[Take(limit=TOKENS, amount=30)])
            assert granted(state, held)
            if number < sent:
                do(state.ledger.mark_sent(held.id, now_s=NOW_S))
        os.kill(os.getpid(), signal.SIGKILL)

    assert ended(in_child(work)) == -signal.SIGKILL


def states(state: State) -> Counter[str]:
    return Counter(row.state for row in do(state.ledger.rows()))


def test_a_mere_look_ends_what_a_killed_process_left(store: str, tmp_path: Path) -> None:
    leave(store, tmp_path, reserved=2, sent=3)
    with opened(store, tmp_path, ManualClock(OVER_S)) as state:
        assert balance(state, TEAM) == (30, 0)
        assert do(state.limiter.used([TOKENS], now_s=OVER_S)) == {TOKENS: 90}
        rows = do(state.ledger.rows())
        assert [row.state for row in rows] == ["expired"] * 3 + ["released"] * 2
        assert sorted(row.ended_seq or 0 for row in rows) == [6, 7, 8, 9, 10]
        assert do(state.ledger.all_balances()) == balances_of_rows(rows)
        do(state.ledger.settle("0", settlement(4)))
        assert balance(state, TEAM) == (24, 0), "the truth corrects it, as ever"


def test_a_lease_that_has_not_lapsed_is_left_alone(store: str, tmp_path: Path) -> None:
    leave(store, tmp_path, reserved=1, sent=1)
    with opened(store, tmp_path, ManualClock(OVER_S - 0.1)) as state:
        assert states(state) == {"reserved": 1, "sent": 1}


def test_one_opening_ends_so_many_and_the_next_one_goes_on(store: str, tmp_path: Path) -> None:
    leave(store, tmp_path, reserved=0, sent=LAPSES_AN_OPENING + 7)
    for left in (7, 0):
        with opened(store, tmp_path, ManualClock(OVER_S)) as state:
            expired = LAPSES_AN_OPENING + 7 - left
            assert balance(state, TEAM) == (10 * expired, 10 * left)
            assert balance(state, TEAM) == (10 * expired, 10 * left), "it is of the opening, not of each step"


def test_processes_that_open_at_once_end_each_row_once(store: str, tmp_path: Path) -> None:
    leave(store, tmp_path, reserved=20, sent=100)

    def work() -> None:
        with opened(store, tmp_path, ManualClock(OVER_S)) as state:
            assert balance(state, TEAM)[0] in (
                0,
                1000,
            )  # before, or after: in a file, nobody waits for whoever does it

    assert [ended(pid) for pid in [in_child(work) for _ in range(4)]] == [0] * 4
    with opened(store, tmp_path, ManualClock(OVER_S)) as state:
        assert balance(state, TEAM) == (1000, 0)
        rows = do(state.ledger.rows())
        assert sorted(row.ended_seq or 0 for row in rows) == list(range(121, 241))


def test_a_fork_opens_anew(store: str, tmp_path: Path) -> None:
    clock = ManualClock(NOW_S)
    with opened(store, tmp_path, clock) as state:
        assert states(state) == {}
        leave(store, tmp_path, reserved=1, sent=1)
        assert states(state) == {"reserved": 1, "sent": 1}
        clock.set_now(OVER_S)

        def work() -> None:
            assert states(state) == {"released": 1, "expired": 1}

        assert ended(in_child(work)) == 0


def test_whoever_only_looks_waits_for_no_writer_of_a_file(tmp_path: Path) -> None:
    leave("sqlite", tmp_path, reserved=0, sent=1)
    clock = ManualClock(OVER_S)
    with opened("sqlite", tmp_path, clock) as state:
        with closing(sqlite3.connect(tmp_path / "state.db", isolation_level=None)) as writer:
            writer.execute("BEGIN IMMEDIATE")
            assert balance(state, TEAM) == (0, 10)
            assert clock.mono_s() == 0.0
        assert balance(state, TEAM) == (10, 0)
