"""The ledger's rows as flat records, for other programs: one for each attempt, as CSV or as JSON lines."""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from router.ports import Row
from router.values import Usage

TOKENS = (
    "input_tokens",
    "output_tokens",
    "cached_input_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
)
FIELDS = (
    *("seq", "id", "request_id", "attempt", "reserved_at", "ended_at", "state"),
    *("tenant", "user", "policy", "target", "kind", "how", "cost_nusd", "worst_nusd"),
    *TOKENS,
    *("plan_digest", "prices_digest"),
)
"""`cost_nusd` is what counts now: the worst case where the truth is not known. Times are ISO 8601, UTC."""


def records(rows: Iterable[Row]) -> tuple[Mapping[str, Any], ...]:
    """In the order of the rows; None where nothing is known."""
    return tuple(_record(row) for row in rows)


def _record(row: Row) -> Mapping[str, Any]:
    usage: Usage | None = row.usage
    known = {name: None if usage is None else getattr(usage, name) for name in TOKENS}
    times = {"reserved_at": _time(row.reserved_at_s), "ended_at": _time(row.ended_at_s)}
    values = {**known, **times}
    return {name: values[name] if name in values else getattr(row, name) for name in FIELDS}


def _time(at_s: float | None) -> str | None:
    return None if at_s is None else datetime.fromtimestamp(at_s, UTC).isoformat(timespec="milliseconds")


def as_csv(found: Sequence[Mapping[str, Any]]) -> str:
    """With a heading; nothing stands where nothing is known."""
    text = io.StringIO()
    writer = csv.DictWriter(text, FIELDS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(found)
    return text.getvalue()


def as_json_lines(found: Sequence[Mapping[str, Any]]) -> str:
    return "".join(f"{json.dumps(each, ensure_ascii=False)}\n" for each in found)
