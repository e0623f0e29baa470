"""POLICIES: once told to on standard input, end with calls under way: of a router and of the default router in daemon
threads, and in a loop."""

import asyncio
import os
import sys
import threading

import router
from router import AsyncRouter, Router
from tests.process.scene import WHO
from tests.process.watch import say, watch


async def in_a_loop(policies: str) -> None:
    forgotten = AsyncRouter.open(policies)
    task = asyncio.create_task(forgotten.complete("in a loop", **WHO))
    await asyncio.to_thread(sys.stdin.readline)
    assert not task.done()


watch()
os.environ["ROUTER_POLICIES"] = policies = sys.argv[1]
left_open = Router.open(policies)
threading.Thread(target=lambda: left_open.complete("hello", **WHO), daemon=True).start()
threading.Thread(target=lambda: router.complete("hello", **WHO), daemon=True).start()
asyncio.run(in_a_loop(policies))
say("left")
