"""A port in front of another one, that is down when it is told to be."""

from collections.abc import Callable, Collection
from typing import Any

from router.errors import StoreError
from router.plan import StorePort

ALL = frozenset({"*"})
_ALWAYS = frozenset({"suspends", "aclose"})


class MayBeDown:
    """A Ledger, Limiter, Health or Cache that raises StoreError in the steps named in `down`; in all of them for ALL.

    A step that is down does nothing: the port behind never hears of it.
    """

    def __init__(self, port: Any, name: StorePort) -> None:
        self._port = port
        self._name = name
        self.down: Collection[str] = frozenset()

    def __getattr__(self, step: str) -> Any:
        is_down = step not in _ALWAYS and (step in self.down or "*" in self.down)
        return self._refused(step) if is_down else getattr(self._port, step)

    def _refused(self, step: str) -> Callable[..., Any]:
        async def refused(*_: Any, **__: Any) -> None:
            raise StoreError(
                f"the {self._name} is down", port=self._name, help=f"it was told to be, for `{step}`"
            )

        return refused
