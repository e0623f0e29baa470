"""Health of keys and targets in a SQLite file."""

import sqlite3
from collections.abc import Mapping, Sequence
from functools import partial
from math import inf
from typing import Any

from router.adapters.breaker_texts import breaker_of, text_of
from router.adapters.sqlite_file import SqliteFile
from router.decide.breaker import Breaker, Event, Turn, turned
from router.decide.judge import rested
from router.ports import Healths, KeyHealth, Name, Outcome

REST = """
    INSERT INTO key_health VALUES (?, ?, ?, ?)
    ON CONFLICT (provider, key) DO UPDATE SET cooling_until_s = excluded.cooling_until_s, rests = excluded.rests
"""
TURN = """
    INSERT INTO breakers VALUES (?, ?, ?)
    ON CONFLICT (provider, model) DO UPDATE SET state = excluded.state
"""
CLEAR = "DELETE FROM key_health WHERE provider = ? AND key = ?"


class SqliteHealth:
    """A Health in a SqliteFile. Keys in good health have no row, nor have targets that never failed."""

    def __init__(self, file: SqliteFile) -> None:
        self._file = file

    @property
    def suspends(self) -> bool:
        return self._file.suspends

    async def read(
        self, *, keys: Sequence[Name] = (), targets: Sequence[Name] = (), wait_s: float = inf
    ) -> Healths:
        if not keys and not targets:
            return Healths()
        return await self._file.step(
            "health", partial(_read, keys=keys, targets=targets), begin="", wait_s=wait_s
        )

    async def note(self, outcome: Outcome, *, wait_s: float = inf) -> Turn | None:
        """Most answers come from keys and targets in good health: reading first spares them the wait for the writer's
        turn."""
        if await self._changes(outcome):
            return await self._file.step("health", partial(_note, outcome=outcome), wait_s=wait_s)
        return None

    async def turn(self, target: Name, event: Event, *, wait_s: float = inf) -> Turn:
        return await self._file.step("health", partial(_turn, target=target, event=event), wait_s=wait_s)

    async def breakers(self) -> Mapping[Name, Breaker]:
        return await self._file.step("health", _breakers, begin="")

    async def aclose(self) -> None:
        await self._file.aclose()

    async def _changes(self, outcome: Outcome) -> bool:
        if outcome.rests:
            return True
        key = (outcome.provider, outcome.key or "")
        is_cleared = outcome.key is not None and outcome.kind is None
        known = await self.read(
            keys=[key] if is_cleared else [], targets=[outcome.target] if outcome.ended is not None else []
        )
        before = known.breakers.get(outcome.target, Breaker())
        return bool(known.keys) or (outcome.ended is not None and turned(before, outcome.ended) is not before)


def _read(cursor: sqlite3.Cursor, *, keys: Sequence[Name], targets: Sequence[Name]) -> Healths:
    """Each kind in one statement, without a transaction around it."""
    cooling = _rows(cursor, "key_health", "key", keys) if keys else []
    states = _rows(cursor, "breakers", "model", targets) if targets else []
    return Healths(
        keys={
            (provider, key): KeyHealth(cooling_until_s=until_s, rests=rests)
            for provider, key, until_s, rests in cooling
        },
        breakers={(provider, model): breaker_of(state) for provider, model, state in states},
    )


def _rows(cursor: sqlite3.Cursor, table: str, column: str, names: Sequence[Name]) -> list[tuple[Any, ...]]:
    condition = " OR ".join([f"provider = ? AND {column} = ?"] * len(names))
    query = f"SELECT * FROM {table} WHERE {condition}"  # noqa: S608 - names of ours
    found: list[tuple[Any, ...]] = cursor.execute(query, [part for name in names for part in name]).fetchall()
    return found


def _breakers(cursor: sqlite3.Cursor) -> Mapping[Name, Breaker]:
    found = cursor.execute("SELECT * FROM breakers").fetchall()
    return {(provider, model): breaker_of(state) for provider, model, state in found}


def _turn(cursor: sqlite3.Cursor, *, target: Name, event: Event) -> Turn:
    query = "SELECT state FROM breakers WHERE provider = ? AND model = ?"
    found = cursor.execute(query, target).fetchone()
    before = breaker_of(found[0] if found else None)
    after = turned(before, event)
    if after is not before:
        cursor.execute(TURN, (*target, text_of(after)))
    return Turn(before=before, after=after)


def _note(cursor: sqlite3.Cursor, *, outcome: Outcome) -> Turn | None:
    if outcome.key is not None and outcome.kind is None:
        cursor.execute(CLEAR, (outcome.provider, outcome.key))
    elif outcome.key is not None and outcome.rests:
        key = (outcome.provider, outcome.key)
        known = _read(cursor, keys=[key], targets=()).keys.get(key, KeyHealth(cooling_until_s=0.0))
        until_s, rests = rested(
            known.cooling_until_s, known.rests, named_s=outcome.named_s, now_s=outcome.now_s
        )
        cursor.execute(REST, (*key, until_s, rests))
    if outcome.ended is None:
        return None
    turn = _turn(cursor, target=outcome.target, event=outcome.ended)
    return None if turn.after is turn.before else turn
