"""The sync router's way to run what is written once, as coroutines."""

from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def run_inline(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never really suspends, without an event loop. Raises RuntimeError if it does suspend."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]
    coroutine.close()
    raise RuntimeError("a port suspended under the sync router; use AsyncRouter with it")
