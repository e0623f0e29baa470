"""Sliding windows: how much may still be taken, and when more may be.

A window of length W is kept as counts of buckets of W/60. What counts at an instant are its own bucket and the 60
before it: never less than the last W, and at most W/60 more. So no span of W ever holds more than the limit, and a
refusal is early by at most W/60.
"""

from array import array
from collections.abc import Iterable
from math import ceil, floor
from typing import NamedTuple

BUCKETS = 60
KEPT = 2 * BUCKETS + 1  # one window more than counts now, for stamps that come late
TICKS_PER_S = 2**22  # today's Unix times are whole in it as floats, so bucket arithmetic is exact
SET_BACK_S = 600.0
"""A stamp this much (and two windows) behind the newest means that the clock was set back: counts begin anew."""

MOST = 2**53
"""The most that a bucket says it holds: where a store counts in floats (Lua) the next number is not whole any more.
An amount is at most half of it, so that a bill above all bounds still closes the window."""

_EMPTY = array("I", bytes(array("I").itemsize * KEPT))


class Slide(NamedTuple):
    """Counts per bucket, oldest first; the last one is of bucket `head`. The array is never changed in place; its
    items are of four bytes, or of eight (`q`) where one did not fit."""

    head: int
    counts: "array[int]"


class Room(NamedTuple):
    """What a window holds for an event at bucket `at`. `retry_after_s` is 0 where it fits, None where it never will."""

    at: int
    held: int
    retry_after_s: float | None


def moved(slide: Slide | None, window_s: float, *, now_s: float) -> Slide:
    """`slide` as far as it still matters now."""
    bucket = bucket_of(now_s, window_s)
    if slide is None or was_set_back(bucket, slide.head, window_s):
        return Slide(bucket, _EMPTY)
    ahead = bucket - slide.head
    if ahead <= 0:
        return slide
    fresh = array(slide.counts.typecode, bytes(slide.counts.itemsize * min(ahead, KEPT)))
    return Slide(bucket, slide.counts[ahead:] + fresh)


def room(slide: Slide, window_s: float, at_most: int, amount: int, *, now_s: float) -> Room:
    """Whether `amount` fits into a `moved` slide. A stamp that comes late counts where it belongs, as far back as one
    window."""
    at = max(bucket_of(now_s, window_s), slide.head - BUCKETS)
    held = sum(slide.counts[at - slide.head + BUCKETS :])
    if amount == 0 or held + amount <= at_most:
        return Room(at, held, 0.0)
    if amount > at_most:
        return Room(at, held, None)
    return Room(at, held, _until_s(_free_at(slide, at, held + amount - at_most), window_s, now_s))


def taken(slide: Slide, at: int, amount: int) -> Slide:
    """`slide` with `amount` (also a negative correction) in bucket `at`; a bucket that is gone changes nothing."""
    place = at - slide.head + KEPT - 1
    if amount == 0 or not 0 <= place < KEPT:
        return slide
    counts = slide.counts[:]
    count = max(0, min(MOST, counts[place] + amount))
    if count.bit_length() > 32:
        counts = array("q", counts)
    counts[place] = count
    return Slide(slide.head, counts)


def slide_of(counts: Iterable[tuple[int, int]]) -> Slide | None:
    """A slide from (bucket, count) in any order; None from none."""
    known = dict(counts)
    if not known:
        return None
    head = max(known)
    return Slide(head, array("q", [known.get(at, 0) for at in range(head - KEPT + 1, head + 1)]))


def was_set_back(bucket: int, head: int, window_s: float) -> bool:
    return (head - bucket) * window_s / BUCKETS > max(2 * window_s, SET_BACK_S)


def is_over(slide: Slide, window_s: float, *, now_s: float) -> bool:
    """Whether nothing in it can count any more."""
    return bucket_of(now_s, window_s) - slide.head > BUCKETS


def bucket_of(now_s: float, window_s: float) -> int:
    return floor(now_s * TICKS_PER_S) * BUCKETS // ceil(window_s * TICKS_PER_S)


def _free_at(slide: Slide, at: int, excess: int) -> int:
    """The bucket from which `excess` less is counted, when nothing else comes."""
    first = at - BUCKETS
    for place, count in enumerate(slide.counts[at - slide.head + BUCKETS :]):
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
