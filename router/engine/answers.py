"""Stored answers: whether a request may be served from the cache, and whether its answer may be kept."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from router import events as ev
from router.decide import stored
from router.decide.cachekey import cache_key, partition
from router.decide.judge import is_sampled, kinds_of_outage, soft_kind
from router.engine import objects
from router.engine.run import Run
from router.engine.stores import bypass
from router.errors import NoRoute, StoreError, TargetsExhausted
from router.plan import Route
from router.ports import CacheEntry
from router.values import Output, Reply


def key_of(run: Run, route: Route) -> str | None:
    """None: this request is neither served from the cache nor stored."""
    rule, request = route.cache, run.request
    if rule is None:
        return None
    if "cache" in run.caller.never:
        run.emit(ev.CacheSkipped, why="content_never")
        return None
    if not rule.sampled and any(is_sampled(candidate.params) for candidate in route.candidates):
        run.emit(ev.CacheSkipped, why="sampled")
        return None
    part = partition(rule, request.tenant, request.user)
    if part is None:
        run.emit(ev.CacheSkipped, why="no_user")
        return None
    return cache_key(
        policy=route.policy if route.jumped is None else f"{route.policy} > {route.jumped}",
        candidates=route.candidates,
        providers=run.plan.providers,
        messages=request.messages,
        params=request.params if request.output is None else {**request.params, **_form(request.output)},
        partition=f"{run.ports.transport.realm}:{part}",
    )


def _form(output: Output) -> Mapping[str, Any]:
    """A name that no parameter has."""
    return {"response_model": {"name": output.name, "schema": output.schema}}


async def stored_reply(run: Run, route: Route, key: str | None) -> Reply | None:
    """An answer that is younger than the `ttl` of today's policy."""
    if key is None or route.cache is None:
        return None
    try:
        reply = await _read(run, route, key)
    except StoreError as error:
        bypass(run, "cache", "get", error)
        run.emit(ev.CacheMissed, key=key, why="store_error")
        return None
    if reply is None or not 0 <= reply.age_s < route.cache.ttl_s:
        run.emit(ev.CacheMissed, key=key, why="expired" if reply else "absent")
        return None
    formed = objects.of_another(run, reply)
    if formed is None:
        run.emit(ev.CacheMissed, key=key, why="misfit")
        return None
    run.emit(ev.CacheHit, key=key, age_s=reply.age_s, target=reply.target)
    return formed


async def stale_reply(
    run: Run, route: Route, key: str | None, error: TargetsExhausted | NoRoute
) -> Reply | None:
    """Where all targets failed, or breakers refuse them all: an older answer, if the policy has one served then. Asked
    anew, as somebody else may have been answered meanwhile. Whatever ails the store or the entry, `error` is what the
    caller is told."""
    rule, kinds = route.cache, () if isinstance(error, NoRoute) else kinds_of_outage(error.attempts)
    is_outage = bool(kinds) or isinstance(error, NoRoute)
    if key is None or rule is None or not rule.stale_s or not is_outage:
        return None
    try:
        reply = await _read(run, route, key)
    except StoreError as failure:
        run.emit(ev.StoreBypassed, port="cache", step="get", why=failure.message)
        return None
    if reply is None or not 0 <= reply.age_s < rule.kept_s:
        return None
    formed = objects.of_another(run, reply)
    if formed is None:
        return None
    if reply.age_s < rule.ttl_s:
        run.emit(ev.CacheHit, key=key, age_s=reply.age_s, target=reply.target)
        return formed
    run.emit(ev.StaleServed, key=key, age_s=reply.age_s, target=reply.target, kinds=kinds)
    return replace(formed, stale=True)


async def _read(run: Run, route: Route, key: str) -> Reply | None:
    """What is kept, of whatever age. Raises StoreError."""
    entry = await run.ports.cache.get(key)
    if entry is None:
        return None
    reply = stored.from_bytes(entry.body, request_id=run.request.id, policy=route.policy)
    return reply and replace(reply, age_s=run.ports.clock.now_s() - entry.stored_at_s)


async def keep(run: Run, route: Route, key: str | None, reply: Reply) -> None:
    if key is None or route.cache is None:
        return
    if reply.finish_reason not in stored.KEPT:
        run.emit(ev.CacheSkipped, why=str(soft_kind(reply.finish_reason) or reply.finish_reason))
        return
    entry = CacheEntry(body=stored.to_bytes(reply), stored_at_s=run.ports.clock.now_s())
    try:
        await run.ports.cache.put(key, entry, ttl_s=route.cache.kept_s)
    except StoreError as error:  # closed or open: an answer that was paid for is not thrown away
        run.emit(ev.StoreBypassed, port="cache", step="put", why=error.message)
        run.emit(ev.CacheSkipped, why="store_error")
        return
    run.emit(ev.CacheStored, key=key, ttl_s=route.cache.kept_s)
