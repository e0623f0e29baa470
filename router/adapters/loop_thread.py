"""An asynchronous Transport in the form that its router needs: as it is, or driven on one private loop thread.

The thread is a daemon, made on first use. A forked child has no copy of it: the child makes its own thread and its own
transport, and leaves the parent's sockets alone (closing them here would touch the parent's selector).
"""

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from concurrent import futures
from contextlib import suppress
from typing import Any, TypeVar, cast
from weakref import finalize

from router.ports import Pending, Realm, Transport, WireCall, WireChunk, WireReply, WireStream

T = TypeVar("T")

_FAREWELL_S = 2.0


class LoopThread:
    """One event loop on one daemon thread, from construction until `stop` or the end of the process."""

    def __init__(self, name: str, *, farewell: Callable[[], Awaitable[None]]) -> None:
        self.pid = os.getpid()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=_run, args=(self._loop,), name=name, daemon=True)
        self._thread.start()
        self.stop = finalize(self, _stop, self._loop, self._thread, self.pid, farewell)
        """Run `farewell` on the loop, then end the thread. Idempotent; also called when nobody refers to this."""

    def submit(self, work: Coroutine[Any, Any, T]) -> "futures.Future[T]":
        """Run `work` on the loop; returns at once. Works are begun in the order of submission."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)


def _run(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


def _stop(
    loop: asyncio.AbstractEventLoop,
    thread: threading.Thread,
    pid: int,
    farewell: Callable[[], Awaitable[None]],
) -> None:
    if os.getpid() != pid or loop.is_closed():  # a forked child: the thread is the parent's
        return

    async def end() -> None:
        with suppress(Exception):  # the process or the router is ending: there is nobody to tell
            await asyncio.wait_for(_awaited(farewell), _FAREWELL_S)
        loop.stop()

    with suppress(RuntimeError):  # the loop was closed in between
        asyncio.run_coroutine_threadsafe(end(), loop)
        thread.join(2 * _FAREWELL_S)


async def _awaited(farewell: Callable[[], Awaitable[None]]) -> None:
    await farewell()


class ThreadPending:
    """A Pending of the blocking form: the inner one, once the loop has begun it, and a future that ends with it.

    `whole`: its result is all there is, so nothing of it is left on the wire once the future has ended.
    """

    __slots__ = ("future", "inner", "owner", "whole")

    def __init__(self, owner: Transport, *, whole: bool) -> None:
        self.owner = owner
        self.whole = whole
        self.inner: Pending | None = None
        self.future: futures.Future[None] = futures.Future()


class ThreadedTransport:
    """The blocking form of the transport that `make` makes: its coroutines never suspend, they block their thread."""

    suspends = False

    def __init__(self, make: Callable[[], Transport]) -> None:
        self._make = make
        self._inner = make()
        self._thread: LoopThread | None = None
        self._making = threading.Lock()
        self._ready: Transport | None = None
        self._of_the_parent: list[Any] = []

    @property
    def needs_keys(self) -> bool:
        return self._inner.needs_keys

    @property
    def realm(self) -> Realm:
        return self._inner.realm

    async def ready(self, timeout_s: float) -> bool:
        inner = self._here()
        if self._ready is not inner and self._run(inner.ready(timeout_s)):
            self._ready = inner  # asked once: every question to the loop costs two switches of threads
        return self._ready is inner

    def start(self, call: WireCall) -> ThreadPending:
        inner = self._here()
        return self._launch(inner, lambda: inner.start(call), whole=not call.stream)

    def next(self, stream: WireStream) -> ThreadPending:
        inner = self._here()
        return self._launch(inner, lambda: inner.next(stream), whole=False)

    async def wait(self, pendings: Sequence[Pending], timeout_s: float) -> Pending | None:
        mine = cast(Sequence[ThreadPending], pendings)
        if not any(pending.future.done() for pending in mine):
            waited = [pending.future for pending in mine]
            futures.wait(waited, max(0.0, timeout_s), futures.FIRST_COMPLETED)
        return next((pending for pending in mine if pending.future.done()), None)

    def result(self, pending: Pending) -> WireReply | WireStream | WireChunk:
        mine = cast(ThreadPending, pending)
        if not mine.future.done() or mine.inner is None:
            raise RuntimeError("this pending call has no result: it is still under way or was cancelled")
        mine.future.result()
        return mine.owner.result(mine.inner)

    def sent(self, pending: Pending) -> bool:
        mine = cast(ThreadPending, pending)
        return mine.inner is not None and mine.owner.sent(mine.inner)

    async def cancel(self, pending: Pending) -> None:
        mine = cast(ThreadPending, pending)
        left = not (mine.whole and mine.future.done())
        if left and mine.owner is self._here():  # else it went with the parent process
            self._run(_cancel(mine))

    async def close(self, stream: WireStream) -> None:
        self._run(self._here().close(stream))

    async def aclose(self) -> None:
        thread, self._thread = self._thread, None
        if thread is not None and thread.pid == os.getpid():
            thread.stop()

    def _launch(self, inner: Transport, begin: Callable[[], Pending], *, whole: bool) -> ThreadPending:
        pending = ThreadPending(inner, whole=whole)
        pending.future = self._loop_thread().submit(_see_through(inner, begin, pending))
        return pending

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._loop_thread().submit(work).result()

    def _here(self) -> Transport:
        """The transport of this process."""
        self._loop_thread()
        return self._inner

    def _loop_thread(self) -> LoopThread:
        thread = self._thread
        if thread is not None and thread.pid == os.getpid():
            return thread
        if thread is not None:
            self._leave_to_the_parent(thread)
        with self._making:
            if self._thread is None:
                self._thread = LoopThread("router-wire", farewell=self._inner.aclose)
            return self._thread

    def _leave_to_the_parent(self, thread: LoopThread) -> None:
        """After a fork, in the child's first use: nothing here may close what the parent still uses."""
        self._of_the_parent.append((thread, self._inner))
        self._inner = self._make()
        self._making = threading.Lock()  # the copy may be held by a thread that only the parent has
        self._thread = None


async def _see_through(inner: Transport, begin: Callable[[], Pending], pending: ThreadPending) -> None:
    pending.inner = begun = begin()
    while await inner.wait([begun], 3600.0) is None:
        pass
    if pending.whole:
        await inner.cancel(begun)  # here, while the loop is at it: the caller's own need not come


async def _cancel(pending: ThreadPending) -> None:
    if pending.inner is not None:
        await pending.owner.cancel(pending.inner)


class EitherTransport:
    """The transport that `make` makes, in the form that `suspends` asks for."""

    def __init__(self, make: Callable[[], Transport], *, suspends: bool) -> None:
        self._form: Transport = make() if suspends else ThreadedTransport(make)

    @property
    def suspends(self) -> bool:
        return self._form.suspends

    @property
    def needs_keys(self) -> bool:
        return self._form.needs_keys

    @property
    def realm(self) -> Realm:
        return self._form.realm

    async def ready(self, timeout_s: float) -> bool:
        return await self._form.ready(timeout_s)

    def start(self, call: WireCall) -> Pending:
        return self._form.start(call)

    async def wait(self, pendings: Sequence[Pending], timeout_s: float) -> Pending | None:
        return await self._form.wait(pendings, timeout_s)

    def result(self, pending: Pending) -> WireReply | WireStream | WireChunk:
        return self._form.result(pending)

    def sent(self, pending: Pending) -> bool:
        return self._form.sent(pending)

    async def cancel(self, pending: Pending) -> None:
        await self._form.cancel(pending)

    def next(self, stream: WireStream) -> Pending:
        return self._form.next(stream)

    async def close(self, stream: WireStream) -> None:
        await self._form.close(stream)

    async def aclose(self) -> None:
        await self._form.aclose()
