"""Cases as read: frozen, checked against the plan, ready to be played."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from router.adapters.scripted_transport import Step as Does
from router.plan import Budget, StorePort
from router.testing.cases.expect import Expectation
from router.values import Place, Request

Faults = Mapping[str, tuple[Does, ...]]
"""By target, what it does attempt by attempt of one call; the last one goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What a budget holds before the first call."""

    budget: Budget
    amount: int  # nano-USD, tokens or requests, by the unit of the budget


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One step. `request` is complete but for its id. `in_flight`: calls of its caller that are under way beside it.
    `down`: stores that can't be asked."""

    place: Place
    request: Request
    expect: tuple[Expectation, ...]
    faults: Faults = field(default_factory=dict)
    after_s: float = 0.0
    times: int = 1
    in_flight: int = 0
    down: frozenset[StorePort] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenFault:
    """What a target does, where it is written, and the steps (from 1) in which that holds."""

    place: Place
    target: str
    steps: frozenset[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    name: str
    place: Place
    begins_s: float  # wall-clock Unix seconds
    calls: tuple[Call, ...]
    spent: tuple[Spent, ...] = ()
    unset: frozenset[str] = frozenset()
    open: tuple[str, ...] = ()  # targets whose breakers are open when it begins
    faults: tuple[WrittenFault, ...] = ()
