"""Health of keys and models in memory."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from router.adapters.accounts import counts_against, model_name
from router.adapters.memory_store import MemoryStore
from router.ports import KeyHealth, Outcome

Name = tuple[str, str]


class MemoryHealth:
    """A Health in memory. Names in good health are not kept."""

    suspends = False

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self._known: dict[Name, KeyHealth] = {}

    async def read(self, names: Sequence[Name]) -> Mapping[Name, KeyHealth]:
        with self._store.step():
            return {name: self._known[name] for name in names if name in self._known}

    async def note(self, outcome: Outcome) -> None:
        with self._store.step():
            key = None if outcome.key is None else (outcome.provider, outcome.key)
            if outcome.kind is None:
                self._known.pop(model_name(outcome), None)
                self._known.pop(key or model_name(outcome), None)
                return
            if counts_against(outcome):
                self._fail(model_name(outcome))
            if key is not None and outcome.cooling_s > 0:
                self._cool(key, outcome.now_s + outcome.cooling_s)

    async def aclose(self) -> None:
        """Nothing to free."""

    def _fail(self, name: Name) -> None:
        known = self._known.get(name, KeyHealth())
        self._known[name] = replace(known, failures=known.failures + 1)

    def _cool(self, name: Name, until_s: float) -> None:
        known = self._known.get(name, KeyHealth())
        self._known[name] = replace(known, cooling_until_s=max(known.cooling_until_s, until_s))
