"""Units: whole matches, exact integers, and back again."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.policy import scalars

DURATIONS = {"250ms": 250, "8s": 8_000, "1.5m": 90_000, "1h": 3_600_000, "7d": 604_800_000, "0.001s": 1}
COUNTS = {"500": 500, "200k": 200_000, "1.5M": 1_500_000, "0.5k": 500, "1.234567M": 1_234_567}
MONEY = {"$25": 25_000_000_000, "$0.0005": 500_000, "$0.000000001": 1, "$0.30": 300_000_000, "$0": 0}
SHARES = {"80%": 80_000, "0.5%": 500, "100%": 100_000, "0%": 0, "33.333%": 33_333}


@pytest.mark.parametrize(("text", "ms"), DURATIONS.items())
def test_durations(text: str, ms: int) -> None:
    assert scalars.duration_ms(text) == ms


@pytest.mark.parametrize(("text", "number"), COUNTS.items())
def test_counts(text: str, number: int) -> None:
    assert scalars.count(text) == number


@pytest.mark.parametrize(("text", "nusd"), MONEY.items())
def test_money(text: str, nusd: int) -> None:
    assert scalars.money_nusd(text) == nusd


@pytest.mark.parametrize(("text", "thousandths"), SHARES.items())
def test_shares(text: str, thousandths: int) -> None:
    assert scalars.share(text) == thousandths


@pytest.mark.parametrize(
    "value", ["30", "1:30", "1h30m", "1M", "1S", "0s", "-1s", "1 s", "1s ", "1s\n", "s", 30, None]
)
def test_no_durations(value: object) -> None:
    assert scalars.duration_ms(value) is None


@pytest.mark.parametrize(
    "value", ["200K", "1m", "1_000", "1e3", "1.5", "0", "0k", "1.0005k", "-1", 0, -1, True, 1.5]
)
def test_no_counts(value: object) -> None:
    assert scalars.count(value) is None


@pytest.mark.parametrize("value", ["25", "$1k", "$1,500", "$.5", "$-1", "$1.0000000001", "€5", "$1\n", 25])
def test_no_money(value: object) -> None:
    assert scalars.money_nusd(value) is None


@pytest.mark.parametrize("value", ["0.8", "%80", "101%", "100.1%", "-1%", 0.8, "80 %"])
def test_no_shares(value: object) -> None:
    assert scalars.share(value) is None


@pytest.mark.parametrize("value", ["24:00", "7:30", "12:60", "2200", 1320, "22:00:00"])
def test_no_clocks(value: object) -> None:
    assert scalars.clock_min(value) is None


@given(st.integers(min_value=1, max_value=999_999_999))
def test_durations_round_trip(ms: int) -> None:
    assert scalars.duration_ms(scalars.duration_text(ms)) == ms


@given(st.integers(min_value=1, max_value=10**12 - 1))
def test_counts_round_trip(number: int) -> None:
    assert scalars.count(scalars.count_text(number)) == number


@given(st.integers(min_value=0, max_value=10**18 - 1))
def test_money_round_trips(nusd: int) -> None:
    assert scalars.money_nusd(scalars.money_text(nusd)) == nusd


@given(st.integers(min_value=0, max_value=100_000))
def test_shares_round_trip(thousandths: int) -> None:
    assert scalars.share(scalars.share_text(thousandths)) == thousandths


@given(st.integers(min_value=0, max_value=24 * 60 - 1))
def test_clocks_round_trip(minute: int) -> None:
    assert scalars.clock_min(scalars.clock_text(minute)) == minute


READERS = {
    scalars.DURATION: scalars.duration_ms,
    scalars.COUNT: scalars.count,
    scalars.MONEY: scalars.money_nusd,
    scalars.SHARE: scalars.share,
    scalars.CLOCK: scalars.clock_min,
}


@pytest.mark.parametrize("pattern", READERS)
def test_whatever_the_schema_lets_through_is_read(pattern: str) -> None:
    """Else a value would be accepted and ignored."""

    @given(st.from_regex(re.compile(pattern, re.ASCII), fullmatch=True))
    def held(text: str) -> None:
        if not text.endswith("\n"):
            assert READERS[pattern](text) is not None

    held()
