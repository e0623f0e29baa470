"""Law 7: the same plan, request, state, outcomes, clock and seed give the same decisions, sync or async."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from router.adapters.clocks import AsyncManualClock
from router.adapters.scripted_transport import Fails, NeverAnswers, Says, ScriptedTransport, Step
from router.engine import execute
from router.errors import RouterError
from router.events import Event
from router.plan import CacheRule, Limit, PolicyEntry
from router.values import Kind
from tests.build import PLACE, budget, plan, policy, tenant
from tests.world import World

PER_MINUTE = Limit(
    owner="tenant:acme", unit="requests", window_s=60, at_most=3, place=PLACE, text="requests: 3"
)
ACME = tenant("acme", budgets=(budget("tenant:acme", 6_000_000),), limits=(PER_MINUTE,))
HANDED_OVER = replace(budget("policy:main", 4_000_000), when_spent=PolicyEntry(policy="late", place=PLACE))
PLAN = plan(
    policy(
        "main",
        "openai/a",
        "groq/b",
        "spare",
        cache=CacheRule(ttl_s=5, sampled=True),
        budgets=(HANDED_OVER,),
    ),
    policy("spare", "xai/c"),
    policy("late", "mistral/d"),
    tenants=(ACME,),
)

STEPS = st.lists(
    st.one_of(
        st.builds(
            Fails,
            st.sampled_from([*Kind]),
            retry_after_s=st.none() | st.sampled_from([0.25, 1.0, 9.0]),
            after_s=st.sampled_from([0.0, 0.5, 2.0]),
        ),
        st.builds(Says, st.sampled_from(["a", "b"]), after_s=st.sampled_from([0.0, 1.5])),
        st.just(NeverAnswers()),
    ),
    min_size=30,
    max_size=30,
)
TEXTS = st.lists(st.sampled_from(["one", "two"]), min_size=1, max_size=4)


def sync_run(steps: Sequence[Step], texts: Sequence[str], seed: int) -> list[Event]:
    world = World(PLAN, steps, seed=seed)
    for text in texts:
        with suppress(RouterError):
            world.call(text, tenant="acme")
    return world.seen


def async_run(steps: Sequence[Step], texts: Sequence[str], seed: int) -> list[Event]:
    async def run() -> list[Event]:
        clock = AsyncManualClock()
        world = World(PLAN, steps, seed=seed, clock=clock)
        world.ports = replace(world.ports, transport=ScriptedTransport(steps, clock=clock))
        for text in texts:
            with suppress(RouterError):
                await execute(world.plan, world.ports, world.request(text, tenant="acme"))
        return world.seen

    return asyncio.run(run())


@given(steps=STEPS, texts=TEXTS, seed=st.integers(0, 1_000))
def test_a_run_repeats_to_the_last_event(steps: Sequence[Step], texts: Sequence[str], seed: int) -> None:
    assert sync_run(steps, texts, seed) == sync_run(steps, texts, seed)


@given(steps=STEPS, texts=TEXTS, seed=st.integers(0, 1_000))
def test_sync_and_async_decide_alike(steps: Sequence[Step], texts: Sequence[str], seed: int) -> None:
    assert sync_run(steps, texts, seed) == async_run(steps, texts, seed)


def test_another_seed_waits_differently() -> None:
    steps = [Fails(Kind.OVERLOADED), Says("x")]
    waits = {str(sync_run(steps, ["one"], seed)) for seed in range(5)}
    assert len(waits) == 5
