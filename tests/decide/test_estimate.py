"""Money: exact, rounded up once, and never above the worst case that was reserved for it."""

from hypothesis import example, given
from hypothesis import strategies as st

from router.decide.estimate import cost_nusd, worst_nusd
from router.plan import AUSD_PER_NUSD, Price, PriceTable
from router.values import Usage

NUSD = AUSD_PER_NUSD


def price(above: int = 0, **rates: int) -> Price:
    base_in, base_out = rates.pop("input_ausd", 0), rates.pop("output_ausd", 0)
    inputs = ("cached_input_ausd", "cache_write_ausd", "audio_input_ausd", "image_input_ausd")
    parts = {**dict.fromkeys(inputs, base_in), "reasoning_ausd": base_out, "audio_output_ausd": base_out}
    return Price(above_tokens=above, input_ausd=base_in, output_ausd=base_out, **{**parts, **rates})


def table(*tiers: Price, fee: int = 0) -> PriceTable:
    return PriceTable(tiers=tiers, per_request_nusd=fee)


def test_whole_nano_prices_multiply_exactly():
    prices = table(price(input_ausd=150 * NUSD, output_ausd=600 * NUSD), fee=7)
    assert cost_nusd(prices, Usage(input_tokens=1000, output_tokens=10)) == 150_000 + 6_000 + 7


def test_each_part_is_billed_at_its_own_rate_and_the_rest_at_the_base_rate():
    tier = price(
        input_ausd=100 * NUSD,
        output_ausd=1000 * NUSD,
        cached_input_ausd=10 * NUSD,
        cache_write_ausd=125 * NUSD,
        audio_input_ausd=700 * NUSD,
        image_input_ausd=300 * NUSD,
        reasoning_ausd=2000 * NUSD,
        audio_output_ausd=5000 * NUSD,
    )
    usage = Usage(
        input_tokens=100,
        cached_input_tokens=10,
        cache_write_tokens=20,
        audio_input_tokens=5,
        image_input_tokens=3,
        output_tokens=50,
        reasoning_tokens=30,
        audio_output_tokens=4,
    )
    expected_in = 10 * 10 + 20 * 125 + 5 * 700 + 3 * 300 + 62 * 100
    assert cost_nusd(table(tier), usage) == expected_in + 30 * 2000 + 4 * 5000 + 16 * 1000


def test_a_cache_written_for_an_hour_is_a_dearer_part_of_what_was_written():
    tier = price(input_ausd=100 * NUSD, cache_write_ausd=125 * NUSD, cache_write_1h_ausd=200 * NUSD)
    usage = Usage(input_tokens=100, cache_write_tokens=30, cache_write_1h_tokens=10)
    assert cost_nusd(table(tier), usage) == 70 * 100 + 20 * 125 + 10 * 200
    beyond = Usage(input_tokens=100, cache_write_tokens=30, cache_write_1h_tokens=50)
    assert cost_nusd(table(tier), beyond) == 70 * 100 + 30 * 200
    unstated = price(input_ausd=100 * NUSD, cache_write_ausd=125 * NUSD)
    assert cost_nusd(table(unstated), usage) == 70 * 100 + 30 * 125


def test_it_rounds_up_once_over_the_whole_row():
    prices = table(price(input_ausd=NUSD // 4, output_ausd=NUSD // 4))
    assert cost_nusd(prices, Usage(input_tokens=1, output_tokens=1)) == 1
    assert cost_nusd(prices, Usage(input_tokens=2, output_tokens=2)) == 1
    assert cost_nusd(prices, Usage(input_tokens=3, output_tokens=2)) == 2
    assert cost_nusd(prices, Usage()) == 0


def test_a_tier_begins_above_its_threshold_and_prices_the_whole_request():
    prices = table(
        price(input_ausd=NUSD, output_ausd=NUSD), price(200, input_ausd=2 * NUSD, output_ausd=3 * NUSD)
    )
    assert cost_nusd(prices, Usage(input_tokens=200, output_tokens=10)) == 210
    assert cost_nusd(prices, Usage(input_tokens=201, output_tokens=10)) == 402 + 30


def test_the_worst_case_takes_the_dearest_rate_of_every_tier_within_reach():
    cheap_above = price(100, input_ausd=NUSD, output_ausd=9 * NUSD, cache_write_ausd=4 * NUSD)
    prices = table(
        price(input_ausd=5 * NUSD, output_ausd=2 * NUSD, audio_input_ausd=7 * NUSD), cheap_above, fee=3
    )
    assert worst_nusd(prices, input_tokens=100, output_tokens=10, choices=1) == 700 + 20 + 3
    assert worst_nusd(prices, input_tokens=101, output_tokens=10, choices=2) == 707 + 180 + 3


def test_the_worst_case_holds_a_cache_of_an_hour_for_who_asks_for_one():
    tier = price(input_ausd=2 * NUSD, cache_write_1h_ausd=5 * NUSD)
    asked = {"input_tokens": 10, "output_tokens": 0, "choices": 1}
    assert worst_nusd(table(tier), **asked) == 20
    assert worst_nusd(table(tier), **asked, for_an_hour=True) == 50
    assert worst_nusd(table(price(input_ausd=2 * NUSD)), **asked, for_an_hour=True) == 20


def test_the_worst_case_rounds_each_product_up():
    prices = table(price(input_ausd=1, output_ausd=1))
    assert worst_nusd(prices, input_tokens=1, output_tokens=1, choices=1) == 2
    assert worst_nusd(prices, input_tokens=0, output_tokens=0, choices=1) == 0


def test_parts_that_exceed_the_whole_are_billed_once_dearest_first():
    tier = price(
        input_ausd=10 * NUSD, output_ausd=10 * NUSD, cached_input_ausd=NUSD, audio_input_ausd=50 * NUSD
    )
    overlapping = Usage(input_tokens=10, cached_input_tokens=10, audio_input_tokens=4)
    assert cost_nusd(table(tier), overlapping) == 4 * 50 + 6 * 1
    beyond = Usage(input_tokens=10, cached_input_tokens=1_000)
    assert cost_nusd(table(tier), beyond) == 10


def test_negative_counts_cost_nothing_and_give_nothing_back():
    prices = table(price(input_ausd=NUSD, output_ausd=NUSD))
    usage = Usage(input_tokens=-5, output_tokens=3, cached_input_tokens=-9, reasoning_tokens=-2)
    assert cost_nusd(prices, usage) == 3
    assert worst_nusd(prices, input_tokens=-1, output_tokens=-1, choices=1) == 0


rates = st.integers(0, 10**15)
tiers = st.builds(
    Price,
    above_tokens=st.just(0),
    input_ausd=rates,
    output_ausd=rates,
    cached_input_ausd=rates,
    cache_write_ausd=rates,
    audio_input_ausd=rates,
    image_input_ausd=rates,
    reasoning_ausd=rates,
    audio_output_ausd=rates,
    cache_write_1h_ausd=st.none() | rates,
)


@st.composite
def price_tables(draw) -> PriceTable:
    thresholds = sorted(draw(st.sets(st.integers(1, 500_000), max_size=3)))
    first, *rest = (draw(tiers) for _ in range(len(thresholds) + 1))
    later = (
        Price(**{**{name: getattr(tier, name) for name in Price.__slots__}, "above_tokens": above})
        for tier, above in zip(rest, thresholds, strict=True)
    )
    return PriceTable(tiers=(first, *later), per_request_nusd=draw(st.integers(0, 10**9)))


counts = st.integers(-(10**6), 10**6)
usages = st.builds(Usage, **dict.fromkeys([name for name in Usage.__slots__ if name != "reported"], counts))


@given(prices=price_tables(), usage=usages, spare=st.integers(0, 10**5), choices=st.integers(1, 5))
@example(prices=table(price(input_ausd=1, output_ausd=1)), usage=Usage(input_tokens=1), spare=0, choices=1)
def test_no_usage_within_its_bounds_costs_more_than_the_worst_case(prices, usage, spare, choices):
    each = -(-max(usage.output_tokens, 0) // choices)
    worst = worst_nusd(
        prices,
        input_tokens=usage.input_tokens + spare,
        output_tokens=each + spare,
        choices=choices,
        for_an_hour=usage.cache_write_1h_tokens > 0,
    )
    assert 0 <= cost_nusd(prices, usage) <= worst


@given(prices=price_tables(), usage=usages)
def test_another_token_never_makes_a_row_cheaper_within_one_tier(prices, usage):
    tier = table(prices.tiers[0])
    more = Usage(
        **{**{name: getattr(usage, name) for name in Usage.__slots__}, "input_tokens": usage.input_tokens + 1}
    )
    assert cost_nusd(tier, more) >= cost_nusd(tier, usage)
