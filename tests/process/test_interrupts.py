"""Ctrl-C in the midst of a call: the socket is closed, money and permit are settled, and the process ends."""

import signal
import subprocess
import time
from dataclasses import replace
from typing import Any

import pytest

from router import Router
from router.adapters.scripted_transport import NeverAnswers, ScriptedTransport
from router.ports import WireCall
from router.testing import Answer, NeverAnswer
from tests.build import plan, policy
from tests.process.scene import Scene, begin, ended
from tests.world import World

PROMPT_S = 8.0
"""Less than an attempt may take, and enough for an interpreter to end on a busy machine."""


def interrupt(process: "subprocess.Popen[str]", scene: Scene, number: int) -> None:
    """Ctrl-C once request `number` has arrived; returns when its socket is closed."""
    scene.provider.wait_for(lambda requests: len(requests) == number, timeout_s=60.0)
    process.send_signal(signal.SIGINT)
    seen = scene.provider.wait_for(lambda requests: requests[number - 1].closed_by_client, timeout_s=PROMPT_S)
    assert len(seen) >= number


def test_an_interrupted_call_leaves_nothing_open(scene: Scene):
    scene.provider.script("*", [NeverAnswer(), Answer("later"), NeverAnswer(), NeverAnswer()])
    process = begin("interrupted.py", scene.policies)
    try:
        for number in (1, 3, 4):
            interrupt(process, scene, number)
        interrupted_s = time.monotonic()
        status, out, err = ended(process)
    finally:
        process.kill()
        process.communicate()
    assert time.monotonic() - interrupted_s < PROMPT_S
    assert out.splitlines() == ["interrupted", "later", "interrupted"]
    assert status == -signal.SIGINT
    assert err.splitlines()[-1] == "KeyboardInterrupt"
    assert err.count("Traceback") == 1, err
    rows = scene.rows()
    assert [(row.state, row.how) for row in rows] == [
        ("settled", "worst_case"),
        ("settled", "reported"),
        ("settled", "worst_case"),
        ("settled", "worst_case"),
    ]
    assert {reserved for _, reserved in scene.counters().values()} == {0}
    with Router.open(scene.policies) as router:
        assert scene.permits(router.plan.tenants["acme"].limits) == 0


class Interrupted(ScriptedTransport):
    """Ctrl-C comes while a call is handed over to the wire: nobody knows whether it has left."""

    def start(self, call: WireCall) -> Any:
        super().start(call)
        raise KeyboardInterrupt


def test_a_call_that_is_interrupted_while_it_is_handed_over_is_settled():
    world = World(plan(policy("main", "openai/a")))
    world.ports = replace(world.ports, transport=Interrupted(NeverAnswers(), clock=world.clock))
    with pytest.raises(KeyboardInterrupt):
        world.call()
    (row,) = world.rows()
    assert (row.state, row.how, row.cost_nusd) == ("settled", "worst_case", row.worst_nusd)
