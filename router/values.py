"""The nouns of a call: frozen, without behaviour beyond reading themselves.

Units: money is an integer of nano-USD (`_nusd`), durations and times are seconds (`_s`), tokens are plain counts.
Wall-clock times are Unix seconds, UTC.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:  # a Reply carries its trace, and events describe requests
    from router.errors import RouterError
    from router.events import Event

NUSD_PER_USD = 1_000_000_000

Wire = Literal["auto", "lean", "litellm"]
"""What carries the calls of a provider: litellm's own client, the lean wire, or the lean one where they are equal."""

Message = Mapping[str, Any]
"""One chat message in OpenAI's shape: `role`, `content`, and what else that role carries."""


class Kind(StrEnum):
    """Why an attempt failed. The words of `fall_back_on`, `retry.on`, events and metrics."""

    RATE_LIMITED = "rate_limited"
    OVERLOADED = "overloaded"
    SERVER_ERROR = "server_error"
    TIMEOUT = "timeout"
    CONNECTION = "connection"
    AUTH = "auth"
    QUOTA = "quota"
    NOT_FOUND = "not_found"
    BAD_REQUEST = "bad_request"
    CONTEXT_WINDOW = "context_window"
    CONTENT_FILTER = "content_filter"
    INVALID_OUTPUT = "invalid_output"
    TRUNCATED = "truncated"
    OVER_BUDGET = "over_budget"
    OVER_LIMIT = "over_limit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an author wrote a value: file as given, line and column from 1 (line 0: not from a file)."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretRef:
    """A secret by reference, never by value: `{env: NAME}` or `{file: PATH}`."""

    source: str  # "env" | "file"
    name: str
    place: Place

    def __str__(self) -> str:
        return f"{self.source}:{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens of one answer, as the provider reported them; `reported` is False where they had to be counted.

    `input_tokens` is the whole input, cached and cache-written tokens included; `output_tokens` the whole
    output, reasoning included. The others are parts of those two; `cache_write_1h_tokens`, written to be kept for an
    hour, is a part of `cache_write_tokens`.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    cache_write_1h_tokens: int = 0
    audio_input_tokens: int = 0
    image_input_tokens: int = 0
    reasoning_tokens: int = 0
    audio_output_tokens: int = 0
    reported: bool = True

    @property
    def total_tokens(self) -> int:
        return self.input_tokens + self.output_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class InputEstimate:
    """`tokens` is the likely count; `bound` is never below what is billed, for the kinds of input that docs/tokens.md
    names. `unbounded` names what the bound can't cover (server-side search, fetched files); empty: all covered.
    `for_an_hour`: it asks the provider to keep some of it for an hour, which has a price of its own."""

    tokens: int
    bound: int
    unbounded: tuple[str, ...] = ()
    for_an_hour: bool = False


class Misfit(ValueError):
    """A text that does not have the form that was asked for; `faults` say where and why, one line each."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = tuple(faults)


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """The form that an answer must have. `read` makes an object of its JSON text, or raises Misfit. `strict`: a
    provider can hold an answer to the schema while it writes it."""

    name: str
    schema: Mapping[str, Any]
    strict: bool
    read: Callable[[str], Any] = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One call as its caller made it, checked for form. `tenant` and `user` are what the application says."""

    id: str
    policy: str
    messages: tuple[Message, ...]
    tenant: str | None = None
    user: str | None = None
    session: str | None = None
    tags: tuple[str, ...] = ()
    prefer: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    timeout_s: float | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    stream: bool = False
    output: Output | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """One piece of a streamed answer. `raw` is the delta of choice `index` in OpenAI's shape, as plain JSON values;
    `logprobs` is OpenAI's too, where a call asked for them and the provider gives them."""

    raw: Mapping[str, Any]
    index: int = 0
    finish_reason: str | None = None
    logprobs: Mapping[str, Any] | None = None

    @property
    def text(self) -> str:
        """The text of this piece; empty when it holds none."""
        content = self.raw.get("content")
        return content if isinstance(content, str) else ""

    @property
    def reasoning(self) -> str:
        """What the model thinks aloud, where the provider shows it."""
        reasoning = self.raw.get("reasoning_content")
        return reasoning if isinstance(reasoning, str) else ""

    @property
    def tool_calls(self) -> tuple[Mapping[str, Any], ...]:
        """Pieces of tool calls: those with the same `index` belong together."""
        return tuple(self.raw.get("tool_calls") or ())


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One answer. `message` is OpenAI's assistant message; `choices` holds all of them when `n` > 1.

    `cost_nusd` is None where the price of the model is unknown, 0 for a cached answer. `age_s` is how long ago a cached
    one was kept; `stale`: that is longer than the policy's `ttl`, and was served as every target failed. `object` is
    what the answer holds where a `response_model` asked for one. `error` is why there is no answer, where errors were
    asked for as replies.
    """

    request_id: str
    policy: str
    target: str
    model: str
    message: Message
    choices: tuple[Mapping[str, Any], ...]
    finish_reason: str
    usage: Usage
    cost_nusd: int | None
    cached: bool
    created_s: int
    age_s: float = 0.0
    stale: bool = False
    object: Any = None
    error: "RouterError | None" = None
    trace: "tuple[Event, ...]" = ()

    @property
    def ok(self) -> bool:
        """Whether there is an answer."""
        return self.error is None

    @property
    def text(self) -> str:
        """The text of the first choice; empty when it holds only tool calls."""
        content = self.message.get("content")
        return content if isinstance(content, str) else ""

    @property
    def reasoning(self) -> str:
        """What the model thought aloud before its first choice, where the provider shows it."""
        reasoning = self.message.get("reasoning_content")
        return reasoning if isinstance(reasoning, str) else ""

    @property
    def tool_calls(self) -> tuple[Mapping[str, Any], ...]:
        return tuple(self.message.get("tool_calls") or ())

    @property
    def truncated(self) -> bool:
        """True when a limit on output cut the answer."""
        return self.finish_reason == "length"

    @property
    def cost_usd(self) -> Decimal | None:
        return None if self.cost_nusd is None else Decimal(self.cost_nusd) / NUSD_PER_USD

    def openai(self) -> dict[str, Any]:
        """The answer in the shape of OpenAI's chat completion object, as plain JSON values."""
        usage = self.usage
        return {
            "id": f"chatcmpl-{self.request_id}",
            "object": "chat.completion",
            "created": self.created_s,
            "model": self.model,
            "choices": [dict(choice) for choice in self.choices],
            "usage": {
                "prompt_tokens": usage.input_tokens,
                "completion_tokens": usage.output_tokens,
                "total_tokens": usage.total_tokens,
                "prompt_tokens_details": {"cached_tokens": usage.cached_input_tokens},
                "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
            },
        }
