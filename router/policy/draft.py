"""What passes between the passes: a plan in the making, and what is wrong with it so far."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date

from router.errors import Problem
from router.plan import Plan, Policy, Provider, Settings, Target, Tenant
from router.policy.catalog import Catalog
from router.policy.document import Document, Spot
from router.values import Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """The blocks of all files by name, each where its author wrote it."""

    providers: Mapping[str, Spot] = field(default_factory=dict)
    policies: Mapping[str, Spot] = field(default_factory=dict)
    tenants: Mapping[str, Spot] = field(default_factory=dict)
    settings: Spot | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """Each pass returns one with more in it; `problems` only grows. `today` None: nothing is said about dates."""

    documents: tuple[Document, ...]
    catalog: Catalog
    folder: str = ""
    today: date | None = None
    written: Written = field(default_factory=Written)
    settings: Settings = field(default_factory=Settings)
    providers: Mapping[str, Provider] = field(default_factory=dict)
    targets: Mapping[str, Target] = field(default_factory=dict)
    policies: Mapping[str, Policy] = field(default_factory=dict)
    tenants: Mapping[str, Tenant] = field(default_factory=dict)
    digest: str = ""
    problems: tuple[Problem, ...] = ()

    def blaming(self, problems: Iterable[Problem]) -> "Draft":
        return replace(self, problems=(*self.problems, *problems))

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
