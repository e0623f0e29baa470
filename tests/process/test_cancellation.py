"""A caller that gives up: the socket is closed, the money is settled at its worst case, the permit is given back."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest

from router import AsyncRouter, DeadlineExceeded, Reply
from router.testing import Drip, NeverAnswer, Step
from tests.process.scene import WHO, Scene, closed

pytestmark = pytest.mark.usefixtures("warm")

PROMPT_S = 0.5
Give = Callable[[AsyncRouter, Scene], Awaitable[None]]


async def under_way(router: AsyncRouter, scene: Scene) -> "asyncio.Task[Reply]":
    """A call whose request has arrived."""
    task = asyncio.create_task(router.complete("hello", **WHO))
    ends_s = time.monotonic() + 5.0
    while not scene.provider.requests and time.monotonic() < ends_s:
        await asyncio.sleep(0.005)
    assert scene.provider.requests, "nothing was sent"
    return task


async def cancelled(router: AsyncRouter, scene: Scene, again_after_s: float | None = None) -> None:
    task = await under_way(router, scene)
    task.cancel()
    if again_after_s is not None:
        await asyncio.sleep(again_after_s)
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def once(router: AsyncRouter, scene: Scene) -> None:
    await cancelled(router, scene)


async def twice(router: AsyncRouter, scene: Scene) -> None:
    await cancelled(router, scene, again_after_s=0.0)


async def twice_in_a_row(router: AsyncRouter, scene: Scene) -> None:
    """The second one meets the call while it is closing its socket."""
    task = await under_way(router, scene)
    task.cancel()
    for _ in range(3):
        await asyncio.sleep(0)
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def by_asyncio_timeout(router: AsyncRouter, scene: Scene) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await router.complete("hello", **WHO)


async def by_wait_for(router: AsyncRouter, scene: Scene) -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(router.complete("hello", **WHO), 0.3)


async def by_an_anyio_scope(router: AsyncRouter, scene: Scene) -> None:
    with anyio.move_on_after(0.3) as scope:
        await router.complete("hello", **WHO)
    assert scope.cancelled_caught


async def by_a_failing_sibling(router: AsyncRouter, scene: Scene) -> None:
    async def fail() -> None:
        await asyncio.sleep(0.3)
        raise LookupError

    async def both() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(lambda: router.complete("hello", **WHO))
            group.start_soon(fail)

    with pytest.raises(ExceptionGroup) as caught:
        await both()
    assert caught.group_contains(LookupError)


WAYS: list[Give] = [
    once,
    twice,
    twice_in_a_row,
    by_asyncio_timeout,
    by_wait_for,
    by_an_anyio_scope,
    by_a_failing_sibling,
]


@pytest.mark.parametrize("step", [NeverAnswer(), Drip(body_chunk_s=0.05)], ids=["never", "drip"])
@pytest.mark.parametrize("give_up", WAYS, ids=lambda way: way.__name__)
def test_a_call_that_is_given_up_leaves_nothing_open(scene: Scene, give_up: Give, step: Step):
    scene.provider.script("*", step)

    async def main() -> tuple[float, int]:
        async with AsyncRouter.open(scene.policies) as router:
            await give_up(router, scene)
            gave_up_s = time.monotonic()
            (seen,) = await asyncio.to_thread(scene.provider.wait_for, closed)
            assert seen.closed_at_s is not None
            held = scene.permits(router.plan.tenants["acme"].limits)
            return seen.closed_at_s - gave_up_s, held

    late_s, held = asyncio.run(main())
    assert late_s < PROMPT_S
    assert held == 0, "the permit is still held"
    (row,) = scene.rows()
    assert (row.state, row.how, row.cost_nusd) == ("settled", "worst_case", row.worst_nusd)
    assert row.worst_nusd > 0
    assert list(scene.counters().values()) == [(row.worst_nusd, 0)] * 2, (
        "the tenant's month, the policy's day"
    )


def test_many_calls_given_up_at_once_leave_nothing_open(scene: Scene):
    scene.provider.script("*", NeverAnswer())

    async def main() -> tuple[int, int]:
        async with AsyncRouter.open(scene.policies) as router:
            calls = [asyncio.create_task(router.complete(f"hello {n}", **WHO)) for n in range(20)]
            await asyncio.to_thread(scene.provider.wait_for, lambda requests: len(requests) == 20)
            limits = router.plan.tenants["acme"].limits
            before = scene.permits(limits)
            for call in calls:
                call.cancel()
            ends: list[Any] = await asyncio.gather(*calls, return_exceptions=True)
            assert {type(end) for end in ends} == {asyncio.CancelledError}
            await asyncio.to_thread(scene.provider.wait_for, closed)
            return before, scene.permits(limits)

    assert asyncio.run(main()) == (20, 0)
    assert [row.state for row in scene.rows()] == ["settled"] * 20
    assert [reserved for _, reserved in scene.counters().values()] == [0, 0]


def test_a_router_goes_on_after_calls_that_were_given_up(scene: Scene):
    async def main() -> list[str]:
        async with AsyncRouter.open(scene.policies) as router:
            scene.provider.script("*", NeverAnswer())
            await once(router, scene)
            with pytest.raises(DeadlineExceeded):
                await router.complete("hello", timeout=0.1, **WHO)
            scene.provider.reset()
            return [(await router.complete("hello", **WHO)).target for _ in range(2)]

    assert asyncio.run(main()) == ["openai/gpt-5-nano"] * 2
