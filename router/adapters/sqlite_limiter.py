"""Request rates and concurrency in a SQLite file."""

import sqlite3
from collections.abc import Mapping, Sequence
from math import inf
from typing import NamedTuple

from router.adapters import accounts, sqlite_windows
from router.adapters.accounts import Taken, limit_key
from router.adapters.sqlite_file import SqliteFile
from router.adapters.sqlite_names import SqliteNames, known_number
from router.decide.sliding import permit_wait_s
from router.plan import Limit
from router.ports import Admission, Take

COUNT = "INSERT INTO meta VALUES ('admission_seq', 1) ON CONFLICT (name) DO UPDATE SET value = value + 1"


class SqliteLimiter:
    """A Limiter in a SqliteFile."""

    def __init__(self, file: SqliteFile, names: SqliteNames) -> None:
        self._file = file
        self._names = names

    @property
    def suspends(self) -> bool:
        return self._file.suspends

    async def admit(
        self, id: str, takes: Sequence[Take], *, now_s: float, lease_s: float, wait_s: float = inf
    ) -> Admission:
        keys = [limit_key(take.limit) for take in takes]

        def work(cursor: sqlite3.Cursor, numbers: list[int]) -> Admission:
            return _admit(cursor, id, list(zip(numbers, takes, strict=True)), now_s, now_s + lease_s)

        return await self._names.step("limiter", keys, work, wait_s=wait_s)

    async def renew(self, id: str, *, lease_until_s: float, wait_s: float = inf) -> None:
        change = "UPDATE permits SET until_s = max(until_s, ?) WHERE id = ?"
        await self._file.step(
            "limiter", lambda cursor: cursor.execute(change, (lease_until_s, id)), begin="", wait_s=wait_s
        )

    async def release(self, id: str, *, wait_s: float = inf) -> None:
        def work(cursor: sqlite3.Cursor) -> None:
            cursor.execute("DELETE FROM permits WHERE id = ?", (id,))

        await self._file.step("limiter", work, begin="", ending=True, wait_s=wait_s)

    async def used(self, limits: Sequence[Limit], *, now_s: float) -> Mapping[Limit, int]:
        def work(cursor: sqlite3.Cursor) -> Mapping[Limit, int]:
            return {limit: _used(cursor, limit, now_s) for limit in limits}

        return await self._file.step("limiter", work, begin="BEGIN")

    async def aclose(self) -> None:
        await self._file.aclose()


# --- Inside a step ----------------------------------------------------------------------------------------------------


class _Room(NamedTuple):
    """What a limit has for a take. `at` and `newest` are for `sqlite_windows.add`."""

    retry_after_s: float | None
    at: int = 0
    newest: int | None = None


def _admit(
    cursor: sqlite3.Cursor, id: str, takes: Sequence[tuple[int, Take]], now_s: float, until_s: float
) -> Admission:
    rooms = [_room(cursor, id, name, take, now_s) for name, take in takes]
    waits = ((take.limit, room.retry_after_s) for (_, take), room in zip(takes, rooms, strict=True))
    admission = accounts.admission(_number(cursor), waits)
    if admission.full is not None:
        return admission
    once = {name: (take, room) for (name, take), room in zip(takes, rooms, strict=True)}
    rates: list[Taken[int]] = []
    for name, (take, room) in once.items():
        if _is_permit(take):
            _permit(cursor, id, name, take.amount, now_s, until_s)
        else:
            rates.append(Taken(name, take.limit.unit, room.at, take.amount))
    sqlite_windows.add(cursor, rates, {name: room.newest for name, (_, room) in once.items()})
    return admission


def _number(cursor: sqlite3.Cursor) -> int:
    """Of this admission or refusal: they only rise."""
    cursor.execute(COUNT)
    return int(cursor.execute("SELECT value FROM meta WHERE name = 'admission_seq'").fetchone()[0])


def _permit(cursor: sqlite3.Cursor, id: str, name: int, amount: int, now_s: float, until_s: float) -> None:
    cursor.execute("DELETE FROM permits WHERE name = ? AND until_s <= ?", (name, now_s))
    cursor.execute("INSERT OR REPLACE INTO permits VALUES (?, ?, ?, ?)", (id, name, amount, until_s))


def _is_permit(take: Take) -> bool:
    return take.limit.unit == "concurrent_requests"


def _room(cursor: sqlite3.Cursor, id: str, name: int, take: Take, now_s: float) -> _Room:
    if _is_permit(take):
        others = _live(cursor, name, now_s, besides=id)
        return _Room(permit_wait_s(others, take.limit.at_most, take.amount, now_s=now_s))
    room, newest = sqlite_windows.read_room(cursor, name, take, now_s)
    return _Room(room.retry_after_s, room.at, newest)


def _live(cursor: sqlite3.Cursor, name: int, now_s: float, *, besides: str = "") -> list[tuple[int, float]]:
    query = "SELECT amount, until_s FROM permits WHERE name = ? AND until_s > ? AND id <> ?"
    return cursor.execute(query, (name, now_s, besides)).fetchall()


def _used(cursor: sqlite3.Cursor, limit: Limit, now_s: float) -> int:
    if limit.unit != "concurrent_requests":
        return sqlite_windows.held_now(cursor, limit, now_s)
    name = known_number(cursor, limit_key(limit))
    return 0 if name is None else sum(amount for amount, _ in _live(cursor, name, now_s))
