"""The cache on a Redis or Valkey server: answers that the processes of many machines share, never pickled."""

from collections.abc import Callable
from typing import Any

from router.adapters.cache_frames import framed, require_hex, unframed
from router.adapters.forks import watch_forks
from router.adapters.redis_link import RedisLink
from router.adapters.redis_wire import is_of_wire
from router.errors import StoreError
from router.ports import CacheEntry, Clock

LONGEST_S = 10 * 365 * 86_400.0
LARGEST_BYTES = 32 * 2**20


class RedisCache:
    """A Cache at `url`. It suspends where `clock` does.

    Entries leave by age of `ttl_s`, and as the server's `maxmemory-policy` says; one larger than `largest_bytes` is not
    kept.
    """

    def __init__(
        self, url: str, clock: Clock, *, name: str = "router", largest_bytes: int = LARGEST_BYTES
    ) -> None:
        self._link = RedisLink(url, clock, key=f"{{{name}}}", text=False)
        watch_forks(self._link)
        self._name = name
        self._largest_bytes = largest_bytes

    def __repr__(self) -> str:
        return f"RedisCache({self._link.place!r})"

    @property
    def suspends(self) -> bool:
        return self._link.suspends

    async def get(self, key: str) -> CacheEntry | None:
        require_hex(key)
        record = await self._ask(lambda client: client.get(self._key(key)))
        return None if record is None else unframed(key, record)

    async def put(self, key: str, entry: CacheEntry, *, ttl_s: float) -> None:
        require_hex(key)
        record, lasts = framed(key, entry), ttl_s >= 0.001
        if not lasts or len(record) > self._largest_bytes:  # nor is what it would replace
            await self._ask(lambda client: client.delete(self._key(key)))
            return
        lasts_ms = int(min(ttl_s, LONGEST_S) * 1000)
        await self._ask(lambda client: client.set(self._key(key), record, px=lasts_ms))

    async def aclose(self) -> None:
        """Close the connections; a later call opens them again."""
        await self._link.drop()

    def _key(self, key: str) -> str:
        return f"{{{self._name}}}:answer:{key}"  # one slot of a cluster, as with a state

    async def _ask(self, question: Callable[[Any], Any]) -> Any:
        """Every question may be asked again: the same answer is kept or read."""
        began_s = await self._link.begin("cache")
        for again in (True, False):
            try:
                answer = await self._link.ask(question)
            except StoreError:
                raise
            except Exception as error:  # noqa: BLE001 - of a library loaded late: whatever it raises becomes ours
                if not (again and is_of_wire(error)):
                    raise self._link.gone("cache", error, began_s) from None
            else:
                self._link.answered()
                return answer
        raise AssertionError
