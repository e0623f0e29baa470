"""The paths that are measured. Each role makes some of them, in a worker process of its own."""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from importlib import import_module
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
    def calls(count: int) -> list[float]:
        durations_s = []
        for _ in range(count):
            began_s = time.perf_counter()
            call()
            durations_s.append(time.perf_counter() - began_s)
        return durations_s

    return calls


def awaited(runner: asyncio.Runner, call: Callable[[], Awaitable[object]], *, at_once: int = 1) -> Calls:
    """`at_once` tasks share the calls, each makes its own one after another."""

    async def task(count: int) -> list[float]:
        durations_s = []
        for _ in range(count):
            began_s = time.perf_counter()
            await call()
            durations_s.append(time.perf_counter() - began_s)
        return durations_s

    async def tasks(count: int) -> list[float]:
        shares = [count // at_once + (place < count % at_once) for place in range(at_once)]
        return [each for part in await asyncio.gather(*map(task, shares)) for each in part]

    return lambda count: runner.run(task(count) if at_once == 1 else tasks(count))


def _alone_and_at_once(
    runner: asyncio.Runner, name: str, call: Callable[[], Awaitable[object]]
) -> dict[str, Calls]:
    return {name: awaited(runner, call), f"{name}, at once": awaited(runner, call, at_once=AT_ONCE)}


# --- The router -------------------------------------------------------------------------------------------------------


@contextmanager
def router_paths() -> Paths:
    """On litellm's wire; on a scripted wire that answers at once; and from a cache."""
    from router import AsyncRouter, Router

    with TemporaryDirectory() as folder, asyncio.Runner() as runner, ExitStack() as closing:
        opened = partial(_opened, closing, runner, Path(folder))
        paths: dict[str, Calls] = {}
        for state in ("memory", "sqlite"):
            name = f"{state} state"
            on_the_wire = _complete(opened(AsyncRouter, state=state), scene.POLICY)
            paths |= _alone_and_at_once(runner, f"AsyncRouter, {name}", on_the_wire)
            paths[f"Router, {name}"] = one_by_one(_complete(opened(Router, state=state), scene.POLICY))
            alone = opened(Router, state=state, transport="fake")
            paths[f"decision, {name}"] = one_by_one(_complete(alone, scene.POLICY))
        for cache in ("memory", "disk"):
            name = f"{cache} cache hit"
            chosen = {"state": "sqlite", "cache": cache, "transport": "fake"}
            hit = _complete(opened(AsyncRouter, **chosen), scene.KEPT_POLICY)
            paths[f"AsyncRouter, {name}"] = awaited(runner, hit)
            paths[f"Router, {name}"] = one_by_one(_complete(opened(Router, **chosen), scene.KEPT_POLICY))
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


def _complete(router: Any, policy: str) -> Callable[[], Any]:
    return partial(router.complete, **scene.router_arguments(policy))


# --- litellm ----------------------------------------------------------------------------------------------------------


@contextmanager
def litellm_paths() -> Paths:
    """litellm's own calls, as an application makes them."""
    import litellm

    arguments = scene.litellm_arguments(scene.upstream_urls())
    with asyncio.Runner() as runner:
        call = partial(litellm.acompletion, **arguments)
        yield {
            **_alone_and_at_once(runner, "litellm.acompletion", call),
            "litellm.completion": one_by_one(partial(litellm.completion, **arguments)),
        }


@contextmanager
def litellm_router_paths() -> Paths:
    """litellm's Router over one deployment, without retries, limits or budgets: less than the router does here."""
    from litellm import Router

    arguments = scene.litellm_arguments(scene.upstream_urls())
    wire = {name: arguments.pop(name) for name in ("model", "api_base", "api_key")}
    router = Router(model_list=[{"model_name": "bench", "litellm_params": wire}], num_retries=0)
    with asyncio.Runner() as runner:
        call = partial(router.acompletion, model="bench", **arguments)
        yield {
            **_alone_and_at_once(runner, "litellm.Router.acompletion", call),
            "litellm.Router.completion": one_by_one(partial(router.completion, model="bench", **arguments)),
        }


@contextmanager
def litellm_cache_paths() -> Paths:
    """Hits of litellm's caches: in memory, and on disk where the installed version still has that."""
    import litellm
    from litellm.caching.caching import Cache
    from litellm.types.caching import LiteLLMCacheType

    _mend_litellm_cache()
    arguments = scene.litellm_arguments(scene.upstream_urls())
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
    def with_cache(count: int) -> list[float]:
        litellm.cache = cache  # a global is all it has
        return calls(count)

    return with_cache


ROLES = {
    "router": router_paths,
    "litellm": litellm_paths,
    "litellm-router": litellm_router_paths,
    "litellm-cache": litellm_cache_paths,
}
