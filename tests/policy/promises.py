"""What holds of every load, whatever the text: places are inside the file, and no unknown key passes."""

import re
from collections.abc import Iterator
from typing import Any

from router.errors import Problem
from router.policy.document import Document
from router.policy.document import Path as Way
from router.policy.forms import Block, Form, form_at
from router.policy.load import Loaded
from router.policy.table.root import ROOT
from router.values import Place

BREAK = re.compile(r"\r\n|\r|\n")


def check_load(loaded: Loaded, text: str, document: Document | None) -> None:
    """All of it. `document` is what the reader makes of `text`, None where it is no YAML."""
    assert loaded.plan is not None or loaded.errors
    assert len(set(loaded.problems)) == len(loaded.problems)
    positions = [(found.place.line, found.place.column) for found in loaded.problems]
    assert positions == sorted(positions)
    check_places(loaded.problems, text)
    if document is not None:
        check_strangers(loaded, document)


def inside(place: Place, lines: list[str]) -> bool:
    if not 1 <= place.line <= len(lines) + 1:
        return False
    line = lines[place.line - 1] if place.line <= len(lines) else ""
    return 1 <= place.column <= len(line) + 1


def check_places(problems: tuple[Problem, ...], text: str) -> None:
    lines = BREAK.split(text.removeprefix("\ufeff"))
    for found in problems:
        for place in (found.place, found.also):
            assert place is None or inside(place, lines), found


def strangers(value: Any, form: Form | None, way: Way = ()) -> Iterator[Way]:
    """Keys that the table of keys does not have where they stand."""
    if isinstance(value, dict):
        for key, below in value.items():
            if isinstance(form, Block) and key not in form.keys:
                yield (*way, key)
            else:
                yield from strangers(below, form_at(form, (key,)) if form else None, (*way, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from strangers(item, form_at(form, (index,)) if form else None, (*way, index))


def check_strangers(loaded: Loaded, document: Document) -> None:
    errors = {found.place for found in loaded.errors}
    for way in strangers(document.value, ROOT):
        assert document.key_place(way) in errors, way
        assert loaded.plan is None
