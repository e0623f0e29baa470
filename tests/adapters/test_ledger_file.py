"""The state file itself: private, versioned, opened late, and honest about damage."""

import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from router.adapters.clocks import ManualClock
from router.adapters.memory_state import MemoryState
from router.adapters.sqlite_schema import VERSION
from router.adapters.sqlite_state import SqliteState
from router.decide.sliding import KEPT
from router.errors import StoreError
from router.ports import Take
from tests.adapters.states import NOW_S, balance, budget, charge, do, granted, hold, limit, settlement

DAY = budget(amount=10**6)
posix = pytest.mark.skipif(os.name != "posix", reason="modes are of POSIX systems")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "state.db"


@pytest.fixture
def state(path: Path) -> Iterator[SqliteState]:
    state = SqliteState(path, ManualClock())
    yield state
    do(state.aclose())


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def damage(state: SqliteState) -> StoreError:
    with pytest.raises(StoreError) as raised:
        do(state.ledger.reserve(hold("x", charge(DAY, 1))))
    assert raised.value.port == "ledger"
    assert raised.value.help
    return raised.value


def test_nothing_is_made_before_it_is_needed(state: SqliteState, path: Path) -> None:
    assert not path.parent.exists()
    assert granted(state, hold("a", charge(DAY, 1)))
    assert path.exists()


@posix
def test_the_file_and_the_folder_it_makes_are_private(state: SqliteState, path: Path) -> None:
    generous = os.umask(0)
    try:
        assert granted(state, hold("a", charge(DAY, 1)))
    finally:
        os.umask(generous)
    assert mode(path.parent) == 0o700
    assert {each.name: mode(each) for each in path.parent.iterdir()} == {
        "state.db": 0o600,
        "state.db-wal": 0o600,
        "state.db-shm": 0o600,
    }


@posix
def test_a_folder_that_was_there_keeps_its_mode(state: SqliteState, path: Path) -> None:
    path.parent.mkdir(mode=0o755)
    path.parent.chmod(0o755)
    assert granted(state, hold("a", charge(DAY, 1)))
    assert (mode(path.parent), mode(path)) == (0o755, 0o600)


def test_what_was_written_is_there_after_closing_and_closing_twice_is_once(
    state: SqliteState, path: Path
) -> None:
    assert granted(state, hold("a", charge(DAY, 5)))
    do(state.aclose())
    do(state.ledger.aclose())
    assert balance(state, DAY) == (0, 5)
    other = SqliteState(path, ManualClock())
    assert balance(other, DAY) == (0, 5)
    do(other.aclose())


def test_a_state_that_is_safe_from_power_loss_works_alike(path: Path) -> None:
    state = SqliteState(path, ManualClock(), full=True)
    assert granted(state, hold("a", charge(DAY, 5)))
    do(state.ledger.settle("a", settlement(3)))
    assert balance(state, DAY) == (3, 0)
    do(state.aclose())


def test_a_file_of_a_newer_version_is_refused_and_left_alone(state: SqliteState, path: Path) -> None:
    assert granted(state, hold("a", charge(DAY, 1)))
    do(state.aclose())
    set_version(path, VERSION + 1)
    error = damage(state)
    assert f"its version is {VERSION + 1}, this router knows {VERSION}" in error.message
    assert "upgrade" in error.help
    set_version(path, VERSION)
    assert balance(state, DAY) == (0, 1)


def set_version(path: Path, version: int) -> None:
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {version}")
    connection.close()


def test_the_file_of_another_program_is_refused_and_left_alone(state: SqliteState, path: Path) -> None:
    path.parent.mkdir()
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE bookmarks (url)")
    connection.close()
    assert "belongs to another program" in damage(state).message
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("bookmarks",)]
    connection.close()


def test_what_is_no_database_is_called_damaged(state: SqliteState, path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"these are not the pages you are looking for" * 100)
    error = damage(state)
    assert f"`{path}` is damaged" in error.message
    assert "move it away" in error.help


def test_torn_pages_are_called_damaged(state: SqliteState, path: Path) -> None:
    for number in range(200):
        assert granted(state, hold(f"a{number}", charge(DAY, 1)))
    do(state.aclose())
    body = bytearray(path.read_bytes())
    body[4096:] = b"\xff" * (len(body) - 4096)
    path.write_bytes(bytes(body))
    assert "is damaged" in damage(state).message


def test_a_place_where_no_file_can_be_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    state = SqliteState(tmp_path / "file" / "state.db", ManualClock())
    error = damage(state)
    assert "can't be used" in error.message
    assert "name another file" in error.help


def test_a_state_mends_once_its_file_does(state: SqliteState, path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"no database" * 1000)
    damage(state)
    path.unlink()
    assert granted(state, hold("a", charge(DAY, 1)))


def test_a_step_that_fails_halfway_leaves_nothing(state: SqliteState, path: Path) -> None:
    """The file refuses the second counter, after the row and the first counter were written."""
    other = budget("policy:cheap-fast", 100)
    assert do(state.ledger.rows()) == []
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "CREATE TRIGGER broken BEFORE INSERT ON counters WHEN NEW.reserved = 7 AND "
            "(SELECT count(*) FROM attempts) = 1 AND (SELECT count(*) FROM counters) = 1 "
            "BEGIN SELECT RAISE(ABORT, 'halfway'); END"
        )
    with pytest.raises(StoreError, match="halfway"):
        do(state.ledger.reserve(hold("a", charge(DAY, 1), charge(other, 7), worst_nusd=1)))
    assert balance(state, DAY) == (0, 0)
    assert do(state.ledger.rows()) == []
    assert granted(state, hold("a", charge(DAY, 1)))


def test_old_buckets_of_a_window_are_forgotten(state: SqliteState, path: Path) -> None:
    tokens = limit(at_most=10**6)
    for number in range(400):
        assert granted(state, hold(f"a{number}", takes=[Take(limit=tokens, amount=1)], now_s=NOW_S + number))
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT count(*) FROM buckets").fetchone()[0] <= KEPT
    connection.close()


def test_a_file_that_is_gone_is_begun_anew_with_nothing_remembered_of_it(
    state: SqliteState, path: Path
) -> None:
    other = budget("tenant:other", 10**6)
    assert granted(state, hold("a", charge(DAY, 5), charge(other, 5)))
    do(state.aclose())
    path.unlink()
    assert granted(state, hold("b", charge(other, 7)))
    assert granted(state, hold("c", charge(DAY, 9)))
    assert (balance(state, other), balance(state, DAY)) == ((0, 7), (0, 9))


def test_many_rows_are_read_in_order(state: SqliteState) -> None:
    names = [f"a{number}" for number in range(1100)]
    for name in names:
        assert granted(state, hold(name, charge(DAY, 1), now_s=NOW_S))
    assert [each.id for each in do(state.ledger.rows())] == names
    assert [each.id for each in do(state.ledger.rows(limit=1050))] == names[:1050]


def test_people_can_read_spend_with_any_sqlite_client(state: SqliteState, path: Path) -> None:
    assert granted(state, hold("a", charge(DAY, 40)))
    do(state.ledger.settle("a", settlement(25)))
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT * FROM spend").fetchall() == [
        ("day 2026-09-21 nusd tenant:acme", 25, 0, 0)
    ]
    connection.close()


def test_memory_keeps_the_newest_ended_rows_and_everything_open() -> None:
    state = MemoryState(max_rows=10)
    assert granted(state, hold("open", charge(DAY, 1)))
    for number in range(30):
        assert granted(state, hold(f"a{number}", charge(DAY, 1)))
        do(state.ledger.settle(f"a{number}", settlement(1)))
    assert [each.id for each in do(state.ledger.rows())] == [
        "open",
        *(f"a{number}" for number in range(20, 30)),
    ]
    assert balance(state, DAY) == (30, 1)


def test_a_figure_too_large_for_the_file_is_an_error_of_the_store_and_the_row_stays_open(
    state: SqliteState,
) -> None:
    assert granted(state, hold("a", charge(DAY, 5)))
    with pytest.raises(StoreError, match="can't hold"):
        do(state.ledger.settle("a", settlement(10**30)))
    assert balance(state, DAY) == (0, 5)
