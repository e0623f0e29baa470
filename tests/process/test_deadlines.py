"""Law 4 with a real wire: whatever a server does, a call ends at its deadline, and its socket is closed."""

import asyncio
import math
import time
from collections.abc import Sequence
from typing import Any

import pytest

from router import AsyncRouter, DeadlineExceeded, Reply, Router
from router import events as ev
from router.decide.bounds import GRACE_S
from router.testing import Answer, Drip, NeverAnswer, ReceivedRequest, Step
from tests.process.scene import FIRST, SECOND, WHO, Scene

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
QUICK = {**WHO, "policy": "quick"}  # an attempt may take 200 ms
FORMS = pytest.mark.parametrize("form", ["sync", "async"])


def call(form: str, scene: Scene, **arguments: Any) -> tuple[Any, float, float]:
    """(reply or error, when the call began, when it ended). Its router is closed only once its requests are over:
    else that would be what closes their sockets."""
    return sync_call(scene, arguments) if form == "sync" else asyncio.run(async_call(scene, arguments))


def sync_call(scene: Scene, arguments: dict[str, Any]) -> tuple[Any, float, float]:
    with Router.open(scene.policies) as router:
        began_s = time.monotonic()
        try:
            ended: Any = router.complete("hello", **arguments)
        except DeadlineExceeded as error:
            ended = error
        ended_s = time.monotonic()
        scene.provider.wait_for(over)
    return ended, began_s, ended_s


async def async_call(scene: Scene, arguments: dict[str, Any]) -> tuple[Any, float, float]:
    async with AsyncRouter.open(scene.policies) as router:
        began_s = time.monotonic()
        try:
            ended: Any = await router.complete("hello", **arguments)
        except DeadlineExceeded as error:
            ended = error
        ended_s = time.monotonic()
        await asyncio.to_thread(scene.provider.wait_for, over)
    return ended, began_s, ended_s


def over(requests: Sequence[ReceivedRequest]) -> bool:
    """Each is answered, or its socket closed."""
    return all(request.finished_at_s is not None or request.closed_by_client for request in requests)


@FORMS
@pytest.mark.parametrize("step", SLOW.values(), ids=SLOW)
def test_a_call_ends_at_its_deadline_with_its_socket_closed(scene: Scene, form: str, step: Step):
    late_s = [math.inf]
    while min(late_s) >= GRACE_S and len(late_s) <= TRIES:
        late_s.append(lateness_s(scene, form, step))
    assert min(late_s) < GRACE_S, f"later than the deadline by {late_s} s"


def lateness_s(scene: Scene, form: str, step: Step) -> float:
    """By how much the call, or the end of its socket, was later than the deadline."""
    scene.provider.reset()
    scene.provider.script("*", step)
    error, began_s, ended_s = call(form, scene, timeout=TIMEOUT_S, **WHO)
    assert isinstance(error, DeadlineExceeded)
    (seen,) = scene.provider.requests
    assert seen.closed_at_s is not None
    late_s = max(ended_s, seen.closed_at_s) - began_s - TIMEOUT_S
    assert -0.01 <= late_s < NOISE_S
    return late_s


@FORMS
def test_what_it_may_have_cost_is_settled_when_the_call_returns(scene: Scene, form: str):
    scene.provider.script("*", NeverAnswer())
    error, _, _ = call(form, scene, timeout=0.2, **WHO)
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
    reply, began_s, ended_s = call(form, scene, timeout=5.0, **QUICK)
    assert isinstance(reply, Reply)
    assert (reply.text, reply.target) == ("from the second", SECOND)
    assert 0.2 <= ended_s - began_s < 0.2 + NOISE_S
    (failed,) = [event for event in reply.trace if isinstance(event, ev.AttemptFailed)]
    assert (failed.target, failed.kind) == (FIRST, "timeout")
    slow, second = scene.provider.requests
    assert slow.closed_at_s is not None
    assert slow.closed_at_s < second.received_at_s + 0.05, "it was still open beside the next attempt"
    assert [row.how for row in scene.rows()] == ["worst_case", "reported"]


@FORMS
def test_the_last_target_gets_no_more_than_what_is_left(scene: Scene, form: str):
    scene.provider.script("*", NeverAnswer())
    error, began_s, ended_s = call(form, scene, timeout=0.3, **QUICK)
    assert isinstance(error, DeadlineExceeded)
    assert [attempt.target for attempt in error.attempts] == [FIRST, SECOND]
    assert 0.29 <= ended_s - began_s < 0.3 + NOISE_S
