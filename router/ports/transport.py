"""What speaks to providers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from router.values import Message, Usage, Wire


@dataclass(frozen=True, slots=True, kw_only=True)
class WireCall:
    """One request to one provider, ready to be sent. `api_key` is the only secret and is kept out of repr."""

    attempt: str  # id of the attempt, for correlation
    target: str  # "openai/gpt-5-nano", as in policies
    kind: str  # litellm's provider name
    model: str  # what the provider is asked for
    messages: Sequence[Message]
    params: Mapping[str, Any]  # OpenAI names; `max_tokens`, `n`, `tools`, ...
    timeout_s: (
        float  # wall-clock bound of the whole call; the engine enforces it, the wire may use it as well
    )
    stream: bool = False
    base_url: str | None = None
    api_key: str | None = field(default=None, repr=False)
    wire: Mapping[str, str] = field(
        default_factory=dict
    )  # further settings of the kind, as litellm names them
    by: Wire = "auto"


@dataclass(frozen=True, slots=True, kw_only=True)
class WireReply:
    """A whole answer. `choices` are OpenAI choices as plain JSON values; `headers` only the useful, secret-free ones
    in lower case (rate-limit remainders, request id, retry-after)."""

    choices: tuple[Mapping[str, Any], ...]
    usage: Usage | None  # None: the provider reported none
    model: str
    finish_reason: str  # of the first choice, in OpenAI's words
    headers: Mapping[str, str] = field(default_factory=dict)
    provider_request_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WireChunk:
    """One piece of a stream: the delta of one choice in OpenAI's shape, and the `logprobs` of what it says. `done`
    marks the stream's own end."""

    delta: Mapping[str, Any]
    index: int = 0
    finish_reason: str | None = None
    logprobs: Mapping[str, Any] | None = None
    usage: Usage | None = None
    done: bool = False


Realm = Literal["live", "replay", "fake"]
"""Real providers, recordings, or made-up answers."""


class WireStream(Protocol):
    """An open stream: only a token for `Transport.next` and `Transport.close`."""


class Pending(Protocol):
    """Something under way on the wire: only a token for `wait`, `result` and `cancel`."""


class Transport(Protocol):
    """Speaks to providers. One `start` is at most one billed request: it never retries, caches or falls back.

    Atomicity: none needed; calls are independent and any number may be under way. Failure mode: `start` and `wait`
    never raise for the provider's sake; `result` raises ProviderError and nothing else. Suspends: `wait`, `cancel` and
    `close` do in the async form; in the sync form the wire runs on a private loop thread and they block instead.
    """

    @property
    def suspends(self) -> bool: ...

    @property
    def needs_keys(self) -> bool:
        """False where no provider is reached (fake, replay): then a missing key is no reason to drop a target."""
        ...

    @property
    def realm(self) -> Realm:
        """Where answers come from. An answer of one realm is never served in another."""
        ...

    async def ready(self, timeout_s: float) -> bool:
        """Load what the first call needs (a wire library takes seconds), so that no attempt's time goes into it.

        True when it is loaded; False when `timeout_s` passed first. Free once loaded. Raises ProviderError(
        kind=connection, sent=False) where it can't be loaded at all.
        """
        ...

    def start(self, call: WireCall) -> Pending:
        """Begin `call`; returns at once. With `call.stream` its result is a WireStream, opened (status line read)."""
        ...

    async def wait(self, pendings: Sequence[Pending], timeout_s: float) -> Pending | None:
        """The first of `pendings` that is done, in the order given; None when `timeout_s` passed before any was.

        It returns within a few milliseconds of `timeout_s`, whatever the server does.
        """
        ...

    def result(self, pending: Pending) -> "WireReply | WireStream | WireChunk":
        """What a done `pending` brought. Raises ProviderError; RuntimeError when it is not done."""
        ...

    def sent(self, pending: Pending) -> bool:
        """False only when it is certain that no byte of the request left. To be asked after `cancel`."""
        ...

    async def cancel(self, pending: Pending) -> None:
        """Stop `pending` and close its socket before returning. Idempotent; a done one keeps its result."""
        ...

    def next(self, stream: WireStream) -> Pending:
        """Begin to read the next WireChunk. After the chunk with `done` no more may be asked for.

        A stream that ends without its end mark ends in ProviderError(kind=connection).
        """
        ...

    async def close(self, stream: WireStream) -> None:
        """Close the stream and its socket. Idempotent."""
        ...

    async def aclose(self) -> None:
        """Free every connection, thread and task. Pending calls are cancelled."""
        ...
