"""The ledger's rows as flat records, for other programs: one for each attempt, as CSV or as JSON lines."""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from router.books.archive import rows_with
from router.books.since import Since, looking_back_s
from router.engine import Ports
from router.plan import Plan
from router.ports import Row
from router.values import Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One attempt. `cost_nusd` is what counts now: the worst case where the truth is not known. Times are ISO 8601, in
    UTC. None where nothing is known."""

    seq: int
    id: str
    request_id: str
    attempt: int
    reserved_at: str
    ended_at: str | None
    state: str
    tenant: str | None
    user: str | None
    policy: str
    target: str
    key: str | None
    tags: tuple[str, ...]
    kind: str | None
    how: str | None
    cost_nusd: int
    worst_nusd: int
    input_tokens: int | None
    output_tokens: int | None
    cached_input_tokens: int | None
    cache_write_tokens: int | None
    reasoning_tokens: int | None
    plan_digest: str
    prices_digest: str


FIELDS = tuple(each.name for each in fields(Record))
_OF_USAGE = frozenset(each.name for each in fields(Usage)) & frozenset(FIELDS)
_OF_ROW = frozenset(FIELDS) - _OF_USAGE - {"reserved_at", "ended_at"}


async def exported(
    plan: Plan, ports: Ports, *, since: Since = "30d", archive: Path | None = None
) -> tuple[Record, ...]:
    """The rows since then, oldest first; `archive`: a folder with rows that were moved out, which are then among them.
    Raises StoreError, RequestError."""
    since_s = looking_back_s(since, now_s=ports.clock.now_s(), time_zone=plan.settings.time_zone)
    return records(await rows_with(ports, archive, since_s=since_s))


def records(rows: Iterable[Row]) -> tuple[Record, ...]:
    """In the order of the rows."""
    return tuple(_record(row) for row in rows)


def _record(row: Row) -> Record:
    usage = {name: None if row.usage is None else getattr(row.usage, name) for name in _OF_USAGE}
    values: dict[str, Any] = {**{name: getattr(row, name) for name in _OF_ROW}, **usage}
    return Record(
        reserved_at=_time(row.reserved_at_s),
        ended_at=None if row.ended_at_s is None else _time(row.ended_at_s),
        **values,
    )


def _time(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).isoformat(timespec="milliseconds")


def as_csv(found: Sequence[Record]) -> str:
    """With a heading; nothing stands where nothing is known. Tags are a JSON list."""
    text = io.StringIO()
    writer = csv.DictWriter(text, FIELDS, lineterminator="\n")
    writer.writeheader()
    writer.writerows({**asdict(each), "tags": json.dumps(each.tags, ensure_ascii=False)} for each in found)
    return text.getvalue()


def as_json_lines(found: Sequence[Record]) -> str:
    return "".join(f"{json.dumps(asdict(each), ensure_ascii=False)}\n" for each in found)
