"""How far back a report looks."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

from router.decide.windows import day_start_s
from router.errors import RequestError
from router.policy.scalars import duration_ms

Since = str | float | datetime
"""`7d` or `12h` ago, from the day `2026-11-21` on, Unix seconds, or a datetime. A day, and a datetime without a zone,
are in `settings.time_zone`."""


def since_of(since: Since, *, now_s: float, time_zone: str) -> float:
    """Unix seconds. Raises RequestError."""
    zone = ZoneInfo(time_zone)
    if isinstance(since, datetime):
        return (since if since.tzinfo else since.replace(tzinfo=zone)).timestamp()
    if isinstance(since, int | float) and not isinstance(since, bool):
        return float(since)
    ago_ms = duration_ms(since)
    if ago_ms is not None:
        return now_s - ago_ms / 1_000
    try:
        return start_of_day_s(str(since), zone)
    except ValueError:
        raise RequestError(
            f"`since` is neither a duration like 7d or 12h nor a day like 2026-11-21: `{since}`"
        ) from None


def looking_back_s(since: Since, *, now_s: float, time_zone: str) -> float:
    """The same of a report, which has nothing to tell of what is to come. Raises RequestError."""
    found = since_of(since, now_s=now_s, time_zone=time_zone)
    if found > now_s:
        raise RequestError(
            f"`since` is in the future: `{since}`", help="a day that has begun, or how long ago: `7d`"
        )
    return found


def start_of_day_s(day: str, zone: ZoneInfo) -> float:
    """Unix seconds of `2026-11-21` 00:00 in the zone. Raises ValueError."""
    return day_start_s(date.fromisoformat(day), zone)
