"""Breakers over real HTTP and SQLite: a provider that fails is left alone, and who gives up gives its place back."""

import asyncio
import time

import pytest

from router import AsyncRouter, Router
from router.testing import Answer, DropConnection, NeverAnswer, ServerError
from tests.process.scene import FIRST, SECOND, WHO, Scene

pytestmark = pytest.mark.usefixtures("warm")


def watch(scene: Scene, open_for: str) -> None:
    """The first provider gets a breaker, and fails; the second one answers."""
    file = scene.policies / "main.yaml"
    breaker = f"openai: {{breaker: {{failures: 2, open_for: {open_for}}}, base_url"
    file.write_text(file.read_text(encoding="utf-8").replace("openai: {base_url", breaker), encoding="utf-8")
    scene.provider.script(FIRST, [ServerError(), DropConnection()])
    scene.provider.script(SECOND, Answer("from the second"))


def asked(scene: Scene, target: str) -> int:
    model = target.partition("/")[2]
    return sum(request.model == model for request in scene.provider.requests)


def until_half_open(router: Router) -> None:
    """Its time is short and real."""
    ends_s = time.monotonic() + 5.0
    while router.breakers()[0].phase == "open" and time.monotonic() < ends_s:
        time.sleep(0.02)
    assert router.breakers()[0].phase == "half_open"


def test_a_provider_that_fails_is_left_alone_by_all_until_it_is_reset(scene: Scene) -> None:
    watch(scene, open_for="10m")
    with Router.open(scene.policies) as router, Router.open(scene.policies) as another:  # on the same file
        for _ in range(2):
            assert router.complete("hello", **WHO).text == "from the second"
        assert another.complete("hello", **WHO).text == "from the second"
        assert asked(scene, FIRST) == 2
        assert (router.breakers()[0].phase, router.breakers()[0].in_a_row) == ("open", 2)
        scene.provider.script(FIRST, Answer("from the first"))
        assert another.reset_breakers(FIRST)[0].phase == "closed"
        assert router.complete("hello", **WHO).text == "from the first"


def test_a_probe_that_is_cancelled_gives_its_place_back(scene: Scene) -> None:
    watch(scene, open_for="300ms")
    with Router.open(scene.policies) as router:
        for _ in range(2):
            router.complete("hello", **WHO)
        until_half_open(router)
        scene.provider.script(FIRST, NeverAnswer())
        asyncio.run(give_up(scene))
        found = router.breakers()[0]
        assert (found.phase, found.probes, found.openings) == ("half_open", 0, 1)


async def give_up(scene: Scene) -> None:
    """Cancel a call whose request has arrived at the target that is tried again."""
    before = asked(scene, FIRST)
    async with AsyncRouter.open(scene.policies) as router:
        task = asyncio.create_task(router.complete("hello", **WHO))
        ends_s = time.monotonic() + 5.0
        while asked(scene, FIRST) == before and time.monotonic() < ends_s:
            await asyncio.sleep(0.005)
        assert (await router.breakers())[0].probes == 1
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
