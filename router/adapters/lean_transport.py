"""The Transport of the lean wire: litellm's knowledge of a provider, and one pooled HTTP client; nothing in between.

litellm's own classes say where a request goes, what it looks like and what its answer means; they are asked directly,
without its client, logging, callbacks and threads, which are nine tenths of what a call costs through it. A call that
is not served lean, or that litellm would make something else of than one request, goes by litellm's own wire.
"""

from collections.abc import Callable
from contextvars import copy_context
from importlib import import_module
from typing import TYPE_CHECKING, cast

from router.adapters.lean_exchange import LeanExchange
from router.adapters.lean_pool import AiohttpPool, HttpxPool, LeanAnswer, LeanPool
from router.adapters.lean_reply import read_reply
from router.adapters.lean_requests import Draft, Requests
from router.adapters.lean_stream import LeanStream, lines_of
from router.adapters.litellm_errors import ended_early
from router.adapters.litellm_exchange import EXCHANGE, Exchange
from router.adapters.litellm_loading import loaded
from router.adapters.litellm_stream import LitellmStream
from router.adapters.litellm_transport import AsyncLitellm
from router.adapters.loop_thread import EitherTransport
from router.adapters.wire_pools import Wires
from router.adapters.wire_tasks import Brought, Flight, TaskTransport, failed
from router.policy.wires import wire_of
from router.ports import Realm, WireCall, WireStream

if TYPE_CHECKING:
    import httpx

_PIECES = "router.adapters.litellm_pieces"


def lean_serves(call: WireCall) -> bool:
    """Whether a call goes lean: as its provider says, or, by default, where both wires were found equal."""
    return wire_of(call.kind, call.by) == "lean"


class LeanTransport(EitherTransport):
    """One per router; `suspends` False: its wire runs on a private loop thread. Nothing is imported before a call."""

    def __init__(self, *, suspends: bool) -> None:
        super().__init__(AsyncLean, suspends=suspends)


class AsyncLean(TaskTransport):
    """The asynchronous form. `serves` says which calls go lean. `wire` makes the connection pool of an event loop, for
    both wires; None: sockets."""

    def __init__(
        self,
        *,
        wire: "Callable[[], httpx.AsyncBaseTransport] | None" = None,
        stand_in_key: str | None = None,
        serves: Callable[[WireCall], bool] = lean_serves,
    ) -> None:
        super().__init__()
        self.needs_keys = stand_in_key is None
        self.realm: Realm = "live" if self.needs_keys else "replay"
        self._serves = serves
        self._reference = AsyncLitellm(wire=wire, stand_in_key=stand_in_key)
        self._open_wire = wire
        self._stand_in_key = stand_in_key
        self._requests: Requests | None = None
        self._pools: Wires[LeanPool] = Wires()

    # --- calls

    def start(self, call: WireCall) -> Flight:
        """Begin `call` on the running loop."""
        draft = self._draft(call)
        if draft is None:
            return self._reference.start(call)
        exchange = LeanExchange()
        return self._fly(self._answer(draft, exchange), exchange)

    # --- streams

    def next(self, stream: WireStream) -> Flight:
        if isinstance(stream, LeanStream):
            return self._fly(self._advance(stream), stream.exchange)
        return self._reference.next(stream)

    async def aclose(self) -> None:
        """Cancel what is under way and close every connection of this loop."""
        await self._end_all()
        await self._pools.aclose()
        await self._reference.aclose()

    # --- within a task

    def _draft(self, call: WireCall) -> Draft | None:
        """None for a call that is not served lean, or can't be built here: litellm's own wire then says why."""
        if loaded() is None or not self._serves(call):
            return None
        try:
            if self._requests is None:
                self._requests = Requests(import_module(_PIECES), stand_in_key=self._stand_in_key)
            return self._requests.draft(call)
        except Exception:  # noqa: BLE001 - as the docstring says
            return None

    async def _answer(self, draft: Draft, exchange: LeanExchange) -> Brought:
        """The whole answer, or the open stream, or the ProviderError."""
        EXCHANGE.set(
            cast(Exchange, exchange)
        )  # whatever litellm would look up or log within this task, it does not
        try:
            pool = await self._pools.get(self._open_pool)
            answer = await exchange.post(
                pool, draft.url, draft.body, headers=draft.headers, timeout_s=draft.timeout_s
            )
            if draft.call.stream and answer.status < 400:
                self._opened.add(exchange)
                return await self._stream(draft, answer, exchange)
            body = await answer.read()
            try:
                return read_reply(draft, answer, body)
            except Exception:
                exchange.body = body.decode("utf-8", "replace")
                raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the port raises ProviderError
            return failed(error, exchange, draft.call)

    async def _stream(self, draft: Draft, answer: LeanAnswer, exchange: LeanExchange) -> WireStream:
        if draft.route.reading.streamed:
            return LeanStream(draft, answer, exchange)
        wrapper = draft.route.reading.wrapper(
            lines_of(answer.pieces()),
            answer.headers,
            json_mode=draft.json_mode,
            optional_params=draft.params,
            litellm_params=draft.litellm_params,
        )
        return await LitellmStream(draft.call, wrapper, exchange, copy_context()).open()

    async def _advance(self, stream: LeanStream) -> Brought:
        EXCHANGE.set(cast(Exchange, stream.exchange))
        try:
            return await stream.advance() or ended_early(stream.exchange, target=stream.call.target)
        except Exception as error:  # noqa: BLE001 - as in _answer
            stream.ended = True
            return failed(error, stream.exchange, stream.call)

    def _open_pool(self) -> LeanPool:
        if self._open_wire is not None:
            return HttpxPool(self._open_wire())
        return AiohttpPool(import_module(_PIECES).tls())
