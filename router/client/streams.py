"""Streams as their readers have them: read to the end, or closed, or let go of.

A stream that nobody refers to any more is closed all the same: its money and its permit would else be held until their
lease ends.
"""

import threading
from collections.abc import Callable, Coroutine, Generator
from decimal import Decimal
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, Self
from weakref import WeakValueDictionary, finalize

from router.client.gate import Gate
from router.engine import Live, Replayed
from router.ports import WireChunk
from router.values import Chunk, Reply, Usage

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Task

Drive = Callable[[Coroutine[Any, Any, Any]], Any]
"""Runs a coroutine of the sync engine."""


class OpenStreams:
    """The streams of one router that have not ended, for when it is closed."""

    def __init__(self) -> None:
        self._lives: WeakValueDictionary[int, Live | Replayed] = WeakValueDictionary()
        self._closing: set[Task[None]] = set()  # a loop keeps no hold of its tasks

    def add(self, live: Live | Replayed) -> None:
        self._lives[id(live)] = live

    async def aclose(self) -> None:
        for known in self._lives.valuerefs():  # a copy: other threads may open streams meanwhile
            live = known()
            if live is not None:
                await live.close()

    def close_on(self, loop: "AbstractEventLoop", live: Live | Replayed) -> None:
        """Have its loop close a stream that was let go of; where that has ended, so have its sockets, and its row is
        left to its lease."""
        closing = live.close()
        try:
            loop.call_soon_threadsafe(self._begin, loop, closing)
        except RuntimeError:
            closing.close()

    def _begin(self, loop: "AbstractEventLoop", closing: Coroutine[Any, Any, None]) -> None:
        task = loop.create_task(closing)
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


class _Stream:
    """What both streams are: the engine's open stream, and what is known of it so far."""

    def __init__(self, live: Live | Replayed, gate: Gate, streams: OpenStreams) -> None:
        self._live = live
        self._gate = gate
        streams.add(live)

    @property
    def target(self) -> str:
        """Where the answer comes from: the target that came to its first content, `provider/model`."""
        return self._live.target

    @property
    def usage(self) -> Usage | None:
        """Known at the end of the stream; None before it, and for one that was closed early."""
        return self._live.reply.usage if self._live.reply else None

    @property
    def cost_usd(self) -> Decimal | None:
        """Known at the end of the stream, as `Reply.cost_usd`."""
        return self._live.reply.cost_usd if self._live.reply else None

    @property
    def partial(self) -> Any:
        """What has come so far of an answer that is JSON (of a `response_model`, say), as plain JSON values; None
        before the first. Nothing of it is checked, and its last text or number may go on: the answer is
        `reply().object`.

        It is parsed whenever it is asked for.
        """
        from router.adapters.objects import begun

        return begun(self._live.begun)

    def _whole(self) -> Reply:
        assert self._live.reply is not None  # noqa: S101 - nothing but its end ends the reading without an error
        return self._live.reply


class Stream(_Stream):
    """An answer as it comes. Iterate over it, within `with`: leaving that, or `close`, ends it.

    >>> with router.stream("Count to ten", policy="cheap-fast", tenant="acme/search", user="ann") as stream:
    ...     for chunk in stream:
    ...         print(chunk.text, end="")

    Raises StreamBroken while it is read, where the provider's stream ends without its end mark, and where it is read on
    after that or after `close`: only a whole answer comes to an end. What came is in `received`. One thread reads it.
    """

    def __init__(self, live: Live | Replayed, gate: Gate, streams: OpenStreams, drive: Drive) -> None:
        super().__init__(live, gate, streams)
        self._drive = drive
        self._let_go = finalize(self, _close_aside, live, drive)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Chunk:
        with self._gate:
            chunk: WireChunk | None = self._drive(self._live.advance())
        if chunk is None:
            self._let_go.detach()
            raise StopIteration
        return _chunk(chunk)

    def reply(self) -> Reply:
        """The whole answer; what has not been read of it is read first. Raises StreamBroken."""
        for _ in self:
            pass
        return self._whole()

    def close(self) -> None:
        """Read no further: the socket is closed, and the attempt settled at what it may have cost. Idempotent."""
        self._let_go.detach()
        self._drive(self._live.close())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncStream(_Stream):
    """As `Stream`, for `async for` and `async with`. One task reads it."""

    def __init__(self, live: Live | Replayed, gate: Gate, streams: OpenStreams) -> None:
        import asyncio

        super().__init__(live, gate, streams)
        self._let_go = finalize(self, streams.close_on, asyncio.get_running_loop(), live)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Chunk:
        with self._gate:
            chunk = await self._live.advance()
        if chunk is None:
            self._let_go.detach()
            raise StopAsyncIteration
        return _chunk(chunk)

    async def reply(self) -> Reply:
        """As `Stream.reply`."""
        async for _ in self:
            pass
        return self._whole()

    async def close(self) -> None:
        """As `Stream.close`."""
        self._let_go.detach()
        await self._live.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


class Opening:
    """A stream that is about to be opened: `stream = await opening`, or `async with opening as stream`."""

    def __init__(self, opening: Coroutine[Any, Any, AsyncStream]) -> None:
        self._opening = opening
        self._stream: AsyncStream | None = None

    def __await__(self) -> Generator[Any, None, AsyncStream]:
        return self._opening.__await__()

    def __aiter__(self) -> NoReturn:
        """Read before it is opened there would be nobody to close it."""
        self._opening.close()
        raise TypeError(
            "a stream is opened before it is read: write `async with ... as stream`, or `await` it"
        )

    async def __aenter__(self) -> AsyncStream:
        self._stream = await self._opening
        return self._stream

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._stream is not None:
            await self._stream.close()


def _chunk(chunk: WireChunk) -> Chunk:
    return Chunk(
        raw=chunk.delta,
        index=chunk.index,
        finish_reason=chunk.finish_reason,
        logprobs=chunk.logprobs,
    )


def _close_aside(live: Live | Replayed, drive: Drive) -> None:
    """Let go of: the garbage collector may be at work inside a step of a store, which closing would wait for."""
    thread = threading.Thread(target=lambda: drive(live.close()), name="router-close", daemon=True)
    try:
        thread.start()
    except RuntimeError:  # the interpreter ends, and no thread begins any more
        drive(live.close())
