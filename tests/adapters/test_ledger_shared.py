"""One budget under threads, processes, forks, and neighbours that die or stand still."""

import asyncio
import ctypes
import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import pytest

from router.adapters.clocks import ManualClock
from router.adapters.sqlite_schema import VERSION, prepare
from router.adapters.sqlite_state import SqliteState
from router.errors import StoreError
from router.ports import Granted, Outcome, Take
from router.values import Kind
from tests.adapters import state_workers
from tests.adapters.state_workers import NEEDED, TEAM, step
from tests.adapters.states import (
    LEASE_S,
    NOW_S,
    STATES,
    AsyncAtNow,
    AtNow,
    State,
    balance,
    balances_of_rows,
    budget,
    charge,
    concurrency,
    counter,
    do,
    granted,
    hold,
    opened,
    row,
    settlement,
)

ROOT = Path(__file__).parents[2]
FITS = TEAM.amount // NEEDED
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
needs_signals = pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="this system has no SIGSTOP")


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "state" / "state.db")


@pytest.fixture
def often() -> Iterator[None]:
    """Threads take turns as often as they can, so that a missing lock shows."""
    before_s = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before_s)


@contextmanager
def at(path: str) -> Iterator[SqliteState]:
    state = SqliteState(path, AtNow())
    try:
        yield state
    finally:
        do(state.aclose())


@contextmanager
def neighbour(what: str, path: str, word: str = "") -> Iterator[subprocess.Popen[str]]:
    """Another process at work on the same file, killed in the end; entered once it has said `word`."""
    command = [sys.executable, "-m", "tests.adapters.state_workers", what, path]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert not word or process.stdout.readline().strip() == word
        yield process
    finally:
        process.kill()
        process.communicate()


def assert_sound(state: State, path: str | None = None) -> None:
    """Counters are the sum of the rows, nothing is exceeded, and the file itself is whole."""
    found = do(state.ledger.balances([counter(TEAM)]))
    expected = balances_of_rows(do(state.ledger.rows()))
    assert found == {counter(TEAM): expected.get(counter(TEAM), found[counter(TEAM)])}
    assert sum(balance(state, TEAM)) <= TEAM.amount
    if path is not None:
        connection = sqlite3.connect(path)
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        connection.close()


# --- Threads ------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("often")
@pytest.mark.parametrize("name", sorted(STATES))
def test_eight_threads_never_reserve_more_than_there_is(name: str, tmp_path: Path) -> None:
    with opened(name, tmp_path) as state:
        barrier = Barrier(8)

        def work(thread: int) -> int:
            barrier.wait()
            return sum(granted(state, hold(f"{thread}-{n}", charge(TEAM, NEEDED))) for n in range(50))

        with ThreadPoolExecutor(8) as pool:
            assert sum(pool.map(work, range(8))) == FITS
        assert balance(state, TEAM) == (0, TEAM.amount)
        assert_sound(state)


@pytest.mark.usefixtures("often")
@pytest.mark.parametrize("name", sorted(STATES))
def test_eight_threads_that_end_what_they_begin_leave_nothing_over(name: str, tmp_path: Path) -> None:
    big = budget("tenant:acme", 10**9)
    with opened(name, tmp_path) as state:

        def work(thread: int) -> None:
            for n in range(25):
                held = f"{thread}-{n}"
                assert granted(state, hold(held, charge(big, NEEDED)))
                do(state.ledger.mark_sent(held, now_s=NOW_S))
                do(state.ledger.settle(held, settlement(7)))
                do(state.ledger.release(held, now_s=NOW_S))

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(work, range(8)))
        assert balance(state, big) == (8 * 25 * 7, 0)
        assert {each.state for each in do(state.ledger.rows())} == {"settled"}


def test_two_states_on_one_file_are_one_state(path: str) -> None:
    with at(path) as one, at(path) as other:
        grants = [granted(each, hold(f"{n}", charge(TEAM, 1000))) for n, each in enumerate([one, other] * 2)]
        assert grants == [True, True, True, False]
        do(other.ledger.release("0", now_s=NOW_S))
        assert balance(one, TEAM) == (0, 2000)


# --- Processes ----------------------------------------------------------------------------------------------------


def test_four_processes_never_reserve_more_than_there_is(path: str) -> None:
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        grants = pool.starmap(state_workers.reserve_all, [(path, f"p{n}", 120) for n in range(4)])
    assert sum(grants) == FITS
    with at(path) as state:
        assert balance(state, TEAM) == (0, TEAM.amount)
        assert_sound(state, path)
        numbers = [each.seq for each in do(state.ledger.rows())]
        assert numbers == sorted(set(numbers))


def test_a_process_killed_between_sent_and_settled_is_charged_the_worst(path: str) -> None:
    with neighbour("send", path, "sent") as dying, at(path) as state:
        dying.kill()
        dying.wait()
        assert balance(state, TEAM) == (0, 90)
        assert do(state.ledger.reconcile(now_s=NOW_S + LEASE_S)) == 2
        assert (row(state, "sent").state, row(state, "never").state) == ("expired", "released")
        assert balance(state, TEAM) == (60, 0)
        do(state.ledger.settle("sent", settlement(11)))
        assert balance(state, TEAM) == (11, 0)
        assert_sound(state, path)


@pytest.mark.parametrize("victim", range(3))
def test_a_process_killed_at_any_moment_leaves_a_sound_file(path: str, victim: int) -> None:
    with at(path) as state, neighbour("live", path) as first, neighbour("live", path) as second:
        ends_s, number = time.monotonic() + 20, 0
        while not (rows_of(state, first) > 10 * (victim + 1) and rows_of(state, second) > 10):
            assert time.monotonic() < ends_s, "a neighbour never came to work"
            number += 1
            step(state, f"here-{number}", 0.5)
        first.kill()
        first.wait()
        dead = rows_of(state, first)
        second.kill()
        second.wait()
        do(state.ledger.reconcile(now_s=time.time() + LEASE_S))
        assert dead == rows_of(state, first)
        assert {each.state for each in do(state.ledger.rows())} <= {"settled", "released", "expired"}
        assert balance(state, TEAM)[1] == 0
        assert_sound(state, path)


def rows_of(state: State, process: subprocess.Popen[str]) -> int:
    return sum(each.id.startswith(f"{process.pid}-") for each in do(state.ledger.rows()))


def test_a_transaction_that_was_never_committed_leaves_no_trace(path: str) -> None:
    with at(path) as state:
        assert granted(state, hold("a", charge(TEAM, 10)))
        with neighbour("stop", path, "inside") as stopped:
            stopped.kill()
            stopped.wait()
            assert granted(state, hold("b", charge(TEAM, 10)))
        assert balance(state, TEAM) == (0, 20)


# --- Fork ---------------------------------------------------------------------------------------------------------


def in_child(work: Callable[[], None]) -> int:
    """Fork, run `work` in the child, and return the child's pid; it exits with 0 when `work` did not raise."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # forking with threads is what is tried here
        pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        work()
        code = 0
    finally:
        os._exit(code)


def exits_well(pid: int) -> bool:
    """Whether the child ends with 0; one that hangs is ended."""
    ends_s = time.monotonic() + 10
    while time.monotonic() < ends_s:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status) == 0
        time.sleep(0.002)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return False


@needs_fork
@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="this system does not list open files")
def test_no_connection_crosses_a_fork(path: str) -> None:
    """SQLite's locks belong to the process, and a copy of its bookkeeping in a child would not know that."""
    with at(path) as state:
        assert granted(state, hold("a", charge(TEAM, NEEDED)))
        assert open_files(path)

        def child() -> None:
            assert not open_files(path)

        assert exits_well(in_child(child))
        assert granted(state, hold("b", charge(TEAM, NEEDED)))


def open_files(path: str) -> list[str]:
    names = [str(descriptor.resolve()) for descriptor in Path("/proc/self/fd").iterdir()]
    return [name for name in names if name.startswith(os.path.realpath(path))]


@needs_fork
def test_a_fork_opens_the_file_anew_and_both_go_on(path: str) -> None:
    with at(path) as state:
        assert granted(state, hold("before", charge(TEAM, NEEDED)))

        def child() -> None:
            for n in range(100):
                assert granted(state, hold(f"child-{n}", charge(TEAM, NEEDED)))

        pid = in_child(child)
        for n in range(100):
            assert granted(state, hold(f"parent-{n}", charge(TEAM, NEEDED)))
        assert exits_well(pid)
        assert balance(state, TEAM) == (0, 201 * NEEDED)
        assert_sound(state, path)


@needs_fork
@pytest.mark.skipif(sys.platform != "linux", reason="calls fork of the C library")
def test_a_fork_that_python_does_not_see_opens_the_file_anew_too(path: str) -> None:
    with at(path) as state:
        assert granted(state, hold("before", charge(TEAM, NEEDED)))
        pid = ctypes.PyDLL(None).fork()
        if pid == 0:
            code = 1
            try:
                assert granted(state, hold("child", charge(TEAM, NEEDED)))
                do(state.aclose())
                code = 0
            finally:
                os._exit(code)
        assert exits_well(pid)
        assert granted(state, hold("after", charge(TEAM, NEEDED)))
        assert balance(state, TEAM) == (0, 3 * NEEDED)


@needs_fork
def test_a_full_disk_is_a_store_error_and_leaves_a_sound_file(path: str) -> None:
    """A limit on the size of files stands in for the disk."""
    import resource

    big = budget("tenant:acme", 10**9)
    with at(path) as state:

        def child() -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
            calls = (state.ledger.reserve(hold(f"a{n}", charge(big, 1))) for n in count())
            with pytest.raises(StoreError, match="can't be used"):
                list(map(do, calls))
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            assert granted(state, hold("room", charge(big, 1)))

        assert exits_well(in_child(child))
        rows = do(state.ledger.rows())
        assert len(rows) > 5
        assert balance(state, big) == (0, len(rows))


@needs_fork
@pytest.mark.parametrize("name", sorted(STATES))
def test_a_fork_in_the_middle_of_other_threads_works_hangs_nobody(name: str, tmp_path: Path) -> None:
    big = budget("tenant:acme", 10**9)
    with opened(name, tmp_path) as state:
        going = True

        def hammer(thread: int) -> None:
            n = 0
            while going:
                n += 1
                assert granted(state, hold(f"{thread}-{n}", charge(big, 1)))

        threads = [Thread(target=hammer, args=(number,), daemon=True) for number in range(2)]
        for thread in threads:
            thread.start()
        pids = [
            in_child(
                lambda number=number: [
                    granted(state, hold(f"c{number}-{n}", charge(big, 1))) for n in range(5)
                ]
            )
            for number in range(5)
        ]
        exits = [exits_well(pid) for pid in pids]
        assert all(exits)
        going = False
        for thread in threads:
            thread.join(10)
        rows = do(state.ledger.rows())
        assert balance(state, big) == (0, len(rows))
        assert sum(each.id.startswith("c") for each in rows) == (0 if name == "memory" else 25)


@needs_fork
def test_a_child_of_a_memory_state_goes_on_with_what_was_spent(tmp_path: Path) -> None:
    with opened("memory", tmp_path) as state:
        assert granted(state, hold("a", charge(TEAM, TEAM.amount - 5)))

        def child() -> None:
            assert not granted(state, hold("b", charge(TEAM, 6)))
            assert granted(state, hold("c", charge(TEAM, 5)))

        assert exits_well(in_child(child))


# --- A neighbour that stands still --------------------------------------------------------------------------------


@contextmanager
def writer_at_work(path: str) -> Iterator[sqlite3.Connection]:
    """The writer's lock, held by another connection until the block ends."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield connection
    finally:
        connection.close()


async def ticks(gaps_s: list[float]) -> None:
    last_s = time.monotonic()
    while True:
        await asyncio.sleep(0.005)
        gaps_s.append(time.monotonic() - last_s)
        last_s = time.monotonic()


@needs_signals
def test_a_stopped_neighbour_costs_awaited_retries_and_a_store_error_but_never_the_loop(path: str) -> None:
    async def main() -> None:
        state = SqliteState(path, AsyncAtNow())
        assert state.suspends
        assert state.ledger.suspends
        assert isinstance(await state.ledger.reserve(hold("a", charge(TEAM, 10))), Granted)
        with neighbour("stop", path, "inside"):
            gaps_s: list[float] = []
            ticker = asyncio.create_task(ticks(gaps_s))
            started_s = time.monotonic()
            with pytest.raises(StoreError, match="busy for 2 s") as raised:
                await state.ledger.reserve(hold("b", charge(TEAM, 10)))
            assert 1.9 < time.monotonic() - started_s < 6
            ticker.cancel()
            assert raised.value.port == "ledger"
            assert "resume or end" in raised.value.help
            assert len(gaps_s) > 50, "the loop stood still"
            assert sorted(gaps_s)[-3] < 0.2
        assert isinstance(await state.ledger.reserve(hold("b", charge(TEAM, 10))), Granted)
        await state.aclose()

    asyncio.run(main())


def test_every_port_names_itself_when_its_store_stays_busy(path: str) -> None:
    state = SqliteState(path, ManualClock())
    assert granted(state, hold("a", charge(TEAM, 10)))
    outcome = Outcome(provider="openai", model="m", key="K", kind=Kind.RATE_LIMITED, now_s=NOW_S)
    with writer_at_work(path):
        for port, call in {
            "ledger": lambda: state.ledger.settle("a", settlement(1)),
            "limiter": lambda: state.limiter.admit(
                "a", [Take(limit=concurrency(1), amount=1)], now_s=NOW_S, lease_s=1
            ),
            "health": lambda: state.health.note(outcome),
        }.items():
            with pytest.raises(StoreError, match="was busy") as raised:
                do(call())
            assert raised.value.port == port
        assert balance(state, TEAM) == (0, 10), "readers do not wait for the writer"
    do(state.ledger.settle("a", settlement(1)))
    assert balance(state, TEAM) == (1, 0)
    do(state.aclose())


def test_a_writer_that_finishes_in_time_is_only_waited_for(path: str) -> None:
    async def main() -> None:
        state = SqliteState(path, AsyncAtNow())
        await state.ledger.reserve(hold("a", charge(TEAM, 10)))
        with writer_at_work(path) as writer:
            waiting = asyncio.create_task(state.ledger.reserve(hold("b", charge(TEAM, 10))))
            await asyncio.sleep(0.05)
            assert not waiting.done()
            writer.execute("COMMIT")
            assert isinstance(await waiting, Granted)
        await state.aclose()

    asyncio.run(main())


@pytest.mark.parametrize("end", ["settle", "release"])
def test_a_cancelled_caller_still_gives_back_what_it_holds(path: str, end: str) -> None:
    async def main() -> None:
        state = SqliteState(path, AsyncAtNow())
        await state.ledger.reserve(hold("a", charge(TEAM, 10)))
        call = (
            state.ledger.settle("a", settlement(4))
            if end == "settle"
            else state.ledger.release("a", now_s=NOW_S)
        )
        with writer_at_work(path) as writer:
            ending = asyncio.create_task(call)
            await asyncio.sleep(0.02)
            ending.cancel()
            await asyncio.sleep(0.02)
            ending.cancel()
            writer.execute("COMMIT")
            with pytest.raises(asyncio.CancelledError):
                await ending
        found = await state.ledger.balances([counter(TEAM)])
        assert found[counter(TEAM)].reserved == 0
        assert found[counter(TEAM)].settled == (4 if end == "settle" else 0)
        await state.aclose()

    asyncio.run(main())


@pytest.mark.parametrize("at", range(4))
def test_a_file_that_another_makes_between_two_looks_at_it_is_one_of_ours(path: str, at: int) -> None:
    class Interrupted(sqlite3.Cursor):
        looks = 0

        def execute(self, *asked: Any) -> sqlite3.Cursor:
            if self.looks == at:
                with closing(sqlite3.connect(path, isolation_level=None)) as other:
                    prepare(other.cursor())
            self.looks += 1
            return super().execute(*asked)

    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path, isolation_level=None)) as ours:
        prepare(ours.cursor(Interrupted))
        assert ours.execute("PRAGMA user_version").fetchone() == (VERSION,)
