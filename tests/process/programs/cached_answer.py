"""ROUTER_POLICIES is set: an answer that was kept, and which libraries of the wire it took."""

import os
import sys

from router import Router
from tests.process.scene import WHO
from tests.process.watch import say, watch

WIRE = ("litellm", "openai", "httpx", "aiohttp")


def loaded() -> str:
    return " ".join(name for name in WIRE if name in sys.modules) or "none"


watch()
router = Router.open(os.environ["ROUTER_POLICIES"])
say("open:", loaded())
reply = router.complete("hello", **{**WHO, "policy": "kept"})
say("cached:" if reply.cached else "not cached:", loaded())
router.close()
