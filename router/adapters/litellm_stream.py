"""Reading one open stream of litellm's: only what the provider sent, its own end mark, and only the usage it reported.

litellm would end every stream well: it makes up a "stop" for one that just stops, and counts tokens where none were
reported. So its reader is asked for chunks alone; what the end means is decided here.
"""

from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from contextvars import Context
from typing import Any

from router.adapters.litellm_exchange import Exchange
from router.adapters.litellm_reply import ChunkReader, merged_usage
from router.ports import WireCall, WireChunk
from router.values import Usage

_UNMARKED_KINDS = ("gemini", "vertex", "vertex_ai")
"""Kinds whose every chunk litellm marks as the end."""


class LitellmStream:
    """A WireStream: litellm's reader of one open response, and the chunks that are read but not asked for yet."""

    __slots__ = ("_end_seen", "_reader", "_ready", "_wrapper", "call", "context", "ended", "exchange")

    def __init__(self, call: WireCall, wrapper: Any, exchange: Exchange, context: Context) -> None:
        self.call = call
        self.exchange = exchange
        self.context = context
        self.ended = False
        self._wrapper = wrapper
        self._reader = ChunkReader()
        self._ready: deque[WireChunk] = deque()
        self._end_seen = call.kind not in _UNMARKED_KINDS

    async def open(self) -> "LitellmStream":
        """Have the request sent, if litellm has put it off; read the response our way. Raises what litellm raises."""
        if self._wrapper.completion_stream is None:
            await self._wrapper.fetch_stream()
        self._wrapper._record_partial_usage_for_failure = _count_nothing
        if not self._end_seen:
            self._watch_for_the_end(self._wrapper.completion_stream)
        return self

    async def advance(self) -> WireChunk | None:
        """The next chunk; None for a stream that ended without its end mark. Raises what litellm raises."""
        while not self._ready and not self.ended:
            await self._read()
        return self._ready.popleft() if self._ready else None

    async def close(self) -> None:
        """Close the socket, and litellm's reader. Idempotent."""
        self.ended = True
        await self.exchange.close()
        with suppress(Exception):  # its socket is closed: what litellm still says about it is no news
            await self._wrapper.aclose()

    async def _read(self) -> None:
        wrapper = self._wrapper
        try:
            chunk = await anext(wrapper)
        except StopAsyncIteration:
            self.ended = True
            return
        if wrapper.sent_last_chunk and not self._has_end_mark():
            self.ended = True
            return
        self._ready.extend(self._reader.read(chunk))
        if wrapper.sent_last_chunk:
            self._ready.append(WireChunk(delta={}, usage=await self._usage(), done=True))
            self.ended = True
            await self.exchange.close()

    def _has_end_mark(self) -> bool:
        marks = (self._wrapper.received_finish_reason, self._wrapper.intermittent_finish_reason)
        return self._end_seen and any(marks)

    def _watch_for_the_end(self, parser: Any) -> None:
        """Look at Google's chunks as they came, before litellm's parser fills in what is not there."""
        parse = getattr(parser, "chunk_parser", None)
        if parse is None:  # another reader, whose word has to do
            self._end_seen = True
            return

        def watched(chunk: Mapping[str, Any]) -> Any:
            candidates = chunk.get("candidates") or ()
            blocked = (chunk.get("promptFeedback") or {}).get("blockReason")
            self._end_seen |= bool(blocked) or any(one.get("finishReason") for one in candidates)
            return parse(chunk=chunk)

        parser.chunk_parser = watched

    async def _usage(self) -> Usage | None:
        """The usage that the provider reported, reading on behind the finish to where many of them put it."""
        wrapper = self._wrapper
        usages = [getattr(chunk, "usage", None) for chunk in wrapper.chunks]
        known = len(usages)
        with suppress(Exception):  # the answer is whole; a connection that breaks here only hides its usage
            async for raw in wrapper.completion_stream:
                piece = wrapper.chunk_creator(chunk=raw)
                usages.append(getattr(piece, "usage", None))
        usages.extend(getattr(chunk, "usage", None) for chunk in wrapper.chunks[known:])
        return merged_usage(usages)


def _count_nothing() -> None:
    """In place of litellm's count of a broken stream, for which it may fetch a tokenizer over the network."""
