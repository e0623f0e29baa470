"""Waiting for another thread, and being interrupted while at it."""

import subprocess
import sys
import threading
import time

import pytest

from router.adapters.errand import Errand, any_done


def test_it_brings_what_the_work_returned_or_raised() -> None:
    good: Errand[int] = Errand()
    good.end(3)
    assert good.result() == 3
    bad: Errand[int] = Errand()
    bad.end(error=ValueError("no"))
    with pytest.raises(ValueError, match="no"):
        bad.result()


def test_the_first_one_ends_the_wait_and_leaves_nothing_hanging() -> None:
    one: Errand[int] = Errand()
    two: Errand[int] = Errand()
    thread = threading.Timer(0.02, two.end, args=(2,))
    thread.start()
    assert any_done([one, two], 5.0)
    thread.join()
    assert (one.done, two.result()) == (False, 2)
    assert one.bells == two.bells == []


def test_a_wait_ends_in_time() -> None:
    never: Errand[int] = Errand()
    began_s = time.monotonic()
    assert not any_done([never], 0.05)
    assert time.monotonic() - began_s < 1.0
    with pytest.raises(TimeoutError):
        never.result(0.0)
    assert never.bells == []


def test_many_waiters_are_all_told() -> None:
    errand: Errand[int] = Errand()
    told: list[int] = []
    threads = [threading.Thread(target=lambda: told.append(errand.result(5.0))) for _ in range(8)]
    for thread in threads:
        thread.start()
    errand.end(7)
    for thread in threads:
        thread.join()
    assert told == [7] * 8


INTERRUPTED = """
import random, signal, threading, time
from queue import SimpleQueue
from router.adapters.errand import Errand, any_done

work = SimpleQueue()

def worker():
    while (errand := work.get()) is not None:
        errand.end(1)

def interrupt(*_):
    raise KeyboardInterrupt

thread = threading.Thread(target=worker, daemon=True)
thread.start()
signal.signal(signal.SIGALRM, interrupt)
hits, draw = 0, random.Random(1)
for _ in range(4000):
    try:
        errand = Errand()
        work.put(errand)
        signal.setitimer(signal.ITIMER_REAL, draw.uniform(1e-6, 6e-5))
        any_done([errand], 0.5)
        while True:  # the alarm comes late
            time.sleep(0.0001)
    except KeyboardInterrupt:
        hits += 1
last = Errand()
work.put(last)
print(hits, last.result(5.0))
"""


def test_an_interrupt_at_any_point_leaves_nothing_stuck() -> None:
    run = subprocess.run(
        [sys.executable, "-c", INTERRUPTED], check=False, capture_output=True, text=True, timeout=60
    )
    assert run.stdout == "4000 1\n", run.stderr[-2000:]
