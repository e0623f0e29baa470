"""What the fake provider is told to do: answers, faults, and who gets which.

A step is an `Answer` or a fault. Every step is a frozen value, so a script can be shared by tests and
printed. Durations are seconds; `retry_after` is seconds too, or text that is sent as it stands.
"""

from __future__ import annotations

import difflib
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, Literal

FinishReason = Literal["stop", "length", "tool_calls", "content_filter"]
RetryStyle = Literal["seconds", "date", "ms", "body"]
Breakage = Literal["json", "html", "empty", "not_an_object"]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call the model asks for. `arguments=None` makes them from the tool's own schema. `signature` is that of the
    thought before it, which Gemini gives and wants back."""

    name: str
    _: KW_ONLY
    arguments: Mapping[str, Any] | None = None
    id: str | None = None
    signature: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """A 200. Everything left out is made up from the request, the same way every time.

    `text=None` is a short story about the last user message (or JSON where the request asks for JSON, or
    a tool call where it forces one). `tool_calls` count only where the request carries tools.
    `input_tokens` is the whole input, cached part included; `output_tokens` the whole output, reasoning
    included. Given numbers are sent as they are, above any limit in the request.
    `instant` renders once per model and replays those bytes: no story, no counting, for benchmarks.
    """

    text: str | None = None
    _: KW_ONLY
    tool_calls: Sequence[ToolCall | str] = ()
    finish_reason: FinishReason | None = None
    refusal: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    delay_s: float = 0.0
    first_chunk_s: float = 0.0
    chunk_s: float = 0.0
    instant: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Anything but a good answer. `delay_s` passes before the first byte."""

    delay_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimited(Fault):
    """429. `retry_after`: seconds, `"date"` (an HTTP date 7 s ahead), other text verbatim, or None.

    `style` says where a number goes: `retry-after` in seconds or as a date, `retry-after-ms`, or only into
    the body (as Gemini's RetryInfo and OpenAI's sentence always have it).
    """

    retry_after: float | str | None = 7
    style: RetryStyle = "seconds"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerError(Fault):
    """500, or 502, 504 and any other status of a broken server."""

    status: int = 500
    message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Overloaded(Fault):
    """No capacity: 529 for Anthropic, 503 for the others, unless `status` says which."""

    status: int | None = None
    retry_after: float | str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unauthorized(Fault):
    """The key is wrong: 401 (400 where the provider itself says 400). `status=403`: no permission."""

    status: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaExceeded(Fault):
    """The money is used up: 429 `insufficient_quota`, 402, or Anthropic's 400, as the provider has it."""

    status: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NotFound(Fault):
    """404: no such model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BadRequest(Fault):
    """400 for a parameter. `message=None` is the provider's own wording."""

    message: str | None = None
    param: str = "temperature"
    status: int = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextTooLong(Fault):
    """400: the input is longer than the context window. `input_tokens=None` is one more than fits."""

    limit_tokens: int = 128_000
    input_tokens: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentFilter(Fault):
    """Refused for its content: the prompt (an error, or a block in a 200), or the answer (a finish reason)."""

    where: Literal["prompt", "answer"] = "prompt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drip(Fault):
    """A good answer in pieces of `piece_bytes`, with a pause before each piece of the head or the body."""

    head_s: float = 0.0
    body_chunk_s: float = 0.0
    piece_bytes: int = 8
    answer: Answer = field(default_factory=Answer)


@dataclass(frozen=True, slots=True, kw_only=True)
class DropConnection(Fault):
    """The connection ends after `after_bytes` of the answer; `reset` ends it with RST in place of FIN."""

    after_bytes: int = 0
    reset: bool = False
    answer: Answer = field(default_factory=Answer)


@dataclass(frozen=True, slots=True, kw_only=True)
class NeverAnswer(Fault):
    """The request is read and nothing comes back until the client goes away or the server stops."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Malformed(Fault):
    """A 200 whose body is broken JSON, a web page, nothing at all, or JSON of the wrong shape."""

    body: Breakage = "json"


@dataclass(frozen=True, slots=True, kw_only=True)
class CutStream(Fault):
    """A stream that ends after `after_chunks` pieces of content, without its end mark.

    `clean` ends the HTTP body properly (only the end mark is missing); otherwise the connection breaks.
    A request that did not ask for a stream gets half of its body.
    """

    after_chunks: int = 2
    clean: bool = False
    answer: Answer = field(default_factory=Answer)


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorInStream(Fault):
    """A stream that turns into an error after `after_chunks` pieces of content (0: the error comes first).

    A request that did not ask for a stream gets the error as its answer.
    """

    after_chunks: int = 2
    error: Overloaded | ServerError | RateLimited = field(default_factory=Overloaded)
    answer: Answer = field(default_factory=Answer)


@dataclass(frozen=True, slots=True, kw_only=True)
class EmptyStream(Fault):
    """A stream with no content: opening and end mark only, or not one frame when `end_mark` is false."""

    end_mark: bool = True


Step = Answer | Fault
ErrorFault = (
    RateLimited | ServerError | Overloaded | Unauthorized | QuotaExceeded | NotFound | BadRequest
    | ContextTooLong | ContentFilter
)  # fmt: skip


@dataclass(slots=True)
class _Queue:
    steps: tuple[Step, ...]
    then: Step
    at: int = 0

    def next(self) -> Step:
        if self.at == len(self.steps):
            return self.then
        self.at += 1
        return self.steps[self.at - 1]


class Script:
    """Sequences of steps by who asks. Thread-safe: tests write while the server reads."""

    def __init__(self, default: Answer) -> None:
        self._default = default
        self._queues: dict[str, _Queue] = {}
        self._lock = threading.Lock()

    def put(self, who: str, steps: Step | Sequence[Step], then: Step | None) -> None:
        """Replace what `who` gets; without `then` the last step repeats."""
        listed = (steps,) if isinstance(steps, Answer | Fault) else tuple(steps)
        if not listed:
            raise ValueError(f"the script for `{who}` is empty; give it at least one step")
        with self._lock:
            self._queues[who] = _Queue(steps=listed, then=listed[-1] if then is None else then)

    def clear(self) -> None:
        with self._lock:
            self._queues.clear()

    def next(self, names: Iterator[str]) -> Step:
        """The next step of the first of `names` that has a script, else the default answer."""
        if not self._queues:
            return self._default
        with self._lock:
            for name in names:
                queue = self._queues.get(name)
                if queue is not None:
                    return queue.next()
        return self._default

    def never_asked(self) -> tuple[str, ...]:
        """The names whose script no request has touched: most often a typing error in a test."""
        with self._lock:
            return tuple(who for who, queue in self._queues.items() if queue.at == 0)


def closest(name: str, known: Sequence[str]) -> str:
    """A sentence of help for an unknown name."""
    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean `{near[0]}`?" if near else f"known are {', '.join(sorted(known))}"
