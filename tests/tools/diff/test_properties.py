"""No difference where nothing means anything else, some difference wherever something does, and no false witness."""

import json
from functools import cache
from random import Random
from typing import Any

import pytest
import yaml

from router.decide.axes import Witness
from router.decide.match import match, used_budget
from router.decide.scopes import caller
from router.errors import NoRoute
from router.plan import Plan
from router.policy.digest import canonical
from router.policy.load import load_text
from router.tools.diff import Difference, Side, compare, side_of
from router.tools.diff.change import Asked, Way
from router.tools.diff.route_words import steps
from tests.reference.book import BOOK
from tests.reference.router_side import Book
from tests.reference.worlds import make_world
from tests.tools.diff.parts import world_sides

SEEDS = range(150)


class Plain(yaml.SafeDumper):
    """Writes every value where it holds."""

    def ignore_aliases(self, data: object) -> bool:
        return True


@cache
def accepted() -> tuple[tuple[Side, Side], ...]:
    found = [sides for seed in SEEDS if (sides := world_sides(seed)) is not None]
    assert len(found) > len(SEEDS) // 3
    return tuple(found)


def shuffled(value: Any, random: Random) -> Any:
    """The same with the keys of every map in another order."""
    if isinstance(value, dict):
        return {key: shuffled(value[key], random) for key in random.sample(list(value), len(value))}
    return [shuffled(item, random) for item in value] if isinstance(value, list) else value


def rewritten(document: dict[str, Any], seed: int) -> str:
    random = Random(seed)
    text = yaml.dump(
        shuffled(document, random),
        Dumper=Plain,
        default_flow_style=random.choice((True, False)),
        indent=random.choice((2, 4)),
        sort_keys=False,
        width=100_000,
    )
    return f"# looks different\n{text}".replace("\n", "\n\n")


def test_a_side_does_not_differ_from_itself_or_from_itself_rewritten() -> None:
    compared = 0
    for seed in SEEDS:
        document = make_world(seed).document
        loaded = load_text(
            yaml.dump(dict(document), Dumper=Plain, width=100_000), Book(BOOK), file="old.yaml"
        )
        if loaded.plan is None:
            continue
        old = side_of("old", loaded)
        again = side_of("new", load_text(rewritten(dict(document), seed), Book(BOOK), file="new.yaml"))
        for new in (old, again):
            found = compare(old, new)
            assert found.same, (seed, found)
        assert (found.new_findings, found.gone_findings) == ((), ()), seed
        compared += 1
    assert compared > len(SEEDS) // 3


def test_there_is_a_difference_just_where_digests_differ() -> None:
    outcomes = set()
    for old, new in accepted():
        equal = old.plan.digest == new.plan.digest
        assert compare(old, new).same == equal
        outcomes.add(equal)
    assert outcomes == {True, False}


def routed(plan: Plan, asked: Asked) -> tuple[tuple[str, ...], str | None, tuple[object, ...]]:
    """What the engine's own matching makes of a witness: names, rejection, and the settings of each candidate."""
    request, policy = asked.witness.request(asked.policy), plan.policies[asked.policy]
    who = caller(plan, request)
    uses = {each for each, _ in asked.witness.used}
    amounts = {
        use: budget.amount for use in uses if (budget := used_budget(use, plan, policy, who)) is not None
    }
    route = match(plan, policy, who, asked.witness.snapshot(asked.policy, amounts), lambda _: None).route
    names = tuple(each.target.name for each in route.candidates)
    return names, route.reject, tuple(canonical(each) for each in route.candidates)


def said(way: Way) -> tuple[tuple[str, ...], str | None]:
    return way.targets, way.reject


def test_every_witness_is_routed_as_it_is_told() -> None:
    witnesses = 0
    for old, new in accepted():
        for change in compare(old, new).routes:
            before, after = routed(old.plan, change.asked), routed(new.plan, change.asked)
            assert before[:2] == said(change.before)
            assert after[:2] == said(change.after)
            assert before != after
            for other in change.also:
                assert routed(old.plan, other) != routed(new.plan, other)
            witnesses += 1 + len(change.also)
    assert witnesses > 100


FIELDS: dict[str, tuple[Any, ...]] = {
    "user": ("ann", "bob", "eve"),
    "session": ("s1", "s2"),
    "tags": ((), ("batch",), ("vip",), ("batch", "vip")),
    "needs": (frozenset(), frozenset({"tools"}), frozenset({"json", "vision"})),
    "input_tokens": (1, 60, 300, 900, 1_500, 3_000),
    "output_tokens": (None, 60, 300, 700, 900),
    "stream": (False, True),
    "day": tuple(range(7)),
    "minute": tuple(range(0, 1440, 90)),
}


def some_request(plan: Plan, random: Random) -> Asked:
    """Any request, whatever rules look at; budgets are anywhere between empty and spent."""
    uses = {
        each.budget
        for one in plan.policies.values()
        for rule in one.rules
        for each in rule.when
        if each.budget
    }
    spent = tuple((use, random.choice((0, 10**6, 10**7, 10**8, 10**9))) for use in sorted(uses, key=repr))
    values = {name: random.choice(choices) for name, choices in FIELDS.items()}
    tenant = random.choice(sorted(plan.tenants)) if plan.tenants else None
    witness = Witness(tenant=tenant, used=spent, **values)
    return Asked(policy=random.choice(sorted(plan.policies)), text="", witness=witness)


def test_whatever_is_routed_differently_is_told() -> None:
    """By brute force: where a request goes elsewhere, its policy and the edit of its list are among what is told."""
    elsewhere = 0
    for number, (old, new) in enumerate(accepted()):
        found, random = compare(old, new), Random(number)
        told = {
            (
                each.policy,
                edit(change.before.targets, change.after.targets),
                change.before.reject,
                change.after.reject,
            )
            for change in found.routes
            for each in (change.asked, *change.also)
        }
        for asked in (some_request(old.plan, random) for _ in range(60)):
            try:
                (was, no, _), (now, nope, _) = routed(old.plan, asked), routed(new.plan, asked)
            except (NoRoute, KeyError):  # one side does not accept this call at all
                continue
            if (was, no) == (now, nope):
                continue
            elsewhere += 1
            assert asked.policy in moved(found)
            if not asked.witness.needs or bool(was) != bool(now):  # else it follows from a plainer one
                assert (asked.policy, edit(was, now), no, nope) in told
    assert elsewhere > 100


def edit(before: tuple[str, ...], after: tuple[str, ...]) -> tuple[object, ...]:
    return tuple(steps(before, after))


def moved(found: Difference) -> set[str]:
    return {each.policy for change in found.routes for each in (change.asked, *change.also)}


def test_what_goes_one_way_comes_back_the_other() -> None:
    opposite = {"loosens": "tightens", "tightens": "loosens", "both": "both", "neither": "neither"}
    for old, new in accepted():
        there, back = compare(old, new), compare(new, old)
        assert moved(there) == moved(back)
        assert {(each.policies, each.before, each.after) for each in there.bounds} == {
            (each.policies, each.after, each.before) for each in back.bounds
        }
        values = {
            (each.subjects, each.what, each.before, each.after, each.effect)
            for each in there.changes
            if each.area in ("ceilings", "budgets")
        }
        assert values == {
            (each.subjects, each.what, each.after, each.before, opposite[each.effect])
            for each in back.changes
            if each.area in ("ceilings", "budgets")
        }


@pytest.mark.parametrize("seed", range(5))
def test_the_document_is_json(seed: int) -> None:
    from router.tools.diff.told.document import document

    for old, new in accepted()[seed * 5 : seed * 5 + 5]:
        found = document(compare(old, new))
        assert json.loads(json.dumps(found)) == found
