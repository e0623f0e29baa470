"""A rule is called dead just where brute force over a grid of requests never sees it win, and never by a guess."""

from dataclasses import replace
from random import Random

import pytest
from hypothesis import assume, given, settings

from router.decide.axes import Witness
from router.decide.cells import Cell, cells
from router.decide.conditions import first_match
from router.decide.match import match
from router.decide.scopes import caller
from router.errors import Problem
from router.plan import Condition, Plan, Rule
from router.policy.load import load_text
from router.policy.rule_checks import rules_in_themselves, rules_of_callers
from tests.build import PLACE, entry, plan, policy
from tests.policy.books import Book
from tests.policy.drafts import draft
from tests.rule_parts import grid, plans

CODE = " [rule-never-reached]"
HEAD = "version: 1\nproviders: {openai: {}, anthropic: {}, gemini: {}}\n"


def told(whole: Plan) -> list[Problem]:
    return [*rules_in_themselves(draft(whole)), *rules_of_callers(draft(whole))]


def dead(whole: Plan) -> set[str]:
    """The names of the rules that are said to be never reached."""
    found = [each for each in told(whole) if each.code == "rule-never-reached"]
    return {each.message.split("`")[1] for each in found}


@settings(max_examples=30, deadline=None)
@given(plans())
def test_a_rule_is_dead_just_where_no_request_reaches_it(whole: Plan) -> None:
    asked = list(grid(whole))
    sampled = len(asked) > 2_000
    asked = Random(0).sample(asked, 2_000) if sampled else asked
    some = next(iter(cells(whole, "main")))
    reached = {rule for each in asked for rule in winners(whole, some, each)}
    assert dead(whole).isdisjoint(reached)
    assume(not sampled)
    every = {rule.name for rule in whole.policies["main"].rules if not any(map(is_empty, rule.when))}
    assert dead(whole) & every == every - reached


def is_empty(condition: Condition) -> bool:
    """Nothing is between its bounds: told where it stands, and not again of its rule."""
    return condition.over is not None and condition.up_to is not None and condition.over >= condition.up_to


def winners(whole: Plan, some: Cell, asked: Witness) -> list[str]:
    snapshot = replace(some, witness=asked).snapshot(whole)
    who = caller(whole, asked.request("main"))
    found = match(whole, whole.policies["main"], who, snapshot, lambda _: None)
    return [each.rule.name for _, each in found.verdicts if each.rule]


@settings(max_examples=40, deadline=None)
@given(plans())
def test_what_is_told_of_a_policy_alone_is_never_wrong(whole: Plan) -> None:
    """Whatever the tenants are: rules that the first of these requests reach are not among the dead."""
    found = [each for each in rules_in_themselves(draft(whole)) if each.code == "rule-never-reached"]
    names = {each.message.split("`")[1] for each in found}
    some = next(iter(cells(whole, "main")))
    asked = list(grid(whole))
    for each in Random(2).sample(asked, min(len(asked), 300)):
        assert names.isdisjoint(winners(whole, some, each))


def main_of(*whens: tuple[Condition, ...]) -> Plan:
    rules = tuple(
        Rule(name=f"r{at}", when=when, entries=(entry(f"groq/m{at}"),), place=PLACE)
        for at, when in enumerate(whens)
    )
    return plan(policy("main", "openai/a", rules=rules))


def over(tokens: int, negated: bool = False) -> Condition:
    return Condition(field="input_tokens", over=tokens, negated=negated)


def up_to(tokens: int) -> Condition:
    return Condition(field="input_tokens", up_to=tokens)


def tag(*names: str, negated: bool = False) -> Condition:
    return Condition(field="tag", any_of=names, negated=negated)


def stream(value: bool) -> Condition:
    return Condition(field="stream", is_true=value)


NEVER = {
    "the complement of both before it": ([(over(10),), (up_to(10),), (tag("a"),)], {"r2"}),
    "unknown is no complement": ([(tag("a"),), (tag("a", negated=True),), (stream(False),)], set()),
    "three that cover it between them": (
        [(over(20),), (up_to(10),), (stream(True),), (stream(False),), (over(5),)],
        {"r4"},
    ),
    "a gap of one token": ([(over(20),), (up_to(19),), (stream(True),)], set()),
    "not over is up to": ([(over(20, negated=True),), (over(20),), (tag("a"),)], {"r2"}),
    "both and neither tag": (
        [(tag("a", "b"),), (tag("a"), tag("b", negated=True)), (tag("b"),)],
        {"r1", "r2"},
    ),
    "a tag that is and is not": ([(tag("a"), tag("a", negated=True))], {"r0"}),
    "two tags at once": ([(tag("a"), tag("b", negated=True)), (tag("b"),), (tag("a"),)], {"r2"}),
}


@pytest.mark.parametrize("case", NEVER)
def test_what_is_never_reached(case: str) -> None:
    whens, expected = NEVER[case]
    assert dead(main_of(*whens)) == expected


def test_the_rules_that_hide_it_are_named_and_no_others() -> None:
    (found,) = [
        each
        for each in told(main_of((tag("x"),), (over(10),), (up_to(10),), (stream(True),)))
        if each.code == "rule-never-reached"
    ]
    assert "`r1`" in found.message
    assert "`r2`" in found.message
    assert "`r0`" not in found.message


def text_problems(body: str) -> list[str]:
    loaded = load_text(f"{HEAD}{body}", Book(), file="a.yaml")
    return [f"{each.place.line}: {each.message} [{each.code}]" for each in loaded.problems]


def test_a_rule_about_tenants_that_may_not_call_is_dead() -> None:
    found = text_problems(
        "policies:\n"
        "  fast:\n"
        "    targets: [openai/small]\n"
        "    rules:\n"
        "      - {name: others, when: {tenant: [other]}, reject: no}\n"
        "  spare: {targets: [openai/small]}\n"
        "tenants:\n"
        "  acme: {policies: [fast]}\n"
        "  other: {policies: [spare]}\n"
    )
    assert found == [
        "7: rule `others` is never reached: no caller of policy `fast` is one of the tenants that it is about"
        + CODE
    ]


def test_a_rule_about_a_budget_that_no_caller_has_is_dead() -> None:
    found = text_problems(
        "policies:\n"
        "  fast:\n"
        "    targets: [openai/small]\n"
        "    ceiling: {input_tokens: 1k, output_tokens: 100}\n"
        "    rules:\n"
        "      - {name: spent, when: {budget_used: {of: tenant, window: per_day, over: 80%}}, reject: no}\n"
        "  spare: {targets: [openai/small], ceiling: {input_tokens: 1k, output_tokens: 100}}\n"
        "tenants:\n"
        "  acme: {policies: [fast]}\n"
        "  other: {policies: [spare], budget: {per_day: $5}}\n"
    )
    assert found == [
        f"8: rule `spent` is never reached: no caller of policy `fast` has the budget that it asks about{CODE}"
    ]


def test_a_nested_policys_rule_that_its_outer_policies_shut_out_is_dead() -> None:
    found = text_problems(
        "policies:\n"
        "  fast:\n"
        "    targets: [openai/small]\n"
        "    rules:\n"
        "      - {name: long, when: {input_tokens: {over: 60k}}, policy: big}\n"
        "  big:\n"
        "    targets: [gemini/flash]\n"
        "    rules:\n"
        "      - {name: short, when: {input_tokens: {up_to: 10k}}, targets: [openai/large]}\n"
        "tenants: {acme: {policies: [fast]}}\n"
    )
    assert found == [
        "11: rule `short` is never reached: `fast` leads here only where it does not hold [rule-never-reached]"
    ]


def test_rules_that_multiply_too_far_are_said_to_and_not_called_dead() -> None:
    whole = main_of(*((tag(f"t{at}"),) for at in range(11)), (tag("t0"),))
    assert "rules-undecided" in {each.code for each in told(whole)}
    assert dead(whole) == set()


def overlaps(*whens: tuple[Condition, ...]) -> list[str]:
    return [each.message for each in told(main_of(*whens)) if each.code == "rules-overlap"]


def test_rules_that_overlap_are_told_with_a_request() -> None:
    (found,) = overlaps((tag("a"),), (over(20),))
    assert found.endswith("can both hold and lead elsewhere: tag a, 100 tokens of input")
    assert found.startswith("rules `r0` (")


def test_the_narrower_rule_first_is_no_overlap() -> None:
    assert overlaps((tag("a"), over(20)), (over(20),)) == []


def test_rules_that_never_meet_are_no_overlap() -> None:
    assert overlaps((over(20),), (up_to(20), tag("a"))) == []


def test_first_match_is_what_the_checks_are_about() -> None:
    """The engine's own words for one dead rule: it never wins over the grid of its own fields."""
    whole = main_of((over(10),), (over(20),))
    rules = whole.policies["main"].rules
    won = {
        found.name
        for tokens in (1, 10, 11, 20, 21, 10**6)
        if (found := first_match(rules, Witness(input_tokens=tokens).snapshot("main", {})).rule)
    }
    assert won == {"r0"}
    assert dead(whole) == {"r1"}


@pytest.mark.parametrize(
    ("budget", "spent"),
    [("$2000", "$1600.000000001"), ("$0.00001", "$0.800000001")],
    ids=["one", "too small"],
)
def test_what_is_spent_in_an_overlap_is_a_share_of_the_amount_in_the_files(budget: str, spent: str) -> None:
    text = HEAD + (
        "policies:\n  fast:\n    targets: [openai/small]\n    ceiling: {output_tokens: 1k}\n    rules:\n"
        "      - {name: long, when: {input_tokens: {over: 9k}}, targets: [gemini/flash]}\n"
        "      - name: late\n"
        "        when: {budget_used: {of: tenant, window: per_month, over: 80%}}\n"
        "        targets: [anthropic/haiku]\n"
        f"tenants:\n  acme: {{policies: all, budget: {{per_month: {budget}}}}}\n"
    )
    (found,) = (each for each in load_text(text, Book()).problems if each.code == "rules-overlap")
    assert f"9001 tokens of input, the tenant's budget per month spent {spent}" in found.message
