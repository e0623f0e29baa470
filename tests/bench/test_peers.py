"""Peers are measured on the same calls and held to the same answers. No duration is asserted."""

import asyncio
import json
import os

import pytest

from bench import scene
from bench.bare import ANSWER
from bench.environments import PINNED
from bench.peer_paths import OWN_ENVIRONMENT, PEER_ROLES, Unequal, paths_of
from bench.peers import peers
from bench.processes import ROOT
from bench.sections import Run, Table

HERE = ("peer-wire", "peer-openai", "peer-router")
"""Those that need no environment of their own."""


@pytest.fixture(scope="module")
def tables() -> dict[str, Table]:
    environment = {**os.environ, scene.KEY_VARIABLE: scene.KEY, "PYTHONPATH": str(ROOT)}
    run = Run(workers={}, environment=environment, seconds=0.0, calls=2, repeats=1, rows=1)
    return {table.name: table for table in peers(run, HERE)}


def test_every_prompt_is_asked_along_every_path(tables: dict[str, Table]) -> None:
    for prompt in scene.PROMPTS:
        rows = {row["path"]: row for row in tables[f"peers: {prompt}"].rows}
        assert set(rows) == {
            "aiohttp",
            "httpx",
            "openai SDK",
            "AsyncRouter",
            "AsyncRouter, synchronous=full",
        }
        assert rows["aiohttp"]["of_aiohttp"] == {"min": 1.0, "median": 1.0, "max": 1.0}
        assert all(row["calls"] == 4 and 0 < row["p50_us"] <= row["p95_us"] for row in rows.values())


def test_calls_at_once_and_streams_are_measured_too(tables: dict[str, Table]) -> None:
    assert all(row["calls_per_s"] > 0 for row in tables["peers_at_once"].rows)
    streamed = {row["path"]: row for row in tables["peers_streams"].rows}
    assert {"aiohttp", "openai SDK", "AsyncRouter"} <= set(streamed)  # httpx alone reads no stream here
    assert all(row["chunk_cpu_us"] > 0 for row in streamed.values())


def test_an_answer_that_is_not_the_upstream_s_ends_the_run() -> None:
    async def ask(**asked: object) -> str:
        return ANSWER.upper()

    with asyncio.Runner() as runner:
        calls = paths_of(runner, "shouting", ask, None)[f"shouting / {scene.SHORT}"]
        with pytest.raises(Unequal, match=ANSWER.upper()):
            calls(1)


def test_no_question_is_asked_twice() -> None:
    asked: list[str] = []

    async def ask(**request: object) -> str:
        asked.append(json.dumps(request))
        return ANSWER

    with asyncio.Runner() as runner:
        for calls in paths_of(runner, "writing", ask, None).values():
            calls(3)
    assert len(set(asked)) == len(asked) == 3 * (len(scene.PROMPTS) + 1)


def test_prompts_are_as_long_as_they_say() -> None:
    for prompt, (messages, tools) in scene.PROMPTS.items():
        asked = scene.prompted(prompt, number=1)
        assert (len(asked["messages"]), len(asked.get("tools", ()))) == (messages, tools)


def test_a_peer_with_an_environment_of_its_own_is_pinned() -> None:
    assert set(OWN_ENVIRONMENT) <= set(PEER_ROLES)
    assert {path.stem for path in PINNED.iterdir()} == set(OWN_ENVIRONMENT.values())
