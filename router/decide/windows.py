"""Calendar windows: under which key an instant counts, and when that window ends.

Instants are wall-clock Unix seconds; a window is of local time in the zone given, whatever its clocks do meanwhile.
"""

from datetime import date, datetime, timedelta, tzinfo
from functools import lru_cache
from math import floor

from router.plan import Window


def window_start(window: Window, now_s: float, zone: tzinfo) -> tuple[str, float | None]:
    """The key of the window that holds `now_s`, and the first whole second after `now_s` that another one holds.

    Keys: `2026-11-21T14`, `2026-11-21`, `2026-W47` (ISO, from Monday), `2026-11`; `("", None)` for `total`, which
    never ends. The second run of an hour that clocks repeat carries its offset: `2026-10-25T02+01:00`. Raises
    ValueError for `request`, which is no calendar window.
    """
    return _of_second(window, floor(now_s), zone)


@lru_cache(maxsize=64)  # the budgets of a request ask in one second, and for few kinds of window
def _of_second(window: Window, second: int, zone: tzinfo) -> tuple[str, float | None]:
    if window == "total":
        return "", None
    if window == "request":
        raise ValueError("a request is no calendar window: its budget is bounded within the request")
    local = datetime.fromtimestamp(second, zone)
    if window == "hour":
        return _hour_key(local), _hour_end_s(local, second, zone)
    if window == "day":
        key, ends = local.date().isoformat(), local.date() + timedelta(days=1)
    elif window == "week":
        year, week, weekday = local.isocalendar()
        key, ends = f"{year:04}-W{week:02}", local.date() + timedelta(days=8 - weekday)
    else:
        key, ends = f"{local.year:04}-{local.month:02}", _next_month(local)
    return key, _midnight_s(ends, local, second, zone)


def day_start_s(day: date, zone: tzinfo) -> float:
    """The first instant of a local day; where clocks skip midnight, the instant at which they do."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=zone)
    first, second = (midnight.replace(fold=fold).timestamp() for fold in (0, 1))
    return first if second >= first else float(_offset_change_s(floor(second), floor(first), zone))


def _hour_key(local: datetime) -> str:
    key = f"{local.date().isoformat()}T{local.hour:02}"
    return key + local.isoformat()[-6:] if local.fold else key


def _hour_end_s(local: datetime, now_s: int, zone: tzinfo) -> float:
    end_s = now_s + 3600 - local.minute * 60 - local.second
    if datetime.fromtimestamp(end_s, zone).utcoffset() == local.utcoffset():
        return float(end_s)
    change_s = _offset_change_s(now_s, end_s, zone)
    after = datetime.fromtimestamp(change_s, zone)
    # A change inside the hour that leaves the hour as it was only moves its end.
    return float(change_s) if _hour_key(after) != _hour_key(local) else _hour_end_s(after, change_s, zone)


def _next_month(local: datetime) -> date:
    return date(local.year + local.month // 12, local.month % 12 + 1, 1)


def _midnight_s(day: date, local: datetime, now_s: int, zone: tzinfo) -> float:
    """The first instant of `day` after `now_s` (`local`); where clocks skip midnight, the instant at which they do."""
    days = day.toordinal() - local.toordinal()
    end_s = now_s + days * 86400 - local.hour * 3600 - local.minute * 60 - local.second
    end = datetime.fromtimestamp(end_s, zone)
    if end.utcoffset() == local.utcoffset() and not end.fold:
        return float(end_s)
    midnight = datetime(day.year, day.month, day.day, tzinfo=zone)
    first, second = (midnight.replace(fold=fold).timestamp() for fold in (0, 1))
    if second >= first:  # unique, or met twice because clocks go back over it
        return first if first > now_s else second
    return float(_offset_change_s(floor(second), floor(first), zone))


def _offset_change_s(before_s: int, after_s: int, zone: tzinfo) -> int:
    """The second in (before_s, after_s] at which the zone leaves the offset it has at `before_s`."""
    offset = datetime.fromtimestamp(before_s, zone).utcoffset()
    while after_s - before_s > 1:
        middle_s = (before_s + after_s) // 2
        if datetime.fromtimestamp(middle_s, zone).utcoffset() == offset:
            before_s = middle_s
        else:
            after_s = middle_s
    return after_s
