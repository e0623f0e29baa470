"""The collector of cycles, paused while a plan is made."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def no_collecting() -> Iterator[None]:
    """A load makes many objects that stay and hardly a cycle: looking for cycles among them, again and again, takes a
    quarter of its time and frees nothing. Whoever found the collector at work lets it go on, in any thread."""
    was_at_work = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_at_work:
            gc.enable()
