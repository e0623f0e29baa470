"""What `check` says of one side and not of the other, wherever it stands in the files."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import zip_longest

from router.errors import Problem
from router.policy.document import Document, Path
from router.policy.load import Loaded
from router.values import Place

_PLACE = re.compile(r"\S+:\d+:\d+")
_FIGURE = re.compile(r"\$?\d[\d.]*[a-zA-Z%]*")
_VALUE = re.compile(r"[:{\[]")
"""In backticks: a value as it is written, not a name."""

_NAMED_BY = ("name", "model", "policy")
"""What an item of a list is known by, wherever it stands in the list."""

Sense = tuple[str, str, str, tuple[str, ...]]
"""(code, severity, message without places and figures, the path to the value)."""


def finding_changes(old: Loaded, new: Loaded) -> tuple[tuple[Problem, ...], tuple[Problem, ...]]:
    """(new, gone), each in the order of its files."""
    was, now = list(_senses(old)), list(_senses(new))
    return _beyond(now, was), _beyond(was, now)


def _beyond(found: list[tuple[Sense, Problem]], known: list[tuple[Sense, Problem]]) -> tuple[Problem, ...]:
    left = Counter(sense for sense, _ in known)
    more = []
    for sense, problem in found:
        left[sense] -= 1
        if left[sense] < 0:
            more.append(problem)
    return tuple(more)


def _senses(loaded: Loaded) -> Iterator[tuple[Sense, Problem]]:
    places = {document.file: _Index(document) for document in loaded.documents}
    for problem in loaded.problems:
        index = places.get(problem.place.file)
        where = index.path(problem.place) if index else (problem.place.file,)
        yield (problem.code, problem.severity, _gist(problem.message), where), problem


def _gist(message: str) -> str:
    """What it says, whatever the figures are: names stay, and lines and values are left out."""
    parts = message.split("`")  # every second one is in backticks
    words = [_FIGURE.sub("...", _PLACE.sub("...", part)) for part in parts[::2]]
    names = ["..." if _VALUE.search(part) else part for part in parts[1::2]]
    return "`".join(word for pair in zip_longest(words, names, fillvalue="") for word in pair)


class _Index:
    """Where a place lies in a document, as names that survive reordering."""

    def __init__(self, document: Document) -> None:
        self._value = document.value
        self._paths: Mapping[tuple[int, int], Path] = {
            **{place: path for path, place in document.values.items()},
            **{place: path for path, place in document.keys.items()},
        }

    def path(self, place: Place) -> tuple[str, ...]:
        return tuple(self._steps(self._paths.get((place.line, place.column), ())))

    def _steps(self, path: Path) -> Iterator[str]:
        value = self._value
        for step in path:
            try:
                value = value[step]
            except (KeyError, IndexError, TypeError):  # what was refused is in the document no more
                yield str(step)
                return
            yield str(step) if isinstance(step, str) else _named(value)


def _named(item: object) -> str:
    if isinstance(item, dict):
        return next((str(item[key]) for key in _NAMED_BY if key in item), "")
    return str(item)
