"""The arithmetic of boxes: what a conjunction leaves of one, and whether some cover it."""

from collections.abc import Iterator, Sequence

Box = tuple[int, ...]
"""For each axis of a space, the atoms that are in, as bits."""

Wanted = tuple[tuple[int, int], ...]
"""A conjunction: (axis, the atoms on which its condition holds)."""


def inside(box: Box, wanted: Wanted) -> Box | None:
    """The part of a box in which a conjunction holds; None: nowhere."""
    found = list(box)
    for axis, mask in wanted:
        found[axis] &= mask
        if not found[axis]:
            return None
    return tuple(found)


def outside(box: Box, wanted: Wanted) -> Iterator[Box]:
    """The rest of it, in boxes that do not overlap."""
    left = list(box)
    for axis, mask in wanted:
        rest = left[axis] & ~mask
        if rest:
            yield (*left[:axis], rest, *left[axis + 1 :])
        left[axis] &= mask
        if not left[axis]:
            return


MOST_STEPS = 20_000
"""Boxes looked at for one question about rules."""


class Undecided(Exception):
    """The rules multiply too far to answer within MOST_STEPS."""


def free_of(box: Box, others: Sequence[Wanted]) -> Box | None:
    """Some part of a box in which none of these conjunctions holds; None: they cover it. Raises Undecided."""
    waiting = [(box, 0)]
    for _ in range(MOST_STEPS):
        if not waiting:
            return None
        part, at = waiting.pop()
        while at < len(others) and inside(part, others[at]) is None:
            at += 1
        if at == len(others):
            return part
        waiting.extend((rest, at + 1) for rest in outside(part, others[at]))
    raise Undecided
