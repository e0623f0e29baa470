"""One SQLite file for all ports of a state: its connection, its atomic steps, and what to do while it is busy."""

import os
import sqlite3
import time
from collections.abc import Callable, Coroutine
from math import inf
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

from router.adapters.forks import watch_forks
from router.adapters.outage import LOOK_S, Outage
from router.adapters.private_folder import make_private
from router.adapters.sqlite_schema import ForeignFile, prepare
from router.errors import StoreError
from router.ports import Clock, Draw

T = TypeVar("T")
Work = Callable[[sqlite3.Cursor], T]
Due = Callable[[sqlite3.Cursor, float], Work[object] | None]
"""What is due when the file is opened, at a wall-clock time: work for one transaction, or None."""

INLINE_S = 0.002  # how long a busy file is met by blocking: most transactions of others are over by then
PATIENCE_S = 2.0  # how long it may stand still, awaited
LONGEST_S = 20.0  # how long in all, where others' steps go on: less than the lease of what is reserved
STILL_S = 1.0  # standing still for so long, it is taken for held, also by whoever has no time to wait on
PAUSE_S = 0.004  # between two tries, plus as much again by chance

WRITES = "BEGIN IMMEDIATE"

BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL})
DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


class SqliteFile:
    """A file in WAL mode, opened on first use by each process, private (0600, in a folder 0700 where it made one).

    One connection under one lock: SQLite has one writer anyway. Measured with 1 to 4 threads it is as fast as a
    connection for each; with 8 it is slower by a third, and its worst wait is shorter. No connection crosses a fork.
    What was committed survives `kill -9`; with `full` it survives a power loss as well, at several times the cost.
    `due` looks for what each opening is to begin with: processes that died leave work to whoever opens it next.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        clock: Clock,
        draw: Draw,
        *,
        full: bool = False,
        due: Due | None = None,
    ) -> None:
        self.path = Path(path)
        self._clock = clock
        self._draw = draw
        self._full = full
        self._due = due
        self._is_due = False
        self._outage = Outage(clock)
        self._lock = Lock()
        self._pid = os.getpid()
        self._connection: sqlite3.Connection | None = None
        self._cursor: sqlite3.Cursor | None = None
        self._paused = False
        self.openings = 0
        """How often a connection was made: what was remembered of an earlier one may be of another file."""
        watch_forks(self)

    @property
    def suspends(self) -> bool:
        return self._clock.suspends

    # --- Steps ----------------------------------------------------------------------------------------------------

    async def step(
        self, port: str, work: Work[T], *, begin: str = WRITES, ending: bool = False, wait_s: float = inf
    ) -> T:
        """Run `work` in one transaction, or without one where `begin` is "" and it is a single statement.

        `work` may run again when the file was busy. One that is `ending` gives something back, so a cancelled caller
        still waits for it. Raises StoreError(port=...) when the file stands still, can't be used, or is damaged;
        nothing of this step is then kept. A file that is busy with the steps of others is waited for; nobody waits for
        longer than `wait_s`. Where somebody has just waited in vain, a busy file is a StoreError at once (see Outage).
        """
        try:
            return self._inline(port, work, begin, wait_s=0.0 if self._outage.is_on else INLINE_S)
        except _Busy:
            patience_s = LOOK_S if self._outage.must_look(port) else PATIENCE_S
        again = self._again(port, work, begin, patience_s, min(wait_s, LONGEST_S))
        return await (_to_its_end(again) if ending and self.suspends else again)

    async def _again(self, port: str, work: Work[T], begin: str, patience_s: float, most_s: float) -> T:
        began_s = moved_s = now_s = self._clock.mono_s()
        written = self._written()
        while now_s < min(moved_s + patience_s, began_s + most_s):
            await self._clock.sleep(min(PAUSE_S * (1 + self._draw.fraction()), began_s + most_s - now_s))
            try:
                return self._inline(port, work, begin)
            except _Busy:
                now_s, known, written = self._clock.mono_s(), written, self._written()
                if written != known:
                    moved_s = now_s
        error = self._was_busy(port, now_s - began_s, most_s)
        if now_s - moved_s >= min(patience_s, STILL_S):
            error = self._outage.failed(self._was_held(port, now_s - began_s), began_s)
        raise error

    def _was_held(self, port: str, waited_s: float) -> StoreError:
        return StoreError(
            f"the state file `{self.path}` was busy for {waited_s:.2g} s",
            port=port,
            help="another process holds it in the middle of a write: resume or end the one that stands still",
        )

    def _was_busy(self, port: str, waited_s: float, most_s: float) -> StoreError:
        why = "with the steps of others" if most_s == LONGEST_S else "all that the request had left"
        return StoreError(
            f"the state file `{self.path}` was busy for {waited_s:.2g} s, {why}",
            port=port,
            help="more calls write to it than this machine can serve, or have little time: let fewer run at once",
        )

    def _inline(self, port: str, work: Work[T], begin: str, wait_s: float = INLINE_S) -> T:
        ends_s = time.monotonic() + wait_s
        if self._pid != os.getpid():
            self._after_unseen_fork(port)
        with self._lock:
            while True:
                try:
                    result = self._once(self._opened(), work, begin)
                except (sqlite3.Error, ForeignFile, OSError, OverflowError) as error:
                    if not _is_busy(error):
                        self._close()  # whatever it is, the next step begins with a fresh look at the file
                        raise self._explained(error, port) from error
                    if time.monotonic() >= ends_s:
                        raise _Busy from None
                else:
                    if begin == WRITES:  # who only reads waits for no writer
                        self._outage.answered()
                    return result
                time.sleep(INLINE_S / 20)

    def _once(self, cursor: sqlite3.Cursor, work: Work[T], begin: str) -> T:
        if not begin:
            return work(cursor)
        cursor.execute(begin)
        try:
            result = work(cursor)
            cursor.execute("COMMIT")
        except BaseException:
            self._roll_back(cursor)
            raise
        return result

    def _written(self) -> int:
        """When a step was last committed, by whichever process, in nanoseconds; 0 where there was none."""
        try:
            return Path(f"{self.path}-wal").stat().st_mtime_ns
        except OSError:
            return 0

    def _roll_back(self, cursor: sqlite3.Cursor) -> None:
        try:
            if cursor.connection.in_transaction:
                cursor.execute("ROLLBACK")
        except sqlite3.Error:  # the connection is beyond use; what it had begun ends with it
            self._close()

    # --- The connection -------------------------------------------------------------------------------------------

    def _opened(self) -> sqlite3.Cursor:
        if self._cursor is None:
            self._cursor = self._connect()
            self._is_due = self._due is not None
        if self._is_due:
            self._do_what_is_due(self._cursor)
        return self._cursor

    def _do_what_is_due(self, cursor: sqlite3.Cursor) -> None:
        """No step waits for it or fails with it: where the file is busy or can't be written, a later one tries."""
        try:
            work = self._due and self._due(cursor, self._clock.now_s())
            if work:
                self._once(cursor, work, WRITES)
            self._is_due = False
        except sqlite3.Error:
            return

    def _connect(self) -> sqlite3.Cursor:
        _make_private(self.path)
        connection = sqlite3.connect(
            self.path, timeout=0, isolation_level=None, check_same_thread=False, cached_statements=256
        )
        try:
            cursor = connection.cursor()
            cursor.execute("PRAGMA trusted_schema = OFF")
            cursor.execute(f"PRAGMA synchronous = {'FULL' if self._full else 'NORMAL'}")
            cursor.execute("PRAGMA secure_delete = OFF")  # it holds neither content nor secrets
            cursor.execute("PRAGMA journal_size_limit = 67108864")
            mode = cursor.execute("PRAGMA journal_mode = WAL").fetchone()[0]
            if mode != "wal":
                raise ForeignFile(f"can't be used in WAL mode (it is in `{mode}`)", "put it on a local disk")
            prepare(cursor)
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        self.openings += 1
        return cursor

    def _close(self) -> None:
        connection, self._connection, self._cursor = self._connection, None, None
        if connection is not None:
            connection.close()

    async def aclose(self) -> None:
        """Close the connection. A later step opens it again."""
        if self._pid == os.getpid():  # else there is nothing of this process to close
            with self._lock:
                self._close()

    # --- Forks ----------------------------------------------------------------------------------------------------

    def before_fork(self) -> None:
        # SQLite forbids taking a connection over: its locks belong to the process, its bookkeeping does not know that.
        # The bound is for a fork from a signal handler that interrupted a step of its own thread.
        self._paused = self._lock.acquire(timeout=PATIENCE_S)
        if self._paused:
            self._close()

    def after_fork(self) -> None:
        if self._pid != os.getpid():
            self._lock, self._pid = Lock(), os.getpid()
        elif self._paused:
            self._lock.release()

    def _after_unseen_fork(self, port: str) -> None:
        """After a fork from C, without Python's hooks. A connection that was idle can be closed; one in use can't."""
        if self._lock.locked():
            raise StoreError(
                "this process was forked while another of its threads was writing to the state file",
                port=port,
                help="fork before the router is first used, or with os.fork",
            )
        self._lock, self._pid = Lock(), os.getpid()
        self._close()

    # --- Errors ---------------------------------------------------------------------------------------------------

    def _explained(self, error: Exception, port: str) -> StoreError:
        if isinstance(error, ForeignFile):
            return StoreError(f"the state file `{self.path}` {error}", port=port, help=error.help)
        if _code(error) in DAMAGED:
            return StoreError(
                f"the state file `{self.path}` is damaged: {error}",
                port=port,
                help="restore a copy, or move it away with its -wal and -shm to begin anew with nothing spent",
            )
        return StoreError(
            f"the state file `{self.path}` can't be used: {error}",
            port=port,
            help="see that its folder exists, has room and may be written, or name another file as state",
        )


class _Busy(Exception):
    """Still busy after the inline wait."""


def _is_busy(error: Exception) -> bool:
    return _code(error) in BUSY


def _code(error: Exception) -> int:
    """SQLite's primary error code; 0 for an error that is not SQLite's."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def _make_private(path: Path) -> None:
    """Create `path` readable by its owner alone; SQLite gives the files beside it the same mode."""
    make_private(path.parent)
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        return


async def _to_its_end(step: Coroutine[Any, Any, T]) -> T:
    """Run `step` to its end although the caller is cancelled meanwhile; then the caller is cancelled."""
    from asyncio import CancelledError, ensure_future, shield, wait

    task = ensure_future(step)
    try:
        return await shield(task)
    except CancelledError:
        while not task.done():
            try:
                await wait({task})
            except CancelledError:
                continue
        task.exception()  # seen: the cancellation is what the caller hears of
        raise
