"""What was renamed, by its `was`: which name each thing of the old side has today."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from router.decide.scopes import owner_of_each, tenant_of
from router.policy.counted import counted_name
from router.policy.tenants import chain
from router.tools.diff.side import Side


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """Old name -> name today, for what has another one. What lies below a tenant follows it, declared or not; in
    `displaced` are those whose place there is somebody else's now: they are gone under the name that they had."""

    policies: Mapping[str, str]
    tenants: Mapping[str, str]
    providers: Mapping[str, str]
    pools: Mapping[str, str]
    displaced: frozenset[str] = frozenset()

    @property
    def are_the_same(self) -> bool:
        return not (self.policies or self.tenants or self.providers or self.pools)

    def of(self, block: str) -> Mapping[str, str]:
        """Of a block of the files."""
        found: Mapping[str, str] = self.pools if block == "budgets" else getattr(self, block)
        return found

    def policy(self, name: str) -> str:
        return self.policies.get(name, name)

    def provider(self, name: str) -> str:
        return self.providers.get(name, name)

    def target(self, name: str) -> str:
        """`provider/model`, or a key as `provider/NAME`."""
        provider, slash, model = name.partition("/")
        return f"{self.provider(provider)}{slash}{model}"

    def tenant(self, path: str) -> str:
        for above in reversed(chain(path)):
            if above in self.displaced:
                return path
            if above in self.tenants:
                return f"{self.tenants[above]}{path.removeprefix(above)}"
        return path

    def any(self, text: str) -> str:
        """What may be the name of anything."""
        known = (self.policies, self.providers, self.pools)
        found = next((names[text] for names in known if text in names), None)
        return found or (self.tenant(text) if self.tenant(text) != text else self.target(text))

    def stays(self, path: str) -> bool:
        """Whether it stands below the same tenants, by whatever names."""
        return tuple(map(self.tenant, chain(path))) == chain(self.tenant(path))

    def owner(self, text: str) -> str:
        """Of a budget, a limit or a demand, as people know it."""
        kind, _, name = text.partition(":")
        if kind in ("user", "session", "child"):
            return owner_of_each(kind, self.tenant(tenant_of(text)))
        if kind == "pool":
            return f"pool:{self.pools.get(name, name)}"
        known = {"policy": self.policy, "tenant": self.tenant, "provider": self.provider}
        return f"{kind}:{known.get(kind, self.target)(name)}"


def names_today(old: Side, new: Side) -> Names:
    policies, tenants, providers, pools = (
        _matched(counted(old, block), counted(new, block))
        for block in ("policies", "tenants", "providers", "budgets")
    )
    found = Names(policies=policies, tenants=tenants, providers=providers, pools=pools)
    if not tenants:
        return found
    taken = frozenset(tenants.values())
    gone = (path for path in old.plan.tenants if path not in tenants)
    return replace(found, displaced=frozenset(path for path in gone if found.tenant(path) in taken))


def counted(side: Side, block: str) -> Mapping[str, str]:
    """By name, what each of a block is counted under."""
    if block == "budgets":
        return {name: counted_name(name, spot) for name, spot in side.written.budgets.items()}
    return {name: each.counted for name, each in getattr(side.plan, block).items()}


def _matched(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, str]:
    """Old name -> new name: by what both are counted under; then, for `was` may be said wrongly, by the name that one
    of them says and the other one has."""
    gone = {counted: name for name, counted in before.items() if name not in after}
    come = {counted: name for name, counted in after.items() if name not in before}
    pairs = [
        *((gone[counted], come[counted]) for counted in gone if counted in come),
        *((name, come[name]) for name in gone.values() if name in come),
        *((gone[name], name) for name in come.values() if name in gone),
    ]
    found: dict[str, str] = {}
    taken: set[str] = set()
    for name, now in pairs:
        if name not in found and now not in taken:
            found[name] = now
            taken.add(now)
    return found
