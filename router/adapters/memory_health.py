"""Health of keys and targets in memory."""

from collections.abc import Mapping, Sequence
from math import inf

from router.adapters.memory_store import MemoryStore
from router.decide.breaker import Breaker, Event, Turn, turned
from router.decide.judge import rested
from router.ports import Healths, KeyHealth, Name, Outcome


class MemoryHealth:
    """A Health in memory. Keys in good health are not kept, nor targets that never failed."""

    suspends = False

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self._keys: dict[Name, KeyHealth] = {}
        self._breakers: dict[Name, Breaker] = {}

    async def read(
        self, *, keys: Sequence[Name] = (), targets: Sequence[Name] = (), wait_s: float = inf
    ) -> Healths:
        with self._store.step():
            return Healths(
                keys={name: self._keys[name] for name in keys if name in self._keys},
                breakers={name: self._breakers[name] for name in targets if name in self._breakers},
            )

    async def note(self, outcome: Outcome, *, wait_s: float = inf) -> Turn | None:
        with self._store.step():
            if outcome.key is not None:
                self._note_key((outcome.provider, outcome.key), outcome)
            turn = None if outcome.ended is None else self._turn(outcome.target, outcome.ended)
            return None if turn is None or turn.after is turn.before else turn

    async def turn(self, target: Name, event: Event, *, wait_s: float = inf) -> Turn:
        with self._store.step():
            return self._turn(target, event)

    async def breakers(self) -> Mapping[Name, Breaker]:
        with self._store.step():
            return dict(self._breakers)

    async def aclose(self) -> None:
        """Nothing to free."""

    def _turn(self, target: Name, event: Event) -> Turn:
        before = self._breakers.get(target, Breaker())
        after = turned(before, event)
        if after is not before:
            self._breakers[target] = after
        return Turn(before=before, after=after)

    def _note_key(self, key: Name, outcome: Outcome) -> None:
        if outcome.kind is None:
            self._keys.pop(key, None)
        elif outcome.rests:
            known = self._keys.get(key, KeyHealth(cooling_until_s=0.0))
            until_s, rests = rested(
                known.cooling_until_s, known.rests, named_s=outcome.named_s, now_s=outcome.now_s
            )
            self._keys[key] = KeyHealth(cooling_until_s=until_s, rests=rests)
