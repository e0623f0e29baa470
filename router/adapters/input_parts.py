"""A request taken apart into what its input is billed for: texts, schemas, images, sound, files, unknowns.

Nothing in a message is passed over: a field that isn't known here is counted as text, since some provider may show it
to its model.
"""

import json
from base64 import b64decode
from binascii import Error
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from router.adapters.media_sizes import image_size, sound_seconds
from router.values import Message

_OPAQUE = frozenset(
    {"signature", "thought_signature", "thoughtSignature", "encrypted_content", "encrypted", "data"}
)
"""Fields that hold earlier reasoning, encrypted: billed by the tokens inside."""

_UNSEEN = frozenset({"role", "type", "cache_control", "index", "strict"})
_HELD_BY_PROVIDER = {
    "cached_content": "content cached at the provider",
    "previous_response_id": "a conversation kept at the provider",
    "conversation": "a conversation kept at the provider",
    "web_search_options": "server-side search",
    "search_parameters": "server-side search",
    "plugins": "server-side plugins",
    "mcp_servers": "server-side tools",
}
"""Parameters that make a provider add input of its own."""

_SPELLED_OUT = frozenset(
    {
        "document",
        "search_result",
        "thinking",
        "redacted_thinking",
        "tool_use",
        "tool_result",
        "server_tool_use",
    }
)
"""Providers' own kinds of parts that hold all their text; of any other kind the length isn't known."""

_TEXT_MIMES = ("text/", "application/json", "application/xml", "application/csv")
_OWN_TOOLS = frozenset({"function", "custom"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """`size` None: not known."""

    size: tuple[int, int] | None
    low_detail: bool = False


@dataclass(slots=True, kw_only=True)
class Parts:
    """What one request holds. `texts` are read by every model, `extras` (ids, earlier reasoning) by some."""

    texts: list[str] = field(default_factory=list)
    extras: list[str] = field(default_factory=list)
    opaque_chars: int = 0  # of base64 that stands for tokens inside
    schemas: list[str] = field(default_factory=list)  # compact JSON of tools and of a response format
    messages: int = 0
    calls: int = 0
    tools: int = 0
    custom_tools: int = 0
    formats: int = 0
    thinking: bool = False
    images: list[Image] = field(default_factory=list)
    sound_s: float = 0.0
    files: int = 0
    opaque_files: int = 0  # of unknown length: only the context window bounds them
    for_an_hour: bool = False  # some of it is to be kept so long by the provider
    unbounded: dict[str, None] = field(default_factory=dict)  # an ordered set


def parts_of(messages: Sequence[Message], params: Mapping[str, Any]) -> Parts:
    """Take `messages` and `params` (OpenAI's names) apart."""
    parts = Parts(messages=len(messages), thinking=_thinks(params))
    for message in messages:
        _add_message(parts, message)
    for tool in (*(params.get("tools") or ()), *(params.get("functions") or ())):
        _add_tool(parts, tool)
    response_format = params.get("response_format")
    if response_format and _kind(response_format) != "text":
        parts.formats += 1
        parts.schemas.append(_compact(response_format))
    _note_long_cache(parts, params)
    for name, reason in _HELD_BY_PROVIDER.items():
        if params.get(name) is not None:
            parts.unbounded[reason] = None
    return parts


def _add_message(parts: Parts, message: Message) -> None:
    for key, value in message.items():
        match key:
            case "content":
                _add_content(parts, value)
            case "name":
                parts.texts.append(str(value))
            case "tool_calls":
                for call in value or ():
                    _add_call(parts, call)
            case "function_call" if value:
                _add_call(parts, {"function": value})
            case _:
                _add_extra(parts, key, value)
    _note_long_cache(parts, message)


def _add_content(parts: Parts, content: Any) -> None:
    if isinstance(content, str):
        parts.texts.append(content)
    elif isinstance(content, Mapping):
        _add_part(parts, content)
    elif content is not None:
        for part in content:
            _add_content(parts, part)


def _add_part(parts: Parts, part: Mapping[str, Any]) -> None:
    _note_long_cache(parts, part)
    match part.get("type"):
        case "text" | "input_text" | "output_text" | "refusal" | None:
            parts.texts.append(_text_of(part))
        case "image_url" | "input_image":
            parts.images.append(_image(part.get("image_url")))
        case "image" if "data" in (part.get("source") or {}):
            parts.images.append(Image(size=image_size(str(part["source"]["data"]))))
        case "input_audio":
            sound = part.get("input_audio") or {}
            parts.sound_s += sound_seconds(str(sound.get("data", "")), str(sound.get("format", "")))
        case "file" | "input_file":
            _add_file(parts, part.get("file") or part)
        case _:
            _add_unknown(parts, part)


def _text_of(part: Mapping[str, Any]) -> str:
    text = part.get("text", part.get("refusal"))
    return text if isinstance(text, str) else _compact(part)


def _image(source: Any) -> Image:
    url = source.get("url") if isinstance(source, Mapping) else source
    low = isinstance(source, Mapping) and source.get("detail") == "low"
    data = url.partition(",")[2] if isinstance(url, str) and url.startswith("data:") else None
    return Image(size=None if data is None else image_size(data), low_detail=low)


def _add_file(parts: Parts, file: Mapping[str, Any]) -> None:
    parts.files += 1
    data = file.get("file_data")
    if not isinstance(data, str):
        parts.unbounded["a file that the provider fetches"] = None
    elif (text := _text_in(data)) is not None:
        parts.texts.append(text)
    else:
        parts.opaque_files += 1
    parts.texts.extend(str(file[key]) for key in ("filename", "title") if file.get(key))


def _text_in(data_url: str) -> str | None:
    """The text of a `data:` URL of text; None for anything else."""
    head, _, body = data_url.partition(",")
    if not head.removeprefix("data:").startswith(_TEXT_MIMES):
        return None
    try:
        return b64decode(body).decode("utf-8", "replace") if head.endswith(";base64") else body
    except (Error, ValueError):
        return None


def _add_unknown(parts: Parts, part: Mapping[str, Any]) -> None:
    """A provider's own kind of part: its strings as text, the surroundings as those of a document."""
    if set(part) <= {"type", "text", "cache_control"}:
        parts.texts.append(_text_of(part))
        return
    parts.files += 1
    kind, source = str(part.get("type")), part.get("source")
    link = _link_in(source if isinstance(source, Mapping) else part.get(kind))
    if link is not None:
        parts.unbounded["a file that the provider fetches"] = None
    elif isinstance(source, Mapping) and source.get("type") == "text":
        parts.texts.append(str(source.get("data", "")))
    elif isinstance(source, Mapping) and "data" in source:
        parts.opaque_files += 1
    elif kind in _SPELLED_OUT or kind.endswith("_tool_result"):
        _add_extra(parts, "", part)
    else:
        parts.opaque_files += 1


def _link_in(source: Any) -> str | None:
    """Where the provider would fetch a part from; None where the part carries it, or has nothing to fetch."""
    if not isinstance(source, Mapping):
        return None
    links = (source.get(key) for key in ("url", "uri", "file_id", "file_uri"))
    return next((str(link) for link in links if link and not str(link).startswith("data:")), None)


def _add_call(parts: Parts, call: Mapping[str, Any]) -> None:
    parts.calls += 1
    function = call.get("function") or call.get("custom") or {}
    for value in function.values():
        parts.texts.append(value if isinstance(value, str) else _compact(value))
    for key, value in call.items():
        if key not in ("function", "custom"):
            _add_extra(parts, key, value)


def _add_extra(parts: Parts, key: str, value: Any) -> None:
    if key in _UNSEEN or value is None:
        return
    if isinstance(value, Mapping):
        for name, inner in value.items():
            _add_extra(parts, name, inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            _add_extra(parts, key, inner)
    elif key in _OPAQUE and isinstance(value, str):
        parts.opaque_chars += len(value)
    else:
        parts.extras.append(str(value))


def _add_tool(parts: Parts, tool: Mapping[str, Any]) -> None:
    own = _kind(tool) in _OWN_TOOLS or (
        _kind(tool) is None and "name" in tool
    )  # the latter: the old `functions`
    if not own:
        parts.unbounded[f"server-side tool `{_tool_name(tool)}`"] = None
    parts.tools += 1
    parts.custom_tools += _kind(tool) == "custom"
    parts.schemas.append(_compact(tool))
    _note_long_cache(parts, tool)


def _tool_name(tool: Mapping[str, Any]) -> str:
    return str(_kind(tool) or next(iter(tool), "?"))


def _note_long_cache(parts: Parts, holder: Mapping[str, Any]) -> None:
    """What is written to a cache for five minutes is in every worst case, for an hour in that of who asks for it."""
    control = holder.get("cache_control")
    lasts = control.get("ttl") if isinstance(control, Mapping) else None
    parts.for_an_hour = parts.for_an_hour or lasts == "1h"
    if lasts not in (None, "5m", "1h"):
        parts.unbounded[f"a cache written for {lasts}"] = None


def _thinks(params: Mapping[str, Any]) -> bool:
    thinking = params.get("thinking")
    asked = _kind(thinking) not in (None, "disabled") if isinstance(thinking, Mapping) else False
    return asked or params.get("reasoning_effort") not in (None, "none") or bool(params.get("reasoning"))


def _kind(value: Any) -> Any:
    return value.get("type") if isinstance(value, Mapping) else None


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, default=str)
