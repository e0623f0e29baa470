"""Forecasts: the rest of a window by the same rest of past ones."""

from datetime import datetime
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from router.books.forecast import forecast
from router.plan import Budget
from router.ports import Row
from tests.build import budget
from tests.tools.rows import counted, row

ZONE = ZoneInfo("Europe/Berlin")
DAY = budget("tenant:acme", 1000)
MONTH = budget("tenant:acme", 5000, "month")


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZONE).timestamp()


def spent(text: str, amount: int, of: Budget = DAY) -> Row:
    return row(at(text), counters=counted(of.owner, of.window, text[:10], amount))


def test_without_past_windows_the_pace_of_this_one_is_drawn_out() -> None:
    (found,) = forecast([DAY], [spent("2026-11-20T03:00", 300)], now_s=at("2026-11-20T06:00"), zone=ZONE)
    assert (found.used, found.expected, found.low, found.high, found.past) == (300, 1200, None, None, 0)
    assert found.runs_out_at_s is not None
    assert at("2026-11-20T20:00") <= found.runs_out_at_s <= at("2026-11-20T20:30")


def test_the_rest_of_a_day_is_judged_by_the_rest_of_earlier_days() -> None:
    rows = [
        *(spent(f"2026-11-{day}T09:00", 500) for day in (16, 17, 18)),
        *(spent(f"2026-11-{day}T15:00", amount) for day, amount in ((16, 100), (17, 200), (18, 600))),
        spent("2026-11-19T09:00", 700),
    ]
    (found,) = forecast([DAY], rows, now_s=at("2026-11-19T12:00"), zone=ZONE)
    assert (found.used, found.past) == (700, 3)
    assert (found.low, found.expected, found.high) == (800, 900, 1300)
    assert found.runs_out_at_s is None or found.runs_out_at_s >= at("2026-11-19T15:00")


def test_days_without_spending_count_as_days() -> None:
    rows = [spent("2026-11-16T15:00", 600), spent("2026-11-19T09:00", 10)]
    (found,) = forecast([DAY], rows, now_s=at("2026-11-19T12:00"), zone=ZONE)
    assert (found.past, found.low, found.expected, found.high) == (3, 10, 10, 610)


def test_a_day_of_another_length_is_a_day() -> None:
    """Clocks go back on 2026-10-25 in Berlin."""
    rows = [spent("2026-10-24T23:00", 50), spent("2026-10-25T23:00", 70), spent("2026-10-26T01:00", 1)]
    (found,) = forecast([DAY], rows, now_s=at("2026-10-26T22:00"), zone=ZONE)
    assert (found.used, found.past, found.low, found.high) == (1, 2, 51, 71)


def test_months_of_any_length() -> None:
    rows = [
        spent("2026-02-20T12:00", 100, MONTH),
        spent("2026-03-20T12:00", 300, MONTH),
        spent("2026-04-02T12:00", 5, MONTH),
    ]
    (found,) = forecast([MONTH], rows, now_s=at("2026-04-10T00:00"), zone=ZONE)
    assert (found.used, found.past, found.low, found.high) == (5, 2, 105, 305)


def test_what_is_spent_already_has_run_out_and_comes_first() -> None:
    other = budget("tenant:beta", 10)
    rows = [
        spent("2026-11-20T03:00", 10),
        row(at("2026-11-20T03:00"), counters=counted("tenant:beta", "day", "2026-11-20", 12)),
    ]
    now_s = at("2026-11-20T06:00")
    found = forecast([DAY, other], rows, now_s=now_s, zone=ZONE)
    assert [each.budget.owner for each in found] == ["tenant:beta", "tenant:acme"]
    assert found[0].runs_out_at_s == now_s


def test_budgets_that_spent_nothing_or_never_refill_are_left_out() -> None:
    total = budget("tenant:acme", 10, "total")
    assert (
        forecast([total, MONTH], [spent("2026-11-20T03:00", 5)], now_s=at("2026-11-20T06:00"), zone=ZONE)
        == ()
    )


def test_eight_past_windows_are_looked_at() -> None:
    rows = [spent(f"2026-11-{day:02}T15:00", 100) for day in range(1, 20)]
    (found,) = forecast([DAY], rows, now_s=at("2026-11-20T12:00"), zone=ZONE)
    assert found.past == 8


def test_a_window_whose_rows_were_all_moved_out_is_forecast_by_its_pace() -> None:
    now_s = at("2026-11-20T06:00")
    (found,) = forecast([DAY], [], now_s=now_s, zone=ZONE, used={DAY: 300})
    assert (found.used, found.expected, found.past) == (300, 1200, 0)
    assert forecast([DAY], [], now_s=now_s, zone=ZONE, used={DAY: 0}) == ()


@given(
    amounts=st.lists(st.tuples(st.integers(0, 12 * 24 * 60), st.integers(0, 500)), min_size=1, max_size=30),
    hour=st.integers(0, 23),
)
def test_what_is_expected_lies_between_and_is_never_below_what_is_used(
    amounts: list[tuple[int, int]], hour: int
) -> None:
    first_s = at("2026-11-08T00:00")
    rows = [
        row(first_s + 60 * minute, counters=counted(DAY.owner, "day", "", amount))
        for minute, amount in amounts
    ]
    now_s = at("2026-11-20T00:00") + 3600 * hour
    (found,) = forecast([DAY], rows, now_s=now_s, zone=ZONE)
    assert found.used <= found.expected
    if found.low is not None and found.high is not None:
        assert found.used <= found.low <= found.expected <= found.high
    if found.runs_out_at_s is not None:
        assert now_s <= found.runs_out_at_s <= found.ends_at_s
