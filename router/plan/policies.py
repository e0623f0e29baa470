"""What a policy says: targets, rules, settings and ceilings."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from router.plan.amounts import Budget, Limit, Window
from router.values import Kind, Place

STREAM_S = 600.0
"""How long a stream may take after its first content, where no policy says less."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryRule:
    """`attempts` counts sends to one target, the first included. Delays are drawn within [0, max_s]. `budget`: of the
    requests that came to a target lately, the share that may be sent to it once more (thousandths of a percent); None:
    all of them.
    """

    attempts: int = 2
    backoff: Literal["constant", "linear", "exponential", "fibonacci"] = "exponential"
    base_s: float = 0.2
    max_s: float = 2.0
    on: frozenset[Kind]
    budget: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheRule:
    """`scope` is the partition an answer may be served in; `sampled` says that a sampled answer may be stored.
    `stale_s` is how long past its `ttl_s` an answer may still be served where every target failed."""

    ttl_s: float
    scope: Literal["tenant", "user", "shared"] = "tenant"
    sampled: bool = False
    stale_s: float = 0.0

    @property
    def kept_s(self) -> float:
        """How old an answer may be to be of any use."""
        return self.ttl_s + self.stale_s


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
    heeds_breakers: bool = True
    params: Mapping[str, Any]
    params_unsupported: Literal["error", "drop"] = "error"  # what becomes of one that a target does not take


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
