"""Where ports are put together and calls come in: `Router`, `AsyncRouter`, and the default router of a process."""

from router.client.routers import AsyncRouter, Router

__all__ = ["AsyncRouter", "Router"]
