"""How much was sent again, in the memory of one router."""

import os
from threading import Lock

from router.decide.retries import RetryCounts, with_request, with_retry, young
from router.ports import Name


class MemoryRetries:
    """A Retries. Threads may share it; a forked child goes on with a copy."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._pid = os.getpid()
        self._known: dict[Name, RetryCounts] = {}

    def begin(self, target: Name, *, now_s: float) -> None:
        with self._own_lock():
            self._known[target] = with_request(self._known.get(target, RetryCounts()), now_s)

    def take(self, target: Name, share: int, *, now_s: float) -> RetryCounts | None:
        with self._own_lock():
            known = self._known.get(target, RetryCounts())
            more = with_retry(known, share, now_s)
            if more is None:
                return young(known, now_s)
            self._known[target] = more
            return None

    def _own_lock(self) -> Lock:
        """After a fork a new one: the old may have been held by a thread left behind."""
        if self._pid != os.getpid():
            self._lock, self._pid = Lock(), os.getpid()
        return self._lock
