"""Request rates and concurrency in memory."""

from collections.abc import Mapping, Sequence
from math import inf

from router.adapters import accounts
from router.adapters.accounts import limit_key
from router.adapters.memory_store import MemoryStore
from router.decide.sliding import Room, permit_wait_s, room
from router.plan import Limit
from router.ports import Admission, Take

Permits = dict[str, tuple[int, float]]
"""By id: amount, end of the lease."""


class MemoryLimiter:
    """A Limiter in memory."""

    suspends = False

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self._seq = 0
        self._permits: dict[str, Permits] = {}  # by limit key
        self._held: dict[str, set[str]] = {}  # limit keys by id

    async def admit(
        self, id: str, takes: Sequence[Take], *, now_s: float, lease_s: float, wait_s: float = inf
    ) -> Admission:
        with self._store.step():
            self._seq += 1
            waits = [(take.limit, self._wait_s(id, take, now_s)) for take in takes]
            admission = accounts.admission(self._seq, waits)
            if admission.full is None:
                for take in {limit_key(take.limit): take for take in takes}.values():
                    self._take(id, take, now_s, lease_s)
            return admission

    async def renew(self, id: str, *, lease_until_s: float, wait_s: float = inf) -> None:
        with self._store.step():
            for key in self._held.get(id, ()):
                permits = self._permits.get(key, {})
                if id in permits:
                    amount, until_s = permits[id]
                    permits[id] = amount, max(until_s, lease_until_s)

    async def release(self, id: str, *, wait_s: float = inf) -> None:
        with self._store.step():
            self._release(id)

    async def used(self, limits: Sequence[Limit], *, now_s: float) -> Mapping[Limit, int]:
        with self._store.step():
            return {limit: self._used(limit, now_s) for limit in limits}

    async def aclose(self) -> None:
        """Nothing to free."""

    def _used(self, limit: Limit, now_s: float) -> int:
        if limit.unit != "concurrent_requests":
            return self._room(Take(limit=limit, amount=0), now_s).held
        return sum(amount for amount, _ in self._live(limit_key(limit), now_s).values())

    def _room(self, take: Take, now_s: float) -> Room:
        limit = take.limit
        slide = self._store.window(limit, now_s=now_s)
        return room(slide, limit.window_s, limit.at_most, take.amount, now_s=now_s)

    def _live(self, key: str, now_s: float) -> Permits:
        permits = self._permits.get(key, {})
        return {holder: permit for holder, permit in permits.items() if permit[1] > now_s}

    def _wait_s(self, id: str, take: Take, now_s: float) -> float | None:
        """0 where it fits, None where it never will."""
        limit = take.limit
        if limit.unit != "concurrent_requests":
            return self._room(take, now_s).retry_after_s
        live = self._live(limit_key(limit), now_s).items()
        others = [permit for holder, permit in live if holder != id]
        return permit_wait_s(others, limit.at_most, take.amount, now_s=now_s)

    def _take(self, id: str, take: Take, now_s: float, lease_s: float) -> None:
        limit = take.limit
        if limit.unit == "concurrent_requests":
            key = limit_key(limit)
            for lapsed in self._permits.get(key, {}).keys() - self._live(key, now_s).keys():
                self._give_back(lapsed, key)
            self._permits.setdefault(key, {})[id] = take.amount, now_s + lease_s
            self._held.setdefault(id, set()).add(key)
        else:
            self._store.take(limit, self._room(take, now_s).at, take.amount, now_s=now_s)

    def _release(self, id: str) -> None:
        for key in tuple(self._held.get(id, ())):
            self._give_back(id, key)

    def _give_back(self, id: str, key: str) -> None:
        self._held[id].discard(key)
        if not self._held[id]:
            del self._held[id]
        self._permits[key].pop(id)
        if not self._permits[key]:
            del self._permits[key]
