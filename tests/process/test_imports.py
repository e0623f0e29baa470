"""What is heavy is loaded by the call that needs it: the first, as test_default_router.py shows, and none before."""

import pytest

from router import Router
from tests.process.scene import WHO, Scene, output


@pytest.mark.usefixtures("warm")
def test_opening_and_a_kept_answer_load_no_wire(scene: Scene):
    with Router.open(scene.policies) as router:
        assert not router.complete("hello", **{**WHO, "policy": "kept"}).cached
    told = output("cached_answer.py", ROUTER_POLICIES=str(scene.policies)).splitlines()
    assert told == ["open: none", "cached: none"]
    assert scene.provider.request_count == 1
