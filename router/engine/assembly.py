"""A streamed answer put together again: OpenAI's deltas, choice by choice, into the choices of a whole answer."""

from collections.abc import Mapping
from typing import Any

from router.ports import WireChunk, WireReply
from router.values import Usage

_JOINED = ("content", "reasoning_content", "refusal")
"""Fields of a delta that are pieces of one text."""

_JOINED_BELOW = ("arguments", "data", "transcript")
"""The same, of what stands in such a field."""


class Assembly:
    """What has been received of one stream. It belongs to that stream alone."""

    __slots__ = ("_choices", "usage")

    def __init__(self) -> None:
        self._choices: dict[int, _Choice] = {}
        self.usage: Usage | None = None

    def add(self, chunk: WireChunk) -> None:
        if chunk.delta or chunk.finish_reason or chunk.logprobs:
            self._choices.setdefault(chunk.index, _Choice()).add(chunk)
        if chunk.usage is not None:
            self.usage = chunk.usage

    @property
    def finish_reason(self) -> str | None:
        """Of the first choice; None while it has not ended."""
        first = self._choices.get(0)
        return first.finish_reason if first else None

    def has_finished(self, choices: int) -> bool:
        """Whether that many choices have said why they ended: then the provider has no more to give."""
        return sum(bool(choice.finish_reason) for choice in self._choices.values()) >= choices

    def choices(self) -> tuple[Mapping[str, Any], ...]:
        """As in a whole answer; of a choice that has not ended `finish_reason` is None."""
        return tuple(choice.whole(index) for index, choice in sorted(self._choices.items()))

    def reply(self, model: str) -> WireReply:
        """The whole answer of a stream that has come to its end mark."""
        found = self.choices() or (_Choice().whole(0),)
        choices = tuple({**choice, "finish_reason": choice["finish_reason"] or "stop"} for choice in found)
        return WireReply(
            choices=choices,
            usage=self.usage,
            model=model,
            finish_reason=choices[0]["finish_reason"],
        )


class _Choice:
    __slots__ = ("_calls", "_logprobs", "_texts", "_whole", "finish_reason")

    def __init__(self) -> None:
        self._texts: dict[str, list[str]] = {}
        self._calls: dict[int, _Call] = {}
        self._logprobs: dict[str, list[Any]] = {}
        self._whole: dict[str, Any] = {}
        self.finish_reason: str | None = None

    def add(self, chunk: WireChunk) -> None:
        for name, value in chunk.delta.items():
            if name in _JOINED and isinstance(value, str):
                self._texts.setdefault(name, []).append(value)
            elif name == "tool_calls":
                for piece in value:
                    place = piece.get("index")
                    at = len(self._calls) if place is None else int(place)
                    self._calls.setdefault(at, _Call()).add(piece)
            elif name == "thinking_blocks":
                self._whole[name] = _thoughts(self._whole.get(name, []), value)
            elif isinstance(value, list):
                self._whole.setdefault(name, []).extend(value)
            elif isinstance(value, Mapping):
                self._whole[name] = _merged(self._whole.get(name, {}), value)
            else:
                self._whole[name] = value
        for name, value in (chunk.logprobs or {}).items():
            self._logprobs.setdefault(name, []).extend(value)
        self.finish_reason = chunk.finish_reason or self.finish_reason

    def whole(self, index: int) -> dict[str, Any]:
        message: dict[str, Any] = {**self._whole, "role": "assistant", "content": None}
        message.update({name: "".join(pieces) for name, pieces in self._texts.items()})
        if self._calls:
            message["tool_calls"] = [call.whole() for _, call in sorted(self._calls.items())]
        whole = {"index": index, "message": message, "finish_reason": self.finish_reason}
        return {**whole, "logprobs": self._logprobs} if self._logprobs else whole


class _Call:
    """One tool call, whose name and arguments come in pieces."""

    __slots__ = ("_arguments", "_fields", "_function")

    def __init__(self) -> None:
        self._fields: dict[str, Any] = {}
        self._function: dict[str, Any] = {}
        self._arguments: list[str] = []

    def add(self, piece: Mapping[str, Any]) -> None:
        function = piece.get("function") or {}
        self._fields.update(
            {name: value for name, value in piece.items() if name not in ("index", "function") and value}
        )
        self._function.update(
            {name: value for name, value in function.items() if name != "arguments" and value}
        )
        self._arguments.append(str(function.get("arguments") or ""))

    def whole(self) -> dict[str, Any]:
        function = {**self._function, "arguments": "".join(self._arguments)}
        return {"type": "function", **self._fields, "function": function}


def _thoughts(known: list[Any], pieces: list[Any]) -> list[Any]:
    """A thought goes on until its signature, and is then whole; one that is kept secret comes whole."""
    thoughts = list(known)
    for piece in pieces:
        last = thoughts[-1] if thoughts else {}
        if piece.get("type") == last.get("type") == "thinking" and not last.get("signature"):
            thought = f"{last.get('thinking') or ''}{piece.get('thinking') or ''}"
            thoughts[-1] = {**last, **piece, "thinking": thought}
        else:
            thoughts.append(dict(piece))
    return thoughts


def _merged(known: Mapping[str, Any], piece: Mapping[str, Any]) -> dict[str, Any]:
    """`audio`, `function_call` and their like: texts in them go on, the rest is replaced."""
    merged = dict(known)
    for name, value in piece.items():
        before = merged.get(name)
        joins = name in _JOINED_BELOW and isinstance(before, str) and isinstance(value, str)
        merged[name] = f"{before}{value}" if joins else value
    return merged
