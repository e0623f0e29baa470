"""What passes between the passes: a plan in the making, and what is wrong with it so far."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, TypeVar

from router.decide.jumps import handing_over
from router.errors import Problem
from router.plan import Plan, Policy, Provider, Settings, Target, Tenant
from router.policy.catalog import Catalog
from router.policy.document import Document, Spot
from router.values import Place

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """The blocks of all files by name, each where its author wrote it.

    `refused` are further names, by block, of which nothing else could be read; `unread` are the blocks of which a part
    could not be read at all.
    """

    providers: Mapping[str, Spot] = field(default_factory=dict)
    policies: Mapping[str, Spot] = field(default_factory=dict)
    tenants: Mapping[str, Spot] = field(default_factory=dict)
    budgets: Mapping[str, Spot] = field(default_factory=dict)
    settings: Spot | None = None
    refused: Mapping[str, frozenset[str]] = field(default_factory=dict)
    unread: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """Each pass returns one with more in it; `problems` begins with those `of_form`, and grows.

    `today` None: nothing is said about dates. `unread_files`: there are files of which nothing could be read.
    """

    documents: tuple[Document, ...]
    catalog: Catalog
    folder: str = ""
    today: date | None = None
    unread_files: bool = False
    written: Written = field(default_factory=Written)
    settings: Settings = field(default_factory=Settings)
    providers: Mapping[str, Provider] = field(default_factory=dict)
    targets: Mapping[str, Target] = field(default_factory=dict)
    policies: Mapping[str, Policy] = field(default_factory=dict)
    abstract: Mapping[str, Policy] = field(default_factory=dict)
    tenants: Mapping[str, Tenant] = field(default_factory=dict)
    digest: str = ""
    of_form: tuple[Problem, ...] = ()
    problems: tuple[Problem, ...] = ()
    _worked_out: dict[str, Any] = field(init=False, default_factory=dict, repr=False, compare=False)

    def once(self, what: str, make: Callable[[], T]) -> T:
        """What `make` makes of this draft, made once for all checks that need it. `what` names it."""
        if what not in self._worked_out:
            self._worked_out[what] = make()
        found: T = self._worked_out[what]
        return found

    def may_declare(self, block: str, name: str | None) -> bool:
        """Whether the files declare `name` in `block` ("providers", "policies", "tenants", "budgets"), or may do so in
        a part that could not be read."""
        written: Mapping[str, Spot] = getattr(self.written, block)
        refused = self.written.refused.get(block, frozenset())
        return name in written or name in refused or block in self.written.unread

    def blaming(self, problems: Iterable[Problem]) -> "Draft":
        return replace(self, problems=(*self.problems, *problems))

    @property
    def all_policies(self) -> Mapping[str, Policy]:
        """Those that can be called, then the abstract ones, which are in no plan."""
        return self.once("all policies", lambda: {**self.policies, **self.abstract})

    @property
    def plan(self) -> Plan:
        return Plan(
            digest=self.digest,
            prices_digest=self.catalog.digest,
            providers=self.providers,
            targets=self.targets,
            policies=self.policies,
            tenants=self.tenants,
            settings=self.settings,
            abstract=frozenset(self.abstract),
            handing_over=self.once("handing over", lambda: handing_over(self.tenants)),
            folder=self.folder,
        )


def problem(
    code: str,
    message: str,
    place: Place,
    *,
    help: str = "",
    severity: str = "error",
    also: Place | None = None,
) -> Problem:
    return Problem(code=code, message=message, place=place, help=help, severity=severity, also=also)
