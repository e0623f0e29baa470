"""One recorded stream of each wire format, what of it had been said at every byte, and a wire that stops there."""

import os
import struct
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from router import Reply, StreamBroken
from router.adapters.cassette_tape import read_tape
from tests.recorded_calls import call_for, chat_rows, tools_of
from tests.recorded_reader import Answer, read
from tests.recorded_routing import PRICE, Routed, document

FORMATS = {
    "openai": "openrouter/flow_tool_round_trip_stream__gemini-2.0-flash-001__ruby-llm.yaml",
    "mistral": "mistral/chat_stream_tool_call__mistral-large-latest__dd-trace-py.yaml",
    "anthropic": "anthropic/chat_stream_plain__claude-haiku-4-5-20251001__ruby-llm.yaml",
    "gemini": "gemini/flow_tool_round_trip_stream__gemini-2.5-flash__ruby-llm.yaml",
    "converse": "bedrock/chat_stream_content_filter__amazon.titan-text-express-v1__openllmetry.yaml",
    "invoke": "bedrock/invoke_stream_tool_result_turn__us.anthropic.claude-sonnet-4-5-2__chatlas.yaml",
    "ollama": "ollama/chat_stream_plain__llama3__openllmetry-2.yaml",
}
NUMBERS = {"openai": 3, "gemini": 3}
"""Which exchange of the file, where it is not the first."""

SHORT = int(os.environ.get("CUT_ALL_UP_TO", "2500"))
"""Bytes. Longer streams are cut at chosen bytes; the variable says where that begins."""

SPARE = "spare/m"
SPARE_TEXT = "from the spare"
SPARE_BODY = (
    b'data: {"id":"1","object":"chat.completion.chunk","created":0,"model":"m","choices":[{"index":0,'
    b'"delta":{"content":"from the spare"},"finish_reason":"stop"}]}\n\n'
    b'data: {"id":"1","object":"chat.completion.chunk","created":0,"model":"m","choices":[],'
    b'"usage":{"prompt_tokens":1,"completion_tokens":3,"total_tokens":4}}\n\ndata: [DONE]\n\n'
)


@dataclass(frozen=True)
class Said:
    """Of the first choice, up to a byte: its text and tool calls, and whether it had said why it ended."""

    text: str = ""
    tools: tuple[Any, ...] = ()
    ended: bool = False

    @property
    def begun(self) -> bool:
        return bool(self.text or self.tools)


@dataclass(frozen=True)
class Recorded:
    routed: Routed
    body: bytes
    whole: Said
    steps: tuple[tuple[int, int, Said], ...]
    """(where the last byte that matters of an event is, where it ends, what has been said then), in order."""

    def cuts(self, *, every: bool) -> Iterator[int]:
        """Every byte of a stream; of a long one those of its first and last events, and those around the ends of the
        others. Not `every`: a seventh of them."""
        ends = [end for _, end, _ in self.steps]
        near = {end + at for end in ends for at in (-2, -1, 0, 1)}
        for cut in range(len(self.body) + 1):
            close = len(self.body) <= SHORT or cut <= ends[1] or cut > ends[-3] or cut in near
            if (close and every) or (close and cut % 7 == 0):
                yield cut

    def said(self, cut: int) -> list[Said]:
        """What a reader of the first `cut` bytes may have read: an event whose last line break is missing counts or
        does not."""
        sure = [said for _, end, said in self.steps if end <= cut]
        perhaps = [said for told, _, said in self.steps if told <= cut]
        return [each[-1] if each else Said() for each in (sure, perhaps)]


def recorded(folder: Path, name: str) -> Recorded:
    file, number = FORMATS[name], NUMBERS.get(name, 0)
    row = next(each for each in chat_rows(folder) if each.key == (file, str(number)))
    tape = read_tape(folder / file)
    exchange = tape.interactions[number]
    found = Routed(row, exchange, tape, call_for(row, exchange), "main")
    body = found.recorded.response["body"]["string"]
    steps = []
    for end in events(body):
        told = end - (len(body[:end]) - len(body[:end].rstrip())) if not body.startswith(b"\x00") else end
        steps.append((told, end, _said(row.path, body[:end])))
    return Recorded(found, body, steps[-1][2], tuple(steps))


def _said(path: str, beginning: bytes) -> Said:
    try:
        found = read(path, 200, beginning, {})
    except LookupError:  # nothing that has the form of an answer yet
        return Said()
    if not isinstance(found, Answer) or not found.choices:
        return Said()
    first = found.choices[0]
    return Said(first.text, first.tools, bool(first.finish))


def events(body: bytes) -> Iterator[int]:
    """Where each event ends: AWS frames, server-sent events, or lines."""
    if body.startswith(b"\x00"):
        at = 0
        while at < len(body):
            at += struct.unpack(">I", body[at : at + 4])[0]
            yield at
        return
    mark = b"\n\n" if body.lstrip().startswith((b"data:", b"event:", b":")) else b"\n"
    text, at = body.replace(b"\r\n\r\n", b"\n\n\n\n") if mark == b"\n\n" else body, 0
    while (found := text.find(mark, at)) >= 0:
        at = found + len(mark)
        while text[at : at + 1] == b"\n":
            at += 1
        yield at
    if at < len(body):
        yield len(body)


# --- The wire and the router over it ----------------------------------------------------------------------------------


class Stopping(httpx.AsyncByteStream):
    """So many bytes of a body, `size` at a time; then the end, or a connection that breaks."""

    def __init__(self, data: bytes, *, breaks: bool, size: int = 0) -> None:
        self._data = data
        self._breaks = breaks
        self._size = size or max(1, len(data))
        self.closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for at in range(0, len(self._data), self._size):
            yield self._data[at : at + self._size]
        if self._breaks:
            raise httpx.ReadError("the connection broke")

    async def aclose(self) -> None:
        self.closed = True


class CutWire(httpx.AsyncBaseTransport):
    """Answers every request with the recorded response, as far as `cut` says; the spare one is always whole."""

    def __init__(self, whole: Recorded) -> None:
        self._whole = whole
        self.cut, self.breaks = len(whole.body), False
        self.streams: list[Stopping] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        if request.url.host == "spare.invalid":
            kind = {"content-type": "text/event-stream"}
            return httpx.Response(200, headers=kind, stream=self._kept(Stopping(SPARE_BODY, breaks=False)))
        found = self._kept(Stopping(self._whole.body[: self.cut], breaks=self.breaks))
        return httpx.Response(200, headers=headers_of(self._whole), stream=found)

    def _kept(self, stream: Stopping) -> Stopping:
        self.streams.append(stream)
        return stream


def headers_of(whole: Recorded) -> dict[str, str]:
    """The recorded headers but for those that speak of the body as it was sent then."""
    written: Mapping[str, list[str]] = whole.routed.recorded.response["headers"]
    own = ("content-length", "content-encoding", "transfer-encoding", "connection")
    return {name: values[0] for name, values in written.items() if name.lower() not in own}


def policies(whole: Recorded, **more: Any) -> dict[str, Any]:
    """The recorded target, then one that always answers; and a tenant with a budget and a limit to hold."""
    written = document([whole.routed])
    model = {"price": PRICE, "context": "1M", "max_output": "8k"}
    written["providers"]["spare"] = {
        "kind": "openai",
        "base_url": "http://spare.invalid/v1",
        "models": {"m": model},
    }
    written["policies"]["main"]["targets"].append(SPARE)
    written["policies"]["main"] |= {"ceiling": {"input_tokens": "10k", "output_tokens": "1k"}, **more}
    limits = {"concurrent_requests": 50}
    written["tenants"] = {"acme": {"policies": "all", "budget": {"per_day": "$90000"}, "limits": limits}}
    return written


def said_by(choices: Any) -> Said:
    """Of the choices of a reply, or of what was received of one."""
    if not choices:
        return Said()
    message = choices[0]["message"]
    return Said(message.get("content") or "", tools_of(message), bool(choices[0].get("finish_reason")))


def verdict(whole: Recorded, cut: int, outcome: Reply | StreamBroken, *, lossy: bool = False) -> str:
    """`whole`, `broken` or `elsewhere`; anything that must not be is an AssertionError. `lossy`: a socket that breaks
    may take with it what had come and was not read yet."""
    could = [Said(), *(said for told, _, said in whole.steps if told <= cut)] if lossy else whole.said(cut)
    if isinstance(outcome, StreamBroken):
        came = said_by(outcome.received)
        assert any(each.begun and _same(came, each) for each in could), f"cut at {cut}: {came}"
        return "broken"
    if outcome.target == SPARE:
        assert outcome.text == SPARE_TEXT
        assert any(not each.begun for each in could), (
            f"cut at {cut}: given up for another target after its content"
        )
        return "elsewhere"
    assert any(each.ended for each in could), f"cut at {cut}: taken for whole"
    assert _same(said_by(outcome.choices), whole.whole), f"cut at {cut}"
    return "whole"


def _same(came: Said, wanted: Said) -> bool:
    return came.text == wanted.text and _tools(came) == _tools(wanted)


def _tools(said: Said) -> Sequence[object]:
    """A tool call that has begun may have a name and no arguments yet, which one reads as `{}` and another as text."""
    return [(name, arguments or {}) for name, arguments in said.tools]
