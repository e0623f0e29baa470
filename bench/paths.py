"""The paths that are measured. Each role makes some of them, in a worker process of its own."""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from importlib import import_module
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any

from bench import scene

Calls = Callable[[int], list[float]]
"""Make so many calls; returns the seconds of each."""

Paths = Iterator[Mapping[str, Calls]]

AT_ONCE = 16


def one_by_one(call: Callable[[], object]) -> Calls:
    def make(calls: int) -> list[float]:
        durations_s = []
        for _ in range(calls):
            began_s = time.perf_counter()
            call()
            durations_s.append(time.perf_counter() - began_s)
        return durations_s

    return make


def fresh(call: Callable[..., Any], arguments: Callable[..., dict[str, Any]]) -> Callable[[], Any]:
    """`call` with a question of its own each time: nothing may be remembered from the last one but what comes again."""
    numbers = count()
    return lambda: call(**arguments(number=next(numbers)))


def awaited(runner: asyncio.Runner, call: Callable[[], Awaitable[object]], *, at_once: int = 1) -> Calls:
    """`at_once` tasks share the calls, each makes its own one after another."""

    async def task(calls: int) -> list[float]:
        durations_s = []
        for _ in range(calls):
            began_s = time.perf_counter()
            await call()
            durations_s.append(time.perf_counter() - began_s)
        return durations_s

    async def tasks(calls: int) -> list[float]:
        shares = [calls // at_once + (place < calls % at_once) for place in range(at_once)]
        return [each for part in await asyncio.gather(*map(task, shares)) for each in part]

    return lambda calls: runner.run(task(calls) if at_once == 1 else tasks(calls))


def _alone_and_at_once(
    runner: asyncio.Runner, name: str, call: Callable[[], Awaitable[object]]
) -> dict[str, Calls]:
    return {name: awaited(runner, call), f"{name}, at once": awaited(runner, call, at_once=AT_ONCE)}


# --- The router -------------------------------------------------------------------------------------------------------


@contextmanager
def router_paths() -> Paths:
    """On litellm's wire; on a scripted wire that answers at once; and from a cache."""
    from router import AsyncRouter, Router

    asked = partial(scene.router_arguments, scene.POLICY)
    again = scene.router_arguments(scene.KEPT_POLICY)
    with TemporaryDirectory() as folder, asyncio.Runner() as runner, ExitStack() as closing:
        opened = partial(_opened, closing, runner, Path(folder))
        paths: dict[str, Calls] = {}
        for state in ("memory", "sqlite"):
            name = f"{state} state"
            call = fresh(opened(AsyncRouter, state=state).complete, asked)
            paths |= _alone_and_at_once(runner, f"AsyncRouter, {name}", call)
            paths[f"Router, {name}"] = one_by_one(fresh(opened(Router, state=state).complete, asked))
            alone = opened(Router, state=state, transport="fake")
            paths[f"decision, {name}"] = one_by_one(fresh(alone.complete, asked))
        for cache in ("memory", "disk"):
            name = f"{cache} cache hit"
            chosen = {"state": "sqlite", "cache": cache, "transport": "fake"}
            paths[f"AsyncRouter, {name}"] = awaited(
                runner, partial(opened(AsyncRouter, **chosen).complete, **again)
            )
            paths[f"Router, {name}"] = one_by_one(partial(opened(Router, **chosen).complete, **again))
        yield paths


def _opened(
    closing: ExitStack,
    runner: asyncio.Runner,
    folder: Path,
    kind: Any,
    *,
    state: str,
    cache: str = "memory",
    **more: Any,
) -> Any:
    """A router with a state and a cache of its own, closed with the rest."""
    own = folder / str(len(list(folder.iterdir())))
    own.mkdir()
    router = kind.open(
        scene.policies(scene.upstream_urls()),
        state=f"sqlite:///{own / 'state.db'}" if state == "sqlite" else state,
        cache=own / "cache" if cache == "disk" else cache,
        **more,
    )
    closing.callback(lambda: runner.run(router.close()) if kind.__name__ == "AsyncRouter" else router.close())
    return router


# --- litellm ----------------------------------------------------------------------------------------------------------


@contextmanager
def litellm_paths() -> Paths:
    """litellm's own calls, as an application makes them."""
    import litellm

    wire = scene.litellm_wire(scene.upstream_urls())
    with asyncio.Runner() as runner:
        call = fresh(partial(litellm.acompletion, **wire), scene.litellm_arguments)
        sync = fresh(partial(litellm.completion, **wire), scene.litellm_arguments)
        yield {
            **_alone_and_at_once(runner, "litellm.acompletion", call),
            "litellm.completion": one_by_one(sync),
        }


@contextmanager
def litellm_router_paths() -> Paths:
    """litellm's Router over one deployment, without retries, limits or budgets: less than the router does here."""
    from litellm import Router

    wire = scene.litellm_wire(scene.upstream_urls())
    router = Router(model_list=[{"model_name": "bench", "litellm_params": wire}], num_retries=0)
    with asyncio.Runner() as runner:
        call = fresh(partial(router.acompletion, model="bench"), scene.litellm_arguments)
        sync = fresh(partial(router.completion, model="bench"), scene.litellm_arguments)
        yield {
            **_alone_and_at_once(runner, "litellm.Router.acompletion", call),
            "litellm.Router.completion": one_by_one(sync),
        }


@contextmanager
def litellm_cache_paths() -> Paths:
    """Hits of litellm's caches: in memory, and on disk where the installed version still has that."""
    import litellm
    from litellm.caching.caching import Cache
    from litellm.types.caching import LiteLLMCacheType

    _mend_litellm_cache()
    arguments = {**scene.litellm_wire(scene.upstream_urls()), **scene.litellm_arguments()}
    with TemporaryDirectory() as folder, asyncio.Runner() as runner:
        caches = {"memory": Cache(type=LiteLLMCacheType.LOCAL)}
        if hasattr(LiteLLMCacheType, "DISK"):  # newer releases have none
            caches["disk"] = Cache(type=LiteLLMCacheType.DISK, disk_cache_dir=folder)
        paths: dict[str, Calls] = {}
        for name, cache in caches.items():
            chosen = partial(_with_cache, litellm, cache)
            calls = awaited(runner, partial(litellm.acompletion, caching=True, **arguments))
            paths[f"litellm.acompletion, {name} cache hit"] = chosen(calls)
            calls = one_by_one(partial(litellm.completion, caching=True, **arguments))
            paths[f"litellm.completion, {name} cache hit"] = chosen(calls)
        yield paths


MENDED = "litellm.llms.anthropic.pass_through.messages.response_cache"


def _mend_litellm_cache() -> None:
    """In 1.106.2 every hit imports a part of its proxy, and fails where only the plain package is installed.

    A stand-in for the one class that it looks for there lets it be measured; it can only make it faster.
    """
    try:
        import_module(MENDED)
    except ModuleNotFoundError:
        stand_in: Any = ModuleType(MENDED)
        stand_in.CachedAnthropicMessagesStreamIterator = type("CachedAnthropicMessagesStreamIterator", (), {})
        sys.modules[MENDED] = stand_in


def _with_cache(litellm: Any, cache: Any, calls: Calls) -> Calls:
    def with_cache(number: int) -> list[float]:
        litellm.cache = cache  # a global is all it has
        return calls(number)

    return with_cache


ROLES = {
    "router": router_paths,
    "litellm": litellm_paths,
    "litellm-router": litellm_router_paths,
    "litellm-cache": litellm_cache_paths,
}
