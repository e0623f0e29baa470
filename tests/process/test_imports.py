"""What is heavy is loaded by the call that needs it."""

import pytest

from router import Router
from tests.process.scene import WHO, Scene, output


@pytest.mark.usefixtures("warm")
def test_opening_and_a_kept_answer_load_no_wire_and_the_first_call_does(scene: Scene):
    with Router.open(scene.policies) as router:
        assert not router.complete("hello", **{**WHO, "policy": "kept"}).cached
    told = output("cached_answer.py", ROUTER_POLICIES=str(scene.policies)).splitlines()
    assert told == ["open: none", "cached: none", "called: litellm openai httpx aiohttp"]
    assert scene.provider.request_count == 2
