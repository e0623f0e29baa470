"""What the ports of one memory state share: a lock and the sliding windows."""

import os
from collections import OrderedDict
from threading import Lock

from router.adapters.accounts import limit_key
from router.decide.sliding import Slide, is_over, moved, taken
from router.plan import Sliding

MAX_IDLE_WINDOWS = 10_000
"""Above this many windows, those in which nothing can count any more are forgotten, oldest use first."""


class MemoryStore:
    """Sliding windows by limit key, and the lock of everything in this state. Read and write only in `step`."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._pid = os.getpid()
        self._slides: OrderedDict[str, tuple[float, Slide]] = OrderedDict()

    def step(self) -> Lock:
        """The lock to hold for one atomic step. After a fork it is a new one: the old may have been held by a thread
        left behind."""
        if self._pid != os.getpid():
            self._lock, self._pid = Lock(), os.getpid()
        return self._lock

    def window(self, limit: Sliding, *, now_s: float) -> Slide:
        kept = self._slides.get(limit_key(limit))
        return moved(kept[1] if kept else None, limit.window_s, now_s=now_s)

    def take(self, limit: Sliding, at: int, amount: int, *, now_s: float) -> None:
        """Count `amount` in bucket `at`, which a Room of this step named."""
        key = limit_key(limit)
        self._slides[key] = limit.window_s, taken(self.window(limit, now_s=now_s), at, amount)
        self._slides.move_to_end(key)
        while len(self._slides) > MAX_IDLE_WINDOWS:
            first, (window_s, oldest) = next(iter(self._slides.items()))
            if not is_over(oldest, window_s, now_s=now_s):
                self._slides.move_to_end(first)  # a long one must not keep short ones that are over
                break
            self._slides.popitem(last=False)

    def correct(self, key: str, at: int, by: int) -> None:
        """Change what was counted in bucket `at`; a window that is forgotten stays so."""
        kept = self._slides.get(key)
        if kept is not None:
            self._slides[key] = kept[0], taken(kept[1], at, by)
