"""Flights in the memory of one router, for threads and for the tasks of event loops."""

import os
import threading
from collections import OrderedDict, deque
from concurrent.futures import Future
from contextlib import suppress
from typing import TYPE_CHECKING

from router.values import Reply

if TYPE_CHECKING:
    import asyncio
    from asyncio import AbstractEventLoop
    from collections.abc import Callable

REMEMBERED = 10_000
"""Of so many keys it is known that an answer has just landed: no more calls are between their look at the cache and
their place in a flight."""

Word = Future[Reply | None]
"""What a call that waits is told: the answer, or None where it leads now."""


class _Group:
    """Those who are under way under one key, the one that leads not among them."""

    __slots__ = ("waiting",)

    def __init__(self) -> None:
        self.waiting: deque[_Seat] = deque()


class _Seat:
    """A Seat. What it is told is set once, under the lock of its flight, and heard outside it."""

    def __init__(
        self, flight: "_Flight", key: str, group: _Group, *, leads: bool, came_late: bool = False
    ) -> None:
        self._flight = flight
        self._key = key
        self._group = group
        self.word: Word = Future()
        self.leads = leads
        self.came_late = came_late
        if leads:
            self.word.set_result(None)

    async def landed(self, timeout_s: float) -> Reply | None:
        return await self._flight.hear(self.word, timeout_s)

    def land(self, reply: Reply) -> None:
        for seat in self._flight.ended(self._key, self._group):
            seat.word.set_result(reply)
        self.leads = False

    def leave(self) -> None:
        heir = self._flight.left(self._key, self._group, self)
        if heir is not None:
            heir.word.set_result(None)


class _Flight:
    def __init__(self) -> None:
        self._groups: dict[str, _Group] = {}
        self._lock = threading.Lock()
        self._pid = os.getpid()
        self._landed: OrderedDict[str, int] = OrderedDict()
        self.landings = 0

    def join(self, key: str, *, since: int) -> _Seat:
        with self._step():
            group = self._groups.get(key)
            if group is None:
                group = self._groups[key] = _Group()
                late = self._landed.get(key, 0) > since
                return _Seat(self, key, group, leads=True, came_late=late)
            return self._behind(key, group)

    def follow(self, key: str) -> _Seat | None:
        with self._step():
            group = self._groups.get(key)
            return self._behind(key, group) if group else None

    def _behind(self, key: str, group: _Group) -> _Seat:
        seat = _Seat(self, key, group, leads=False)
        group.waiting.append(seat)
        return seat

    def _step(self) -> threading.Lock:
        """The lock to hold. After a fork nobody is under way, and the old lock may have been held by a thread left
        behind."""
        if self._pid != os.getpid():
            self._groups, self._lock, self._pid = {}, threading.Lock(), os.getpid()
        return self._lock

    async def hear(self, word: Word, timeout_s: float) -> Reply | None:
        raise NotImplementedError

    def ended(self, key: str, group: _Group) -> list[_Seat]:
        """Those who waited; the flight is over."""
        with self._step():
            self.landings += 1
            self._landed[key] = self.landings
            self._landed.move_to_end(key)
            while len(self._landed) > REMEMBERED:
                self._landed.popitem(last=False)
            if self._groups.get(key) is group:
                del self._groups[key]
            waiting = list(group.waiting)
            group.waiting.clear()
            return waiting

    def left(self, key: str, group: _Group, seat: _Seat) -> _Seat | None:
        """Without `seat`; who leads in its place, where it led."""
        with self._step():
            if not seat.leads:
                if seat in group.waiting:
                    group.waiting.remove(seat)
                return None
            seat.leads = False
            if group.waiting:
                heir = group.waiting.popleft()
                heir.leads = True
                return heir
            if self._groups.get(key) is group:
                del self._groups[key]
            return None


class ThreadFlight(_Flight):
    """For threads: who waits blocks."""

    suspends = False

    async def hear(self, word: Word, timeout_s: float) -> Reply | None:
        return word.result(timeout_s)


class LoopFlight(_Flight):
    """For the tasks of event loops: who waits suspends."""

    suspends = True

    async def hear(self, word: Word, timeout_s: float) -> Reply | None:
        import asyncio

        if word.done():
            return word.result()
        loop = asyncio.get_running_loop()
        heard: asyncio.Future[None] = loop.create_future()
        word.add_done_callback(_teller(loop, heard))
        async with asyncio.timeout(timeout_s):
            await heard
        return word.result()


def _teller(loop: "AbstractEventLoop", heard: "asyncio.Future[None]") -> "Callable[[Word], None]":
    def tell() -> None:
        if not heard.done():
            heard.set_result(None)

    def told(_: Word) -> None:
        with suppress(RuntimeError):  # a loop that has ended: nobody waits on it any more
            loop.call_soon_threadsafe(tell)

    return told
