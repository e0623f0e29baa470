"""What scopes demand of targets: each kind of refusal, and that demands only add up."""

from hypothesis import given
from hypothesis import strategies as st

from router.decide.demands import refusal
from router.plan import Demand, MaxPrice, Price, PriceTable, Target
from tests.build import PLACE, price, target

DOLLAR = 10**12  # a dollar a million tokens, in atto-USD a token


def demand(owner: str = "tenant:acme", **fields: object) -> Demand:
    return Demand(owner=owner, place=PLACE, **fields)  # type: ignore[arg-type]


def reason(one: Target, *demands: Demand, input_tokens: int | None = None) -> str | None:
    found = refusal(one, demands, input_tokens=input_tokens)
    return found and found[0]


def test_an_allow_lists_names() -> None:
    assert reason(target("openai/a"), demand(allow=frozenset({"openai/a"}))) is None
    assert reason(target("openai/b"), demand(allow=frozenset({"openai/a"}))) == "not_allowed"
    assert reason(target("openai/b"), demand(allow=frozenset())) == "not_allowed"


def test_every_required_label_must_be_there() -> None:
    eu = target(labels=frozenset({"eu", "gpu"}))
    assert reason(eu, demand(require=frozenset({"eu"}))) is None
    assert reason(eu, demand(require=frozenset({"eu", "zero-retention"}))) == "label"


def test_unknown_capabilities_meet_all_needs_and_an_unknown_price_no_ceiling() -> None:
    needs = demand(needs=frozenset({"tools"}))
    assert reason(target(supports=None), needs) is None
    assert reason(target(supports=frozenset({"json"})), needs) == "capability"
    assert reason(target(prices=None), demand(max_price=MaxPrice(output_ausd=9 * DOLLAR))) == "max_price"


def test_prices_are_compared_at_every_tier_that_can_be_reached() -> None:
    cheap, dear = price(1 * DOLLAR, 4 * DOLLAR).tiers[0], price(2 * DOLLAR, 8 * DOLLAR).tiers[0]
    tiers = PriceTable(tiers=(cheap, _above(dear, 200_000)))
    most = demand(max_price=MaxPrice(input_ausd=1 * DOLLAR))
    assert reason(target(prices=tiers), most, input_tokens=200_000) is None
    assert reason(target(prices=tiers), most, input_tokens=200_001) == "max_price"
    assert reason(target(prices=tiers), most) == "max_price"
    assert reason(target(prices=tiers), demand(max_price=MaxPrice(output_ausd=8 * DOLLAR))) is None


def _above(tier: Price, tokens: int) -> Price:
    from dataclasses import replace

    return replace(tier, above_tokens=tokens)


def test_the_detail_names_whose_demand_it_is_and_where_it_is_written() -> None:
    found = refusal(target(), [demand("user:acme%3Ax:*", require=frozenset({"eu"}))], input_tokens=None)
    assert found == (
        "label",
        "it lacks the label `eu`, which each user of `acme:x` (policies/a.yaml:1:1) requires",
    )


LABELS = st.frozensets(st.sampled_from(["eu", "us", "gpu"]))
DEMANDS = st.builds(
    demand,
    allow=st.none() | st.frozensets(st.sampled_from(["openai/a", "openai/b"])),
    require=LABELS,
    max_price=st.none() | st.builds(MaxPrice, input_ausd=st.integers(0, 3), output_ausd=st.none()),
)
TARGETS = st.builds(
    target,
    st.sampled_from(["openai/a", "openai/b"]),
    labels=LABELS,
    prices=st.none() | st.builds(price, st.integers(0, 3), st.integers(0, 3)),
)


@given(TARGETS, st.lists(DEMANDS, max_size=3), DEMANDS)
def test_one_more_demand_never_lets_a_target_in(one: Target, demands: list[Demand], more: Demand) -> None:
    before, after = reason(one, *demands), reason(one, *demands, more)
    assert after is not None if before is not None else after in (None, reason(one, more))
