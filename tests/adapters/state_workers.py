"""What other processes do to a state file while a test looks on. Run in fresh interpreters, so importable by name."""

import os
import signal
import sqlite3
import sys
import time

from router.adapters.draws import SeededDraw
from router.adapters.sqlite_state import SqliteState
from router.ports import Granted
from tests.adapters.states import AtNow, budget, charge, do, hold, settlement

TEAM = budget("tenant:acme", 3000)
NEEDED = 10


def reserve_all(path: str, name: str, tries: int) -> int:
    """Reserve as often as told and keep everything. Returns how often it was granted."""
    state = SqliteState(path, AtNow())
    ids = [f"{name}-{number}" for number in range(tries)]
    granted = sum(
        isinstance(do(state.ledger.reserve(hold(each, charge(TEAM, NEEDED)))), Granted) for each in ids
    )
    do(state.aclose())
    return granted


def live(path: str, name: str, seconds: float) -> None:
    """Reserve, send, settle, release and crash-like leave behind, by chance, until the time is over."""
    state, draw = SqliteState(path, AtNow()), SeededDraw(hash(name))
    ends_s, number = time.monotonic() + seconds, 0
    while time.monotonic() < ends_s:
        number += 1
        step(state, f"{name}-{number}", draw.fraction())
    do(state.aclose())


def step(state: SqliteState, name: str, fraction: float) -> None:
    if not isinstance(do(state.ledger.reserve(hold(name, charge(TEAM, NEEDED)))), Granted):
        return
    if fraction < 0.2:
        do(state.ledger.release(name, now_s=time.time()))
        return
    do(state.ledger.mark_sent(name, now_s=time.time()))
    if fraction < 0.95:
        do(state.ledger.settle(name, settlement(int(fraction * 2))))


def send_and_wait(path: str) -> None:
    """Be killed between sent and settled."""
    state = SqliteState(path, AtNow())
    do(state.ledger.reserve(hold("sent", charge(TEAM, 60))))
    do(state.ledger.mark_sent("sent", now_s=time.time()))
    do(state.ledger.reserve(hold("never", charge(TEAM, 30))))
    say("sent")


def stop_inside(path: str) -> None:
    """Stand still in the middle of a transaction, holding the writer's lock."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("UPDATE counters SET settled = settled + 999999")
    say("inside")
    os.kill(os.getpid(), signal.SIGSTOP)


def say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()
    time.sleep(60)


if __name__ == "__main__":
    {"live": lambda path: live(path, str(os.getpid()), 60), "send": send_and_wait, "stop": stop_inside}[
        sys.argv[1]
    ](sys.argv[2])
