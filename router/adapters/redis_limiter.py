"""Request rates and concurrency on a Redis or Valkey server."""

from collections.abc import Mapping, Sequence
from math import inf
from uuid import uuid4

from router.adapters import accounts
from router.adapters.redis_ledger import room_from, take_values, used_values
from router.adapters.redis_store import RedisStore
from router.decide.sliding import permit_wait_s
from router.plan import Limit
from router.ports import Admission, Take


class RedisLimiter:
    """A Limiter in a RedisStore."""

    def __init__(self, store: RedisStore) -> None:
        self._store = store

    @property
    def suspends(self) -> bool:
        return self._store.suspends

    async def admit(
        self, id: str, takes: Sequence[Take], *, now_s: float, lease_s: float, wait_s: float = inf
    ) -> Admission:
        ticket, at_s = uuid4().hex, now_s

        def values(again: bool) -> list[str]:
            nonlocal at_s
            at_s = self._store.server_s(now_s)
            wanted = [value for take in takes for value in take_values(take, at_s)]
            return [id, repr(at_s), repr(at_s + lease_s), ticket, str(int(again)), str(len(takes)), *wanted]

        answer = await self._store.run("limiter", "admit", values, wait_s=wait_s)
        _, seq, *told = answer
        if not told:
            return Admission(seq=int(seq))
        waits = ((take.limit, _wait_s(take, flat, at_s)) for take, flat in zip(takes, told[0], strict=True))
        return accounts.admission(int(seq), waits)

    async def renew(self, id: str, *, lease_until_s: float, wait_s: float = inf) -> None:
        await self._store.run(
            "limiter",
            "renew_permit",
            lambda again: [id, repr(self._store.server_s(lease_until_s))],
            wait_s=wait_s,
        )

    async def release(self, id: str, *, wait_s: float = inf) -> None:
        await self._store.run("limiter", "release_permit", lambda again: [id], wait_s=wait_s)

    async def used(self, limits: Sequence[Limit], *, now_s: float) -> Mapping[Limit, int]:
        found = await self._store.run(
            "limiter", "used", lambda again: used_values(limits, self._store.server_s(now_s))
        )
        return {limit: int(held) for limit, held in zip(limits, found[1], strict=True)}

    async def aclose(self) -> None:
        await self._store.aclose()


def _wait_s(take: Take, flat: Sequence[str], now_s: float) -> float | None:
    """0 where it fits, None where it never will. `flat` holds buckets and counts, or amounts and ends of leases."""
    if take.limit.window_s:
        return room_from(take, flat, now_s).retry_after_s
    others = [(int(flat[at]), float(flat[at + 1])) for at in range(0, len(flat), 2)]
    return permit_wait_s(others, take.limit.at_most, take.amount, now_s=now_s)
