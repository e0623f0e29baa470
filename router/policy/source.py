"""Text to documents: the YAML 1.2 core schema, strictly, over libyaml's events.

Events still show what a loader hides: anchors, tags, duplicate keys, nulls, quotes, and where each of them stands.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

from router.errors import Problem
from router.policy.core import reads_as, resolved, unreadable
from router.policy.document import DICT, Document, Path
from router.policy.stumbles import position_of, stumble
from router.policy.traps import (
    NO_SPACE,
    Fault,
    ambiguous,
    anchored,
    shown,
    tagged,
    valueless_key,
)
from router.values import Place

DEEPEST = 40

_UNWANTED = re.compile(
    "[^\t\n\r\x20-\x7e\xa0-\u2027\u202f-\u2065\u206a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
"""What does not show, what YAML versions differ about (NEL, LS, PS, a second BOM), and what turns the direction of a
line around, so that a reviewer reads another text than the program."""

_ABSENT: Any = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """A document, or None where the text is no YAML at all; and what is wrong with it so far."""

    document: Document | None
    problems: tuple[Problem, ...]


def read_text(text: str, file: str) -> Read:
    """Never raises: whatever the text holds becomes a document or a problem."""
    text = text.removeprefix("\ufeff")
    odd = _UNWANTED.search(text)
    if odd:
        line, column = position_of(odd.start(), text)
        message = f"a character no policy needs (U+{ord(odd[0]):04X})"
        place = Place(file=file, line=line, column=column)
        found = Problem(code="yaml", message=message, place=place, help="delete it")
        return Read(document=None, problems=(found,))
    return _Reader(text=text, file=file).read()


def read_dict(value: object, file: str = DICT) -> Read:
    """The same document from values already in memory; places name the path instead of a line."""
    taken = _Taken(file=file)
    try:
        plain = taken.plain(value, ())
    except _TooDeep as deep:
        taken.fault(deep.at, Fault("too-deep", f"values nested deeper than {DEEPEST} levels"))
        return Read(document=None, problems=tuple(taken.problems))
    document = Document(file=file, value=plain, damaged=frozenset(taken.damaged))
    return Read(document=document, problems=tuple(taken.problems))


class _TooDeep(Exception):
    """`at` is what was too deep: an event, or a path."""

    def __init__(self, at: Any) -> None:
        self.at = at


@dataclass(slots=True)
class _Taken:
    """What was found wrong with values in memory, on the way through them."""

    file: str
    damaged: set[Path] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)

    def plain(self, value: object, path: Path) -> Any:
        """The value in plain dicts and lists; _ABSENT where it was refused."""
        if len(path) > DEEPEST:
            raise _TooDeep(path[:3])
        if isinstance(value, Mapping):
            return self._map(value, path)
        if isinstance(value, list | tuple):
            found = (self.plain(item, (*path, index)) for index, item in enumerate(value))
            return [item for item in found if item is not _ABSENT]
        if isinstance(value, str | bool | int) or (isinstance(value, float) and isfinite(value)):
            return value
        return self.fault(path, _unfit(value))

    def _map(self, value: Mapping[Any, object], path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, below in value.items():
            if not isinstance(key, str):
                self.fault(path, Fault("key-not-text", f"the key {shown(key)} is not text", "make it text"))
                continue
            taken = self.plain(below, (*path, key))
            if taken is not _ABSENT:
                found[str(key)] = taken
        return found

    def fault(self, path: Path, fault: Fault) -> Any:
        place = Document(file=self.file, value=None).place(path)
        self.damaged.add(path)
        self.problems.append(Problem(code=fault.code, message=fault.message, help=fault.help, place=place))
        return _ABSENT


def _unfit(value: object) -> Fault:
    if value is None:
        return Fault("empty-value", "an empty value", "give it one, or take the key out")
    if isinstance(value, float):
        return Fault(
            "wrong-form", f"{shown(value)} is not a number a policy can hold", "write a finite number"
        )
    message = f"a value of type `{type(value).__name__}`: policies hold text, numbers, lists and maps"
    return Fault("wrong-form", message)


@dataclass(slots=True)
class _Reader:
    """One pass over the events of one text. Lives as long as that pass.

    Policies repeat themselves: plain texts that were found to be good are `known`.
    """

    text: str
    file: str
    keys: dict[Path, tuple[int, int]] = field(default_factory=dict)
    values: dict[Path, tuple[int, int]] = field(default_factory=dict)
    raw: dict[Path, str] = field(default_factory=dict)
    damaged: set[Path] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)
    known: set[str] = field(default_factory=set)
    next: Callable[[], Any] = field(init=False)
    yaml: Any = field(init=False)
    scalar: Any = field(init=False)

    def read(self) -> Read:
        import yaml

        loader = getattr(yaml, "CLoader", yaml.SafeLoader)(self.text)
        self.next, self.yaml, self.scalar = loader.get_event, yaml, yaml.ScalarEvent
        try:
            value = self._root()
        except yaml.YAMLError as error:
            line, column, fault = stumble(error, self.text)
            self._fault_at(line, column, fault)
            return Read(document=None, problems=tuple(self.problems))
        except _TooDeep as deep:
            self._fault(deep.at, Fault("too-deep", f"values nested deeper than {DEEPEST} levels"))
            return Read(document=None, problems=tuple(self.problems))
        finally:
            loader.dispose()
        document = Document(
            file=self.file,
            value=value,
            keys=self.keys,
            values=self.values,
            raw=self.raw,
            damaged=frozenset(self.damaged),
        )
        return Read(document=document, problems=tuple(self.problems))

    def _root(self) -> Any:
        value = _ABSENT
        documents = 0
        while (event := self.next()) is not None:
            if isinstance(event, self.yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self._fault(event, Fault("second-document", "a second document", "one document a file"))
                    self.damaged.add(())  # what it declares is not read
                    break
                self._directives(event)
            elif isinstance(event, self.yaml.NodeEvent) and not _is_null(event):
                value = self._value(event, ())
        self.values.setdefault((), (1, 1))
        return {} if value is _ABSENT else value

    def _directives(self, event: Any) -> None:
        if event.version not in (None, (1, 2)):
            found = ".".join(str(part) for part in event.version)
            fault = Fault("yaml", f"`%YAML {found}`: policies are YAML 1.2", "take the line out")
            self._fault(event, fault)
        if event.tags:
            self._fault(event, Fault("tag", "`%TAG`: policies have no tags", "take the line out"))

    def _value(self, event: Any, path: Path) -> Any:
        """The value that starts with `event`; _ABSENT where it was refused."""
        if len(path) > DEEPEST:
            raise _TooDeep(event)
        self.values[path] = _position(event)
        if type(event) is self.scalar and event.anchor is None and event.tag is None:
            return self._scalar(event, path)
        if isinstance(event, self.yaml.AliasEvent):
            self._fault(event, anchored(str(event.anchor), "*"))
            return self._refused(path)
        self._decorated(event)
        if type(event) is self.scalar:
            return self._refused(path)
        return self._map(path) if isinstance(event, self.yaml.MappingStartEvent) else self._list(path)

    def _refused(self, path: Path) -> Any:
        self.damaged.add(path)
        return _ABSENT

    def _decorated(self, event: Any) -> None:
        """Anchors and tags are reported; a scalar's value is worth nothing then, a map or list is still read."""
        if event.anchor is not None:
            self._fault(event, anchored(event.anchor, "&"))
        if event.tag is not None:
            self._fault(event, tagged(event.tag))

    def _map(self, path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        previous: object = None
        end = self.yaml.MappingEndEvent
        while type(event := self.next()) is not end:
            if type(event) is self.scalar:
                previous = self._entry(event, path, found, previous)
            else:
                self._no_key(event)
        return found

    def _no_key(self, event: Any) -> None:
        alias = event.anchor if isinstance(event, self.yaml.AliasEvent) else None
        fault = Fault("key-not-text", "a key must be text", "write `key: value`")
        self._fault(event, anchored(alias, "*") if alias is not None else fault)
        self._skip(event)
        self._skip(self.next())

    def _entry(self, event: Any, path: Path, found: dict[str, Any], previous: object) -> object:
        """Read one `key: value` into `found`; returns the value, for what the next key may have been cut from."""
        key: str = event.value
        below = (*path, key)
        value_event = self.next()
        fault = None if self._is_known(event) else self._key_fault(event)
        if fault is not None or below in self.keys or _is_null(value_event):
            self._bad_entry(event, value_event, below, fault, previous)
            return None
        self.keys[below] = _position(event)
        value = self._value(value_event, below)
        if value is not _ABSENT:
            found[key] = value
        return value

    def _bad_entry(
        self, event: Any, value_event: Any, path: Path, fault: Fault | None, previous: object
    ) -> None:
        """A key that can't be used, or that has no value. Nothing is known of what was meant by it."""
        key: str = event.value
        self.damaged.add(path)
        position = self.keys.setdefault(path, _position(event))
        first = Place(file=self.file, line=position[0], column=position[1])
        if _is_null(value_event):
            self._fault(event, valueless_key(key, previous))
            joined = NO_SPACE.fullmatch(key)
            if joined:
                self.damaged.add((*path[:-1], joined[1]))
        elif fault is not None:
            self._fault(event, fault)
        else:
            message = f"the key {shown(key)} stands here and at {first}"
            self._fault(event, Fault("duplicate-key", message, "keep one of them"), also=first)
        self._skip(value_event)

    def _is_known(self, event: Any) -> bool:
        return event.value in self.known and event.anchor is None and event.tag is None

    def _key_fault(self, event: Any) -> Fault | None:
        if event.anchor is not None:
            return anchored(event.anchor, "&")
        if event.tag is not None:
            return tagged(event.tag)
        if not event.implicit[0]:
            return None
        key: str = event.value
        if key == "<<":
            advice = "write the values out, or name a policy with `{policy: ...}`"
            return Fault("merge-key", "`<<` is not part of YAML 1.2", advice)
        fault = ambiguous(key) or unreadable(key)
        if fault is None and not isinstance(resolved(key), str):
            message = f"the key {shown(key)} {reads_as(resolved(key))}"
            fault = Fault("key-not-text", message, f'quote it: "{key}"')
        if fault is None:
            self.known.add(key)
        return fault

    def _list(self, path: Path) -> list[Any]:
        found: list[Any] = []
        end = self.yaml.SequenceEndEvent
        while type(event := self.next()) is not end:
            value = self._value(event, (*path, len(found)))
            if value is not _ABSENT:
                found.append(value)
        return found

    def _scalar(self, event: Any, path: Path) -> Any:
        text: str = event.value
        if text in self.known or not event.implicit[0]:
            return text
        fault = ambiguous(text) or unreadable(text)
        if fault is None and resolved(text) is None:
            fault = Fault("empty-value", "an empty value", "give it one, or take the key out")
        if fault is not None:
            self._fault(event, fault)
            return self._refused(path)
        value = resolved(text)
        if isinstance(value, str) and text != "<<":  # which is text, and no key
            self.known.add(text)
        else:
            self.raw[path] = text
        return value

    def _skip(self, event: Any) -> None:
        """Pass over the value that starts with `event`."""
        depth = 0
        while True:
            depth += isinstance(event, self.yaml.CollectionStartEvent)
            depth -= isinstance(event, self.yaml.CollectionEndEvent)
            if depth == 0:
                return
            event = self.next()

    def _fault(self, event: Any, fault: Fault, *, also: Place | None = None) -> None:
        self._fault_at(*_position(event), fault, also=also)

    def _fault_at(self, line: int, column: int, fault: Fault, *, also: Place | None = None) -> None:
        place = Place(file=self.file, line=line, column=column)
        self.problems.append(
            Problem(code=fault.code, message=fault.message, help=fault.help, place=place, also=also)
        )


def _position(event: Any) -> tuple[int, int]:
    """(line, column) of where an event starts, from 1."""
    mark = event.start_mark
    return (mark.line + 1, mark.column + 1)


def _is_null(event: Any) -> bool:
    """A value that nobody wrote: not `null` or `~`, which someone did."""
    return (
        getattr(event, "value", None) == ""
        and event.tag is None
        and event.anchor is None
        and bool(event.implicit[0])
    )
