"""Work that another thread does, and waiting for it in a way that Ctrl-C may interrupt anywhere.

`concurrent.futures` waits under locks held by Python code: a KeyboardInterrupt between their acquire and release leaves
them held, and then the thread that does the work hangs on them, and the caller on it. Here the only lock is a bell of
the waiter's own, which nobody ever holds: it is rung by releasing it, from whichever thread.
"""

import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Errand(Generic[T]):
    """How some work ended, once `done`. Ended by the thread that does it, waited for by any other."""

    __slots__ = ("_error", "_value", "bells", "done")

    def __init__(self) -> None:
        self.done = False
        self.bells: list[Any] = []
        self._value: T | None = None
        self._error: BaseException | None = None

    def end(self, value: T | None = None, *, error: BaseException | None = None) -> None:
        """Called once, by whoever does the work."""
        self._value, self._error = value, error
        self.done = True  # before the bells: who hangs one up later looks here first
        for bell in tuple(self.bells):
            with suppress(RuntimeError):  # it has been rung
                bell.release()

    def result(self, timeout_s: float = threading.TIMEOUT_MAX) -> T:
        """What the work returned or raised. Raises TimeoutError when `timeout_s` passes first."""
        if not any_done((self,), timeout_s):
            raise TimeoutError
        if self._error is not None:
            raise self._error
        return self._value  # type: ignore[return-value]


def any_done(errands: Sequence[Errand[Any]], timeout_s: float) -> bool:
    """Wait until one of `errands` is done, for at most `timeout_s`; False when none is."""
    if any(errand.done for errand in errands):
        return True
    bell = threading.Lock()
    bell.acquire()
    try:
        for errand in errands:
            errand.bells.append(bell)
        if not any(errand.done for errand in errands):
            bell.acquire(timeout=min(max(0.0, timeout_s), threading.TIMEOUT_MAX))
    finally:
        for errand in errands:
            with suppress(ValueError):  # interrupted before it was hung up
                errand.bells.remove(bell)
    return any(errand.done for errand in errands)
