"""A state file of an earlier version is brought up to date in place, once, with all that is in it."""

import re
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from router.adapters.clocks import ManualClock
from router.adapters.sqlite_schema import VERSION, VERSIONS, prepare
from router.adapters.sqlite_state import SqliteState
from tests.adapters.states import NOW_S, balance, budget, charge, do, granted, hold, limit, row, settlement

FIRST = Path(__file__).parent / "state_version_1.sql"
"""A file as version 1 wrote it, with a row in each state, a sliding window, a failure of a model, and a refusal."""

DAY = budget(amount=1000)
ALL = budget("policy:cheap-fast", amount=5000, unit="tokens", window="total")
TOKENS = limit(at_most=500)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "state.db"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.executescript(FIRST.read_text())
    connection.close()
    return path


def version(path: Path) -> int:
    connection = sqlite3.connect(path)
    try:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])
    finally:
        connection.close()


def tables(path: Path) -> dict[str, str]:
    """What makes each table, index and view, without comments and blanks: those of an older file are of its time."""
    connection = sqlite3.connect(path)
    found = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    connection.close()
    return {name: re.sub(r"--[^\n]*|\s+|\"", "", sql) for name, sql in found}


def assert_nothing_was_lost(state: SqliteState) -> None:
    assert (balance(state, DAY), balance(state, ALL)) == ((85, 120), (55, 80))
    rows = do(state.ledger.rows())
    assert [(each.seq, each.id, each.state, each.cost_nusd) for each in rows] == [
        (1, "settled", "settled", 25),
        (2, "released", "released", 0),
        (3, "expired", "expired", 60),
        (4, "sent", "sent", 60),
        (5, "reserved", "reserved", 60),
    ]
    assert do(state.limiter.used([TOKENS], now_s=NOW_S + 5)) == {TOKENS: 135}
    assert do(state.health.breakers()) == {}  # until version 2 failures were counted without a rule


def test_all_that_was_in_it_is_still_there_and_goes_on(path: Path) -> None:
    state = SqliteState(path, ManualClock())
    assert_nothing_was_lost(state)
    assert version(path) == VERSION
    do(state.ledger.settle("sent", settlement(10)))
    do(state.ledger.settle("expired", settlement(20)))
    assert balance(state, DAY) == (55, 60)
    assert granted(state, hold("new", charge(DAY, 885)))
    assert row(state, "new").seq == 9, "two endings have taken numbers too"
    assert not granted(state, hold("more", charge(DAY, 1)))
    do(state.aclose())


def test_a_file_brought_up_to_date_is_like_a_new_one(path: Path, tmp_path: Path) -> None:
    for each in (path, tmp_path / "new" / "state.db"):
        state = SqliteState(each, ManualClock())
        do(state.ledger.all_balances())
        do(state.aclose())
    assert tables(path) == tables(tmp_path / "new" / "state.db")


def test_many_that_open_it_at_once_bring_it_up_to_date_once(path: Path) -> None:
    barrier = Barrier(8)

    def opened(_: int) -> None:
        state = SqliteState(path, ManualClock())
        barrier.wait()
        assert_nothing_was_lost(state)
        do(state.aclose())

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(opened, range(8)))
    assert version(path) == VERSION


@pytest.mark.parametrize("at", range(len([each for each in VERSIONS[1].split(";\n") if each.strip()])))
def test_a_migration_that_is_cut_short_leaves_the_file_as_it_was(path: Path, at: int) -> None:
    """Killed or failing after any of its statements: the next one that opens the file begins it anew."""
    connection = sqlite3.connect(path, isolation_level=None)
    with pytest.raises(sqlite3.OperationalError, match="cut short"):
        prepare(CutShort(connection, at))
    connection.close()
    assert version(path) == 1
    state = SqliteState(path, ManualClock())
    assert_nothing_was_lost(state)
    do(state.aclose())


class CutShort(sqlite3.Cursor):
    """A cursor that fails at its `at`-th change of the tables."""

    def __init__(self, connection: sqlite3.Connection, at: int) -> None:
        super().__init__(connection)
        self.left = at

    def execute(self, sql: str, *values: object) -> sqlite3.Cursor:  # type: ignore[override]
        if not sql.strip().startswith(("PRAGMA", "BEGIN", "ROLLBACK", "SELECT")):
            if self.left == 0:
                raise sqlite3.OperationalError("cut short")
            self.left -= 1
        return super().execute(sql, *values)


def test_an_older_router_that_had_it_open_can_write_nothing_more(path: Path) -> None:
    """Its statement of version 1, for 22 columns, fails whole: it can't leave a row that version 2 misreads."""
    older = sqlite3.connect(path)
    state = SqliteState(path, ManualClock())
    assert_nothing_was_lost(state)
    with pytest.raises(sqlite3.OperationalError, match="25 columns"):
        older.execute(f"INSERT INTO attempts VALUES ({', '.join('?' * 22)})", (None,) * 22)  # noqa: S608
    older.close()
    assert_nothing_was_lost(state)
    do(state.aclose())
