"""The cache on disk: answers in one folder, shared by the processes of a machine, never pickled."""

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, TypeVar

from router.adapters.cache_frames import framed, require_hex, unframed
from router.adapters.forks import watch_forks
from router.errors import StoreError
from router.ports import CacheEntry

if TYPE_CHECKING:  # brings in diskcache: imported on first use
    from router.adapters.disk_store import RowStore

T = TypeVar("T")

LEAST_BYTES = 2**20
THREAD_WAIT_S = 0.1
"""How long a thread waits for the others of its process, each of which takes microseconds, or a busy wait."""
FORK_WAIT_S = 1.0

# ValueError and TypeError: a table that is not what diskcache made (say, a key in two rows) does not unpack.
FAULTS = (sqlite3.Error, OSError, ValueError, TypeError)


class DiskCache:
    """A Cache in a folder. Does not suspend; waits for another process at most a few milliseconds, then StoreError.

    Opened on first use, and again after a fork or a fault. Entries leave by age of `ttl_s`, then the oldest first when
    the folder holds more than `size_limit_bytes`; one larger than an eighth of that is not kept. The folder is made
    private (0700, its files 0600). Whoever can write into the folder can change answers, but runs no code by it.
    """

    suspends = False

    def __init__(self, folder: str | os.PathLike[str], *, size_limit_bytes: int = 256 * 2**20) -> None:
        if size_limit_bytes < LEAST_BYTES:
            raise ValueError(f"a disk cache needs at least {LEAST_BYTES} bytes, not `{size_limit_bytes}`")
        self._folder = Path(folder).absolute()
        self._size_limit_bytes = size_limit_bytes
        self._lock = Lock()
        self._store: RowStore | None = None
        self._pid = os.getpid()
        self._held_for_fork = False
        watch_forks(self)

    def __repr__(self) -> str:
        return f"DiskCache({str(self._folder)!r}, size_limit_bytes={self._size_limit_bytes})"

    async def get(self, key: str) -> CacheEntry | None:
        require_hex(key)
        record = self._ask(lambda store: store.read_row(key))
        return None if record is None else unframed(key, record)

    async def put(self, key: str, entry: CacheEntry, *, ttl_s: float) -> None:
        require_hex(key)
        if not ttl_s > 0 or len(entry.body) > self._size_limit_bytes // 8:
            self._ask(lambda store: store.delete_row(key))
            return
        record = framed(key, entry)
        self._ask(lambda store: store.write_row(key, record, expire_s=ttl_s))

    async def aclose(self) -> None:
        """Free the file. A later use opens it again."""
        self._take_lock()
        try:
            self._let_go()
        finally:
            self._lock.release()

    def _ask(self, ask: Callable[["RowStore"], T]) -> T:
        self._take_lock()
        try:
            # Not `or`: an empty store is false.
            return ask(self._open() if self._store is None else self._store)
        except FAULTS as error:
            if not _is_busy(error):
                self._let_go()  # the next use begins anew: the file may have been repaired
            raise self._failed(error) from error
        except BaseException:  # an interrupt in the middle: no lock on the file may stay behind
            self._let_go()
            raise
        finally:
            self._lock.release()

    def _take_lock(self) -> None:
        if self._pid != os.getpid():
            self._after_unseen_fork()
        if not self._lock.acquire(timeout=THREAD_WAIT_S):
            raise self._failed(TimeoutError("other threads keep it busy"))

    def before_fork(self) -> None:
        """A connection carried over a fork makes SQLite in the child believe that it holds the parent's file locks.

        So it is closed before, and each side opens its own at its next use. The lock is held until the fork is done:
        no thread may open in between. The bound is for a fork from a signal handler that interrupted a use.
        """
        if self._lock.acquire(timeout=FORK_WAIT_S):
            self._held_for_fork = True
            self._let_go()

    def after_fork(self) -> None:
        if self._held_for_fork:
            self._held_for_fork, self._pid = False, os.getpid()
            self._lock.release()

    def _after_unseen_fork(self) -> None:
        """A fork from C, without Python's hooks. A connection that nobody used can be closed here; others can't."""
        if self._lock.locked():
            raise self._failed(OSError("this process was forked while another thread used it"))
        self._pid = os.getpid()
        self._let_go()

    def _open(self) -> "RowStore":
        from router.adapters.disk_store import RowStore

        self._store = RowStore(self._folder, size_limit_bytes=self._size_limit_bytes)
        return self._store

    def _let_go(self) -> None:
        store, self._store = self._store, None
        if store is not None:
            store.close()

    def _failed(self, error: Exception) -> StoreError:
        return StoreError(
            f"the cache in `{self._folder}` could not answer: {error}",
            port="cache",
            help="no answer is served from it meanwhile; if it stays so, name another folder, or delete this one "
            "while no process uses it",
        )


def _is_busy(error: Exception) -> bool:
    return isinstance(error, sqlite3.OperationalError) and "locked" in str(error)
