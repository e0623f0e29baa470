from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.decide.windows import window_start

WINDOWS = ("hour", "day", "week", "month")
ZONES = sorted(
    zone for zone in available_timezones() if "/" in zone and not zone.startswith(("Etc/", "posix", "right"))
)
ODD_ZONES = (
    "Europe/Berlin",
    "America/Havana",  # clocks skip and repeat midnight
    "America/Santiago",
    "Africa/Cairo",
    "Asia/Beirut",
    "Australia/Lord_Howe",  # by half an hour
    "Asia/Kathmandu",  # at a quarter
    "Africa/Casablanca",
    "Pacific/Apia",
    "UTC",
)
FROM_S = datetime(2012, 1, 1, tzinfo=UTC).timestamp()
TO_S = datetime(2037, 1, 1, tzinfo=UTC).timestamp()


def at(zone: str, *local: int, fold: int = 0) -> float:
    return datetime(*local, tzinfo=ZoneInfo(zone), fold=fold).timestamp()


def local(zone: str, at_s: float | None) -> str:
    assert at_s is not None
    return datetime.fromtimestamp(at_s, ZoneInfo(zone)).isoformat()


@pytest.mark.parametrize(
    ("window", "key", "ends"),
    [
        ("hour", "2026-11-21T14", "2026-11-21T15:00:00+01:00"),
        ("day", "2026-11-21", "2026-11-22T00:00:00+01:00"),
        ("week", "2026-W47", "2026-11-23T00:00:00+01:00"),
        ("month", "2026-11", "2026-12-01T00:00:00+01:00"),
    ],
)
def test_keys_and_ends_on_a_plain_day(window: str, key: str, ends: str) -> None:
    start, resets_at_s = window_start(
        window, at("Europe/Berlin", 2026, 11, 21, 14, 30), ZoneInfo("Europe/Berlin")
    )
    assert (start, local("Europe/Berlin", resets_at_s)) == (key, ends)


def test_total_has_no_start_and_never_ends() -> None:
    assert window_start("total", 1.8e9, UTC) == ("", None)


def test_a_request_is_no_calendar_window() -> None:
    with pytest.raises(ValueError, match="no calendar window"):
        window_start("request", 1.8e9, UTC)


@pytest.mark.parametrize(
    ("window", "now", "key", "ends"),
    [
        ("month", (2026, 1, 31, 23, 59), "2026-01", (2026, 2, 1)),
        ("month", (2028, 2, 29, 12, 0), "2028-02", (2028, 3, 1)),
        ("month", (2026, 12, 31, 23, 59), "2026-12", (2027, 1, 1)),
        ("day", (2028, 2, 28, 23, 59), "2028-02-28", (2028, 2, 29)),
        ("day", (2027, 2, 28, 23, 59), "2027-02-28", (2027, 3, 1)),
        ("day", (2026, 12, 31, 0, 0), "2026-12-31", (2027, 1, 1)),
        ("week", (2027, 1, 3, 23, 59), "2026-W53", (2027, 1, 4)),  # a Sunday of the old ISO year
        ("week", (2025, 12, 29, 0, 0), "2026-W01", (2026, 1, 5)),  # a Monday of the new one
        ("week", (2026, 11, 23, 0, 0), "2026-W48", (2026, 11, 30)),
    ],
)
def test_ends_of_months_years_and_weeks(
    window: str, now: tuple[int, ...], key: str, ends: tuple[int, ...]
) -> None:
    assert window_start(window, at("UTC", *now), ZoneInfo("UTC")) == (key, at("UTC", *ends))


def test_a_day_of_23_and_one_of_25_hours() -> None:
    zone = ZoneInfo("Europe/Berlin")
    for day, hours in ((29, 23), (25, 25)):
        month = 3 if day == 29 else 10
        start_s = at("Europe/Berlin", 2026, month, day)
        assert window_start("day", start_s, zone) == (f"2026-{month:02}-{day}", start_s + hours * 3600)


def test_an_hour_that_clocks_repeat_is_two_windows() -> None:
    zone = ZoneInfo("Europe/Berlin")
    first_s = at("Europe/Berlin", 2026, 10, 25, 2, 30)
    assert window_start("hour", first_s, zone) == ("2026-10-25T02", first_s + 1800)
    assert window_start("hour", first_s + 3600, zone) == ("2026-10-25T02+01:00", first_s + 5400)
    assert window_start("hour", first_s + 5400, zone)[0] == "2026-10-25T03"


def test_an_hour_that_clocks_skip_is_none() -> None:
    zone = ZoneInfo("Europe/Berlin")
    before_s = at("Europe/Berlin", 2026, 3, 29, 1, 59)
    assert window_start("hour", before_s, zone) == ("2026-03-29T01", before_s + 60)
    assert window_start("hour", before_s + 60, zone) == ("2026-03-29T03", before_s + 60 + 3600)


def test_half_an_hour_is_repeated_on_lord_howe() -> None:
    zone = ZoneInfo("Australia/Lord_Howe")
    first_s = at("Australia/Lord_Howe", 2026, 4, 5, 1, 0)
    assert window_start("hour", first_s, zone) == ("2026-04-05T01", first_s + 3600)
    assert window_start("hour", first_s + 3600, zone) == ("2026-04-05T01+10:30", first_s + 5400)
    assert window_start("hour", first_s + 5400, zone)[0] == "2026-04-05T02"


@pytest.mark.parametrize("zone", ["America/Havana", "America/Santiago", "Africa/Cairo", "Asia/Beirut"])
def test_a_day_begins_at_one_where_clocks_skip_midnight(zone: str) -> None:
    skipped = [
        day
        for day in (datetime(2023, 1, 1) + timedelta(days=n) for n in range(365 * 3))
        if local(zone, day.replace(tzinfo=ZoneInfo(zone)).timestamp())[11:16] != "00:00"
    ]
    assert skipped
    for day in skipped:
        noon_before_s = (day - timedelta(hours=12)).replace(tzinfo=ZoneInfo(zone)).timestamp()
        for window in (
            "day",
            *(["month"] if day.day == 1 else []),
            *(["week"] if day.weekday() == 0 else []),
        ):
            _, ends_s = window_start(window, noon_before_s, ZoneInfo(zone))
            assert local(zone, ends_s)[:16] == f"{day.date()}T01:00"


def test_a_day_that_never_was() -> None:
    """Samoa went from the 29th to the 31st of December 2011."""
    zone = ZoneInfo("Pacific/Apia")
    noon_s = at("Pacific/Apia", 2011, 12, 29, 12)
    _, ends_s = window_start("day", noon_s, zone)
    assert ends_s == noon_s + 12 * 3600
    assert window_start("day", ends_s, zone)[0] == "2011-12-31"


@settings(max_examples=300, deadline=None)
@given(
    window=st.sampled_from(WINDOWS),
    zone=st.one_of(st.sampled_from(ODD_ZONES), st.sampled_from(ZONES)).map(ZoneInfo),
    now_s=st.floats(FROM_S, TO_S),
)
def test_a_window_holds_until_its_end_and_never_comes_back(window: str, zone: ZoneInfo, now_s: float) -> None:
    key, ends_s = window_start(window, now_s, zone)
    assert ends_s is not None
    assert ends_s > now_s
    assert window_start(window, max(now_s, ends_s - 0.001), zone) == (key, ends_s)
    middle_s = (now_s + ends_s) / 2
    if middle_s < ends_s:
        assert window_start(window, middle_s, zone) == (key, ends_s)
    later, later_ends_s = window_start(window, ends_s, zone)
    assert later != key
    assert later_ends_s is not None
    assert window_start(window, later_ends_s, zone)[0] not in (key, later)


@pytest.mark.parametrize("zone", ODD_ZONES)
@pytest.mark.parametrize("window", WINDOWS)
def test_windows_chain_through_a_year_without_gap_or_return(window: str, zone: str) -> None:
    now_s, seen = at(zone, 2026, 3, 1, 0, 30), set[str]()
    end_s = now_s + (60 if window == "hour" else 400) * 86400
    while now_s < end_s:
        key, ends_s = window_start(window, now_s, ZoneInfo(zone))
        assert key not in seen
        seen.add(key)
        assert ends_s is not None
        now_s = ends_s


# --- Against a clock that is read minute by minute --------------------------------------------------------------------


def shifts(zone: str, first_s: int, last_s: int, step_s: int) -> list[int]:
    """Where the clocks of a zone change within the next `step_s`."""
    read = [
        datetime.fromtimestamp(at_s, ZoneInfo(zone)).utcoffset() for at_s in range(first_s, last_s, step_s)
    ]
    return [first_s + step_s * n for n in range(len(read) - 1) if read[n] != read[n + 1]]


SHIFTS = tuple(
    (zone, hour_s)
    for zone in (*ODD_ZONES, "America/New_York", "America/St_Johns", "Asia/Kolkata", "Pacific/Chatham")
    for day_s in shifts(zone, int(at(zone, 2024, 1, 1)), int(at(zone, 2029, 1, 1)), 86400)
    for hour_s in shifts(zone, day_s, day_s + 90_000, 3600)
)
"""(zone, an hour in which its clocks change)"""
ENDS = tuple(
    (zone, int(at(zone, *day)))
    for zone in ODD_ZONES
    for day in ((2028, 2, 29), (2028, 3, 1), (2026, 12, 28), (2027, 1, 1), (2027, 1, 4), (2026, 5, 1))
)


def same_period(window: str, one: datetime, next: datetime) -> bool:
    """Whether two minutes that follow one another are of one window, as one would say who looks at a calendar."""
    names = {
        "hour": lambda local: (local.date(), local.hour),
        "day": lambda local: local.date(),
        "week": lambda local: local.isocalendar()[:2],
        "month": lambda local: (local.year, local.month),
    }
    went_back = next.replace(tzinfo=None, fold=0) < one.replace(tzinfo=None, fold=0)
    return names[window](one) == names[window](next) and not (window == "hour" and went_back)


def read_minutes(window: str, minute: int, zone: ZoneInfo) -> tuple[int, int]:
    """The first minute of the window that holds `minute`, and the first one after it."""

    def walk(from_minute: int, by: int) -> int:
        here = datetime.fromtimestamp(from_minute * 60, zone)
        while True:
            there = datetime.fromtimestamp((from_minute + by) * 60, zone)
            if not same_period(window, *((here, there) if by > 0 else (there, here))):
                return from_minute
            from_minute, here = from_minute + by, there

    return walk(minute, -1), walk(minute, 1) + 1


@settings(max_examples=150)
@given(
    window=st.sampled_from(WINDOWS),
    moment=st.one_of(st.sampled_from(SHIFTS), st.sampled_from(ENDS)),
    away_s=st.one_of(st.integers(-7200, 7200), st.integers(-100_000, 100_000)),
)
def test_windows_are_those_of_a_clock_on_the_wall(window: str, moment: tuple[str, int], away_s: int) -> None:
    """Each holds its instants from its first to its last, and the next begins where it ends."""
    zone, now_s = ZoneInfo(moment[0]), moment[1] + away_s
    begins, ends = (minute * 60 for minute in read_minutes(window, now_s // 60, zone))
    key, ends_s = window_start(window, now_s, zone)
    assert ends_s == ends
    for within_s in (begins, (begins + now_s) / 2, ends - 0.001):
        assert window_start(window, within_s, zone) == (key, ends)
    before, before_ends_s = window_start(window, begins - 1, zone)
    assert (before == key, before_ends_s) == (False, begins)
    assert window_start(window, ends, zone)[0] not in (before, key)
