"""Which tenants to ask for, so that every difference between two plans shows for one of them.

Tenants that no policy can tell apart, on either side, stand in one class; one of each is asked for. Work is linear in
the number of tenants, and done once.
"""

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from router.decide.callers import TINY
from router.decide.fit import hard
from router.plan import Each, Plan, Tenant
from router.policy.tenants import chain, granted
from router.tools.diff.side import meaning

Grant = frozenset[str] | None
"""The policies that a tenant may call; None: all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sort:
    """What routes may depend on, as a number for each side; what rules that look at budgets may see beyond that: the
    sorts of budgets, and their amounts where those are `moved`."""

    before: int
    after: int
    budgets: Hashable
    moved: bool

    def is_changed(self, *, spending: bool) -> bool:
        return self.before != self.after or (spending and self.moved)

    def key(self, *, spending: bool) -> Hashable:
        return (self.before, self.after, self.budgets if spending else ())


@dataclass(frozen=True, slots=True, kw_only=True)
class Class:
    """Callers alike on both sides, with the grants that they have on each."""

    grants: tuple[Grant, Grant]
    sort: Sort
    members: tuple[str, ...]

    def may_call(self, policy: str) -> bool:
        return all(each is None or policy in each for each in self.grants)


@dataclass(frozen=True, slots=True, kw_only=True)
class Askers:
    """Every class of tenants that both sides admit. `anybody`: neither side declares tenants."""

    classes: tuple[Class, ...]
    anybody: bool
    by_policy: Mapping[str, tuple[Class, ...]] = field(repr=False)
    general: tuple[Class, ...] = field(repr=False)  # those that one side grants everything

    def of(
        self, policy: str, named: frozenset[str], *, spending: bool, only_changed: bool
    ) -> Iterator[str | None]:
        """One tenant of each sort that may call the policy on both sides, and one more for each part of a sort that
        the paths `named` in rules tell apart. `spending`: its rules look at budgets."""
        if self.anybody:
            if not only_changed:
                yield None
            return
        seen: set[Hashable] = set()
        for each in (*self.by_policy.get(policy, ()), *self.general):
            if only_changed and not each.sort.is_changed(spending=spending):
                continue
            if not each.may_call(policy):
                continue
            key = each.sort.key(spending=spending)
            for path in each.members if named else each.members[:1]:
                part = (key, frozenset(above for above in chain(path) if above in named))
                if part not in seen:
                    seen.add(part)
                    yield path


def askers_of(old: Plan, new: Plan, named: Iterable[str]) -> Askers:
    """`named` are the paths that rules of either side speak of."""
    if not old.tenants and not new.tenants:
        return Askers(classes=(), anybody=True, by_policy={}, general=())
    sorts: dict[Hashable, int] = {}
    before, after = _Chains(old, sorts), _Chains(new, sorts)
    members: dict[tuple[tuple[Grant, Grant], Sort], list[str]] = {}
    for path in _paths((old, new), named):
        if before.admits(path) and after.admits(path):
            was, now = _amounts(old, path), _amounts(new, path)
            sort = Sort(
                before=before.sort(path),
                after=after.sort(path),
                budgets=_kinds(was) if was == now else (was, now),
                moved=was != now,
            )
            grants = granted(old.tenants, path), granted(new.tenants, path)
            members.setdefault((grants, sort), []).append(path)
    classes = tuple(
        Class(grants=grants, sort=sort, members=tuple(paths)) for (grants, sort), paths in members.items()
    )
    return Askers(classes=classes, anybody=False, by_policy=_by_policy(classes), general=_general(classes))


def _by_policy(classes: Sequence[Class]) -> Mapping[str, tuple[Class, ...]]:
    found: dict[str, list[Class]] = {}
    for each in classes:
        named = next((names for names in each.grants if names is not None), frozenset())
        for policy in named:
            found.setdefault(policy, []).append(each)
    return {policy: tuple(those) for policy, those in found.items()}


def _general(classes: Sequence[Class]) -> tuple[Class, ...]:
    return tuple(each for each in classes if each.grants == (None, None))


def _paths(plans: Sequence[Plan], named: Iterable[str]) -> list[str]:
    """Declared on either side, declared on both first; then children that no file names."""
    declared = {path for plan in plans for path in plan.tenants}
    parents = {
        path
        for plan in plans
        for path, tenant in plan.tenants.items()
        if any(e.of == "child" for e in tenant.each)
    }
    strangers = {_stranger(parent, declared) for parent in parents}
    return sorted(
        {*declared, *strangers, *named}, key=lambda path: (sum(path not in p.tenants for p in plans), path)
    )


def _stranger(parent: str, declared: set[str]) -> str:
    name = f"{parent}/any"
    while name in declared:
        name += "-other"
    return name


class _Chains:
    """What of a tenant and of all above it may matter to a route; `sorts` numbers what was met, on both sides alike."""

    def __init__(self, plan: Plan, sorts: dict[Hashable, int]) -> None:
        self.plan, self._sorts = plan, sorts
        self._known: dict[str, int] = {"": -1}

    def admits(self, path: str) -> bool:
        """A tenant that moved below a new one has nobody above it on the side where it was not there yet."""
        tenants = self.plan.tenants
        if not tenants:
            return True
        if not all(above in tenants for above in chain(path)[:-1]):
            return False
        parent = tenants.get(path.rpartition("/")[0])
        return path in tenants or (parent is not None and any(each.of == "child" for each in parent.each))

    def sort(self, path: str) -> int:
        if path not in self._known:
            parent = path.rpartition("/")[0]
            tenant, above = self.plan.tenants.get(path), self.plan.tenants.get(parent)
            child = [_bucket(each) for each in above.each if each.of == "child"] if above else []
            key = (self.sort(parent), _own(tenant) if tenant else None, tuple(child))
            self._known[path] = self._sorts.setdefault(key, len(self._sorts))
        return self._known[path]


def _own(tenant: Tenant) -> Hashable:
    below = tuple((each.of, _bucket(each)) for each in tenant.each)
    return (_demanded(tenant), below)


def _bucket(each: Each) -> Hashable:
    return _demanded(each)


def _demanded(scope: Tenant | Each) -> Hashable:
    """Demands, and what a target gets a second turn for: other ceilings on the way to it."""
    return (
        scope.demand and meaning(scope.demand),
        scope.ceiling.input_tokens,
        scope.ceiling.added_cost_nusd is None,
        any(each.window == "request" for each in hard(scope.budgets)),
    )


Amount = tuple[str, str, str, int]
"""(whose, unit, window, amount), whose as "tenant" or "user"."""


def _kinds(amounts: Iterable[Amount]) -> Hashable:
    """Without figures, which shares are the same of, but for those of which a share may be no whole number."""
    return tuple((whose, unit, window, each if each < TINY else -1) for whose, unit, window, each in amounts)


def _amounts(plan: Plan, path: str) -> tuple[Amount, ...]:
    tenants = [plan.tenants[above] for above in chain(path) if above in plan.tenants]
    held = [budget for tenant in tenants for budget in tenant.budgets]
    held += [budget for tenant in tenants for each in tenant.each for budget in each.budgets]
    return tuple((each.owner.partition(":")[0], each.unit, each.window, each.amount) for each in held)
