"""What a request needs of a model, read from its messages and parameters."""

from collections.abc import Mapping, Sequence
from typing import Any

from router.decide.parts import parts_of
from router.values import Message

PART_NEEDS: Mapping[str, str] = {
    "image_url": "vision",
    "input_audio": "audio",
    "file": "files",
}
NEEDS = ("tools", "json", "vision", "audio", "files")


def needs_of(messages: Sequence[Message], params: Mapping[str, Any]) -> frozenset[str]:
    """The capabilities this request can't do without, in the words of `supports:`."""
    types = {part.get("type") for part in parts_of(messages)}
    found = {need for kind, need in PART_NEEDS.items() if kind in types}
    if params.get("tools"):
        found.add("tools")
    response_format = params.get("response_format")
    if isinstance(response_format, Mapping) and response_format.get("type") != "text":
        found.add("json")
    return frozenset(found)
