"""Numbers that stand for counters and windows in a state file: rows stay small, and pages few."""

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from math import inf
from typing import TypeVar

from router.adapters.sqlite_file import SqliteFile

T = TypeVar("T")

MAX_KNOWN = 50_000


class SqliteNames:
    """The numbers of texts, remembered once they are committed. In one file a number never changes its meaning."""

    def __init__(self, file: SqliteFile) -> None:
        self._file = file
        self._known: dict[str, int] = {}
        self._opening = 0

    async def step(
        self,
        port: str,
        keys: Sequence[str],
        work: Callable[[sqlite3.Cursor, list[int]], T],
        *,
        wait_s: float = inf,
    ) -> T:
        """One atomic step of the file that is told the numbers of `keys`, made where there were none."""
        learned: dict[str, int] = {}

        def informed(cursor: sqlite3.Cursor) -> tuple[T, dict[str, int]]:
            known = self._current()
            learned.clear()  # a step that was busy runs again
            for key in keys:
                if key not in known and key not in learned:
                    learned[key] = _number(cursor, key)
            return work(cursor, [known[key] if key in known else learned[key] for key in keys]), known

        result, known = await self._file.step(port, informed, wait_s=wait_s)
        known.update(learned)
        return result

    def _current(self) -> dict[str, int]:
        """What is known of the file as it is open now: another one may have stood at its path before."""
        if self._opening != self._file.openings or len(self._known) > MAX_KNOWN:
            self._known, self._opening = {}, self._file.openings
        return self._known


def _number(cursor: sqlite3.Cursor, key: str) -> int:
    number = known_number(cursor, key)
    if number is None:
        cursor.execute("INSERT INTO names (key) VALUES (?)", (key,))
        number = cursor.lastrowid or 0
    return number


def known_number(cursor: sqlite3.Cursor, key: str) -> int | None:
    """None: never counted."""
    found = cursor.execute("SELECT name FROM names WHERE key = ?", (key,)).fetchone()
    return int(found[0]) if found else None


def keys_of(cursor: sqlite3.Cursor, numbers: Iterable[int]) -> dict[int, str]:
    query = "SELECT key FROM names WHERE name = ?"
    return {number: cursor.execute(query, (number,)).fetchone()[0] for number in set(numbers)}
