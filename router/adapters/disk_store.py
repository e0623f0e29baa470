"""diskcache's table of rows, and nothing else of diskcache. The only file that imports it.

As shipped, diskcache unpickles what it finds in the value and key columns, joins and deletes whatever file name a row
holds, takes settings and pragmas from a table of the file itself, and waits a minute for a lock. A cache file is
data that someone else may have written, so here a row is a key and bytes, all settings stand below, no other file is
ever touched, and a wait lasts milliseconds.
"""

import os
import sqlite3
import stat
from contextlib import suppress
from pathlib import Path
from typing import Any

import diskcache
from diskcache.core import ENOVAL, MODE_RAW, UNKNOWN

from router.adapters.private_folder import make_private

BUSY_S = 0.005
"""How long one statement waits for another process. The caller may be an event loop."""

DATABASE = "cache.db"
CULL_ROUNDS = 100
SETTINGS = {
    "statistics": 0,  # counting would make a write of every read
    "tag_index": 0,
    "eviction_policy": "least-recently-stored",  # the others write on every read
    "cull_limit": 10,
    "sqlite_auto_vacuum": 0,
    "sqlite_cache_size": -8_000,
    "sqlite_journal_mode": "wal",
    "sqlite_mmap_size": 0,  # a file cut short under a mapping kills the process
    "sqlite_synchronous": 1,
    "disk_min_file_size": 0,
    "disk_pickle_protocol": 0,
}
"""Every setting diskcache knows besides `size_limit`, so that none is left to the Settings table."""

PRAGMAS = (
    "PRAGMA trusted_schema = OFF",  # a planted trigger or view may call no function with effects
    "PRAGMA cell_size_check = ON",
    *(f"PRAGMA {name[7:]} = {value}" for name, value in SETTINGS.items() if name.startswith("sqlite_")),
)


class BytesDisk(diskcache.Disk):  # type: ignore[misc]
    """Keys are text, values are bytes inside the row. Rows of any other form read as None; no file is opened."""

    def __init__(self, directory: str, **_: object) -> None:
        super().__init__(directory)

    def put(self, key: object) -> tuple[str, bool]:
        if type(key) is not str:
            raise TypeError(f"a cache key is text, not `{type(key).__name__}`")
        return key, True

    def get(self, key: object, raw: object) -> str | None:
        return key if raw == 1 and type(key) is str else None

    def store(self, value: object, read: bool, key: object = UNKNOWN) -> tuple[int, int, None, bytes]:
        if read or type(value) is not bytes:
            raise TypeError(f"a cache value is bytes, not `{type(value).__name__}`")
        return 0, MODE_RAW, None, value

    def fetch(self, mode: object, filename: object, value: object, read: bool) -> bytes | None:
        return value if mode == MODE_RAW and filename is None and type(value) is bytes else None

    def filename(self, key: object = UNKNOWN, value: object = UNKNOWN) -> tuple[str, str]:
        raise TypeError("this cache keeps nothing in files of its own")

    def remove(self, file_path: object) -> None:
        """No row of ours names a file, so whatever a row names is not ours to delete."""


class RowStore(diskcache.Cache):  # type: ignore[misc]
    """One connection to one cache folder, for one thread at a time (its owner holds a lock) and one process.

    Raises sqlite3.Error where the file is busy, full, read-only or damaged, and OSError for the folder.
    """

    _connection: sqlite3.Connection | None = None
    _used = 0

    def __init__(self, folder: Path, *, size_limit_bytes: int) -> None:
        if os.path.expandvars(folder) != str(folder):
            raise OSError(f"`{folder}` holds the name of a variable, which diskcache would replace")
        self._file, self._longest = folder / DATABASE, size_limit_bytes
        private_folder(folder)
        try:
            self._forget_what_was_planted()
            super().__init__(str(folder), disk=BytesDisk, size_limit=size_limit_bytes, **SETTINGS)
        except BaseException:
            self.close()
            raise

    def read_row(self, key: str) -> bytes | None:
        found: bytes | None = self.get(key)
        return found

    def write_row(self, key: str, value: bytes, *, expire_s: float) -> None:
        try:
            self.set(key, value, expire=expire_s)
        except diskcache.Timeout:
            raise sqlite3.OperationalError("the database is locked or can't be written") from None

    def delete_row(self, key: str) -> None:
        try:
            self.delete(key)
        except diskcache.Timeout:
            raise sqlite3.OperationalError("the database is locked or can't be written") from None

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def volume(self) -> int:
        """Bytes in use: without vacuum, pages that were freed stay in the file and are used again."""
        ((pages,),) = self._sql("PRAGMA page_count").fetchall()
        ((free,),) = self._sql("PRAGMA freelist_count").fetchall()
        self._used = (pages - free) * self._page_size
        return self._used

    def reset(self, key: str, value: Any = ENOVAL, update: bool = True) -> Any:
        """Settings are set once, from this file; pragmas by `_connect` (as shipped: tried for a minute).

        Without a value, a counter is read.
        """
        if value is ENOVAL:
            return super().reset(key)
        setattr(self, key, value)
        return value

    @property
    def _con(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = _connect(self._file, longest_bytes=self._longest)
        return self._connection

    @property
    def _sql_retry(self) -> Any:
        return self._sql  # as shipped: tries for a minute

    def _cull(self, now: float, sql: Any, cleanup: Any, limit: int | None = None) -> None:
        """As shipped, ten small rows may go for one large that came: here enough go, within a bounded time."""
        for _ in range(CULL_ROUNDS):
            self._used = self.size_limit
            super()._cull(now, sql, cleanup, limit)  # measures the volume unless ten rows had expired
            if self._used < self.size_limit:
                return

    def _forget_what_was_planted(self) -> None:
        """As shipped, each setting in the file becomes an attribute or a pragma, and its triggers run at each write.

        The triggers of diskcache itself are made again by its own opening.
        """
        kinds = "SELECT type, name FROM sqlite_master WHERE type IN ('trigger', 'view')"
        for kind, name in self._sql(kinds).fetchall():
            quoted = name.replace('"', '""')
            self._sql(f'DROP {kind} IF EXISTS "{quoted}"')
        if self._sql("SELECT 1 FROM sqlite_master WHERE name = 'Settings'").fetchall():
            known = [*SETTINGS, "size_limit", *diskcache.core.METADATA]
            foreign = f"key IS NULL OR key NOT IN ({', '.join('?' * len(known))})"
            if self._sql(f"SELECT 1 FROM Settings WHERE {foreign}", known).fetchall():  # noqa: S608 -- question marks
                self._sql(f"DELETE FROM Settings WHERE {foreign}", known)  # noqa: S608


def private_folder(folder: Path) -> None:
    """Make `folder` with its missing parents, all 0700, or make an existing cache folder 0700.

    Raises OSError; FileExistsError where others may enter a folder that holds more than a cache, as changing the
    mode of such a folder could take something else away from its users.
    """
    make_private(folder)
    names = [path.name for path in folder.iterdir()]
    if os.name != "nt" and stat.S_IMODE(folder.stat().st_mode) & 0o077:
        if names and DATABASE not in names:
            raise FileExistsError(f"`{folder}` holds other files: give the cache a folder of its own")
        folder.chmod(0o700)
    for name in names:
        if name.startswith(DATABASE):
            _refuse_unless_regular(folder / name)


def _refuse_unless_regular(file: Path) -> None:
    with suppress(FileNotFoundError):  # another process has just closed
        if not stat.S_ISREG(file.lstat().st_mode):
            raise FileExistsError(f"`{file}` is not a regular file")


def _connect(file: Path, *, longest_bytes: int) -> sqlite3.Connection:
    # check_same_thread: the owner's lock sees to that, and one connection can be closed from any thread.
    connection = sqlite3.connect(file, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    try:
        # Before the first write: the files that SQLite adds take their mode from this one.
        for path in file.parent.glob(f"{file.name}*"):
            with suppress(FileNotFoundError):  # another process has just closed
                path.chmod(0o600)
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, longest_bytes)
        connection.text_factory = lambda raw: raw.decode(errors="replace")
        for pragma in PRAGMAS:
            connection.execute(pragma).fetchall()
    except BaseException:
        connection.close()
        raise
    return connection
