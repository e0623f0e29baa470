"""Health of keys and models in a SQLite file."""

import sqlite3
from collections.abc import Mapping, Sequence
from functools import partial

from router.adapters.accounts import counts_against, model_name
from router.adapters.sqlite_file import SqliteFile
from router.ports import KeyHealth, Outcome

Name = tuple[str, str]

FAIL = """
    INSERT INTO health VALUES (?, ?, 1, 0)
    ON CONFLICT (provider, name) DO UPDATE SET failures = failures + 1
"""
COOL = """
    INSERT INTO health VALUES (?, ?, 0, ?)
    ON CONFLICT (provider, name) DO UPDATE SET cooling_until_s = max(cooling_until_s, excluded.cooling_until_s)
"""


class SqliteHealth:
    """A Health in a SqliteFile. Names in good health have no row."""

    def __init__(self, file: SqliteFile) -> None:
        self._file = file

    @property
    def suspends(self) -> bool:
        return self._file.suspends

    async def read(self, names: Sequence[Name]) -> Mapping[Name, KeyHealth]:
        return await self._file.step("health", partial(_read, names=names), begin="") if names else {}

    async def note(self, outcome: Outcome) -> None:
        names = [model_name(outcome), *([] if outcome.key is None else [(outcome.provider, outcome.key)])]
        if outcome.kind is None:
            # Most answers come from keys in good health: reading first spares them the wait for the writer's turn.
            known = await self.read(names)
            if known:
                await self._file.step("health", partial(_clear, names=names))
        elif counts_against(outcome) or outcome.cooling_s > 0:
            await self._file.step("health", partial(_worsen, outcome=outcome))

    async def aclose(self) -> None:
        await self._file.aclose()


def _read(cursor: sqlite3.Cursor, *, names: Sequence[Name]) -> dict[Name, KeyHealth]:
    """One statement, so one consistent read without a transaction around it."""
    query = f"SELECT * FROM health WHERE {' OR '.join(['provider = ? AND name = ?'] * len(names))}"  # noqa: S608
    found = cursor.execute(query, [part for name in names for part in name]).fetchall()
    return {
        (provider, name): KeyHealth(failures=failures, cooling_until_s=until_s)
        for provider, name, failures, until_s in found
    }


def _clear(cursor: sqlite3.Cursor, *, names: Sequence[Name]) -> None:
    cursor.executemany("DELETE FROM health WHERE provider = ? AND name = ?", names)


def _worsen(cursor: sqlite3.Cursor, *, outcome: Outcome) -> None:
    if counts_against(outcome):
        cursor.execute(FAIL, model_name(outcome))
    if outcome.key is not None and outcome.cooling_s > 0:
        cursor.execute(COOL, (outcome.provider, outcome.key, outcome.now_s + outcome.cooling_s))
