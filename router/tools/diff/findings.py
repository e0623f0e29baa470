"""What `check` says of one side and not of the other, wherever it stands in the files."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import zip_longest

from router.errors import Problem
from router.policy.document import Document, Path
from router.policy.load import Loaded
from router.tools.diff.names import Names
from router.values import Place

_PLACE = re.compile(r"\S+:\d+:\d+")
_FIGURE = re.compile(r"\$?\d[\d.]*[a-zA-Z%]*")
_VALUE = re.compile(r"[:{\[]")
"""In backticks: a value as it is written, not a name."""

_NAMED = re.compile(r"(?<=policy |tenant )[\w-]+(?:[./][\w-]+)*")
"""What requests and budgets are described by, without backticks."""

_NAMED_BY = ("name", "model", "policy")
"""What an item of a list is known by, wherever it stands in the list."""

Sense = tuple[str, str, str, tuple[str, ...]]
"""(code, severity, message without places and figures, the path to the value)."""

Found = tuple[Sense, Problem]


def finding_changes(
    old: Loaded, new: Loaded, names: Names
) -> tuple[tuple[Problem, ...], tuple[Problem, ...]]:
    """(new, gone), each in the order of its files. What is said of something by its old name is no other finding."""
    was, now = list(_senses(old)), list(_senses(new))
    come, gone = _beyond(now, was), _beyond(was, now)
    if names.are_the_same:
        return _problems(come), _problems(gone)
    renamed = [(_today(sense, names), problem) for sense, problem in gone]
    return _problems(_beyond(come, renamed)), _problems(_beyond(renamed, come))


def _problems(found: Iterable[Found]) -> tuple[Problem, ...]:
    return tuple(problem for _, problem in found)


def _beyond(found: Iterable[Found], known: Iterable[Found]) -> list[Found]:
    left = Counter(sense for sense, _ in known)
    more = []
    for sense, problem in found:
        left[sense] -= 1
        if left[sense] < 0:
            more.append((sense, problem))
    return more


def _today(sense: Sense, names: Names) -> Sense:
    """With the names of today. What a message names may be anything: which of them is meant, the place says."""
    code, severity, message, where = sense
    parts = message.split("`")
    parts[::2] = [_NAMED.sub(lambda found: names.any(found[0]), part) for part in parts[::2]]
    parts[1::2] = [names.any(part) for part in parts[1::2]]
    return code, severity, "`".join(parts), tuple(map(names.any, where))


def _senses(loaded: Loaded) -> Iterator[Found]:
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
