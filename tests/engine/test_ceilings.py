"""Ceilings of tenants, users and policies in whole requests; pools; budgets in tokens."""

from dataclasses import replace
from typing import Any

import pytest

from router import events as ev
from router.adapters.scripted_transport import Fails, Says
from router.errors import BudgetExceeded, NoRoute
from router.plan import CacheRule, Ceiling, Demand, Each, Plan
from router.policy.load import load
from router.values import Kind, Usage
from tests.build import PLACE, budget, lexical, plan, policy, target, tenant
from tests.policy.books import Book
from tests.world import World


def compiled(text: dict[str, Any]) -> Plan:
    found = load({"version": 1, "providers": {"openai": {}, "anthropic": {}}, **text}, Book())
    assert found.plan is not None, found.problems
    return found.plan


def demand(owner: str, **fields: Any) -> Demand:
    return Demand(owner=owner, place=PLACE, **fields)


def test_demands_of_tenant_user_and_policy_add_up() -> None:
    each = Each(
        of="user",
        demand=demand("user:acme:*", require=frozenset({"eu"})),
        budgets=(),
        limits=(),
        place=PLACE,
    )
    world = World(
        plan(
            policy("main", "openai/a", "openai/b", "openai/c", "openai/d"),
            tenants=(
                tenant("acme", demand=demand("tenant:acme", allow=frozenset({"openai/b", "openai/c"}))),
                tenant("acme/x", each=(each,)),
            ),
            targets=(target("openai/c", labels=frozenset({"eu"})), target("openai/b", disabled_at=PLACE)),
        )
    )
    assert world.call(tenant="acme/x", user="u").target == "openai/c"
    assert {drop.target: drop.reason for drop in world.facts(ev.CandidateDropped)} == {
        "openai/a": "not_allowed",
        "openai/b": "disabled",
        "openai/d": "not_allowed",
    }


def test_a_nested_policy_keeps_the_demands_of_the_one_that_leads_to_it() -> None:
    outer = policy("main", "inner", demand=demand("policy:main", needs=frozenset({"tools"})))
    able, unable = target("openai/a", supports=frozenset({"tools"})), target("openai/b", supports=frozenset())
    world = World(plan(outer, policy("inner", "openai/b", "openai/a"), targets=(able, unable)))
    assert world.call().target == "openai/a"
    with pytest.raises(NoRoute):
        world.call(only=("openai/b",))


def test_a_tenants_ceiling_lowers_what_is_sent() -> None:
    ceiling = Ceiling(output_tokens=50, attempts=1)
    world = World(
        plan(policy("main", "openai/a", "openai/b"), tenants=(tenant("acme", ceiling=ceiling),)),
        {"openai/a": Says("hi"), "openai/b": Says("hi")},
    )
    world.call(tenant="acme", params={"max_tokens": 500})
    assert world.transport.calls[0].params["max_tokens"] == 50
    failing = World(world.plan, {"openai/a": Fails(Kind.SERVER_ERROR), "openai/b": Says("hi")})
    with pytest.raises(Exception, match=r"ceiling\.attempts"):
        failing.call(tenant="acme")
    assert failing.targets() == ["openai/a"]


def test_content_that_may_never_be_cached_is_neither_kept_nor_served() -> None:
    cached = policy("main", "openai/a", cache=CacheRule(ttl_s=60, scope="shared", sampled=True))
    tenants = (tenant("acme"), tenant("acme/legal", never=frozenset({"cache"})))
    world = World(plan(cached, tenants=tenants))
    assert not world.call(tenant="acme").cached
    assert world.call(tenant="acme").cached
    assert not world.call(tenant="acme/legal").cached
    assert not world.call(tenant="acme/legal").cached
    assert [fact.why for fact in world.facts(ev.CacheSkipped)] == ["content_never", "content_never"]


POOLED = {
    "budgets": {"canary": {"per_day": "$1"}},
    "policies": {
        "one": {
            "targets": ["openai/small"],
            "ceiling": {"output_tokens": 1000},
            "budget": {"pool": "canary"},
        },
        "two": {
            "targets": ["openai/small"],
            "ceiling": {"output_tokens": 1000},
            "budget": {"pool": "canary", "per_day": "$5"},
        },
    },
}


def test_a_pool_is_spent_by_all_who_name_it() -> None:
    world = World(compiled(POOLED), Says("x", usage=Usage(input_tokens=0, output_tokens=400_000)))
    world.call(policy="one")  # $0.80: above its bound, and recorded in full
    world.call(policy="two")
    with pytest.raises(BudgetExceeded) as caught:
        world.call(policy="one")
    assert caught.value.budget == "pool:canary"
    with pytest.raises(BudgetExceeded):
        world.call(policy="two")


def test_one_pool_met_twice_on_a_path_is_charged_once() -> None:
    text = {
        "budgets": {"canary": {"per_request": "$1", "per_day": "$1"}},
        "policies": {
            "inner": {
                "targets": ["openai/small"],
                "ceiling": {"output_tokens": 9},
                "budget": {"pool": "canary"},
            },
            "main": {"targets": [{"policy": "inner"}], "budget": {"pool": "canary"}},
        },
    }
    world = World(compiled(text), [Fails(Kind.TIMEOUT), Says("x")])
    world.call()
    counted = {counter.owner: held for row in world.rows() for counter, held in row.counters}
    assert set(counted) == {"pool:canary"}


TOKENS = {
    "policies": {
        "main": {
            "targets": ["openai/small"],
            "ceiling": {"output_tokens": 100},
            "retry": {"attempts": 3},
            "budget": {"tokens_per_request": 250, "tokens_per_day": 1000},
        }
    }
}


def test_a_budget_in_tokens_refuses_what_does_not_fit() -> None:
    world = World(compiled(TOKENS), Says("x", usage=Usage(input_tokens=5, output_tokens=85)))
    for _ in range(10):  # 90 tokens each
        world.call("hello")
    with pytest.raises(BudgetExceeded) as caught:
        world.call("hello")
    assert (caught.value.needed, caught.value.available) == (106, 100)
    assert "100 tokens left of `tokens_per_day: 1000`" in caught.value.message


def test_tokens_of_one_request_add_up_over_its_attempts() -> None:
    late = Fails(Kind.TIMEOUT, after_s=1)  # charged at its worst case: 106 tokens
    world = World(compiled(TOKENS), [late, late, Says("x")])
    with pytest.raises(Exception, match="tokens_per_request"):
        world.call("hello")
    assert len(world.targets()) == 2


def test_a_token_budget_refuses_input_that_nothing_bounds_and_a_free_model_too() -> None:
    free = {"models": {"small": {"price": "free"}}}
    text = {**TOKENS, "providers": {"openai": free}}
    world = World(compiled(text))
    with pytest.raises(NoRoute, match="a token budget holds here"):
        world.call("hello", params={"web_search_options": {}})
    assert world.call("hello").target == "openai/small"


def test_an_allowance_in_money_is_none_in_tokens() -> None:
    main = replace(
        policy("main", "openai/a"),
        ceiling=Ceiling(added_cost_nusd=10**9),
        budgets=(budget("policy:main", 10**12),),
    )
    searched = {"web_search_options": {}}
    assert World(plan(main)).call(params=searched).target == "openai/a"
    tokens = replace(budget("policy:main", 10**9), unit="tokens")
    with pytest.raises(NoRoute):
        World(plan(replace(main, budgets=(*main.budgets, tokens)))).call(params=searched)


def test_a_target_that_a_tight_ceiling_keeps_out_on_one_path_is_reached_on_another() -> None:
    tight = policy("tight", "openai/a", ceiling=Ceiling(input_tokens=10))
    world = World(plan(policy("main", "tight", "openai/a"), tight), Says("x"))
    world.call("x" * 100)
    assert [(each.policy, each.reason) for each in world.facts(ev.CandidateDropped)] == [
        ("tight", "input_ceiling")
    ]
    world.call("x")
    assert [(each.policy, each.reason) for each in world.facts(ev.CandidateDropped)[1:]] == [
        ("main", "duplicate")
    ]
    assert world.targets() == ["openai/a", "openai/a"]


def test_a_pool_that_each_user_spends_from_is_one_pool() -> None:
    text = {
        "budgets": {"canary": {"per_day": "$1"}},
        "policies": {"main": {"targets": ["openai/small"], "ceiling": {"output_tokens": 100}}},
        "tenants": {"acme": {"policies": "all", "each": {"user": {"budget": {"pool": "canary"}}}}},
    }
    world = World(compiled(text), Says("x", usage=Usage(input_tokens=0, output_tokens=500_000)))
    world.call(tenant="acme", user="ann")  # $1: all of it
    with pytest.raises(BudgetExceeded) as caught:
        world.call(tenant="acme", user="bob")
    assert caught.value.budget == "pool:canary"


def test_an_input_that_fills_its_context_is_within_a_ceiling_above_that() -> None:
    small = target("openai/a", context_tokens=20)
    world = World(
        plan(policy("main", "openai/a", ceiling=Ceiling(input_tokens=30)), targets=(small,)), Says("x")
    )
    world.call("x" * 60)  # 16 tokens, 61 at most: more than the model takes
    assert world.facts(ev.Reserved)[0].input_tokens == 20


def test_a_target_on_two_paths_is_judged_by_the_input_of_each() -> None:
    """What the second path adds to the input says nothing of the first."""
    plain = policy("plain", "openai/a", ceiling=Ceiling(input_tokens=20))
    searching = policy(
        "searching",
        "openai/a",
        ceiling=Ceiling(input_tokens=50),
        lexical=lexical(params={"web_search_options": {}}),
    )
    main = policy("main", "plain", "searching", budgets=(budget("policy:main", 10**12),))
    world = World(plan(main, plain, searching))
    assert world.call("hello").target == "openai/a"
    assert "web_search_options" not in world.transport.calls[0].params


def test_an_input_that_can_not_be_counted_is_said_to_fill_its_context() -> None:
    """As a PDF is: its bound is the whole context, however short it is."""
    small = replace(target("openai/a"), context_tokens=50)
    tight = policy("main", "openai/a", ceiling=Ceiling(input_tokens=10))
    world = World(plan(tight, targets=(small,)))
    with pytest.raises(NoRoute, match=r"may fill its context of 50 tokens, and the ceiling is 10\n"):
        world.call("x" * 100)
    with pytest.raises(NoRoute, match=r"may reach \d+ tokens, and the ceiling is 10\n"):
        World(plan(tight)).call("x" * 100)
