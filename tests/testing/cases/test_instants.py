"""When a case begins."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo, available_timezones

import pytest

from router.testing.cases.instants import USUAL, instant_s

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-11-30 22:15", datetime(2026, 11, 30, 21, 15, tzinfo=UTC)),
        ("2026-07-01 00:00:30", datetime(2026, 6, 30, 22, 0, 30, tzinfo=UTC)),
        ("2026-11-30T22:15:00Z", datetime(2026, 11, 30, 22, 15, tzinfo=UTC)),
        ("2026-10-25T02:30+02:00", datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
        ("2026-10-25T02:30+01:00", datetime(2026, 10, 25, 1, 30, tzinfo=UTC)),
    ],
)
def test_local_time_is_of_the_zone_unless_an_offset_is_written(text: str, utc: datetime) -> None:
    assert instant_s(text, BERLIN) == utc.timestamp()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("2026-03-29 02:30", "does not exist in Europe/Berlin"),
        ("2026-10-25 02:30", "occurs twice in Europe/Berlin"),
        ("2026-13-01 00:00", "is no date and time"),
        ("2026-01-01 24:30", "is no date and time"),
    ],
)
def test_what_is_no_single_instant_says_why(text: str, why: str) -> None:
    assert why in str(instant_s(text, BERLIN))


def test_the_usual_instant_is_one_in_every_zone() -> None:
    odd = [name for name in available_timezones() if not isinstance(instant_s(USUAL, ZoneInfo(name)), float)]
    assert odd == []
