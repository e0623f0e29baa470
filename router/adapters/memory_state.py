"""State of one process: gone when it ends. For tests, simulations, and where nothing needs to be kept."""

from router.adapters.memory_health import MemoryHealth
from router.adapters.memory_ledger import MAX_ROWS, MemoryLedger
from router.adapters.memory_limiter import MemoryLimiter
from router.adapters.memory_store import MemoryStore


class MemoryState:
    """A Ledger, a Limiter and a Health in memory: thread-safe, bounded, never suspending, never raising StoreError
    except for an unknown row.

    Of ended rows the newest `max_rows` are kept. A forked child goes on with a copy, which nothing keeps equal to
    its parent's: processes that shall share budgets need a file.
    """

    suspends = False

    def __init__(self, *, max_rows: int = MAX_ROWS) -> None:
        store = MemoryStore()
        self.ledger = MemoryLedger(store, max_rows=max_rows)
        self.limiter = MemoryLimiter(store)
        self.health = MemoryHealth(store)

    def __repr__(self) -> str:
        return "MemoryState()"

    async def aclose(self) -> None:
        """Nothing to free; what is kept stays readable."""
