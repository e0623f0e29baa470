"""Cells: brute force over a grid of requests finds each in exactly one, with the verdict that the engine gives it."""

from dataclasses import replace
from datetime import datetime
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.decide.axes import Witness
from router.decide.callers import callers_of
from router.decide.cells import Cell, cells, outcome
from router.decide.match import match
from router.decide.scopes import caller
from router.plan import BudgetUse, Condition, LocalTime, Plan, Policy, Rule
from tests.build import PLACE, budget, entry, plan, policy, tenant
from tests.rule_parts import EACH, TENANTS, grid, plans


def verdict(whole: Plan, cell: Cell, asked: Witness) -> tuple[tuple[str, str | None], ...]:
    """How the engine's own matching comes out, with the budgets that this caller has."""
    like = replace(cell, witness=asked).snapshot(whole)
    found = match(whole, whole.policies["main"], caller(whole, asked.request("main")), like, lambda _: None)
    return tuple(
        dict.fromkeys((name, each.rule.name if each.rule else None) for name, each in found.verdicts)
    )


@settings(max_examples=30, deadline=None)
@given(plans(), st.integers(0, 2**32))
def test_every_request_lies_in_one_cell_and_is_treated_as_its_cell_is(whole: Plan, seed: int) -> None:
    every = {name: list(cells(whole, "main", tenants=[name])) for name in TENANTS}
    asked = list(grid(whole))
    for each in Random(seed).sample(asked, min(len(asked), 100)):
        (home,) = [cell for cell in every[each.tenant or ""] if cell.holds(each, whole)]
        assert verdict(whole, home, each) == home.choices[0]
    for cell in (cell for found in every.values() for cell in found):
        assert cell.holds(cell.witness, whole)
        assert verdict(whole, cell, cell.witness) == cell.choices[0]


@settings(max_examples=12, deadline=None)
@given(plans())
def test_a_rule_is_met_by_a_cell_just_where_some_request_meets_it(whole: Plan) -> None:
    asked = list(grid(whole))
    if len(asked) > 3_000:
        asked = Random(0).sample(asked, 3_000)
    by_cells = {choice for each in cells(whole, "main") for choice in each.choices[0]}
    some = next(iter(cells(whole, "main")))
    by_force = {choice for each in asked for choice in verdict(whole, some, each)}
    assert by_force <= by_cells
    if len(asked) < 3_000:
        assert by_force == by_cells


@settings(max_examples=15, deadline=None)
@given(plans(), plans())
def test_two_plans_treat_a_common_cell_alike_each_for_itself(old: Plan, new: Plan) -> None:
    for cell in list(cells(old, "main", against=new))[:50]:
        assert (verdict(old, cell, cell.witness), verdict(new, cell, cell.witness)) == cell.choices
    changed = {
        (before, after) for cell in cells(old, "main", against=new) for before, after in [cell.choices]
    }
    asked = list(grid(new))
    for each in Random(1).sample(asked, min(len(asked), 100)):
        some = next(iter(cells(old, "main", tenants=[each.tenant])))
        assert (verdict(old, some, each), verdict(new, some, each)) in changed


def main_of(*rules: Rule, **fields: Any) -> Policy:
    return policy("main", "openai/a", rules=rules, **fields)


def rule(name: str, *when: Condition) -> Rule:
    return Rule(name=name, when=when, entries=(entry("groq/b"),), place=PLACE)


LONG = Condition(field="input_tokens", over=60_000)
NIGHT = Condition(field="local_time", local_time=LocalTime(from_min=1320, to_min=360, days=frozenset({0})))
WITNESSES = {
    "any request": (),
    "60001 tokens of input": (LONG,),
    "tag a": (Condition(field="tag", any_of=("a",)),),
    "no tag": (),
    "not streamed": (Condition(field="stream", is_true=False),),
    "user other": (Condition(field="user", any_of=("ann",), negated=True),),
    "needs tools": (Condition(field="needs", any_of=("tools", "vision")),),
    "max_tokens=100": (Condition(field="output_tokens", up_to=400),),
    "Monday 22:00": (NIGHT,),
    "the policy's budget per day spent $0.800000001": (
        Condition(field="budget_used", over=80_000, budget=BudgetUse(of="policy", name=None, window="day")),
    ),
}


@pytest.mark.parametrize("text", [each for each in WITNESSES if WITNESSES[each]])
def test_a_witness_says_what_matters(text: str) -> None:
    whole = plan(main_of(rule("it", *WITNESSES[text]), budgets=(budget("policy:main", 10**9),)))
    (held,) = [each for each in cells(whole, "main") if each.choices == ((("main", "it"),),)]
    assert str(held.witness) == text


def test_a_policy_without_rules_is_one_cell() -> None:
    (only,) = cells(plan(policy("main", "openai/a")), "main")
    assert (str(only.witness), only.choices) == ("any request", ((),))


def test_the_outcome_of_a_cell_is_that_of_the_engine() -> None:
    whole = plan(main_of(rule("long", LONG)), tenants=(tenant("acme"),))
    found = {
        str(each.witness): [one.target.name for one in outcome(whole, each).route.candidates]
        for each in cells(whole, "main")
    }
    assert found == {
        "tenant acme, 60001 tokens of input": ["groq/b"],
        "tenant acme, 100 tokens of input": ["openai/a"],
    }


def test_tenants_that_nothing_tells_apart_are_one_class() -> None:
    many = tuple(tenant(f"t{at}", "main") for at in range(50))
    odd = (tenant("spender", "main", budgets=(budget("tenant:spender", 5 * 10**9),)), tenant("out", "spare"))
    whole = plan(main_of(rule("long", LONG)), policy("spare", "openai/a"), tenants=(*many, *odd))
    assert len(callers_of(whole).classes) == 3
    assert {each.witness.tenant for each in cells(whole, "main")} == {"t0", "spender"}


def test_a_named_tenant_and_an_unnamed_child_stand_for_themselves() -> None:
    named = Condition(field="tenant", any_of=("acme/beta",))
    whole = plan(
        main_of(rule("beta", named)), tenants=(tenant("acme", "main", each=EACH), tenant("zoo", "main"))
    )
    found = {each.witness.tenant: each.choices[0][0][1] for each in cells(whole, "main")}
    assert found == {"acme": None, "zoo": None, "acme/any": None, "acme/beta": "beta"}


def test_many_tags_are_cut_short_and_it_is_said() -> None:
    rules = [rule(f"r{at}", Condition(field="tag", any_of=(f"t{at}",))) for at in range(10)]
    assert not next(iter(cells(plan(main_of(*rules)), "main"))).complete


def test_local_times_are_those_of_the_week_of_the_witness() -> None:
    (night,) = [each for each in cells(plan(main_of(rule("it", NIGHT))), "main") if each.choices[0][0][1]]
    local = night.snapshot(plan(main_of(rule("it", NIGHT)))).local
    assert (local.weekday(), local.time()) == (0, datetime(2026, 1, 5, 22).time())


def test_policies_that_stand_twice_on_every_level_are_looked_at_once() -> None:
    """Thirty levels of them would be a thousand million places."""
    levels = [policy(f"p{at}", f"p{at + 1}", f"p{at + 1}") for at in range(30)]
    last = policy("p30", "openai/a", rules=(rule("long", LONG),))
    found = list(cells(plan(*levels, last), "p0"))
    assert [each.choices for each in found] == [((("p30", "long"),),), ((("p30", None),),)]


def test_rules_may_be_many() -> None:
    tagged = [rule(f"r{at}", Condition(field="input_tokens", over=10_000 - at)) for at in range(400)]
    assert len(list(cells(plan(main_of(*tagged)), "main"))) == 401
