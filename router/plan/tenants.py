"""Who may call, and what holds for them."""

from dataclasses import dataclass, field
from typing import Literal

from router.plan.amounts import Budget, Limit
from router.plan.policies import Ceiling, Demand
from router.values import Place


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
