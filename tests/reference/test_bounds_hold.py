"""No run reserves or spends more, lasts longer or sends more attempts than `explain` printed before it.

4,000 runs by default (some ten seconds); BOUND_RUNS=100000 in the environment makes it as many. Each run is a policy, a
tenant, a request, faults and a moment, drawn by a seed that its message names.
"""

import os
from collections.abc import Iterator

import pytest

from tests.reference.bound_runs import BoundSide, Run
from tests.reference.router_side import NotAccepted, plan_of
from tests.reference.worlds import make_world

RUNS = int(os.environ.get("BOUND_RUNS", "4000"))
BATCHES = 8


def runs(seed: int) -> Iterator[Run]:
    """Every call of a world; none where its document does not load."""
    world = make_world(seed)
    try:
        side = BoundSide(world, plan_of(world))
    except NotAccepted:
        return
    for number, call in enumerate(world.calls):
        yield side.bounded(f"r{number}", call)


@pytest.mark.parametrize("batch", range(BATCHES))
def test_no_run_passes_what_was_printed(batch: int) -> None:
    done, seed, found = 0, batch, []
    while done < RUNS // BATCHES:
        for run in runs(seed):
            found += [f"world {seed}: {line}, by {run.call}" for line in run.violations()]
            done += 1
        seed += BATCHES
    assert found[:5] == []
