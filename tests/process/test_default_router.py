"""`router.complete` and `router.acomplete`: one line that works in threads, in loops, and on both sides of a fork."""

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor

import pytest

import router
from router import Reply
from router.testing import Answer
from tests.process.scene import FIRST, WHO, Scene, output

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
ANSWER = Answer("hello", input_tokens=100, output_tokens=10)


def adds_up(scene: Scene, calls: int) -> None:
    """Every call is one settled row of the same cost, and what is counted is their sum."""
    rows = scene.rows()
    assert [(row.state, row.how) for row in rows] == [("settled", "reported")] * calls
    assert len({row.cost_nusd for row in rows}) == 1
    total = sum(row.cost_nusd for row in rows)
    assert total > 0
    month = {key: spent for key, spent in scene.counters().items() if "month" in key}
    assert list(month.values()) == [(total, 0)]
    assert scene.provider.request_count == calls


def test_it_works_in_threads_within_a_loop_and_in_one_loop_after_another(scene: Scene):
    scene.provider.script("*", ANSWER)
    told = output("default_everywhere.py", ROUTER_POLICIES=str(scene.policies))
    assert told.splitlines() == [
        "False",
        "1 router, 1 wire, 8 answers",
        "True",
        "hello, hello",
        "36 answers of 12 loops",
        "0 more files are open, 0 routers are left",
    ]
    adds_up(scene, 8 + 2 + 3 + 36)


@needs_fork
def test_it_works_on_both_sides_of_a_fork_whatever_was_under_way(scene: Scene):
    slow = Answer("hello", input_tokens=100, output_tokens=10, delay_s=0.6)
    scene.provider.script("*", [ANSWER, ANSWER, ANSWER, slow], then=ANSWER)
    told = output("preload.py", ROUTER_POLICIES=str(scene.policies)).splitlines()
    early, busy, rest = told[:3], told[3:9], told[9:]
    opening, own, workers = rest[:2], rest[2:4], rest[4:]
    assert sorted(early[:2]) == ["child hello", "parent hello"]
    assert early[2] == "7"
    assert sorted(busy) == sorted(
        ["child True False", "child hello", "parent hello", "parent hello", "7", "parent True"]
    )
    assert opening == ["child hello", "7"]
    assert own == ["child hello", "7 hello"]
    assert workers == ["[7, 7, 7, 7]", "{'openai/gpt-5-nano'}", "parent hello"]
    adds_up(scene, 2 + 5 + 1 + 3 + 32 + 4 + 1)


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_it_works_in_processes_of_a_pool(scene: Scene, monkeypatch: pytest.MonkeyPatch, method: str):
    """With made-up answers: what is shared is the state on disk."""
    monkeypatch.setenv("ROUTER_POLICIES", str(scene.policies))
    monkeypatch.setenv("ROUTER_TRANSPORT", "fake")
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context(method)) as pool:
        calls = [pool.submit(router.complete, f"hello {n}", **WHO) for n in range(6)]
        replies = [call.result(timeout=60) for call in calls]
    assert [(type(reply), reply.target) for reply in replies] == [(Reply, FIRST)] * 6
    assert scene.provider.requests == ()
    rows = scene.rows("fake")
    assert [row.state for row in rows] == ["settled"] * 6
    assert sorted(row.request_id for row in rows) == sorted(reply.request_id for reply in replies)
