"""The bound holds on every recorded exchange, but for named kinds of input that the request itself gives away."""

from collections import Counter, defaultdict
from dataclasses import asdict
from statistics import median

import pytest

from tests.token_measure import ABRIDGED, NO_MODEL, PAGE, Measured, drawn, measured, read

OUTSIDE = {ABRIDGED: 4, NO_MODEL: 1}
"""Recordings whose request doesn't say why; every one of them is counted here."""

HINTS = ("server-side", "at the provider", "that the provider fetches")


def ratio(row: Measured) -> float:
    return int(row.bound) / row.reported


def counted(rows: list[Measured]) -> list[Measured]:
    return [row for row in rows if not row.exception and row.bound != "window"]


@pytest.mark.recordings
def test_the_table_has_what_is_measured(recordings):
    found = {row.exchange: asdict(row) for row in measured(recordings)}
    committed = {row.exchange: asdict(row) for row in read()}
    assert found == committed, "run `python -m tests.token_measure` and look at what changed"


def test_the_bound_holds_wherever_no_exception_is_named():
    broken = [row for row in counted(read()) if int(row.bound) < row.reported]
    assert broken == []


def test_an_exception_is_found_in_the_request_or_is_one_of_the_few_unfit_recordings():
    rows = [row for row in read() if row.exception]
    unfit = Counter(row.exception for row in rows if row.exception in OUTSIDE)
    unnamed = [
        row for row in rows if row.exception not in OUTSIDE and not any(h in row.exception for h in HINTS)
    ]
    assert unfit == OUTSIDE
    assert unnamed == []


def test_almost_everything_is_held_without_an_exception():
    rows = read()
    assert len(rows) >= 565
    assert sum(not row.exception for row in rows) >= 535
    assert sum(row.bound == "window" for row in rows) <= 8


def test_bounds_are_near_enough_to_be_of_use():
    """In prompts of 200 tokens and more a family reserves at most three times what it bills, in the median."""
    families: dict[str, list[float]] = defaultdict(list)
    large = [row for row in counted(read()) if row.reported >= 200]
    for row in large:
        families[row.family].append(ratio(row))
    medians = {family: median(ratios) for family, ratios in families.items() if len(ratios) >= 3}
    assert {family: found for family, found in medians.items() if found > 3.2} == {}
    assert median(map(ratio, large)) < 1.7


def test_where_tiktoken_is_the_tokenizer_long_prompts_are_bounded_within_two_percent():
    exact = [row for row in counted(read()) if row.family in ("gpt-4", "gpt-4o", "gpt-4o-mini", "openai")]
    near = [row for row in exact if row.reported >= 200 and ratio(row) <= 1.02]
    assert len(near) >= 12


def test_the_page_shows_the_committed_rows():
    page = PAGE.read_text(encoding="utf-8")
    assert page == drawn(page, read()), "run `python -m tests.token_measure`"
