"""Rules: the first whose condition holds. None is unknown, which is neither true nor false."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from tests.reference.interpreter.units import count, minutes, share

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True)
class Snapshot:
    """What rules may look at: the same for all of them, however deep. `used` gives the used share of a budget."""

    call: Any
    input_tokens: int
    output_tokens: int | None
    needs: frozenset[str]
    now_s: float
    zone: ZoneInfo
    used: Callable[[Mapping[str, Any], str], Decimal | None]


def first_rule(rules: list[Mapping[str, Any]], policy: str, seen: Snapshot) -> Mapping[str, Any] | None:
    return next((rule for rule in rules if holds(rule["when"], policy, seen)), None)


def holds(when: Mapping[str, Any], policy: str, seen: Snapshot) -> bool | None:
    found = list(_fields(when, policy, seen))
    return False if False in found else None if None in found else True


def _fields(when: Mapping[str, Any], policy: str, seen: Snapshot) -> Iterator[bool | None]:
    for name, written in when.items():
        if name == "not":
            for value in _fields(written, policy, seen):
                yield None if value is None else not value
        else:
            yield _field(name, written, policy, seen)


def _field(name: str, written: Any, policy: str, seen: Snapshot) -> bool | None:
    call = seen.call
    match name:
        case "tenant":
            return None if call.tenant is None else any(_at_or_below(call.tenant, path) for path in written)
        case "user" | "session":
            value = getattr(call, name)
            return None if value is None else value in written
        case "tag":
            return any(tag in written for tag in call.tags) if call.tags else None
        case "needs":
            return any(need in written for need in seen.needs)
        case "stream":
            return written is False
        case "input_tokens" | "output_tokens":
            return _between(getattr(seen, name), written, count)
        case "local_time":
            return in_local_time(written, datetime.fromtimestamp(seen.now_s, UTC).astimezone(seen.zone))
        case "budget_used":
            return _between(seen.used(written, policy), written, share)
    raise AssertionError(name)


def _at_or_below(tenant: str, path: str) -> bool:
    return tenant == path or tenant.startswith(f"{path}/")


def _between(value: Any, written: Mapping[str, Any], read: Callable[[Any], Any]) -> bool | None:
    if value is None:
        return None
    above = "over" not in written or value > read(written["over"])
    return above and ("up_to" not in written or value <= read(written["up_to"]))


def in_local_time(written: Mapping[str, Any], local: datetime) -> bool:
    """Half-open; over midnight where `to` is earlier, and then a part of the day on which it began."""
    begin, end, at = minutes(written["from"]), minutes(written["to"]), local.hour * 60 + local.minute
    day = local.date()
    if begin < end:
        inside = begin <= at < end
    else:
        inside = at >= begin or at < end
        if at < end:
            day -= timedelta(days=1)
    return inside and ("days" not in written or DAYS[day.weekday()] in written["days"])
