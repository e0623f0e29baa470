"""Sliding windows: how much may still be taken, and when more may be.

A window of length W is kept as counts of buckets of W/60. What counts at an instant are its own bucket and the 60
before it: never less than the last W, and at most W/60 more. So no span of W ever holds more than the limit, and a
refusal is early by at most W/60.
"""

from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil, floor

BUCKETS = 60
KEPT = 2 * BUCKETS + 1  # one window more than counts now, for stamps that come late
TICKS_PER_S = 2**22  # today's Unix times are whole in it as floats, so bucket arithmetic is exact
SET_BACK_S = 600.0
"""A stamp this much (and two windows) behind the newest means that the clock was set back: counts begin anew."""

_EMPTY = array("I", bytes(array("I").itemsize * KEPT))


@dataclass(frozen=True, slots=True, kw_only=True)
class Slide:
    """Counts per bucket, oldest first; the last one is of bucket `head`. The array is never changed in place; its
    items are of four bytes, or of eight (`q`) where one did not fit."""

    head: int
    counts: "array[int]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What a window holds for an event at bucket `at`. `retry_after_s` is 0 where it fits, None where it never will."""

    slide: Slide
    at: int
    held: int
    retry_after_s: float | None


def room(slide: Slide | None, window_s: float, at_most: int, amount: int, *, now_s: float) -> Room:
    """Whether `amount` fits now. A stamp that comes late counts where it belongs, as far back as one window."""
    bucket = _bucket(now_s, window_s)
    slide = _moved(slide, bucket, window_s)
    at = max(bucket, slide.head - BUCKETS)
    held = sum(slide.counts[at - slide.head + KEPT - 1 - BUCKETS :])
    if amount == 0 or held + amount <= at_most:
        return Room(slide=slide, at=at, held=held, retry_after_s=0.0)
    free = None if amount > at_most else _free_at(slide, at, held + amount - at_most)
    retry_after_s = None if free is None else _until_s(free, window_s, now_s)
    return Room(slide=slide, at=at, held=held, retry_after_s=retry_after_s)


def taken(slide: Slide, at: int, amount: int) -> Slide:
    """`slide` with `amount` (also a negative correction) in bucket `at`; a bucket that is gone changes nothing."""
    place = at - slide.head + KEPT - 1
    if amount == 0 or not 0 <= place < KEPT:
        return slide
    counts = slide.counts[:]
    count = max(0, counts[place] + amount)
    if count.bit_length() > 32:
        counts = array("q", counts)
    counts[place] = count
    return Slide(head=slide.head, counts=counts)


def is_over(slide: Slide, window_s: float, *, now_s: float) -> bool:
    """Whether nothing in it can count any more."""
    return _bucket(now_s, window_s) - slide.head > BUCKETS


def _bucket(now_s: float, window_s: float) -> int:
    return floor(now_s * TICKS_PER_S) * BUCKETS // ceil(window_s * TICKS_PER_S)


def _moved(slide: Slide | None, bucket: int, window_s: float) -> Slide:
    if slide is None:
        return Slide(head=bucket, counts=_EMPTY)
    ahead = bucket - slide.head
    if ahead > 0:
        fresh = array(slide.counts.typecode, bytes(slide.counts.itemsize * min(ahead, KEPT)))
        return Slide(head=bucket, counts=slide.counts[ahead:] + fresh)
    behind_s = -ahead * window_s / BUCKETS
    if behind_s > max(2 * window_s, SET_BACK_S):
        return Slide(head=bucket, counts=_EMPTY)
    return slide


def _free_at(slide: Slide, at: int, excess: int) -> int:
    """The bucket from which `excess` less is counted, when nothing else comes."""
    first = at - BUCKETS
    for place, count in enumerate(slide.counts[first - slide.head + KEPT - 1 :]):
        excess -= count
        if excess <= 0:
            return first + place + BUCKETS + 1
    return slide.head + BUCKETS + 1


def _until_s(bucket: int, window_s: float, now_s: float) -> float:
    """Seconds from `now_s` into `bucket`."""
    begins = -(-bucket * ceil(window_s * TICKS_PER_S) // BUCKETS)
    return _up_to_ms((begins - floor(now_s * TICKS_PER_S)) / TICKS_PER_S)


def permit_wait_s(
    permits: Iterable[tuple[int, float]], at_most: int, amount: int, *, now_s: float
) -> float | None:
    """0 where `amount` more of a concurrency limit fits; else the time by which enough leases lapse if nobody gives
    back or renews; None where it never will fit. `permits` are live: (amount, end of the lease)."""
    live = sorted(permits, key=lambda permit: permit[1])
    excess = sum(each for each, _ in live) + amount - at_most
    if excess <= 0:
        return 0.0
    for each, until_s in live:
        excess -= each
        if excess <= 0:
            return _up_to_ms(until_s - now_s)
    return None


def _up_to_ms(left_s: float) -> float:
    """A little more, so that adding it to a time can't round short."""
    return (floor(left_s * 1000 + 0.001) + 1) / 1000
