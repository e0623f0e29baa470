"""What is left of a box is just what a conjunction does not hold in, and a cover has no hole."""

from collections.abc import Iterator
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.decide import boxes
from router.decide.boxes import Box, Undecided, Wanted, free_of, inside, outside

AXES, ATOMS = 3, 3
FULL: Box = ((1 << ATOMS) - 1,) * AXES

BITS = st.integers(1, (1 << ATOMS) - 1)
BOXES = st.tuples(*[BITS] * AXES)
WANTED = st.dictionaries(st.integers(0, AXES - 1), BITS).map(lambda each: tuple(sorted(each.items())))


def points(box: Box) -> Iterator[tuple[int, ...]]:
    """Every choice of one atom for each axis."""
    return product(*([atom for atom in range(ATOMS) if bits >> atom & 1] for bits in box))


def holds_at(point: tuple[int, ...], wanted: Wanted) -> bool:
    return all(mask >> point[axis] & 1 for axis, mask in wanted)


@given(box=BOXES, wanted=WANTED)
def test_a_box_is_parted_without_overlap_or_loss(box: Box, wanted: Wanted) -> None:
    held = inside(box, wanted)
    assert set(points(held) if held else ()) == {each for each in points(box) if holds_at(each, wanted)}
    rest = [point for part in outside(box, wanted) for point in points(part)]
    assert len(rest) == len(set(rest))
    assert set(rest) == {each for each in points(box) if not holds_at(each, wanted)}


@given(box=BOXES, others=st.lists(WANTED, max_size=6))
def test_a_box_is_covered_where_no_point_of_it_is_free(box: Box, others: list[Wanted]) -> None:
    free = {each for each in points(box) if not any(holds_at(each, wanted) for wanted in others)}
    found = free_of(box, others)
    assert (found is None) == (not free)
    assert found is None or set(points(found)) <= free


def test_too_many_steps_are_said_and_not_guessed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    others: list[Wanted] = [((axis, 1 << atom),) for atom in range(ATOMS) for axis in range(AXES)]
    assert free_of(FULL, others) is None
    monkeypatch.setattr(boxes, "MOST_STEPS", 2)
    with pytest.raises(Undecided):
        free_of(FULL, others)
