"""Other programs' YAML, read as PyYAML's safe loader reads it, with the place of every key.

Policies are read strictly (source.py). A file that is only converted is read as the program that it was written for
reads it: YAML 1.1 words, anchors, aliases, merge keys; and where a key stands twice the last one wins.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from router.errors import Problem
from router.policy.document import Path
from router.values import Place

if TYPE_CHECKING:
    from yaml import YAMLError
    from yaml.nodes import MappingNode, Node, ScalarNode

DEEPEST = 60
MOST_VALUES = 200_000
"""Aliases of aliases multiply: a file of a few lines can stand for more values than a machine has room for."""

_MERGE = "tag:yaml.org,2002:merge"
_PLAIN = frozenset({"tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """One value as its author wrote it.

    `value` is a scalar as PyYAML reads it, a map of Written, or a tuple of Written; `text` is a scalar's own text.
    `place` is where its key stands, else the value itself: of what an alias brings in, the place of the anchor's.
    `lost` are the values of the same key of this map that stand before it: the loader drops them.
    """

    path: Path
    place: Place
    value: Any = field(repr=False)  # what an author wrote may be a secret
    text: str = field(default="", repr=False)
    lost: tuple["Written", ...] = ()

    def get(self, *path: str) -> "Written | None":
        """What stands below these keys; None where a step does not exist or is no map."""
        found: Written | None = self
        for step in path:
            found = found.value.get(step) if found is not None and isinstance(found.value, Mapping) else None
        return found

    def fields(self) -> tuple[tuple[str, "Written"], ...]:
        """Its keys and values; none where it is no map."""
        return tuple(self.value.items()) if isinstance(self.value, Mapping) else ()

    def items(self) -> tuple["Written", ...]:
        """Its items; none where it is no list."""
        return self.value if isinstance(self.value, tuple) else ()

    @property
    def is_leaf(self) -> bool:
        """A scalar, or a map or list that holds nothing."""
        return not isinstance(self.value, Mapping | tuple) or not self.value

    def leaves(self) -> Iterator["Written"]:
        """Every key or item below that holds no further ones, values that were lost included."""
        for below in self.below():
            if below.is_leaf:
                yield below

    def below(self) -> Iterator["Written"]:
        """This value and everything in it, in the order of the file, values that were lost included."""
        for lost in self.lost:
            yield from lost.below()
        yield self
        for each in (*(value for _, value in self.fields()), *self.items()):
            yield from each.below()


@dataclass(frozen=True, slots=True, kw_only=True)
class LenientRead:
    """The root, or None and why the text is no YAML that PyYAML's safe loader takes."""

    root: Written | None
    problem: Problem | None = None


def read_lenient(text: str, file: str) -> LenientRead:
    """Never raises: a text that the safe loader refuses becomes a problem with its place."""
    import yaml

    try:
        loader: Any = yaml.SafeLoader(text.removeprefix("\ufeff"))
        node = loader.get_single_node()
        if node is None:
            return _not_yaml(file, 1, 1, "the file is empty")
        return LenientRead(root=_Builder(loader, file).root(node))
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        message = f"a character that YAML does not allow (U+{int(error.character):04X})"
        return _not_yaml(file, before.count("\n") + 1, error.position - before.rfind("\n"), message)
    except yaml.YAMLError as error:
        return _unreadable(error, file)
    except _Unfit as unfit:
        return _not_yaml(file, *_position(unfit.node), unfit.message)


class _Unfit(Exception):
    def __init__(self, node: "Node", message: str) -> None:
        self.node, self.message = node, message


class _Builder:
    """From one file's nodes to values. Lives as long as that takes."""

    def __init__(self, loader: Any, file: str) -> None:
        self._loader, self._file, self._count = loader, file, 0

    def root(self, node: "Node") -> Written:
        return self._written(node, (), node)

    def _written(self, node: "Node", path: Path, at: "Node", lost: tuple[Written, ...] = ()) -> Written:
        import yaml

        self._count += 1
        if self._count > MOST_VALUES or len(path) > DEEPEST:
            raise _Unfit(node, "more values, or values nested deeper, than a config has")
        text = ""
        value: Any = None
        if isinstance(node, yaml.CollectionNode) and node.tag not in _PLAIN:
            raise _Unfit(node, f"the tag `{node.tag}`, which the safe loader does not know")
        if isinstance(node, yaml.MappingNode):
            value = self._map(node, path)
        elif isinstance(node, yaml.SequenceNode):
            value = tuple(self._written(item, (*path, index), item) for index, item in enumerate(node.value))
        elif isinstance(node, yaml.ScalarNode):
            text, value = node.value, self._scalar(node)
        return Written(path=path, place=self._place(at), value=value, text=text, lost=lost)

    def _map(self, node: "MappingNode", path: Path) -> dict[str, Written]:
        own = {self._place(key) for key, _ in node.value}
        found: dict[str, Written] = {}
        for key, value in self._pairs(node, 0):
            name = self._key(key)
            before = found.pop(name, None)
            # what `<<` brought in and the map writes again is not lost: it still stands where it is from
            lost = (*before.lost, replace(before, lost=())) if before and before.place in own else ()
            found[name] = self._written(value, (*path, name), key, lost)
        return found

    def _pairs(self, node: "MappingNode", depth: int) -> list[tuple["ScalarNode", "Node"]]:
        """What `<<` brings in, then the map's own: later ones win."""
        import yaml

        merged: list[tuple[ScalarNode, Node]] = []
        written: list[tuple[ScalarNode, Node]] = []
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _Unfit(key, "a key that is a map or a list")
            if key.tag != _MERGE:
                written.append((key, value))
                continue
            sources = value.value if isinstance(value, yaml.SequenceNode) else [value]
            for source in reversed(sources):  # of several, the first wins
                if not isinstance(source, yaml.MappingNode) or depth > DEEPEST:
                    raise _Unfit(value, "`<<` takes a map, or a list of maps")
                merged.extend(self._pairs(source, depth + 1))
        self._count += len(merged)
        return [*merged, *written]

    def _key(self, node: "ScalarNode") -> str:
        value = self._scalar(node)
        return value if isinstance(value, str) else node.value

    def _scalar(self, node: "ScalarNode") -> Any:
        try:
            return self._loader.construct_object(node)
        except ValueError as error:  # a date or number that only looks like one
            raise _Unfit(node, f"a value that can't be read: {error}") from error

    def _place(self, node: "Node") -> Place:
        line, column = _position(node)
        return Place(file=self._file, line=line, column=column)


def _position(node: "Node") -> tuple[int, int]:
    return node.start_mark.line + 1, node.start_mark.column + 1


def _unreadable(error: "YAMLError", file: str) -> LenientRead:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    told = [getattr(error, "context", None), getattr(error, "problem", None)]
    message = ", ".join(str(part).replace("\n", " ") for part in told if part) or "unreadable"
    return _not_yaml(file, line, column, message)


def _not_yaml(file: str, line: int, column: int, message: str) -> LenientRead:
    place = Place(file=file, line=line, column=column)
    advice = "no loader of YAML takes this file; it is read as far as this place"
    return LenientRead(
        root=None, problem=Problem(code="yaml", message=f"not YAML: {message}", place=place, help=advice)
    )
