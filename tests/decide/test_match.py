"""From a plan and a request to the flat list: what is spliced, kept, dropped, and how tight it ends up."""

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.decide.conditions import Snapshot
from router.decide.match import Matched, match, used_budget
from router.decide.needs import needs_of
from router.decide.scopes import caller
from router.errors import RequestError
from router.plan import BudgetUse, Candidate, Ceiling, Condition, Plan, Rule
from router.values import Request, SecretRef
from tests.build import PLACE, budget, entry, lexical, plan, policy, target

LONG = Condition(field="input_tokens", over=1_000)


def matched(
    whole: Plan, called: str = "main", *, tokens: int = 10, missing: str = "", **fields: Any
) -> Matched:
    request = Request(id="r", policy=called, messages=({"role": "user", "content": "hi"},), **fields)
    snapshot = Snapshot(
        request=request,
        needs=needs_of(request.messages, request.params),
        input_tokens=tokens,
        output_tokens=None,
        local=datetime(2026, 11, 23),
        used={},
    )
    lost = SecretRef(source="env", name="GONE", place=PLACE)
    return match(
        whole,
        whole.policies[called],
        caller(whole, request),
        snapshot,
        lambda name: lost if name == missing else None,
    )


def names(result: Matched) -> list[str]:
    return [each.target.name for each in result.route.candidates]


def reasons(result: Matched) -> dict[str, str]:
    return {drop.target: drop.reason for drop in result.dropped}


def only(result: Matched) -> Candidate:
    (candidate,) = result.route.candidates
    return candidate


def test_nested_policies_are_spliced_in_and_a_second_occurrence_is_dropped() -> None:
    whole = plan(policy("main", "openai/a", "spare", "groq/c"), policy("spare", "openai/b", "openai/a"))
    result = matched(whole)
    assert names(result) == ["openai/a", "openai/b", "groq/c"]
    assert reasons(result) == {"openai/a": "duplicate"}
    assert [each.policy for each in result.route.candidates] == ["main", "spare", "main"]


def test_the_first_rule_that_holds_takes_the_place_of_the_targets() -> None:
    rule = Rule(name="long", when=(LONG,), entries=(entry("groq/big"),), place=PLACE)
    whole = plan(policy("main", "openai/a", rules=(rule,)))
    assert names(matched(whole, tokens=1_000)) == ["openai/a"]
    result = matched(whole, tokens=1_001)
    assert names(result) == ["groq/big"]
    assert result.route.rule == "long"


def test_a_nested_policys_own_rules_are_read_on_the_same_snapshot() -> None:
    rule = Rule(name="long", when=(LONG,), entries=(entry("groq/big"),), place=PLACE)
    whole = plan(policy("main", "openai/a", "spare"), policy("spare", "openai/b", rules=(rule,)))
    assert names(matched(whole, tokens=2_000)) == ["openai/a", "groq/big"]


def test_a_rejecting_rule_says_why() -> None:
    rule = Rule(name="no", when=(LONG,), reject="too long for us", place=PLACE)
    result = matched(plan(policy("main", "openai/a", rules=(rule,))), tokens=2_000)
    assert result.route.reject == "too long for us"
    assert names(result) == []


def test_settings_are_lexical_and_ceilings_accumulate() -> None:
    outer = policy(
        "main",
        "spare",
        ceiling=Ceiling(output_tokens=300, input_tokens=9_000),
        total_s=20.0,
        lexical=lexical(params={"temperature": 0}),
        budgets=(budget("policy:main", 5),),
    )
    inner = policy(
        "spare",
        "openai/b",
        ceiling=Ceiling(output_tokens=500, attempts=3),
        total_s=90.0,
        lexical=lexical(params={"temperature": 1}, attempt_s=1.0),
        budgets=(budget("policy:spare", 7), budget("policy:spare", 9, "request")),
    )
    candidate = only(matched(plan(outer, inner)))
    assert candidate.lexical.attempt_s == 1.0
    assert candidate.params == {"temperature": 1, "max_tokens": 300}
    assert (candidate.total_s, candidate.output_tokens) == (20.0, 300)
    assert (candidate.input_ceiling, candidate.attempts_ceiling) == (9_000, 3)
    assert [each.owner for each in candidate.budgets] == ["policy:main", "policy:spare"]
    assert [each.amount for each in candidate.per_request] == [9]


@given(
    ceilings=st.lists(st.none() | st.integers(1, 5_000), min_size=1, max_size=4),
    asked=st.none() | st.integers(1, 10_000),
    model_max=st.none() | st.integers(1, 8_000),
)
def test_no_nesting_and_no_caller_loosens_an_output_ceiling(
    ceilings: list[int | None], asked: int | None, model_max: int | None
) -> None:
    depth = len(ceilings)
    chain = [
        policy(
            "main" if level == 0 else f"p{level}",
            f"p{level + 1}" if level + 1 < depth else "openai/a",
            ceiling=Ceiling(output_tokens=ceiling),
        )
        for level, ceiling in enumerate(ceilings)
    ]
    whole = plan(*chain, targets=(target("openai/a", max_output_tokens=model_max),))
    params = {} if asked is None else {"max_tokens": asked}
    candidate = only(matched(whole, params=params))
    bounds = [bound for bound in (*ceilings, asked, model_max) if bound is not None]
    sent = [bound for bound in (*ceilings, asked) if bound is not None]
    assert candidate.output_tokens == min(bounds, default=None)
    assert candidate.params.get("max_tokens") == min(sent, default=None)


def test_a_target_that_lacks_what_the_request_needs_is_dropped() -> None:
    plain = target("openai/a", supports=frozenset({"json"}))
    whole = plan(policy("main", "openai/a", "groq/unknown"), targets=(plain,))
    result = matched(whole, params={"tools": [{"type": "function"}]})
    assert names(result) == ["groq/unknown"]
    assert reasons(result) == {"openai/a": "capability"}


def test_a_missing_key_is_named_with_the_place_that_asked_for_it() -> None:
    result = matched(plan(policy("main", "openai/a", "groq/b")), missing="openai")
    assert names(result) == ["groq/b"]
    assert result.dropped[0].detail == "variable `GONE` is not set (asked for at policies/a.yaml:1:1)"


def test_the_caller_orders_and_restricts_but_never_adds() -> None:
    whole = plan(policy("main", "openai/a", "groq/b", "xai/c"), policy("other", "xai/z"))
    assert names(matched(whole, prefer=("xai/c", "xai/z"))) == ["xai/c", "openai/a", "groq/b"]
    result = matched(whole, only=("groq/b", "xai/z"))
    assert names(result) == ["groq/b"]
    assert reasons(result) == {"openai/a": "not_in_only", "xai/c": "not_in_only"}
    with pytest.raises(RequestError, match="`openai/typo` is no target"):
        matched(whole, prefer=("openai/typo",))


def test_a_caller_can_not_multiply_choices() -> None:
    with pytest.raises(RequestError, match="`n=5` asks for more choices"):
        matched(plan(policy("main", "openai/a")), params={"n": 5})
    allowed = policy("main", "openai/a", lexical=lexical(params={"n": 5}))
    assert only(matched(plan(allowed), params={"n": 2})).params == {"n": 2}


def test_a_callers_timeout_only_shortens() -> None:
    whole = plan(policy("main", "openai/a", total_s=20.0))
    assert matched(whole, timeout_s=5.0).route.total_s == 5.0
    assert matched(whole, timeout_s=50.0).route.total_s == 20.0


def test_an_own_timeout_and_params_of_a_target_win_over_its_policys() -> None:
    own = replace(entry("openai/a"), params={"top_p": 0.5}, attempt_s=2.0)
    candidate = only(matched(plan(policy("main", own, lexical=lexical(params={"top_p": 1, "seed": 1})))))
    assert candidate.params == {"top_p": 0.5, "seed": 1}
    assert candidate.lexical.attempt_s == 2.0


def test_the_rule_of_a_nested_policy_is_not_the_routes() -> None:
    rule = Rule(name="long", when=(LONG,), entries=(entry("groq/big"),), place=PLACE)
    whole = plan(policy("main", "openai/a", "spare"), policy("spare", "openai/b", rules=(rule,)))
    assert matched(whole, tokens=2_000).route.rule is None


def test_a_nested_policys_rule_asks_about_its_own_budget() -> None:
    spare = policy("spare", "groq/b", budgets=(budget("policy:spare", 9),))
    whole = plan(policy("main", "spare", budgets=(budget("policy:main", 5),)), spare)
    use = BudgetUse(of="policy", name="spare", window="day")
    found = used_budget(
        use, whole, whole.policies["main"], caller(whole, Request(id="r", policy="main", messages=()))
    )
    assert found == budget("policy:spare", 9)
