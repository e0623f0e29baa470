"""Rows and counters that leave a state file: what they summed up to stays in the balances."""

import sqlite3
from collections.abc import Mapping, Sequence

from router.adapters import accounts
from router.adapters.sqlite_acts import KEEP_LAST
from router.adapters.sqlite_rows import ending_from, parts_from
from router.ports import Row

ROWS_A_STEP = 200
COUNTERS_A_STEP = 500

SELECT = """
    SELECT seq, state, cost_nusd, usage, how, parts FROM attempts WHERE id = ? AND ended_at_s IS NOT NULL
"""
FORGET = """
    DELETE FROM counters WHERE name = (SELECT name FROM names WHERE key = ?)
    AND reserved = 0 AND settled + granted = moved
"""


def move_out(cursor: sqlite3.Cursor, rows: Sequence[Row]) -> int:
    """One step: remove those of `rows` that are still as they were read. Returns how many."""
    removed: list[int] = []
    moved: dict[int, int] = {}
    for row in rows:
        found = cursor.execute(SELECT, (row.id,)).fetchone()
        if found is not None and (found[1], found[4]) == (row.state, row.how):
            removed.append(found[0])
            for name, amount in _held(*found[1:]).items():
                moved[name] = moved.get(name, 0) + amount
    if removed:
        cursor.execute(KEEP_LAST, (max(removed),))
        cursor.executemany("DELETE FROM attempts WHERE seq = ?", [(seq,) for seq in removed])
        cursor.executemany(
            "UPDATE counters SET moved = moved + ? WHERE name = ?",
            [(amount, name) for name, amount in moved.items()],
        )
    return len(removed)


def _held(
    state: accounts.State, cost_nusd: int, usage: str | None, how: str | None, parts: str
) -> Mapping[int, int]:
    """What a row that has ended holds of each counter."""
    ending = ending_from(state, cost_nusd, usage, how)
    return {part.key: accounts.held(state, part.unit, part.needed, ending)[0] for part in parts_from(parts)}


def forget(cursor: sqlite3.Cursor, keys: Sequence[str]) -> int:
    """One step: drop those of the counters that no row holds anything of. Names stay: other processes know them."""
    before = cursor.connection.total_changes
    cursor.executemany(FORGET, [(key,) for key in keys])
    return cursor.connection.total_changes - before
