"""Request rates and concurrency in a SQLite file."""

import sqlite3
from collections.abc import Mapping, Sequence
from math import inf

from router.adapters.accounts import limit_key
from router.adapters.sqlite_file import SqliteFile
from router.adapters.sqlite_rows import PUT_WINDOW, read_slide, slide_bytes
from router.decide.sliding import permit_wait_s, room, taken
from router.plan import Limit
from router.ports import LimitFull, Take


class SqliteLimiter:
    """A Limiter in a SqliteFile."""

    def __init__(self, file: SqliteFile) -> None:
        self._file = file

    @property
    def suspends(self) -> bool:
        return self._file.suspends

    async def admit(
        self, id: str, takes: Sequence[Take], *, now_s: float, lease_s: float
    ) -> LimitFull | None:
        def work(cursor: sqlite3.Cursor) -> LimitFull | None:
            cursor.execute("DELETE FROM permits WHERE id = ?", (id,))
            full = [each for take in takes if (each := _full(cursor, take, now_s)) is not None]
            if full:
                return max(full, key=lambda each: each.retry_after_s)
            for take in {limit_key(take.limit): take for take in takes}.values():
                _take(cursor, id, take, now_s, now_s + lease_s)
            return None

        return await self._file.step("limiter", work)

    async def renew(self, id: str, *, lease_until_s: float) -> None:
        change = "UPDATE permits SET until_s = ? WHERE id = ?"
        await self._file.step("limiter", lambda cursor: cursor.execute(change, (lease_until_s, id)), begin="")

    async def release(self, id: str) -> None:
        def work(cursor: sqlite3.Cursor) -> None:
            cursor.execute("DELETE FROM permits WHERE id = ?", (id,))

        await self._file.step("limiter", work, begin="", ending=True)

    async def used(self, limits: Sequence[Limit], *, now_s: float) -> Mapping[Limit, int]:
        def work(cursor: sqlite3.Cursor) -> Mapping[Limit, int]:
            return {limit: _used(cursor, limit, now_s) for limit in limits}

        return await self._file.step("limiter", work, begin="BEGIN")

    async def aclose(self) -> None:
        await self._file.aclose()


# --- Inside a step ----------------------------------------------------------------------------------------------------


def _used(cursor: sqlite3.Cursor, limit: Limit, now_s: float) -> int:
    if limit.unit == "concurrent_requests":
        return sum(amount for amount, _ in _live(cursor, limit, now_s))
    return room(read_slide(cursor, limit_key(limit)), limit.window_s, limit.at_most, 0, now_s=now_s).held


def _live(cursor: sqlite3.Cursor, limit: Limit, now_s: float) -> list[tuple[int, float]]:
    query = "SELECT amount, until_s FROM permits WHERE key = ? AND until_s > ?"
    return cursor.execute(query, (limit_key(limit), now_s)).fetchall()


def _full(cursor: sqlite3.Cursor, take: Take, now_s: float) -> LimitFull | None:
    limit = take.limit
    if limit.unit == "concurrent_requests":
        wait_s = permit_wait_s(_live(cursor, limit, now_s), limit.at_most, take.amount, now_s=now_s)
    else:
        slide = read_slide(cursor, limit_key(limit))
        wait_s = room(slide, limit.window_s, limit.at_most, take.amount, now_s=now_s).retry_after_s
    if wait_s == 0.0:
        return None
    return LimitFull(limit=limit, retry_after_s=inf if wait_s is None else wait_s)


def _take(cursor: sqlite3.Cursor, id: str, take: Take, now_s: float, until_s: float) -> None:
    limit, key = take.limit, limit_key(take.limit)
    if limit.unit == "concurrent_requests":
        cursor.execute("DELETE FROM permits WHERE key = ? AND until_s <= ?", (key, now_s))
        cursor.execute("INSERT INTO permits VALUES (?, ?, ?, ?)", (id, key, take.amount, until_s))
    else:
        found = room(read_slide(cursor, key), limit.window_s, limit.at_most, take.amount, now_s=now_s)
        cursor.execute(PUT_WINDOW, (key, slide_bytes(taken(found.slide, found.at, take.amount))))
