"""Where events go: lines of JSON, or a list. Events hold no content and no secret, so neither do these."""

import json
import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from math import isfinite
from typing import Any, TextIO

from router.events import Event


def event_json(event: Event) -> dict[str, Any]:
    """`{"event": "attempt_failed", ...its fields}` as plain JSON values; tuples become lists."""
    return {"event": event_name(type(event)), **_fields(event)}


def event_name(kind: type[Event]) -> str:
    """`AttemptFailed` -> `attempt_failed`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", kind.__name__).lower()


class JsonLines:
    """A Sink that writes each event as one line of JSON to a text file. It never raises: a line that could not be
    written is counted in `lost`. Each line is one write; whoever opened the file closes it (with `buffering=1` the
    lines are there at once)."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self.lost = 0

    def __call__(self, event: Event) -> None:
        line = json.dumps(event_json(event), ensure_ascii=True, separators=(",", ":"))
        try:
            self._file.write(f"{line}\n")
        except (OSError, ValueError):  # a full disk; a closed file
            self.lost += 1


class Collected:
    """A Sink that keeps the events it is given, in order, for tests and tools. It grows until `clear`."""

    def __init__(self) -> None:
        self._events: list[Event] = []

    def __call__(self, event: Event) -> None:
        self._events.append(event)

    @property
    def events(self) -> tuple[Event, ...]:
        return tuple(self._events)

    def of(self, *kinds: type[Event]) -> tuple[Event, ...]:
        """The events of these kinds."""
        return tuple(event for event in self._events if isinstance(event, kinds))

    def clear(self) -> None:
        self._events.clear()


def _fields(value: Any) -> dict[str, Any]:
    return {each.name: _plain(getattr(value, each.name)) for each in fields(value)}


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, float) and not isfinite(value):
        return str(value)  # JSON has no word for it
    if value is None or isinstance(value, (str, int, float)):
        return value
    if is_dataclass(value):
        return _fields(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    return str(value)
