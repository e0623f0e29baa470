"""Sliding windows as one would keep them with endless memory: a log of all that was taken, and when."""

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from math import floor

from router.plan import Budget, Sliding

MOST_COUNTED = 2**52  # a window that holds more says so much at least


@dataclass
class Event:
    """Something that was taken of a window: at `stamp`, so much now, and so much when it was let in."""

    stamp: Fraction
    now: Callable[[], int]
    then: int


@dataclass
class Log:
    """All that was taken of one sliding window, for ever."""

    window_s: Fraction
    events: list[Event] = field(default_factory=list)
    at_most: int = 0  # the largest that was ever in force
    loose: bool = False  # whether something was let in by a limit in shadow alone
    ghosts: list[tuple[int, Event]] = field(default_factory=list)
    """What was taken before the clock was set back so far that counting began anew, and how much it was then. Stores
    may correct what has the same stamp since by what such a row turns out to have taken."""

    def newest(self) -> Fraction | None:
        return max((each.stamp for each in self.events), default=None)

    def began_anew(self, now_s: float) -> bool:
        newest = self.newest()
        if newest is None:
            return False
        behind = (self._bucket(newest) - self._bucket(Fraction(now_s))) * self.window_s / 60
        return behind > max(2 * self.window_s, 600)

    def stamp(self, now_s: float) -> Fraction:
        """Where an event of now counts: one that comes more than a window late, a window before the newest."""
        newest = self.newest()
        at = Fraction(now_s)
        if newest is None or self.began_anew(now_s):
            return at
        return max(at, (self._bucket(newest) - 60) * self.window_s / 60)

    def _bucket(self, at: Fraction) -> int:
        return floor(at * 60 / self.window_s)

    def live(self, now_s: float) -> list[Event]:
        return [] if self.began_anew(now_s) else self.events

    def least(self, now_s: float) -> int:
        """The fullest span of the length that holds this instant."""
        at, events = self.stamp(now_s), self.live(now_s)
        ends = [at, *(each.stamp for each in events if at < each.stamp < at + self.window_s)]
        held = max(sum(e.now() for e in events if end - self.window_s < e.stamp <= end) for end in ends)
        return max(0, held - self._given_back())

    def _given_back(self) -> int:
        return sum(max(0, then - ghost.now()) for then, ghost in self.ghosts)

    def most(self, now_s: float) -> int:
        """What may be counted: a sixtieth more, and what later stamps have taken."""
        since = self.stamp(now_s) - self.window_s * 61 / 60
        overrun = sum(max(0, ghost.now() - then) for then, ghost in self.ghosts)
        return overrun + sum(each.now() for each in self.live(now_s) if each.stamp > since)

    def take(self, now_s: float, now: Callable[[], int], then: int, at_most: int) -> None:
        stamp = self.stamp(now_s)
        if self.began_anew(now_s):
            self.ghosts += [(each.now(), each) for each in self.events]
            self.events = []
        self.events.append(Event(stamp, now, then))
        self.at_most = max(self.at_most, at_most)

    def fullest(self) -> int:
        """The most that any span of the length holds, without what was billed above its reservation."""
        spans = (
            sum(min(e.now(), e.then) for e in self.events if end.stamp - self.window_s < e.stamp <= end.stamp)
            for end in self.events
        )
        return max(spans, default=0) - self._given_back()


def log_key(limit: Sliding) -> tuple[str, str, float, bool]:
    return limit.owner, limit.unit, limit.window_s, isinstance(limit, Budget)
