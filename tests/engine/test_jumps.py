"""`when_spent`: who takes over, what still holds there, and what the caller and the cache are told."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from router import events as ev
from router.adapters.scripted_transport import Fails, Says
from router.decide.classify import DEFAULT_FALL_BACK_ON
from router.errors import BudgetExceeded, LimitExceeded, NoRoute, RouterError, TargetsExhausted
from router.plan import (
    Budget,
    BudgetUse,
    CacheRule,
    Ceiling,
    Condition,
    Each,
    Limit,
    Plan,
    PolicyEntry,
    PriceTable,
    Rule,
)
from router.values import Kind, Usage
from tests.build import PLACE, budget, lexical, limit, plan, policy, price, target, tenant
from tests.world import World

FREE = PriceTable(tiers=price(0, 0).tiers)
SPARE, OTHER = target("vllm/spare", prices=FREE), target("vllm/other", prices=FREE)
SMALL = Usage(input_tokens=1, output_tokens=1)


def jumping(to: str, owner: str = "policy:main", amount: int = 1, window: Any = "day") -> Budget:
    return replace(budget(owner, amount, window), when_spent=PolicyEntry(policy=to, place=PLACE))


def main(*budgets: Budget, **fields: Any) -> Any:
    entries = fields.pop("entries", ("openai/a", "groq/b"))
    return policy("main", *entries, budgets=budgets, **fields)


def last(*entries: str, **fields: Any) -> Any:
    return policy("last", *(entries or ("vllm/spare",)), **fields)


def told(world: World) -> list[tuple[str, str, str]]:
    return [(each.from_policy, each.budget, each.to_policy) for each in world.facts(ev.Jumped)]


def charged(world: World) -> tuple[str, ...]:
    """The owners of what the one reservation was taken from."""
    (reserved,) = world.facts(ev.Reserved)
    budgets: tuple[str, ...] = reserved.budgets
    return budgets


def refused(world: World, **fields: Any) -> RouterError:
    with pytest.raises(RouterError) as caught:
        world.call(**fields)
    return caught.value


def test_where_nothing_fits_the_budget_its_policy_takes_over() -> None:
    world = World(plan(main(jumping("last")), last(), targets=(SPARE,)), [Says("spare")])
    reply = world.call()
    assert (reply.text, reply.target, reply.policy) == ("spare", "vllm/spare", "main")
    assert told(world) == [("main", "policy:main", "last")]
    kinds = [type(event) for event in reply.trace]
    assert kinds == [
        ev.RequestStarted, ev.Routed, ev.ReserveRefused, ev.FellBack, ev.ReserveRefused, ev.Jumped, ev.Routed,
        ev.Reserved, ev.AttemptSent, ev.AttemptAnswered, ev.Settled, ev.RequestAnswered,
    ]  # fmt: skip


def test_one_target_that_fits_is_enough_to_stay() -> None:
    roomy = jumping("last", amount=2_000_000)  # `dear` needs more than that
    whole = plan(
        main(roomy, entries=("openai/dear", "groq/b")),
        last(),
        targets=(target("openai/dear", prices=price(10**12, 10**12)), SPARE),
    )
    world = World(whole, [Says("b")])
    assert world.call().target == "groq/b"
    assert told(world) == []


def test_nothing_takes_over_once_something_was_sent() -> None:
    """The first attempt is charged in full, and then there is nothing left for another one."""
    roomy = jumping("last", amount=1_700_000)
    world = World(plan(main(roomy), last(), targets=(SPARE,)), {"openai/a": Fails(Kind.TIMEOUT)})
    error = refused(world)
    assert isinstance(error, TargetsExhausted)
    assert told(world) == []


def test_what_was_refused_for_something_else_does_not_count() -> None:
    """`b` fits the budget that hands over, and another one refuses it."""
    own = budget("provider:groq", 1)
    whole = plan(
        main(jumping("last", amount=2_000_000), entries=("openai/dear", "groq/b")),
        last(),
        targets=(target("openai/dear", prices=price(10**12, 10**12)), SPARE),
    )
    providers = {**whole.providers, "groq": replace(whole.providers["groq"], budgets=(own,))}
    world = World(replace(whole, providers=providers), [Says("b")])
    assert isinstance(refused(world), BudgetExceeded)
    assert told(world) == []


def test_what_one_request_may_cost_hands_over_too() -> None:
    world = World(plan(main(jumping("last", window="request")), last(), targets=(SPARE,)), [Says("spare")])
    assert world.call().target == "vllm/spare"


def test_a_target_for_which_nothing_can_be_promised_does_not_fit_either() -> None:
    unbounded = target("openai/a", max_output_tokens=None)
    whole = plan(
        main(jumping("last", amount=10**12), entries=("openai/a",)), last(), targets=(unbounded, SPARE)
    )
    world = World(whole, [Says("spare")])
    assert world.call().target == "vllm/spare"
    assert [each.reason for each in world.facts(ev.CandidateDropped)] == ["unbounded_output"]


def test_a_list_that_is_empty_for_another_reason_hands_over_to_nobody() -> None:
    whole = plan(main(jumping("last"), ceiling=Ceiling(input_tokens=2)), last(), targets=(SPARE,))
    world = World(whole, [Says("spare")])
    assert isinstance(refused(world), NoRoute)
    assert told(world) == []


def test_a_target_that_is_too_small_is_not_left_and_does_not_count() -> None:
    small = target("groq/b", context_tokens=1)
    whole = plan(main(jumping("last")), last(), targets=(small, SPARE))
    assert World(whole, [Says("spare")]).call().target == "vllm/spare"


def test_without_falling_back_on_it_the_first_refusal_hands_over() -> None:
    """The list ends there: nothing else is come to."""
    rest = lexical(fall_back_on=DEFAULT_FALL_BACK_ON - {Kind.OVER_BUDGET})
    world = World(plan(main(jumping("last"), lexical=rest), last(), targets=(SPARE,)), [Says("spare")])
    assert world.call().target == "vllm/spare"
    assert [each.target for each in world.facts(ev.ReserveRefused)] == ["openai/a"]


# --- What still holds -------------------------------------------------------------------------------------------------


def test_the_whole_budget_of_the_spent_policy_is_left_behind_and_no_other() -> None:
    spent = (jumping("last"), budget("policy:main", 1, "month"), budget("pool:shared", 1))
    landing = last("openai/a", budgets=(budget("policy:last", 10**9),))
    world = World(plan(main(*spent), landing), [Says("ok", usage=SMALL)])
    assert world.call().target == "openai/a"
    assert charged(world) == ("policy:last",)


def test_ceilings_time_and_demands_of_the_called_policy_hold_on() -> None:
    called = main(jumping("last"), ceiling=Ceiling(output_tokens=7, attempts=1), total_s=3.0)
    world = World(
        plan(called, last("vllm/spare", "vllm/other"), targets=(SPARE, OTHER)), [Fails(Kind.TIMEOUT)]
    )
    assert isinstance(refused(world), TargetsExhausted)
    (call,) = world.transport.calls
    assert (call.params["max_tokens"], call.timeout_s) == (7, 3.0)


def test_settings_are_those_of_the_policy_that_takes_over() -> None:
    landing = last(lexical=lexical(params={"temperature": 0.5}, attempt_s=2.0))
    world = World(plan(main(jumping("last")), landing, targets=(SPARE,)), [Says("ok")])
    world.call()
    (call,) = world.transport.calls
    assert (call.params["temperature"], call.timeout_s) == (0.5, 2.0)


def test_a_tenants_budget_hands_over_and_holds_on() -> None:
    acme = tenant("acme", "main", budgets=(jumping("last", "tenant:acme"),))
    world = World(plan(main(), last(), tenants=(acme,), targets=(SPARE,)), [Says("free")])
    assert world.call(tenant="acme").target == "vllm/spare"
    assert told(world) == [("main", "tenant:acme", "last")]
    assert charged(world) == ("tenant:acme",)


def test_a_users_budget_hands_over_to_what_is_free_and_to_nothing_else() -> None:
    users = Each(of="user", budgets=(jumping("last", "user:acme:*"),), limits=(), place=PLACE)
    acme = tenant("acme", "main", each=(users,))
    dear = plan(main(), last("openai/c"), tenants=(acme,))
    error = refused(World(dear, [Says("dear")]), tenant="acme", user="ann")
    assert isinstance(error, BudgetExceeded)
    assert error.budget == "user:acme:ann"
    free = plan(main(), last(), tenants=(acme,), targets=(SPARE,))
    assert World(free, [Says("free")]).call(tenant="acme", user="ann").target == "vllm/spare"


def test_of_several_spent_budgets_the_outermost_hands_over() -> None:
    landings = (policy("of-root", "vllm/spare"), policy("of-leaf", "vllm/other"), last("vllm/spare"))
    root = tenant("acme", "main", budgets=(jumping("of-root", "tenant:acme"),))
    leaf = tenant("acme/search", budgets=(jumping("of-leaf", "tenant:acme/search"),))
    inner = policy("inner", "openai/a", budgets=(jumping("last", "policy:inner"),))
    called = main(jumping("of-leaf"), entries=("inner",))

    def first(*tenants: Any, called: Any = called) -> str:
        whole = plan(called, inner, *landings, tenants=tenants, targets=(SPARE, OTHER))
        world = World(whole, [Says("ok")])
        world.call(tenant=tenants[-1].path if tenants else None)
        (jumped,) = told(world)
        return f"{jumped[1]} -> {jumped[2]}"

    assert first(root, leaf) == "tenant:acme -> of-root"
    assert first(replace(root, budgets=()), leaf) == "tenant:acme/search -> of-leaf"
    assert first() == "policy:main -> of-leaf"
    assert first(called=main(entries=("inner",))) == "policy:inner -> last"


def test_a_nested_policy_leaves_its_own_budget_and_keeps_those_above() -> None:
    inner = policy("inner", "openai/a", budgets=(jumping("last", "policy:inner"),))
    called = main(budget("policy:main", 10**9), entries=("inner",))
    world = World(plan(called, inner, last("groq/b")), [Says("ok", usage=SMALL)])
    assert world.call().target == "groq/b"
    assert charged(world) == ("policy:main",)
    assert told(world) == [("inner", "policy:inner", "last")]


def test_a_nested_policy_beside_others_hands_over_only_where_those_do_not_fit_it_either() -> None:
    inner = policy("inner", "openai/a", budgets=(jumping("last", "policy:inner"),))
    world = World(plan(main(entries=("inner", "groq/b")), inner, last(), targets=(SPARE,)), [Says("b")])
    assert world.call().target == "groq/b"
    assert told(world) == []


def test_only_one_jump_a_request() -> None:
    again = last("groq/b", budgets=(jumping("third", "policy:last"),))
    whole = plan(main(jumping("last")), again, policy("third", "vllm/spare"), targets=(SPARE,))
    world = World(whole, [Says("third")])
    error = refused(world)
    assert isinstance(error, BudgetExceeded)
    assert error.budget == "policy:last"
    assert "`policy:main`" in error.message
    assert told(world) == [("main", "policy:main", "last")]


# --- Rules, admission, errors, cache ----------------------------------------------------------------------------------


def test_rules_of_the_policy_that_takes_over_are_read_on_the_first_snapshot() -> None:
    use = BudgetUse(of="policy", name="main", window="day")
    fresh = Rule(
        name="fresh",
        when=(Condition(field="budget_used", budget=use, up_to=0),),
        entries=last("vllm/other").entries,
        place=PLACE,
    )
    whole = plan(main(jumping("last")), last(rules=(fresh,)), targets=(SPARE, OTHER))
    world = World(whole, [Says("ok")])
    assert world.call().target == "vllm/other"
    assert [(each.policy, each.rule) for each in world.facts(ev.RuleMatched)] == [("last", "fresh")]


def test_a_rule_there_may_reject() -> None:
    never = Rule(
        name="never", when=(Condition(field="stream", is_true=False),), reject="not here", place=PLACE
    )
    error = refused(World(plan(main(jumping("last")), last(rules=(never,)), targets=(SPARE,)), [Says("ok")]))
    assert isinstance(error, NoRoute)
    assert error.message.startswith("policy `last` rejects this request: not here; it had come there because")
    assert "`policy:main` has $0.000000001 left" in error.message


def test_the_request_rate_is_taken_once() -> None:
    rate = Limit(
        owner="tenant:acme", unit="requests", window_s=60.0, at_most=1, place=PLACE, text="1 a minute"
    )
    busy = Limit(
        owner="tenant:acme",
        unit="concurrent_requests",
        window_s=0.0,
        at_most=1,
        place=PLACE,
        text="one at a time",
    )
    acme = tenant("acme", "main", limits=(rate, busy))
    whole = plan(main(jumping("last")), last(), tenants=(acme,), targets=(SPARE,))
    world = World(whole, [Says("ok")])
    assert world.call(tenant="acme").target == "vllm/spare"
    assert len(world.facts(ev.Admitted)) == 1
    world.clock.advance(120)
    assert world.call(tenant="acme").target == "vllm/spare"  # what ran at one time was given back


def test_a_caller_whose_rate_is_used_up_goes_nowhere() -> None:
    rate = Limit(
        owner="tenant:acme", unit="requests", window_s=60.0, at_most=1, place=PLACE, text="1 a minute"
    )
    acme = tenant("acme", "main", limits=(rate,))
    world = World(plan(main(jumping("last")), last(), tenants=(acme,), targets=(SPARE,)), [Says("ok")])
    world.call(tenant="acme")
    del world.seen[:]
    assert isinstance(refused(world, tenant="acme"), LimitExceeded)
    assert told(world) == []


def test_where_both_lists_fail_the_caller_is_told_of_both() -> None:
    world = World(plan(main(jumping("last")), last(), targets=(SPARE,)), [Fails(Kind.AUTH, status=401)])
    error = refused(world)
    assert isinstance(error, TargetsExhausted)
    assert [(each.target, each.kind, each.sent) for each in error.attempts] == [
        ("openai/a", Kind.OVER_BUDGET, False),
        ("groq/b", Kind.OVER_BUDGET, False),
        ("vllm/spare", Kind.AUTH, True),
    ]
    assert "`policy:main`" in error.message
    assert "vllm/spare" in error.message


def cached(whole: Plan) -> Plan:
    rule = CacheRule(ttl_s=60.0, scope="shared", sampled=True)
    return replace(whole, policies={**whole.policies, "main": replace(whole.policies["main"], cache=rule)})


def keys(events: Sequence[Any]) -> list[str]:
    return [each.key for each in events]


def test_an_answer_after_a_jump_has_a_key_of_its_own() -> None:
    """The very same target by both ways: the answer of one is never served for the other."""
    whole = cached(plan(main(jumping("last"), entries=("openai/a",)), last("openai/a")))
    world = World(whole, [Says("jumped", usage=SMALL), Says("own", usage=SMALL)])
    assert world.call().text == "jumped"
    missed = keys(world.facts(ev.CacheMissed))
    assert len(set(missed)) == 2
    assert keys(world.facts(ev.CacheStored)) == missed[1:]
    again = world.call()
    assert (again.text, again.cached) == ("jumped", True)
    roomy = replace(whole.policies["main"], budgets=(jumping("last", amount=10**9),))
    world.plan = replace(whole, policies={**whole.policies, "main": roomy})
    assert (world.call().text, world.targets()) == ("own", ["openai/a", "openai/a"])


def test_the_cache_rule_of_the_called_policy_counts() -> None:
    landing = last(cache=CacheRule(ttl_s=60.0, scope="shared", sampled=True))
    world = World(plan(main(jumping("last")), landing, targets=(SPARE,)), [Says("one"), Says("two")])
    assert [world.call().text, world.call().text] == ["one", "two"]


def test_only_narrows_the_list_that_takes_over_too() -> None:
    whole = plan(main(jumping("last")), last("vllm/spare", "vllm/other"), targets=(SPARE, OTHER))
    world = World(whole, [Says("ok")])
    assert world.call(only=("openai/a", "vllm/other")).target == "vllm/other"


def test_a_stream_is_handed_over_as_a_whole_answer_is() -> None:
    busy = limit("tenant:acme", 1, unit="concurrent_requests", window_s=0.0)
    acme = tenant("acme", "main", limits=(busy,))
    whole = cached(plan(main(jumping("last")), last(), tenants=(acme,), targets=(SPARE,)))
    world = World(whole, Says("one two", usage=SMALL))
    stream = world.stream(tenant="acme")
    assert stream.target == "vllm/spare"
    assert stream.reply().text == "one two"
    assert told(world) == [("main", "policy:main", "last")]
    again = world.stream(tenant="acme").reply()  # what ran at one time was given back
    assert (again.text, again.cached, world.targets()) == ("one two", True, ["vllm/spare"])


def test_a_caller_that_may_be_held_to_its_own_list_fails_there() -> None:
    """`only` leaves nothing of the list that takes over: both are told."""
    error = refused(
        World(plan(main(jumping("last")), last(), targets=(SPARE,)), [Says("x")]), only=("openai/a",)
    )
    assert isinstance(error, NoRoute)
    assert [each.target for each in error.dropped] == ["groq/b", "vllm/spare"]
    assert "`policy:main`" in error.message
