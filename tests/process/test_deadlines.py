"""Law 4 with a real wire: whatever a server does, a call ends at its deadline, and its socket is closed."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from router import AsyncRouter, DeadlineExceeded, Reply, Router
from router import events as ev
from router.decide.bounds import GRACE_S
from router.testing import Answer, Drip, NeverAnswer, Step
from tests.process.scene import FIRST, SECOND, WHO, Scene, closed

pytestmark = pytest.mark.usefixtures("warm")

TIMEOUT_S = 0.5
TRIES = 3
NOISE_S = 0.5
"""No try may be later than this, on however busy a machine; one of them must keep to the grace that is promised."""

SLOW = {
    "never": NeverAnswer(),
    "head": Drip(head_s=0.04),
    "body": Drip(body_chunk_s=0.04),
}
FORMS = pytest.mark.parametrize("form", ["sync", "async"])
Calls = Callable[..., list[Any]]


def calls(form: str, scene: Scene, number: int, **arguments: Any) -> list[Any]:
    """(reply or error, seconds it took, when it ended) of some calls one after another with one router."""
    return (
        sync_calls(scene, number, arguments)
        if form == "sync"
        else asyncio.run(async_calls(scene, number, arguments))
    )


def sync_calls(scene: Scene, number: int, arguments: dict[str, Any]) -> list[Any]:
    ends = []
    with Router.open(scene.policies) as router:
        for _ in range(number):
            began_s = time.monotonic()
            try:
                ended: Any = router.complete("hello", **arguments)
            except DeadlineExceeded as error:
                ended = error
            ends.append((ended, time.monotonic() - began_s, time.monotonic()))
    return ends


async def async_calls(scene: Scene, number: int, arguments: dict[str, Any]) -> list[Any]:
    ends = []
    async with AsyncRouter.open(scene.policies) as router:
        for _ in range(number):
            began_s = time.monotonic()
            try:
                ended: Any = await router.complete("hello", **arguments)
            except DeadlineExceeded as error:
                ended = error
            ends.append((ended, time.monotonic() - began_s, time.monotonic()))
    return ends


@FORMS
@pytest.mark.parametrize("step", SLOW.values(), ids=SLOW)
def test_a_call_ends_at_its_deadline_with_its_socket_closed(scene: Scene, form: str, step: Step):
    scene.provider.script("*", step)
    ends = calls(form, scene, TRIES, timeout=TIMEOUT_S, **WHO)
    assert [type(ended) for ended, _, _ in ends] == [DeadlineExceeded] * TRIES
    assert all(TIMEOUT_S - 0.01 <= took_s < TIMEOUT_S + NOISE_S for _, took_s, _ in ends), ends
    requests = scene.provider.wait_for(closed)
    assert len(requests) == TRIES
    late_s = [
        max(took_s - TIMEOUT_S, seen.closed_at_s - ended_s)
        for (_, took_s, ended_s), seen in zip(ends, requests, strict=True)
    ]
    assert min(late_s) < GRACE_S, f"later than the deadline by {late_s} s"
    assert max(late_s) < NOISE_S


@FORMS
def test_what_it_may_have_cost_is_settled_when_the_call_returns(scene: Scene, form: str):
    scene.provider.script("*", NeverAnswer())
    ((error, _, _),) = calls(form, scene, 1, timeout=0.2, **WHO)
    (row,) = scene.rows()
    assert (row.state, row.how, row.cost_nusd) == ("settled", "worst_case", row.worst_nusd)
    assert row.worst_nusd > 0
    assert [(each.target, each.sent, each.cost_nusd) for each in error.attempts] == [
        (FIRST, True, row.worst_nusd)
    ]


@FORMS
@pytest.mark.parametrize("step", SLOW.values(), ids=SLOW)
def test_an_attempt_that_is_too_slow_leaves_time_for_the_next_target(scene: Scene, form: str, step: Step):
    scene.provider.script(FIRST, step)
    scene.provider.script(SECOND, Answer("from the second"))
    ((reply, took_s, _),) = calls(form, scene, 1, timeout=5.0, **{**WHO, "policy": "quick"})
    assert isinstance(reply, Reply)
    assert (reply.text, reply.target) == ("from the second", SECOND)
    assert 0.2 <= took_s < 0.2 + NOISE_S
    (failed,) = [event for event in reply.trace if isinstance(event, ev.AttemptFailed)]
    assert (failed.target, failed.kind) == (FIRST, "timeout")
    slow, second = scene.provider.wait_for(lambda requests: requests[0].closed_by_client)
    assert slow.closed_at_s is not None
    assert slow.closed_at_s < second.received_at_s + 0.05, "it was still open beside the next attempt"
    assert [row.how for row in scene.rows()] == ["worst_case", "reported"]


@FORMS
def test_the_last_target_gets_no_more_than_what_is_left(scene: Scene, form: str):
    scene.provider.script("*", NeverAnswer())
    ends = calls(form, scene, 2, timeout=0.3, **{**WHO, "policy": "quick"})
    for error, took_s, _ in ends:
        assert isinstance(error, DeadlineExceeded)
        assert [attempt.target for attempt in error.attempts] == [FIRST, SECOND]
        assert 0.29 <= took_s < 0.3 + NOISE_S
    scene.provider.wait_for(closed)
