"""One breaker, and four processes: on a file, and on a server. What one has written, the next one that looks sees."""

import json
import random
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from router.adapters.breaker_texts import breaker_of
from router.decide.breaker import Breaker, turned
from tests.adapters.breaker_workers import event_of
from tests.adapters.states import valkey

ROOT = Path(__file__).parents[2]
PROCESSES = 4


class Worker:
    """Another process."""

    def __init__(self, place: str, name: str) -> None:
        command = [sys.executable, "-m", "tests.adapters.breaker_workers", place, name]
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def tell(self, model: str, what: str, **values: Any) -> None:
        order = {"model": model, "what": what, "at_s": 0.0, "id": "", "failures": 3, "times": 1, **values}
        assert self._process.stdin is not None
        self._process.stdin.write(f"{json.dumps(order)}\n")
        self._process.stdin.flush()

    def hear(self) -> Breaker:
        assert self._process.stdout is not None
        return breaker_of(self._process.stdout.readline())

    def do(self, model: str, what: str, **values: Any) -> Breaker:
        self.tell(model, what, **values)
        return self.hear()

    def end(self) -> None:
        self._process.kill()
        self._process.communicate()


@pytest.fixture(scope="module", params=["sqlite", "valkey"])
def workers(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Sequence[Worker]]:
    """They live as long as the tests: each has a breaker of its own."""
    file = tmp_path_factory.mktemp("shared") / "state" / "state.db"
    place, name = valkey().url if request.param == "valkey" else str(file), uuid4().hex
    found = [Worker(place, name) for _ in range(PROCESSES)]
    yield found
    for each in found:
        each.end()


def test_the_first_decision_after_a_write_sees_it_whichever_process_wrote(workers: Sequence[Worker]) -> None:
    chance, expected, at_s = random.Random(5), Breaker(), 0.0
    for _ in range(150):
        at_s += chance.choice((0.0, 1.0, 4.0))
        what = chance.choice(("fail", "fail", "answer", "ask"))
        values = {"at_s": at_s, "id": chance.choice(("a", "b", "c"))}
        writes, reads = chance.sample(range(PROCESSES), 2)
        expected = turned(expected, event_of(what, failures=3, **values))
        assert workers[writes].do("seen", what, **values) == expected
        assert workers[reads].do("seen", "read") == expected
    assert expected.closed_s
    assert expected.openings, "it was closed and opened again"


def test_no_failure_is_lost_that_several_processes_write_at_once(workers: Sequence[Worker]) -> None:
    for worker in workers:
        worker.tell("lost", "fail", failures=100, times=24)
    for worker in workers:
        worker.hear()
    assert len(workers[0].do("lost", "read").failed_s) == PROCESSES * 24


def test_of_all_who_ask_at_once_only_so_many_may_probe(workers: Sequence[Worker]) -> None:
    for _ in range(3):
        workers[0].do("probed", "fail")
    for number, worker in enumerate(workers):
        worker.tell("probed", "ask", at_s=20.0, id=str(number))
    places = [{probe.id for probe in worker.hear().probes} for worker in workers]
    assert sum(str(number) in held for number, held in enumerate(places)) == 2
    assert len(workers[0].do("probed", "read").probes) == 2
