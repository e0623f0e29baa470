"""How attempts and windows are written in a state file, and read from it."""

import json
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from router.adapters import accounts
from router.adapters.accounts import Part, State, Taken
from router.ports import Counter, Hold, Row, Settlement
from router.values import Usage

ROW_FIELDS = frozenset(field.name for field in fields(Row))
USAGE_FIELDS = tuple(field.name for field in fields(Usage) if field.name != "reported")

INSERT = f"INSERT INTO attempts VALUES ({', '.join('?' * 25)})"  # noqa: S608
SELECT_ROW = "SELECT * FROM attempts WHERE id = ?"
SELECT_ROWS = "SELECT * FROM attempts WHERE seq > ? AND reserved_at_s >= ? ORDER BY seq LIMIT ?"


def attempt_values(
    hold: Hold, seq: int, parts: Sequence[Part[int]], takes: Sequence[Taken[int]]
) -> tuple[object, ...]:
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
        _parts_text(parts),
        _takes_text(takes),
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
        hold.key,
        json.dumps(hold.tags, ensure_ascii=False) if hold.tags else None,
        None,
    )


# By hand, as json would be most of what a reservation costs outside SQLite: numbers and our own words are JSON as is.
def _parts_text(parts: Sequence[Part[int]]) -> str:
    return "[" + ",".join([f'[{part.key},"{part.unit}",{part.needed}]' for part in parts]) + "]"


def _takes_text(takes: Sequence[Taken[int]]) -> str:
    return "[" + ",".join([f'[{take.key},"{take.unit}",{take.at},{take.amount}]' for take in takes]) + "]"


def parts_from(text: str) -> list[Part[int]]:
    return [Part(*part) for part in json.loads(text)]


def takes_from(text: str) -> list[Taken[int]]:
    return [Taken(*taken) for taken in json.loads(text)]


def usage_text(usage: Usage | None) -> str | None:
    if usage is None:
        return None
    known = [f'"{name}":{count}' for name in USAGE_FIELDS if (count := getattr(usage, name))]
    if not usage.reported:
        known.append('"reported":false')
    return "{" + ",".join(known) + "}"


def row_from(values: dict[str, Any], parts: Sequence[Part[Counter]], takes: Sequence[Taken[str]]) -> Row:
    """A Row from one line of SELECT_ROWS, by the names of its columns; `parts` and `takes` are those of its columns."""
    values = {name: value for name, value in values.items() if name in ROW_FIELDS}
    ending = ending_from(values["state"], values["cost_nusd"], values["usage"], values["how"])
    values["usage"] = usage_from(values["usage"])
    values["tags"] = tuple(json.loads(values.get("tags") or "[]"))
    state = values["state"]
    return Row(
        **values,
        counters=accounts.held_now(parts, state, ending),
        rolling=accounts.rolling_now(takes, state, ending),
    )


def usage_from(text: str | None) -> Usage | None:
    return None if text is None else Usage(**json.loads(text))


def ending_from(state: State, cost_nusd: int, usage: str | None, how: Any) -> Settlement | None:
    """How a row was settled, as far as its counters ask; None where it was not."""
    if state != "settled":
        return None
    return Settlement(cost_nusd=cost_nusd, usage=usage_from(usage), how=how, kind=None, now_s=0.0)
