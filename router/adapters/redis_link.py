"""Connections to a Redis or Valkey server, of one process and one event loop at a time."""

import asyncio
import os
from collections.abc import Coroutine
from threading import Lock
from typing import Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

from router.adapters.outage import LOOK_S, Outage
from router.adapters.redis_wire import ANSWER_S, GARBLED, Question, RedisTrips, RedisTurns, is_of_wire
from router.errors import StoreError
from router.ports import Clock

T = TypeVar("T")
IN_TRANSIT = ("AskError", "TryAgainError", "ClusterDownError", "MasterDownError")
"""What a node of a cluster says while the keys have no place for good."""

FORK_WAITS_S = 5.0
"""For a client that is being made by another thread."""

INSTALL = "install it with `pip install 'routewright[redis]'`"


class RedisLink:
    """`text`: answers are text, not bytes. `answer_s`: how long a connection, and an answer on it, may take.

    All keys that are asked for lie in one slot, that of `key`. Where the address is a cluster's, the node that has it
    is asked, as the others say, until its connection fails: then the address is asked again which one that is.
    """

    def __init__(self, url: str, clock: Clock, *, key: str, text: bool, answer_s: float = ANSWER_S) -> None:
        self._url = url.replace("valkey", "redis", 1) if url.startswith("valkey") else url
        self._clock = clock
        self._outage = Outage(clock)
        self._key = key
        self._node: str | None = None  # of a cluster, as another one has named it
        self._text = text
        self._answer_s = answer_s
        self._lock = Lock()
        self._pid, self._paused = os.getpid(), False
        self._wire: RedisTrips | RedisTurns | None = None
        self._owner: tuple[int, object] = (0, None)
        self.suspends = clock.suspends

    @property
    def place(self) -> str:
        """The address without its credentials."""
        scheme, _, rest = self._url.partition("://")
        return f"{scheme}://{rest.rpartition('@')[2]}"

    async def begin(self, port: str) -> float:
        """When the caller begins to wait, for `gone`. Raises StoreError at once where others have just waited in vain,
        and soon where this one finds that they still would (see Outage)."""
        began_s = self._clock.mono_s()
        if self._outage.must_look(port):
            try:
                await self._look()
            except StoreError:
                raise
            except Exception as error:  # noqa: BLE001 - of a library loaded late: whatever it raises becomes ours
                raise self.gone(port, error, began_s) from None
        return began_s

    async def _look(self) -> None:
        """See whether the server answers, on a connection of its own. One that refuses to be asked does answer."""
        link = RedisLink(self._url, self._clock, key=self._key, text=self._text, answer_s=LOOK_S)
        try:
            await link.ask(lambda client: client.exists(self._key))
        except Exception as error:
            if is_of_wire(error):
                raise
        finally:
            await link.drop()

    def answered(self) -> None:
        self._outage.answered()

    def gone(self, port: str, error: Exception, began_s: float) -> StoreError:
        """What to raise to a caller who has waited since `began_s`; the next ones need not."""
        return self._outage.failed(self.unreachable(port, error), began_s)

    async def ask(self, question: Question) -> Any:
        """What the server answers. Raises whatever the client library raises; `is_of_wire` tells failures apart."""
        try:
            return await self._asked(question)
        except Exception as error:
            if is_of_wire(error):
                await self._move(None)
            node = node_of(error)
            if node is None:
                raise
        await self._move(node)
        return await self._asked(question)

    async def _asked(self, question: Question) -> Any:
        wire = self._connected()
        return await wire.ask(question) if isinstance(wire, RedisTrips) else wire.ask(question)

    async def _move(self, node: str | None) -> None:
        """Ask at another address from here on; None: the one that was given. Whoever asks at the old one finishes."""
        with self._lock:
            if self._node == node:
                return
            self._node, wire, self._wire = node, self._wire, None
        if isinstance(wire, RedisTurns):
            wire.close_idle()
        elif wire is not None:
            await wire.aclose()

    async def drop(self) -> None:
        """Let the connections go; the next question opens others. Those of another process or loop are left to it."""
        with self._lock:
            wire, owner = self._wire, self._owner
            self._wire = None
        if wire is None or owner[0] != os.getpid():
            return
        if isinstance(wire, RedisTurns):
            wire.close()
        elif owner[1] is asyncio.get_running_loop():
            await wire.aclose()

    def unreachable(self, port: str, error: Exception) -> StoreError:
        if type(error).__name__ in IN_TRANSIT:
            return StoreError(
                f"the cluster at {self.place} has no node for this state now: {type(error).__name__}",
                port=port,
                help="its slot is on the move, or its node is down and has no successor yet; later calls ask again",
            )
        what = str(error).splitlines()[0][:200] if str(error) else "no reason was given"
        is_server = is_of_wire(error) and type(error).__name__ != GARBLED
        return StoreError(
            f"the store at {self.place} does not answer: {type(error).__name__}",
            port=port,
            help=what if is_server else f"{what}; it must be Redis 6.2, Valkey 7.2, or later",
        )

    def too_slow(self, port: str, waited_s: float) -> StoreError:
        """For a caller who had no time to wait on: that says little about the server."""
        return StoreError(
            f"the store at {self.place} did not answer within {waited_s:.2g} s, all that the request had left",
            port=port,
            help="give requests more time, or see what keeps the server busy",
        )

    def _connected(self) -> RedisTrips | RedisTurns:
        """A client of this process and, where it suspends, of the running loop: connections cross neither."""
        owner = (os.getpid(), asyncio.get_running_loop() if self.suspends else None)
        with self._lock:
            if self._wire is None or self._owner != owner:
                self._wire, self._owner = self._connect(), owner
            return self._wire

    # --- Forks: whoever lets others fork watches them

    def before_fork(self) -> None:
        # A thread that makes the client holds the lock, and imports under it: a child would wait for both for ever.
        # The bound is for a fork from a signal handler that interrupted its own thread there.
        self._paused = self._lock.acquire(timeout=FORK_WAITS_S)

    def after_fork(self) -> None:
        if self._pid != os.getpid():
            self._lock, self._pid = Lock(), os.getpid()
        elif self._paused:
            self._lock.release()

    def _connect(self) -> RedisTrips | RedisTurns:
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
            "socket_timeout": self._answer_s,
            "socket_connect_timeout": self._answer_s,
        }
        if self.suspends:
            client = redis.asyncio.Redis.from_url(
                self._address(), retry=AsyncRetry(NoBackoff(), 0), **options
            )
            return RedisTrips(client)
        return RedisTurns(redis.Redis.from_url(self._address(), retry=Retry(NoBackoff(), 0), **options))

    def _address(self) -> str:
        """That of the node, with the credentials and the options of the address that was given."""
        if self._node is None:
            return self._url
        given = urlsplit(self._url)
        credentials, at, host = given.netloc.rpartition("@")
        own_host = urlsplit(f"//{host}").hostname or "127.0.0.1"
        node = self._node if not self._node.startswith(":") else f"{own_host}{self._node}"
        scheme = given.scheme if given.scheme == "rediss" else "redis"
        return urlunsplit((scheme, f"{credentials}{at}{node}", "", given.query, ""))


def node_of(error: Exception) -> str | None:
    """HOST:PORT of the node of a cluster that has the keys, where another one was asked; without HOST: its own."""
    if type(error).__name__ != "MovedError":
        return None
    host, port = getattr(error, "host", ""), getattr(error, "port", 0)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


async def to_the_end(work: Coroutine[Any, Any, T], wait_s: float | None = None) -> T:
    """What was begun is done, whoever stops waiting for it: a settlement must not be lost to a cancellation. Raises
    TimeoutError after `wait_s`."""
    task = asyncio.ensure_future(work)
    task.add_done_callback(_heard)
    async with asyncio.timeout(wait_s):
        return await asyncio.shield(task)


def _heard(task: "asyncio.Future[Any]") -> None:
    """Nobody may be left to hear how it ended; the row's lease ends what it could not."""
    if not task.cancelled():
        task.exception()
