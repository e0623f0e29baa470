"""What waits for a disk."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from router.engine import Ports

P = ParamSpec("P")
T = TypeVar("T")


async def aside(ports: Ports, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Do it in a thread of its own where an event loop would stand still meanwhile."""
    if not ports.clock.suspends:
        return work(*args, **kwargs)
    from asyncio import to_thread

    return await to_thread(work, *args, **kwargs)
