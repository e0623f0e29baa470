"""The printed worst case: attained, never passed."""

from dataclasses import replace
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.decide.bounds import GRACE_S, BranchBound, policy_bounds, starved, worst_attempt
from router.decide.bounds import bound_of as bound_of_list
from router.decide.branches import flat_lists, ways
from router.decide.classify import TRANSIENT
from router.decide.fit import worst_of
from router.decide.match import ROOT, candidate_of
from router.decide.scopes import caller
from router.plan import (
    Budget,
    Ceiling,
    Condition,
    Demand,
    Each,
    MaxPrice,
    Plan,
    Policy,
    PolicyEntry,
    PriceTable,
    RetryRule,
    Rule,
    TargetEntry,
)
from router.values import Request
from tests.build import PLACE, budget, candidate, entry, lexical, plan, policy, price, target, tenant

CHEAP = target("openai/a", context_tokens=1_000)
DEAR = target("groq/b", context_tokens=1_000, prices=price(10**12, 4 * 10**12))
SIZE = Ceiling(output_tokens=100)


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
    assert [each.branch for each in found] == ["targets"]
    assert found[0].cost_nusd == 2 * (1_000 * 50 + 100 * 400) + 2 * (1_000 * 1_000 + 100 * 4_000)


def fork(name: str, *entries: str, other: str, **fields: Any) -> Policy:
    """Its targets, or on a tag those of its rule."""
    tagged = Rule(
        name="tagged", when=(Condition(field="tag", any_of=("x",)),), entries=(entry(other),), place=PLACE
    )
    return policy(name, *entries, rules=(tagged,), **fields)


def test_one_branch_is_one_row_however_the_policies_nested_in_it_come_out() -> None:
    below = fork("below", "openai/a", other="groq/b", ceiling=Ceiling(output_tokens=100))
    main = fork("main", "below", other="openai/a", ceiling=Ceiling(output_tokens=100))
    found = policy_bounds(plan(main, below, targets=(CHEAP, DEAR)), main)
    assert [(each.branch, each.sends) for each in found] == [("targets", 2), ("rule tagged", 2)]
    assert {each.target for each in found[0].attempts} == {"groq/b"}


def test_forks_in_forks_are_bounded_without_listing_what_they_make() -> None:
    depth = 30
    forks = [
        fork(f"p{at}", f"p{at + 1}", f"p{at + 1}", other=f"p{at + 1}", ceiling=Ceiling(output_tokens=100))
        for at in range(depth)
    ]
    last = fork(f"p{depth}", "openai/a", other="groq/b")
    whole = plan(*forks, last, targets=(CHEAP, DEAR))
    found = policy_bounds(whole, forks[0])
    one = 1_000 * 50 + 100 * 400
    other = 1_000 * 1_000 + 100 * 4_000
    assert [each.cost_nusd for each in found] == [2 * one + 2 * other] * 2
    assert [each.sends for each in found] == [4, 4]


NAMES = [f"openai/t{at}" for at in range(4)] + [f"groq/u{at}" for at in range(4)]


@st.composite
def nests(draw: st.DrawFn, *, distinct: bool) -> tuple[Any, Policy]:
    """Policies nested three levels deep, each with a rule or two; targets all distinct, or any."""
    names = iter([f"openai/t{at}" for at in range(99)])
    prices: dict[str, Any] = {}

    def one() -> str:
        name = next(names) if distinct else draw(st.sampled_from(NAMES))
        dear = draw(st.integers(1, 9))
        prices.setdefault(name, target(name, context_tokens=1_000, prices=price(dear * 10**11, 10**11)))
        return name

    made: list[Policy] = []

    def build(level: int) -> str:
        name = f"p{len(made)}-{level}"
        made.append(policy(name))  # keeps the number
        at = len(made) - 1
        lists = [
            [
                build(level + 1) if level < 2 and draw(st.booleans()) else one()
                for _ in range(draw(st.integers(1, 2)))
            ]
            for _ in range(draw(st.integers(1, 2)))
        ]
        rules = tuple(
            Rule(
                name=f"r{number}",
                when=(Condition(field="tag", any_of=(f"x{number}",)),),
                entries=tuple(map(entry, own)),
                place=PLACE,
            )
            for number, own in enumerate(lists[1:])
        )
        attempts = None if distinct and level else draw(st.none() | st.integers(1, 6))
        made[at] = policy(
            name,
            *lists[0],
            rules=rules,
            ceiling=Ceiling(output_tokens=10, attempts=attempts),
            lexical=retries(draw(st.integers(1, 3))),
        )
        return name

    build(0)
    return plan(*made, targets=tuple(prices.values())), made[0]


def listed(whole: Any, root: Policy, found: BranchBound) -> tuple[int, float, int]:
    """The same figures, by looking at every list of this branch."""
    path = ROOT.into(root)
    entries = dict(ways(root))[found.branch]
    every = [
        bound_of_list("", tuple(each.candidate for each in seats), root, worst_attempt, caps=())
        for seats in flat_lists(whole, root, path, entries)
    ]
    return (
        max(each.cost_nusd or 0 for each in every),
        max(each.seconds for each in every),
        max(each.sends for each in every),
    )


@settings(max_examples=150, deadline=None)
@given(nests(distinct=True))
def test_together_is_as_close_as_list_by_list_where_no_target_repeats(nest: tuple[Any, Policy]) -> None:
    whole, root = nest
    for found in together(whole, root):
        assert (found.cost_nusd, found.sends) == listed(whole, root, found)[::2]
        assert found.seconds == pytest.approx(listed(whole, root, found)[1])


@settings(max_examples=150, deadline=None)
@given(nests(distinct=False))
def test_together_is_never_below_any_list(nest: tuple[Any, Policy]) -> None:
    whole, root = nest
    looser = [each.ceiling.attempts for each in whole.policies.values()]
    for found in together(whole, root):
        cost, seconds, sends = listed(whole, root, found)
        assert found.seconds >= seconds - 1e-9
        if not any(
            looser
        ):  # list by list, the loosest ceiling of a list stands for all; together, each holds
            assert (found.cost_nusd or 0) >= cost
            assert found.sends >= sends


def together(whole: Any, root: Policy) -> list[BranchBound]:
    """As if there were too many lists to look at."""
    with patch("router.decide.bounds.MOST_LISTS", 0):
        return list(policy_bounds(whole, root))


def test_what_retries_leave_no_time_or_send_for_is_starved() -> None:
    one = candidate("openai/a", lexical=retries(2, 5.0), total_s=12.0, attempts_ceiling=3)
    two = candidate("groq/b", lexical=retries(2, 5.0), total_s=12.0, attempts_ceiling=3)
    three = candidate("groq/c", lexical=retries(1, 5.0), total_s=30.0, attempts_ceiling=3)
    found = [(each.target, each.after_s, each.after_sends) for each in starved((one, two, three))]
    assert found == [("groq/b", 12.0, None), ("groq/c", None, 4)]
    assert starved((replace(one, total_s=12.1), replace(two, total_s=12.1))) == ()


def test_what_a_caller_may_do_bounds_what_it_may_cost() -> None:
    main = policy("main", "openai/a", "groq/b", lexical=retries(2), ceiling=Ceiling(output_tokens=100))
    tight = tenant(
        "acme",
        "main",
        ceiling=Ceiling(output_tokens=10, attempts=1),
        demand=Demand(owner="tenant:acme", allow=frozenset({"openai/a"}), place=PLACE),
    )
    whole = plan(main, tenants=(tight,), targets=(CHEAP, DEAR))
    asked = Request(id="", policy="main", messages=(), tenant="acme")
    (of_tenant,) = policy_bounds(whole, main, caller(whole, asked))
    assert (of_tenant.cost_nusd, of_tenant.sends) == (1_000 * 50 + 10 * 400, 1)
    (of_any,) = policy_bounds(whole, main)
    assert of_any.sends == 4


def test_a_tenants_cap_for_one_request_is_named() -> None:
    main = policy("main", "groq/b", lexical=retries(2), ceiling=Ceiling(output_tokens=100))
    thrifty = tenant("acme", "main", budgets=(budget("tenant:acme", 500, "request"),))
    whole = plan(main, tenants=(thrifty,), targets=(CHEAP, DEAR))
    asked = Request(id="", policy="main", messages=(), tenant="acme")
    (found,) = policy_bounds(whole, main, caller(whole, asked))
    assert (found.cost_nusd, found.capped_by) == (500, "per_request: 500")


def test_a_cap_within_a_cap_holds_for_all_below_it() -> None:
    """What two policies below spend together is at most what the one above them may."""
    deep = policy("deep", "groq/b", budgets=(budget("policy:deep", 900, "request"),), lexical=retries(1))
    middle = policy(
        "middle", "openai/a", "deep", budgets=(budget("policy:middle", 1_000, "request"),), lexical=retries(1)
    )
    main = policy("main", "middle", lexical=retries(1))
    assert bound_of(main, middle, deep).cost_nusd == 1_000


def test_what_a_callers_scope_lets_a_provider_add_counts_for_any_caller() -> None:
    main = policy("main", "openai/a", ceiling=Ceiling(output_tokens=100), lexical=retries(1))
    each = Each(of="user", budgets=(), limits=(), ceiling=Ceiling(added_cost_nusd=7_000), place=PLACE)
    found = bound_of(main, tenants=(tenant("acme", each=(each,)),))
    assert found.cost_nusd == 1_000 * 50 + 100 * 400 + 7_000


def test_nothing_that_a_provider_adds_to_a_free_target_costs() -> None:
    free = target("openai/a", context_tokens=1_000, prices=price(0, 0))
    main = policy("main", "openai/a", ceiling=Ceiling(output_tokens=100, added_cost_nusd=7_000))
    whole = plan(main, targets=(free,))
    asked = Request(id="r", policy="main", messages=())
    found = candidate_of(TargetEntry(target="openai/a", place=PLACE), main, ROOT.into(main), free, asked)
    assert policy_bounds(whole, main)[0].cost_nusd == 0
    assert worst_of(found, 10).nusd == 0


def jumping(to: str, owner: str, amount: int = 10**9, window: str = "day") -> Budget:
    return replace(budget(owner, amount, window), when_spent=PolicyEntry(policy=to, place=PLACE))


def by_branch(whole: Plan, name: str = "main", **fields: Any) -> dict[str, tuple[int | None, int]]:
    found = policy_bounds(whole, whole.policies[name], **fields)
    return {each.branch: (each.cost_nusd, each.sends) for each in found}


def test_a_jump_is_a_branch_and_a_policy_costs_the_worst_of_them() -> None:
    """It leaves the cap of the policy whose budget is spent, and meets that of the one that takes over."""
    capped = (jumping("last", "policy:main"), budget("policy:main", 5_000, "request"))
    main = policy("main", "openai/a", budgets=capped, ceiling=SIZE)
    last = policy("last", "groq/b", budgets=(budget("policy:last", 7_000, "request"),))
    found = by_branch(plan(main, last, targets=(CHEAP, DEAR)))
    assert found == {"policy:main per_day spent: policy last": (7_000, 2), "targets": (5_000, 2)}
    assert policy_bounds(plan(main, last, targets=(CHEAP, DEAR)), main)[0].capped_by == "per_request: 7000"


def test_the_ceilings_of_the_called_policy_bound_what_takes_over() -> None:
    main = policy(
        "main", "openai/a", budgets=(jumping("last", "policy:main"),), ceiling=replace(SIZE, attempts=1)
    )
    found = by_branch(plan(main, policy("last", "openai/a", "groq/b"), targets=(CHEAP, DEAR)))
    (once,) = [bound for name, bound in found.items() if name != "targets"]
    assert once[1] == 1


def test_jumps_of_nested_policies_and_of_callers_are_branches_too() -> None:
    inner = policy("inner", "openai/a", budgets=(jumping("last", "policy:inner"),))
    whole = plan(
        policy("main", "inner", ceiling=SIZE),
        inner,
        policy("last", "groq/b"),
        policy("free", "openai/a"),
        tenants=(
            tenant("acme", "main", budgets=(jumping("free", "tenant:acme"),)),
            tenant("beta", "last", budgets=(jumping("free", "tenant:beta"),)),
        ),
        targets=(CHEAP, DEAR),
    )
    names = ["policy:inner per_day spent: policy last", "tenant:acme per_day spent: policy free", "targets"]
    assert sorted(by_branch(whole)) == sorted(names)
    assert list(by_branch(whole, "last")) == ["targets", "tenant:beta per_day spent: policy free"]
    asked = Request(id="", policy="main", messages=(), tenant="acme")
    assert sorted(by_branch(whole, caller=caller(whole, asked))) == sorted(names)
