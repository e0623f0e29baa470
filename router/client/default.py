"""The default router: what `router.complete` and `router.acomplete` use. The one module global of the package.

A process has one, a forked child makes its own, and each event loop has one: what connections and threads a router
holds never cross either border.
"""

import os
import threading
from collections.abc import AsyncGenerator, Callable
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from weakref import WeakKeyDictionary

from router.client.inline import run_inline
from router.client.routers import AsyncRouter, Router
from router.errors import RequestError


class _Defaults:
    """The default routers of one process."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.sync: Router | None = None
        self.by_loop: WeakKeyDictionary[Any, tuple[AsyncRouter, AsyncGenerator[None, None]]] = (
            WeakKeyDictionary()
        )


_BY_PROCESS: dict[int, _Defaults] = {}


def _of_this_process() -> _Defaults:
    """A forked child finds none of its own: it must not close, lock or reuse what its parent holds."""
    return _BY_PROCESS.setdefault(os.getpid(), _Defaults())


def policies_folder() -> Path:
    """ROUTER_POLICIES, else `./policies`. Raises RequestError where there is nothing."""
    folder = Path(os.environ.get("ROUTER_POLICIES") or "policies")
    if not folder.exists():
        raise RequestError(
            f"there are no policies at `{folder}`",
            help="set ROUTER_POLICIES to the folder, run from the folder that holds `policies/`, or `router init`",
        )
    return folder


def default_router() -> Router:
    """The sync default router of this process, opened on first use."""
    defaults = _of_this_process()
    with defaults.lock:
        if defaults.sync is None:
            defaults.sync = Router.open(policies_folder())
        return defaults.sync


def default_async_router() -> AsyncRouter:
    """The default router of the running event loop, opened on first use and closed with it."""
    import asyncio

    loop, defaults = asyncio.get_running_loop(), _of_this_process()
    with defaults.lock:
        found = defaults.by_loop.get(loop)
        if found is None:
            router = AsyncRouter.open(policies_folder())
            found = defaults.by_loop[loop] = router, _until_loop_ends(loop, defaults)
            run_inline(found[1].asend(None))
        return found[0]


async def _until_loop_ends(loop: Any, defaults: _Defaults) -> AsyncGenerator[None, None]:
    """Once begun, it is closed by asyncio at the end of the loop, and nobody else is told of that."""
    try:
        yield
    finally:
        router, _ = defaults.by_loop.pop(loop)
        await router.close()


def _called_as(method: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Gives a function the arguments of a method without its `self`, for editors and `help`."""

    def named(function: Callable[..., Any]) -> Callable[..., Any]:
        whole = signature(method)
        arguments = [each for name, each in whole.parameters.items() if name != "self"]
        function.__signature__ = whole.replace(parameters=arguments)  # type: ignore[attr-defined]
        return function

    return named


if TYPE_CHECKING:  # what type checkers see: the methods themselves, with all their overloads
    complete, stream = cast(Router, None).complete, cast(Router, None).stream
    acomplete, astream = cast(AsyncRouter, None).complete, cast(AsyncRouter, None).stream
else:

    @_called_as(Router.complete)
    def complete(*messages: Any, **arguments: Any) -> Any:
        """`Router.complete` on the default router: policies from ROUTER_POLICIES or `./policies`."""
        return default_router().complete(*messages, **arguments)

    @_called_as(Router.stream)
    def stream(*messages: Any, **arguments: Any) -> Any:
        """`Router.stream` on the default router."""
        return default_router().stream(*messages, **arguments)

    @_called_as(AsyncRouter.complete)
    async def acomplete(*messages: Any, **arguments: Any) -> Any:
        """`AsyncRouter.complete` on the default router of the running event loop."""
        return await default_async_router().complete(*messages, **arguments)

    @_called_as(AsyncRouter.stream)
    def astream(*messages: Any, **arguments: Any) -> Any:
        """`AsyncRouter.stream` on the default router of the running event loop."""
        return default_async_router().stream(*messages, **arguments)
