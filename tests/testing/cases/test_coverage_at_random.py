"""Coverage over random policies and calls: nothing is exercised that is not there, and what was done is exercised."""

from collections.abc import Iterator
from itertools import pairwise

import pytest

from router import events as ev
from router.plan import Plan
from router.testing.cases.coverage import Key, exercised, items
from router.testing.cases.seen import Seen
from tests.reference.router_side import NotAccepted, Side, plan_of
from tests.reference.worlds import make_world

WORLDS, BATCHES = 600, 6


def calls(seed: int) -> Iterator[tuple[Plan, Seen]]:
    """Every call of a world; none where its document does not load."""
    world = make_world(seed)
    try:
        side = Side(world, plan_of(world))
    except NotAccepted:
        return
    for number, call in enumerate(world.calls):
        side.call(f"r{number}", call)
        request = side.request(f"r{number}", call)
        yield side.plan, Seen(request=request, reply=None, error=None, trace=tuple(side.seen))


def of_kind(keys: set[Key], kind: str) -> set[Key]:
    return {key for key in keys if key.kind == kind}


def wrong(plan: Plan, seen: Seen) -> Iterator[str]:
    keys, there = set(exercised(plan, seen)), {item.key for item in items(plan)}
    ruleless = {key for key in of_kind(keys, "rule") if not plan.policies[key.policy].rules}
    if keys - there - ruleless:
        yield f"exercised, and not there: {keys - there - ruleless}"
    if {key.what for key in of_kind(keys, "target")} != set(seen.asked):
        yield f"sent to {seen.asked}, exercised {of_kind(keys, 'target')}"
    held = {(fact.policy, fact.rule) for fact in seen.facts(ev.RuleMatched)}
    if not held <= {(key.policy, key.branch) for key in of_kind(keys, "rule")}:
        yield f"held {held}, exercised {of_kind(keys, 'rule')}"
    again = any(a == b for a, b in pairwise(seen.asked))
    if again != any(key.what == "sends again" for key in keys):
        yield f"sent to {seen.asked}, exercised {of_kind(keys, 'edge')}"
    fell = any(" -> " in key.what for key in keys)
    if fell and not any(seen.facts(ev.FellBack)):
        yield "an edge without a fall"
    if any(seen.facts(ev.Jumped)) != any(" spent" in key.what for key in keys):
        yield f"a jump is not exercised as one: {of_kind(keys, 'edge')}"


@pytest.mark.parametrize("batch", range(BATCHES))
def test_what_was_done_is_exercised_and_nothing_else(batch: int) -> None:
    found, sent, edges = [], 0, set()
    for seed in range(batch, WORLDS, BATCHES):
        for plan, seen in calls(seed):
            found += [f"world {seed}: {line}" for line in wrong(plan, seen)]
            sent += len(seen.asked)
            edges |= {key.what.split(" ")[0] for key in exercised(plan, seen) if key.kind == "edge"}
    assert found[:5] == []
    assert sent > 50
    assert {"into", "sends", "rejects"} & edges
