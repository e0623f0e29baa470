"""State on a Redis or Valkey server, shared by the processes of many machines."""

from pathlib import Path

from router.adapters.redis_health import RedisHealth
from router.adapters.redis_ledger import RedisLedger
from router.adapters.redis_limiter import RedisLimiter
from router.adapters.redis_store import RedisStore
from router.ports import Clock


class RedisState:
    """A Ledger, a Limiter and a Health at `url` (`redis://`, `rediss://`, `unix://`).

    It suspends where `clock` does. What a call returned from is as durable as the server makes it: with
    `appendonly yes` and `appendfsync always` it survives the server's own death; a server that comes back with fewer
    rows than this host has seen stays closed (see RedisStore).
    """

    def __init__(
        self,
        url: str,
        clock: Clock,
        *,
        name: str = "router",
        mark: Path | None = None,
        server_time: bool = True,
    ) -> None:
        self.store = RedisStore(url, clock, name=name, mark=mark, server_time=server_time)
        self.ledger = RedisLedger(self.store)
        self.limiter = RedisLimiter(self.store)
        self.health = RedisHealth(self.store)

    def __repr__(self) -> str:
        return f"RedisState({self.store.place!r})"

    @property
    def suspends(self) -> bool:
        return self.store.suspends

    async def aclose(self) -> None:
        """Close the connections; a later call opens them again."""
        await self.store.aclose()
