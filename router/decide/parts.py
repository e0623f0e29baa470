"""The parts of a message: what each must be, and which of them reach a provider at all. litellm leaves some out without
a word, and fetches others itself, which would be traffic that nobody asked for."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from router.values import Message

Form = Literal["image", "image by URL", "audio", "file", "file by URL", "file by id"]

_TEXTS = frozenset({"text", "refusal"})
PART_TYPES = ("text", "refusal", "image_url", "input_audio", "file")

_REMOTE = ("http://", "https://")
_ALL: frozenset[Form] = frozenset({"image", "image by URL", "audio", "file", "file by URL", "file by id"})
_FILES: frozenset[Form] = frozenset({"file", "file by URL", "file by id"})
_BY_URL: frozenset[Form] = frozenset({"image by URL", "file by URL"})

_ANY: frozenset[Form] = frozenset({"file by URL"})
"""litellm would fetch the file itself."""

_NOT_CARRIED: Mapping[str, frozenset[Form]] = {
    "anthropic": frozenset({"audio"}),
    "azure_ai": _FILES,
    "bedrock": _BY_URL | {"audio", "file by id"},
    "deepseek": _ALL,
    "fireworks_ai": _FILES,
    "gemini": _BY_URL | {"file by id"},
    "mistral": _ANY | {"audio"},
    "ollama": _FILES | {"audio", "image by URL"},
    "sambanova": _ALL,
    "vertex_ai": _BY_URL | {"file by id"},
}
"""By kind, where it is not what holds for those that speak as OpenAI does. Held against litellm by a test."""


def not_carried(kind: str, model: str) -> frozenset[Form]:
    """What can't be sent to this model, whatever it can do itself."""
    spoken = "anthropic" if kind == "azure_ai" and "claude" in model.lower() else kind
    return _NOT_CARRIED.get(spoken, _ANY)


def forms_of(messages: Sequence[Message]) -> frozenset[Form]:
    """The forms of all parts that are more than text."""
    return frozenset(form for part in parts_of(messages) if (form := _form(part)) is not None)


def parts_of(messages: Sequence[Message]) -> Iterator[Mapping[str, Any]]:
    for message in messages:
        content = message.get("content")
        if isinstance(content, list | tuple):
            yield from (part for part in content if isinstance(part, Mapping))


def _form(part: Mapping[str, Any]) -> Form | None:
    match part.get("type"):
        case "image_url":
            return "image by URL" if _address(part).startswith(_REMOTE) else "image"
        case "input_audio":
            return "audio"
        case "file":
            file = part.get("file")
            named = file.get("file_id") if isinstance(file, Mapping) else None
            if not isinstance(named, str):
                return "file"
            return "file by URL" if named.startswith(_REMOTE) else "file by id"
    return None


def _address(part: Mapping[str, Any]) -> str:
    image = part.get("image_url")
    address = image.get("url") if isinstance(image, Mapping) else image
    return address if isinstance(address, str) else ""


def advice_on(forms: frozenset[Form]) -> str:
    """What its caller can do about forms that are not carried."""
    whole = " by URL" in " ".join(forms)
    return "; as a `data:` URL it is sent with the request" if whole else ""


def part_fault(part: object) -> str | None:
    """None where this is a part that can be sent, else what is wrong with it."""
    if not isinstance(part, Mapping):
        return "must be a map with a `type`"
    match part.get("type"):
        case "text" | "refusal" as name:
            return None if isinstance(part.get(name), str) else f"has no text in `{name}`"
        case "image_url":
            return _image_fault(_address(part))
        case "input_audio":
            return _audio_fault(part.get("input_audio"))
        case "file":
            return _file_fault(part.get("file"))
    shown = ascii(part.get("type"))[:40].strip("'")
    return f"has the type `{shown}`; types are {', '.join(PART_TYPES)}"


def _image_fault(address: str) -> str | None:
    if address.startswith("data:"):
        return (
            None
            if address.startswith("data:image/") and ";base64," in address
            else ("is no image: a `data:` URL of one begins with `data:image/png;base64,` or its like")
        )
    if "://" in address:
        return None
    return (
        "has a `url` that is neither a `data:` URL nor an address with its scheme"
        if address
        else "has no `url`: a `data:` URL, or an address with its scheme"
    )


def _audio_fault(audio: object) -> str | None:
    if isinstance(audio, Mapping) and all(
        isinstance(audio.get(key), str) and audio[key] for key in ("data", "format")
    ):
        return "holds a URL: `data` is base64 alone" if audio["data"].startswith("data:") else None
    return "needs `input_audio: {data: BASE64, format: wav}`"


def _file_fault(file: object) -> str | None:
    if not isinstance(file, Mapping):
        return "needs `file: {file_data: ..., filename: ...}`, or `file: {file_id: ...}`"
    data, named = file.get("file_data"), file.get("file_id")
    if isinstance(named, str) and named and data is None:
        return None
    if isinstance(data, str) and data.startswith("data:") and "," in data and named is None:
        return None
    return "needs either `file_data`, a `data:` URL, or `file_id`"
