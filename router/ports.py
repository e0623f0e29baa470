"""What the engine asks of the world. Each docstring is the contract: atomicity, failure mode, and whether it suspends.

Every port is async-shaped. `suspends` says whether its coroutines ever really wait on an event loop: `Router` drives
the engine inline and refuses a port that suspends; `AsyncRouter` refuses a Transport or Clock that does not.
Only the types in `values`, `plan` and this module cross a port. Times called `now_s` are wall-clock Unix seconds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from router.plan import Budget, Limit, ModelFacts, TokenClass, Unit, Window
from router.values import InputEstimate, Kind, Message, SecretRef, Usage

# --- Transport ----------------------------------------------------------------------------------------------------


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
    wire: Mapping[str, str] = field(default_factory=dict)


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
    """One piece of a stream: the delta of one choice in OpenAI's shape. `done` marks the stream's own end."""

    delta: Mapping[str, Any]
    index: int = 0
    finish_reason: str | None = None
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


# --- Ledger -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Counter:
    """One bucket of spend: never keyed by amount or file, so an edit keeps it. `start` is the local date and hour at
    which its calendar window began (`2026-11-21`, `2026-11-21T14`, `2026-11`, `2026-W47`), "" for `total`."""

    owner: str
    unit: Unit
    window: Window
    start: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """What one reservation needs of one budget."""

    counter: Counter
    needed: int
    budget: Budget
    resets_at_s: float | None  # None: never refills


@dataclass(frozen=True, slots=True, kw_only=True)
class Take:
    """What one reservation or admission takes of one sliding window (or of a concurrency limit: amount 1)."""

    limit: Limit
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """A reservation for one attempt."""

    id: str
    request_id: str
    attempt: int  # 1-based, over the whole request
    policy: str
    tenant: str | None
    user: str | None
    target: str
    plan_digest: str
    prices_digest: str
    worst_nusd: int
    worst_tokens: int
    charges: tuple[Charge, ...]
    takes: tuple[Take, ...]  # token limits
    now_s: float
    lease_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortfall:
    """One budget or limit that did not fit. Exactly one of `budget`, `limit`."""

    needed: int
    available: int
    resets_at_s: float | None
    budget: Budget | None = None
    limit: Limit | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """`seq` was taken inside the store's atomic step."""

    seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    seq: int
    shortfalls: tuple[Shortfall, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """How an attempt ended. `cost_nusd` is the whole truth, above the reservation too; tokens correct the windows."""

    cost_nusd: int
    usage: Usage | None
    how: Literal["reported", "counted", "nothing", "worst_case"]
    kind: Kind | None  # None: it was answered
    now_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    settled: int = 0
    reserved: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One attempt as the ledger keeps it, for ever; balances are derivable from the rows alone."""

    id: str
    request_id: str
    attempt: int
    policy: str
    tenant: str | None
    user: str | None
    target: str
    plan_digest: str
    prices_digest: str
    state: Literal["reserved", "sent", "settled", "released", "expired"]
    worst_nusd: int
    worst_tokens: int
    cost_nusd: int  # what counts now: worst case while reserved, sent or expired
    usage: Usage | None
    how: str | None
    kind: str | None
    counters: tuple[tuple[Counter, int], ...]  # with what each counter holds for this row now
    reserved_at_s: float
    ended_at_s: float | None
    lease_until_s: float
    seq: int


class Ledger(Protocol):
    """Money and token reservations: one durable row per attempt.

    Atomicity: `reserve` is one step over all charges and takes, all or none, also between processes; the other
    writes are one step each and idempotent by id. Durability: what a call returned from survives `kill -9` (not
    necessarily power loss; see the adapter). Failure mode: StoreError(port="ledger"), and the caller must not send.
    Suspends: says the adapter; an adapter that suspends must shield `settle` and `release` from cancellation.
    """

    @property
    def suspends(self) -> bool: ...

    async def reserve(self, hold: Hold) -> Granted | Refused:
        """Reserve every charge and take, or none. For each charge: settled + reserved + needed <= budget.amount.

        An expired lease met on the way is resolved first (see `reconcile`). A charge with needed 0 always fits.
        """
        ...

    async def mark_sent(self, id: str, *, now_s: float) -> None:
        """Durable before the first byte leaves."""
        ...

    async def renew(self, id: str, *, lease_until_s: float) -> None:
        """Extend the lease of a row that is reserved or sent; no effect on one that has ended."""
        ...

    async def settle(self, id: str, settlement: Settlement) -> None:
        """End a row in the windows of its reservation. A second call has no effect, except that it corrects a row
        that `reconcile` had expired."""
        ...

    async def release(self, id: str, *, now_s: float) -> None:
        """End a row that was never sent: it costs nothing. No effect on an ended row; a sent row must be settled."""
        ...

    async def reconcile(self, *, now_s: float) -> int:
        """Resolve every lapsed lease: reserved rows are released, sent rows expire at worst case. Returns how many."""
        ...

    async def balances(self, counters: Sequence[Counter]) -> Mapping[Counter, Balance]:
        """One consistent read; a counter never written has Balance()."""
        ...

    async def rows(self, *, since_s: float = 0.0, limit: int | None = None) -> Sequence[Row]:
        """Rows reserved at or after `since_s`, oldest first."""
        ...

    async def aclose(self) -> None: ...


# --- Limiter ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitFull:
    """The limit that refused, and after how long the same admission could pass."""

    limit: Limit
    retry_after_s: float


class Limiter(Protocol):
    """Request rates and concurrency, once per request.

    Atomicity: `admit` is one step over all takes, all or none, also between processes. No window of a limit's length
    ever holds more than its `at_most`; a refusal is early by at most 1/60 of the window, and waiting its
    `retry_after_s` is enough when nobody else comes. Failure mode: StoreError(port="limiter").
    Suspends: says the adapter.
    """

    @property
    def suspends(self) -> bool: ...

    async def admit(
        self, id: str, takes: Sequence[Take], *, now_s: float, lease_s: float
    ) -> LimitFull | None:
        """None: admitted under `id`. A concurrency take is held until `release` or until `lease_s` lapses."""
        ...

    async def renew(self, id: str, *, lease_until_s: float) -> None: ...

    async def release(self, id: str) -> None:
        """Give back concurrency. Idempotent. Requests stay counted."""
        ...

    async def used(self, limits: Sequence[Limit], *, now_s: float) -> Mapping[Limit, int]:
        """What each window holds now."""
        ...

    async def aclose(self) -> None: ...


# --- Cache, Health ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheEntry:
    """A stored answer: `body` is JSON bytes; whether it is still fresh is judged at read by today's policy."""

    body: bytes
    stored_at_s: float


class Cache(Protocol):
    """Keeps answers. Keys are hex digests.

    Atomicity: one entry is whole or absent. Failure mode: StoreError(port="cache"), which never fails a request; a
    damaged entry is absent. Suspends: says the adapter.
    """

    @property
    def suspends(self) -> bool: ...

    async def get(self, key: str) -> CacheEntry | None: ...

    async def put(self, key: str, entry: CacheEntry, *, ttl_s: float) -> None:
        """`ttl_s` only lets the store forget; whether an entry is fresh is not the store's to say."""
        ...

    async def aclose(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyHealth:
    """`cooling_until_s` 0: healthy."""

    failures: int = 0
    cooling_until_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one attempt says about a key and a model. `kind` None: it was answered."""

    provider: str
    model: str
    key: str | None
    kind: Kind | None
    cooling_s: float  # how long the key should rest, decided by the caller; 0: it should not
    now_s: float


class Health(Protocol):
    """What is known of keys (provider, key name) and of models (provider, "model:NAME").

    Atomicity: `note` is one step; cooling ends only grow until an answer clears them. Failure mode: StoreError(
    port="health"), which never fails a request. Suspends: says the adapter.
    """

    @property
    def suspends(self) -> bool: ...

    async def read(self, names: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], KeyHealth]:
        """Names never noted are absent."""
        ...

    async def note(self, outcome: Outcome) -> None:
        """Count a failure of the model when its kind counts against the breaker, clear the count on an answer; let
        the key cool, or clear it on an answer."""
        ...

    async def aclose(self) -> None: ...


# --- Clock, Draw, Prices, Tokens, Secrets: none of these touches a store ---------------------------------------------


class Clock(Protocol):
    """Time. `mono_s` for durations and deadlines, `now_s` for windows and leases. Never fails.

    Suspends: `sleep` does in the async form; in the sync form it blocks the caller's thread.
    """

    @property
    def suspends(self) -> bool: ...

    def now_s(self) -> float: ...

    def mono_s(self) -> float: ...

    async def sleep(self, seconds: float) -> None: ...


class Draw(Protocol):
    """Randomness, so that a seed repeats a run. Never suspends, never fails."""

    def fraction(self) -> float:
        """Uniform in [0, 1)."""
        ...

    def id(self) -> str:
        """A fresh id: unique over processes for the real one; letters, digits and `-`."""
        ...


class Prices(Protocol):
    """The price book. Read once; never suspends. Raises StoreError(port="prices") when its file can't be read."""

    @property
    def digest(self) -> str:
        """SHA-256 of the book's bytes, in hex."""
        ...

    def facts(self, kind: str, model: str) -> ModelFacts | None:
        """What is known of `model` at a provider of litellm's `kind`; None: the model is not in the book."""
        ...

    def tokens(self, kind: str, model: str) -> TokenClass:
        """How the input of a model is bounded, whether or not it is in the book."""
        ...

    def models(self, kind: str) -> Sequence[str]:
        """All chat model names of a kind, sorted, without the kind's prefix: for suggestions and patterns."""
        ...


class InputReader(Protocol):
    """The input of one request: read once, estimated for all the targets that ask, gone with its request."""

    def estimate(
        self, params: Mapping[str, Any], tokens: TokenClass, *, context_tokens: int | None
    ) -> InputEstimate: ...


class Tokens(Protocol):
    """Counts the input of a request before it is sent. Never suspends: long texts are bounded from their bytes."""

    def reader(self, messages: Sequence[Message]) -> InputReader:
        """Nothing is counted yet. What the reader keeps of the messages goes with it."""
        ...

    def count_text(self, text: str, encoding: str) -> int:
        """Tokens of plain text; used where a provider reported no usage."""
        ...


class Secrets(Protocol):
    """Resolves references. Never suspends. None: the variable or file is absent or empty."""

    def get(self, ref: SecretRef) -> str | None: ...
