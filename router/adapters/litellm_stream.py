"""Reading one open stream of litellm's: only what the provider sent, its own end mark, and only the usage it reported.

litellm would end every stream well: it makes up a "stop" for one that just stops, and counts tokens where none were
reported. So its reader is asked for chunks alone; what the end means is decided here.
"""

from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from contextvars import Context
from dataclasses import replace
from typing import Any

from router.adapters.litellm_reply import ChunkReader, finish_reason, merged_usage
from router.adapters.traffic import Traffic
from router.decide.transcript import signs_thoughts
from router.ports import WireCall, WireChunk
from router.values import Usage

_UNMARKED_KINDS = ("gemini", "vertex", "vertex_ai")
"""Kinds whose every chunk litellm marks as the end."""


class LitellmStream:
    """A WireStream: litellm's reader of one open response, and the chunks that are read but not asked for yet."""

    __slots__ = (
        "_asked",
        "_end_seen",
        "_ends",
        "_reader",
        "_ready",
        "_said",
        "_usages",
        "_went_on",
        "_wrapper",
        "call",
        "context",
        "ended",
        "exchange",
    )

    def __init__(self, call: WireCall, wrapper: Any, exchange: Traffic, context: Context) -> None:
        self.call = call
        self.exchange = exchange
        self.context = context
        self.ended = False
        self._wrapper = wrapper
        self._reader = ChunkReader(signed=signs_thoughts(call.kind, call.model))
        self._ready: deque[WireChunk] = deque()
        self._said: list[WireChunk] = []  # by the provider, and dropped by litellm
        self._usages: list[Any] = []
        self._asked = int(call.params.get("n") or 1)
        self._ends: set[int] = set()  # the choices that have said why they ended
        self._went_on = False  # behind such a word: then it marks no end
        self._end_seen = call.kind not in _UNMARKED_KINDS

    async def open(self) -> "LitellmStream":
        """Have the request sent, if litellm has put it off; read the response our way. Raises what litellm raises."""
        if self._wrapper.completion_stream is None:
            await self._wrapper.fetch_stream()
        self._wrapper._record_partial_usage_for_failure = _count_nothing
        if not self._end_seen:
            self._watch_for_the_end(self._wrapper.completion_stream)
        self._watch_for_what_is_dropped()
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
        if wrapper.sent_last_chunk:
            await self._read_on()
            return
        try:
            chunk = await anext(wrapper)
        except StopAsyncIteration:
            self.ended = True
            return
        except Exception:  # behind the end mark: the answer is whole
            if self.exchange.stopped or wrapper.sent_last_chunk or self._went_on or not self._has_end_mark():
                raise
            wrapper.sent_last_chunk = True
            chunk = wrapper.finish_reason_handler()
        if wrapper.sent_last_chunk and not self._has_end_mark():
            self.ended = True
            return
        self._take(chunk)
        if wrapper.sent_last_chunk:
            await self._end_if_all_have()

    async def _read_on(self) -> None:
        """litellm takes the end of one choice for the end of all; the others go on behind it."""
        wrapper = self._wrapper
        try:
            raw = await anext(aiter(wrapper.completion_stream))
        except StopAsyncIteration:
            self.ended = True
            return
        chunk = wrapper.chunk_creator(chunk=raw)
        self._usages.append(getattr(chunk, "usage", None))
        self._take(chunk)
        await self._end_if_all_have()

    def _take(self, chunk: Any) -> None:
        pieces = self._reader.read(chunk) if chunk is not None else ()
        if self._asked > 1:  # litellm has one reason for all, and gives it to the first
            pieces = [replace(piece, finish_reason=None) for piece in pieces if piece.delta or piece.logprobs]
        self._ready.extend(pieces)
        self._ready.extend(self._said)
        self._said.clear()

    async def _end_if_all_have(self) -> None:
        if self._asked > 1 and len(self._ends) < self._asked:
            return
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
            for one in candidates:
                self._note_end(int(one.get("index") or 0), one.get("finishReason"))
            return parse(chunk=chunk)

        parser.chunk_parser = watched

    def _watch_for_what_is_dropped(self) -> None:
        """Look at the chunks of OpenAI's shape as they came: litellm drops the words of a refusal, and why any but one
        choice ended."""
        wrapper = self._wrapper
        create = wrapper.chunk_creator

        def watched(chunk: Any) -> Any:
            refused = False
            for choice in getattr(chunk, "choices", None) or ():
                refusal = getattr(getattr(choice, "delta", None), "refusal", None)
                if refusal:
                    refused = True
                    self._said.append(WireChunk(delta={"refusal": refusal}, index=choice.index))
                if self.call.kind not in _UNMARKED_KINDS:
                    called = getattr(getattr(choice, "delta", None), "tool_calls", None)
                    self._went_on |= bool(called) and choice.index in self._ends
                    self._note_end(choice.index, getattr(choice, "finish_reason", None))
            made = create(chunk=chunk)
            return wrapper.model_response_creator() if refused and made is None else made

        wrapper.chunk_creator = watched

    def _note_end(self, index: int, reason: str | None) -> None:
        if reason and index not in self._ends:
            self._ends.add(index)
            if self._asked > 1:
                self._said.append(WireChunk(delta={}, index=index, finish_reason=finish_reason(reason)))

    async def _usage(self) -> Usage | None:
        """The usage that the provider reported, reading on behind the finish to where many of them put it."""
        wrapper = self._wrapper
        usages = [*self._usages, *(getattr(chunk, "usage", None) for chunk in wrapper.chunks)]
        known = len(wrapper.chunks)
        with suppress(Exception):  # the answer is whole; a connection that breaks here only hides its usage
            async for raw in wrapper.completion_stream:
                piece = wrapper.chunk_creator(chunk=raw)
                usages.append(getattr(piece, "usage", None))
        usages.extend(getattr(chunk, "usage", None) for chunk in wrapper.chunks[known:])
        return merged_usage(usages)


def _count_nothing() -> None:
    """In place of litellm's count of a broken stream, for which it may fetch a tokenizer over the network."""
