"""The default router from threads at once, within a running loop, and from one loop after another. ROUTER_POLICIES is
set."""

import asyncio
import gc
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import router
from router.client.default import default_async_router, default_router
from tests.process.scene import WHO
from tests.process.watch import say, watch

LOOPS = 12


def at_once(number: int) -> str:
    barrier = threading.Barrier(number)

    def call(n: int) -> tuple[int, str]:
        barrier.wait()
        return id(default_router()), router.complete(f"thread {n}", **WHO).text

    with ThreadPoolExecutor(number) as pool:
        answers = list(pool.map(call, range(number)))
    wires = [thread for thread in threading.enumerate() if thread.name == "router-wire"]
    return f"{len({made for made, _ in answers})} router, {len(wires)} wire, {len(answers)} answers"


async def notebook() -> str:
    """A sync call within a running loop, as in a notebook, beside an async one."""
    beside = asyncio.create_task(router.acomplete("beside", **WHO))
    return f"{router.complete('within', **WHO).text}, {(await beside).text}"


async def several() -> int:
    replies = await asyncio.gather(*(router.acomplete(f"task {n}", **WHO) for n in range(3)))
    assert default_async_router() is default_async_router()
    return len(replies)


def open_files() -> int:
    gc.collect()
    return len([*Path("/proc/self/fd").iterdir()])


watch()
say("litellm" in sys.modules)
say(at_once(8))
say("litellm" in sys.modules)
say(asyncio.run(notebook()))
asyncio.run(several())
before = open_files()
say(sum(asyncio.run(several()) for _ in range(LOOPS)), "answers of", LOOPS, "loops")
left = sum(type(each) is router.AsyncRouter for each in gc.get_objects())
say(open_files() - before, "more files are open,", left, "routers are left")
