"""A Transport whose calls are tasks of the running loop: what every wire shares, whoever speaks within the task."""

import asyncio
from collections.abc import Coroutine, Sequence
from contextvars import Context
from types import ModuleType
from typing import Any, Protocol, cast
from weakref import WeakSet

from router.adapters.litellm_calls import secrets_of
from router.adapters.litellm_errors import provider_error
from router.adapters.litellm_loading import Loading, loaded
from router.adapters.traffic import Traffic
from router.errors import ProviderError
from router.ports import Pending, WireCall, WireChunk, WireReply, WireStream
from router.values import Kind

_CANCEL_S = 0.04

Brought = WireReply | WireStream | WireChunk | ProviderError


class Flight:
    """A Pending: a task that never raises, and the traffic it works on."""

    __slots__ = ("__weakref__", "task", "traffic")

    def __init__(self, traffic: Traffic, task: "asyncio.Task[Brought]") -> None:
        self.traffic = traffic
        self.task = task


class Closable(Protocol):
    async def close(self) -> None: ...


class TaskTransport:
    """The part of an asynchronous Transport that is the same for every wire: waiting, results, cancelling, closing."""

    suspends = True

    def __init__(self) -> None:
        self._flights: WeakSet[Flight] = WeakSet()
        self._orphans: set[asyncio.Task[Any]] = set()
        self._opened: WeakSet[Traffic] = WeakSet()
        self._loading: Loading | None = None

    async def ready(self, timeout_s: float) -> bool:
        """Import litellm in a thread, once per process."""
        if loaded() is not None:
            return True
        loading = asyncio.ensure_future(self._environment())
        done, _ = await asyncio.wait([loading], timeout=max(0.0, timeout_s))
        error = loading.exception() if done else None
        if error is not None:
            why = f"litellm can't be imported (`{type(error).__name__}`)"
            raise ProviderError(why, kind=Kind.CONNECTION, sent=False) from error
        return bool(done)

    async def wait(self, pendings: Sequence[Pending], timeout_s: float) -> Pending | None:
        """The first that is done, in the order given."""
        flights = cast(Sequence[Flight], pendings)
        if not any(flight.task.done() for flight in flights):
            await asyncio.wait(
                [flight.task for flight in flights],
                timeout=max(0.0, timeout_s),
                return_when=asyncio.FIRST_COMPLETED,
            )
        return next((flight for flight in flights if flight.task.done()), None)

    def result(self, pending: Pending) -> WireReply | WireStream | WireChunk:
        flight = cast(Flight, pending)
        if not flight.task.done() or flight.task.cancelled():
            raise RuntimeError("this pending call has no result: it is still under way or was cancelled")
        brought = flight.task.result()
        if isinstance(brought, ProviderError):
            raise brought
        return brought

    def sent(self, pending: Pending) -> bool:
        """Whether a request was handed to the wire."""
        return cast(Flight, pending).traffic.sends > 0

    async def cancel(self, pending: Pending) -> None:
        """Nothing of the call is on the wire afterwards."""
        flight = cast(Flight, pending)
        flight.traffic.stop()
        if flight.traffic.sends == 0:
            self._orphan(flight.task)  # still being built, in a thread: it is refused when it would send
            return
        if not flight.task.done():
            flight.task.cancel()
            await asyncio.wait([flight.task], timeout=_CANCEL_S)
        await flight.traffic.close()

    async def close(self, stream: WireStream) -> None:
        """The socket is closed also where whoever asked is cancelled meanwhile, however often."""
        closing = asyncio.ensure_future(cast(Closable, stream).close())
        self._orphan(closing)
        await asyncio.shield(closing)

    async def _environment(self) -> ModuleType:
        env = loaded()
        if env is not None:
            return env
        if self._loading is None or self._loading.failed:
            self._loading = Loading()
        return await self._loading.wait()

    async def _end_all(self) -> None:
        """Cancel what is under way and close what is open."""
        for flight in list(self._flights):
            await self.cancel(flight)
        for traffic in list(self._opened):
            await traffic.close()
        if self._orphans:
            await asyncio.wait(self._orphans, timeout=1.0)

    def _fly(
        self, work: Coroutine[Any, Any, Brought], traffic: Traffic, context: Context | None = None
    ) -> Flight:
        flight = Flight(traffic, asyncio.get_running_loop().create_task(work, context=context))
        self._flights.add(flight)
        return flight

    def _orphan(self, task: "asyncio.Task[Any]") -> None:
        if not task.done():
            self._orphans.add(task)
            task.add_done_callback(self._orphans.discard)


def failed(error: Exception, traffic: Traffic, call: WireCall) -> ProviderError:
    """What a call failed of, in the port's words, without a secret of its own in them."""
    failure = provider_error(error, traffic, target=call.target)
    if any(secret in failure.message for secret in secrets_of(call)):
        failure.args = (f"{failure.kind}: the provider repeated a secret, so its words are left out",)
    return failure
