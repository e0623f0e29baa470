"""Two sets of policies beside each other: pairs of files, and neighbours among random documents."""

from copy import deepcopy
from pathlib import Path
from random import Random
from typing import Any

from router.policy.load import load, load_text
from router.tools.diff import Side, side_of
from tests.policy.books import Book
from tests.reference.book import BOOK
from tests.reference.router_side import Book as WorldBook
from tests.reference.worlds import make_world

PAIRS = Path(__file__).parent / "pairs"
"""A folder for each change, with `old.yaml`, `new.yaml`, and in `told.txt` what a reviewer reads."""

ENTRIES = ("policies", "tenants", "providers")


def side(text: str, name: str) -> Side:
    """A text as a side, priced by the small book of tests."""
    return side_of(name, load_text(text, Book(), file=name))


def pair(name: str) -> tuple[Side, Side]:
    old, new = (side((PAIRS / name / file).read_text(), file) for file in ("old.yaml", "new.yaml"))
    return old, new


def mixed(seed: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """A world's document, and the same with some entries of another world, as neighbours in a history are."""
    random = Random(seed)
    one, other = (dict(make_world(each).document) for each in (seed, seed + 1_000_000))
    both = deepcopy(one)
    for block in ENTRIES:
        for name in both.get(block, {}):
            if name in other.get(block, {}) and random.random() < 0.3:
                both[block][name] = deepcopy(other[block][name])
    return one, both


def world_sides(seed: int) -> tuple[Side, Side] | None:
    """Both documents of `mixed` as sides; None where one of them is not accepted."""
    book = WorldBook(BOOK)
    loaded = [load(document, book) for document in mixed(seed)]
    if any(each.plan is None for each in loaded):
        return None
    old, new = loaded
    return side_of("old", old), side_of("new", new)
