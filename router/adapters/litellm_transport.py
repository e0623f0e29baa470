"""The Transport that speaks to every provider litellm knows, in an asynchronous and a blocking form.

litellm builds the request and reads the answer. The wire below it, with its sockets, is this transport's own (see
`litellm_exchange`), so one `start` is one request, a cancelled call has its socket closed, and nothing is shared with
other users of litellm in the process.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextvars import Context, copy_context
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast
from weakref import WeakSet

from router.adapters.litellm_calls import arguments, secrets_of
from router.adapters.litellm_errors import ended_early, provider_error
from router.adapters.litellm_exchange import EXCHANGE, Exchange
from router.adapters.litellm_loading import Loading, loaded
from router.adapters.litellm_reply import reply_of
from router.adapters.litellm_stream import LitellmStream
from router.adapters.litellm_wires import Wires
from router.adapters.loop_thread import EitherTransport
from router.decide.transcript import signs_thoughts
from router.errors import ProviderError
from router.ports import Pending, Realm, WireCall, WireChunk, WireReply, WireStream
from router.values import Kind

if TYPE_CHECKING:
    import httpx

_CANCEL_S = 0.04

Brought = WireReply | WireStream | WireChunk | ProviderError


class Flight:
    """A Pending: a task that never raises, and the exchange it works on."""

    __slots__ = ("__weakref__", "exchange", "task")

    def __init__(self, exchange: Exchange, task: "asyncio.Task[Brought]") -> None:
        self.exchange = exchange
        self.task = task


class LitellmTransport(EitherTransport):
    """One per router; `suspends` False: its wire runs on a private loop thread. Nothing is imported before a call."""

    def __init__(self, *, suspends: bool) -> None:
        super().__init__(AsyncLitellm, suspends=suspends)


class AsyncLitellm:
    """The asynchronous form. `wire` makes the connection pool of an event loop; None: litellm's own kind of pool."""

    suspends = True

    def __init__(
        self, *, wire: "Callable[[], httpx.AsyncBaseTransport] | None" = None, stand_in_key: str | None = None
    ) -> None:
        self._open_wire = wire
        self._stand_in_key = stand_in_key  # where a call brings no key: litellm builds no request without one
        self.needs_keys = stand_in_key is None
        self.realm: Realm = "live" if self.needs_keys else "replay"
        self._wires = Wires()
        self._met: WeakSet[asyncio.AbstractEventLoop] = WeakSet()
        self._flights: WeakSet[Flight] = WeakSet()
        self._orphans: set[asyncio.Task[Any]] = set()
        self._streams: WeakSet[Exchange] = WeakSet()
        self._loading: Loading | None = None

    # --- calls

    async def ready(self, timeout_s: float) -> bool:
        """Import litellm in a thread, once per process."""
        if loaded() is not None:
            return True
        loading = asyncio.ensure_future(self._environment())
        done, _ = await asyncio.wait([loading], timeout=max(0.0, timeout_s))
        failed = loading.exception() if done else None
        if failed is not None:
            why = f"litellm can't be imported (`{type(failed).__name__}`)"
            raise ProviderError(why, kind=Kind.CONNECTION, sent=False) from failed
        return bool(done)

    def start(self, call: WireCall) -> Flight:
        """Begin `call` on the running loop."""
        exchange = Exchange(self._forward, lookups=self.needs_keys)
        context = copy_context()
        context.run(EXCHANGE.set, exchange)
        return self._fly(self._answer(call, exchange, context), exchange, context)

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
        """Whether litellm handed a request to the wire."""
        return cast(Flight, pending).exchange.sends > 0

    async def cancel(self, pending: Pending) -> None:
        """Nothing of the call is on the wire afterwards."""
        flight = cast(Flight, pending)
        flight.exchange.stop()
        if flight.exchange.sends == 0:
            self._orphan(flight.task)  # still being built, in a thread: it is refused when it would send
            return
        if not flight.task.done():
            flight.task.cancel()
            await asyncio.wait([flight.task], timeout=_CANCEL_S)
        await flight.exchange.close()

    # --- streams

    def next(self, stream: WireStream) -> Flight:
        opened = cast(LitellmStream, stream)
        return self._fly(self._advance(opened), opened.exchange, opened.context.copy())

    async def close(self, stream: WireStream) -> None:
        """The socket is closed also where whoever asked is cancelled meanwhile, however often."""
        closing = asyncio.ensure_future(cast(LitellmStream, stream).close())
        self._orphan(closing)
        await asyncio.shield(closing)

    async def aclose(self) -> None:
        """Cancel what is under way and close every connection of this loop."""
        for flight in list(self._flights):
            await self.cancel(flight)
        for exchange in list(self._streams):
            await exchange.close()
        if self._orphans:
            await asyncio.wait(self._orphans, timeout=1.0)
        await self._wires.aclose()

    # --- within a task

    def _fly(self, work: Any, exchange: Exchange, context: Context) -> Flight:
        task = asyncio.get_running_loop().create_task(work, context=context)
        flight = Flight(exchange, task)
        self._flights.add(flight)
        return flight

    def _orphan(self, task: "asyncio.Task[Any]") -> None:
        if not task.done():
            self._orphans.add(task)
            task.add_done_callback(self._orphans.discard)

    async def _forward(self, request: "httpx.Request") -> "httpx.Response":
        make = self._open_wire or (await self._environment()).open_wire
        return await (await self._wires.get(make)).handle_async_request(request)

    async def _environment(self) -> ModuleType:
        env = loaded()
        if env is not None:
            return env
        if self._loading is None or self._loading.failed:
            self._loading = Loading()
        return await self._loading.wait()

    async def _answer(self, call: WireCall, exchange: Exchange, context: Context) -> Brought:
        """The whole answer, or the open stream, or the ProviderError."""
        try:
            env = await self._environment()
            loop = asyncio.get_running_loop()
            if loop not in self._met:
                self._met.add(loop)
                env.forget_clients_of_another(loop)
            if env.INTERNAL_CALL is not None:
                env.INTERNAL_CALL.set(True)
            response = await env.acompletion(**arguments(call, stand_in_key=self._stand_in_key))
            if not call.stream:
                return reply_of(response, exchange.headers, signed=signs_thoughts(call.kind, call.model))
            self._streams.add(exchange)
            return await LitellmStream(call, response, exchange, context).open()
        except Exception as error:  # noqa: BLE001 - whatever litellm raises, the port raises ProviderError
            if exchange.stopped:  # given up: what litellm makes of that is no result
                raise asyncio.CancelledError from None
            return _failed(error, exchange, call)

    async def _advance(self, stream: LitellmStream) -> Brought:
        try:
            return await stream.advance() or ended_early(stream.exchange, target=stream.call.target)
        except Exception as error:  # noqa: BLE001 - as in _answer
            stream.ended = True
            return _failed(error, stream.exchange, stream.call)


def _failed(error: Exception, exchange: Exchange, call: WireCall) -> ProviderError:
    failure = provider_error(error, exchange, target=call.target)
    if any(secret in failure.message for secret in secrets_of(call)):
        failure.args = (f"{failure.kind}: the provider repeated a secret, so its words are left out",)
    return failure
