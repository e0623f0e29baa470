"""Text to documents: the YAML 1.2 core schema, strictly, over libyaml's events.

Events still show what a loader hides: anchors, tags, duplicate keys, nulls, quotes, and where each of them stands.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import TYPE_CHECKING, Any

from router.errors import Problem
from router.policy.document import DICT, Document, Path
from router.policy.traps import (
    NO_SPACE,
    Fault,
    ambiguous,
    anchored,
    scanner_fault,
    shown,
    tagged,
    valueless_key,
)
from router.values import Place

if TYPE_CHECKING:
    from yaml import YAMLError
    from yaml.events import Event, NodeEvent

DEEPEST = 40

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_TRUTHS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_NUMERIC = re.compile(r"[-+.0-9]")
_INT = re.compile(r"[-+]?[0-9]{1,40}")
_RADIX = re.compile(r"0o[0-7]{1,40}|0x[0-9a-fA-F]{1,40}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NO_NUMBER = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ABSENT: Any = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """A document, or None where the text is no YAML at all; and what is wrong with it so far."""

    document: Document | None
    problems: tuple[Problem, ...]


def read_text(text: str, file: str) -> Read:
    """Never raises: whatever the text holds becomes a document or a problem."""
    text = text.removeprefix("\ufeff")
    odd = _UNPRINTABLE.search(text)
    if odd:
        before = text[: odd.start()]
        place = Place(file=file, line=before.count("\n") + 1, column=odd.start() - before.rfind("\n"))
        message = f"a character no policy needs (U+{ord(odd[0]):04X})"
        found = Problem(code="yaml", message=message, place=place, help="delete it")
        return Read(document=None, problems=(found,))
    return _Reader(text=text, file=file).read()


def read_dict(value: object, file: str = DICT) -> Read:
    """The same document from values already in memory; places name the path instead of a line."""
    try:
        plain = _plain(value, ())
    except _Unfit as unfit:
        place = Document(file=file, value=None).place(unfit.path)
        return Read(document=None, problems=(Problem(code="wrong-form", message=unfit.message, place=place),))
    return Read(document=Document(file=file, value=plain), problems=())


class _Unfit(Exception):
    def __init__(self, path: Path, message: str) -> None:
        self.path, self.message = path, message


def _plain(value: object, path: Path) -> Any:
    if len(path) > DEEPEST:
        raise _Unfit(path[:3], f"values nested deeper than {DEEPEST} levels")
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise _Unfit(path, f"the key {shown(key)} is not text")
        return {str(key): _plain(below, (*path, str(key))) for key, below in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, (*path, index)) for index, item in enumerate(value)]
    if isinstance(value, str | bool | int) or (isinstance(value, float) and isfinite(value)):
        return value
    raise _Unfit(
        path, f"a value of type `{type(value).__name__}`: policies hold text, numbers, lists and maps"
    )


@dataclass(slots=True)
class _Reader:
    """One pass over the events of one text. Lives as long as that pass."""

    text: str
    file: str
    keys: dict[Path, tuple[int, int]] = field(default_factory=dict)
    values: dict[Path, tuple[int, int]] = field(default_factory=dict)
    raw: dict[Path, str] = field(default_factory=dict)
    damaged: set[Path] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)

    def read(self) -> Read:
        import yaml

        loader = getattr(yaml, "CLoader", yaml.SafeLoader)
        try:
            value = self._root(iter(yaml.parse(self.text, Loader=loader)))
        except yaml.YAMLError as error:
            self.problems.append(self._syntax(error))
            return Read(document=None, problems=tuple(self.problems))
        except _TooDeep as deep:
            self._fault(deep.event, Fault("too-deep", f"values nested deeper than {DEEPEST} levels"))
            return Read(document=None, problems=tuple(self.problems))
        document = Document(
            file=self.file,
            value=value,
            keys=self.keys,
            values=self.values,
            raw=self.raw,
            damaged=frozenset(self.damaged),
        )
        return Read(document=document, problems=tuple(self.problems))

    def _root(self, events: "Iterator[Event]") -> Any:
        import yaml

        value = _ABSENT
        documents = 0
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self._fault(event, Fault("second-document", "a second document", "one document a file"))
                    break
                self._directives(event)
            elif isinstance(event, yaml.NodeEvent):
                value = self._value(events, event, ())
        if value is _ABSENT:
            self.values[()] = (1, 1)
            return {}
        return value

    def _directives(self, event: "Event") -> None:
        version = getattr(event, "version", None)
        if version not in (None, (1, 2)):
            found = ".".join(str(part) for part in version or ())
            fault = Fault("yaml", f"`%YAML {found}`: policies are YAML 1.2", "take the line out")
            self._fault(event, fault)

    def _value(self, events: "Iterator[Event]", event: "NodeEvent", path: Path) -> Any:
        """The value that starts with `event`; _ABSENT where it was refused."""
        import yaml

        if len(path) > DEEPEST:
            raise _TooDeep(event)
        if isinstance(event, yaml.AliasEvent):
            self._fault(event, anchored(str(event.anchor), "*"))
            return _ABSENT
        refused = self._decorated(event)
        self.values[path] = _position(event)
        if isinstance(event, yaml.ScalarEvent):
            return _ABSENT if refused else self._scalar(event, path)
        if isinstance(event, yaml.MappingStartEvent):
            return self._map(events, path)
        return self._list(events, path)

    def _decorated(self, event: Any) -> bool:
        """Anchors and tags are reported; a scalar's value is worth nothing then, a map or list is still read."""
        if event.anchor is not None:
            self._fault(event, anchored(event.anchor, "&"))
        if event.tag is not None:
            self._fault(event, tagged(event.tag))
        return event.anchor is not None or event.tag is not None

    def _map(self, events: "Iterator[Event]", path: Path) -> dict[str, Any]:
        import yaml

        found: dict[str, Any] = {}
        previous: object = None
        while not isinstance(key_event := next(events), yaml.MappingEndEvent):
            if not isinstance(key_event, yaml.ScalarEvent):
                self._fault(key_event, Fault("key-not-text", "a key must be text", "write `key: value`"))
                self._skip(events, key_event)
                self._skip(events, next(events))
                continue
            previous = self._entry(events, key_event, path, found, previous)
        return found

    def _entry(
        self, events: "Iterator[Event]", key_event: Any, path: Path, found: dict[str, Any], previous: object
    ) -> object:
        """Read one `key: value` into `found`; returns the value, for what the next key may have been cut from."""
        key: str = key_event.value
        below = (*path, key)
        value_event: Any = next(events)
        if _is_null(value_event):
            self._fault(key_event, valueless_key(key, previous))
            joined = NO_SPACE.fullmatch(key)
            self.damaged.update((below, (*path, joined[1])) if joined else (below,))
            return None
        fault = self._key_fault(key_event)
        if fault is None and key in found:
            first = Place(file=self.file, line=self.keys[below][0], column=self.keys[below][1])
            message = f"the key {shown(key)} stands here and at {first}"
            self._fault(key_event, Fault("duplicate-key", message, "keep one of them"), also=first)
            self.damaged.add(below)
            self._skip(events, value_event)
            return None
        if fault is not None:
            self._fault(key_event, fault)
            self.damaged.add(below)
            self._skip(events, value_event)
            return None
        self.keys[below] = _position(key_event)
        value = self._value(events, value_event, below)
        if value is _ABSENT:
            self.damaged.add(below)
        else:
            found[key] = value
        return value

    def _key_fault(self, event: Any) -> Fault | None:
        if event.anchor is not None:
            return anchored(event.anchor, "&")
        if event.tag is not None:
            return tagged(event.tag)
        if not _is_plain(event):
            return None
        key: str = event.value
        if key == "<<":
            advice = "write the values out, or name a policy with `{policy: ...}`"
            return Fault("merge-key", "`<<` is not part of YAML 1.2", advice)
        fault = ambiguous(key)
        if fault is None and not isinstance(_resolved(key), str):
            fault = Fault(
                "key-not-text", f"the key {shown(key)} {_reads_as(_resolved(key))}", f'quote it: "{key}"'
            )
        return fault

    def _list(self, events: "Iterator[Event]", path: Path) -> list[Any]:
        import yaml

        found: list[Any] = []
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            below = (*path, len(found))
            value = self._value(events, event, below)  # type: ignore[arg-type]
            if value is _ABSENT:
                self.damaged.add(below)
            else:
                found.append(value)
        return found

    def _scalar(self, event: Any, path: Path) -> Any:
        text: str = event.value
        if not _is_plain(event):
            return text
        fault = ambiguous(text) or _unreadable(text)
        if fault is not None:
            self._fault(event, fault)
            return _ABSENT
        value = _resolved(text)
        if value is None:
            self._fault(event, Fault("empty-value", "an empty value", "give it one, or take the key out"))
            return _ABSENT
        if not isinstance(value, str):
            self.raw[path] = text
        return value

    def _skip(self, events: "Iterator[Event]", event: "Event") -> None:
        """Pass over the value that starts with `event`."""
        import yaml

        depth = 0
        while True:
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if depth == 0:
                return
            event = next(events)

    def _fault(self, event: Any, fault: Fault, *, also: Place | None = None) -> None:
        line, column = _position(event)
        place = Place(file=self.file, line=line, column=column)
        self.problems.append(
            Problem(code=fault.code, message=fault.message, help=fault.help, place=place, also=also)
        )

    def _syntax(self, error: "YAMLError") -> Problem:
        context = getattr(error, "context", None) or ""
        begun = ("scanning" in context and "simple key" not in context) or "flow" in context
        marks = (getattr(error, "context_mark", None), getattr(error, "problem_mark", None))
        mark = next((each for each in (marks if begun else marks[::-1]) if each is not None), None)
        line, column = (mark.line, mark.column) if mark else (0, 0)
        lines = self.text.splitlines() or [""]
        problem = getattr(error, "problem", None) or "unreadable"
        if "mapping values" in problem and line > 0 and NO_SPACE.fullmatch(lines[line - 1].strip()):
            line -= 1  # that line is one word, and this one reads as its continuation
            column = len(lines[line]) - len(lines[line].lstrip())
        at = lines[min(line, len(lines) - 1)]
        fault = scanner_fault(problem, context, line=at, column=column)
        place = Place(file=self.file, line=line + 1, column=column + 1)
        return Problem(code=fault.code, message=fault.message, help=fault.help, place=place)


class _TooDeep(Exception):
    def __init__(self, event: "Event") -> None:
        self.event = event


def _position(event: Any) -> tuple[int, int]:
    """(line, column) of where an event starts, from 1."""
    mark = event.start_mark
    return (mark.line + 1, mark.column + 1)


def _is_plain(event: Any) -> bool:
    return bool(event.implicit[0])


def _is_null(event: Any) -> bool:
    """A value that nobody wrote: not `null` or `~`, which someone did."""
    return (
        getattr(event, "value", None) == ""
        and event.tag is None
        and event.anchor is None
        and _is_plain(event)
    )


def _resolved(text: str) -> Any:
    """The value of a plain scalar in the core schema; None for null."""
    if text in _NULLS:
        return None
    if text in _TRUTHS:
        return _TRUTHS[text]
    if not _NUMERIC.match(text):
        return text
    if _INT.fullmatch(text):
        return int(text)
    if _RADIX.fullmatch(text):
        return int(text, 0)
    return float(text) if _FLOAT.fullmatch(text) else text


def _unreadable(text: str) -> Fault | None:
    """A number that no policy can hold."""
    if not _NUMERIC.match(text):
        return None
    endless = _FLOAT.fullmatch(text) and not isfinite(float(text))
    if endless or _NO_NUMBER.fullmatch(text):
        return Fault(
            "wrong-form", f"{shown(text)} is not a number a policy can hold", "write a finite number"
        )
    return None


def _reads_as(value: object) -> str:
    if value is None:
        return "reads as nothing"
    kind = "the truth value" if isinstance(value, bool) else "the number"
    return f"reads as {kind} {shown(value)}"
