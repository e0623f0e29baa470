"""Sliding windows in a state file: one row per bucket in which something was taken."""

import sqlite3
from collections.abc import Mapping, Sequence

from router.adapters.accounts import Taken, limit_key
from router.adapters.sqlite_names import known_number
from router.decide.sliding import BUCKETS, KEPT, MOST, Room, bucket_of, moved, room, slide_of
from router.plan import Sliding
from router.ports import Take

HELD = "(SELECT sum(amount) FROM buckets WHERE name = ? AND at >= ?), (SELECT max(at) FROM buckets WHERE name = ?)"
"""Two columns of a query: what a window holds for an event now, and its newest bucket. Its values: `held_values`."""

ADD = f"""
    INSERT INTO buckets VALUES (?, ?, ?)
    ON CONFLICT (name, at) DO UPDATE SET amount = min({MOST}, amount + excluded.amount)
"""  # noqa: S608
CORRECT = f"UPDATE buckets SET amount = max(0, min({MOST}, amount + ?)) WHERE name = ? AND at = ?"  # noqa: S608
FORGET = "DELETE FROM buckets WHERE name = ? AND (at <= ? OR at > ?)"


def held_values(name: int, take: Take, now_s: float) -> tuple[int, int, int]:
    return name, bucket_of(now_s, take.limit.window_s) - BUCKETS, name


def room_of(
    cursor: sqlite3.Cursor, name: int, take: Take, held: int | None, newest: int | None, now_s: float
) -> Room:
    """The Room for `take`, from the two columns of HELD; only what is full or odd is looked at bucket by bucket."""
    limit, at = take.limit, bucket_of(now_s, take.limit.window_s)
    held = held or 0
    in_step = newest is None or newest - BUCKETS <= at
    if in_step and (take.amount == 0 or held + take.amount <= limit.at_most):
        return Room(at, held, 0.0)
    counts = cursor.execute("SELECT at, amount FROM buckets WHERE name = ?", (name,)).fetchall()
    slide = moved(slide_of(counts), limit.window_s, now_s=now_s)
    return room(slide, limit.window_s, limit.at_most, take.amount, now_s=now_s)


def add(cursor: sqlite3.Cursor, taken: Sequence[Taken[int]], newest: Mapping[int, int | None]) -> None:
    """Count what was taken. With each new bucket those are forgotten that can't matter any more."""
    cursor.executemany(ADD, [(take.key, take.at, take.amount) for take in taken])
    for take in taken:
        last = newest[take.key]
        if last is not None and not last - BUCKETS <= take.at <= last:
            cursor.execute(FORGET, (take.key, take.at - KEPT, take.at))


def read_room(cursor: sqlite3.Cursor, name: int, take: Take, now_s: float) -> tuple[Room, int | None]:
    """A Room, and the newest bucket for `add`."""
    held, newest = cursor.execute(f"SELECT {HELD}", held_values(name, take, now_s)).fetchone()
    return room_of(cursor, name, take, held, newest, now_s), newest


def held_now(cursor: sqlite3.Cursor, limit: Sliding, now_s: float) -> int:
    """What a window holds, for whom it is only looked at."""
    name = known_number(cursor, limit_key(limit))
    return 0 if name is None else read_room(cursor, name, Take(limit=limit, amount=0), now_s)[0].held


def correct(cursor: sqlite3.Cursor, changes: Sequence[tuple[int, int, int]]) -> None:
    """Change counts by (by, name, at); a bucket that is forgotten stays so."""
    cursor.executemany(CORRECT, [(max(-MOST, min(by, MOST)), name, at) for by, name, at in changes])
