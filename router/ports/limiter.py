"""Request rates and concurrency, once per request."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Protocol

from router.plan import Limit, Sliding
from router.ports.ledger import Take


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitFull:
    """The limit that refused, and after how long the same admission could pass."""

    limit: Sliding
    retry_after_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """`full` None: admitted; else the limit that refused, of several the one that takes longest, and nothing was taken.
    `shadow`: the limits in shadow that were full, and let it pass. `seq` was taken inside the store's atomic step; two
    that differ in nothing else are equal."""

    seq: int = field(default=0, compare=False)
    full: LimitFull | None = None
    shadow: tuple[LimitFull, ...] = ()


class Limiter(Protocol):
    """Request rates and concurrency, once per request.

    Atomicity: `admit` is one step over all takes, all or none, also between processes. No window of a limit's length
    ever holds more than its `at_most`, unless the limit is in shadow; a refusal is early by at most 1/60 of the window,
    and waiting its `retry_after_s` is enough when nobody else comes. Failure mode: StoreError(port="limiter").
    Suspends: says the adapter. Time: as of a Ledger.
    """

    @property
    def suspends(self) -> bool: ...

    async def admit(
        self, id: str, takes: Sequence[Take], *, now_s: float, lease_s: float, wait_s: float = inf
    ) -> Admission:
        """Take all under `id`, or none. A concurrency take is held until `release` or until `lease_s` lapses."""
        ...

    async def renew(self, id: str, *, lease_until_s: float, wait_s: float = inf) -> None: ...

    async def release(self, id: str, *, wait_s: float = inf) -> None:
        """Give back concurrency. Idempotent. Requests stay counted."""
        ...

    async def used(self, limits: Sequence[Limit], *, now_s: float) -> Mapping[Limit, int]:
        """What each window holds now."""
        ...

    async def aclose(self) -> None: ...
