"""Targets are called dead, and callers left without one, just where the engine's own matching says so."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from router.decide.cells import cells, outcome
from router.decide.match import Matched
from router.plan import Condition, Demand, Plan, Policy, PolicyEntry, Rule, TargetEntry
from router.policy.load import load_text
from router.policy.reach import callable_policies
from router.policy.target_checks import dead_targets, refused_targets, targets_left
from router.values import Place
from tests.build import PLACE, entry, plan, policy, target, tenant
from tests.policy.books import Book
from tests.policy.drafts import draft

NAMES = ("openai/a", "openai/b", "groq/c")


def demand(owner: str, allow: frozenset[str] | None, require: frozenset[str]) -> Demand | None:
    return (
        Demand(owner=owner, allow=allow, require=require, place=PLACE)
        if allow is not None or require
        else None
    )


ASKED = st.tuples(
    st.none() | st.sets(st.sampled_from(NAMES), min_size=1).map(frozenset),
    st.sampled_from([frozenset[str](), frozenset({"eu"})]),
)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Three policies that nest downwards, two tenants and what each asks; every entry in a place of its own."""
    line = iter(range(1, 1_000))

    def somewhere() -> Place:
        return Place(file="a.yaml", line=next(line), column=1)

    def entries(below: list[str]) -> tuple[TargetEntry | PolicyEntry, ...]:
        names = draw(st.lists(st.sampled_from([*NAMES, *below]), min_size=1, max_size=3, unique=True))
        return tuple(replace(entry(name), place=somewhere()) for name in names)

    made: list[Policy] = []
    for at, below in enumerate(([], ["p0"], ["p0", "p1"])):
        rules = tuple(
            Rule(
                name=f"r{at}-{number}",
                when=(Condition(field="input_tokens", over=100 * number + 50),),
                place=somewhere(),
                **draw(st.sampled_from([{"reject": "no"}, {"entries": None}])),
            )
            for number in range(draw(st.integers(0, 2)), 0, -1)
        )
        whole = tuple(
            rule
            if rule.reject
            else Rule(name=rule.name, when=rule.when, entries=entries(below), place=rule.place)
            for rule in rules
        )
        asked = demand(f"policy:p{at}", *draw(ASKED)) if draw(st.booleans()) else None
        made.append(policy(f"p{at}", *entries(below), rules=whole, demand=asked))
    tenants = (
        tenant(
            "acme",
            *draw(st.sampled_from([("p1",), ("p2",), ("p0", "p2")])),
            demand=demand("tenant:acme", *draw(ASKED)),
        ),
        tenant("other", "p2", demand=demand("tenant:other", *draw(ASKED))),
    )
    off = draw(st.none() | st.sampled_from(NAMES))
    targets = tuple(
        target(
            name,
            labels=frozenset({"eu"}) if name != "openai/b" else frozenset(),
            disabled_at=PLACE if name == off else None,
        )
        for name in NAMES
    )
    return plan(*made, tenants=tenants, targets=targets)


def places_of(whole: Plan) -> dict[Place, str]:
    """Where each target stands that somebody's call can lead to, by the names of policies alone."""
    found: dict[Place, str] = {}
    waiting = [whole.policies[name] for name in callable_policies(whole)]
    while waiting:
        one = waiting.pop()
        for each in (*one.entries, *(below for rule in one.rules for below in rule.entries)):
            if isinstance(each, TargetEntry):
                found[each.place] = each.target
            else:
                waiting.append(whole.policies[each.policy])
    return found


@settings(max_examples=200, deadline=None)
@given(plans())
def test_no_target_that_a_call_is_sent_to_is_dead(whole: Plan) -> None:
    """Of every tenant and cell, with nothing disabled, and no tenant asking for anything."""
    free = {path: replace(each, demand=None) for path, each in whole.tenants.items()}
    targets = {name: replace(each, disabled_at=None) for name, each in whole.targets.items()}
    open_ = replace(whole, tenants=free, targets=targets)
    dead = {found.place for found in (*refused_targets(draft(whole)), *dead_targets(draft(whole)))}
    tried: set[str] = set()
    for name in callable_policies(open_):
        for cell in cells(open_, name):
            tried |= {each.target.name for each in outcome(open_, cell).route.candidates}
    alive = {target for place, target in places_of(whole).items() if place not in dead}
    assert tried <= alive
    if not any(each.rules for each in whole.policies.values()):
        assert tried == alive


@settings(max_examples=200, deadline=None)
@given(plans())
def test_a_tenant_is_told_of_just_where_some_call_of_it_has_no_target(whole: Plan) -> None:
    found = list(targets_left(draft(whole)))
    told = {each.message.split("tenant `")[1].split("`")[0] for each in found if "for tenant" in each.message}
    for path in ("acme", "other"):
        empty = any(
            not matched.route.candidates and matched.route.reject is None and not rejected(matched)
            for name in sorted(whole.tenants[path].policies or ())
            for cell in cells(whole, name, tenants=[path])
            for matched in [outcome(whole, cell)]
        )
        if path in told:
            assert empty
    if not any(each.demand for each in whole.policies.values()):
        some = {
            path
            for path in ("acme", "other")
            for name in sorted(whole.tenants[path].policies or ())
            for cell in cells(whole, name, tenants=[path])
            for matched in [outcome(whole, cell)]
            if not matched.route.candidates and matched.route.reject is None and not rejected(matched)
        }
        assert bool(some) == bool(found)


def rejected(matched: Matched) -> bool:
    return any(each.reason == "rejected" for each in matched.dropped)


HEAD = "version: 1\nproviders: {openai: {}, gemini: {labels: [eu]}, anthropic: {}}\n"


def problems(body: str) -> list[str]:
    loaded = load_text(f"{HEAD}{body}", Book(), file="a.yaml")
    return [f"{each.place.line}: {each.severity}: {each.message} [{each.code}]" for each in loaded.problems]


def test_a_rule_that_keeps_the_tenant_away_leaves_nothing_to_tell() -> None:
    assert (
        problems(
            "policies:\n"
            "  fast:\n"
            "    targets: [openai/small]\n"
            "    rules:\n"
            "      - {name: legal, when: {tenant: [acme/legal]}, targets: [gemini/flash]}\n"
            "tenants:\n  acme: {policies: all}\n  acme/legal: {require: [eu]}\n"
        )
        == []
    )


def test_many_tenants_with_one_cause_are_one_problem() -> None:
    tenants = "".join(f"  t{at}: {{policies: all, require: [eu]}}\n" for at in range(50))
    (found,) = problems(
        "policies:\n  fast: {targets: [openai/small]}\n  slow: {targets: [openai/large]}\ntenants:\n"
        + tenants
    )
    assert found.startswith(
        "7: error: no target of policy `fast` and of 1 more policy is left for tenant `t0`"
    )


def test_what_a_bucket_asks_of_children_is_told_at_the_bucket() -> None:
    (found,) = problems(
        "policies:\n  fast: {targets: [openai/small]}\n"
        "tenants:\n  acme:\n    policies: all\n    each:\n      child: {require: [eu]}\n"
    )
    assert found.startswith("9: error: no target of policy `fast` is left for tenant `acme/any`")


def test_disabled_targets_are_one_warning_for_all_tenants() -> None:
    loaded = load_text(
        "version: 1\nproviders: {anthropic: {enabled: false}}\n"
        "policies:\n  fast: {targets: [anthropic/haiku]}\n"
        "tenants:\n  acme: {policies: all}\n  zoo: {policies: [fast], allow: [anthropic/*]}\n",
        Book(),
        file="a.yaml",
    )
    assert [(each.code, each.severity, each.place.line) for each in loaded.problems] == [
        ("no-target-left", "warning", 6)
    ]
