"""Rows are moved out beside traffic, by a process that is killed again and again: nothing is lost or doubled."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random
from threading import Event, Thread
from typing import Any, cast

import pytest

from router.adapters.clocks import SystemClock
from router.adapters.redis_state import RedisState
from router.adapters.sqlite_state import SqliteState
from router.books.archive import archive, rows_with
from router.books.audit import audit
from router.ports import Note
from tests.adapters.states import budget, charge, counter, do, granted, hold, settlement, valkey
from tests.books.archive_worker import PLAN
from tests.world import World

ROOT = Path(__file__).parents[2]
TEAM = budget(amount=10**12)
KILLS = 4
MOST = 1_500


@contextmanager
def worker(place: str, name: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.books.archive_worker", place, name, str(folder)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "moved\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def traffic(state: Any, ended: Event, told: list[int]) -> None:
    """Rows of every end, a worst case now and then that is corrected later, and grants."""
    draw, late, number = Random(7), list[str](), 0
    while not ended.wait(0.002) and number < MOST:
        number += 1
        name, now_s = f"t{number}", time.time()
        assert granted(state, hold(name, charge(TEAM, 60), now_s=now_s))
        fraction = draw.random()
        if fraction < 0.1:
            do(state.ledger.release(name, now_s=now_s))
            continue
        do(state.ledger.mark_sent(name, now_s=now_s))
        if fraction < 0.3:
            worst = settlement(
                60, usage=None, how="worst_case", now_s=now_s + 0.04
            )  # so that some truths come in time
            do(state.ledger.settle(name, worst))
            late.append(name)
        else:
            do(state.ledger.settle(name, settlement(int(fraction * 50), now_s=now_s)))
        if fraction > 0.95:
            do(state.ledger.grant(counter(TEAM), 5, Note(id=name, who="ann", why="x", at_s=now_s)))
        if late and fraction > 0.5 and do(state.ledger.row(late[-1])) is not None:
            do(
                state.ledger.correct(
                    late.pop(),
                    settlement(3, now_s=now_s),
                    Note(id=f"c{number}", who="a", why="b", at_s=now_s),
                )
            )
    told.append(number)


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_nothing_is_lost_or_doubled_by_runs_that_are_killed_beside_traffic(kind: str, tmp_path: Path) -> None:
    clock, folder, name = SystemClock(), tmp_path / "old", "" if kind == "sqlite" else f"beside-{os.getpid()}"
    place = str(tmp_path / "state.db") if kind == "sqlite" else valkey().url
    state: Any = RedisState(place, clock, name=name) if name else SqliteState(place, clock)
    ended, told = Event(), list[int]()
    thread = Thread(target=traffic, args=(state, ended, told))
    thread.start()
    draw = Random(11)
    try:
        for _ in range(KILLS):
            with worker(place, name, folder):
                time.sleep(0.05 + draw.random() * 0.2)
    finally:
        ended.set()
        thread.join()
    ports = replace(World(cast(Any, None)).ports, ledger=state.ledger, clock=clock)
    found = do(audit(ports, archive=folder))
    assert found.findings == ()
    assert found.moved > 100, "else nothing was tried"
    rows = do(rows_with(ports, folder))
    assert [row.id for row in rows] == [f"t{number}" for number in range(1, told[0] + 1)]
    last = do(archive(PLAN, ports, before=time.time() + 9, folder=folder))
    assert do(state.ledger.rows()) == []
    found = do(audit(ports, archive=folder))
    assert (found.findings, found.moved) == ((), told[0]), last
    do(state.aclose())
