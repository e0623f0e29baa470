"""Health of keys and models on a Redis or Valkey server."""

from collections.abc import Mapping, Sequence

from router.adapters.accounts import counts_against, model_name
from router.adapters.redis_store import RedisStore
from router.ports import KeyHealth, Outcome

Name = tuple[str, str]


class RedisHealth:
    """A Health in a RedisStore. Names in good health are not kept."""

    def __init__(self, store: RedisStore) -> None:
        self._store = store

    @property
    def suspends(self) -> bool:
        return self._store.suspends

    async def read(self, names: Sequence[Name]) -> Mapping[Name, KeyHealth]:
        if not names:
            return {}
        found = (
            await self._store.run("health", "health", lambda again: ["\t".join(name) for name in names])
        )[1]
        states = {name: (found[2 * at], found[2 * at + 1]) for at, name in enumerate(names)}
        return {
            name: KeyHealth(failures=int(failures or 0), cooling_until_s=self._own_s(cooling))
            for name, (failures, cooling) in states.items()
            if failures or cooling
        }

    def _own_s(self, cooling: str) -> float:
        return self._store.own_s(float(cooling)) if cooling else 0.0

    async def note(self, outcome: Outcome) -> None:
        model, key = "\t".join(model_name(outcome)), ""
        if outcome.key is not None:
            key = f"{outcome.provider}\t{outcome.key}"
        cools = outcome.kind is not None and key != "" and outcome.cooling_s > 0
        what = "answered" if outcome.kind is None else "failed" if counts_against(outcome) else "noted"
        if what == "noted" and not cools:
            return

        def values(again: bool) -> list[str]:
            until_s = self._store.server_s(outcome.now_s + outcome.cooling_s)
            return [model, key, what, repr(until_s) if cools else "0"]

        await self._store.run("health", "note", values)

    async def aclose(self) -> None:
        await self._store.aclose()
