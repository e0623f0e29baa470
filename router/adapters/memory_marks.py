"""Which warnings were given, in memory."""

from collections.abc import Callable, Iterator, Sequence

from router.adapters.accounts import watch_key
from router.decide.warn import reached
from router.ports import Balance, Crossed, Watch

MAX_MARKS = 10_000
"""Above this many, those of windows that are over are forgotten; the next look waits for as many again."""


class MemoryMarks:
    """Until when each share of each counter and window counts as told. Used within a step of the store alone."""

    def __init__(self) -> None:
        self._until_s: dict[tuple[str, int], float | None] = {}
        self._sweep_at = MAX_MARKS

    def crossed(
        self, watches: Sequence[Watch], level_of: Callable[[Watch], Balance], *, now_s: float
    ) -> tuple[Crossed, ...]:
        """What is reached and was not told; it is now."""
        if not watches:
            return ()
        self._sweep(now_s)
        return tuple(found for watch in watches for found in self._of(watch, level_of(watch), now_s))

    def _of(self, watch: Watch, balance: Balance, now_s: float) -> Iterator[Crossed]:
        for share in reached(watch.warn_at, balance.settled, watch.amount + balance.granted):
            mark = watch_key(watch), share
            until_s = self._until_s.get(mark, 0.0)
            if until_s is not None and until_s <= now_s:
                self._until_s[mark] = watch.until_s
                yield Crossed(watch=watch, share=share, settled=balance.settled, granted=balance.granted)

    def _sweep(self, now_s: float) -> None:
        if len(self._until_s) >= self._sweep_at:
            kept = {
                mark: until_s for mark, until_s in self._until_s.items() if until_s is None or until_s > now_s
            }
            self._until_s, self._sweep_at = kept, max(MAX_MARKS, 2 * len(kept))
