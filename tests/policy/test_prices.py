"""Prices as files write them: rates, tiers, discounts and days, with figures worked out by hand."""

from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from router.decide.estimate import cost_nusd, worst_nusd
from router.decide.prices import all_prices, is_priced, price_at
from router.plan import Target
from router.policy.digest import canonical
from router.policy.load import Loaded, load
from router.values import Usage
from tests.policy.books import Book

BERLIN = ZoneInfo("Europe/Berlin")
DOLLAR = 10**12  # a million tokens, in atto-USD a token
FULL = {
    "input_per_million": "$2",
    "output_per_million": "$8",
    "cached_per_million": "$0.20",
    "cache_write_per_million": "$2.50",
    "cache_write_1h_per_million": "$4",
    "audio_input_per_million": "$40",
    "image_input_per_million": "$3",
    "reasoning_per_million": "$10",
    "audio_output_per_million": "$80",
    "per_request": "$0.001",
    "above": {"200k": {"input_per_million": "$4", "output_per_million": "$12"}},
}
PLAIN = {"input_per_million": "$2", "output_per_million": "$8"}


def loaded(provider: dict[str, Any], *, today: date | None = None, **more: Any) -> Loaded:
    document = {
        "version": 1,
        "settings": {"time_zone": "Europe/Berlin"},
        "providers": {"openai": provider},
        "policies": {"fast": {"targets": ["openai/small", "openai/large"], **more}},
    }
    return load(document, Book(), today=today)


def target(model: str = "small", **provider: Any) -> Target:
    found = loaded(provider)
    assert found.plan is not None, found.problems
    return found.plan.targets[f"openai/{model}"]


def midnight(text: str, zone: Any = BERLIN) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()


def input_of(target: Target, at_s: float) -> float | None:
    """Dollars a million tokens of input."""
    prices = price_at(target, at_s)
    return None if prices is None else prices.tiers[0].input_ausd / DOLLAR


# --- Rates and tiers --------------------------------------------------------------------------------------------------


def test_every_class_of_token_at_its_rate() -> None:
    prices = target(models={"small": {"price": FULL}}).prices
    assert prices is not None
    usage = Usage(
        input_tokens=100_000,
        cached_input_tokens=10_000,
        cache_write_tokens=5_000,
        cache_write_1h_tokens=2_000,
        audio_input_tokens=1_000,
        image_input_tokens=4_000,
        output_tokens=1_000,
        reasoning_tokens=600,
        audio_output_tokens=100,
    )
    # in micro-dollars: 10,000 x 0.2 + 3,000 x 2.5 + 2,000 x 4 + 1,000 x 40 + 4,000 x 3 + 80,000 x 2 = 229,500
    # and 600 x 10 + 100 x 80 + 300 x 8 = 16,400, and the fee of 1,000
    assert cost_nusd(prices, usage) == (229_500 + 16_400 + 1_000) * 1_000


def test_what_is_not_written_is_as_its_whole() -> None:
    prices = target(models={"small": {"price": PLAIN}}).prices
    assert prices is not None
    parts = {
        "cached_input_tokens": 30,
        "cache_write_tokens": 20,
        "audio_input_tokens": 10,
        "reasoning_tokens": 5,
    }
    usage = Usage(input_tokens=100, output_tokens=10, **parts)
    assert cost_nusd(prices, usage) == cost_nusd(prices, Usage(input_tokens=100, output_tokens=10)) == 280_000


def test_a_long_input_is_priced_whole_by_its_tier_and_a_tier_by_itself() -> None:
    prices = target(models={"small": {"price": FULL}}).prices
    assert prices is not None
    assert cost_nusd(prices, Usage(input_tokens=200_000)) == 400_000_000 + 1_000_000
    assert cost_nusd(prices, Usage(input_tokens=200_001)) == 800_004_000 + 1_000_000
    cached = Usage(input_tokens=200_001, cached_input_tokens=200_001, output_tokens=10)
    assert cost_nusd(prices, cached) == 800_004_000 + 120_000 + 1_000_000  # the tier says nothing of a cache
    # below the tier audio is the dearest input, above it as well: a reservation holds what may be reached
    assert (
        worst_nusd(prices, input_tokens=300_000, output_tokens=10, choices=1)
        == 12_000_000_000 + 800_000 + 1_000_000
    )


def test_tiers_may_stand_in_any_order() -> None:
    above = {"400k": {**PLAIN, "input_per_million": "$9"}, "200k": {**PLAIN, "input_per_million": "$5"}}
    prices = target(models={"small": {"price": {**PLAIN, "above": above}}}).prices
    assert prices is not None
    assert [(each.above_tokens, each.input_ausd // DOLLAR) for each in prices.tiers] == [
        (0, 2),
        (200_000, 5),
        (400_000, 9),
    ]


# --- Discounts --------------------------------------------------------------------------------------------------------


def test_a_discount_is_off_every_rate_and_the_fee() -> None:
    whole, less = (
        target(models={"small": {"price": FULL}}),
        target(models={"small": {"price": FULL, "discount": "20%"}}),
    )
    for one, other in zip(all_prices(whole), all_prices(less), strict=True):
        assert one is not None
        assert other is not None
        assert other.per_request_nusd == 800_000
        for tier, cheaper in zip(one.tiers, other.tiers, strict=True):
            rates = {name: getattr(tier, name) for name in type(tier).__slots__ if name.endswith("_ausd")}
            for name, rate in rates.items():
                assert getattr(cheaper, name) == (None if rate is None else rate * 4 // 5)


def test_a_discount_of_the_provider_is_off_the_price_file_and_a_models_takes_its_place() -> None:
    provider = {"discount": "20%", "models": {"large": {"discount": "0%"}}}
    assert input_of(target("small", **provider), 0.0) == 0.8
    assert input_of(target("large", **provider), 0.0) == 10.0


def test_a_discounted_rate_is_rounded_up() -> None:
    price = {"input_per_million": "$0.000000001", "output_per_million": "$1"}  # 1,000 atto-USD a token
    prices = target(models={"small": {"price": price, "discount": "33.333%"}}).prices
    assert prices is not None
    assert prices.tiers[0].input_ausd == 667


# --- Days -------------------------------------------------------------------------------------------------------------


def test_a_price_holds_from_its_first_day_until_its_last_in_local_time() -> None:
    dated = {**PLAIN, "valid_from": "2026-12-01", "valid_until": "2027-01-01"}
    found = target(models={"small": {"price": dated}})
    first, last = midnight("2026-12-01"), midnight("2027-01-01")
    assert first == datetime(2026, 11, 30, 23, tzinfo=UTC).timestamp()
    assert [input_of(found, at_s) for at_s in (0.0, first - 0.001, first, last - 0.001, last)] == [
        1,
        1,
        2,
        2,
        1,
    ]
    assert is_priced(found)


def test_on_other_days_the_next_one_holds_of_prices_and_of_discounts_alike() -> None:
    found = target(
        price={"input_per_million": "$3", "output_per_million": "$3", "valid_until": "2026-06-01"},
        discount="10%",
        models={
            "small": {
                "price": {**PLAIN, "valid_from": "2026-03-01", "valid_until": "2026-09-01"},
                "discount": {"off": "50%", "valid_from": "2026-05-01", "valid_until": "2026-11-01"},
            }
        },
    )
    days = {
        "2026-01-01": 2.7,  # the provider's price and discount
        "2026-03-01": 1.8,  # the model's price
        "2026-05-01": 1.0,  # and its discount
        "2026-09-01": 0.5,  # the price file's, as the provider's has ended
        "2026-11-01": 0.9,
    }
    assert [str(each.day) for each in found.price_changes] == list(days)[1:]
    assert {day: input_of(found, midnight(day)) for day in days} == days


def test_a_day_that_changes_nothing_is_no_change() -> None:
    found = target(discount={"off": "0%", "valid_from": "2026-05-01"})
    assert found.price_changes == ()


def test_where_clocks_skip_midnight_a_day_begins_when_they_do() -> None:
    document = {
        "version": 1,
        "settings": {"time_zone": "Africa/Cairo"},  # 2026-04-24 begins at 01:00
        "providers": {"openai": {"discount": {"off": "50%", "valid_from": "2026-04-24"}}},
        "policies": {"fast": {"targets": ["openai/small"]}},
    }
    plan = load(document, Book()).plan
    assert plan is not None
    (change,) = plan.targets["openai/small"].price_changes
    cairo = ZoneInfo("Africa/Cairo")
    assert datetime.fromtimestamp(change.at_s, cairo).isoformat() == "2026-04-24T01:00:00+03:00"
    assert datetime.fromtimestamp(change.at_s - 1, cairo).day == 23


def test_a_price_with_days_and_nothing_else_is_unknown_on_the_others() -> None:
    dated = {"context": "8k", "price": {**PLAIN, "valid_from": "2026-12-01"}}
    provider = {"models": {"unpriced": dated}}
    found = load(
        {
            "version": 1,
            "providers": {"openai": provider},
            "policies": {"fast": {"targets": ["openai/unpriced"], "ceiling": {"output_tokens": 9}}},
        },
        Book(),
    )
    assert found.plan is not None
    assert not is_priced(found.plan.targets["openai/unpriced"])
    for today in (None, date(2026, 11, 30), date(2027, 6, 1)):  # whatever day it is
        held = load(
            {
                "version": 1,
                "providers": {"openai": {**provider, "budget": {"per_day": "$9"}}},
                "policies": {"fast": {"targets": ["openai/unpriced"], "ceiling": {"output_tokens": 9}}},
            },
            Book(),
            today=today,
        )
        (error,) = held.errors
        assert "`openai/unpriced` has no known price before 2026-12-01, so the budget `per_day: $9`" in str(
            error
        )


# --- What hangs on no date --------------------------------------------------------------------------------------------

DATED = {"models": {"small": {"price": {**PLAIN, "valid_from": "2026-12-01", "valid_until": "2027-01-01"}}}}


@pytest.mark.parametrize("today", ["2026-11-30", "2026-12-01", "2026-12-31", "2027-01-01", "2030-01-01"])
def test_no_date_makes_an_error(today: str) -> None:
    more = {"ceiling": {"input_tokens": "1k", "output_tokens": 100}, "budget": {"per_day": "$0.0025"}}
    found = loaded(DATED, today=date.fromisoformat(today), **more)
    assert found.errors == ()
    codes = {each.code for each in found.warnings}
    # $0.0028 on the dearest day: told whatever day it is
    assert codes == {"budget-below-attempt", *(["validity-over"] if today >= "2027-01-01" else [])}


def test_max_price_is_held_on_every_day() -> None:
    found = loaded(DATED, max_price={"input_per_million": "$1"})
    told = [str(each) for each in found.errors]
    assert any("`openai/small` is never tried here" in each for each in told)
    assert any("`openai/large` is never tried here" in each for each in told)
    assert loaded(DATED, max_price={"input_per_million": "$10"}).errors == ()


# --- The digest -------------------------------------------------------------------------------------------------------


def test_what_a_price_or_its_days_mean_is_in_the_digest() -> None:
    variants: list[dict[str, Any]] = [
        {},
        {"discount": "20%"},
        {"discount": "21%"},
        {"discount": {"off": "20%", "valid_from": "2026-12-01"}},
        {"discount": {"off": "20%", "valid_from": "2026-12-02"}},
        {"discount": {"off": "20%", "valid_until": "2026-12-02"}},
        {"price": PLAIN},
        {"price": {**PLAIN, "valid_until": "2027-01-01"}},
        {"price": {**PLAIN, "above": {"200k": PLAIN}}},
        {"price": {**PLAIN, "above": {"300k": PLAIN}}},
        {"price": {**PLAIN, "cache_write_1h_per_million": "$9"}},
        {"price": {**PLAIN, "image_input_per_million": "$9"}},
    ]
    plans = [loaded({"models": {"small": each}}).plan for each in variants]
    assert None not in plans
    assert len({each.digest for each in plans if each}) == len(variants)
    same = [{"discount": "20%"}, {"discount": {"off": "20.0%"}}]
    one, other = (loaded({"models": {"small": each}}).plan for each in same)
    assert one is not None
    assert other is not None
    assert one.digest == other.digest
    assert canonical(date(2026, 12, 1)) == "2026-12-01"


@pytest.mark.parametrize(
    "text", ["2026-02-29", "2026-13-01", "2026-1-1", "1999-01-01", "2026-04-31", "2026-12-01T00:00"]
)
def test_a_day_that_there_is_not_is_a_wrong_form(text: str) -> None:
    found = loaded({"discount": {"off": "20%", "valid_from": text}})
    (error,) = found.errors
    assert "must be a date" in str(error)
    assert loaded({"discount": {"off": "20%", "valid_from": "2028-02-29"}}).errors == ()
