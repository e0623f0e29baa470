"""A stream until its first content: what is read before it is held back, so another target may still answer."""

from dataclasses import dataclass
from typing import cast

from router import events as ev
from router.decide.step import Progress, Try
from router.decide.streams import is_content, is_too_much
from router.engine.assembly import Assembly
from router.engine.health import note_first_content
from router.engine.run import Run
from router.engine.sending import outcome_of
from router.errors import ProviderError
from router.plan import Candidate
from router.ports import Hold, WireChunk, WireStream
from router.values import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A stream that has come to its content, with its row open: whoever has it must end it."""

    candidate: Candidate
    step: Try
    hold: Hold
    wire: WireStream
    held: tuple[WireChunk, ...]  # read, and not passed on yet
    assembly: Assembly
    sent_s: float  # monotonic
    committed_s: float
    progress: Progress | None = None  # what had failed before it

    @property
    def first_s(self) -> float:
        """How long its first content took."""
        return self.committed_s - self.sent_s


async def opened(
    run: Run, candidate: Candidate, step: Try, hold: Hold, wire: WireStream, *, sent_s: float, ends_s: float
) -> Opened | Assembly:
    """The stream at its first content; or all of it, closed, where it ended without any, cut or filtered.

    Raises ProviderError: until then every failure may be followed by another attempt.
    """
    held: list[WireChunk] = []
    assembly = Assembly()
    try:
        while not (held and _commits(held)):
            chunk = await next_chunk(run, hold, wire, ends_s, f"no content within {step.timeout_s:g} s")
            assembly.add(chunk)
            if chunk.done:
                await run.ports.transport.close(wire)
                return _without_content(assembly, hold)
            held.append(chunk)
        committed_s = run.ports.clock.mono_s()
        await note_first_content(run, candidate, step, hold, committed_s - sent_s)
    except BaseException as error:
        if isinstance(error, ProviderError):
            error.began = bool(held)
        await run.ports.transport.close(wire)
        raise
    run.emit(ev.FirstContent, attempt=hold.id, target=hold.target, after_s=committed_s - sent_s)
    return Opened(
        candidate=candidate,
        step=step,
        hold=hold,
        wire=wire,
        held=tuple(held),
        assembly=assembly,
        sent_s=sent_s,
        committed_s=committed_s,
    )


async def next_chunk(run: Run, hold: Hold, wire: WireStream, ends_s: float, late: str) -> WireChunk:
    """The next piece. Raises ProviderError."""
    pending = run.ports.transport.next(wire)
    return cast(WireChunk, await outcome_of(run, hold, pending, ends_s, late, whole=False))


def _commits(held: list[WireChunk]) -> bool:
    return is_content(held[-1].delta) or is_too_much(chunk.delta for chunk in held)


def _without_content(assembly: Assembly, hold: Hold) -> Assembly:
    """A limit or a filter may leave nothing of an answer; one that ended well, and holds nothing, is a failure."""
    if assembly.finish_reason in ("length", "content_filter"):
        return assembly
    raise ProviderError(
        "the stream ended well without any content",
        kind=Kind.SERVER_ERROR,
        target=hold.target,
        usage=assembly.usage,
    )
