"""Budgets and limits in shadow: counted and told, and nothing is refused for them."""

from dataclasses import replace
from typing import Any

import pytest

from router import events as ev
from router.adapters.scripted_transport import NeverAnswers, Says
from router.decide.bounds import policy_bounds
from router.errors import BudgetExceeded, LimitExceeded
from router.plan import Budget, Ceiling, Limit
from router.values import Usage
from tests.build import PLACE, budget, plan, policy, target, tenant
from tests.world import World

ANSWER = Says("x", usage=Usage(input_tokens=6, output_tokens=4_096))
ONE = 6 * 50 + 4_096 * 400
"""Nano-USD of the worst case of one attempt at "hello", and what its answer costs."""


def tried(owner: str, amount: int, window: Any = "day", **fields: Any) -> Budget:
    return replace(budget(owner, amount, window), shadow=True, **fields)


def limit(unit: Any, at_most: int, window_s: float = 60.0, *, shadow: bool = True) -> Limit:
    text = f"{unit}: {at_most}"
    return Limit(
        owner="tenant:acme",
        unit=unit,
        window_s=window_s,
        at_most=at_most,
        shadow=shadow,
        place=PLACE,
        text=text,
    )


def of_acme(*budgets: Budget, limits: tuple[Limit, ...] = ()) -> World:
    acme = tenant("acme", budgets=budgets, limits=limits)
    return World(plan(policy("main", "openai/a"), tenants=(acme,)), ANSWER)


def told(world: World) -> list[tuple[str, str | None, int, int]]:
    return [(each.rule, each.target, each.needed, each.available) for each in world.facts(ev.ShadowExceeded)]


def test_what_would_have_been_refused_passes_and_is_told_with_the_line_and_the_number() -> None:
    world = of_acme(tried("tenant:acme", ONE + 5))
    for _ in range(2):
        assert world.call("hello", tenant="acme").text == "x"
    (event,) = world.facts(ev.ShadowExceeded)
    assert (event.owner, event.rule, event.place) == ("tenant:acme", f"per_day: {ONE + 5}", PLACE)
    assert (event.target, event.needed, event.available) == ("openai/a", ONE, 5)
    assert event.resets_at_s is not None
    assert event.seq == world.facts(ev.Reserved)[1].seq
    assert [row.cost_nusd for row in world.rows()] == [ONE, ONE]


def test_a_hard_budget_beside_it_still_refuses_and_then_nothing_is_told_of_the_other() -> None:
    world = of_acme(tried("tenant:acme", 5), budget("tenant:acme", ONE, "month"))
    world.call("hello", tenant="acme")
    with pytest.raises(BudgetExceeded, match="per_month"):
        world.call("hello", tenant="acme")
    assert told(world) == [("per_day: 5", "openai/a", ONE, 5)]


def test_one_request_may_go_over_what_is_in_shadow_for_it() -> None:
    capped = policy("main", "openai/a", budgets=(tried("policy:main", 2 * ONE - 1, "request"),))
    world = World(plan(capped), [NeverAnswers(), ANSWER])
    assert world.call("hello").text == "x"
    assert told(world) == [(f"per_request: {2 * ONE - 1}", "openai/a", ONE, ONE - 1)]
    assert world.facts(ev.ShadowExceeded)[0].seq is None


@pytest.mark.parametrize(
    ("rate", "expected"),
    [
        (limit("requests", 1), ("requests: 1", None, 1, 0)),
        (limit("tokens", 4_200), ("tokens: 4200", "openai/a", 4_102, 98)),
    ],
    ids=["requests", "tokens"],
)
def test_limits_in_shadow_are_told(rate: Limit, expected: tuple[str, str | None, int, int]) -> None:
    world = of_acme(limits=(rate,))
    for _ in range(2):
        world.call("hello", tenant="acme")
    assert told(world) == [expected]
    (event,) = world.facts(ev.ShadowExceeded)
    assert 60 <= event.resets_at_s - world.clock.now_s() <= 61.1


def test_a_hard_limit_beside_one_in_shadow_still_refuses() -> None:
    world = of_acme(limits=(limit("requests", 1), limit("requests", 2, 3600.0, shadow=False)))
    for _ in range(2):
        world.call("hello", tenant="acme")
    with pytest.raises(LimitExceeded, match="requests: 2"):
        world.call("hello", tenant="acme")
    assert len(told(world)) == 1


def test_it_asks_for_no_price_and_no_bound() -> None:
    """Law 1: it is no promise, so nothing is kept from a call for its sake."""
    odd = target("openai/a", prices=None, max_output_tokens=None)
    acme = tenant("acme", budgets=(tried("tenant:acme", 5),))
    world = World(plan(policy("main", "openai/a"), targets=(odd,), tenants=(acme,)), ANSWER)
    assert world.call("hello", tenant="acme", params={"web_search_options": {}}).text == "x"
    hard = replace(world.plan, tenants={"acme": tenant("acme", budgets=(budget("tenant:acme", 5),))})
    world.plan = hard
    with pytest.raises(Exception, match="its price is unknown"):
        world.call("hello", tenant="acme")


def test_it_lowers_no_bound() -> None:
    open_ = policy("main", "openai/a", ceiling=Ceiling(input_tokens=100))
    bound = policy_bounds(plan(open_), open_)
    for cap in (tried("policy:main", 5, "request"), budget("policy:main", 5, "request")):
        capped = replace(open_, budgets=(cap,))
        assert (policy_bounds(plan(capped), capped) == bound) is cap.shadow
