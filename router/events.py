"""One frozen dataclass per fact, past tense. Events carry the values that decided, never content and never a secret.

`at_s` is wall-clock Unix seconds. Logs, metrics, traces, `explain` and tests read this one stream.
"""

from dataclasses import dataclass
from typing import Protocol

from router.values import Kind, Place, Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    request_id: str
    at_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestStarted(Event):
    policy: str
    tenant: str | None
    user: str | None
    plan_digest: str
    prices_digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleUnknown(Event):
    """A rule could not be decided: the request lacks `field`. Unknown does not match."""

    policy: str
    rule: str
    field: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleMatched(Event):
    policy: str
    rule: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateDropped(Event):
    target: str
    policy: str
    reason: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ParamsLeftOut(Event):
    """`target` does not take these parameters, and is called without them: as `params_unsupported: drop` says, or since
    it would refuse the conversation with them."""

    target: str
    policy: str
    params: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Routed(Event):
    """The flat list, in the order in which it will be tried."""

    targets: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheHit(Event):
    key: str
    age_s: float
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StaleServed(Event):
    """Every target failed, each as `kinds` says (none: breakers refuse them all), and an answer older than the policy's
    `ttl` stands in."""

    key: str
    age_s: float
    target: str
    kinds: tuple[Kind, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheMissed(Event):
    key: str
    why: str  # "absent" | "expired" | "misfit" | "store_error"


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheStored(Event):
    """`ttl_s`: how long the store keeps it, the time in which it may be served stale included."""

    key: str
    ttl_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheSkipped(Event):
    """The answer was not stored, or none was looked for: sampled, no_user, content_never, content_filter, truncated,
    store_error."""

    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerShared(Event):
    """An identical call was under way, and has been answered: its answer is this one's too, and was paid for there."""

    target: str
    of_request: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted(Event):
    limits: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitRefused(Event):
    limit: str
    retry_after_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Reserved(Event):
    attempt: str
    target: str
    input_tokens: int
    output_tokens: int
    worst_nusd: int
    budgets: tuple[str, ...]
    seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReserveRefused(Event):
    """Nothing was reserved: over_budget or over_limit. One entry for every budget or token limit that did not fit."""

    target: str
    kind: Kind
    worst_nusd: int
    shortfalls: tuple[str, ...]
    seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowExceeded(Event):
    """A budget or limit in shadow had no room, and let it pass. `target` None: a limit on requests, met before any is
    tried. `rule` is quoted as its author wrote it, at `place`; `resets_at_s` None: it never refills. `seq` is the
    number of the reservation that was granted; None: no store counted it."""

    target: str | None
    owner: str
    rule: str
    place: Place
    needed: int
    available: int
    resets_at_s: float | None
    seq: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Jumped(Event):
    """No target of the list fitted a budget that says `when_spent`, and nothing was sent: another policy takes over.
    `from_policy` is the called one, or the nested one whose budget it is."""

    from_policy: str
    budget: str  # whose: "policy:cheap-fast", "tenant:acme"
    rule: str  # as its author wrote it, e.g. "per_day: $25"
    to_policy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPassedOver(Event):
    """This key is at a limit of its own, and another one of its provider is tried in its place."""

    target: str
    key: str | None
    shortfalls: tuple[str, ...]
    seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetPassedOver(Event):
    """Its breaker is open, or has given away every place for a probe: it may be tried at `until_s` (Unix seconds) at
    the latest, unless it fails again. What opened it: `in_a_row` failures, or `failures` of `attempts`."""

    target: str
    policy: str
    until_s: float
    openings: int  # in a row
    in_a_row: int
    failures: int
    attempts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeAdmitted(Event):
    """The breaker of this target is half open, and this attempt is one of the few that may try it. Its place is held
    until `until_s` (Unix seconds) at most."""

    target: str
    until_s: float
    openings: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerOpened(Event):
    """This attempt was the failure that was one too many: `in_a_row`, or `failures` of `attempts` in the window; or a
    probe that failed, where `openings` is above 1."""

    target: str
    in_a_row: int
    failures: int
    attempts: int
    openings: int
    open_for_s: float
    until_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerClosed(Event):
    """So many probes in a row were answered. `openings`: how often it had opened until then."""

    target: str
    openings: int
    probes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptSent(Event):
    attempt: str
    target: str
    key: str | None
    timeout_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstContent(Event):
    """A stream has committed to its target: from here on it is passed on, and nothing follows it."""

    attempt: str
    target: str
    after_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamClosed(Event):
    """Its reader has closed a stream before its end, or has let go of it."""

    attempt: str
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseRenewed(Event):
    attempt: str
    until_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RenewFailed(Event):
    """A store could not extend a lease; the call goes on, and the next renewal is tried in time."""

    attempt: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptFailed(Event):
    attempt: str
    target: str
    key: str | None
    kind: Kind
    status: int | None
    retry_after_s: float | None
    duration_s: float
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptAnswered(Event):
    attempt: str
    target: str
    key: str | None
    usage: Usage
    finish_reason: str
    duration_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputMisfit(Event):
    """An answer has not the form that was asked for. `repairable`: the model may be told, and asked again."""

    target: str
    form: str
    faults: int
    repairable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled(Event):
    """`cost_nusd` None: the model has no known price. `bound_exceeded`: the provider billed above the reservation.
    `on_record` False: the attempt has no row, for the ledger failed and is called open."""

    attempt: str
    cost_nusd: int | None
    worst_nusd: int
    how: str  # "reported" | "nothing" | "worst_case" | "counted" | "unsent"
    bound_exceeded: bool
    on_record: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class SettleFailed(Event):
    """The ledger could not take a settlement; the row's lease will end it at worst case."""

    attempt: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetWarning(Event):
    """What is settled of a budget has reached a share that its `warn_at` names: told once for each share and window,
    whichever process comes to it. Amounts are in `unit`; `granted` is beside `amount`, and the share is of both. Of a
    rolling budget `settled` is what its window holds."""

    owner: str
    rule: str  # as its author wrote it
    place: Place
    unit: str  # "nusd" | "tokens" | "requests"
    percent: float
    settled: int
    amount: int
    granted: int
    resets_at_s: float | None  # None: it never refills, or is rolling


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseFailed(Event):
    """The limiter could not take back concurrency; its lease will end it."""

    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreBypassed(Event):
    """A store failed, and the call goes on without this step of its port: `settings.on_store_error` calls it open, or
    the step came after an answer, which is not thrown away."""

    port: str  # "ledger" | "limiter" | "health" | "cache"
    step: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryScheduled(Event):
    target: str
    delay_s: float
    kind: Kind
    why: str  # "backoff" | "retry_after"


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryRefused(Event):
    """Of the `requests` that came to this target lately, as many were sent again (`retries`) as `retry.budget` lets."""

    target: str
    kind: Kind
    retries: int
    requests: int
    percent: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FellBack(Event):
    from_target: str
    to_target: str
    kind: Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestAnswered(Event):
    target: str
    cached: bool
    stale: bool = False
    cost_nusd: int | None
    attempts: int
    duration_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestFailed(Event):
    error: str  # the class name of the error
    message: str
    attempts: int
    duration_s: float


class Sink(Protocol):
    """Receives every event, in order, on the caller's thread. It must not block and must not raise."""

    def __call__(self, event: Event) -> None: ...
