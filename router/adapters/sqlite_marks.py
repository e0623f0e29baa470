"""Which warnings were given, in a state file."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import NamedTuple

from router.adapters.accounts import watch_key
from router.adapters.sqlite_names import known_number
from router.adapters.sqlite_windows import held_now
from router.decide.warn import reached
from router.plan import Budget
from router.ports import Crossed, Watch

MARK = """
    INSERT INTO marks VALUES (?, ?, ?)
    ON CONFLICT (name, percent_milli) DO UPDATE SET until_s = excluded.until_s WHERE until_s <= ?
"""
FORGET = "DELETE FROM marks WHERE until_s <= ?"


class _Level(NamedTuple):
    """Under which number a counter or window is kept, and what it has come to."""

    name: int
    settled: int
    granted: int


def crossed(cursor: sqlite3.Cursor, watches: Sequence[Watch], *, now_s: float) -> tuple[Crossed, ...]:
    """Inside a step: what is reached and was not told; it is now."""
    if not watches:
        return ()
    of_counters = _counters(cursor, [watch_key(watch) for watch in watches])
    told = tuple(
        found
        for watch in watches
        if (level := of_counters.get(watch_key(watch)) or _window(cursor, watch, now_s)) is not None
        for found in _of(cursor, watch, level, now_s)
    )
    if told:
        cursor.execute(FORGET, (now_s,))
    return told


def _counters(cursor: sqlite3.Cursor, keys: Sequence[str]) -> Mapping[str, _Level]:
    found = cursor.execute(_levels_query(len(keys)), keys).fetchall()
    return {key: _Level(name, net + granted, granted) for key, name, net, granted in found}


def _window(cursor: sqlite3.Cursor, watch: Watch, now_s: float) -> _Level | None:
    """Of a rolling budget; None for what was never counted."""
    name = known_number(cursor, watch_key(watch))
    if name is None or not isinstance(watch.of, Budget):
        return None
    return _Level(name, held_now(cursor, watch.of, now_s), 0)


def _of(cursor: sqlite3.Cursor, watch: Watch, level: _Level, now_s: float) -> Iterator[Crossed]:
    for share in reached(watch.warn_at, level.settled, watch.amount + level.granted):
        cursor.execute(MARK, (level.name, share, watch.until_s, now_s))
        if cursor.rowcount:
            yield Crossed(watch=watch, share=share, settled=level.settled, granted=level.granted)


@cache
def _levels_query(keys: int) -> str:
    marks = ", ".join("?" * keys)
    return f"SELECT key, name, settled, granted FROM counters JOIN names USING (name) WHERE key IN ({marks})"  # noqa: S608
