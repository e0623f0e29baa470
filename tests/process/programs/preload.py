"""A server that loads everything before it forks: first in the midst of its first call, then with all of it in use,
then into four workers with two threads each. ROUTER_POLICIES is set."""

import asyncio
import os
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import router
from router.client.default import _of_this_process
from tests.process.scene import WHO
from tests.process.watch import say, watch

KEPT = {**WHO, "policy": "kept"}
WORKERS, THREADS, CALLS = 4, 2, 4


def forked(work: Callable[[], object]) -> int:
    """A child that does `work`, and ends as a process does, not by os._exit."""
    child = os.fork()
    if child == 0:
        work()
        sys.exit(7)
    return child


def status(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def in_the_midst_of_the_first_call() -> None:
    """litellm is being imported by another thread while the process forks."""
    first = threading.Thread(target=lambda: say("parent", router.complete("first", **WHO).text))
    first.start()
    while not any(thread.name == "router-load" for thread in threading.enumerate()):
        time.sleep(0.01)
    child = forked(lambda: say("child", router.complete("forked early", **WHO).text))
    first.join()
    say(status(child))


def with_all_of_it_in_use() -> None:
    """Connections to provider, state and cache are open, and a call is under way in another thread."""
    router.complete("shared", **KEPT)
    slow = threading.Thread(target=lambda: say("parent", router.complete("slowly", **WHO).text))
    slow.start()
    time.sleep(0.2)
    child = forked(child_of_a_busy_parent)
    say("parent", router.complete("beside the child", **WHO).text)
    say(status(child))
    slow.join()
    say("parent", router.complete("shared", **KEPT).cached)


def child_of_a_busy_parent() -> None:
    say("child", router.complete("shared", **KEPT).cached, router.complete("anew", **KEPT).cached)
    say("child", asyncio.run(router.acomplete("in a loop", **WHO)).text)


def while_a_thread_opens_it() -> None:
    """As another thread may be doing at the moment of the fork; only the parent has that thread."""
    with _of_this_process().lock:
        child = forked(lambda: say("child", router.complete("not locked out", **WHO).text))
    say(status(child))


def with_a_router_of_ones_own() -> None:
    """Not the default one: a router that was made before the fork, and is used on both sides of it."""
    with router.Router.open(os.environ["ROUTER_POLICIES"]) as own:
        own.complete("before", **WHO)
        child = forked(lambda: say("child", own.complete("own", **WHO).text))
        say(status(child), own.complete("own", **WHO).text)


def work() -> None:
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(lambda n: router.complete(f"{os.getpid()} {n}", **WHO), range(THREADS * CALLS)))


watch()
in_the_midst_of_the_first_call()
with_all_of_it_in_use()
while_a_thread_opens_it()
with_a_router_of_ones_own()
say([status(child) for child in [forked(work) for _ in range(WORKERS)]])
with ProcessPoolExecutor(2, mp_context=get_context("fork")) as pool:
    replies = [pool.submit(router.complete, f"pool {n}", **WHO) for n in range(4)]
    say({reply.result(30).target for reply in replies})
say("parent", router.complete("last", **WHO).text)
