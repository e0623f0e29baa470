"""What may be forgotten: answers, and what is known of keys and targets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Protocol

from router.decide.breaker import Breaker, Ended, Event, Turn
from router.decide.judge import speaks_of_key
from router.values import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheEntry:
    """A stored answer: `body` is JSON bytes; whether it is still fresh is judged at read by today's policy."""

    body: bytes
    stored_at_s: float


class Cache(Protocol):
    """Keeps answers. Keys are hex digests.

    Atomicity: one entry is whole or absent. Failure mode: StoreError(port="cache"), which never fails a request; a
    damaged entry is absent. Suspends: says the adapter.
    """

    @property
    def suspends(self) -> bool: ...

    async def get(self, key: str) -> CacheEntry | None: ...

    async def put(self, key: str, entry: CacheEntry, *, ttl_s: float) -> None:
        """`ttl_s` only lets the store forget; whether an entry is fresh is not the store's to say."""
        ...

    async def aclose(self) -> None: ...


Name = tuple[str, str]
"""Of a key (provider, key name), of a target (provider, model)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyHealth:
    """`cooling_until_s`: when it may be used again. `rests`: how often it has been sent to rest since it was answered
    last, without a time that its provider named."""

    cooling_until_s: float
    rests: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Healths:
    """What is known; names of which nothing is remembered are absent."""

    keys: Mapping[Name, KeyHealth] = field(default_factory=dict)
    breakers: Mapping[Name, Breaker] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one attempt says about its key, and about its target. `kind` None: it was answered. `named_s`: how long the
    provider asks to be left alone; None: it names no time. `ended` None: its target has no breaker."""

    provider: str
    model: str
    key: str | None
    kind: Kind | None
    named_s: float | None = None
    now_s: float
    ended: Ended | None = None

    @property
    def target(self) -> Name:
        return self.provider, self.model

    @property
    def rests(self) -> bool:
        """Whether its key is to rest."""
        return self.key is not None and speaks_of_key(self.kind)


class Health(Protocol):
    """What is known of keys and of the breakers of targets.

    A breaker changes as `decide.breaker.turned` says, and in no other way; one that does not change is not written.

    Atomicity: `note` and `turn` are one step each for a key and for a breaker, also between processes: what one of them
    has written, the first read that begins after it sees. A key rests as `decide.judge.rested` says. Failure
    mode: StoreError(port="health"), which never fails a request. Suspends: says the adapter. Time: as of a Ledger.
    """

    @property
    def suspends(self) -> bool: ...

    async def read(
        self, *, keys: Sequence[Name] = (), targets: Sequence[Name] = (), wait_s: float = inf
    ) -> Healths: ...

    async def note(self, outcome: Outcome, *, wait_s: float = inf) -> Turn | None:
        """Let the key cool, or clear it on an answer; turn the breaker. None: it did not change."""
        ...

    async def turn(self, target: Name, event: Event, *, wait_s: float = inf) -> Turn:
        """What the event made of the breaker of a target, be it nothing."""
        ...

    async def breakers(self) -> Mapping[Name, Breaker]:
        """All of which something is remembered."""
        ...

    async def aclose(self) -> None: ...
