"""What people do to the ledger in a state file: grants, and the record of every act."""

import secrets
import sqlite3

from router.adapters import accounts
from router.adapters.act_texts import act_from, what_text
from router.ports import Act, ActKind, Balance, Counter, Note

LAST = """
    SELECT max(coalesce((SELECT max(seq) FROM attempts), 0), (SELECT value FROM meta WHERE name = 'refused_seq'))
"""
"""The highest number that was given out: rows that were moved out and acts leave theirs in `refused_seq`."""

KEEP_LAST = "UPDATE meta SET value = max(value, ?) WHERE name = 'refused_seq'"
GRANT = """
    INSERT INTO counters (name, settled, reserved, granted) VALUES (?, ?, 0, ?)
    ON CONFLICT (name) DO UPDATE SET settled = excluded.settled, granted = excluded.granted
"""


def grant(cursor: sqlite3.Cursor, name: int, counter: Counter, amount: int, note: Note) -> Balance:
    """Inside a step. Raises StoreError where a counter can't hold it."""
    found = cursor.execute(
        "SELECT settled, reserved, granted, moved FROM counters WHERE name = ?", (name,)
    ).fetchone()
    net, reserved, granted, moved = found or (0, 0, 0, 0)
    gross, after = net + granted, accounts.granted_after(granted, amount)
    if gross - after + reserved >= 2 * accounts.MOST:
        raise accounts.too_much(amount)
    cursor.execute(GRANT, (name, gross - after, after))
    add_act(cursor, "grant", note, what_text(amount=amount, counter=counter))
    return Balance(settled=gross, reserved=reserved, granted=after, moved=moved)


def add_act(cursor: sqlite3.Cursor, kind: ActKind, note: Note, what: str) -> None:
    seq = cursor.execute(LAST).fetchone()[0] + 1
    cursor.execute(KEEP_LAST, (seq,))
    cursor.execute(
        "INSERT INTO acts VALUES (?, ?, ?, ?, ?, ?)", (seq, note.at_s, note.who, note.why, kind, what)
    )


def acts(cursor: sqlite3.Cursor) -> list[Act]:
    found = cursor.execute("SELECT seq, at_s, who, why, kind, what FROM acts ORDER BY seq").fetchall()
    return [act_from(*values) for values in found]


def identity(cursor: sqlite3.Cursor) -> str:
    """A number drawn once for each file; copies of it keep it."""
    cursor.execute("INSERT OR IGNORE INTO meta VALUES ('identity', ?)", (secrets.randbits(62),))
    (found,) = cursor.execute("SELECT value FROM meta WHERE name = 'identity'").fetchone()
    return f"{found:016x}"
