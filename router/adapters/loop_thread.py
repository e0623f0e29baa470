"""An asynchronous Transport in the form that its router needs: as it is, or driven on one private loop thread.

The thread is a daemon, made on first use. A forked child has no copy of it: the child makes its own thread and its own
transport, and leaves the parent's sockets alone (closing them here would touch the parent's selector).
"""

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any, TypeVar, cast
from weakref import finalize

from router.adapters.errand import Errand, any_done
from router.ports import Pending, Realm, Transport, WireCall, WireChunk, WireReply, WireStream

T = TypeVar("T")

_FAREWELL_S = 2.0


class LoopThread:
    """One event loop on one daemon thread, from construction until `stop` or the end of the process."""

    def __init__(self, name: str, *, farewell: Callable[[], Awaitable[None]]) -> None:
        self._works = _Works()
        thread = threading.Thread(target=self._works.run, name=name, daemon=True)
        thread.start()
        self.stop = finalize(self, _stop, self._works, thread, os.getpid(), farewell)
        """Run `farewell` on the loop, then end the thread. Idempotent; also called when nobody refers to this."""

    def submit(self, work: Coroutine[Any, Any, T]) -> Errand[T]:
        """Run `work` on the loop; returns at once. Works are begun in the order of submission.

        RuntimeError is raised here once the thread has stopped, and is the outcome of what `stop` cuts off.
        """
        return self._works.submit(work)


class _Works:
    """The loop and what runs on it. Apart from LoopThread, so that the thread does not keep that one alive."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._begun: set[asyncio.Task[Any]] = set()
        self._door = threading.Lock()
        self._ended = False
        self.stopping = False

    def submit(self, work: Coroutine[Any, Any, T]) -> Errand[T]:
        errand: Errand[T] = Errand()
        with self._door:
            if self._ended:
                work.close()
                raise RuntimeError("the loop thread has been stopped")
            self.loop.call_soon_threadsafe(self._begin, work, errand, threading.current_thread())
        return errand

    def run(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_forever()
        finally:
            with self._door:  # whatever was submitted is on the loop by now
                self._ended = True
            self.loop.run_until_complete(self._cut_off())
            self.loop.run_until_complete(self.loop.shutdown_asyncgens())
            self.loop.close()

    async def _cut_off(self) -> None:
        await asyncio.sleep(0)
        while left := asyncio.all_tasks() - {asyncio.current_task()}:
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)

    def _begin(self, work: Coroutine[Any, Any, T], errand: Errand[T], asker: threading.Thread) -> None:
        task = self.loop.create_task(work)
        self._begun.add(task)
        task.add_done_callback(lambda done: self._tell(done, errand, asker))

    def _tell(self, done: "asyncio.Task[T]", errand: Errand[T], asker: threading.Thread) -> None:
        self._begun.discard(done)
        if self.stopping and asker.daemon and not threading.main_thread().is_alive():
            return  # the process ends, and the asker with it: woken, it could only print that it was cut off
        error = RuntimeError("cut off: the loop thread was stopped") if done.cancelled() else done.exception()
        if error is None:
            errand.end(done.result())
        else:
            errand.end(error=error)


def _stop(works: _Works, thread: threading.Thread, pid: int, farewell: Callable[[], Awaitable[None]]) -> None:
    if os.getpid() != pid:  # a forked child: the thread is the parent's
        return

    async def end() -> None:
        works.stopping = True
        with suppress(Exception):  # the process or the router is ending: there is nobody to tell
            await asyncio.wait_for(_awaited(farewell), _FAREWELL_S)
        works.loop.stop()

    with suppress(RuntimeError):  # stopped already, or collected by the garbage collector on this very thread
        works.submit(end())
        thread.join(2 * _FAREWELL_S)


async def _awaited(farewell: Callable[[], Awaitable[None]]) -> None:
    await farewell()


class ThreadPending:
    """A Pending of the blocking form: the inner one, once the loop has begun it, and an errand that ends with it.

    `whole`: its result is all there is, so nothing of it is left on the wire once the errand has ended.
    """

    __slots__ = ("errand", "inner", "owner", "thread", "whole")

    def __init__(self, owner: Transport, thread: LoopThread, *, whole: bool) -> None:
        self.owner = owner
        self.thread = thread
        self.whole = whole
        self.inner: Pending | None = None
        self.errand: Errand[None] = Errand()


class _Side:
    """What one process has of a threaded transport: a transport of its own, and the thread that drives it."""

    def __init__(self, make: Callable[[], Transport]) -> None:
        self.transport = make()
        self.running: LoopThread | None = None
        self.is_ready = False
        self._making = threading.Lock()

    def thread(self) -> LoopThread:
        with self._making:
            if self.running is None:
                self.running = LoopThread("router-wire", farewell=self.transport.aclose)
            return self.running

    def stop(self) -> None:
        with self._making:
            thread, self.running = self.running, None
        if thread is not None:
            thread.stop()


class ThreadedTransport:
    """The blocking form of the transport that `make` makes: its coroutines never suspend, they block their thread.

    `aclose` cuts off what is under way in other threads: their `wait` returns, and `result` raises RuntimeError.
    """

    suspends = False

    def __init__(self, make: Callable[[], Transport]) -> None:
        self._make = make
        self._sides = {os.getpid(): _Side(make)}

    @property
    def needs_keys(self) -> bool:
        return self._here().transport.needs_keys

    @property
    def realm(self) -> Realm:
        return self._here().transport.realm

    async def ready(self, timeout_s: float) -> bool:
        side = self._here()
        if not side.is_ready:  # asked once: every question to the loop costs two switches of threads
            side.is_ready = side.thread().submit(side.transport.ready(timeout_s)).result()
        return side.is_ready

    def start(self, call: WireCall) -> ThreadPending:
        side = self._here()
        return self._launch(side, lambda: side.transport.start(call), whole=not call.stream)

    def next(self, stream: WireStream) -> ThreadPending:
        side = self._here()
        return self._launch(side, lambda: side.transport.next(stream), whole=False)

    async def wait(self, pendings: Sequence[Pending], timeout_s: float) -> Pending | None:
        mine = cast(Sequence[ThreadPending], pendings)
        any_done([pending.errand for pending in mine], timeout_s)
        return next((pending for pending in mine if pending.errand.done), None)

    def result(self, pending: Pending) -> WireReply | WireStream | WireChunk:
        mine = cast(ThreadPending, pending)
        if not mine.errand.done or mine.inner is None:
            raise RuntimeError("this pending call has no result: it is still under way or was cancelled")
        mine.errand.result()
        return mine.owner.result(mine.inner)

    def sent(self, pending: Pending) -> bool:
        mine = cast(ThreadPending, pending)
        return mine.inner is not None and mine.owner.sent(mine.inner)

    async def cancel(self, pending: Pending) -> None:
        mine = cast(ThreadPending, pending)
        left = not (mine.whole and mine.errand.done)
        if left and mine.thread is self._here().running:  # else it ended with its thread, or is the parent's
            _unless_stopped(mine.thread, _cancel(mine))

    async def close(self, stream: WireStream) -> None:
        side = self._here()
        if side.running is not None:
            _unless_stopped(side.running, side.transport.close(stream))

    async def aclose(self) -> None:
        self._here().stop()

    def _launch(self, side: _Side, begin: Callable[[], Pending], *, whole: bool) -> ThreadPending:
        thread = side.thread()
        pending = ThreadPending(side.transport, thread, whole=whole)
        try:
            pending.errand = thread.submit(_see_through(side.transport, begin, pending))
        except BaseException:  # interrupted while handing over: nobody else will ever cancel it
            _unless_stopped(thread, _cancel(pending))
            raise
        return pending

    def _here(self) -> _Side:
        """This process's own. Nothing here may close what a parent process still uses, so that stays as it is."""
        pid = os.getpid()
        return self._sides.get(pid) or self._sides.setdefault(pid, _Side(self._make))


def _unless_stopped(thread: LoopThread, work: Coroutine[Any, Any, None]) -> None:
    """Wait for `work` on the loop; a thread that has stopped left nothing to do."""
    with suppress(RuntimeError):
        thread.submit(work).result()


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
