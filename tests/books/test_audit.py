"""An audit finds what does not add up, and nothing where all does."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from router.adapters.clocks import ManualClock
from router.books.audit import Audit, audit, sums_of
from router.books.row_files import path_for, write_rows
from router.ports import Balance, Note, Take
from tests.adapters.states import (
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
)
from tests.world import World

TEAM = budget("tenant:acme", 10_000)
USER = budget("user:acme:ann", 500, unit="tokens")


@pytest.fixture(params=sorted(STATES))
def state(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[State]:
    with opened(request.param, tmp_path) as state:
        yield state


def audited(
    state: State, *, now_s: float = NOW_S + 5, ledger: Any = None, archive: Path | None = None
) -> Audit:
    world = World(cast(Any, None), clock=ManualClock(now_s=now_s))
    return do(audit(replace(world.ports, ledger=ledger or state.ledger), archive=archive))


def lived_in(state: State) -> None:
    """Every way a reservation can go."""
    for name in ("answered", "refused", "never", "dead", "sent", "held"):
        assert granted(state, hold(name, charge(TEAM, 100), charge(USER, 30), lease_s=30))
    for name in ("answered", "refused", "sent"):
        do(state.ledger.mark_sent(name, now_s=NOW_S))
    do(state.ledger.settle("answered", settlement(70)))
    do(state.ledger.settle("refused", nothing()))
    do(state.ledger.release("never", now_s=NOW_S))


def test_a_ledger_that_was_lived_in_adds_up(state: State) -> None:
    lived_in(state)
    found = audited(state)
    assert (found.sound, found.findings, found.rows, found.counters, found.resolved) == (True, (), 6, 2, 0)


def test_what_dead_processes_held_is_ended_first(state: State) -> None:
    lived_in(state)
    found = audited(state, now_s=NOW_S + 31)
    assert (found.sound, found.resolved) == (True, 3)
    assert do(state.ledger.balances([counter(TEAM)]))[counter(TEAM)] == Balance(settled=170, reserved=0)


def test_a_bill_above_its_bound_is_told_and_no_fault(state: State) -> None:
    assert granted(state, hold("a", charge(TEAM, 100)))
    do(state.ledger.settle("a", settlement(150)))
    found = audited(state)
    assert found.sound
    assert [(each.law, each.subject) for each in found.findings] == [("overrun", "a")]
    assert found.findings[0].detail.endswith("billed $0.00000005 above its bound of $0.0000001")


def test_a_balance_that_somebody_changed_is_found(tmp_path: Path) -> None:
    with opened("sqlite", tmp_path) as state:
        lived_in(state)
        with closing(sqlite3.connect(tmp_path / "state" / "state.db")) as connection, connection:
            connection.execute("UPDATE counters SET settled = settled - 1 WHERE settled > 50")
        found = audited(state)
        assert not found.sound
        assert [(each.law, each.subject) for each in found.findings] == [
            ("balance", "tenant:acme nusd day 2026-09-21")
        ]
        assert found.findings[0].detail == (
            "kept $0.000000069 settled and $0.0000003 reserved, and its rows add up to $0.00000007 and $0.0000003"
        )


class Odd:
    """A ledger that answers as it is told to."""

    def __init__(self, state: State, *, twice: bool = False, busy: bool = False) -> None:
        self._ledger = state.ledger
        self._twice, self._busy, self._asked = twice, busy, 0

    async def reconcile(self, *, now_s: float) -> int:
        return 0

    async def all_balances(self) -> Any:
        return await self._ledger.all_balances()

    async def acts(self) -> Any:
        return await self._ledger.acts()

    async def identity(self) -> str:
        return str(await self._ledger.identity())

    async def rows(self, **since: float) -> Any:
        self._asked += 1
        if self._busy:
            assert granted(cast(State, self), hold(f"busy{self._asked}", charge(TEAM, 1)))
        rows = list(await self._ledger.rows())
        return [*rows, replace(rows[0], id="copy", counters=())] if self._twice else rows

    @property
    def ledger(self) -> Any:
        return self._ledger


def test_a_number_that_stands_twice_and_a_lease_that_nobody_ended_are_found(state: State) -> None:
    lived_in(state)
    found = audited(state, now_s=NOW_S + 100, ledger=Odd(state, twice=True))
    assert [(each.law, each.subject) for each in found.findings] == [
        ("orphan", "dead"),
        ("orphan", "sent"),
        ("orphan", "held"),
        ("sequence", "copy"),
    ]


def test_what_calls_keep_changing_is_not_judged(state: State) -> None:
    lived_in(state)
    found = audited(state, ledger=Odd(state, busy=True))
    assert found.sound
    assert found.under_way == ("tenant:acme nusd day 2026-09-21",)


def test_rows_alone_tell_every_balance(state: State) -> None:
    lived_in(state)
    assert dict(sums_of(do(state.ledger.rows()))) == dict(do(state.ledger.all_balances()))


# --- Grants, truths, and rows that were moved out ---------------------------------------------------------------------


def note(name: str) -> Note:
    return Note(id=name, who="ann", why="launch", at_s=NOW_S)


def moved_out(state: State, folder: Path, some: int = 4) -> None:
    """Grants, a truth, and the first rows in a file."""
    lived_in(state)
    do(state.ledger.grant(counter(TEAM), 500, note("a")))
    do(state.ledger.grant(counter(TEAM), -100, note("b")))
    do(state.ledger.settle("sent", settlement(100, usage=None, how="worst_case")))
    assert do(state.ledger.correct("sent", settlement(42), note("c")))
    rows = [row for row in do(state.ledger.rows()) if row.ended_at_s is not None][:some]
    folder.mkdir()
    write_rows(path_for(folder, rows, compressed=False), rows)
    assert do(state.ledger.move_out(rows)) == some


def test_a_ledger_with_grants_truths_and_rows_moved_out_adds_up(state: State, tmp_path: Path) -> None:
    moved_out(state, tmp_path / "old")
    found = audited(state)
    assert (found.sound, found.findings, found.rows, found.moved, found.acts) == (True, (), 2, 0, 3)
    found = audited(state, archive=tmp_path / "old")
    assert (found.sound, found.findings, found.rows, found.moved, found.acts) == (True, (), 2, 4, 3)


def test_rows_that_are_in_a_file_and_still_in_the_store_count_once(state: State, tmp_path: Path) -> None:
    """As a run that was cut short leaves them."""
    moved_out(state, tmp_path / "old", 2)
    rows = [row for row in do(state.ledger.rows()) if row.ended_at_s is not None]
    write_rows(path_for(tmp_path / "old", rows, compressed=False), rows)
    assert audited(state, archive=tmp_path / "old").findings == ()


def test_a_file_that_is_missing_is_found(state: State, tmp_path: Path) -> None:
    moved_out(state, tmp_path / "old")
    next((tmp_path / "old").iterdir()).unlink()
    found = audited(state, archive=tmp_path / "old")
    assert not found.sound
    assert [(each.law, each.subject) for each in found.findings] == [
        ("moved", "tenant:acme nusd day 2026-09-21"),
        ("moved", "user:acme:ann tokens day 2026-09-21"),
    ]
    assert found.findings[0].detail == ("$0.000000112 of it was moved out, and the files hold $0.00")


@pytest.mark.parametrize(
    ("change", "law"),
    [
        ("UPDATE counters SET moved = moved + 1 WHERE granted > 0", "balance"),
        ("UPDATE counters SET granted = granted + 5, settled = settled - 5 WHERE granted > 0", "granted"),
        ("UPDATE acts SET what = replace(what, '500', '900')", "granted"),
        ("UPDATE acts SET what = replace(what, '\"42\"', '\"41\"')", "told"),
    ],
)
def test_what_another_hand_changed_is_found(tmp_path: Path, change: str, law: str) -> None:
    with opened("sqlite", tmp_path) as state:
        moved_out(state, tmp_path / "old", 1)
        with closing(sqlite3.connect(tmp_path / "state" / "state.db")) as connection, connection:
            assert connection.execute(change).rowcount > 0
        found = audited(state)
    assert not found.sound
    assert [each.law for each in found.findings] == [law]


# --- Rolling budgets ----------------------------------------------------------------------------------------------


def rolled(state: State) -> None:
    of = budget("tenant:acme", 10_000, window="hour", rolling=True)
    for number, cost in enumerate((0, 40, 100)):
        held = hold(
            f"r{number}", takes=[Take(limit=of, amount=100)], now_s=NOW_S - 60 * number, worst_nusd=100
        )
        assert granted(state, held)
        do(state.ledger.settle(held.id, settlement(cost, now_s=NOW_S)))
    assert granted(state, hold("open", takes=[Take(limit=of, amount=100)], worst_nusd=100, lease_s=300))


def test_windows_of_rolling_budgets_hold_what_their_rows_do(state: State) -> None:
    rolled(state)
    found = audited(state)
    assert (found.sound, found.findings) == (True, ())
    later_s = NOW_S + 7_200
    assert audited(state, now_s=later_s).sound


def test_a_window_that_has_forgotten_is_a_finding(state: State) -> None:
    rolled(state)

    class Forgetful:
        def __getattr__(self, name: str) -> Any:
            return getattr(state.ledger, name)

        async def held(self, budgets: Any, *, now_s: float) -> Any:
            return {
                each: amount - 1 for each, amount in (await state.ledger.held(budgets, now_s=now_s)).items()
            }

    found = audited(state, ledger=Forgetful())
    assert [(each.law, each.subject) for each in found.findings] == [("balance", "tenant:acme nusd hour")]
    assert "holds $0.000000239" in found.findings[0].detail
    assert "come to $0.00000024" in found.findings[0].detail
