"""`Router` and `AsyncRouter`.

Both run the same engine. `Router` drives it inline over ports that never suspend, so it needs no event loop of its own
and works inside a running one (a notebook); `AsyncRouter` awaits it. Either may be shared: by threads, by tasks.
"""

from collections.abc import Mapping, Sequence
from os import PathLike
from types import TracebackType
from typing import Any, Literal, Self, Unpack, overload

from router.client.arguments import ARGUMENTS, CallArguments, StreamArguments
from router.client.assembly import build_ports, load_plan, warn_of_unused_state
from router.client.bookkeeping import AsyncBookkeeping, Bookkeeping, Books
from router.client.calls import build_request, unanswered
from router.client.gate import Gate
from router.client.healing import AsyncHealing, Healing
from router.client.inline import run_inline
from router.client.keeping import AsyncKeeping, Keeping
from router.client.streams import AsyncStream, Opening, OpenStreams, Stream
from router.engine import Ports, execute, open_stream
from router.errors import Problem, RequestError, RouterError
from router.events import Sink
from router.plan import Plan
from router.ports import Clock, Transport
from router.values import Message, Reply, Request

Policies = str | PathLike[str] | Mapping[str, Any] | Plan
"""A folder of YAML files, one file, the same content as a mapping, or a plan that was made before."""

CLOSING_S = 5.0
"""How long `close` waits for calls that are under way to notice."""

WARM_S = 60.0
"""How long `warm` waits: many times what the wire library takes on an idle machine."""


class _Opened(Books):
    """What both routers are: a plan, its warnings, and the ports it runs over."""

    def __init__(self, plan: Plan, warnings: tuple[Problem, ...], ports: Ports) -> None:
        self.plan = plan
        self.warnings = warnings
        self.ports = ports
        self._gate = Gate()
        self._streams = OpenStreams()

    @classmethod
    def _open(
        cls, policies: Policies, *, suspends: bool, sinks: Sequence[Sink], frozen: bool, **choices: Any
    ) -> Self:
        plan, warnings = load_plan(policies, frozen=frozen)
        if choices.get("state") is None:
            warn_of_unused_state(plan)
        return cls(plan, warnings, build_ports(plan, suspends=suspends, sinks=tuple(sinks), **choices))

    def _request(
        self, messages: str | Sequence[Message], arguments: Mapping[str, Any], *, stream: bool
    ) -> Request:
        own = {name: value for name, value in arguments.items() if name in ARGUMENTS}
        params = {name: value for name, value in arguments.items() if name not in ARGUMENTS}
        return build_request(self.plan, self.ports.draw.id(), messages, params=params, stream=stream, **own)

    async def _answer(self, request: Request, *, raise_errors: bool) -> Reply:
        """Answered, or refused or failed: as an error, or told in a reply. A wrong call is an error always."""
        try:
            return await execute(self.plan, self.ports, request)
        except RouterError as error:
            if raise_errors or isinstance(error, RequestError):
                raise
            return unanswered(request, error, now_s=self.ports.clock.now_s())

    async def _free(self) -> None:
        self._gate.closed = True
        await self._streams.aclose()
        await self._end_calls()
        await self._streams.aclose()  # those that calls under way had just opened
        await self.ports.ledger.aclose()
        await self.ports.limiter.aclose()
        await self.ports.health.aclose()
        await self.ports.cache.aclose()

    async def _end_calls(self) -> None:
        """Cut off what is on the wire until no call is left: one may just have gone on to its next attempt."""
        clock = self.ports.clock
        ends_s = clock.mono_s() + CLOSING_S
        await self.ports.transport.aclose()
        while self._gate.is_busy and clock.mono_s() < ends_s:
            await clock.sleep(0.01)
            await self.ports.transport.aclose()


class Router(_Opened, Bookkeeping, Keeping, Healing):
    """The sync router.

    >>> with Router.open("policies", transport="fake") as router:
    ...     reply = router.complete(policy="cheap-fast", tenant="acme/search", user="ann", messages="Hello")
    """

    @classmethod
    def open(
        cls,
        policies: Policies,
        *,
        state: str | None = None,
        cache: str | PathLike[str] | None = None,
        transport: Transport | str | None = None,
        clock: Clock | None = None,
        sinks: Sequence[Sink] = (),
        frozen: bool = False,
    ) -> "Router":
        """Check and compile `policies`, and make a router of them. Raises PolicyError with every problem.

        `state`: `memory`, `sqlite:///FILE` or `redis://HOST:PORT`; default: `settings.state`, then ROUTER_STATE, then
        `.router/state.db` beside the policies folder (memory where `policies` is a mapping). `cache`: a folder, such an
        address, or `memory`; default `settings.cache`, then `.router/cache`. Made-up and replayed answers keep theirs
        apart; only a file or folder in an argument is taken as it is. `transport`: `litellm`, `fake`, `cassette:PATH`,
        or a Transport; default ROUTER_TRANSPORT, then litellm. `clock` is for tests. `frozen`: only as `router.lock`,
        in the folder of the policies, says; anything that differs from it is a problem.
        """
        return cls._open(
            policies,
            suspends=False,
            state=state,
            cache=cache,
            transport=transport,
            clock=clock,
            sinks=sinks,
            frozen=frozen,
        )

    @overload
    def complete(
        self,
        /,
        messages: str | Sequence[Message],
        *,
        stream: Literal[True],
        **arguments: Unpack[StreamArguments],
    ) -> Stream: ...

    @overload
    def complete(
        self,
        /,
        messages: str | Sequence[Message],
        *,
        stream: Literal[False] = False,
        **arguments: Unpack[CallArguments],
    ) -> Reply: ...

    def complete(
        self,
        /,
        messages: str | Sequence[Message],
        *,
        stream: bool = False,
        **arguments: Unpack[CallArguments],
    ) -> Reply | Stream:
        """Answer `messages` by `policy`.

        What it may be told is listed in `router.client.arguments`: `policy`, `tenant` (or `team`), `user`, `session`,
        `tags`, `prefer`, `only`, `timeout`, `response_model`, `raise_errors`, and parameters by OpenAI's names. With
        `stream=True` as `stream`.

        `response_model` is the form of the answer: `reply.object` has it, and a model whose answer has not is told
        what is wrong, as often as `retry.attempts` allows. Raises a RouterError (see `router.errors`); with
        `raise_errors=False` that is `reply.error`.
        """
        with self._gate:
            request = self._request(messages, arguments, stream=stream)
            if not stream:
                return run_inline(self._answer(request, raise_errors=arguments.get("raise_errors", True)))
            live = run_inline(open_stream(self.plan, self.ports, request))
            return Stream(live, self._gate, self._streams, run_inline)

    def stream(self, /, messages: str | Sequence[Message], **arguments: Unpack[StreamArguments]) -> Stream:
        """Answer `messages` as the answer comes; the arguments are those of `complete`.

        It returns at the first content (text, tool call, audio, refusal). Until then what fails is tried again or
        elsewhere, as for a whole answer; after it a stream that breaks raises StreamBroken where it is read. Raises as
        `complete`.
        """
        return self.complete(messages, stream=True, **arguments)

    def warm(self, timeout: float = WARM_S) -> bool:
        """Load now what the first call would load in its own time: the wire library takes seconds.

        True once it is there, False where `timeout` (in seconds) passed first; it is loaded to its end all the same.
        Raises ProviderError where it can't be loaded at all.
        """
        with self._gate:
            return run_inline(self.ports.transport.ready(timeout))

    def close(self) -> None:
        """Free connections, threads and files. Idempotent.

        Calls that are under way in other threads are cut off, and settled at their worst case; they and all later ones
        raise RequestError. A stream that is being read is closed, and raises StreamBroken there.
        """
        run_inline(self._free())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncRouter(_Opened, AsyncBookkeeping, AsyncKeeping, AsyncHealing):
    """The async router: the same methods as `Router`, awaited.

    >>> async with AsyncRouter.open("policies") as router:
    ...     reply = await router.complete(
    ...         policy="cheap-fast", tenant="acme/search", user="ann", messages="Hello"
    ...     )
    """

    @classmethod
    def open(
        cls,
        policies: Policies,
        *,
        state: str | None = None,
        cache: str | PathLike[str] | None = None,
        transport: Transport | str | None = None,
        clock: Clock | None = None,
        sinks: Sequence[Sink] = (),
        frozen: bool = False,
    ) -> "AsyncRouter":
        """As `Router.open`. It does not wait for anything, so it is not awaited."""
        return cls._open(
            policies,
            suspends=True,
            state=state,
            cache=cache,
            transport=transport,
            clock=clock,
            sinks=sinks,
            frozen=frozen,
        )

    @overload
    async def complete(
        self,
        /,
        messages: str | Sequence[Message],
        *,
        stream: Literal[True],
        **arguments: Unpack[StreamArguments],
    ) -> AsyncStream: ...

    @overload
    async def complete(
        self,
        /,
        messages: str | Sequence[Message],
        *,
        stream: Literal[False] = False,
        **arguments: Unpack[CallArguments],
    ) -> Reply: ...

    async def complete(
        self,
        /,
        messages: str | Sequence[Message],
        *,
        stream: bool = False,
        **arguments: Unpack[CallArguments],
    ) -> Reply | AsyncStream:
        """As `Router.complete`."""
        with self._gate:
            request = self._request(messages, arguments, stream=stream)
            if not stream:
                return await self._answer(request, raise_errors=arguments.get("raise_errors", True))
            live = await open_stream(self.plan, self.ports, request)
            return AsyncStream(live, self._gate, self._streams)

    def stream(self, /, messages: str | Sequence[Message], **arguments: Unpack[StreamArguments]) -> Opening:
        """As `Router.stream`: `async with router.stream(...) as stream`, or `stream = await router.stream(...)`."""
        return Opening(self.complete(messages, stream=True, **arguments))

    async def warm(self, timeout: float = WARM_S) -> bool:
        """As `Router.warm`; the loop goes on meanwhile."""
        with self._gate:
            return await self.ports.transport.ready(timeout)

    async def close(self) -> None:
        """As `Router.close`; the calls under way are those of other tasks."""
        await self._free()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
