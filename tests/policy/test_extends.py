"""`extends`: what a policy inherits, what it replaces, and where each value says it was written."""

from typing import Any

import pytest

from router.policy.effective import effective
from router.policy.load import Loaded, load, load_text
from tests.policy.books import Book

BASE: dict[str, Any] = {
    "targets": ["openai/small", "anthropic/haiku"],
    "retry": {"attempts": 3, "backoff": "linear"},
    "timeout": {"total": "45s", "attempt": "5s"},
    "cache": {"ttl": "1h", "sampled": True},
    "ceiling": {"output_tokens": 400},
    "budget": {"per_day": {"at_most": "$25", "enforce": "hard"}, "per_request": "$1"},
    "params": {"temperature": 0.5, "response_format": {"type": "json_object"}},
    "fall_back_on": ["timeout", "quota"],
}


def loaded(**policies: Any) -> Loaded:
    return load({"version": 1, "providers": {"openai": {}, "anthropic": {}}, "policies": policies}, Book())


def digest(**policies: Any) -> str:
    found = loaded(**policies)
    assert found.plan is not None, found.problems
    return found.plan.digest


def errors(**policies: Any) -> list[str]:
    return [f"{found.code}: {found.message}" for found in loaded(**policies).errors]


CHILDREN: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "says nothing": ({}, BASE),
    "a scalar replaces": ({"description": "d"}, {**BASE, "description": "d"}),
    "a list replaces": ({"fall_back_on": []}, {**BASE, "fall_back_on": []}),
    "targets replace": ({"targets": ["openai/large"]}, {**BASE, "targets": ["openai/large"]}),
    "maps merge key by key": (
        {"retry": {"attempts": 1}, "timeout": {"attempt": "9s"}},
        {**BASE, "retry": {"attempts": 1, "backoff": "linear"}, "timeout": {"total": "45s", "attempt": "9s"}},
    ),
    "maps in maps": (
        {"params": {"response_format": {"type": "text"}}},
        {**BASE, "params": {"temperature": 0.5, "response_format": {"type": "text"}}},
    ),
    "a block of which the parent says the rest": (
        {"cache": {"sampled": False}},
        {**BASE, "cache": {"ttl": "1h", "sampled": False}},
    ),
    "off removes a block": (
        {"cache": "off", "retry": "off"},
        {**{key: value for key, value in BASE.items() if key != "cache"}, "retry": "off"},
    ),
    "an amount in both forms": (
        {"budget": {"per_day": "$5"}},
        {**BASE, "budget": {"per_day": "$5", "per_request": "$1"}},
    ),
    "a new block": ({"needs": ["tools"]}, {**BASE, "needs": ["tools"]}),
}


@pytest.mark.parametrize("case", CHILDREN)
def test_a_child_is_what_it_would_be_written_out(case: str) -> None:
    child, written_out = CHILDREN[case]
    abstract = {**BASE, "abstract": True}
    assert digest(base=abstract, child={"extends": "base", **child}) == digest(child=written_out)


def test_a_block_comes_back_below_one_that_put_it_off() -> None:
    line = {"base": {**BASE, "abstract": True}, "bare": {"extends": "base", "cache": "off"}}
    again = {"extends": "bare", "cache": {"ttl": "5m", "sampled": True}}
    assert digest(**line, child=again) == digest(
        bare={key: value for key, value in BASE.items() if key != "cache"},
        child={**BASE, "cache": {"ttl": "5m", "sampled": True}},
    )


def test_a_grandchild_inherits_from_the_whole_line_whatever_the_order_of_names() -> None:
    line = {
        "z": {**BASE, "abstract": True},
        "b": {"extends": "z", "timeout": {"total": "30s"}, "abstract": True},
        "a": {"extends": "b", "timeout": {"attempt": "2s"}},
    }
    assert digest(**line) == digest(a={**BASE, "timeout": {"total": "30s", "attempt": "2s"}})


def test_budgets_are_copied_and_each_policy_counts_its_own() -> None:
    plan = loaded(base=BASE, child={"extends": "base"}).plan
    assert plan is not None
    owners = {name: {budget.owner for budget in policy.budgets} for name, policy in plan.policies.items()}
    assert owners == {"base": {"policy:base"}, "child": {"policy:child"}}


def test_abstract_is_not_inherited_and_no_call_reaches_it() -> None:
    plan = loaded(base={**BASE, "abstract": True}, child={"extends": "base"}).plan
    assert plan is not None
    assert list(plan.policies) == ["child"]


def test_rules_are_inherited_with_the_targets_and_can_be_taken_back() -> None:
    rules = [{"name": "long", "when": {"input_tokens": {"over": "60k"}}, "targets": ["openai/large"]}]
    base = {**BASE, "rules": rules, "abstract": True}
    assert digest(base=base, child={"extends": "base"}) == digest(child={**BASE, "rules": rules})
    own = {"extends": "base", "targets": ["openai/large"], "rules": []}
    assert digest(base=base, child=own) == digest(child={**BASE, "targets": ["openai/large"]})
    assert errors(base=base, child={"extends": "base", "targets": ["openai/large"]}) == [
        "rules-not-restated: policy `child` writes `targets`, but not the `rules` it inherits from `base`"
    ]


def test_targets_may_come_from_anywhere_on_the_line_but_must_come() -> None:
    assert errors(base={"abstract": True}, child={"extends": "base"}) == [
        "missing-key: policy `child` has no `targets`, and inherits none"
    ]
    assert errors(base={"abstract": False, "cache": "off"}) == [
        "missing-key: policy `base` has no `targets`, and inherits none"
    ]


def test_a_line_that_leads_nowhere_is_told_once() -> None:
    assert errors(child={"extends": "bass"}, base=BASE) == ["dangling-name: there is no policy `bass`"]
    assert errors(a={"extends": "b"}, b={"extends": "c"}, c={"extends": "b"}, d={"extends": "d"}) == [
        "cycle: policies extend themselves: `b` -> `c` -> `b`",
        "cycle: policies extend themselves: `d` -> `d`",
    ]


def test_what_is_wrong_in_a_parent_is_told_once_where_it_stands() -> None:
    text = """\
version: 1
providers: {openai: {}}
policies:
  base: {abstract: true, targets: [openai/smal]}
  one: {extends: base}
  two: {extends: base}
"""
    found = load_text(text, Book(), file="a.yaml").problems
    assert [(each.code, str(each.place)) for each in found] == [("unknown-model", "a.yaml:4:36")]


def test_explain_names_the_line_that_each_value_was_written_in() -> None:
    text = """\
version: 1
providers: {openai: {}}
policies:
  base:
    abstract: true
    timeout: {total: 45s, attempt: 5s}
    budget: {per_day: {at_most: $25}}
  fast:
    extends: base
    timeout: {attempt: 2s}
    targets: [openai/small]
"""
    rows = {each.name: each for each in effective(load_text(text, Book(), file="a.yaml"), "fast")}
    lines = {name: each.place and each.place.line for name, each in rows.items()}
    assert (lines["timeout.total"], lines["timeout.attempt"], lines["targets.1"]) == (6, 10, 11)
    assert (lines["budget.per_day"], lines["extends"], lines["retry.attempts"]) == (7, 9, None)


def test_how_old_an_answer_may_be_is_said_somewhere_on_the_line() -> None:
    base = {"abstract": True, "cache": {"sampled": True}}
    found = errors(base=base, child={"extends": "base", "targets": ["openai/small"]})
    assert found == ["missing-key: `cache` has no `ttl`"]
    whole = {"extends": "base", "targets": ["openai/small"], "cache": {"ttl": "1h"}}
    assert errors(base=base, child=whole) == []
    assert errors(alone={"targets": ["openai/small"], "cache": {"scope": "user"}}) == found


def test_what_stands_beside_windows_is_of_the_windows_beside_it() -> None:
    """A parent's `enforce` is not of its child's windows, nor a child's of those it inherits."""
    base = {"abstract": True, "budget": {"enforce": "shadow", "per_day": "$5", "per_week": "$9"}}
    child = {"extends": "base", "targets": ["openai/small"]}
    plan = loaded(
        base=base,
        mine={**child, "budget": {"per_month": "$20"}},
        other={**child, "budget": {"enforce": "hard", "per_day": "$6"}},
    ).plan
    assert plan is not None
    found = {
        name: {each.window: each.shadow for each in plan.policies[name].budgets} for name in ("mine", "other")
    }
    assert found == {
        "mine": {"day": True, "week": True, "month": False},
        "other": {"day": False, "week": True},
    }


def test_a_word_beside_no_window_of_its_own_is_an_error() -> None:
    mine = {"extends": "base", "targets": ["openai/small"], "budget": {"enforce": "shadow"}}
    assert errors(base={"abstract": True, "budget": {"per_day": "$5"}}, mine=mine) == [
        "missing-key: `budget` names no window for `enforce` to hold for"
    ]
