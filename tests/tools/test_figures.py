"""Numbers as people read them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.tools.figures import (
    about,
    count,
    left,
    money,
    percent,
    seconds,
    spent,
    tokens,
    tokens_left,
    with_warnings,
)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (999, "999"),
        (1_000, "1k"),
        (12_345, "12.3k"),
        (999_949, "999.9k"),
        (999_950, "1M"),
        (1_048_576, "1.05M"),
        (None, "unknown"),
    ],
)
def test_tokens(number, text):
    assert tokens(number) == text


@pytest.mark.parametrize(
    ("length_s", "text"),
    [(0.25, "250ms"), (8, "8s"), (45.05, "45.05s"), (0.9994, "999ms"), (0.9996, "1s"), (1, "1s")],
)
def test_seconds(length_s, text):
    assert seconds(length_s) == text


@pytest.mark.parametrize(
    ("length_s", "text"),
    [
        (-5, "0s"),
        (0, "0s"),
        (0.2, "1s"),
        (45, "45s"),
        (60, "1m"),
        (3_600 * 3 + 720, "3h 12m"),
        (86_400 * 9 + 1, "9d"),
        (86_400 + 3_600, "1d 1h"),
    ],
)
def test_about(length_s, text):
    assert about(length_s) == text


@given(st.floats(min_value=0, max_value=10**8))
def test_about_has_at_most_two_units(length_s):
    assert 1 <= len(about(length_s).split()) <= 2


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [
        (0, 10, "0%"),
        (1, 10_000, "<0.1%"),
        (0, 0, ""),
        (1, 200, "0.5%"),
        (5, 10, "50%"),
        (11, 10, "110%"),
        (1, 0, ""),
    ],
)
def test_percent(part, whole, text):
    assert percent(part, whole) == text


def test_money_and_counts():
    assert money(4_200_000) == "$0.0042"
    assert money(None) == "unknown"
    assert (count(1, "policy", "policies"), count(2, "policy", "policies"), count(0, "call")) == (
        "1 policy",
        "2 policies",
        "0 calls",
    )


@pytest.mark.parametrize(
    ("nusd", "up", "down"),
    [
        (0, "$0.00", "$0.00"),
        (1, "$0.000000001", "$0.000000001"),
        (12_345, "$0.00001235", "$0.00001234"),
        (91_494_575, "$0.0915", "$0.09149"),
        (4_999_908_505_425, "$4999.91", "$4999.90"),
        (-12_345, "-$0.00001234", "-$0.00001235"),
    ],
)
def test_money_in_tables_errs_to_the_safe_side(nusd, up, down):
    assert (spent(nusd), left(nusd)) == (up, down)


@given(st.integers(-(10**15), 10**15))
def test_rounded_money_is_near(nusd):
    for shown in (spent(nusd), left(nusd)):
        value = round(float(shown.replace("$", "")) * 1e9)
        assert abs(value - nusd) <= max(abs(nusd) * 0.0011, 10_000_000 if abs(nusd) >= 10**10 else 1)


def test_what_is_left_is_never_told_as_more_than_there_is():
    assert [tokens_left(number) for number in (999, 1_196, 19_999_933, 999_999)] == [
        "999",
        "1.1k",
        "19.99M",
        "990k",
    ]


@pytest.mark.parametrize(
    ("text", "reached", "shown"),
    [
        ("per_day: $25", (), "per_day: $25 (warns at 50%, 99.5%)"),
        ("per_day: $25", (50.0,), "per_day: $25 (past 50%, warns at 99.5%)"),
        ("per_day: $25", (50.0, 99.5), "per_day: $25 (past 50%, 99.5%)"),
        ("per_day: {at_most: $25, warn_at: [50%]}", (), "per_day: {at_most: $25, warn_at: [50%]}"),
        (
            "per_day: {at_most: $25, warn_at: [50%]}",
            (50.0,),
            "per_day: {at_most: $25, warn_at: [50%]} (past 50%)",
        ),
    ],
)
def test_a_budget_says_which_shares_are_past_and_which_are_to_come(text, reached, shown):
    assert with_warnings(text, (50.0, 99.5), reached) == shown
