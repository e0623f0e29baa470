"""How a process asks one Redis or Valkey server: threads by turns, tasks of an event loop together.

A connection that fails takes nobody with it but those whose question was on it: each asks once more, on another.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from threading import BoundedSemaphore
from typing import Any

ANSWER_S = 2.0
"""How long a connection, and an answer on it, may take; then the call is tried once more, then it is a StoreError."""

CONNECTIONS = 32
"""Of the threads of one process. More callers than that take turns, each of which is a fraction of a millisecond."""

A_TRIP = 128
"""Questions of one loop sent together at most: some 10 ms of the server's time."""

GARBLED = "InvalidResponse"
"""What redis-py raises for an answer that is not of its protocol."""

Question = Callable[[Any], Any]
"""Asks redis-py's client, or pipeline, one thing."""


def is_of_wire(error: Exception) -> bool:
    """Whether the connection failed, rather than the server refusing what was asked. A garbled answer says nothing of
    what the server did."""
    failures = ("ConnectionError", "TimeoutError", "BusyLoadingError", GARBLED)
    return type(error).__name__ in failures or isinstance(error, OSError)


class RedisTurns:
    """For threads: each question has a connection of its own."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._turns = BoundedSemaphore(CONNECTIONS)

    def ask(self, question: Question) -> Any:
        if not self._turns.acquire(timeout=ANSWER_S):
            raise TimeoutError(f"{CONNECTIONS} questions were under way for {ANSWER_S:g} s")
        try:
            return question(self._client)
        except Exception as error:
            if is_of_wire(error):  # what failed one connection may have failed those that lie idle
                self.close_idle()
            raise
        finally:
            self._turns.release()

    def close_idle(self) -> None:
        self._client.connection_pool.disconnect(inuse_connections=False)

    def close(self) -> None:
        self._client.close()


class RedisTrips:
    """For the tasks of one event loop: what is asked while an answer is awaited shares the next trip.

    One connection carries all in the order they were asked: as quick for one as a connection of its own, many times
    cheaper for many, and nobody waits for longer than those before him.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self._waiting: deque[tuple[Question, asyncio.Future[Any]]] = deque()
        self._sending: asyncio.Task[None] | None = None

    async def ask(self, question: Question) -> Any:
        """What was asked is sent, whoever stops waiting for the answer."""
        future = asyncio.get_running_loop().create_future()
        self._waiting.append((question, future))
        if self._sending is None or self._sending.done():
            self._sending = asyncio.ensure_future(self._send())
        return await future

    async def aclose(self) -> None:
        """Close the connection after what was asked has been answered."""
        if self._sending is not None and not self._sending.done():
            await asyncio.wait({self._sending})
        await self._client.aclose()

    async def _send(self) -> None:
        trip: list[tuple[Question, asyncio.Future[Any]]] = []
        try:
            while self._waiting:
                trip = [self._waiting.popleft() for _ in range(min(A_TRIP, len(self._waiting)))]
                for (_, future), answer in zip(trip, await self._answers(trip), strict=True):
                    _tell(future, answer)
        finally:  # nobody is left waiting where the loop is about to end
            for _, future in (*trip, *self._waiting):
                future.cancel()

    async def _answers(self, trip: Sequence[tuple[Question, Any]]) -> Sequence[Any]:
        """Answers, or errors in their place."""
        began_s = asyncio.get_running_loop().time()
        try:
            return await self._ask_all([question for question, _ in trip])
        except Exception as error:  # noqa: BLE001 - each of them hears it, and says what it means
            if is_of_wire(error):
                await self._client.connection_pool.disconnect()
            if (
                asyncio.get_running_loop().time() - began_s > ANSWER_S / 2
            ):  # those behind have waited for as long
                while self._waiting:
                    _tell(self._waiting.popleft()[1], error)
            return [error] * len(trip)

    async def _ask_all(self, questions: Sequence[Question]) -> Sequence[Any]:
        if len(questions) == 1:
            return [await questions[0](self._client)]
        async with self._client.pipeline(transaction=False) as together:
            for question in questions:
                question(together)
            answers: Sequence[Any] = await together.execute(raise_on_error=False)
        return answers


def _tell(future: "asyncio.Future[Any]", answer: Any) -> None:
    if future.done():  # its caller was cancelled
        return
    if isinstance(answer, Exception):
        future.set_exception(answer)
    else:
        future.set_result(answer)
