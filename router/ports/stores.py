"""What may be forgotten: answers, and what is known of keys and models."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

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


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyHealth:
    """`cooling_until_s` 0: healthy."""

    failures: int = 0
    cooling_until_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one attempt says about a key and a model. `kind` None: it was answered."""

    provider: str
    model: str
    key: str | None
    kind: Kind | None
    cooling_s: float  # how long the key should rest, decided by the caller; 0: it should not
    now_s: float


class Health(Protocol):
    """What is known of keys (provider, key name) and of models (provider, "model:NAME").

    Atomicity: `note` is one step; cooling ends only grow until an answer clears them. Failure mode: StoreError(
    port="health"), which never fails a request. Suspends: says the adapter.
    """

    @property
    def suspends(self) -> bool: ...

    async def read(self, names: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], KeyHealth]:
        """Names never noted are absent."""
        ...

    async def note(self, outcome: Outcome) -> None:
        """Count a failure of the model when its kind counts against the breaker, clear the count on an answer; let
        the key cool, or clear it on an answer."""
        ...

    async def aclose(self) -> None: ...
