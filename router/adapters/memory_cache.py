"""The cache of one process: bounded, least recently used goes first, gone when the process ends."""

import os
from collections import OrderedDict
from threading import Lock

from router.ports import CacheEntry


class MemoryCache:
    """A Cache in memory, for tests and where no folder is wanted. Never suspends, never raises StoreError.

    `max_bytes` bounds the bodies and keys; an entry larger than a quarter of it is not kept. `ttl_s` is not
    needed to forget (the bounds do that), except that an entry without any time to live is not kept.
    A forked child starts empty.
    """

    suspends = False

    def __init__(self, *, max_entries: int = 10_000, max_bytes: int = 64 * 2**20) -> None:
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._start()

    def __repr__(self) -> str:
        return f"MemoryCache(max_entries={self._max_entries}, max_bytes={self._max_bytes})"

    async def get(self, key: str) -> CacheEntry | None:
        self._after_fork()
        with self._lock:
            entry = self._entries.get(key)
            if entry is not None:
                self._entries.move_to_end(key)
            return entry

    async def put(self, key: str, entry: CacheEntry, *, ttl_s: float) -> None:
        self._after_fork()
        size = _size(key, entry)
        with self._lock:
            self._drop(key)
            if not ttl_s > 0 or size > self._max_bytes // 4:
                return
            self._entries[key] = entry
            self._bytes += size
            while self._bytes > self._max_bytes or len(self._entries) > self._max_entries:
                self._drop(next(iter(self._entries)))

    async def aclose(self) -> None:
        """Forgets everything."""
        self._start()

    def _start(self) -> None:
        self._pid = os.getpid()
        self._lock = Lock()
        self._entries: OrderedDict[str, CacheEntry] = OrderedDict()
        self._bytes = 0

    def _after_fork(self) -> None:
        # Another thread of the parent may have held the lock, or been halfway through a change, at the fork.
        if self._pid != os.getpid():
            self._start()

    def _drop(self, key: str) -> None:
        dropped = self._entries.pop(key, None)
        if dropped is not None:
            self._bytes -= _size(key, dropped)


def _size(key: str, entry: CacheEntry) -> int:
    return len(key) + len(entry.body)
