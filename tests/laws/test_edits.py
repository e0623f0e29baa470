"""The first law over edits: whichever plan a process runs, an edit never hands out again what is spent, nor does a
rename that says `was`; also while a process of each plan is at it.

What holds at the end: no plan lets through what does not fit its own amount together with all that is spent, whoever
spent it.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from router.adapters.scripted_transport import Says
from router.client.inline import run_inline
from router.engine import execute
from router.errors import BudgetExceeded
from router.plan import Plan
from router.policy.load import load
from router.ports import Counter
from router.values import Request, Usage
from tests.laws.stores import SHARED, T0_S, ended, in_child, needs_fork, opened, ports_of
from tests.laws.test_law_1_budgets import Patient
from tests.policy.books import Book

FULL = Says("x", usage=Usage(input_tokens=100, output_tokens=400))
TEXT = "x" * 99  # bounded at 100 tokens
PRICE = {"input_per_million": "$1000", "output_per_million": "$1000", "cached_per_million": "$1000"}
WORST = 500 * 1_000_000
"""Nano-USD of one attempt: half a dollar."""

FITS = 40


def plan_of(
    *, policy: str = "main", tenant: str = "acme", provider: str = "openai", pool: str = "shared", **more: Any
) -> Plan:
    """Everything that can have a budget has one, by these names; `was` of each by `policy_was` and its like."""
    amount, file = more.pop("amount", f"${FITS // 2}"), more
    was = {each: {"was": file[f"{each}_was"]} if f"{each}_was" in file else {} for each in NAMED}
    top = tenant.partition("/")[0]
    document = {
        "version": 1,
        "providers": {
            provider: {
                "kind": "openai",
                "models": {"a": {"price": PRICE, "context": "1k", "max_output": 400, "tokens": "exact"}},
                "budget": {"per_month": amount},
                **was["provider"],
            }
        },
        "budgets": {pool: {"in_total": amount, **was["pool"]}},
        "policies": {
            policy: {
                "targets": [f"{provider}/a"],
                "retry": "off",
                "ceiling": {"output_tokens": 400},
                "budget": {"per_day": amount, "pool": pool},
                **was["policy"],
            }
        },
        "tenants": {
            top: {
                "policies": "all",
                "budget": {"per_week": amount},
                "each": {"user": {"budget": {"per_day": amount}}, "child": {"budget": {"per_day": amount}}},
                **was["top"],
            },
            tenant: {"budget": {"in_total": amount}, **was["tenant"]},
        },
    }
    loaded = load(document, Book())
    assert loaded.plan is not None, [str(each) for each in loaded.problems]
    return loaded.plan


NAMED = ("policy", "tenant", "provider", "pool", "top")
BEFORE = plan_of(tenant="acme/search")
RENAMED = plan_of(
    policy="quick",
    provider="azure-weu",
    pool="trial",
    tenant="company/research",
    policy_was="main",
    provider_was="openai",
    pool_was="shared",
    tenant_was="acme/search",
    top_was="acme",
)
FOLLOWING = plan_of(
    policy="quick",
    provider="azure-weu",
    pool="trial",
    tenant="company/search",
    policy_was="main",
    provider_was="openai",
    pool_was="shared",
    top_was="acme",
)
"""Its tenant says nothing of its own: it goes with the one above it."""

EDITED = plan_of(tenant="acme/search", amount=f"${FITS // 2 - 5}")
PLANS: Mapping[str, Plan] = {
    "before": BEFORE,
    "renamed": RENAMED,
    "following": FOLLOWING,
    "edited": EDITED,
}


def calls(store: str, place: Path, plan: Plan, numbers: Sequence[int]) -> int:
    """How many of them were answered."""
    answered, clock = 0, Patient(T0_S)
    (policy,), tenant = plan.policies, max(plan.tenants)
    with opened(store, place, clock) as state:
        ports = ports_of(plan, state, clock, FULL)
        for number in numbers:
            message = {"role": "user", "content": TEXT}
            request = Request(id=f"r{number}", policy=policy, messages=(message,), tenant=tenant, user="ann")
            with suppress(BudgetExceeded):
                run_inline(execute(plan, ports, request))
                answered += 1
    return answered


def spent(store: str, place: Path) -> Mapping[Counter, int]:
    with opened(store, place, Patient(T0_S)) as state:
        balances = run_inline(state.ledger.all_balances())
    assert not any(each.reserved for each in balances.values())
    return {counter: each.settled for counter, each in balances.items()}


OWNERS = {
    *("policy:main", "provider:openai", "pool:shared", "tenant:acme", "tenant:acme/search"),
    *("user:acme:ann", "child:acme:search"),
}


@pytest.mark.parametrize("store", SHARED)
@pytest.mark.parametrize(("first", "second"), list(permutations(("before", "renamed", "following"), 2)))
def test_a_rename_goes_on_from_what_was_spent(store: str, first: str, second: str, tmp_path: Path) -> None:
    assert calls(store, tmp_path, PLANS[first], range(FITS - 7)) == FITS - 7
    assert calls(store, tmp_path, PLANS[second], range(FITS)) == 7
    found = spent(store, tmp_path)
    assert {counter.owner for counter in found} == OWNERS
    assert set(found.values()) == {FITS * WORST}


@pytest.mark.parametrize("store", SHARED)
def test_an_amount_that_is_edited_keeps_what_was_spent(store: str, tmp_path: Path) -> None:
    assert calls(store, tmp_path, BEFORE, range(12)) == 12
    assert calls(store, tmp_path, EDITED, range(FITS)) == FITS - 10 - 12
    assert calls(store, tmp_path, BEFORE, range(FITS)) == 10
    assert set(spent(store, tmp_path).values()) == {FITS * WORST}


@needs_fork
@pytest.mark.parametrize("store", SHARED)
@pytest.mark.parametrize(
    "names", [("before", "renamed"), ("renamed", "following", "before"), ("edited", "renamed")]
)
def test_processes_of_different_plans_spend_from_the_same(
    store: str, names: Sequence[str], tmp_path: Path
) -> None:
    """The largest amount of any of them is what all of them together come to, and no more."""
    children = [
        in_child(lambda plan=PLANS[name]: calls(store, tmp_path, plan, range(FITS + 10))) for name in names
    ]
    assert [ended(child) for child in children] == [0] * len(children)
    found = spent(store, tmp_path)
    assert {counter.owner for counter in found} == OWNERS
    assert set(found.values()) == {FITS * WORST}


@pytest.mark.parametrize("store", SHARED)
def test_a_rename_that_does_not_say_so_begins_anew(store: str, tmp_path: Path) -> None:
    """What the tests above would miss if owners were not told apart at all."""
    other = plan_of(policy="quick", provider="azure-weu", pool="trial", tenant="company/search")
    assert calls(store, tmp_path, BEFORE, range(FITS + 1)) == FITS
    assert calls(store, tmp_path, other, range(FITS + 1)) == FITS
