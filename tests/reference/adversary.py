"""The worst that can happen to a policy: every attempt fails, at full length or at full cost, as often as it may.

Documents are taken without tenants, so that nothing but the policy itself is in the way.
"""

from collections.abc import Iterator
from itertools import product
from random import Random

from router.adapters.scripted_transport import Fails, NeverAnswers
from router.adapters.scripted_transport import Step as Scripted
from router.plan import Plan
from router.ports import WireCall
from router.values import Kind
from tests.reference.bound_runs import BoundSide, Run
from tests.reference.interpreter.world import Call, World
from tests.reference.router_side import plan_of
from tests.reference.worlds import WorldMaker, world_of

FAULTS: tuple[Scripted, ...] = (
    NeverAnswers(),  # all the time of every attempt, and its worst case
    Fails(Kind.CONNECTION, retry_after_s=1.0),  # its worst case at once
    Fails(Kind.SERVER_ERROR, status=200),  # the same, where a policy goes on after that alone
    Fails(Kind.OVERLOADED, retry_after_s=0.0),  # as many sends as there may be
    Fails(Kind.RATE_LIMITED, retry_after_s=0.0),
)


class Adversary(BoundSide):
    """A router to which only one thing ever happens."""

    def __init__(self, world: World, plan: Plan, fault: Scripted) -> None:
        super().__init__(world, plan)
        self._fault = fault

    def _step(self, call: WireCall) -> Scripted:
        return self._fault


def attacks(seed: int) -> Iterator[Run]:
    """Runs of the first policy of the document of a seed. Raises NotAccepted."""
    maker = WorldMaker(seed)
    maker.paths = ()
    world = world_of(maker, maker.document())
    plan = plan_of(world)
    calls = [plain(world), *variants(world, maker.random)]
    for fault, size, call in product(FAULTS, sizes(plan, calls[0].policy), calls):
        side = Adversary(world, plan, fault)
        attack = Call(**{**vars(call), "size": size})
        result = side.call("r0", attack)
        yield Run(call=attack, result=result, policy=side.policy_bound(call.policy), this_call=None)


def plain(world: World) -> Call:
    return Call(policy=next(iter(world.document["policies"])), user="ann", session="s1")


def variants(world: World, random: Random) -> Iterator[Call]:
    """Requests that other rules may hold for."""
    tool = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
    for tags, params in ((("batch", "vip"), {}), ((), {"max_tokens": 3_000}), (("vip",), {"tools": [tool]})):
        gap_s = 900.0 * random.randint(0, 7 * 96)
        yield Call(**{**vars(plain(world)), "tags": tags, "params": params, "gap_s": gap_s})


def sizes(plan: Plan, policy: str) -> list[int]:
    """Bytes of input that some target reserves the most for."""
    ceiling = plan.policies[policy].ceiling.input_tokens
    found = {0}
    for target in plan.targets.values():
        limits = [each for each in (ceiling, target.context_tokens) if each is not None]
        margin = target.tokens.margin_percent if target.tokens.method == "margin" else 0
        found.add(max(0, min(limits, default=1) * 100 // (100 + margin) - 1) * 4)
    return sorted(found)[-4:]
