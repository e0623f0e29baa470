"""Numbers that stand for counters and windows in a state file: rows stay small, and pages few."""

import sqlite3
from collections.abc import Iterable, Sequence
from functools import partial

from router.adapters.sqlite_file import SqliteFile

MAX_KNOWN = 50_000

NUMBER = "SELECT name FROM names WHERE key = ?"


class SqliteNames:
    """The numbers of texts, remembered once they are committed. A number never changes its meaning."""

    def __init__(self, file: SqliteFile) -> None:
        self._file = file
        self._known: dict[str, int] = {}
        self._opening = 0

    async def numbers(self, port: str, keys: Sequence[str]) -> list[int]:
        """One number per key, made where there was none."""
        if self._opening != self._file.openings or len(self._known) > MAX_KNOWN:
            self._known = {}  # another file may stand at this path by now
        if not self._known.keys() >= set(keys):
            return await self._learn(port, keys)
        return [self._known[key] for key in keys]

    async def _learn(self, port: str, keys: Sequence[str]) -> list[int]:
        found = await self._file.step(port, partial(_number, keys=keys))
        self._opening = self._file.openings
        self._known.update(zip(keys, found, strict=True))
        return found


def _number(cursor: sqlite3.Cursor, *, keys: Sequence[str]) -> list[int]:
    cursor.executemany("INSERT OR IGNORE INTO names (key) VALUES (?)", [(key,) for key in keys])
    return [cursor.execute(NUMBER, (key,)).fetchone()[0] for key in keys]


def known_number(cursor: sqlite3.Cursor, key: str) -> int | None:
    """None: never counted."""
    found = cursor.execute(NUMBER, (key,)).fetchone()
    return int(found[0]) if found else None


def keys_of(cursor: sqlite3.Cursor, numbers: Iterable[int]) -> dict[int, str]:
    query = "SELECT key FROM names WHERE name = ?"
    return {number: cursor.execute(query, (number,)).fetchone()[0] for number in set(numbers)}
