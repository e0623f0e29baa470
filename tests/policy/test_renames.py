"""`was`: budgets and limits are counted under a former name and shown under the present one."""

from collections.abc import Mapping
from typing import Any

import pytest

from router.decide.outcome import budget_exceeded, limit_exceeded
from router.decide.scopes import Caller, caller
from router.plan import Plan
from router.policy.effective import asked_of, effective
from router.policy.load import load
from router.values import Request
from tests.policy.books import Book

BUDGET = {"per_day": "$50"}
LIMITS = {"requests_per_minute": 60}
EACH = {of: {"budget": BUDGET, "limits": LIMITS} for of in ("user", "session", "child")}
BLOCK = {"budget": BUDGET, "limits": LIMITS, "each": EACH}


def document(**blocks: Any) -> dict[str, Any]:
    fast = {"targets": ["openai/small"], "ceiling": {"output_tokens": 400}}
    return {"version": 1, "providers": {"openai": {}}, "policies": {"fast": fast}, **blocks}


def of(tenants: Mapping[str, Any]) -> dict[str, Any]:
    return document(tenants={path: {"policies": "all", **block} for path, block in tenants.items()})


def plan_of(source: Mapping[str, Any]) -> Plan:
    loaded = load(source, Book())
    assert loaded.plan is not None, [str(each) for each in loaded.problems]
    return loaded.plan


def asking(plan: Plan, tenant: str) -> Caller:
    return caller(plan, Request(id="r", policy="fast", messages=(), tenant=tenant, user="ann", session="s1"))


def pairs(found: Caller) -> set[tuple[str, str]]:
    """(counted as, shown as) of every budget, which limits must agree with."""
    budgets = {(each.owner, each.whose) for each in found.budgets}
    assert budgets == {(each.owner, each.whose) for each in found.limits}
    return budgets


def test_a_tenant_and_all_below_it_are_counted_under_the_former_path() -> None:
    plan = plan_of(
        of({"company": {"was": "acme", **BLOCK}, "company/search": {}, "company/search/ads": BLOCK})
    )
    assert pairs(asking(plan, "company/search/ads")) == {
        ("tenant:acme", "tenant:company"),
        ("user:acme:ann", "user:company:ann"),
        ("session:acme:s1", "session:company:s1"),
        ("child:acme:search", "child:company:search"),
        ("tenant:acme/search/ads", "tenant:company/search/ads"),
        ("user:acme/search/ads:ann", "user:company/search/ads:ann"),
        ("session:acme/search/ads:s1", "session:company/search/ads:s1"),
    }


def test_a_child_with_a_was_of_its_own_keeps_its_bucket_of_the_same_parent_alone() -> None:
    plan = plan_of(
        of(
            {
                "acme": {"each": {"child": {"budget": BUDGET, "limits": LIMITS}}},
                "acme/research": {"was": "acme/lab"},
                "acme/moved": {"was": "beta/sales", "budget": BUDGET, "limits": LIMITS},
            }
        )
    )
    assert pairs(asking(plan, "acme/research")) == {("child:acme:lab", "child:acme:research")}
    assert pairs(asking(plan, "acme/lab")) == {("child:acme:lab", "child:acme:lab")}
    assert pairs(asking(plan, "acme/moved")) == {
        ("child:acme:moved", "child:acme:moved"),
        ("tenant:beta/sales", "tenant:acme/moved"),
    }


def test_names_that_hold_colons_are_told_apart() -> None:
    plan = plan_of(of({"new": {"was": "a:b", "each": {"user": {"budget": BUDGET, "limits": LIMITS}}}}))
    assert pairs(asking(plan, "new")) == {("user:a%3Ab:ann", "user:new:ann")}


def test_policies_providers_and_pools_too() -> None:
    plan = plan_of(
        document(
            providers={"openai": {"was": "first", "budget": BUDGET}},
            budgets={"trial": {"was": "canary", **BUDGET}},
            policies={
                "fast": {
                    "was": "quick",
                    "targets": ["openai/small"],
                    "ceiling": {"output_tokens": 400},
                    "budget": {**BUDGET, "pool": "trial"},
                }
            },
        )
    )
    (invoice,) = plan.providers["openai"].budgets
    own, shared = plan.policies["fast"].budgets
    assert [(each.owner, each.whose) for each in (invoice, own, shared)] == [
        ("provider:first", "provider:openai"),
        ("policy:quick", "policy:fast"),
        ("pool:canary", "pool:trial"),
    ]


def test_refusals_say_the_present_name() -> None:
    found = asking(plan_of(of({"company": {"was": "acme", "budget": BUDGET, "limits": LIMITS}})), "company")
    over = budget_exceeded("openai/small", found.budgets[0], 5, 1, None)
    full = limit_exceeded(found.limits[0], 3.0)
    assert (over.budget, full.limit) == ("tenant:company", "tenant:company")
    assert "acme" not in over.message + full.message


def test_was_is_a_value_of_the_policy_and_of_the_tenant_and_is_not_inherited() -> None:
    fast = {"targets": ["openai/small"], "was": "quick"}
    source = document(
        policies={"fast": fast, "child": {"extends": "fast"}},
        tenants={"company": {"policies": "all", "was": "acme"}},
    )
    loaded = load(source, Book())
    told = {(each.name, each.text) for each in effective(loaded, "fast")}
    assert ("was", "quick") in told
    assert not [each for each in effective(loaded, "child") if each.name == "was"]
    assert [(each.name, each.text) for each in asked_of(loaded, "company")] == [
        ("tenant company.was", "acme")
    ]
    plan = plan_of(source)
    assert (plan.policies["fast"].counted, plan.policies["child"].counted) == ("quick", "child")


RENAMED = {
    "policy": document(policies={"fast": {"was": "quick", "targets": ["openai/small"]}}),
    "provider": document(providers={"openai": {"was": "first"}}),
    "tenant": of({"company": {"was": "acme"}}),
}


@pytest.mark.parametrize("which", RENAMED)
def test_the_digest_says_what_is_counted_where(which: str) -> None:
    source = RENAMED[which]
    block = {"policy": "policies", "provider": "providers", "tenant": "tenants"}[which]
    plain = {**source, block: {name: _without(below) for name, below in source[block].items()}}
    assert plan_of(source).digest != plan_of(plain).digest


def _without(block: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in block.items() if key != "was"}


WRONG: Mapping[str, tuple[dict[str, Any], str]] = {
    "of the wrong form": (
        document(policies={"fast": {"was": "Quick", "targets": ["openai/small"]}}),
        "wrong-form",
    ),
    "a word of the language": (document(providers={"openai": {"was": "all"}}), "reserved-name"),
    "a path with a hole": (of({"company": {"was": "acme//search"}}), "wrong-form"),
    "a path that does not show": (of({"company": {"was": "acme\u200bsearch"}}), "wrong-form"),
    "an abstract policy": (
        document(
            policies={
                "base": {"abstract": True},
                "fast": {"extends": "base", "was": "base", "targets": ["openai/small"]},
            }
        ),
        "was-still-there",
    ),
    "a pool that is there": (
        document(
            budgets={"one": BUDGET, "two": {"was": "one", **BUDGET}},
            policies={
                name: {"targets": ["openai/small"], "ceiling": {"output_tokens": 4}, "budget": {"pool": name}}
                for name in ("one", "two")
            },
        ),
        "was-still-there",
    ),
    "of two tenants": (of({"a": {"was": "x"}, "b": {"was": "x"}}), "counted-twice"),
    "of a pool without an amount": (
        document(
            budgets={"trial": {"was": "canary"}},
            policies={"fast": {"targets": ["openai/small"], "budget": {"pool": "trial"}}},
        ),
        "missing-key",
    ),
    "of a model": (document(providers={"openai": {"models": {"small": {"was": "tiny"}}}}), "unknown-key"),
    "of a budget": (
        document(
            policies={
                "fast": {
                    "targets": ["openai/small"],
                    "ceiling": {"output_tokens": 4},
                    "budget": {**BUDGET, "was": "x"},
                }
            }
        ),
        "unknown-key",
    ),
}


@pytest.mark.parametrize("which", WRONG)
def test_a_wrong_was_is_refused(which: str) -> None:
    source, code = WRONG[which]
    loaded = load(source, Book())
    assert loaded.plan is None
    assert [each.code for each in loaded.problems] == [code]
