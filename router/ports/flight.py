"""Identical calls that are under way at once in one process, and the one of them that is sent."""

from typing import Protocol

from router.values import Reply


class Seat(Protocol):
    """One call's place in a flight: it leads, or it waits for who does."""

    @property
    def came_late(self) -> bool:
        """It leads, and an answer under its key has landed since it looked at the cache: that may be there now."""
        ...

    async def landed(self, timeout_s: float) -> Reply | None:
        """None: this call leads, from now on or already; else the answer of the one that led. Raises TimeoutError after
        `timeout_s`, as the flight goes on without this call."""
        ...

    def land(self, reply: Reply) -> None:
        """The answer, for all who wait: of the call that leads. The flight has ended."""
        ...

    def leave(self) -> None:
        """Take no further part. Where this call led without landing, the first of those who wait leads now. Idempotent,
        and never suspends: to be called in `finally`."""
        ...


class Flight(Protocol):
    """Who is under way for the same answer. In memory of one router, never between processes.

    Atomicity: of all who `join` under one key exactly one leads at any time. Failure mode: none. Suspends: `landed`
    does in the async form; in the sync form it blocks the caller's thread.
    """

    @property
    def suspends(self) -> bool: ...

    @property
    def landings(self) -> int:
        """How many answers have landed; to be asked before the cache is looked at."""
        ...

    def join(self, key: str, *, since: int) -> Seat:
        """A place in the flight under `key`, which begins with this call where there is none. `since`: what `landings`
        was before this call looked at the cache."""
        ...

    def follow(self, key: str) -> Seat | None:
        """A place behind who leads; None where nobody does."""
        ...
