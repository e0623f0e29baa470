"""Retry budgets: how many of the requests that come to a target may be sent to it once more. Counts + time -> counts.

A share of requests, and not a rate: with the traffic grows what may be sent again, and a target that answers nobody is
sent that share more than it was asked, not several times as much. A few may always be: ten calls a minute are nobody's
flood.
"""

from dataclasses import dataclass, replace

WINDOW_S = 10
"""What is older counts no more, in steps of a second. Short, as what a calm hour left over is no reason to flood."""

LEAST = 3
"""So many retries may be in the window, however few the requests."""

ALL = 100_000
"""A share of 100 %, in thousandths of a percent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Second:
    """What came in one second, which began at `at_s` (monotonic)."""

    at_s: int
    requests: int = 0
    retries: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryCounts:
    """Requests that came to one target, and retries at it, of the last WINDOW_S."""

    seconds: tuple[Second, ...] = ()

    @property
    def requests(self) -> int:
        return sum(each.requests for each in self.seconds)

    @property
    def retries(self) -> int:
        return sum(each.retries for each in self.seconds)


def allowed(requests: int, share: int) -> int:
    """How many retries may be in the window."""
    return max(LEAST, requests * share // ALL)


def young(counts: RetryCounts, now_s: float) -> RetryCounts:
    return RetryCounts(seconds=tuple(each for each in counts.seconds if each.at_s > now_s - WINDOW_S))


def with_request(counts: RetryCounts, now_s: float) -> RetryCounts:
    return _with(counts, now_s, requests=1, retries=0)


def with_retry(counts: RetryCounts, share: int, now_s: float) -> RetryCounts | None:
    """None: that would be one too many."""
    known = young(counts, now_s)
    if known.retries >= allowed(known.requests, share):
        return None
    return _with(counts, now_s, requests=0, retries=1)


def _with(counts: RetryCounts, now_s: float, *, requests: int, retries: int) -> RetryCounts:
    seconds = young(counts, now_s).seconds
    at_s = int(now_s)
    last = seconds[-1] if seconds and seconds[-1].at_s == at_s else Second(at_s=at_s)
    before = seconds[:-1] if seconds and seconds[-1].at_s == at_s else seconds
    more = replace(last, requests=last.requests + requests, retries=last.retries + retries)
    return RetryCounts(seconds=(*before, more))
