"""From a step of the script to what goes over the socket, and when. Pure: a fault is a change to a good answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from email.utils import formatdate
from enum import Enum
from functools import lru_cache

from router.testing.fake_provider_compose import compose
from router.testing.fake_provider_script import (
    Answer,
    BadRequest,
    ContentFilter,
    CutStream,
    Drip,
    DropConnection,
    EmptyStream,
    ErrorFault,
    ErrorInStream,
    Malformed,
    NeverAnswer,
    Step,
)
from router.testing.wire_http import LAST_CHUNK, chunk, head_bytes
from router.testing.wire_types import (
    EVENT_STREAM,
    JSON_TYPE,
    Ask,
    Failure,
    Headers,
    Stamp,
    WireFormat,
)

_PAGE = b"<!DOCTYPE html><html><head><title>Welcome</title></head><body><h1>It works</h1></body></html>"
_BODIES = {"json": b'{"id": "cut-off", "choices": [{"index": 0, "mess', "html": _PAGE, "empty": b""} | {
    "not_an_object": b'["this", "is", "no", "answer"]',
}  # fmt: skip


class Ending(Enum):
    """What happens to the connection when everything is sent."""

    KEEP = "keep"
    CLOSE = "close"
    RESET = "reset"
    HANG = "hang"


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes, sent `after_s` seconds after the piece before."""

    data: bytes
    after_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """One answer, ready to be sent. `head` pieces come first; `status` is None when nothing is answered."""

    status: int | None
    head: tuple[Piece, ...] = ()
    body: tuple[Piece, ...] = ()
    ending: Ending = Ending.KEEP

    @property
    def pieces(self) -> tuple[Piece, ...]:
        return self.head + self.body

    @property
    def at_once(self) -> bool:
        return self.ending is Ending.KEEP and all(piece.after_s == 0 for piece in self.pieces)


def play(wire: WireFormat, ask: Ask, step: Step, stamp: Stamp) -> Outgoing:
    """What the provider does with this request."""
    if isinstance(step, Answer):
        return _answered(wire, ask, step, stamp)
    return _later(_faulty(wire, ask, step, stamp), step.delay_s)


def _faulty(wire: WireFormat, ask: Ask, fault: Step, stamp: Stamp) -> Outgoing:
    match fault:
        case NeverAnswer():
            return Outgoing(status=None, ending=Ending.HANG)
        case Drip():
            return _dripped(_answered(wire, ask, fault.answer, stamp), fault)
        case DropConnection():
            ending = Ending.RESET if fault.reset else Ending.CLOSE
            return _first_bytes(_answered(wire, ask, fault.answer, stamp), fault.after_bytes, ending)
        case Malformed():
            return _malformed(wire, ask, fault, stamp)
        case CutStream():
            return _cut(wire, ask, fault, stamp)
        case ErrorInStream():
            return _broken_by_error(wire, ask, fault, stamp)
        case EmptyStream():
            return _empty(wire, ask, fault, stamp)
        case ContentFilter():
            return _filtered(wire, ask, fault, stamp)
        case _:
            return failed(wire.failure(ask.kind, ask.model, _error(fault), stamp), stamp)


def _error(fault: Step) -> ErrorFault:
    if isinstance(fault, ErrorFault):
        return fault
    raise TypeError(f"`{type(fault).__name__}` is no step the fake provider knows")


def failed(failure: Failure, stamp: Stamp, *, close: bool = False) -> Outgoing:
    """An error answer."""
    extra: Headers = (*failure.headers, ("connection", "close")) if close else failure.headers
    sent = _whole(failure.status, failure.content_type, failure.body, extra, stamp)
    return replace(sent, ending=Ending.CLOSE) if close else sent


def _answered(wire: WireFormat, ask: Ask, answer: Answer, stamp: Stamp) -> Outgoing:
    said = compose(ask, answer, stamp)
    if not ask.stream:
        body = wire.answer(ask, said, stamp)
        return _later(_whole(200, JSON_TYPE, body, wire.headers(ask, stamp), stamp), answer.delay_s)
    frames = wire.frames(ask, said, stamp)
    sent = _streamed(
        ask, [*frames.opening, *frames.content, *frames.closing], wire.headers(ask, stamp), stamp
    )
    return _later(_paced(sent, len(frames.opening), answer), answer.delay_s)


def _whole(status: int, content_type: str, body: bytes, headers: Headers, stamp: Stamp) -> Outgoing:
    own: Headers = (("date", _date(int(stamp.now_s))), ("content-type", content_type))
    head = head_bytes(status, (*own, ("content-length", str(len(body))), *headers))
    return Outgoing(status=status, head=(Piece(head),), body=(Piece(body),) if body else ())


@lru_cache(maxsize=4)
def _date(second: int) -> str:
    return formatdate(second, usegmt=True)


def _streamed(
    ask: Ask, frames: Sequence[bytes], headers: Headers, stamp: Stamp, *, ends: bool = True
) -> Outgoing:
    """A chunked 200 whose body is one chunk for each frame; `ends` writes the chunk that closes the body."""
    kind = EVENT_STREAM if ask.event_stream else JSON_TYPE
    own: Headers = (("date", _date(int(stamp.now_s))), ("content-type", kind), ("cache-control", "no-cache"))
    head = head_bytes(200, (*own, ("transfer-encoding", "chunked"), *headers))
    body = [Piece(chunk(frame)) for frame in (frames if ask.event_stream else _as_array(frames))]
    if ends:
        body.append(Piece(LAST_CHUNK))
    return Outgoing(status=200, head=(Piece(head),), body=tuple(body))


def _as_array(frames: Sequence[bytes]) -> list[bytes]:
    """Gemini without `alt=sse`: one JSON array, an element at a time."""
    elements = [frame.removeprefix(b"data: ").strip() for frame in frames]
    return [(b"[" if at == 0 else b",\r\n") + element for at, element in enumerate(elements)] + [b"]"]


def _paced(sent: Outgoing, opening: int, answer: Answer) -> Outgoing:
    """Wait before the first content, then between the others."""
    if not answer.first_chunk_s and not answer.chunk_s:
        return sent
    body = list(sent.body)
    for at in range(opening, len(body)):
        body[at] = replace(body[at], after_s=answer.first_chunk_s if at == opening else answer.chunk_s)
    return replace(sent, body=tuple(body))


def _later(sent: Outgoing, delay_s: float) -> Outgoing:
    if not delay_s:
        return sent
    if not sent.head:
        return replace(sent, head=(Piece(b"", delay_s),))
    first = sent.head[0]
    return replace(sent, head=(replace(first, after_s=first.after_s + delay_s), *sent.head[1:]))


def _dripped(sent: Outgoing, fault: Drip) -> Outgoing:
    head = _slow(sent.head, fault.head_s, fault.piece_bytes)
    return replace(sent, head=head, body=_slow(sent.body, fault.body_chunk_s, fault.piece_bytes))


def _slow(pieces: tuple[Piece, ...], pause_s: float, size: int) -> tuple[Piece, ...]:
    if not pause_s:
        return pieces
    data = b"".join(piece.data for piece in pieces)
    return tuple(Piece(data[at : at + size], pause_s) for at in range(0, len(data), max(size, 1)))


def _first_bytes(sent: Outgoing, count: int, ending: Ending) -> Outgoing:
    """The first `count` bytes of the answer, head included."""
    data = b"".join(piece.data for piece in sent.pieces)[:count]
    told = sent.status if count >= len(b"HTTP/1.1 200") else None
    return Outgoing(status=told, head=(Piece(data),), ending=ending)


def _malformed(wire: WireFormat, ask: Ask, fault: Malformed, stamp: Stamp) -> Outgoing:
    kind = "text/html; charset=utf-8" if fault.body == "html" else EVENT_STREAM if ask.stream else JSON_TYPE
    body = _BODIES[fault.body]
    shown = b"data: " + body + b"\n\n" if ask.stream and fault.body in ("json", "not_an_object") else body
    return _whole(200, kind, shown, wire.headers(ask, stamp), stamp)


def _cut(wire: WireFormat, ask: Ask, fault: CutStream, stamp: Stamp) -> Outgoing:
    if not ask.stream:
        sent = _answered(wire, ask, fault.answer, stamp)
        half = tuple(replace(piece, data=piece.data[: len(piece.data) // 2]) for piece in sent.body)
        return replace(sent, body=half, ending=Ending.CLOSE)
    frames = wire.frames(ask, compose(ask, fault.answer, stamp), stamp)
    kept = [*frames.opening, *frames.content[: fault.after_chunks]]
    sent = _streamed(ask, kept, wire.headers(ask, stamp), stamp, ends=fault.clean)
    sent = _later(_paced(sent, len(frames.opening), fault.answer), fault.answer.delay_s)
    return sent if fault.clean else replace(sent, ending=Ending.CLOSE)


def _broken_by_error(wire: WireFormat, ask: Ask, fault: ErrorInStream, stamp: Stamp) -> Outgoing:
    if not ask.stream:
        return failed(wire.failure(ask.kind, ask.model, fault.error, stamp), stamp)
    frames = wire.frames(ask, compose(ask, fault.answer, stamp), stamp)
    before = [*frames.opening, *frames.content[: fault.after_chunks]] if fault.after_chunks else []
    last = wire.error_frame(ask.kind, ask.model, fault.error, stamp)
    sent = _streamed(ask, [*before, last], wire.headers(ask, stamp), stamp)
    return _later(_paced(sent, len(frames.opening), fault.answer), fault.answer.delay_s)


def _empty(wire: WireFormat, ask: Ask, fault: EmptyStream, stamp: Stamp) -> Outgoing:
    if not ask.stream:
        return _answered(wire, ask, Answer(""), stamp)
    frames = wire.frames(ask, compose(ask, Answer(""), stamp), stamp)
    kept = [*frames.opening, *frames.closing] if fault.end_mark else []
    return _streamed(ask, kept, wire.headers(ask, stamp), stamp)


def _filtered(wire: WireFormat, ask: Ask, fault: ContentFilter, stamp: Stamp) -> Outgoing:
    if fault.where == "answer":
        return _answered(wire, ask, Answer("", finish_reason="content_filter"), stamp)
    blocked = wire.blocked_prompt(ask, stamp)
    if blocked is None:
        return failed(wire.failure(ask.kind, ask.model, fault, stamp), stamp)
    headers = wire.headers(ask, stamp)
    if not ask.stream:
        return _whole(200, JSON_TYPE, blocked, headers, stamp)
    return _streamed(ask, [b"data: " + blocked + b"\n\n"], headers, stamp)


def unreadable(wire: WireFormat, kind: str, why: str, stamp: Stamp) -> Outgoing:
    """The provider's own 400 for a request it can't read."""
    return failed(wire.failure(kind, "", BadRequest(message=why, param="messages"), stamp), stamp)
