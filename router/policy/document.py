"""One document as plain values, with the place of every key and value."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from router.policy.traps import SECRET
from router.values import Place

Path = tuple[str | int, ...]
"""Keys and list indexes from the root of a document down to a value."""

DICT = "<dict>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """`keys` and `values` hold (line, column), from 1, of a map's key and of a value; both empty for a dict.

    `raw` is the text of plain scalars that are numbers or truth values. `damaged` are the paths of what was refused,
    while reading (then it is not in `value`) or by form; `holed` are those of the maps and lists that held it, `hurt`
    its own and all above.
    """

    file: str
    value: Any = field(repr=False)  # what an author wrote may be a secret
    keys: Mapping[Path, tuple[int, int]] = field(default_factory=dict)
    values: Mapping[Path, tuple[int, int]] = field(default_factory=dict)
    raw: Mapping[Path, str] = field(default_factory=dict, repr=False)
    damaged: frozenset[Path] = frozenset()
    holed: frozenset[Path] = frozenset()
    hurt: frozenset[Path] = frozenset()

    def with_damage(self, paths: Iterable[Path]) -> "Document":
        """The same document, in which what stands at these paths is refused too."""
        damaged = self.damaged.union(paths)
        hurt = {path[:length] for path in damaged for length in range(len(path) + 1)}
        holed = frozenset(path[:-1] for path in damaged)
        return replace(self, damaged=damaged, holed=holed, hurt=frozenset(hurt))

    def place(self, path: Path) -> Place:
        """Where the value at `path` starts, or the nearest thing above it that was written."""
        return self._nearest(path, self.values)

    def key_place(self, path: Path) -> Place:
        """Where the key of `path` stands; for an item of a list, the item."""
        return self._nearest(path, self.keys)

    def _nearest(self, path: Path, places: Mapping[Path, tuple[int, int]]) -> Place:
        if not self.values:
            return Place(file=f"{self.file}{dotted(path)}", line=0, column=0)
        line, column = places.get(path) or self._above(path)
        return Place(file=self.file, line=line, column=column)

    def _above(self, path: Path) -> tuple[int, int]:
        while path and path not in self.values:
            path = path[:-1]
        return self.values.get(path, (1, 1))

    @property
    def root(self) -> "Spot":
        return Spot(document=self, path=(), value=self.value)


@dataclass(slots=True)
class Spot:
    """A value inside a document: what passes read, so that whatever they find has a place.

    `parts` are the entries of a map that was woven from several places (`extends`), each where it was written. Nobody
    writes to one; that it isn't frozen makes it four times quicker to make, and a large folder takes hundreds of
    thousands.
    """

    document: Document
    path: Path
    value: Any = field(repr=False)
    parts: "Mapping[str, Spot] | None" = field(default=None, repr=False)

    @property
    def place(self) -> Place:
        return self.document.place(self.path)

    @property
    def key_place(self) -> Place:
        return self.document.key_place(self.path)

    @property
    def key(self) -> str:
        return str(self.path[-1]) if self.path else ""

    @property
    def text(self) -> str | None:
        """The value where it is text; None for anything else."""
        return self.value if isinstance(self.value, str) else None

    @property
    def is_whole(self) -> bool:
        """Whether nothing in it was refused."""
        return self.path not in self.document.hurt

    def is_unsure_of(self, key: str) -> bool:
        """Whether something in it that was refused may have been the value of `key`: then nothing follows from its
        absence."""
        return not isinstance(self.value, dict) or (*self.path, key) in self.document.damaged

    def holds(self, key: str) -> bool:
        """Whether this is a map with that key."""
        return isinstance(self.value, dict) and key in self.value

    def keys(self, known: Iterable[str]) -> "list[str]":
        """Those of the known keys that this map holds, in their order; none for anything else."""
        value = self.value
        return [key for key in known if key in value] if isinstance(value, dict) else []

    def get(self, key: str) -> "Spot | None":
        """The value under `key`; None where this is no map or does not hold it."""
        if self.parts is not None:
            return self.parts.get(key)
        if isinstance(self.value, dict) and key in self.value:
            return self._at(key)
        return None

    def at(self, *keys: str) -> "Spot | None":
        """The value under `keys`, one below the other."""
        spot: Spot | None = self
        for key in keys:
            spot = spot.get(key) if spot else None
        return spot

    def fields(self) -> "Iterator[tuple[str, Spot]]":
        """The entries of a map, in the order written; nothing for anything else."""
        if self.parts is not None:
            yield from self.parts.items()
        elif isinstance(self.value, dict):
            for key in self.value:
                yield key, self._at(key)

    def items(self) -> "Iterator[Spot]":
        """The items of a list; nothing for anything else."""
        if isinstance(self.value, list):
            for index in range(len(self.value)):
                yield self._at(index)

    def _at(self, step: str | int) -> "Spot":
        return Spot(self.document, (*self.path, step), self.value[step])


def text_of(spot: Spot | None) -> str | None:
    """The text of a value that may be absent."""
    return spot.text if spot is not None else None


def dotted(path: Path) -> str:
    """`.policies.fast.targets[0]`; a step that dots would blur is written in brackets."""
    return "".join(_step(step) for step in path)


def _step(step: str | int) -> str:
    if isinstance(step, str) and SECRET.search(step):
        return "[...]"
    if isinstance(step, int) or not step.replace("-", "").replace("_", "").isalnum():
        return f"[{step!r}]"
    return f".{step}"
