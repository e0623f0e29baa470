"""A stream that its caller reads: piece by piece, until its own end mark, and settled however it ends."""

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from router import events as ev
from router.decide.step import Failure
from router.decide.streams import pieces_of
from router.decide.structured import begun_text
from router.engine import answers, objects, permits
from router.engine.opening import Opened, next_chunk
from router.engine.run import Run
from router.engine.settling import answered, counted, failed, let_go
from router.engine.telling import tell_answered, tell_failed
from router.errors import ProviderError, RouterError, StreamBroken
from router.plan import Route
from router.ports import WireChunk
from router.values import Reply, Usage

Mended = Callable[[Run, Route, Opened, Failure], Awaitable[Reply]]
"""What comes of a whole answer that has not the form which was asked for: a better one, or a RouterError."""


class Live:
    """One open stream. Not shared by threads; `close` may be called at any time, and more than once."""

    def __init__(self, run: Run, route: Route, key: str | None, opened: Opened, mended: Mended) -> None:
        self._run = run
        self._route = route
        self._key = key
        self._opened = opened
        self._mended = mended
        self._held: deque[WireChunk] = deque(opened.held)
        self._ends_s = opened.committed_s + min(route.stream_s, opened.candidate.stream_s)
        run.ends_s = self._ends_s
        self._ended = False
        self._failure: RouterError | None = None
        self.target = opened.hold.target
        self.reply: Reply | None = None
        """The whole answer, once the stream has come to its end mark."""

    async def advance(self) -> WireChunk | None:
        """The next piece; None after the last of a whole answer, and of no other: raises StreamBroken where it ends
        without its end mark or is closed, and again whenever it is asked then."""
        if self._held:
            return self._held.popleft()
        if self._ended:
            self._check_whole()
            return None
        try:
            chunk = await self._next()
            if self._ended:
                raise self._closed("was closed while it was read")
            self._opened.assembly.add(chunk)
            if not chunk.done:
                return chunk
            await self._complete()
        except ProviderError as error:
            if self._ended:  # whoever closed it has settled it, and the provider has done nothing wrong
                raise self._closed("was closed while it was read") from None
            self._failure = await self._broken(error)
            raise self._failure from error
        except BaseException:
            await self.close()
            raise
        return None

    @property
    def begun(self) -> str:
        """The text of the answer as far as it has come, or of the one that took its place; of one that is given by a
        tool, the arguments of that."""
        if self.reply is not None:
            return begun_text(self.reply.message, "schema")
        choices = self._opened.assembly.choices()
        return begun_text(choices[0]["message"], self._opened.candidate.method or "schema") if choices else ""

    def _check_whole(self) -> None:
        """Nobody takes a part of an answer for the whole of it, not even who asks once more."""
        if self._failure is not None:
            raise self._failure
        if self.reply is None:
            raise self._closed("was closed before its end")

    async def close(self) -> None:
        """Read no further: the socket is closed, and the row settled at what may have been billed by then."""
        if self._ended:
            return
        self._ended = True
        self._held.clear()
        run, opened = self._run, self._opened
        run.emit(ev.StreamClosed, attempt=opened.hold.id, target=self.target)
        try:
            await run.ports.transport.close(opened.wire)
        finally:
            try:
                await let_go(run, opened.candidate, opened.hold, self._known())
            finally:
                await permits.give_all_back(run)

    async def _next(self) -> WireChunk:
        """Within the gap that the policy allows, and within the time of the whole stream."""
        run, opened = self._run, self._opened
        idle_s, now_s = opened.candidate.lexical.idle_s, run.ports.clock.mono_s()
        ends_s = self._ends_s
        late = f"the stream took longer than its {ends_s - opened.committed_s:g} s"
        if idle_s is not None and now_s + idle_s < ends_s:
            ends_s, late = now_s + idle_s, f"nothing more came within {idle_s:g} s"
        return await next_chunk(run, opened.hold, opened.wire, ends_s, late)

    async def _complete(self) -> None:
        run, opened = self._run, self._opened
        await run.ports.transport.close(opened.wire)
        self._ended = True
        wire = opened.assembly.reply(opened.candidate.target.wire_model)
        try:
            reply = await answered(
                run,
                self._route,
                opened.candidate,
                opened.step,
                opened.hold,
                wire,
                self._took_s(),
                first_s=opened.first_s,
            )
            reply = await self._formed(reply)
        finally:
            await permits.give_all_back(run)
        await answers.keep(run, self._route, self._key, reply)
        tell_answered(run, reply)
        self.reply = replace(reply, trace=tuple(run.trace))

    async def _formed(self, reply: Reply) -> Reply:
        """The reply with its object; where it has not the form, what comes of that. Raises RouterError."""
        run, opened = self._run, self._opened
        found = objects.formed(run, self._route, opened.step, reply)
        if isinstance(found, Reply):
            return found
        await permits.give_back(run, opened.hold.id)
        try:
            return await self._mended(run, self._route, opened, found)
        except RouterError as error:
            tell_failed(run, error)
            self._failure = error
            raise

    async def _broken(self, error: ProviderError) -> StreamBroken:
        """What is told to whoever reads: the failure, and what has been received."""
        run, opened = self._run, self._opened
        self._ended = True
        error.usage = error.usage or self._known()
        try:
            await run.ports.transport.close(opened.wire)
        finally:
            try:
                await failed(
                    run, opened.candidate, opened.hold, opened.step, error, self._took_s(), began=True
                )
            finally:
                await permits.give_all_back(run)
        broken = StreamBroken(
            f"the stream of `{self.target}` broke after its first content: {error.message}",
            received=opened.assembly.choices(),
            help="an answer that has begun is never continued by another target; call again, or read `received`",
        )
        tell_failed(run, broken)
        return broken

    def _closed(self, how: str) -> StreamBroken:
        """What is told to whoever reads a stream that somebody closed."""
        broken = StreamBroken(
            f"the stream of `{self.target}` {how}",
            received=self._opened.assembly.choices(),
            help="read a stream to its end for the whole answer; `received` has what came",
        )
        broken.request_id, broken.trace = self._run.request.id, tuple(self._run.trace)
        return broken

    def _known(self) -> Usage | None:
        """What the provider has worked on, where that is known: once every choice has said why it ended."""
        opened = self._opened
        asked = int(opened.candidate.params.get("n", 1))
        if not opened.assembly.has_finished(asked):
            return None
        return opened.assembly.usage or counted(self._run, opened.candidate, opened.assembly.choices())

    def _took_s(self) -> float:
        return self._run.ports.clock.mono_s() - self._opened.sent_s


class Replayed:
    """A whole answer, from the cache or from a stream that was read to its end, in the form of a stream."""

    def __init__(self, reply: Reply) -> None:
        self.reply: Reply | None = None
        """As that of a Live: once it has been read to its end."""
        self.target = reply.target
        self._whole = reply
        self._held: deque[WireChunk] = deque(_chunks(reply))
        self._closed = False

    @property
    def begun(self) -> str:
        """As that of a Live; all of it."""
        return begun_text(self._whole.message, "schema")

    async def advance(self) -> WireChunk | None:
        """As that of a Live."""
        if self._closed and self.reply is None:
            broken = StreamBroken(
                f"the stream of `{self.target}` was closed before its end",
                received=self._whole.choices,
                help="read a stream to its end for the whole answer",
            )
            broken.request_id, broken.trace = self._whole.request_id, self._whole.trace
            raise broken
        if self._held:
            return self._held.popleft()
        self.reply = self._whole
        return None

    async def close(self) -> None:
        self._closed = True


def _chunks(reply: Reply) -> Sequence[WireChunk]:
    return [
        WireChunk(
            delta=piece.raw, index=piece.index, finish_reason=piece.finish_reason, logprobs=piece.logprobs
        )
        for piece in pieces_of(reply)
    ]
