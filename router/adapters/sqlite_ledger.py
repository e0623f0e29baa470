"""Reservations in a SQLite file: one row per attempt, and counters that are always the sum of the rows."""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from math import inf
from typing import NamedTuple

from router.adapters import accounts, sqlite_acts, sqlite_marks, sqlite_moving, sqlite_windows
from router.adapters.accounts import (
    LAPSED,
    LAPSES_A_STEP,
    LAPSES_AN_OPENING,
    Part,
    State,
    Taken,
    counter_key,
    in_steps,
    limit_key,
)
from router.adapters.act_texts import what_text
from router.adapters.sqlite_file import SqliteFile
from router.adapters.sqlite_names import SqliteNames, keys_of
from router.adapters.sqlite_rows import (
    INSERT,
    SELECT_ROW,
    SELECT_ROWS,
    attempt_values,
    ending_from,
    parts_from,
    row_from,
    takes_from,
    usage_text,
)
from router.decide.sliding import Room
from router.plan import Budget
from router.ports import Act, Balance, Counter, Crossed, Granted, Hold, Note, Refused, Row, Settlement, Watch

ROWS_A_STEP = 1000
RECONCILED_A_STEP = 64

SELECT_ATTEMPT = "SELECT seq, id, state, worst_nusd, parts, takes, cost_nusd, usage, how FROM attempts WHERE"
SELECT_LAPSED = (
    f"{SELECT_ATTEMPT} ended_at_s IS NULL AND lease_until_s <= ? ORDER BY lease_until_s, id LIMIT ?"
)
ANY_LAPSED = "SELECT 1 FROM attempts WHERE ended_at_s IS NULL AND lease_until_s <= ? LIMIT 1"
SELECT_BALANCES = "SELECT key, settled, reserved, granted, moved FROM counters JOIN names USING (name)"
ADD_RESERVED = """
    INSERT INTO counters (name, settled, reserved) VALUES (?, 0, ?)
    ON CONFLICT (name) DO UPDATE SET reserved = reserved + excluded.reserved
"""
CHANGE_COUNTER = f"""
    INSERT INTO counters (settled, reserved, name) VALUES (?1, ?2, ?3)
    ON CONFLICT (name) DO UPDATE SET
        settled = CASE WHEN ?1 + ?2 <= 0 OR settled + ?1 + (reserved + ?2) <= {accounts.MOST} THEN settled + ?1 END,
        reserved = reserved + ?2
"""  # noqa: S608
"""NULL, which the column refuses, for more than may be held: SQLite would go on with a rounded number."""
END_ATTEMPT = """
    UPDATE attempts SET state = ?, cost_nusd = ?, usage = ?, how = ?, kind = ?, ended_at_s = ?, ended_seq = ?
    WHERE seq = ?
"""
NEXT_SEQ = """
    UPDATE meta SET value = max(value, (SELECT ifnull(max(seq), 0) FROM attempts)) + 1 WHERE name = 'refused_seq'
"""
LAST_SEQ = "SELECT value FROM meta WHERE name = 'refused_seq'"


class SqliteLedger:
    """A Ledger in a SqliteFile."""

    def __init__(self, file: SqliteFile, names: SqliteNames) -> None:
        self._file = file
        self._names = names

    @property
    def suspends(self) -> bool:
        return self._file.suspends

    async def reserve(self, hold: Hold, *, wait_s: float = inf) -> Granted | Refused:
        counters = [counter_key(charge.counter) for charge in hold.charges]
        windows = [limit_key(take.limit) for take in hold.takes]

        def work(cursor: sqlite3.Cursor, numbers: list[int]) -> Granted | Refused:
            return _reserve(cursor, hold, _Names(numbers[: len(counters)], numbers[len(counters) :]))

        return await self._names.step("ledger", counters + windows, work, wait_s=wait_s)

    async def mark_sent(self, id: str, *, now_s: float, wait_s: float = inf) -> None:
        def work(cursor: sqlite3.Cursor) -> None:
            cursor.execute(
                "UPDATE attempts SET state = 'sent' WHERE id = ? AND state IN ('reserved', 'sent')", (id,)
            )
            if cursor.rowcount == 0:
                raise accounts.ended_before_sent(id, _attempt(cursor, id).state)

        await self._file.step("ledger", work, begin="", wait_s=wait_s)

    async def renew(self, id: str, *, lease_until_s: float, wait_s: float = inf) -> None:
        change = (
            "UPDATE attempts SET lease_until_s = max(lease_until_s, ?) WHERE id = ? AND ended_at_s IS NULL"
        )
        await self._file.step(
            "ledger", lambda cursor: cursor.execute(change, (lease_until_s, id)), begin="", wait_s=wait_s
        )

    async def settle(
        self, id: str, settlement: Settlement, watches: Sequence[Watch] = (), *, wait_s: float = inf
    ) -> Sequence[Crossed]:
        def work(cursor: sqlite3.Cursor) -> Sequence[Crossed]:
            attempt = _attempt(cursor, id)
            if accounts.may_settle(attempt.state, attempt.how, settlement):
                _end(cursor, attempt, "settled", settlement.now_s, settlement)
            return sqlite_marks.crossed(cursor, watches, now_s=settlement.now_s)

        return await self._file.step("ledger", work, ending=True, wait_s=wait_s)

    async def correct(self, id: str, settlement: Settlement, note: Note) -> bool:
        def work(cursor: sqlite3.Cursor) -> bool:
            attempt = _attempt(cursor, id)
            worst = accounts.at_worst_case(attempt.state, attempt.how)
            if worst:
                _end(cursor, attempt, "settled", settlement.now_s, settlement)
                what = what_text(amount=settlement.cost_nusd, row=id, before=attempt.cost_nusd)
                sqlite_acts.add_act(cursor, "settle", note, what)
            return worst

        return await self._file.step("ledger", work, ending=True)

    async def release(self, id: str, *, now_s: float, wait_s: float = inf) -> None:
        def work(cursor: sqlite3.Cursor) -> None:
            found = cursor.execute(f"{SELECT_ATTEMPT} id = ? AND state = 'reserved'", (id,)).fetchone()
            if found is not None:
                _end(cursor, _Attempt(*found), "released", now_s)

        await self._file.step("ledger", work, ending=True, wait_s=wait_s)

    async def reconcile(self, *, now_s: float) -> int:
        resolved = count = RECONCILED_A_STEP
        while count == RECONCILED_A_STEP:
            count = await self._file.step("ledger", lambda cursor: _lapse(cursor, now_s, RECONCILED_A_STEP))
            resolved += count
        return resolved - RECONCILED_A_STEP

    async def balances(
        self, counters: Sequence[Counter], *, wait_s: float = inf
    ) -> Mapping[Counter, Balance]:
        keys = [counter_key(counter) for counter in counters]
        found = await self._file.step("ledger", partial(_balances, keys=keys), begin="", wait_s=wait_s)
        return {counter: found.get(key, Balance()) for counter, key in zip(counters, keys, strict=True)}

    async def held(
        self, budgets: Sequence[Budget], *, now_s: float, wait_s: float = inf
    ) -> Mapping[Budget, int]:
        def work(cursor: sqlite3.Cursor) -> Mapping[Budget, int]:
            return {budget: sqlite_windows.held_now(cursor, budget, now_s) for budget in budgets}

        return await self._file.step("ledger", work, begin="BEGIN", wait_s=wait_s)

    async def identity(self) -> str:
        return await self._file.step("ledger", sqlite_acts.identity)

    async def all_balances(self) -> Mapping[Counter, Balance]:
        def work(cursor: sqlite3.Cursor) -> Mapping[Counter, Balance]:
            found = cursor.execute(SELECT_BALANCES).fetchall()
            return {accounts.counter_of(key): _balance(*values) for key, *values in found}

        return await self._file.step("ledger", work, begin="")

    async def rows(self, *, since_s: float = 0.0, after: int = 0, limit: int | None = None) -> Sequence[Row]:
        rows: list[Row] = []
        last = after
        while limit is None or len(rows) < limit:
            wanted = ROWS_A_STEP if limit is None else min(ROWS_A_STEP, limit - len(rows))
            found = await self._file.step(
                "ledger", partial(_rows, query=SELECT_ROWS, values=(last, since_s, wanted)), begin="BEGIN"
            )
            rows += found
            if len(found) < wanted:
                break
            last = rows[-1].seq
        return rows

    async def row(self, id: str) -> Row | None:
        found = await self._file.step("ledger", partial(_rows, query=SELECT_ROW, values=(id,)), begin="BEGIN")
        return found[0] if found else None

    async def grant(self, counter: Counter, amount: int, note: Note) -> Balance:
        def work(cursor: sqlite3.Cursor, numbers: list[int]) -> Balance:
            return sqlite_acts.grant(cursor, numbers[0], counter, amount, note)

        return await self._names.step("ledger", [counter_key(counter)], work)

    async def acts(self) -> Sequence[Act]:
        return await self._file.step("ledger", sqlite_acts.acts, begin="")

    async def move_out(self, rows: Sequence[Row]) -> int:
        steps = in_steps(rows, sqlite_moving.ROWS_A_STEP)
        return sum(
            [await self._file.step("ledger", partial(sqlite_moving.move_out, rows=each)) for each in steps]
        )

    async def forget(self, counters: Sequence[Counter]) -> int:
        steps = in_steps([counter_key(each) for each in counters], sqlite_moving.COUNTERS_A_STEP)
        return sum(
            [await self._file.step("ledger", partial(sqlite_moving.forget, keys=each)) for each in steps]
        )

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
    id: str
    state: State
    worst_nusd: int
    parts: str
    takes: str
    cost_nusd: int
    usage: str | None
    how: str | None


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
    verdict = accounts.verdict(hold, found.seq, found.used, rooms)
    if isinstance(verdict, Refused):
        cursor.execute("UPDATE meta SET value = ? WHERE name = 'refused_seq'", (found.seq,))
    else:
        _begin(cursor, hold, names, found, rooms)
    return verdict


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
    """Move what the row holds from where it stands to what it ends as, in the windows it began in. Raises StoreError
    for an ending that can't be held."""
    if ending is not None:
        accounts.check_cost(attempt.id, ending)
    cost_nusd = accounts.row_cost_nusd(state, attempt.worst_nusd, ending)
    how = (usage_text(ending.usage), ending.how, ending.kind) if ending else (None, None, None)
    known = ending_from(attempt.state, attempt.cost_nusd, attempt.usage, attempt.how)
    cursor.execute(NEXT_SEQ)
    (ended_seq,) = cursor.execute(LAST_SEQ).fetchone()
    cursor.execute(END_ATTEMPT, (state, cost_nusd, *how, now_s, ended_seq, attempt.seq))
    changes = [
        (*accounts.change(part, attempt.state, state, ending, known), part.key)
        for part in parts_from(attempt.parts)
    ]
    try:
        cursor.executemany(CHANGE_COUNTER, changes)
    except (sqlite3.IntegrityError, OverflowError):
        raise accounts.too_costly(attempt.id, ending) from None
    corrections = (
        (accounts.in_window(take, state, ending) - accounts.in_window(take, attempt.state, known), take)
        for take in takes_from(attempt.takes)
    )
    sqlite_windows.correct(cursor, [(by, take.key, take.at) for by, take in corrections if by])


def _lapse(cursor: sqlite3.Cursor, now_s: float, at_most: int) -> int:
    found = cursor.execute(SELECT_LAPSED, (now_s, at_most)).fetchall()
    for values in found:
        attempt = _Attempt(*values)
        _end(cursor, attempt, LAPSED[attempt.state], now_s)
    return len(found)


def lapsed_at_opening(cursor: sqlite3.Cursor, now_s: float) -> Callable[[sqlite3.Cursor], int] | None:
    """What an opening of the file is to resolve; None where no lease has lapsed."""
    if cursor.execute(ANY_LAPSED, (now_s,)).fetchone() is None:
        return None
    return partial(_lapse, now_s=now_s, at_most=LAPSES_AN_OPENING)


def _balance(net: int, reserved: int, granted: int, moved: int) -> Balance:
    """What reservations look at is net of grants, so that they need not know of them."""
    return Balance(settled=net + granted, reserved=reserved, granted=granted, moved=moved)


def _balances(cursor: sqlite3.Cursor, *, keys: Sequence[str]) -> dict[str, Balance]:
    """One statement, so one consistent read without a transaction around it."""
    found = cursor.execute(_balances_query(len(keys)), keys).fetchall()
    return {key: _balance(*values) for key, *values in found}


@cache
def _balances_query(keys: int) -> str:
    return f"{SELECT_BALANCES} WHERE key IN ({', '.join('?' * keys)})"


def _rows(cursor: sqlite3.Cursor, *, query: str, values: tuple[object, ...]) -> list[Row]:
    found = cursor.execute(query, values)
    columns = [column[0] for column in found.description]
    lines = [dict(zip(columns, values, strict=True)) for values in found.fetchall()]
    parts = [parts_from(line["parts"]) for line in lines]
    takes = [takes_from(line["takes"]) for line in lines]
    numbers = {part.key for each in parts for part in each}
    keys = keys_of(cursor, numbers | {take.key for each in takes for take in each})
    counters = {number: accounts.counter_of(keys[number]) for number in numbers}
    named = [[Part(counters[part.key], part.unit, part.needed) for part in each] for each in parts]
    taken = [[Taken(keys[take.key], *take[1:]) for take in each] for each in takes]
    return [row_from(line, own, took) for line, own, took in zip(lines, named, taken, strict=True)]
