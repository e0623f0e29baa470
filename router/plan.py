"""What the policies compile to: frozen data, printable, diffable, hashable by `digest`.

A Plan holds no closures, no clients and no secrets, so it can be explained, simulated and compared. Money is integer
nano-USD (`_nusd`); a price per token is integer atto-USD (`_ausd`, 1e-18 USD: the finest price known is whole in it);
durations are seconds (`_s`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType
from typing import Any, Literal

from router.values import Kind, Message, Place, SecretRef

AUSD_PER_NUSD = 1_000_000_000

STREAM_S = 600.0
"""How long a stream may take after its first content, where no policy says less."""

Window = Literal["request", "hour", "day", "week", "month", "total"]
Method = Literal["schema", "tool", "prompt"]
Unit = Literal["nusd", "tokens", "requests"]

ROLLING_S: Mapping[Window, float] = MappingProxyType({"hour": 3_600.0, "day": 86_400.0, "week": 604_800.0})
"""The windows that can be rolling, and how long they are then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """Prices per token in atto-USD, for requests whose whole input is more than `above_tokens`."""

    above_tokens: int = 0
    input_ausd: int
    output_ausd: int
    cached_input_ausd: int
    cache_write_ausd: int
    audio_input_ausd: int
    image_input_ausd: int
    reasoning_ausd: int
    audio_output_ausd: int
    cache_write_1h_ausd: int | None = None  # written to be kept for an hour; None: as `cache_write_ausd`


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceTable:
    """The price of a model: tiers by rising `above_tokens` (the first is 0), and a fee a request. `discount`, in
    thousandths of a percent, is off already. `batch`: (input, output) a token in atto-USD at the provider's batch
    API."""

    tiers: tuple[Price, ...]
    per_request_nusd: int = 0
    source: str = ""  # "policy" | "price file" | "free"
    discount: int = 0
    batch: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceChange:
    """From `at_s` on, the first moment of `day` in `settings.time_zone`, the price is another one; None: unknown."""

    day: date
    at_s: float
    prices: PriceTable | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenClass:
    """How the input of a model is bounded.

    `exact`: `encoding` is the model's own tokenizer. `margin`: its count times (100 + margin_percent) / 100, plus
    `overhead_tokens` once and `per_message_tokens` for each message. `window`: the whole context window, for what
    can't be counted.
    """

    method: Literal["exact", "margin", "window"]
    encoding: str = "o200k_base"
    margin_percent: int = 0
    overhead_tokens: int = 0
    per_message_tokens: int = 4
    family: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFacts:
    """What the price file knows of a model. None: not stated there."""

    name: str
    prices: PriceTable | None = None
    context_tokens: int | None = None
    max_output_tokens: int | None = None
    supports: frozenset[str] = (
        frozenset()
    )  # tools, json, vision, audio, reasoning, ...: the words of `supports:`
    deprecated_on: date | None = None
    tokens: TokenClass = TokenClass(method="margin", margin_percent=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """An amount per window that spending may not exceed. Counters are keyed by (owner, unit, window, start). One in
    `shadow` is counted like any other and refuses nothing: it is no promise, and only tells. A `rolling` one has no
    calendar window: it slides, as a limit does, and is read as one (`window_s`, `at_most`). `when_spent` is the policy
    that takes over where nothing fits this budget; None: the request is refused."""

    owner: str  # "tenant:acme/search", "user:acme:alice", "child:acme:search", "policy:x", "provider:x", "pool:x"
    unit: Unit
    window: Window
    amount: int
    shadow: bool = False
    rolling: bool = False
    place: Place
    text: str  # the rule as its author wrote it, e.g. "per_day: $25"
    when_spent: "PolicyEntry | None" = None
    warn_at: tuple[int, ...] = ()  # shares of the amount, rising, in thousandths of a percent (80% is 80_000)
    present: str = ""  # the owner by its present name, where `was` has it counted under an old one

    @property
    def whose(self) -> str:
        """The owner as people know it today."""
        return self.present or self.owner

    @property
    def window_s(self) -> float:
        """How long it is, where it may be rolling."""
        return ROLLING_S[self.window]

    @property
    def at_most(self) -> int:
        return self.amount


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A sliding-window or concurrency limit. `window_s` is 0 for concurrent_requests; `shadow` as of a Budget."""

    owner: str  # as of a Budget, or "model:openai/gpt-5", "key:openai/OPENAI_API_KEY"
    unit: Literal["requests", "tokens", "input_tokens", "output_tokens", "concurrent_requests"]
    window_s: float
    at_most: int
    shadow: bool = False
    place: Place
    text: str
    present: str = ""  # as of a Budget

    @property
    def whose(self) -> str:
        """The owner as people know it today."""
        return self.present or self.owner


Sliding = Limit | Budget
"""What has a sliding window: a limit on a rate, and a budget that is rolling."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One API key of a provider. `name` is safe to print: the variable or file it comes from."""

    name: str
    secret: SecretRef | None  # None: this kind needs no key (a local server)
    limits: tuple["Limit", ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    name: str
    kind: str  # litellm's provider name
    base_url: str | SecretRef | None
    keys: tuple[Key, ...]
    budgets: tuple[Budget, ...]
    limits: tuple[Limit, ...] = ()
    model_limits: Mapping[str, tuple[Limit, ...]] = field(
        default_factory=dict
    )  # by model, as policies write it
    wire: Mapping[str, str] = field(
        default_factory=dict
    )  # further wire settings of the kind, e.g. api_version
    labels: frozenset[str] = frozenset()
    disabled_at: Place | None = None  # where `enabled: false` takes it, or its last key, out of every policy
    was: str | None = None  # the name that its budgets and limits are counted under, where it is not its own
    place: Place

    @property
    def counted(self) -> str:
        """The name that its budgets and limits are counted under."""
        return self.was or self.name

    def limits_of(self, model: str) -> tuple[Limit, ...]:
        """Its own, and those of one of its models."""
        return (*self.limits, *self.model_limits.get(model, ()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A model at a provider, with all that is known of it."""

    provider: str
    model: str  # as written in policies
    kind: str
    wire_model: str  # what the provider is asked for (the deployment where one is set)
    prices: PriceTable | None  # until the first of `price_changes`; see `router.decide.prices`
    price_changes: tuple[PriceChange, ...] = ()  # in order of time
    context_tokens: int | None
    max_output_tokens: int | None
    supports: frozenset[str] | None  # None: unknown, nothing is refused for it
    tokens: TokenClass
    labels: frozenset[str] = frozenset()  # its provider's and its own
    disabled_at: Place | None = None  # where `enabled: false` takes it out of every policy
    place: Place

    @property
    def name(self) -> str:
        return f"{self.provider}/{self.model}"

    @property
    def enabled(self) -> bool:
        return self.disabled_at is None


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryRule:
    """`attempts` counts sends to one target, the first included. Delays are drawn within [0, max_s]."""

    attempts: int = 2
    backoff: Literal["constant", "linear", "exponential", "fibonacci"] = "exponential"
    base_s: float = 0.2
    max_s: float = 2.0
    on: frozenset[Kind]


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheRule:
    """`scope` is the partition an answer may be served in; `sampled` says that a sampled answer may be stored."""

    ttl_s: float
    scope: Literal["tenant", "user", "shared"] = "tenant"
    sampled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceiling:
    """None: no ceiling of this scope."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    attempts: int | None = None
    added_cost_nusd: int | None = (
        None  # what input that can't be bounded may cost; None: a hard budget refuses it
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class MaxPrice:
    """The dearest a token may be, in atto-USD, at every price tier that a request can reach. None: any price."""

    input_ausd: int | None = None
    output_ausd: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What one scope asks of every target that serves it. Demands are ceilings: those of all scopes on the path hold.

    `allow` holds names of targets; None: all of them. A target of unknown price meets no `max_price`; one of unknown
    capabilities meets all `needs`.
    """

    owner: str  # as of a Budget: "policy:cheap-fast", "tenant:acme/search", "user:acme:*"
    allow: frozenset[str] | None = None
    require: frozenset[str] = frozenset()
    needs: frozenset[str] = frozenset()
    max_price: MaxPrice | None = None
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Lexical:
    """Settings that come from the policy in which a target is written."""

    retry: RetryRule
    attempt_s: float | None
    first_content_s: float | None = None  # of a stream: until the first text, tool call, audio or refusal
    idle_s: float | None = None  # of a stream: the longest gap between two pieces
    fall_back_on: frozenset[Kind]
    params: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetEntry:
    """A target of a policy, with what was set on it alone."""

    target: str  # key into Plan.targets
    params: Mapping[str, Any] = field(default_factory=dict)
    attempt_s: float | None = None
    first_content_s: float | None = None
    idle_s: float | None = None
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyEntry:
    """`{policy: name}` among targets: that policy's list, spliced in with its own settings and ceilings. In a
    `when_spent`: the policy whose list takes the place of all targets."""

    policy: str
    place: Place


Entry = TargetEntry | PolicyEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalTime:
    """Half-open [from, to) in minutes of the local day; wraps over midnight and belongs to the day it starts on."""

    from_min: int
    to_min: int
    days: frozenset[int]  # 0 = Monday; empty: every day


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetUse:
    """`budget_used`: used share of a budget of `of` for `window`, in thousandths of a percent (80% is 80_000)."""

    of: Literal["tenant", "user", "policy", "provider"]
    name: str | None  # of the provider, or of the policy whose rule asks
    window: Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One field of a `when`. Exactly one test is set: `any_of`, `is_true`, `local_time`, or `over` / `up_to`."""

    field: str
    any_of: tuple[str, ...] = ()
    is_true: bool | None = None
    over: int | None = None
    up_to: int | None = None
    local_time: LocalTime | None = None
    budget: BudgetUse | None = None
    negated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """The first rule whose conditions all hold takes the place of the targets. Exactly one of entries, reject."""

    name: str
    when: tuple[Condition, ...]
    entries: tuple[Entry, ...] = ()
    reject: str | None = None
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    name: str
    description: str
    entries: tuple[Entry, ...]
    rules: tuple[Rule, ...]
    lexical: Lexical
    total_s: float
    stream_s: float = STREAM_S  # from first content to the end of a stream
    ceiling: Ceiling
    demand: Demand | None = None
    budgets: tuple[Budget, ...]
    limits: tuple[Limit, ...] = ()
    cache: CacheRule | None
    was: str | None = None  # as of a Provider
    place: Place

    @property
    def counted(self) -> str:
        """The name that its budgets and limits are counted under."""
        return self.was or self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Each:
    """Budgets and limits of every user, session or direct child below a tenant: one bucket per value.

    The owner of each is a template ending in `*`; the value takes its place.
    """

    of: Literal["user", "session", "child"]
    ceiling: Ceiling = field(default_factory=Ceiling)
    demand: Demand | None = None
    budgets: tuple[Budget, ...]
    limits: tuple[Limit, ...]
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """One declared tenant path. `policies` None: all, or the parent's. Ceilings of every ancestor hold as well."""

    path: str
    policies: frozenset[str] | None
    ceiling: Ceiling = field(default_factory=Ceiling)
    demand: Demand | None = None
    never: frozenset[str] = frozenset()  # what its content is never in: "cache", "log"
    budgets: tuple[Budget, ...]
    limits: tuple[Limit, ...]
    each: tuple[Each, ...]
    was: str | None = (
        None  # the path that it is counted under, by its own `was` or one above it; None: its own
    )
    place: Place

    @property
    def counted(self) -> str:
        """The path that its budgets and limits, and those of each of its, are counted under."""
        return self.was or self.path


StoreFailure = Literal["closed", "open"]
StorePort = Literal["ledger", "limiter", "health", "cache"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OnStoreError:
    """What a store that fails does to a call. closed: it fails, before it is sent. open: it goes on without."""

    ledger: StoreFailure = "closed"
    limiter: StoreFailure = "closed"
    health: StoreFailure = "open"
    cache: StoreFailure = "open"

    def opens(self, port: StorePort) -> bool:
        chosen: StoreFailure = getattr(self, port)
        return chosen == "open"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    time_zone: str = "UTC"
    state: str | SecretRef | None = None  # a reference where the address holds credentials
    cache: str | SecretRef | None = None
    default_policy: str | None = None
    on_store_error: OnStoreError = OnStoreError()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything a call needs, by name. `digest` is SHA-256 over the meaning: no places, comments or order."""

    digest: str
    prices_digest: str
    providers: Mapping[str, Provider]
    targets: Mapping[str, Target]
    policies: Mapping[str, Policy]
    tenants: Mapping[str, Tenant]
    settings: Settings
    abstract: frozenset[str] = frozenset()  # names of policies that are only there to be extended
    handing_over: tuple[
        str, ...
    ] = ()  # tenants whose budgets, or each of theirs, say who takes over; few of many
    folder: (
        str  # the folder of the policies, "" where there is none; relative state and cache paths start here
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One element of the flat list of a request: a target with the settings and ceilings of its path.

    `output_tokens` is the bound of one choice; None only where neither a ceiling nor the model states one.
    `per_request` holds what each scope on the path allows for the whole request, in money or tokens. `limits` are those
    taken for each attempt at it: of the nested policies on its path, of its provider and its model. `path` names the
    policies on the way to it, the called one first, `policy` last.
    """

    target: Target
    policy: str
    lexical: Lexical
    total_s: float
    stream_s: float = STREAM_S
    input_ceiling: int | None
    output_tokens: int | None
    attempts_ceiling: int | None
    added_cost_nusd: int | None
    budgets: tuple[Budget, ...]
    per_request: tuple[Budget, ...]
    limits: tuple[Limit, ...] = ()
    params: Mapping[str, Any]
    method: Method | None = None  # how it is asked for an answer of a given form
    added: tuple[Message, ...] = ()  # what that adds to the messages
    path: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """The flat, finite list for one request. `rule` names the rule that chose it, None: the targets. `jumped` names the
    policy whose list it is where a spent budget handed the request over.

    A target occurs twice only until its input is counted, and only where the second path lets more through. `limits`
    are the caller's and the called policy's: requests and concurrency are taken once for the request.
    """

    policy: str
    rule: str | None
    candidates: tuple[Candidate, ...]
    limits: tuple[Limit, ...]
    cache: CacheRule | None
    total_s: float
    stream_s: float = STREAM_S
    streams: bool = False  # whether the caller reads the answer as it comes
    reject: str | None = None
    jumped: str | None = None
