"""A Transport without a wire: answers and faults from a script, on a Clock. For tests, and ROUTER_TRANSPORT=fake.

On a manual clock nothing waits: time jumps to the next thing that happens, so a deadline, a hedge or a retry is exact.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, cast

from router.errors import ProviderError
from router.ports import Clock, Pending, Realm, WireCall, WireChunk, WireReply, WireStream
from router.values import Kind, Usage

KEPT = 10_000
"""Of the calls so far the last ones are kept: a process that runs on made-up answers may run for long."""

_TICK_S = 1e-6
"""Sums of floats, and timers of an event loop, may fall this much short of a moment."""


@dataclass(frozen=True, slots=True)
class Says:
    """A good answer. `usage=None` counts it roughly; `unreported` sends no usage at all.

    `after_s` passes before a whole answer or the opening of a stream, `chunk_s` before each chunk of it: one per word.
    """

    text: str = ""
    _: KW_ONLY
    reasoning: str = ""  # before the text
    tool_calls: tuple[Mapping[str, Any], ...] = ()  # OpenAI's
    usage: Usage | None = None
    unreported: bool = False
    finish_reason: str | None = None
    after_s: float = 0.0
    chunk_s: float = 0.0
    headers: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Fails:
    """A failure, `after_s` later. In a stream it comes after `chunks` chunks of `says`."""

    kind: Kind
    _: KW_ONLY
    status: int | None = None
    retry_after_s: float | None = None
    sent: bool = True
    usage: Usage | None = None
    after_s: float = 0.0
    message: str = "a scripted failure"
    says: Says | None = None
    chunks: int = 0


@dataclass(frozen=True, slots=True)
class NeverAnswers:
    """Nothing comes, until somebody gives up."""


Step = Says | Fails | NeverAnswers
Script = Callable[[WireCall], Step] | Mapping[str, Step | Sequence[Step]] | Sequence[Step] | Step
"""One step for all calls; steps in order, the last one repeating; the same by target; or a function of the call."""


def made_up(call: WireCall) -> Says:
    """The answer of a call that no script speaks of: it says that it is none."""
    return Says(f"A made-up answer, as if from {call.target}.")


def _unscripted(call: WireCall, script: Mapping[str, Any]) -> "Fails":
    """A script by target says all there is: a name it lacks is a typing error, in the test or in the policy."""
    known = ", ".join(sorted(script)) or "none"
    return Fails(
        Kind.NOT_FOUND, message=f"the script says nothing of this target; it knows {known}", sent=False
    )


def _check(script: Any) -> None:
    """Raises TypeError for what is no step, before a call meets it."""
    if callable(script):
        return
    listed = script.values() if isinstance(script, Mapping) else [script]
    for steps in listed:
        for step in steps if isinstance(steps, list | tuple) else (steps,):
            if not isinstance(step, Says | Fails | NeverAnswers):
                raise TypeError(
                    f"`{step!a}` is no step of a script: write Says(...), Fails(...) or NeverAnswers()"
                )


class ScriptedTransport:
    """Answers by `script`; `calls` are the calls so far, in order, and `cancelled` those that were given up."""

    needs_keys = False
    realm: Realm = "fake"

    def __init__(self, script: Script = made_up, *, clock: Clock) -> None:
        self._script = script
        _check(script)
        self._clock = clock
        self._asked: dict[str, int] = {}
        self.calls: list[WireCall] = []
        self.cancelled: list[WireCall] = []

    @property
    def suspends(self) -> bool:
        return self._clock.suspends

    async def ready(self, timeout_s: float) -> bool:
        return True

    def start(self, call: WireCall) -> "ScriptedPending":
        self.calls.append(call)
        del self.calls[:-KEPT]
        step = self._step(call)
        opens = call.stream and not (isinstance(step, Fails) and not step.chunks)
        return self._due(call, step, ScriptedStream(call, step) if opens else _whole(call, step))

    async def wait(self, pendings: Sequence[Pending], timeout_s: float) -> Pending | None:
        scripted = cast(Sequence[ScriptedPending], pendings)
        now_s = self._clock.mono_s()
        due_s = min((pending.due_s for pending in scripted), default=math.inf)
        await self._sleep(min(due_s - now_s, timeout_s))
        return next((pending for pending in scripted if self._is_due(pending)), None)

    def result(self, pending: Pending) -> WireReply | WireStream | WireChunk:
        scripted = cast(ScriptedPending, pending)
        if scripted.cancelled or not self._is_due(scripted) or scripted.brings is None:
            raise RuntimeError("this pending call has no result: it is still under way or was cancelled")
        if isinstance(scripted.brings, ProviderError):
            raise scripted.brings
        return scripted.brings

    def sent(self, pending: Pending) -> bool:
        brings = cast(ScriptedPending, pending).brings
        return brings.sent if isinstance(brings, ProviderError) else True

    async def cancel(self, pending: Pending) -> None:
        scripted = cast(ScriptedPending, pending)
        if not scripted.cancelled and not self._is_due(scripted):
            self.cancelled.append(scripted.call)
            scripted.cancelled = True

    def next(self, stream: WireStream) -> "ScriptedPending":
        scripted = cast(ScriptedStream, stream)
        brings, after_s = scripted.pieces[0] if scripted.pieces else (None, math.inf)
        del scripted.pieces[:1]
        return ScriptedPending(scripted.call, due_s=self._clock.mono_s() + after_s, brings=brings)

    async def close(self, stream: WireStream) -> None:
        cast(ScriptedStream, stream).pieces.clear()

    async def aclose(self) -> None:
        """There is nothing to free."""

    def _is_due(self, pending: "ScriptedPending") -> bool:
        return pending.due_s <= self._clock.mono_s() + _TICK_S

    async def _sleep(self, seconds: float) -> None:
        if seconds > 0:
            await self._clock.sleep(seconds)

    def _step(self, call: WireCall) -> Step:
        script = self._script
        if callable(script):
            return script(call)
        if isinstance(script, Mapping):
            listed, who = script.get(call.target), call.target
            if listed is None:
                return _unscripted(call, script)
        else:
            listed, who = script, ""
        steps = listed if isinstance(listed, Sequence) else (listed,)
        at = self._asked.get(who, 0)
        self._asked[who] = at + 1
        return steps[min(at, len(steps) - 1)]

    def _due(
        self, call: WireCall, step: Step, brings: "WireReply | ScriptedStream | ProviderError | None"
    ) -> "ScriptedPending":
        after_s = math.inf if isinstance(step, NeverAnswers) else step.after_s
        return ScriptedPending(call, due_s=self._clock.mono_s() + after_s, brings=brings)


class ScriptedPending:
    """What comes at `due_s` of the clock's monotonic time."""

    __slots__ = ("brings", "call", "cancelled", "due_s")

    def __init__(
        self,
        call: WireCall,
        *,
        due_s: float,
        brings: "WireReply | ScriptedStream | WireChunk | ProviderError | None",
    ) -> None:
        self.call = call
        self.due_s = due_s
        self.brings = brings
        self.cancelled = False


class ScriptedStream:
    """The pieces of a stream that are still to come, each with its delay."""

    __slots__ = ("call", "pieces")

    def __init__(self, call: WireCall, step: Step) -> None:
        self.call = call
        self.pieces = _pieces(call, step)


def _whole(call: WireCall, step: Step) -> WireReply | ProviderError | None:
    if isinstance(step, Fails):
        return _failure(call, step)
    if isinstance(step, NeverAnswers):
        return None
    message: dict[str, Any] = {"role": "assistant", "content": step.text or None}
    if step.reasoning:
        message["reasoning_content"] = step.reasoning
    if step.tool_calls:
        message["tool_calls"] = [dict(one) for one in step.tool_calls]
    reason = _reason(step)
    count = int(call.params.get("n") or 1)
    return WireReply(
        choices=tuple({"index": n, "message": message, "finish_reason": reason} for n in range(count)),
        usage=_usage(call, step),
        model=call.model,
        finish_reason=reason,
        headers=step.headers or {},
        provider_request_id=f"scripted-{call.attempt}",
    )


def _pieces(call: WireCall, step: Step) -> list[tuple[WireChunk | ProviderError, float]]:
    says = step.says if isinstance(step, Fails) else step if isinstance(step, Says) else None
    if says is None:
        return [(_failure(call, step), 0.0)] if isinstance(step, Fails) else []
    words = says.text.split(" ")
    texts = [word if n == len(words) - 1 else f"{word} " for n, word in enumerate(words)]
    chunks = [WireChunk(delta={"reasoning_content": says.reasoning})] if says.reasoning else []
    chunks += [WireChunk(delta={"content": text}) for text in texts if text]
    calls = [{"index": n, **one} for n, one in enumerate(says.tool_calls)]
    chunks += [WireChunk(delta={"tool_calls": [one]}) for one in calls]
    chunks.append(WireChunk(delta={}, finish_reason=_reason(says)))
    if isinstance(step, Fails):
        broken: list[tuple[WireChunk | ProviderError, float]] = [
            (c, says.chunk_s) for c in chunks[: step.chunks]
        ]
        return [*broken, (_failure(call, step), says.chunk_s)]
    end = WireChunk(delta={}, usage=_usage(call, says), done=True)
    return [(chunk, says.chunk_s) for chunk in (*chunks, end)]


def _failure(call: WireCall, step: Step) -> ProviderError:
    fails = cast(Fails, step)
    return ProviderError(
        fails.message,
        kind=fails.kind,
        target=call.target,
        status=fails.status,
        retry_after_s=fails.retry_after_s,
        sent=fails.sent,
        usage=fails.usage,
    )


def _reason(says: Says) -> str:
    return says.finish_reason or ("tool_calls" if says.tool_calls else "stop")


def _usage(call: WireCall, says: Says) -> Usage | None:
    """Rough, and never above what a bound by bytes allows: four bytes a token."""
    if says.unreported:
        return None
    if says.usage is not None:
        return says.usage
    read = sum(
        len(str(message.get("content") or "").encode("utf-8", "surrogatepass")) for message in call.messages
    )
    allowed = call.params.get("max_completion_tokens") or call.params.get("max_tokens") or math.inf
    wrote = min(len(says.text.encode()) // 4 + 1, allowed)
    return Usage(input_tokens=read // 4 + 1, output_tokens=int(wrote))
