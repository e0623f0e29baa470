"""Reading one open stream of OpenAI's shape: each event is parsed once and passed on; nothing is written again.

What it says, and what its end means, is what `LitellmStream` says of the same bytes: a stream that ends without having
said why has no end mark, whatever the connection says. Whatever is out of the ordinary in a piece is read by litellm's
own model of it.
"""

import json
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from copy import deepcopy
from typing import Any, NamedTuple

from router.adapters.lean_exchange import LeanExchange
from router.adapters.lean_pool import LONGEST_ANSWER, LeanAnswer, too_long
from router.adapters.lean_reply import NotPlain, PlainUsage, thought_of
from router.adapters.lean_requests import Draft
from router.adapters.litellm_reply import ChunkReader, finish_reason, logprobs_of, merged_usage, plain
from router.decide.transcript import signs_thoughts
from router.ports import WireChunk

_PLAIN_KEYS = frozenset(
    {"role", "content", "reasoning", "reasoning_content", "reasoning_details", "refusal", "tool_calls"}
)
_SAYS = ("tool_calls", "function_call")
_SAYS_EVEN_EMPTY = ("reasoning_content", "annotations", "audio", "images", "provider_specific_fields")
_DONE = b"[DONE]"


class Choice(NamedTuple):
    """One choice of a chunk."""

    number: int
    delta: dict[str, Any]  # in plain values, without what is None
    reason: str | None
    logprobs: Mapping[str, Any] | None = None

    def in_litellms_words(self, word: Callable[[str], str]) -> "Choice":
        return self._replace(reason=word(self.reason)) if self.reason else self


class StreamedError(Exception):
    """The provider put an error into its stream."""

    def __init__(self, error: Any) -> None:
        said = error.get("message") if isinstance(error, dict) else error
        super().__init__(said if isinstance(said, str) else json.dumps(error))
        self.status_code = 500


class LeanStream:
    """A WireStream: the open response, and the chunks that are read but not asked for yet."""

    __slots__ = (
        "_asked",
        "_broken",
        "_buffer",
        "_by_events",
        "_ends",
        "_first",
        "_held",
        "_held_bytes",
        "_lines",
        "_pieces",
        "_reader",
        "_reading",
        "_ready",
        "_reason",
        "_said_why",
        "_usages",
        "_went_on",
        "call",
        "ended",
        "exchange",
    )

    def __init__(self, draft: Draft, answer: LeanAnswer, exchange: LeanExchange) -> None:
        self.call = draft.call
        self.exchange = exchange
        self.ended = False
        self._reading = draft.route.reading
        self._by_events = draft.route.quirks.through_sdk
        self._pieces = answer.pieces()
        self._broken: Exception | None = None
        self._buffer = bytearray()
        self._lines: deque[bytes] = deque()
        self._held: list[bytes] = []  # the lines of one event, where an event is whole before it counts
        self._held_bytes = 0
        self._ready: deque[WireChunk] = deque()
        self._reader = ChunkReader(signed=signs_thoughts(draft.call.kind, draft.call.model))
        self._first = True  # nothing was said yet
        self._usages: list[Any] = []
        self._reason: str | None = None
        self._went_on = False  # with calls, behind a reason: then that marks no end
        self._said_why = False  # passed on why it ended: behind that only usage counts
        self._asked = int(draft.call.params.get("n") or 1)
        self._ends: set[int] = set()  # of several choices, those that said why they ended

    async def advance(self) -> WireChunk | None:
        """The next chunk; None for a stream that ended without its end mark. Raises what the wire and litellm raise,
        behind what came before it."""
        while not self._ready and not self.ended:
            if self._broken is not None:
                await self._go_on_or_raise(self._broken)
                continue
            try:
                await self._read()
            except Exception as error:  # noqa: BLE001 - raised once nothing is left to say
                self._broken = error
        return self._ready.popleft() if self._ready else None

    async def _go_on_or_raise(self, error: Exception) -> None:
        """Behind the reason why it ended a stream is whole: what breaks there only hides the usage. litellm's readers
        look for that behind one error; the openai SDK's is done with it."""
        if self._asked > 1 or self._reason is None or self._went_on or self.exchange.stopped:
            raise error
        self._broken = None
        if self._said_why or self._by_events:
            await self._end()
        else:
            self._ready.append(self._reader.piece({}, index=0, reason=self._reason))
            self._said_why = True

    async def close(self) -> None:
        """Close the socket. Idempotent."""
        self.ended = True
        await self.exchange.close()

    # --- lines

    async def _read(self) -> None:
        if not self._lines:
            await self._fetch()
        while self._lines:
            if self._line(self._lines.popleft()):
                await self._end(marked=True)
                return

    async def _fetch(self) -> None:
        try:
            piece = await anext(self._pieces)
        except StopAsyncIteration:
            marked = not self._by_events and self._take(bytes(self._buffer))
            await self._end(marked=marked)
            return
        self._buffer += piece
        if len(self._buffer) + self._held_bytes > LONGEST_ANSWER:
            raise too_long()
        if b"\n" not in piece:  # looked at once, however many pieces a line comes in
            return
        *lines, rest = bytes(self._buffer).split(b"\n")
        self._buffer = bytearray(rest)
        self._lines.extend(lines)

    def _line(self, line: bytes) -> bool:
        """Whether it was the end. The openai SDK takes an event when an empty line ends it, litellm each line."""
        if not self._by_events:
            return self._take(line)
        line = line.rstrip(b"\r")
        if line.startswith(b"data:"):
            self._held.append(line)
            self._held_bytes += len(line)
        elif not line and self._held:
            held, self._held, self._held_bytes = self._held, [], 0
            return self._take(b"".join((held[0], *(more[5:] for more in held[1:]))))
        return False

    def _take(self, line: bytes) -> bool:
        data = line[5:].strip() if line.startswith(b"data:") else line.strip() if line[:1] == b"{" else b""
        if data == _DONE:
            return True
        if data:
            self._event(data)
        return False

    def _event(self, data: bytes) -> None:
        try:
            chunk = json.loads(data)
        except ValueError:
            if self._by_events:
                raise
            return  # to litellm a line that is no JSON says nothing
        if isinstance(chunk, dict):
            self._chunk(chunk)

    # --- chunks

    def _chunk(self, chunk: dict[str, Any]) -> None:
        if chunk.get("error"):
            self._break_off(chunk)
        usage = chunk.get("usage")
        if usage:
            self._usages.append(self._counted(usage))
        if chunk.get("choices") and not self._said_why:
            self._say(self._choices(chunk))

    def _break_off(self, chunk: dict[str, Any]) -> None:
        try:
            self._reading.raise_streamed(chunk)
        except Exception as error:
            if isinstance(
                getattr(error, "status_code", None), str
            ):  # a word, of which litellm tries to make a number
                self.exchange.body = json.dumps({"error": chunk["error"]})
            raise
        raise StreamedError(chunk["error"])

    def _choices(self, chunk: dict[str, Any]) -> list[Choice]:
        try:
            choices = [_plain_choice(choice) for choice in chunk["choices"]]
        except (NotPlain, TypeError, LookupError, AttributeError):
            choices = [self._unusual(choice) for choice in self._reading.unusual(deepcopy(chunk))]
        if not self._by_events:  # litellm's classes for chunks have a word for every reason
            choices = [choice.in_litellms_words(self._reading.reason) for choice in choices]
        return choices

    def _unusual(self, choice: Any) -> Choice:
        delta = plain(choice.delta, signed=self._reader.signed)
        return Choice(choice.index, delta, choice.finish_reason, logprobs_of(choice.logprobs))

    def _say(self, choices: Sequence[Choice]) -> None:
        """litellm goes by the first choice of a chunk: whether it says anything, and why it ended."""
        first = choices[0]
        self._went_on |= self._reason is not None and bool(first.delta.get("tool_calls"))
        self._reason = first.reason or self._reason
        if first.reason == "error":
            raise StreamedError("the stream ended in an error")
        if self._says_something(first.delta):
            self._ready.extend(self._spoken(choices))
            self._first = False
        elif self._reason is not None and self._asked == 1:
            reason = self._reading.reason(self._reason)
            self._ready.append(self._reader.piece({}, index=0, reason=reason, logprobs=first.logprobs))
            self._said_why = True
        for choice in choices:
            if choice.delta.get("refusal"):
                refusal = {"refusal": choice.delta["refusal"]}
                self._ready.append(WireChunk(delta=refusal, index=choice.number))
            if choice.reason and self._asked > 1 and choice.number not in self._ends:
                self._ends.add(choice.number)
                why = finish_reason(choice.reason)
                self._ready.append(WireChunk(delta={}, index=choice.number, finish_reason=why))

    def _spoken(self, choices: Sequence[Choice]) -> Iterator[WireChunk]:
        for place, choice in enumerate(choices):
            if place == 0:
                choice.delta.pop("role", None)
                if self._first:
                    choice.delta["role"] = "assistant"
            piece = self._reader.piece(
                choice.delta, index=choice.number, reason=None, logprobs=choice.logprobs
            )
            if piece.delta or piece.logprobs:
                yield piece

    def _says_something(self, delta: Mapping[str, Any]) -> bool:
        content = delta.get("content")
        return (
            (isinstance(content, str) and content != "")
            or any(delta.get(name) for name in _SAYS)
            or any(delta.get(name) is not None for name in _SAYS_EVEN_EMPTY)
            or (self._first and delta.get("role") is not None)
        )

    def _counted(self, usage: Mapping[str, Any]) -> Any:
        try:
            return PlainUsage(usage)
        except (NotPlain, TypeError, AttributeError):
            return self._reading.usage(usage)

    # --- the end

    async def _end(self, *, marked: bool = False) -> None:
        """`marked`: by `[DONE]`, which litellm takes for a reason, and the openai SDK does not."""
        self.ended = True
        if self._asked > 1:
            whole = len(self._ends) >= self._asked
        else:
            if self._reason is None and marked and not self._by_events:
                self._reason = "stop"
            whole = self._reason is not None
            if whole and not self._said_why:
                self._ready.append(self._reader.piece({}, index=0, reason=self._reason))
        if whole:
            self._ready.append(WireChunk(delta={}, usage=merged_usage(self._usages), done=True))
        with suppress(Exception):
            await self.exchange.close()


async def lines_of(pieces: AsyncIterator[bytes]) -> AsyncIterator[str]:
    """The lines of a body, for litellm's own readers. Raises WireRefusal for one that is too long, UnicodeDecodeError
    for one that is no UTF-8: U+FFFD would stand in an answer as if the model had said it."""
    buffer = bytearray()
    async for piece in pieces:
        buffer += piece
        if len(buffer) > LONGEST_ANSWER:
            raise too_long()
        if b"\n" in piece:  # looked at once, however many pieces a line comes in
            *lines, rest = bytes(buffer).split(b"\n")
            buffer = bytearray(rest)
            for line in lines:
                yield line.rstrip(b"\r").decode("utf-8")
    if buffer:
        yield buffer.decode("utf-8")


def _plain_choice(choice: Mapping[str, Any]) -> Choice:
    """Raises NotPlain, and what Python raises of another shape."""
    if choice.get("logprobs") is not None:
        raise NotPlain
    return Choice(
        choice.get("index") or 0, _plain_delta(choice.get("delta")), choice.get("finish_reason") or None
    )


def _plain_delta(delta: Mapping[str, Any] | None) -> dict[str, Any]:
    if delta is None or not delta.keys() <= _PLAIN_KEYS:
        raise NotPlain
    thought = thought_of(delta)
    said = {name: delta[name] for name in ("role", "content", "refusal") if delta.get(name) is not None}
    if any(not isinstance(value, str) for value in said.values()):
        raise NotPlain
    if thought is not None:
        said["reasoning_content"] = thought
    if delta.get("tool_calls"):
        said["tool_calls"] = [_plain_call(call) for call in delta["tool_calls"]]
    return said


def _plain_call(call: Mapping[str, Any]) -> dict[str, Any]:
    if not call.keys() <= {"id", "type", "function", "index"} or type(call["index"]) is not int:
        raise NotPlain
    function = call["function"]
    arguments = function.get("arguments")
    if not function.keys() <= {"name", "arguments"} or not isinstance(arguments, str | None):
        raise NotPlain
    made: dict[str, Any] = {"index": call["index"], "type": call.get("type") or "function"}
    if made["type"] != "function":
        raise NotPlain
    if call.get("id") is not None:
        made["id"] = call["id"]
    made["function"] = {"arguments": arguments or ""}
    if function.get("name") is not None:
        made["function"]["name"] = function["name"]
    return made
