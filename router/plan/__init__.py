"""What the policies compile to: frozen data, printable, diffable, hashable by `digest`.

A Plan holds no closures, no clients and no secrets, so it can be explained, simulated and compared. Money is integer
nano-USD (`_nusd`); a price per token is integer atto-USD (`_ausd`, 1e-18 USD: the finest price known is whole in it);
durations are seconds (`_s`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from router.plan.amounts import ROLLING_S, Budget, Limit, Sliding, Unit, Window
from router.plan.policies import (
    STREAM_S,
    BudgetUse,
    CacheRule,
    Ceiling,
    Condition,
    Demand,
    Entry,
    Lexical,
    LocalTime,
    MaxPrice,
    Policy,
    PolicyEntry,
    RetryRule,
    Rule,
    TargetEntry,
)
from router.plan.prices import AUSD_PER_NUSD, ModelFacts, Price, PriceChange, PriceTable, TokenClass
from router.plan.providers import BreakerRule, Key, Provider, Target
from router.plan.routes import Candidate, Method, Route
from router.plan.tenants import Each, Tenant
from router.values import SecretRef

__all__ = [
    "AUSD_PER_NUSD",
    "ROLLING_S",
    "STREAM_S",
    "BreakerRule",
    "Budget",
    "BudgetUse",
    "CacheRule",
    "Candidate",
    "Ceiling",
    "Condition",
    "Demand",
    "Each",
    "Entry",
    "Key",
    "Lexical",
    "Limit",
    "LocalTime",
    "MaxPrice",
    "Method",
    "ModelFacts",
    "OnStoreError",
    "Plan",
    "Policy",
    "PolicyEntry",
    "Price",
    "PriceChange",
    "PriceTable",
    "Provider",
    "RetryRule",
    "Route",
    "Rule",
    "Settings",
    "Sliding",
    "StoreFailure",
    "StorePort",
    "Target",
    "TargetEntry",
    "Tenant",
    "TokenClass",
    "Unit",
    "Window",
]

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
