"""Rolling budgets through whole requests: what is taken, when it is refused, and what rules see of it."""

from dataclasses import replace
from typing import Any

import pytest

from router import events as ev
from router.adapters.scripted_transport import Fails, Says
from router.errors import BudgetExceeded, NoRoute
from router.plan import Budget, BudgetUse, Condition, Rule
from router.values import Kind, Usage
from tests.build import PLACE, budget, plan, policy, tenant
from tests.world import World

ONE = 6 * 50 + 4_096 * 400
"""Nano-USD of the worst case of one attempt at "hello"."""

FULL = Says("x", usage=Usage(input_tokens=6, output_tokens=4_096))
DAY_S = 86_400.0


def rolling(owner: str, amount: int, window: Any = "day", **fields: Any) -> Budget:
    return replace(budget(owner, amount, window), rolling=True, **fields)


def of_acme(*budgets: Budget, rules: tuple[Rule, ...] = (), answer: Says = FULL) -> World:
    acme = tenant("acme", budgets=budgets)
    return World(plan(policy("main", "openai/a", rules=rules), tenants=(acme,)), answer)


def test_a_day_is_any_24_hours_and_the_refusal_says_when_enough_will_have_left() -> None:
    world = of_acme(rolling("tenant:acme", ONE + 5))
    began_s = world.clock.now_s()
    world.call("hello", tenant="acme")
    world.clock.advance(DAY_S - 1)  # another calendar day, and still the same 24 hours
    with pytest.raises(BudgetExceeded) as caught:
        world.call("hello", tenant="acme")
    assert (caught.value.needed, caught.value.available) == (ONE, 5)
    assert "enough has left its window at" in caught.value.help
    resets_at_s = caught.value.resets_at_s
    assert resets_at_s is not None
    assert began_s + DAY_S <= resets_at_s <= began_s + DAY_S * 61 / 60 + 1
    world.clock.advance(resets_at_s - world.clock.now_s())
    assert world.call("hello", tenant="acme").text == "x"
    assert world.facts(ev.Reserved)[0].budgets == ("tenant:acme",)


def test_what_was_not_spent_is_given_back() -> None:
    small = Says("x", usage=Usage(input_tokens=1, output_tokens=0))
    world = of_acme(rolling("tenant:acme", ONE + 50, "hour"), answer=small)
    for _ in range(2):  # 50 each
        world.call("hello", tenant="acme")
    with pytest.raises(BudgetExceeded) as caught:
        world.call("hello", tenant="acme")
    assert caught.value.available == ONE - 50


def test_a_request_counts_once_however_often_it_is_sent() -> None:
    acme = tenant("acme", budgets=(rolling("tenant:acme", 1, "hour", unit="requests"),))
    world = World(
        plan(policy("main", "openai/a", "groq/b"), tenants=(acme,)),
        {"openai/a": Fails(Kind.OVERLOADED, status=503), "groq/b": FULL},
    )
    assert world.call("hello", tenant="acme").target == "groq/b"
    with pytest.raises(BudgetExceeded):
        world.call("hello", tenant="acme")


def test_rules_see_what_the_window_holds() -> None:
    """Beside a calendar window of another length, which has a counter of its own."""
    use = BudgetUse(of="tenant", name=None, window="hour")
    condition = Condition(field="budget_used", budget=use, over=40_000)
    rule = Rule(name="spent", when=(condition,), reject="half of it is spent", place=PLACE)
    world = of_acme(rolling("tenant:acme", 2 * ONE, "hour"), budget("tenant:acme", 9 * ONE), rules=(rule,))
    world.call("hello", tenant="acme")
    with pytest.raises(NoRoute, match="half of it is spent"):
        world.call("hello", tenant="acme")
    world.clock.advance(3_661)
    assert world.call("hello", tenant="acme").text == "x"
