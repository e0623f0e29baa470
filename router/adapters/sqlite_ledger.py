"""Reservations in a SQLite file: one row per attempt, and counters that are always the sum of the rows."""

import sqlite3
from collections.abc import Mapping, Sequence
from functools import cache, partial
from typing import NamedTuple

from router.adapters import accounts, sqlite_windows
from router.adapters.accounts import LAPSED, LAPSES_A_STEP, UNSETTLED, Part, State, counter_key, limit_key
from router.adapters.sqlite_file import SqliteFile
from router.adapters.sqlite_names import SqliteNames, keys_of
from router.adapters.sqlite_rows import (
    INSERT,
    SELECT_ROWS,
    attempt_values,
    parts_from,
    row_from,
    takes_from,
    usage_text,
)
from router.decide.sliding import Room
from router.ports import Balance, Counter, Granted, Hold, Refused, Row, Settlement

ROWS_A_STEP = 1000
RECONCILED_A_STEP = 64

SELECT_ATTEMPT = "SELECT seq, state, worst_nusd, parts, takes FROM attempts WHERE"
SELECT_LAPSED = f"{SELECT_ATTEMPT} ended_at_s IS NULL AND lease_until_s <= ? ORDER BY lease_until_s LIMIT ?"
ADD_RESERVED = """
    INSERT INTO counters (name, settled, reserved) VALUES (?, 0, ?)
    ON CONFLICT (name) DO UPDATE SET reserved = reserved + excluded.reserved
"""
CHANGE_COUNTER = "UPDATE counters SET settled = settled + ?, reserved = reserved + ? WHERE name = ?"
END_ATTEMPT = """
    UPDATE attempts SET state = ?, cost_nusd = ?, usage = ?, how = ?, kind = ?, ended_at_s = ? WHERE seq = ?
"""


class SqliteLedger:
    """A Ledger in a SqliteFile."""

    def __init__(self, file: SqliteFile, names: SqliteNames) -> None:
        self._file = file
        self._names = names

    @property
    def suspends(self) -> bool:
        return self._file.suspends

    async def reserve(self, hold: Hold) -> Granted | Refused:
        counters = [counter_key(charge.counter) for charge in hold.charges]
        windows = [limit_key(take.limit) for take in hold.takes]

        def work(cursor: sqlite3.Cursor, numbers: list[int]) -> Granted | Refused:
            return _reserve(cursor, hold, _Names(numbers[: len(counters)], numbers[len(counters) :]))

        return await self._names.step("ledger", counters + windows, work)

    async def mark_sent(self, id: str, *, now_s: float) -> None:
        def work(cursor: sqlite3.Cursor) -> None:
            cursor.execute(
                "UPDATE attempts SET state = 'sent' WHERE id = ? AND state IN ('reserved', 'sent')", (id,)
            )
            if cursor.rowcount == 0:
                raise accounts.ended_before_sent(id, _attempt(cursor, id).state)

        await self._file.step("ledger", work, begin="")

    async def renew(self, id: str, *, lease_until_s: float) -> None:
        change = (
            "UPDATE attempts SET lease_until_s = max(lease_until_s, ?) WHERE id = ? AND ended_at_s IS NULL"
        )
        await self._file.step("ledger", lambda cursor: cursor.execute(change, (lease_until_s, id)), begin="")

    async def settle(self, id: str, settlement: Settlement) -> None:
        def work(cursor: sqlite3.Cursor) -> None:
            attempt = _attempt(cursor, id)
            if attempt.state in UNSETTLED:
                _end(cursor, attempt, "settled", settlement.now_s, settlement)

        await self._file.step("ledger", work, ending=True)

    async def release(self, id: str, *, now_s: float) -> None:
        def work(cursor: sqlite3.Cursor) -> None:
            found = cursor.execute(f"{SELECT_ATTEMPT} id = ? AND state = 'reserved'", (id,)).fetchone()
            if found is not None:
                _end(cursor, _Attempt(*found), "released", now_s)

        await self._file.step("ledger", work, ending=True)

    async def reconcile(self, *, now_s: float) -> int:
        resolved = count = RECONCILED_A_STEP
        while count == RECONCILED_A_STEP:
            count = await self._file.step("ledger", lambda cursor: _lapse(cursor, now_s, RECONCILED_A_STEP))
            resolved += count
        return resolved - RECONCILED_A_STEP

    async def balances(self, counters: Sequence[Counter]) -> Mapping[Counter, Balance]:
        keys = [counter_key(counter) for counter in counters]
        found = await self._file.step("ledger", partial(_balances, keys=keys), begin="")
        return {counter: found.get(key, Balance()) for counter, key in zip(counters, keys, strict=True)}

    async def all_balances(self) -> Mapping[Counter, Balance]:
        def work(cursor: sqlite3.Cursor) -> Mapping[Counter, Balance]:
            found = cursor.execute("SELECT key, settled, reserved FROM spend").fetchall()
            return {
                accounts.counter_of(key): Balance(settled=settled, reserved=reserved)
                for key, settled, reserved in found
            }

        return await self._file.step("ledger", work, begin="")

    async def rows(self, *, since_s: float = 0.0, limit: int | None = None) -> Sequence[Row]:
        rows: list[Row] = []
        last = 0
        while limit is None or len(rows) < limit:
            wanted = ROWS_A_STEP if limit is None else min(ROWS_A_STEP, limit - len(rows))
            found = await self._file.step(
                "ledger", partial(_rows, after=last, since_s=since_s, limit=wanted), begin="BEGIN"
            )
            rows += found
            if len(found) < wanted:
                break
            last = rows[-1].seq
        return rows

    async def aclose(self) -> None:
        await self._file.aclose()


# --- Inside a step ----------------------------------------------------------------------------------------------------


class _Names(NamedTuple):
    """The numbers of a hold's counters and windows, in the order of its charges and takes."""

    counters: list[int]
    windows: list[int]


class _Found(NamedTuple):
    """Everything that decides about a reservation, from one query. `windows` are pairs of the columns of HELD."""

    lapsed: int | None
    seq: int
    used: list[int]
    windows: list[tuple[int | None, int | None]]


class _Attempt(NamedTuple):
    """What is needed to end a row."""

    seq: int
    state: State
    worst_nusd: int
    parts: str
    takes: str


def _attempt(cursor: sqlite3.Cursor, id: str) -> _Attempt:
    found = cursor.execute(f"{SELECT_ATTEMPT} id = ?", (id,)).fetchone()
    if found is None:
        raise accounts.unknown_row(id)
    return _Attempt(*found)


def _reserve(cursor: sqlite3.Cursor, hold: Hold, names: _Names) -> Granted | Refused:
    found = _read(cursor, hold, names)
    if found.lapsed is not None:
        _lapse(cursor, hold.now_s, LAPSES_A_STEP)
        found = _read(cursor, hold, names)
    rooms = [
        sqlite_windows.room_of(cursor, name, take, *held, hold.now_s)
        for name, take, held in zip(names.windows, hold.takes, found.windows, strict=True)
    ]
    short = accounts.shortfalls(hold, found.used, rooms)
    if short:
        cursor.execute("UPDATE meta SET value = ? WHERE name = 'refused_seq'", (found.seq,))
        return Refused(seq=found.seq, shortfalls=short)
    _begin(cursor, hold, names, found, rooms)
    return Granted(seq=found.seq)


def _read(cursor: sqlite3.Cursor, hold: Hold, names: _Names) -> _Found:
    values: list[float] = [hold.now_s, *names.counters]
    for name, take in zip(names.windows, hold.takes, strict=True):
        values += sqlite_windows.held_values(name, take, hold.now_s)
    charges = len(names.counters)
    lapsed, granted, refused, *rest = cursor.execute(
        _read_query(charges, len(names.windows)), values
    ).fetchone()
    return _Found(
        lapsed,
        max(granted or 0, refused) + 1,
        [used or 0 for used in rest[:charges]],
        list(zip(rest[charges::2], rest[charges + 1 :: 2], strict=True)),
    )


@cache
def _read_query(charges: int, takes: int) -> str:
    columns = (
        "(SELECT seq FROM attempts WHERE ended_at_s IS NULL AND lease_until_s <= ? LIMIT 1)",
        "(SELECT max(seq) FROM attempts)",
        "(SELECT value FROM meta WHERE name = 'refused_seq')",
        *["(SELECT settled + reserved FROM counters WHERE name = ?)"] * charges,
        *[sqlite_windows.HELD] * takes,
    )
    return f"SELECT {', '.join(columns)}"


def _begin(cursor: sqlite3.Cursor, hold: Hold, names: _Names, found: _Found, rooms: Sequence[Room]) -> None:
    parts = accounts.parts_of(names.counters, hold.charges)
    takes = accounts.takes_of(names.windows, hold.takes, rooms)
    try:
        cursor.execute(INSERT, attempt_values(hold, found.seq, parts, takes))
    except sqlite3.IntegrityError:
        raise accounts.known_row(hold.id) from None
    cursor.executemany(ADD_RESERVED, [(part.key, part.needed) for part in parts])
    newest = {name: newest for name, (_, newest) in zip(names.windows, found.windows, strict=True)}
    sqlite_windows.add(cursor, takes, newest)


def _end(
    cursor: sqlite3.Cursor, attempt: _Attempt, state: State, now_s: float, ending: Settlement | None = None
) -> None:
    """Move what the row holds from where it stands to what it ends as, in the windows it began in."""
    cost_nusd = accounts.row_cost_nusd(state, attempt.worst_nusd, ending)
    how = (usage_text(ending.usage), ending.how, ending.kind) if ending else (None, None, None)
    cursor.execute(END_ATTEMPT, (state, cost_nusd, *how, now_s, attempt.seq))
    cursor.executemany(
        CHANGE_COUNTER,
        [
            (*accounts.change(part, attempt.state, state, ending), part.key)
            for part in parts_from(attempt.parts)
        ],
    )
    changes = (
        (accounts.in_window(take, state, ending) - take.amount, take) for take in takes_from(attempt.takes)
    )
    sqlite_windows.correct(cursor, [(by, take.key, take.at) for by, take in changes if by])


def _lapse(cursor: sqlite3.Cursor, now_s: float, at_most: int) -> int:
    found = cursor.execute(SELECT_LAPSED, (now_s, at_most)).fetchall()
    for values in found:
        attempt = _Attempt(*values)
        _end(cursor, attempt, LAPSED[attempt.state], now_s)
    return len(found)


def _balances(cursor: sqlite3.Cursor, *, keys: Sequence[str]) -> dict[str, Balance]:
    """One statement, so one consistent read without a transaction around it."""
    found = cursor.execute(_balances_query(len(keys)), keys).fetchall()
    return {key: Balance(settled=settled, reserved=reserved) for key, settled, reserved in found}


@cache
def _balances_query(keys: int) -> str:
    marks = ", ".join("?" * keys)
    return f"SELECT key, settled, reserved FROM counters JOIN names USING (name) WHERE key IN ({marks})"  # noqa: S608


def _rows(cursor: sqlite3.Cursor, *, after: int, since_s: float, limit: int) -> list[Row]:
    found = cursor.execute(SELECT_ROWS, (after, since_s, limit))
    columns = [column[0] for column in found.description]
    lines = [dict(zip(columns, values, strict=True)) for values in found.fetchall()]
    parts = [parts_from(line["parts"]) for line in lines]
    keys = keys_of(cursor, {part.key for each in parts for part in each})
    counters = {number: accounts.counter_of(key) for number, key in keys.items()}
    named = [[Part(counters[part.key], part.unit, part.needed) for part in each] for each in parts]
    return [row_from(line, each) for line, each in zip(lines, named, strict=True)]
