"""What is heavy is loaded by the call that needs it: the first, as test_default_router.py shows, and none before; or by
`warm`."""

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


def test_a_warmed_router_has_loaded_what_its_first_call_needs(scene: Scene):
    told = output("warmed.py", ROUTER_POLICIES=str(scene.policies)).splitlines()
    assert told[:4] == ["at once: False", "waited for: True", "litellm: True", "again: True"]
    assert told[4].startswith("answered: ")
    assert len(told[4]) > len("answered: ")
