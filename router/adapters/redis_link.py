"""Connections to a Redis or Valkey server, of one process and one event loop at a time."""

import asyncio
import os
from collections.abc import Callable, Coroutine
from threading import Lock
from typing import Any, TypeVar

from router.errors import StoreError

T = TypeVar("T")

ANSWER_S = 2.0
"""How long a connection, and an answer on it, may take; then the call is tried once more, then it is a StoreError."""

CONNECTIONS = 32
"""Of one process and loop. More callers than that take turns, each of which is a fraction of a millisecond."""

INSTALL = "install it with `pip install 'routewright[redis]'`"


class RedisLink:
    """`text`: answers are text, not bytes."""

    def __init__(self, url: str, *, suspends: bool, text: bool) -> None:
        self._url = url.replace("valkey", "redis", 1) if url.startswith("valkey") else url
        self._text = text
        self._lock = Lock()
        self._client: Any = None
        self._owner: tuple[int, object] = (0, None)
        self.suspends = suspends

    @property
    def place(self) -> str:
        """The address without its credentials."""
        scheme, _, rest = self._url.partition("://")
        return f"{scheme}://{rest.rpartition('@')[2]}"

    async def ask(self, question: Callable[[Any], Any]) -> Any:
        """What the server answers. Raises whatever the client library raises; `is_of_wire` tells failures apart."""
        answer = question(self._connected())
        return await answer if self.suspends else answer

    async def drop(self) -> None:
        """Let the connections go; the next question opens others. Those of another process or loop are left to it."""
        with self._lock:
            client, owner = self._client, self._owner
            self._client = None
        if client is None or owner[0] != os.getpid():
            return
        if not self.suspends:
            client.close()
        elif owner[1] is asyncio.get_running_loop():
            await client.aclose()

    def unreachable(self, port: str, error: Exception) -> StoreError:
        what = str(error).splitlines()[0][:200] if str(error) else "no reason was given"
        return StoreError(
            f"the store at {self.place} does not answer: {type(error).__name__}",
            port=port,
            help=what if is_of_wire(error) else f"{what}; it must be Redis 6.2, Valkey 7.2, or later",
        )

    def _connected(self) -> Any:
        """A client of this process and, where it suspends, of the running loop: connections cross neither."""
        owner = (os.getpid(), asyncio.get_running_loop() if self.suspends else None)
        with self._lock:
            if self._client is None or self._owner != owner:
                self._client, self._owner = self._connect(), owner
            return self._client

    def _connect(self) -> Any:
        try:
            import redis.asyncio
            from redis.asyncio.retry import Retry as AsyncRetry
            from redis.backoff import NoBackoff
            from redis.retry import Retry
        except ImportError:
            raise StoreError(
                f"the package `redis` is not installed, and {self.place} needs it",
                port="ledger",
                help=INSTALL,
            ) from None
        options: dict[str, Any] = {
            "decode_responses": self._text,
            "socket_timeout": ANSWER_S,
            "socket_connect_timeout": ANSWER_S,
            "max_connections": CONNECTIONS,
            "timeout": ANSWER_S,  # for a connection to be free
        }
        if self.suspends:
            shared = redis.asyncio.BlockingConnectionPool.from_url(
                self._url, retry=AsyncRetry(NoBackoff(), 0), **options
            )
            return redis.asyncio.Redis.from_pool(shared)
        pool = redis.BlockingConnectionPool.from_url(self._url, retry=Retry(NoBackoff(), 0), **options)
        return redis.Redis.from_pool(pool)


def is_of_wire(error: Exception) -> bool:
    """Whether the connection failed, rather than the server refusing what was asked."""
    return type(error).__name__ in ("ConnectionError", "TimeoutError", "BusyLoadingError") or isinstance(
        error, OSError
    )


async def to_the_end(work: Coroutine[Any, Any, T]) -> T:
    """What was begun is done, whoever stops waiting for it: a settlement must not be lost to a cancellation."""
    task = asyncio.ensure_future(work)
    task.add_done_callback(_heard)
    return await asyncio.shield(task)


def _heard(task: "asyncio.Future[Any]") -> None:
    """Nobody may be left to hear how it ended; the row's lease ends what it could not."""
    if not task.cancelled():
        task.exception()
