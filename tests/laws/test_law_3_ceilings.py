"""Law 3: ceilings only tighten; no fallback, cache hit or nesting hands a caller what it may not have."""

from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router import events as ev
from router.adapters.scripted_transport import Fails, Says, ScriptedTransport
from router.errors import NoRoute, RequestError, RouterError
from router.plan import CacheRule, Ceiling, Demand, Each, MaxPrice, Plan, PolicyEntry
from router.values import Kind
from tests.build import PLACE, budget, lexical, plan, policy, price, target, tenant
from tests.world import World

ACME = tenant("acme", "main", budgets=(budget("tenant:acme", 10**12),))
BETA = tenant("beta", "main")


def cached(scope: Any) -> Plan:
    rule = CacheRule(ttl_s=600, scope=scope, sampled=True)
    return plan(
        policy("main", "openai/a", cache=rule), policy("twin", "openai/a", cache=rule), tenants=(ACME, BETA)
    )


def test_no_answer_crosses_tenants() -> None:
    world = World(cached("tenant"), [Says("for acme"), Says("for beta")])
    assert world.call("same question", tenant="acme").text == "for acme"
    assert world.call("same question", tenant="beta").text == "for beta"
    assert world.call("same question", tenant="acme").cached


def test_no_answer_crosses_users_where_the_policy_says_so() -> None:
    world = World(cached("user"), [Says("for ann"), Says("for bob"), Says("for nobody"), Says("again")])
    assert world.call("same", tenant="acme", user="ann").text == "for ann"
    assert world.call("same", tenant="acme", user="bob").text == "for bob"
    assert [world.call("same", tenant="acme").text for _ in range(2)] == ["for nobody", "again"]


def test_shared_answers_are_the_policys_own_choice_and_stay_within_the_policy() -> None:
    world = World(cached("shared"), [Says("for all"), Says("not for twin")])
    world.plan = replace(world.plan, tenants={"acme": tenant("acme"), "beta": tenant("beta")})
    world.call("same", tenant="acme")
    assert world.call("same", tenant="beta").cached
    assert not world.call("same", tenant="beta", policy="twin").cached


def test_a_cached_answer_is_no_way_around_a_policy_that_is_not_allowed() -> None:
    world = World(cached("shared"), Says("x"))
    with pytest.raises(NoRoute, match="may not call policy `twin`"):
        world.call("same", tenant="acme", policy="twin")


def test_a_cached_answer_of_a_target_that_is_gone_is_not_served() -> None:
    world = World(cached("tenant"), [Says("old"), Says("new")])
    world.call("same", tenant="acme")
    world.plan = replace(cached("tenant"), **_moved(cached("tenant"), "groq/b"))
    reply = world.call("same", tenant="acme")
    assert (reply.text, reply.target) == ("new", "groq/b")


def test_only_restricts_cached_answers_too() -> None:
    world = World(
        plan(policy("main", "openai/a", "groq/b", cache=CacheRule(ttl_s=60, sampled=True))), Says("x")
    )
    world.call("same")
    assert world.call("same", only=("groq/b",)).target == "groq/b"


def _moved(whole: Plan, name: str) -> dict[str, Any]:
    moved = plan(policy("main", name, cache=whole.policies["main"].cache))
    return {"policies": moved.policies, "targets": moved.targets, "providers": moved.providers}


NAMES = ("openai/a", "groq/b", "xai/c", "mistral/d")


@given(
    entries=st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True),
    ceilings=st.lists(st.none() | st.integers(1, 300), min_size=2, max_size=2),
    asked=st.none() | st.integers(1, 1_000),
    prefer=st.lists(st.sampled_from(NAMES), max_size=3, unique=True),
    only=st.lists(st.sampled_from(NAMES), max_size=3, unique=True),
    kinds=st.lists(st.sampled_from([*Kind]), min_size=6, max_size=6),
)
def test_whatever_fails_nobody_gets_more_than_the_tightest_scope_allows(
    entries: list[str],
    ceilings: list[int | None],
    asked: int | None,
    prefer: list[str],
    only: list[str],
    kinds: list[Kind],
) -> None:
    outer = policy(
        "main", "nested", ceiling=Ceiling(output_tokens=ceilings[0]), lexical=lexical(attempt_s=1.0)
    )
    inner = policy("nested", *entries, ceiling=Ceiling(output_tokens=ceilings[1]))
    elsewhere = policy("elsewhere", *NAMES)
    steps = [Fails(kind, status=500) for kind in kinds]
    world = World(plan(outer, inner, elsewhere, tenants=(ACME,)), [*steps, Says("done")])
    params = {} if asked is None else {"max_tokens": asked}
    with suppress(RouterError):  # answered or not, what was called is what counts
        world.call(tenant="acme", prefer=tuple(prefer), only=tuple(only), params=params)
    allowed = set(entries) & set(only or entries)
    assert set(world.targets()) <= allowed
    bounds = [bound for bound in (*ceilings, asked) if bound is not None]
    for call in world.transport.calls:
        assert call.params.get("max_tokens") == min(bounds, default=None)
    assert all(row.cost_nusd <= row.worst_nusd for row in world.rows())


def test_a_caller_can_not_raise_what_its_policy_multiplies() -> None:
    with pytest.raises(RequestError, match="asks for more choices"):
        World(plan(policy("main", "openai/a"))).call(params={"n": 2})


def test_a_made_up_answer_is_never_served_as_a_real_one() -> None:
    class Live(ScriptedTransport):
        realm = "live"

    world = World(plan(policy("main", "openai/a", cache=CacheRule(ttl_s=60, sampled=True))), Says("made up"))
    world.call("same")
    world.ports = replace(world.ports, transport=Live(Says("real"), clock=world.clock))
    assert world.call("same").text == "real"
    assert world.call("same").cached


def demanding(owner: str, allow: list[str] | None, require: list[str], most: int | None) -> Demand:
    return Demand(
        owner=owner,
        allow=None if allow is None else frozenset(allow),
        require=frozenset(require),
        max_price=None if most is None else MaxPrice(output_ausd=most),
        place=PLACE,
    )


LABELS = ("eu", "gpu")
DEMANDS = st.tuples(
    st.none() | st.lists(st.sampled_from(NAMES), max_size=4),
    st.lists(st.sampled_from(LABELS), max_size=1),
    st.none() | st.integers(1, 4),
)


@given(
    demands=st.tuples(DEMANDS, DEMANDS, DEMANDS, DEMANDS),
    labels=st.lists(st.sampled_from([(), *((label,) for label in LABELS), LABELS]), min_size=4, max_size=4),
    rates=st.lists(st.integers(1, 4), min_size=4, max_size=4),
    off=st.sets(st.sampled_from(NAMES), max_size=1),
)
def test_every_target_that_is_called_meets_every_demand_on_its_path(
    demands: Any, labels: list[tuple[str, ...]], rates: list[int], off: set[str]
) -> None:
    """Of the tenant, its user, the called policy and the nested one; whatever fails before."""
    above, of_user, outer, inner = (
        demanding(owner, *written)
        for owner, written in zip(
            ("tenant:acme", "user:acme:*", "policy:main", "policy:nested"), demands, strict=True
        )
    )
    targets = tuple(
        target(
            name,
            labels=frozenset(carried),
            prices=price(1, rate),
            disabled_at=PLACE if name in off else None,
        )
        for name, carried, rate in zip(NAMES, labels, rates, strict=True)
    )
    each = Each(of="user", demand=of_user, budgets=(), limits=(), place=PLACE)
    once = lexical(retry=replace(lexical().retry, attempts=1))
    whole = plan(
        policy("main", "nested", demand=outer, lexical=once),
        policy("nested", *NAMES, demand=inner, lexical=once),
        tenants=(tenant("acme", demand=above, each=(each,)),),
        targets=targets,
    )
    world = World(whole, Fails(Kind.SERVER_ERROR, status=500))
    with suppress(RouterError):
        world.call(tenant="acme", user="ann")
    expected = [
        one.name
        for one, rate in zip(targets, rates, strict=True)
        if one.name not in off
        and all(
            (each.allow is None or one.name in each.allow)
            and each.require <= one.labels
            and (each.max_price is None or rate <= (each.max_price.output_ausd or 0))
            for each in (above, of_user, outer, inner)
        )
    ]
    assert world.targets() == expected


def test_content_that_may_not_be_kept_is_not_served_to_anybody() -> None:
    world = World(cached("shared"), [Says("secret"), Says("other")])
    quiet = tenant("acme", never=frozenset({"cache"}))
    world.plan = replace(world.plan, tenants={"acme": quiet, "beta": tenant("beta")})
    world.call("same", tenant="acme")
    assert world.call("same", tenant="beta").text == "other"
    assert world.call("same", tenant="acme").text != "secret" or not world.call("same", tenant="acme").cached


@given(
    owner=st.sampled_from(["policy:main", "policy:inner", "tenant:acme"]),
    allowed=st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True),
    theirs=st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True),
    ceilings=st.lists(st.integers(1, 300), min_size=4, max_size=4),
    room=st.integers(0, 10**7),
)
def test_who_takes_over_from_a_spent_budget_has_all_that_held_before(
    owner: str, allowed: list[str], theirs: list[str], ceilings: list[int], room: int
) -> None:
    """Whatever budget hands over: the caller's demand and every ceiling on the way hold on, and so do all other
    budgets. The caller is not granted the policy, and need not be."""
    spent = replace(budget(owner, 1), when_spent=PolicyEntry(policy="after", place=PLACE))
    acme = tenant(
        "acme",
        "main",
        budgets=(budget("tenant:acme", room, "month"), *((spent,) if owner == "tenant:acme" else ())),
        ceiling=Ceiling(output_tokens=ceilings[0]),
        demand=demanding("tenant:acme", allowed, [], None),
    )
    main, inner, after = (
        policy(
            name,
            *entries,
            ceiling=Ceiling(output_tokens=most),
            budgets=(spent,) if owner == f"policy:{name}" else (budget(f"policy:{name}", 10**12, "week"),),
        )
        for name, entries, most in (
            ("main", ["inner"], ceilings[1]),
            ("inner", allowed, ceilings[2]),
            ("after", theirs, ceilings[3]),
        )
    )
    free = target("xai/c", prices=price(0, 0))
    world = World(plan(main, inner, after, tenants=(acme,), targets=(free,)), Says("x"))
    with suppress(RouterError):
        world.call(tenant="acme")
    assert set(world.targets()) <= set(allowed) & {*allowed, *theirs}
    jumped = bool(world.facts(ev.Jumped))
    for call in world.transport.calls:
        on_the_way = [*ceilings[:2], *([] if owner != "policy:inner" and jumped else [ceilings[2]])]
        assert call.params["max_tokens"] <= min(on_the_way)
        assert call.target in theirs or not jumped
    held = {"tenant:acme", "policy:main", "policy:inner", "policy:after"} if jumped else set()
    for reserved in world.facts(ev.Reserved):
        assert reserved.worst_nusd <= room
        assert "tenant:acme" in reserved.budgets
        if jumped:
            kept = held - {owner if owner != "tenant:acme" else ""}
            kept -= set() if owner == "policy:inner" else {"policy:inner"}
            assert set(reserved.budgets) == kept
