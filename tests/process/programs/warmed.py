"""ROUTER_POLICIES is set: what warming brings, and how a call goes after it that has no time for an import."""

import os
import sys

from router import Router
from tests.process.scene import WHO
from tests.process.watch import say, watch

watch()
router = Router.open(os.environ["ROUTER_POLICIES"])
say("at once:", router.warm(0))
say("waited for:", router.warm())
say("litellm:", "litellm" in sys.modules)
say("again:", router.warm(0))
say("answered:", router.complete("hello", timeout=5, **WHO).text)
router.close()
