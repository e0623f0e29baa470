"""The printed worst case: attained, never passed."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.decide.bounds import GRACE_S, policy_bounds
from router.decide.classify import TRANSIENT
from router.decide.fit import worst_of
from router.decide.match import ROOT, candidate_of
from router.plan import Ceiling, Condition, Demand, MaxPrice, Policy, PriceTable, RetryRule, Rule, TargetEntry
from router.values import Request
from tests.build import PLACE, budget, entry, lexical, plan, policy, price, target

CHEAP = target("openai/a", context_tokens=1_000)
DEAR = target("groq/b", context_tokens=1_000, prices=price(10**12, 4 * 10**12))


def retries(attempts: int, attempt_s: float | None = 5.0) -> Any:
    return lexical(
        retry=RetryRule(attempts=attempts, base_s=0.2, max_s=2.0, on=TRANSIENT), attempt_s=attempt_s
    )


def bound_of(*policies: Policy, **fields: Any) -> Any:
    return policy_bounds(plan(*policies, targets=(CHEAP, DEAR), **fields), policies[0])[0]


def test_the_worst_cost_is_every_attempt_at_full_input_and_output() -> None:
    found = bound_of(policy("main", "openai/a", ceiling=Ceiling(output_tokens=100), lexical=retries(2)))
    one = 1_000 * 50 + 100 * 400  # nano-USD: $0.05 and $0.40 a million
    assert found.cost_nusd == 2 * one
    assert [each.target for each in found.attempts] == ["openai/a", "openai/a"]


def test_a_ceiling_on_attempts_takes_the_dearest() -> None:
    ceiling = Ceiling(output_tokens=100, attempts=2)
    found = bound_of(policy("main", "openai/a", "groq/b", ceiling=ceiling, lexical=retries(2)))
    assert [each.target for each in found.attempts] == ["groq/b", "groq/b"]
    assert found.cost_nusd == 2 * (1_000 * 1_000 + 100 * 4_000)


def test_a_budget_per_request_caps_it() -> None:
    capped = policy(
        "main", "groq/b", budgets=(budget("policy:main", 500_000, "request"),), lexical=retries(2)
    )
    found = bound_of(capped)
    assert (found.cost_nusd, found.capped_by) == (500_000, "per_request: 500000")


def test_a_nested_policys_own_cap_holds_for_its_part() -> None:
    nested = policy("spare", "groq/b", budgets=(budget("policy:spare", 700, "request"),), lexical=retries(3))
    outer = policy("main", "openai/a", "spare", ceiling=Ceiling(output_tokens=100), lexical=retries(1))
    assert bound_of(outer, nested).cost_nusd == 1_000 * 50 + 100 * 400 + 700


def test_every_branch_counts_and_the_dearest_comes_first() -> None:
    rule = Rule(
        name="long", when=(Condition(field="input_tokens", over=9),), entries=(entry("groq/b"),), place=PLACE
    )
    found = policy_bounds(
        plan(policy("main", "openai/a", rules=(rule,)), targets=(CHEAP, DEAR)),
        policy("main", "openai/a", rules=(rule,)),
    )
    assert [each.branch for each in found] == ["rule long", "targets"]


def test_what_nothing_bounds_is_said_to_be_unbounded() -> None:
    open_ = target("openai/a", context_tokens=None)
    found = policy_bounds(plan(policy("main", "openai/a"), targets=(open_,)), policy("main", "openai/a"))
    assert found[0].cost_nusd is None


@pytest.mark.parametrize(
    ("attempt_s", "total_s", "seconds"), [(5.0, 60.0, 12.0), (5.0, 7.0, 7.0), (None, 9.0, 9.0)]
)
def test_the_worst_time(attempt_s: float | None, total_s: float, seconds: float) -> None:
    found = bound_of(policy("main", "openai/a", lexical=retries(2, attempt_s), total_s=total_s))
    assert found.seconds == pytest.approx(seconds + GRACE_S)


OUTPUTS = st.none() | st.integers(1, 900)


@given(
    counts=st.lists(st.integers(1, 3), min_size=1, max_size=4),
    ceilings=st.lists(
        st.tuples(st.none() | st.integers(1, 900), st.none() | st.integers(1, 5)), min_size=4, max_size=4
    ),
    caps=st.lists(st.none() | st.integers(1, 3_000_000), min_size=4, max_size=4),
    inputs=st.lists(st.integers(0, 1_000), min_size=12, max_size=12),
)
def test_no_run_reserves_more(
    counts: list[int],
    ceilings: list[tuple[int | None, int | None]],
    caps: list[int | None],
    inputs: list[int],
) -> None:
    """Nest policies into each other, run every attempt that the ceilings allow, and add up what it reserves."""
    depth = len(counts)
    chain = []
    for level, count in enumerate(counts):
        name = "main" if level == 0 else f"p{level}"
        own = f"{('openai', 'groq')[level % 2]}/m{level}"
        entries = [own, f"p{level + 1}"] if level + 1 < depth else [own]
        cap = caps[level]
        chain.append(
            policy(
                name,
                *entries,
                lexical=retries(count),
                ceiling=Ceiling(output_tokens=ceilings[level][0], attempts=ceilings[level][1]),
                budgets=() if cap is None else (budget(f"policy:{name}", cap, "request"),),
            )
        )
    prices = [price(10**11 * (level + 1), 10**12) for level in range(depth)]
    names = [f"{('openai', 'groq')[level % 2]}/m{level}" for level in range(depth)]
    targets = tuple(target(name, context_tokens=1_000, prices=prices[at]) for at, name in enumerate(names))
    whole = plan(*chain, targets=targets)
    (bound,) = policy_bounds(whole, whole.policies["main"])
    assert bound.cost_nusd is not None
    spent: dict[str, int] = {}
    total, sends, path = 0, 0, ROOT
    request = Request(id="r", policy="main", messages=())
    for level, each in enumerate(chain):
        path = path.into(each)
        own_entry = each.entries[0]
        assert isinstance(own_entry, TargetEntry)
        candidate = candidate_of(own_entry, each, path, whole.targets[own_entry.target], request)
        for attempt in range(counts[level]):
            worst = worst_of(candidate, inputs[level * 3 + attempt]).nusd
            assert worst is not None
            fits = all(spent.get(b.owner, 0) + worst <= b.amount for b in candidate.per_request)
            if not fits or (candidate.attempts_ceiling is not None and sends >= candidate.attempts_ceiling):
                continue
            sends += 1
            total += worst
            for b in candidate.per_request:
                spent[b.owner] = spent.get(b.owner, 0) + worst
    assert total <= bound.cost_nusd


def test_a_target_counts_at_its_worst_where_a_tight_ceiling_may_keep_it_out_of_its_first_place() -> None:
    tight = policy("tight", "groq/b", ceiling=Ceiling(input_tokens=10, output_tokens=1), lexical=retries(1))
    outer = policy("main", "tight", "groq/b", ceiling=Ceiling(output_tokens=100), lexical=retries(3))
    found = bound_of(outer, tight)
    assert found.cost_nusd == 3 * (1_000 * 1_000 + 100 * 4_000)
    assert found.seconds == 3 * 5.0 + 2 * 2.0 + GRACE_S


def test_a_target_counts_at_its_worst_where_a_nested_rule_may_reject() -> None:
    rule = Rule(name="no", when=(Condition(field="tag", any_of=("x",)),), reject="no", place=PLACE)
    gate = policy("gate", "groq/b", ceiling=Ceiling(output_tokens=1), rules=(rule,), lexical=retries(1))
    outer = policy("main", "gate", "groq/b", ceiling=Ceiling(output_tokens=100), lexical=retries(1))
    assert bound_of(outer, gate).cost_nusd == 1_000 * 1_000 + 100 * 4_000


def test_a_price_that_only_short_inputs_meet_may_keep_a_target_out_of_its_first_place() -> None:
    tiers = (price(10**12, 10**12).tiers[0], replace(price(9 * 10**12, 10**12).tiers[0], above_tokens=500))
    tiered = target("xai/t", context_tokens=1_000, prices=PriceTable(tiers=tiers))
    demand = Demand(
        owner="policy:cheap", max_price=MaxPrice(input_ausd=10**12, output_ausd=None), place=PLACE
    )
    cheap = policy("cheap", "xai/t", demand=demand, ceiling=Ceiling(output_tokens=1), lexical=retries(1))
    outer = policy("main", "cheap", "xai/t", ceiling=Ceiling(output_tokens=100), lexical=retries(1))
    whole = plan(outer, cheap, targets=(tiered,))
    assert policy_bounds(whole, outer)[0].cost_nusd == 1_000 * 9_000 + 100 * 1_000


def test_more_branches_than_are_looked_at_are_bounded_together() -> None:
    when = (Condition(field="tag", any_of=("x",)),)
    forks = [
        policy(
            f"fork-{n}",
            "openai/a",
            rules=(Rule(name="b", when=when, entries=(entry("groq/b"),), place=PLACE),),
        )
        for n in range(13)
    ]
    outer = policy("main", *(fork.name for fork in forks), ceiling=Ceiling(output_tokens=100))
    found = policy_bounds(plan(outer, *forks, targets=(CHEAP, DEAR)), outer)
    assert [each.branch for each in found] == ["any of more than 4096 branches"]
    assert found[0].cost_nusd == 2 * (1_000 * 50 + 100 * 400) + 2 * (1_000 * 1_000 + 100 * 4_000)
