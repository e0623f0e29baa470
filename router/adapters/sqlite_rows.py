"""How attempts and windows are written in a state file, and read from it."""

import json
import sqlite3
from array import array
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from router.adapters import accounts
from router.adapters.accounts import Part, State, Taken
from router.decide.sliding import KEPT, Slide
from router.ports import Hold, Row, Settlement
from router.values import Usage

USAGE_FIELDS = tuple(field.name for field in fields(Usage) if field.name != "reported")

INSERT = "INSERT INTO attempts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
SELECT_ROWS = "SELECT * FROM attempts WHERE seq > ? AND reserved_at_s >= ? ORDER BY seq LIMIT ?"
PUT_WINDOW = "INSERT INTO windows VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET slide = excluded.slide"

_to_json = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


def attempt_values(hold: Hold, seq: int, parts: Sequence[Part], takes: Sequence[Taken]) -> tuple[object, ...]:
    """The values of INSERT for a fresh reservation."""
    return (
        seq,
        hold.id,
        "reserved",
        hold.worst_nusd,
        hold.worst_tokens,
        hold.worst_nusd,
        None,
        None,
        None,
        _to_json(parts),
        _to_json(takes),
        hold.now_s,
        None,
        hold.now_s + hold.lease_s,
        hold.request_id,
        hold.attempt,
        hold.policy,
        hold.tenant,
        hold.user,
        hold.target,
        hold.plan_digest,
        hold.prices_digest,
    )


def parts_from(text: str) -> list[Part]:
    return [Part(*part) for part in json.loads(text)]


def takes_from(text: str) -> list[Taken]:
    return [Taken(*taken) for taken in json.loads(text)]


def usage_text(usage: Usage | None) -> str | None:
    if usage is None:
        return None
    known: dict[str, int] = {name: count for name in USAGE_FIELDS if (count := getattr(usage, name))}
    return _to_json(known if usage.reported else {**known, "reported": False})


def row_from(values: dict[str, Any]) -> Row:
    """A Row from one line of SELECT_ROWS, by the names of its columns."""
    parts, _, usage = parts_from(values.pop("parts")), values.pop("takes"), values.pop("usage")
    known = None if usage is None else Usage(**json.loads(usage))
    ending = _ending(values["state"], values["cost_nusd"], known, values["how"], values["ended_at_s"])
    return Row(**values, usage=known, counters=accounts.held_now(parts, values["state"], ending))


def _ending(state: State, cost_nusd: int, usage: Usage | None, how: Any, ended_s: float) -> Settlement | None:
    if state != "settled":
        return None
    return Settlement(cost_nusd=cost_nusd, usage=usage, how=how, kind=None, now_s=ended_s)


def slide_from(blob: bytes | None) -> Slide | None:
    """Raises ValueError for bytes that are no window."""
    if blob is None:
        return None
    counts = blob[8:]
    return Slide(
        head=int.from_bytes(blob[:8], "little", signed=True),
        counts=array("I" if len(counts) == 4 * KEPT else "q", counts),
    )


def read_slide(cursor: sqlite3.Cursor, key: str) -> Slide | None:
    found = cursor.execute("SELECT slide FROM windows WHERE key = ?", (key,)).fetchone()
    return slide_from(found[0]) if found else None


def slide_bytes(slide: Slide) -> bytes:
    return slide.head.to_bytes(8, "little", signed=True) + slide.counts.tobytes()
