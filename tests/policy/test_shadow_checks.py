"""What is in shadow is no promise: nothing is an error for its sake, and each one is noted once."""

from typing import Any

import pytest

from router.policy.load import Loaded, load
from tests.policy.books import Book


def loaded(**blocks: Any) -> Loaded:
    fast = {"targets": ["openai/small"], "ceiling": {"input_tokens": "10k", "output_tokens": "1k"}}
    document = {"version": 1, "providers": {"openai": {}}, "policies": {"fast": fast}, **blocks}
    return load(document, Book())


def codes(found: Loaded) -> list[str]:
    return [each.code for each in found.problems]


SMALL = {"per_day": "$0.000001", "tokens_per_day": 5}
CASES: dict[str, tuple[dict[str, Any], set[str]]] = {
    "a price that nobody knows": (
        {
            "providers": {"openai": {"models": {"own": {"context": "8k", "max_output": "1k"}}}},
            "policies": {"fast": {"targets": ["openai/own"], "budget": {"per_day": "$5"}}},
        },
        {"unknown-price", "no-output-ceiling"},
    ),
    "output that nothing bounds": (
        {
            "providers": {
                "openai": {
                    "models": {"own": {"price": {"input_per_million": "$1", "output_per_million": "$1"}}}
                }
            },
            "policies": {"fast": {"targets": ["openai/own"], "budget": {"per_day": "$5"}}},
        },
        {"no-output-ceiling"},
    ),
    "an amount that pays for nothing": (
        {
            "policies": {
                "fast": {
                    "targets": ["openai/small"],
                    "ceiling": {"input_tokens": "10k", "output_tokens": "1k"},
                    "budget": SMALL,
                }
            }
        },
        {"budget-below-attempt"},
    ),
    "a tenant's amount that pays for nothing": (
        {"tenants": {"acme": {"policies": "all", "budget": SMALL}}},
        {"budget-below-attempt"},
    ),
    "a limit below one request": (
        {"tenants": {"acme": {"policies": "all", "limits": {"tokens_per_minute": 5}}}},
        {"limit-below-request"},
    ),
    "a total that never refills": (
        {"tenants": {"acme": {"policies": "all", "budget": {"in_total": "$5"}}}},
        {"window-never-refills"},
    ),
}


def in_shadow(value: Any, key: str = "") -> Any:
    if not isinstance(value, dict):
        return value
    found = {name: in_shadow(below, name) for name, below in value.items()}
    return {**found, "enforce": "shadow"} if key in ("budget", "limits") else found


@pytest.mark.parametrize("case", CASES)
def test_what_a_hard_one_is_told_for_passes_in_shadow(case: str) -> None:
    blocks, expected = CASES[case]
    hard, shadow = loaded(**blocks), loaded(**in_shadow(blocks))
    assert expected <= set(codes(hard))
    assert set(codes(shadow)) == {"not-enforced"}
    assert shadow.plan is not None


def test_a_pool_is_noted_once_whoever_spends_from_it() -> None:
    fast = {"targets": ["openai/small"], "ceiling": {"output_tokens": "1k"}, "budget": {"pool": "tried"}}
    found = loaded(
        budgets={"tried": {"per_day": {"at_most": "$5", "enforce": "shadow"}}},
        policies={"fast": fast, "other": fast},
    )
    assert codes(found) == ["not-enforced"]


def test_a_condition_may_look_at_the_hard_budget_that_is_nearer_than_one_in_shadow() -> None:
    used = {"of": "tenant", "window": "per_month", "over": "80%"}
    rules = [{"name": "spent", "when": {"budget_used": used}, "reject": "come back next month"}]
    fast = {"targets": ["openai/small"], "ceiling": {"output_tokens": "1k"}, "rules": rules}
    above = {"policies": [], "budget": {"per_month": {"at_most": "$500", "enforce": "shadow"}}}
    tenants = {
        "acme": {**above, "policies": ["fast"]},
        "acme/lab": {"budget": {"per_month": "$50"}},
    }
    assert "condition-on-shadow" in codes(loaded(policies={"fast": fast}, tenants=tenants))
    hard = {**tenants, "acme": {**above, "policies": ["fast"], "budget": {"per_month": "$500"}}}
    assert codes(loaded(policies={"fast": fast}, tenants=hard)) == []
