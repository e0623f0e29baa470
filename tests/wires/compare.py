"""Where two wires differ: in what they sent, and in what they made of the answer."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from tests.wires.capture import Heard

FREE_HEADERS: Mapping[str, str] = {
    "accept-encoding": "what the HTTP client can unpack; the answer is the same",
    "connection": "how the HTTP client keeps its sockets",
    "content-length": "the length of a body whose JSON is equal, whatever its spacing",
    "keep-alive": "how the HTTP client keeps its sockets",
    "user-agent": "names the HTTP client",
    "x-stainless-arch": "the openai SDK tells of its machine",
    "x-stainless-async": "the openai SDK tells of its mode",
    "x-stainless-lang": "the openai SDK tells of its language",
    "x-stainless-os": "the openai SDK tells of its machine",
    "x-stainless-package-version": "the openai SDK tells of itself",
    "x-stainless-raw-response": "the openai SDK tells how its answer is read",
    "x-stainless-read-timeout": "the openai SDK tells its timeout, which is the router's own to keep",
    "x-stainless-retry-count": "the openai SDK tells of its retries, of which there are none",
    "x-stainless-runtime": "the openai SDK tells of its machine",
    "x-stainless-runtime-version": "the openai SDK tells of its machine",
}
"""The only headers that may differ, each with its reason."""

SIGNED_HEADERS: Mapping[str, str] = {
    "authorization": "signed with the second in which it was sent",
    "x-amz-date": "the second in which it was sent",
}
"""What may differ besides where each request is signed anew."""


def differences(
    sent: tuple[Sequence[Heard], Sequence[Heard]], came: tuple[Mapping[str, Any], Mapping[str, Any]]
) -> list[str]:
    """One line for each, a path and both values."""
    heard = ([_shown(each) for each in side] for side in sent)
    return [*_between(*heard, at="sent"), *_between(*came, at="came")]


def _shown(heard: Heard) -> dict[str, Any]:
    signed = heard.headers.get("authorization", "").startswith("AWS4-")
    free = FREE_HEADERS.keys() | SIGNED_HEADERS.keys() if signed else FREE_HEADERS.keys()
    return {**asdict(heard), "headers": {n: v for n, v in heard.headers.items() if n not in free}}


def _between(one: Any, other: Any, *, at: str) -> Iterator[str]:
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        for name in sorted({*one, *other}, key=str):
            yield from _between(one.get(name, "(absent)"), other.get(name, "(absent)"), at=f"{at}.{name}")
    elif isinstance(one, list | tuple) and isinstance(other, list | tuple) and len(one) == len(other):
        for number, (left, right) in enumerate(zip(one, other, strict=True)):
            yield from _between(left, right, at=f"{at}[{number}]")
    elif one != other or isinstance(one, bool) is not isinstance(other, bool):
        yield f"{at}: {_brief(one)} and {_brief(other)}"


def _brief(value: Any) -> str:
    text = repr(value)
    return text if len(text) < 120 else f"{text[:117]}..."
