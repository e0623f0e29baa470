"""POLICIES: calls that give up before litellm is there, first in a loop, and the end of a process that never had it."""

import asyncio
import sys
import time

from router import AsyncRouter, DeadlineExceeded, Router
from tests.process.scene import WHO
from tests.process.watch import say, watch


async def in_a_loop(policies: str) -> None:
    async with AsyncRouter.open(policies) as router:
        try:
            await router.complete("hello", timeout=0.5, **WHO)
        except DeadlineExceeded as error:
            say(type(error).__name__)


watch()
(policies,) = sys.argv[1:]
began_s = time.monotonic()
asyncio.run(in_a_loop(policies))
left_open = Router.open(policies)
try:
    left_open.complete("hello", timeout=0.5, **WHO)
except DeadlineExceeded as error:
    say(type(error).__name__)
say("left" if time.monotonic() - began_s < 10 else "late")
