"""Clocks: the real one for sync and async callers, and one that stands still until it is told."""

import time
from heapq import heappop, heappush
from threading import Lock


class SystemClock:
    """Real time for sync callers: `sleep` blocks the thread."""

    suspends = False

    def now_s(self) -> float:
        return time.time()

    def mono_s(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        time.sleep(max(0.0, seconds))


class AsyncClock(SystemClock):
    """Real time for callers in an event loop."""

    suspends = True

    async def sleep(self, seconds: float) -> None:
        from asyncio import sleep

        await sleep(max(0.0, seconds))


class ManualClock:
    """Time that only moves when slept on or advanced; thread-safe. It begins at `now_s`, by default 2026-01-01 UTC.

    `set_now` moves the wall clock alone, as an administrator would.
    """

    suspends = False

    def __init__(self, now_s: float = 1_767_225_600.0) -> None:
        self._lock = Lock()
        self._elapsed_s = 0.0
        self._began_s = now_s

    def now_s(self) -> float:
        return self._began_s + self._elapsed_s

    def mono_s(self) -> float:
        return self._elapsed_s

    def advance(self, seconds: float) -> None:
        """Raises ValueError for a negative step: `set_now` is for that."""
        if seconds < 0:
            raise ValueError(f"time can't advance by `{seconds}` s")
        with self._lock:
            self._elapsed_s += seconds

    def set_now(self, now_s: float) -> None:
        with self._lock:
            self._began_s = now_s - self._elapsed_s

    async def sleep(self, seconds: float) -> None:
        self.advance(max(0.0, seconds))


class AsyncManualClock(ManualClock):
    """Manual time for one event loop: sleepers wake in the order they are due, and time moves to the first one due
    once every other task has had its turn."""

    suspends = True

    def __init__(self, now_s: float = 1_767_225_600.0) -> None:
        super().__init__(now_s)
        self._due_s: list[float] = []

    async def sleep(self, seconds: float) -> None:
        from asyncio import sleep

        due_s = self.mono_s() + max(0.0, seconds)
        heappush(self._due_s, due_s)
        try:
            await sleep(0)
            while self.mono_s() < due_s:
                if self._due_s[0] == due_s:
                    self._reach(due_s)
                else:
                    await sleep(0)
        finally:
            self._forget(due_s)

    def _reach(self, mono_s: float) -> None:
        with self._lock:
            self._elapsed_s = max(self._elapsed_s, mono_s)

    def _forget(self, due_s: float) -> None:
        if self._due_s[0] == due_s:
            heappop(self._due_s)
        else:  # cancelled before its turn
            self._due_s.remove(due_s)
            self._due_s.sort()
