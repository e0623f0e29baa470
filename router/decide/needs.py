"""What a request needs of a model, read from its messages and parameters."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from router.values import Message

PART_NEEDS: Mapping[str, str] = {
    "image_url": "vision",
    "input_image": "vision",
    "input_audio": "audio",
    "file": "files",
    "input_file": "files",
}
NEEDS = ("tools", "json", "vision", "audio", "files")


def needs_of(messages: Sequence[Message], params: Mapping[str, Any]) -> frozenset[str]:
    """The capabilities this request can't do without, in the words of `supports:`."""
    found = {PART_NEEDS[part] for part in _part_types(messages) if part in PART_NEEDS}
    if params.get("tools"):
        found.add("tools")
    response_format = params.get("response_format")
    if isinstance(response_format, Mapping) and response_format.get("type") != "text":
        found.add("json")
    return frozenset(found)


def _part_types(messages: Sequence[Message]) -> Iterator[str]:
    for message in messages:
        content = message.get("content")
        if isinstance(content, list | tuple):
            yield from (str(part.get("type")) for part in content if isinstance(part, Mapping))
