"""State in one SQLite file, shared by the threads and processes of one machine."""

import os

from router.adapters.draws import SystemDraw
from router.adapters.sqlite_file import SqliteFile
from router.adapters.sqlite_health import SqliteHealth
from router.adapters.sqlite_ledger import SqliteLedger, lapsed_at_opening
from router.adapters.sqlite_limiter import SqliteLimiter
from router.adapters.sqlite_names import SqliteNames
from router.ports import Clock, Draw


class SqliteState:
    """A Ledger, a Limiter and a Health in the file at `path`, which is made on first use.

    What a call returned from survives `kill -9`; with `full` also a power loss, at several times the cost a step.
    While another process writes, a step waits on `clock`: it blocks where the clock does and suspends where it does.
    """

    def __init__(
        self, path: str | os.PathLike[str], clock: Clock, *, draw: Draw | None = None, full: bool = False
    ) -> None:
        self._file = SqliteFile(path, clock, draw or SystemDraw(), full=full, due=lapsed_at_opening)
        names = SqliteNames(self._file)
        self.ledger = SqliteLedger(self._file, names)
        self.limiter = SqliteLimiter(self._file, names)
        self.health = SqliteHealth(self._file)

    def __repr__(self) -> str:
        return f"SqliteState({str(self._file.path)!r})"

    @property
    def suspends(self) -> bool:
        return self._file.suspends

    async def aclose(self) -> None:
        """Close the connection; a later call opens it again."""
        await self._file.aclose()
