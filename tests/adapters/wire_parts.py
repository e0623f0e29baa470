"""Calls, and a driver for both forms of a transport."""

import asyncio
import json
import time
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from router.adapters.lean_exchange import LeanExchange
from router.adapters.lean_transport import AsyncLean
from router.errors import ProviderError
from router.ports import Transport, WireCall, WireChunk, WireReply
from router.testing import (
    BadRequest,
    ContextTooLong,
    CutStream,
    DropConnection,
    EmptyStream,
    ErrorInStream,
    FakeProvider,
    Malformed,
    NotFound,
    Overloaded,
    RateLimited,
    ServerError,
    Step,
    Unauthorized,
)
from router.values import Kind

KEY = "sk-live-0123456789abcdefghij"
QUESTION = "Why is the unmistakable aardvark salty?"
MODELS = {
    "anthropic": "claude-haiku-4-5",
    "gemini": "gemini-2.5-flash",
    "groq": "openai/gpt-oss-20b",
    "openai": "gpt-5-nano",
}


WHOLE: list[tuple[Step, Kind, int | None]] = [
    (RateLimited(retry_after=2), Kind.RATE_LIMITED, 429),
    (ServerError(), Kind.SERVER_ERROR, 500),
    (ServerError(status=502), Kind.SERVER_ERROR, 502),
    (ServerError(status=504), Kind.TIMEOUT, 504),
    (Unauthorized(status=403), Kind.AUTH, 403),
    (NotFound(), Kind.NOT_FOUND, 404),
    (BadRequest(), Kind.BAD_REQUEST, 400),
    (BadRequest(status=422), Kind.BAD_REQUEST, 422),
    (ContextTooLong(), Kind.CONTEXT_WINDOW, 400),
    (DropConnection(), Kind.CONNECTION, None),
    (DropConnection(reset=True), Kind.CONNECTION, None),
    (Malformed(body="json"), Kind.SERVER_ERROR, 200),
    (Malformed(body="html"), Kind.SERVER_ERROR, 200),
    (Malformed(body="empty"), Kind.SERVER_ERROR, 200),
]
STREAMED: list[tuple[Step, Kind, int | None]] = [
    (RateLimited(retry_after=2), Kind.RATE_LIMITED, 429),
    (Overloaded(), Kind.OVERLOADED, None),
    (CutStream(after_chunks=2), Kind.CONNECTION, 200),
    (CutStream(after_chunks=2, clean=True), Kind.CONNECTION, 200),
    (ErrorInStream(after_chunks=2), Kind.OVERLOADED, 200),
    (EmptyStream(end_mark=False), Kind.CONNECTION, 200),
    (DropConnection(reset=True), Kind.CONNECTION, None),
]


class LeanOnly(AsyncLean):
    """Every call lean; fails where one would go by litellm's own wire."""

    def __init__(self, **changes: Any) -> None:
        super().__init__(serves=lambda _: True, **changes)

    def start(self, call: WireCall) -> Any:
        flight = super().start(call)
        assert isinstance(flight.traffic, LeanExchange), "not served lean"
        return flight


def call(kind: str = "openai", *, provider: FakeProvider | None = None, **changes: Any) -> WireCall:
    fields: dict[str, Any] = {
        "attempt": "a1",
        "target": f"{kind}/{MODELS.get(kind, 'model')}",
        "kind": kind,
        "model": MODELS.get(kind, "model"),
        "messages": ({"role": "user", "content": QUESTION},),
        "params": {},
        "timeout_s": 5.0,
        "base_url": provider.base_url(kind) if provider else None,
        "api_key": KEY,
    }
    return WireCall(**{**fields, **changes})


def sync(work: Coroutine[Any, Any, Any]) -> Any:
    """Drive a coroutine that never suspends, as the sync engine does."""
    try:
        work.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("a blocking transport suspended")


def run(suspends: bool) -> Callable[[Coroutine[Any, Any, Any]], Any]:
    return asyncio.run if suspends else sync


async def answer(transport: Transport, wanted: WireCall) -> WireReply | list[WireChunk]:
    """The reply, or the chunks of a stream. Raises ProviderError."""
    result = await finish(transport, transport.start(wanted))
    if isinstance(result, WireReply):
        return result
    chunks: list[WireChunk] = []
    try:
        while not chunks or not chunks[-1].done:
            chunks.append(await finish(transport, transport.next(result)))
    finally:
        await transport.close(result)
    return chunks


async def answer_once(transport: Transport, wanted: WireCall) -> WireReply | list[WireChunk]:
    """The same, and the transport is closed after it."""
    try:
        return await answer(transport, wanted)
    finally:
        await transport.aclose()


async def finish(transport: Transport, pending: Any, timeout_s: float = 5.0) -> Any:
    assert await transport.wait([pending], timeout_s) is pending
    return transport.result(pending)


async def until_deadline(transport: Transport, wanted: WireCall, deadline_s: float) -> tuple[float, float]:
    """Use `wanted` until the deadline, then give up: (seconds until it was given up, when the socket was closed)."""
    began_s = time.monotonic()
    pending = transport.start(wanted)
    stream = None
    while await transport.wait([pending], began_s + deadline_s - time.monotonic()) is not None:
        stream = transport.result(pending)
        pending = transport.next(stream)
    await transport.cancel(pending)
    if stream is not None:
        await transport.close(stream)
    return time.monotonic() - began_s, time.monotonic()


async def failure_of(transport: Any, wanted: Any) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        await answer_once(transport, wanted)
    return caught.value


def completion(**changes: Any) -> bytes:
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Rivers."}}
    whole = {"id": "1", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice]}
    return json.dumps({**whole, **changes}).encode()
