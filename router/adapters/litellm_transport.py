"""The Transport that speaks to every provider litellm knows, in an asynchronous and a blocking form.

litellm builds the request and reads the answer. The wire below it, with its sockets, is this transport's own (see
`litellm_exchange`), so one `start` is one request, a cancelled call has its socket closed, and nothing is shared with
other users of litellm in the process.
"""

import asyncio
from collections.abc import Callable
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, cast
from weakref import WeakSet

from router.adapters.litellm_calls import arguments
from router.adapters.litellm_errors import ended_early
from router.adapters.litellm_exchange import EXCHANGE, Exchange
from router.adapters.litellm_reply import reply_of
from router.adapters.litellm_stream import LitellmStream
from router.adapters.loop_thread import EitherTransport
from router.adapters.wire_pools import Wires
from router.adapters.wire_tasks import Brought, Flight, TaskTransport, failed
from router.decide.transcript import signs_thoughts
from router.ports import Realm, WireCall, WireStream

if TYPE_CHECKING:
    import httpx


class LitellmTransport(EitherTransport):
    """One per router; `suspends` False: its wire runs on a private loop thread. Nothing is imported before a call."""

    def __init__(self, *, suspends: bool) -> None:
        super().__init__(AsyncLitellm, suspends=suspends)


class AsyncLitellm(TaskTransport):
    """The asynchronous form. `wire` makes the connection pool of an event loop; None: litellm's own kind of pool."""

    def __init__(
        self, *, wire: "Callable[[], httpx.AsyncBaseTransport] | None" = None, stand_in_key: str | None = None
    ) -> None:
        super().__init__()
        self._open_wire = wire
        self._stand_in_key = stand_in_key  # where a call brings no key: litellm builds no request without one
        self.needs_keys = stand_in_key is None
        self.realm: Realm = "live" if self.needs_keys else "replay"
        self._wires: Wires[httpx.AsyncBaseTransport] = Wires()
        self._met: WeakSet[asyncio.AbstractEventLoop] = WeakSet()

    # --- calls

    def start(self, call: WireCall) -> Flight:
        """Begin `call` on the running loop."""
        exchange = Exchange(self._forward, lookups=self.needs_keys)
        context = copy_context()
        context.run(EXCHANGE.set, exchange)
        return self._fly(self._answer(call, exchange, context), exchange, context)

    # --- streams

    def next(self, stream: WireStream) -> Flight:
        opened = cast(LitellmStream, stream)
        return self._fly(self._advance(opened), opened.exchange, opened.context.copy())

    async def aclose(self) -> None:
        """Cancel what is under way and close every connection of this loop."""
        await self._end_all()
        await self._wires.aclose()

    # --- within a task

    async def _forward(self, request: "httpx.Request") -> "httpx.Response":
        make = self._open_wire or (await self._environment()).open_wire
        return await (await self._wires.get(make)).handle_async_request(request)

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
            self._opened.add(exchange)
            return await LitellmStream(call, response, exchange, context).open()
        except Exception as error:  # noqa: BLE001 - whatever litellm raises, the port raises ProviderError
            if exchange.stopped:  # given up: what litellm makes of that is no result
                raise asyncio.CancelledError from None
            return failed(error, exchange, call)

    async def _advance(self, stream: LitellmStream) -> Brought:
        try:
            return await stream.advance() or ended_early(stream.exchange, target=stream.call.target)
        except Exception as error:  # noqa: BLE001 - as in _answer
            stream.ended = True
            return failed(error, stream.exchange, stream.call)
