"""The Transport that speaks to every provider litellm knows, in an asynchronous and a blocking form.

litellm builds the request and reads the answer. The wire below it, with its sockets, is this transport's own (see
`litellm_exchange`), so one `start` is one request, a cancelled call has its socket closed, and nothing is shared with
other users of litellm in the process.
"""

import asyncio
import sys
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from contextvars import Context, copy_context
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast
from weakref import WeakKeyDictionary, WeakSet

from router.adapters.litellm_calls import arguments, secrets_of
from router.adapters.litellm_errors import ended_early, provider_error
from router.adapters.litellm_exchange import EXCHANGE, Exchange
from router.adapters.litellm_reply import ChunkReader, merged_usage, reply_of
from router.adapters.loop_thread import EitherTransport
from router.errors import ProviderError
from router.ports import Pending, Realm, WireCall, WireChunk, WireReply, WireStream
from router.values import Kind, Usage

if TYPE_CHECKING:
    import httpx

_ENV = "router.adapters.litellm_env"
_CANCEL_S = 0.04

Brought = WireReply | WireStream | WireChunk | ProviderError


class Flight:
    """A Pending: a task that never raises, and the exchange it works on."""

    __slots__ = ("__weakref__", "exchange", "task")

    def __init__(self, exchange: Exchange, task: "asyncio.Task[Brought]") -> None:
        self.exchange = exchange
        self.task = task


class LitellmStream:
    """A WireStream: litellm's reader of one open response, and the chunks that are read but not asked for yet."""

    __slots__ = ("call", "context", "ended", "exchange", "reader", "ready", "wrapper")

    def __init__(self, call: WireCall, wrapper: Any, exchange: Exchange, context: Context) -> None:
        self.call = call
        self.wrapper = wrapper
        self.exchange = exchange
        self.context = context
        self.reader = ChunkReader()
        self.ready: deque[WireChunk] = deque()
        self.ended = False


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
        self.stand_in_key = (
            stand_in_key  # goes where a call brings no key; litellm refuses to build a request without one
        )
        self.needs_keys = stand_in_key is None
        self.realm: Realm = "live" if self.needs_keys else "replay"
        self._wires: WeakKeyDictionary[asyncio.AbstractEventLoop, httpx.AsyncBaseTransport] = (
            WeakKeyDictionary()
        )
        self._flights: WeakSet[Flight] = WeakSet()
        self._orphans: set[asyncio.Task[Brought]] = set()
        self._streams: WeakSet[Exchange] = WeakSet()

    # --- calls

    async def ready(self, timeout_s: float) -> bool:
        """Import litellm in a thread, once per process."""
        if _loaded() is not None:
            return True
        loading = asyncio.ensure_future(_environment())
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
        opened = cast(LitellmStream, stream)
        opened.ended = True
        await opened.exchange.close()
        with suppress(Exception):  # its socket is closed: what litellm still says about it is no news
            await opened.wrapper.aclose()

    async def aclose(self) -> None:
        """Cancel what is under way and close every connection of this loop."""
        for flight in list(self._flights):
            await self.cancel(flight)
        for exchange in list(self._streams):
            await exchange.close()
        if self._orphans:
            await asyncio.wait(self._orphans, timeout=1.0)
        wire = self._wires.pop(asyncio.get_running_loop(), None)
        if wire is not None:
            await wire.aclose()

    # --- within a task

    def _fly(self, work: Any, exchange: Exchange, context: Context) -> Flight:
        task = asyncio.get_running_loop().create_task(work, context=context)
        flight = Flight(exchange, task)
        self._flights.add(flight)
        return flight

    def _orphan(self, task: "asyncio.Task[Brought]") -> None:
        if not task.done():
            self._orphans.add(task)
            task.add_done_callback(self._orphans.discard)

    async def _forward(self, request: "httpx.Request") -> "httpx.Response":
        loop = asyncio.get_running_loop()
        wire = self._wires.get(loop)
        if wire is None:
            wire = self._wires[loop] = (self._open_wire or sys.modules[_ENV].open_wire)()
        return await wire.handle_async_request(request)

    async def _answer(self, call: WireCall, exchange: Exchange, context: Context) -> Brought:
        """The whole answer, or the open stream, or the ProviderError."""
        try:
            env = await _environment()
            if env.INTERNAL_CALL is not None:
                env.INTERNAL_CALL.set(True)
            response = await env.acompletion(**arguments(call, stand_in_key=self.stand_in_key))
            if not call.stream:
                return reply_of(response, exchange.headers)
            return await self._opened(call, response, exchange, context)
        except Exception as error:  # noqa: BLE001 - whatever litellm raises, the port raises ProviderError
            return _failed(error, exchange, call)

    async def _opened(
        self, call: WireCall, wrapper: Any, exchange: Exchange, context: Context
    ) -> LitellmStream:
        if wrapper.completion_stream is None:  # some kinds send only when the first chunk is asked for
            await wrapper.fetch_stream()
        wrapper._record_partial_usage_for_failure = _count_nothing
        self._streams.add(exchange)
        return LitellmStream(call, wrapper, exchange, context)

    async def _advance(self, stream: LitellmStream) -> Brought:
        try:
            while not stream.ready and not stream.ended:
                await self._read(stream)
            return (
                stream.ready.popleft()
                if stream.ready
                else ended_early(stream.exchange, target=stream.call.target)
            )
        except Exception as error:  # noqa: BLE001 - as in _answer
            stream.ended = True
            return _failed(error, stream.exchange, stream.call)

    async def _read(self, stream: LitellmStream) -> None:
        """Read one chunk of litellm's, or the end."""
        wrapper = stream.wrapper
        try:
            chunk = await anext(wrapper)
        except StopAsyncIteration:
            stream.ended = True
            return
        if wrapper.sent_last_chunk and not _end_mark(wrapper):
            stream.ended = True  # litellm makes up a "stop" for a stream that just stops
            return
        stream.ready.extend(stream.reader.read(chunk))
        if wrapper.sent_last_chunk:
            usage = await _final_usage(wrapper)
            stream.ready.append(WireChunk(delta={}, usage=usage, done=True))
            stream.ended = True
            await stream.exchange.close()


def _loaded() -> ModuleType | None:
    loaded = sys.modules.get(_ENV)
    return (
        loaded if loaded is not None and hasattr(loaded, "INTERNAL_CALL") else None
    )  # the last name it binds


async def _environment() -> ModuleType:
    loaded = _loaded()
    if loaded is not None:
        return loaded
    return await asyncio.get_running_loop().run_in_executor(None, _load)


def _load() -> ModuleType:
    """Import litellm and rehearse, in a thread of its own: seconds."""
    env = import_module(_ENV)
    from router.adapters.litellm_rehearsal import rehearse

    rehearse()
    return env


def _failed(error: Exception, exchange: Exchange, call: WireCall) -> ProviderError:
    failure = provider_error(error, exchange, target=call.target)
    if any(secret in failure.message for secret in secrets_of(call)):
        failure.args = (f"{failure.kind}: the provider repeated a secret, so its words are left out",)
    return failure


def _count_nothing() -> None:
    """In place of litellm's count of a broken stream, which may fetch a tokenizer over the network to make it."""


def _end_mark(wrapper: Any) -> bool:
    return (wrapper.received_finish_reason or wrapper.intermittent_finish_reason) is not None


async def _final_usage(wrapper: Any) -> Usage | None:
    """The usage that the provider reported, reading on behind the finish to where many of them put it.

    litellm's own ending is not asked for: where no usage was reported it would count, and say nothing of it.
    """
    usages = [getattr(chunk, "usage", None) for chunk in wrapper.chunks]
    with suppress(Exception):  # the answer is whole; a connection that breaks here only hides its usage
        async for raw in wrapper.completion_stream:
            piece = wrapper.chunk_creator(chunk=raw)
            usages.append(getattr(piece, "usage", None))
    usages.extend(getattr(chunk, "usage", None) for chunk in wrapper.chunks[len(usages) :])
    return merged_usage(usages)
