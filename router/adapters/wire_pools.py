"""Connection pools, one for each event loop that calls. A pool that the garbage collector finds open can only complain,
so each is closed in time: by `aclose`, when its loop ends, or when nobody refers to its owner any more."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from typing import Generic, Protocol, TypeVar
from weakref import WeakKeyDictionary, finalize, ref


class Pooled(Protocol):
    """Connections that are closed together."""

    async def aclose(self) -> None: ...


P = TypeVar("P", bound=Pooled)


class _Pool(Generic[P]):
    """One pool, closed once however many ask for it."""

    def __init__(self, wire: P) -> None:
        self.wire = wire
        self._closing: asyncio.Future[None] | None = None

    async def close(self) -> None:
        """Returns when it is closed, whoever began that."""
        if self._closing is None:
            self._closing = asyncio.ensure_future(self.wire.aclose())
        await asyncio.wait([self._closing])
        with suppress(Exception, asyncio.CancelledError):  # a socket that can't be closed is gone
            self._closing.result()

    async def until_loop_ends(self, owner: "ref[Wires[P]]") -> AsyncGenerator[None, None]:
        """Once begun, it is closed by asyncio at the end of the loop: the only word of it that anybody gets."""
        try:
            yield
        finally:
            wires = owner()
            if wires is not None:
                wires.forget(self)
            await self.close()


class Wires(Generic[P]):
    """The pools of one transport. Each method speaks of the running loop."""

    def __init__(self) -> None:
        self._pools: WeakKeyDictionary[
            asyncio.AbstractEventLoop, tuple[_Pool[P], finalize[..., Wires[P]]]
        ] = WeakKeyDictionary()

    async def get(self, make: Callable[[], P]) -> P:
        """The pool of this loop, made by the first who asks. Does not suspend."""
        loop = asyncio.get_running_loop()
        found = self._pools.get(loop)
        if found is None:
            pool = _Pool(make())
            watch = pool.until_loop_ends(ref(self))
            await anext(watch)
            unowned = finalize(self, _let_go, watch)
            unowned.atexit = False
            found = self._pools[loop] = pool, unowned
        return found[0].wire

    async def aclose(self) -> None:
        """Close the pool of this loop. Idempotent."""
        found = self._pools.get(asyncio.get_running_loop())
        if found is not None:
            self.forget(found[0])
            await found[0].close()

    def forget(self, pool: _Pool[P]) -> None:
        loop = asyncio.get_running_loop()
        found = self._pools.get(loop)
        if found is not None and found[0] is pool:
            del self._pools[loop]
            found[1].detach()


def _let_go(watch: AsyncGenerator[None, None]) -> None:
    """Until the owner has gone, `watch` is held from outside: the garbage collector takes it after the owner, never
    along with its open sockets, and asyncio has a generator that goes closed on its loop."""
