"""Where models are called."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from router.plan.amounts import Budget, Limit
from router.plan.prices import PriceChange, PriceTable, TokenClass
from router.values import Place, SecretRef, Wire


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
    by: Wire = "auto"  # which wire its calls go out by
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
class BreakerRule:
    """When a target is left alone, for how long, and how it comes back. At least one of `failures`, `failure_rate`.

    `failures`: so many in a row, none older than `within_s`. `failure_rate`: that share (thousandths of a percent) of
    the attempts within `within_s`, of `of_at_least` of them or more. An answer that took longer than `slower_than_s`,
    of a stream to its first content, is a failure. It is left alone for `open_for_s`, twice as long each time that it
    fails again when it is tried, `open_at_most_s` at most; then `probes` may try it at once, and after
    `success_threshold` of them in a row were answered everybody may.
    """

    failures: int | None = 5
    failure_rate: int | None = None
    of_at_least: int = 20
    within_s: float = 60.0
    slower_than_s: float | None = None
    open_for_s: float = 30.0
    open_at_most_s: float = 300.0
    probes: int = 1
    success_threshold: int = 1
    place: Place


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
    refuses: frozenset[str] = (
        frozenset()
    )  # parameters it does not take, in the words of `router.decide.params`
    tokens: TokenClass
    labels: frozenset[str] = frozenset()  # its provider's and its own
    breaker: BreakerRule | None = None
    disabled_at: Place | None = None  # where `enabled: false` takes it out of every policy
    place: Place

    @property
    def name(self) -> str:
        return f"{self.provider}/{self.model}"

    @property
    def enabled(self) -> bool:
        return self.disabled_at is None
