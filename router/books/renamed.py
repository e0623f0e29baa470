"""What was renamed, seen from today: rows keep the names of their time, people ask by those of the files."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from router.decide.scopes import Value, bucket_of, child_value
from router.plan import Budget, Plan
from router.ports import Row


def named_today(plan: Plan) -> Callable[[Row], Row]:
    """How a row reads by the names that things have now; its counters stay as they are counted."""
    policies = {each.was: name for name, each in plan.policies.items() if each.was}
    providers = {each.was: name for name, each in plan.providers.items() if each.was}
    tenants = _renamed_tenants(plan)
    if not (policies or providers or tenants):
        return lambda row: row

    def renamed(row: Row) -> Row:
        provider, _, model = row.target.partition("/")
        return replace(
            row,
            policy=policies.get(row.policy, row.policy),
            target=f"{providers.get(provider, provider)}/{model}",
            tenant=row.tenant and _tenant(row.tenant, plan, tenants),
        )

    return renamed


def tenant_today(plan: Plan, path: str) -> str:
    """The present path of a tenant that is called by an earlier one; else the path as it is."""
    return _tenant(path, plan, _renamed_tenants(plan))


def name_today(plan: Plan, kind: str, name: str) -> str:
    """The same for what else has a name: `policy`, `provider`."""
    if kind == "tenant":
        return tenant_today(plan, name)
    was = {
        "policy": {each.was: known for known, each in plan.policies.items()},
        "provider": {each.was: known for known, each in plan.providers.items()},
    }.get(kind, {})
    return was.get(name, name)


def _renamed_tenants(plan: Plan) -> Mapping[str, str]:
    return {each.was: path for path, each in plan.tenants.items() if each.was}


def _tenant(path: str, plan: Plan, renamed: Mapping[str, str]) -> str:
    """The nearest of a path and those above it that was renamed gives its name; none that the files still declare."""
    segments = path.split("/")
    for depth in range(len(segments), 0, -1):
        above = "/".join(segments[:depth])
        if above in plan.tenants:
            return path
        if above in renamed:
            return "/".join([renamed[above], *segments[depth:]])
    return path


def bucket_named(plan: Plan, template: Budget, value: str) -> Budget:
    """The bucket that is counted under `value`, with its present name."""
    return bucket_of(template, Value(_children(plan, template).get(value, value), value))


def _children(plan: Plan, template: Budget) -> Mapping[str, str]:
    """The present segments of renamed children, by the ones that the buckets of `template` are counted under."""
    if not template.owner.startswith("child:"):
        return {}
    renamed = [each for each in plan.tenants.values() if each.was and "/" in each.path]
    values = (
        (parent, child_value(plan, parent, each.path.rpartition("/")[2]))
        for each in renamed
        if (parent := plan.tenants.get(each.path.rpartition("/")[0]))
    )
    return {
        value.counted: value.present
        for parent, value in values
        if any(template in each.budgets for each in parent.each)
    }
