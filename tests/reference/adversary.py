"""The worst that can happen to a policy: every attempt fails, at full length or at full cost, as often as it may.

Documents are taken without tenants, and targets as taking every parameter, so that nothing but the policy itself is in
the way.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import product
from random import Random
from typing import Any

from router.adapters.scripted_transport import Fails, NeverAnswers
from router.adapters.scripted_transport import Step as Scripted
from router.decide.classify import TRANSIENT
from router.plan import Plan, TargetEntry
from router.ports import WireCall
from router.values import Kind
from tests.reference.bound_runs import BoundSide, Run
from tests.reference.interpreter.world import Call, World
from tests.reference.router_side import plan_of
from tests.reference.worlds import WorldMaker, world_of

Book = Mapping[str, Mapping[str, Mapping[str, Any]]]

WORST: Mapping[Kind, Scripted] = {
    Kind.TIMEOUT: NeverAnswers(),  # all the time of the attempt, and its worst case
    Kind.CONNECTION: Fails(Kind.CONNECTION),  # its worst case at once
    Kind.SERVER_ERROR: Fails(Kind.SERVER_ERROR, status=200),
}
QUICK: Mapping[Kind, Scripted] = {
    kind: Fails(kind, sent=kind is not Kind.CONNECTION)
    for kind in sorted(Kind, key=lambda kind: kind not in TRANSIENT)
}
PLANS = (WORST, {**WORST, Kind.TIMEOUT: Fails(Kind.TIMEOUT)}, QUICK)
"""By kind of failure, the first that a policy goes on after: slow and dear ones, dear ones, mere failures."""


class Adversary(BoundSide):
    """A router at whose targets everything fails, each time in a way after which its policy tries once more."""

    def __init__(self, world: World, plan: Plan, faults: Mapping[Kind, Scripted]) -> None:
        super().__init__(world, plan)
        self._faults = faults
        self._lexicals = {
            entry.target: policy.lexical
            for policy in reversed(plan.policies.values())
            for entries in (policy.entries, *(rule.entries for rule in policy.rules))
            for entry in entries
            if isinstance(entry, TargetEntry)
        }

    def _step(self, call: WireCall) -> Scripted:
        lexical = self._lexicals[call.target]
        self.asked[call.target] = self.asked.get(call.target, 0) + 1
        again = self.asked[call.target] < lexical.retry.attempts
        wanted = lexical.retry.on if again else lexical.fall_back_on
        faults = {**self._faults, **{kind: QUICK[kind] for kind in QUICK if kind not in self._faults}}
        return next((fault for kind, fault in faults.items() if kind in wanted), NeverAnswers())


def attacks(seed: int) -> Iterator[Run]:
    """Runs of the first policy of the document of a seed. Raises NotAccepted."""
    maker = WorldMaker(seed)
    maker.paths, maker.roomy = (), True
    world = replace(world_of(maker, maker.document()), env=None, spent=(), draws=(15 / 16,))
    world = replace(world, book=_willing(world.book))
    plan = plan_of(world)
    calls = [plain(world), *variants(world, maker.random)]
    moments = [replace(world, start_s=at_s) for at_s in moments_of(plan, world.start_s)]
    for then, faults, size, call in product(moments, PLANS, sizes(plan, calls[0].policy), calls):
        side = Adversary(then, plan, faults)
        attack = replace(call, size=size)
        result = side.call("r0", attack)
        yield Run(call=attack, result=result, policy=side.policy_bound(call.policy))


def _willing(book: Book) -> Book:
    """The same book, in which no model refuses a parameter."""
    return {
        kind: {model: {**row, "refuses": ()} for model, row in models.items()}
        for kind, models in book.items()
    }


def moments_of(plan: Plan, start_s: float) -> list[float]:
    """When the world begins, and when prices are others."""
    changes = {each.at_s for target in plan.targets.values() for each in target.price_changes}
    before = [min(changes) - 86_400.0] if changes else []
    return [start_s, *before, *sorted(changes)][:6]


def plain(world: World) -> Call:
    return Call(policy=next(iter(world.document["policies"])), user="ann", session="s1")


def variants(world: World, random: Random) -> Iterator[Call]:
    """Requests that other rules may hold for."""
    tool = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
    search = {"web_search_options": {}}
    shapes = (
        (("batch", "vip"), {}),
        ((), {"max_tokens": 3_000}),
        (("vip",), {"tools": [tool]}),
        ((), search),
    )
    for tags, params in shapes:
        gap_s = 900.0 * random.randint(0, 7 * 96)
        yield replace(plain(world), tags=tags, params=params, gap_s=gap_s)
    yield replace(plain(world), kept=True)  # what is printed counts on it wherever it has a price


def sizes(plan: Plan, policy: str) -> list[int]:
    """Bytes of input that some target reserves the most for."""
    ceiling = plan.policies[policy].ceiling.input_tokens
    found = {0}
    for target in plan.targets.values():
        limits = [each for each in (ceiling, target.context_tokens) if each is not None]
        margin = target.tokens.margin_percent if target.tokens.method == "margin" else 0
        found.add(max(0, min(limits, default=1) * 100 // (100 + margin) - 1) * 4)
    return sorted(found)[-4:]
