"""Prices with days, in the engine: a call is priced by the moment of its reservation, and no budget is passed at
midnight."""

from datetime import date

import pytest

from router import events as ev
from router.adapters.clocks import ManualClock
from router.adapters.scripted_transport import Fails, Says
from router.errors import BudgetExceeded, NoRoute
from router.plan import Ceiling, Plan, PriceChange, PriceTable, RetryRule
from router.values import Kind, Usage
from tests.build import budget, lexical, plan, policy, price, target
from tests.world import World

MIDNIGHT_S = 1_796_083_200.0  # 2026-12-01 in UTC
DOLLAR = 10**12
CHEAP, DEAR = price(DOLLAR, 2 * DOLLAR), price(3 * DOLLAR, 8 * DOLLAR)
USED = Usage(input_tokens=10, output_tokens=20)
AT_MOST = 6 * 1_000 + 400 * 2_000  # "hello" is at most 6 tokens, and 400 may come, before midnight


def dated(before: PriceTable | None, after: PriceTable | None, **fields: object) -> Plan:
    change = PriceChange(day=date(2026, 12, 1), at_s=MIDNIGHT_S, prices=after)
    one = target("openai/a", prices=before, price_changes=(change,))
    return plan(policy("main", "openai/a", ceiling=Ceiling(output_tokens=400), **fields), targets=(one,))


def at(at_s: float) -> ManualClock:
    return ManualClock(now_s=at_s)


def test_a_call_reserved_before_midnight_is_priced_by_that_however_late_it_ends() -> None:
    world = World(dated(CHEAP, DEAR), Says("hi", usage=USED, after_s=5.0), clock=at(MIDNIGHT_S - 1.0))
    assert world.call().cost_nusd == 10 * 1_000 + 20 * 2_000
    assert world.clock.now_s() > MIDNIGHT_S
    assert world.call().cost_nusd == 10 * 3_000 + 20 * 8_000
    assert [row.worst_nusd for row in world.rows()] == [AT_MOST, 6 * 3_000 + 400 * 8_000]


def test_a_second_send_after_midnight_is_reserved_at_the_new_price() -> None:
    retry = RetryRule(attempts=2, base_s=0.2, max_s=2.0, on=frozenset({Kind.SERVER_ERROR}))
    script = [Fails(Kind.SERVER_ERROR, status=500, after_s=2.0), Says("hi", usage=USED)]
    world = World(dated(CHEAP, DEAR, lexical=lexical(retry=retry)), script, clock=at(MIDNIGHT_S - 1.0))
    assert world.call().cost_nusd == 10 * 3_000 + 20 * 8_000
    assert [event.worst_nusd for event in world.facts(ev.Reserved)] == [AT_MOST, 6 * 3_000 + 400 * 8_000]


def test_a_budget_that_paid_yesterday_refuses_todays_price() -> None:
    held = budget("policy:main", AT_MOST, "total")
    world = World(dated(CHEAP, DEAR, budgets=(held,)), Says("hi", usage=USED), clock=at(MIDNIGHT_S))
    with pytest.raises(BudgetExceeded):
        world.call()
    earlier = World(dated(CHEAP, DEAR, budgets=(held,)), Says("hi", usage=USED), clock=at(MIDNIGHT_S - 0.001))
    assert earlier.call().cost_nusd == 10 * 1_000 + 20 * 2_000


@pytest.mark.parametrize("at_s", [MIDNIGHT_S - 1.0, MIDNIGHT_S])
def test_a_price_that_is_unknown_on_some_day_is_unknown_under_a_hard_budget(at_s: float) -> None:
    held = budget("policy:main", 10**9)
    world = World(dated(CHEAP, None, budgets=(held,)), Says("hi", usage=USED), clock=at(at_s))
    with pytest.raises(NoRoute) as caught:
        world.call()
    assert "its price is unknown on some days, and a hard budget holds here" in str(caught.value)


def test_without_a_budget_a_call_of_unknown_price_is_sent_and_costs_nobody_knows_what() -> None:
    world = World(dated(CHEAP, None), Says("hi", usage=USED), clock=at(MIDNIGHT_S - 1.0))
    assert world.call().cost_nusd == 10 * 1_000 + 20 * 2_000
    world.clock.advance(2.0)
    assert world.call().cost_nusd is None
