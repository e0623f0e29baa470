"""Who may call, in classes of tenants that no policy can tell apart: what is asked of callers is asked once a class.

Work is linear in the number of tenants, and done once a plan; what depends on the class is then shared by its members.
"""

from bisect import bisect_left
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from router.plan import Budget, Demand, Each, Plan, Tenant

AFTER_SLASH = chr(ord("/") + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerClass:
    """Tenants with the same grants, ceilings, kinds of budget and buckets, their own and from above. `granted` None:
    all policies. `members` are paths in order; the first stands for all."""

    granted: frozenset[str] | None
    members: tuple[str, ...]

    @property
    def grants(self) -> Iterable[str | None]:
        return (None,) if self.granted is None else self.granted


@dataclass(slots=True)
class _Apart:
    """Which tenants some named paths tell from others: found out once for all policies that name the same ones.

    `inside` are those at or below a named path; `outside` gives the first of a class that is not, `parts` the first of
    each part of a class that is, in order.
    """

    ready: bool = False
    inside: Mapping[str, int] = field(default_factory=dict)
    outside: dict[int, str | None] = field(default_factory=dict)
    parts: dict[int, list[tuple[int, str]]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Callers:
    """Every class of a plan. `of` gives the class of a path: declared tenants, and for each bucket of children one
    child that no file names. Empty where the files declare no tenants: then anybody may call everything."""

    classes: tuple[CallerClass, ...]
    of: Mapping[str, int]
    strangers: Mapping[str, str]  # the child that no file names, by its parent
    paths: tuple[str, ...] = field(repr=False)  # sorted
    _granting: Mapping[str | None, Sequence[int]] = field(
        repr=False
    )  # positions by policy; under None, of all policies
    _apart: dict[frozenset[str], "_Apart"] = field(default_factory=dict, repr=False, compare=False)

    def standing_for(self, policy: str, named: frozenset[str]) -> Iterator[str]:
        """One tenant for each part of a class that `named` paths tell apart, then one for the rest of each class that
        may call the policy."""
        positions = sorted((*self._granting.get(None, ()), *self._granting.get(policy, ())))
        apart = self._apart.setdefault(named, _Apart())
        if not apart.ready:
            self._tell_apart(named, apart)
        parts = sorted(part for position in positions for part in apart.parts.get(position, ()))
        yield from (path for _, path in parts)
        for position in positions:
            if position not in apart.outside:
                members = self.classes[position].members
                apart.outside[position] = next((path for path in members if path not in apart.inside), None)
            outside = apart.outside[position]
            if outside is not None:
                yield outside

    def _tell_apart(self, named: frozenset[str], apart: "_Apart") -> None:
        apart.inside = self._below(named)
        seen: set[Hashable] = set()
        for path, position in apart.inside.items():
            part = (position, frozenset(above for above in chain(path) if above in named))
            if part not in seen:
                apart.parts.setdefault(position, []).append((len(seen), path))
                seen.add(part)
        apart.ready = True

    def _below(self, named: frozenset[str]) -> dict[str, int]:
        """Each tenant at or below a named path, with the position of its class."""
        found: dict[str, int] = {}
        for path in sorted(named):
            if path in self.of:
                found[path] = self.of[path]
            elif (parent := path.rpartition("/")[0]) in self.strangers:
                found[path] = self.of[self.strangers[parent]]
            start = bisect_left(self.paths, f"{path}/")
            end = bisect_left(self.paths, f"{path}{AFTER_SLASH}")
            found.update((below, self.of[below]) for below in self.paths[start:end])
        return found


def callers_of(plan: Plan) -> Callers:
    """The classes of a plan's tenants. An undeclared ancestor, an error elsewhere, counts for nothing."""
    traits: dict[Hashable, int] = {}
    of_path: dict[str, int] = {}
    grants: dict[str, frozenset[str] | None] = {}
    strangers: dict[str, str] = {}
    members: dict[tuple[frozenset[str] | None, int], list[str]] = {}

    def join(path: str, key: Hashable, granted: frozenset[str] | None) -> int:
        trait = traits.setdefault(key, len(traits))
        members.setdefault((granted, trait), []).append(path)
        return trait

    for path, tenant in sorted(plan.tenants.items()):
        parent = path.rpartition("/")[0]
        grants[path] = granted = _both(grants.get(parent), tenant.policies)
        buckets = [(each.of, _bucket(each)) for each in _eaches(plan, parent) if each.of == "child"]
        of_path[path] = join(path, (of_path.get(parent), _traits(tenant), tuple(buckets)), granted)
        below = [(each.of, _bucket(each)) for each in tenant.each if each.of == "child"]
        if below:
            strangers[path] = _stranger(plan, path)
            join(strangers[path], ("stranger", of_path[path], tuple(below)), granted)
    classes = tuple(
        CallerClass(granted=granted, members=tuple(sorted(paths))) for (granted, _), paths in members.items()
    )
    of = {path: position for position, each in enumerate(classes) for path in each.members}
    granting: dict[str | None, list[int]] = {}
    for position, each in enumerate(classes):
        for policy in each.grants:
            granting.setdefault(policy, []).append(position)
    return Callers(classes=classes, of=of, strangers=strangers, paths=tuple(sorted(of)), _granting=granting)


@lru_cache(maxsize=32_768)
def chain(path: str) -> tuple[str, ...]:
    """The path and its ancestors, root first."""
    segments = path.split("/")
    return tuple("/".join(segments[: depth + 1]) for depth in range(len(segments)))


def _eaches(plan: Plan, path: str) -> tuple[Each, ...]:
    return plan.tenants[path].each if path in plan.tenants else ()


def _both(a: frozenset[str] | None, b: frozenset[str] | None) -> frozenset[str] | None:
    return b if a is None else a if b is None else a & b


def _traits(tenant: Tenant) -> Hashable:
    """What of a tenant can matter to a policy, amounts of budgets apart."""
    own = (tenant.never, tenant.ceiling, _asked(tenant.demand), _kinds(tenant.budgets))
    return (*own, tuple((each.of, _bucket(each)) for each in tenant.each))


def _bucket(each: Each) -> Hashable:
    return (each.ceiling, _asked(each.demand), _kinds(each.budgets))


def _asked(demand: Demand | None) -> Hashable:
    return demand and (demand.allow, demand.require, demand.needs, demand.max_price)


TINY = 1_000_000
"""Of an amount below this many units a share in thousandths of a percent may be no whole number."""


def _kinds(budgets: Iterable[Budget]) -> Hashable:
    """With what takes over where they are spent."""
    return tuple(
        sorted(
            (
                each.unit,
                each.window,
                each.shadow,
                each.amount if each.amount < TINY else -1,
                each.when_spent.policy if each.when_spent else "",
            )
            for each in budgets
        )
    )


def _stranger(plan: Plan, parent: str) -> str:
    """A child that no file names."""
    name = "any"
    while f"{parent}/{name}" in plan.tenants:
        name += "-other"
    return f"{parent}/{name}"
