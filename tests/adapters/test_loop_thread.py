"""An asynchronous transport driven from a private loop thread: made late, remade after a fork, ended cleanly."""

import asyncio
import gc
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from router.adapters.clocks import AsyncClock
from router.adapters.loop_thread import EitherTransport, LoopThread, ThreadedTransport
from router.adapters.scripted_transport import Fails, NeverAnswers, Says, ScriptedTransport, Step
from router.errors import ProviderError
from router.values import Kind
from tests.adapters.wire_parts import answer, call, finish, sync

CHECKOUT = Path(__file__).resolve().parents[2]
NAME = "router-wire"


def scripted(script: Step | dict[str, Step]) -> ThreadedTransport:
    return ThreadedTransport(lambda: ScriptedTransport(script, clock=AsyncClock()))


def wires() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == NAME]


def test_the_thread_is_made_by_the_first_use_and_is_a_daemon():
    transport = scripted(Says("hello"))
    assert wires() == []
    assert sync(answer(transport, call())).choices[0]["message"]["content"] == "hello"
    assert [thread.daemon for thread in wires()] == [True]
    sync(answer(transport, call(stream=True)))
    assert len(wires()) == 1
    sync(transport.aclose())
    assert wires() == []


def test_it_can_be_closed_twice_unused_or_used_again():
    transport = scripted(Says("hello"))
    sync(transport.aclose())
    sync(answer(transport, call()))
    sync(transport.aclose())
    sync(transport.aclose())
    sync(answer(transport, call()))
    sync(transport.aclose())
    assert wires() == []


def test_a_transport_that_nobody_holds_ends_its_thread():
    transport = scripted(Says("hello"))
    sync(answer(transport, call()))
    del transport
    gc.collect()
    assert wires() == []


def test_waiting_ends_on_time_and_returns_the_first_that_is_done():
    transport = scripted({"slow": Says("slow", after_s=0.15), "fast": Says("fast", after_s=0.02)})
    slow, fast = transport.start(call(target="slow")), transport.start(call(target="fast"))
    began_s = time.monotonic()
    assert sync(transport.wait([slow, fast], 0.005)) is None
    assert time.monotonic() - began_s < 0.05
    assert sync(transport.wait([slow, fast], 2.0)) is fast
    with pytest.raises(RuntimeError):
        transport.result(slow)
    assert sync(finish(transport, slow)).choices[0]["message"]["content"] == "slow"
    sync(transport.aclose())


def test_failures_cross_the_thread():
    transport = scripted(Fails(Kind.OVERLOADED, status=529, sent=True))
    with pytest.raises(ProviderError) as caught:
        sync(answer(transport, call()))
    assert caught.value.kind == Kind.OVERLOADED
    sync(transport.aclose())


def test_cancelling_returns_although_nothing_answers():
    transport = scripted(NeverAnswers())
    pending = transport.start(call())
    sync(transport.cancel(pending))
    sync(transport.cancel(pending))
    sync(transport.aclose())
    assert wires() == []


def test_many_threads_share_one_loop():
    transport = scripted(Says("x", after_s=0.01))
    threads = [threading.Thread(target=lambda: sync(answer(transport, call()))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(wires()) == 1
    sync(transport.aclose())


def test_it_works_inside_a_running_loop():
    async def notebook() -> str:
        transport = scripted(Says("hello"))
        reply = sync(answer(transport, call()))
        sync(transport.aclose())
        return str(reply.choices[0]["message"]["content"])

    assert asyncio.run(notebook()) == "hello"


def test_stopping_runs_the_farewell_on_the_loop_once_and_cancels_what_is_left():
    ended: list[str] = []

    async def farewell() -> None:
        ended.append(threading.current_thread().name)

    async def forever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cancelled")

    thread = LoopThread(NAME, farewell=farewell)
    thread.submit(forever())
    thread.stop()
    thread.stop()
    assert ended == [NAME, "cancelled"]


def test_either_form_is_chosen_by_one_word():
    def make() -> ScriptedTransport:
        return ScriptedTransport(Says("hello"), clock=AsyncClock())

    blocking, suspending = EitherTransport(make, suspends=False), EitherTransport(make, suspends=True)
    assert (blocking.suspends, suspending.suspends) == (False, True)
    assert (blocking.needs_keys, blocking.realm) == (False, "fake")
    assert sync(blocking.ready(1.0)) is True
    replies = [sync(answer(blocking, call())), asyncio.run(answer(suspending, call()))]
    assert [reply.choices[0]["message"]["content"] for reply in replies] == ["hello", "hello"]
    sync(blocking.aclose())


FORK = """
import os, threading
from router.adapters.clocks import AsyncClock
from router.adapters.loop_thread import ThreadedTransport
from router.adapters.scripted_transport import NeverAnswers, Says, ScriptedTransport
from tests.adapters.wire_parts import answer, call, sync

made = []
def make():
    made.append(os.getpid())
    return ScriptedTransport({"never": NeverAnswers(), "openai/gpt-5-nano": Says("x")}, clock=AsyncClock())

transport = ThreadedTransport(make)
sync(answer(transport, call()))
of_the_parent = transport.start(call(target="never"))
child = os.fork()
if child == 0:
    sync(transport.cancel(of_the_parent))  # the parent's: nothing to do here, and it may not hang
    sync(answer(transport, call()))
    assert made == [os.getppid(), os.getpid()], made
    sync(transport.aclose())
    os._exit(7)
_, status = os.waitpid(child, 0)
sync(answer(transport, call()))
print(os.waitstatus_to_exitcode(status), len(made), [t.name for t in threading.enumerate()])
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_makes_its_own_and_the_end_of_the_process_is_quiet():
    done = subprocess.run(
        [sys.executable, "-W", "error", "-W", "ignore:This process:DeprecationWarning", "-c", FORK],
        cwd=CHECKOUT, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert (done.stdout.strip(), done.stderr) == ("7 1 ['MainThread', 'router-wire']", "")
