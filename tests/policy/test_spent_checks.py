"""What `check` finds behind a budget that hands over: the same as in nested policies, and what only jumps can be."""

import pytest

from router.policy.load import load_text
from tests.policy.books import Book

HEAD = """\
version: 1
providers:
  openai: {}
  gemini: {labels: [eu]}
  vllm: {kind: hosted_vllm, base_url: "http://localhost:1", price: free, labels: [eu], models: {llama: {context: 32k, max_output: 1k}}}
policies:
"""  # noqa: E501
SPENT = "{per_day: {at_most: $5, when_spent: {policy: last}}}"
FAST = f"  fast: {{targets: [openai/small], ceiling: {{input_tokens: 1k, output_tokens: 100}}, budget: {SPENT}}}\n"
LAST = "  last: {targets: [vllm/llama], ceiling: {output_tokens: 100}}\n"


def told(text: str) -> list[str]:
    return [f"{each.severity} {each.code}: {each.message}" for each in load_text(text, Book()).problems]


def codes(text: str) -> list[str]:
    return [each.code for each in load_text(text, Book()).problems]


def test_a_policy_that_only_a_jump_leads_to_is_reached() -> None:
    tenants = "tenants:\n  acme: {policies: [fast]}\n"
    assert told(HEAD + FAST + LAST + tenants) == []
    assert codes(
        HEAD + FAST.replace("when_spent: {policy: last}", "when_spent: reject") + LAST + tenants
    ) == ["uncallable-policy"]


def test_one_that_only_a_tenants_budget_leads_to_is_reached_too() -> None:
    fast = FAST.replace("when_spent: {policy: last}", "when_spent: reject")
    tenants = (
        "tenants:\n"
        "  acme: {policies: [fast], budget: {per_day: $9, when_spent: {policy: last}}}\n"
        "  beta: {policies: [fast], budget: {per_day: $9}}\n"
    )
    assert told(HEAD + fast + LAST + tenants) == []
    plan = load_text(HEAD + fast + LAST + tenants, Book()).plan
    assert plan is not None
    assert plan.handing_over == ("acme",)


def test_its_cache_never_applies() -> None:
    last = "  last: {targets: [vllm/llama], ceiling: {output_tokens: 100}, cache: {ttl: 1h, sampled: true}}\n"
    tenants = "tenants:\n  acme: {policies: [fast]}\n"
    assert codes(HEAD + FAST + last + tenants) == ["nested-cache"]


def test_a_circle_of_a_jump_a_rule_and_a_nested_policy() -> None:
    text = (
        HEAD
        + FAST
        + (
            "  last:\n"
            "    targets: [vllm/llama]\n"
            "    rules: [{name: odd, when: {tag: [odd]}, policy: third}]\n"
            "  third: {targets: [{policy: fast}]}\n"
        )
    )
    assert "error cycle: policies lead back to themselves: `fast` -> `last` -> `third` -> `fast`" in told(
        text
    )


def test_jumps_count_among_the_levels_of_nesting() -> None:
    steps = [
        f"  p{n}: {{targets: [vllm/llama], budget: {{per_day: {{at_most: $5, when_spent: {{policy: p{n + 1}}}}}}}}}\n"
        for n in range(40)
    ]
    text = HEAD + "".join(steps) + "  p40: {targets: [vllm/llama]}\n"
    assert "too-deep" in codes(text)


@pytest.mark.parametrize(
    ("name", "code", "message"),
    [
        ("lsat", "dangling-name", "there is no policy `lsat`"),
        ("base", "abstract-policy", "policy `base` is abstract: it is only there to be extended"),
    ],
)
def test_the_policy_that_takes_over_is_there_and_can_be_called(name: str, code: str, message: str) -> None:
    text = HEAD + FAST.replace("{policy: last}", f"{{policy: {name}}}") + LAST + "  base: {abstract: true}\n"
    assert f"error {code}: {message}" in told(text)
    tenants = (
        f"tenants:\n  acme: {{policies: all, budget: {{per_day: $5, when_spent: {{policy: {name}}}}}}}\n"
    )
    fast = FAST.replace(SPENT, "{per_day: $5}")
    assert f"error {code}: {message}" in told(HEAD + fast + LAST + "  base: {abstract: true}\n" + tenants)


def test_a_tenant_without_a_target_after_the_jump_is_told() -> None:
    last = "  last: {targets: [openai/small], ceiling: {output_tokens: 100}}\n"
    fast = FAST.replace("[openai/small]", "[gemini/flash]")
    text = f"{HEAD}{fast}{last}tenants:\n  acme: {{policies: [fast], require: [eu]}}\n"
    (found,) = told(text)
    assert found.startswith(
        f"error no-target-left: no target of policy `last`, which takes over where `{SPENT[1:-1]}` is spent, "
        "is left for tenant `acme`"
    )
    (problem,) = load_text(text, Book()).problems
    line = next(at for at, each in enumerate(text.splitlines(), 1) if "when_spent" in each)
    assert problem.also is not None
    assert problem.also.line == line
    assert problem.help.startswith(f"let another policy take over ({problem.also}), ask for less")
    assert told(text.replace(", require: [eu]", "")) == []


def test_a_target_that_what_is_kept_forbids_is_dead_there() -> None:
    fast = FAST.replace("budget:", "allow: [openai/*], budget:")
    assert codes(HEAD + fast + LAST + "tenants:\n  acme: {policies: [fast]}\n") == ["target-never-reached"]


def test_what_takes_over_needs_a_price_and_a_ceiling_under_the_callers_budget() -> None:
    last = "  last: {targets: [openai/unpriced]}\n"
    tenants = "tenants:\n  acme: {policies: [fast], budget: {per_day: $9}}\n"
    found = codes(HEAD + FAST + last + tenants)
    assert "unknown-price" in found
    last = "  last: {targets: [openai/large]}\n"
    fast = FAST.replace("ceiling: {input_tokens: 1k, output_tokens: 100}, ", "")
    assert "no-output-ceiling" in codes(HEAD + fast + last + tenants)


def test_the_spent_budget_need_not_pay_for_what_takes_over() -> None:
    """`large` at its ceilings costs more than that budget has, and is never charged to it."""
    fast = FAST.replace("$5", "$0.002")
    last = "  last: {targets: [openai/large], ceiling: {output_tokens: 1k}}\n"
    assert told(HEAD + fast + last) == []


def test_a_child_inherits_it_and_may_take_it_back() -> None:
    text = HEAD + FAST + LAST + "  child: {extends: fast, budget: {per_day: $5, when_spent: reject}}\n"
    plan = load_text(text, Book()).plan
    assert plan is not None
    fast, child = (plan.policies[name].budgets[0].when_spent for name in ("fast", "child"))
    assert fast is not None
    assert (fast.policy, child) == ("last", None)
    assert plan.policies["child"].budgets[0].amount == plan.policies["fast"].budgets[0].amount


def test_what_stands_beside_the_windows_is_of_each_that_says_nothing() -> None:
    budget = "{per_day: $5, per_hour: {at_most: $1, when_spent: reject}, when_spent: {policy: last}}"
    plan = load_text(HEAD + FAST.replace(SPENT, budget) + LAST, Book()).plan
    assert plan is not None
    said = {each.window: each.when_spent and each.when_spent.policy for each in plan.policies["fast"].budgets}
    assert said == {"hour": None, "day": "last"}


def test_a_mistake_in_what_takes_over_is_told_once() -> None:
    broken = "  last: {targets: [vllm/llama], retry: {attempts: many}}\n"
    tenants = "tenants:\n  acme: {policies: [fast], budget: {per_day: $9, when_spent: {policy: last}}}\n"
    assert codes(HEAD + FAST + broken + tenants) == ["wrong-form"]
