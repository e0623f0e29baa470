"""POLICIES: a call that the user interrupts, an answered one, then two more that nobody catches: first async."""

import asyncio
import signal
import sys
from typing import Any

from router import AsyncRouter, Router
from tests.process.scene import WHO
from tests.process.watch import say, watch


async def interrupted_in_a_loop(policies: str) -> None:
    async with AsyncRouter.open(policies) as router:
        await router.complete("in a loop", **WHO)


def caught(call: Any) -> None:
    try:
        call()
    except KeyboardInterrupt:
        say("interrupted")


watch()
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
(policies,) = sys.argv[1:]
with Router.open(policies) as router:
    caught(lambda: router.complete("hello", **WHO))
    say(router.complete("hello", **WHO).text)
    caught(lambda: asyncio.run(interrupted_in_a_loop(policies)))
    router.complete("not caught", **WHO)
