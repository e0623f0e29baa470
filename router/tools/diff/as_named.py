"""The old side by the names that its things have today, so that what was renamed is compared as what kept its name is.

Only names are otherwise: what a budget is counted under stays, and so does every place.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

from router.plan import (
    Budget,
    BudgetUse,
    Condition,
    Demand,
    Each,
    Entry,
    Limit,
    Plan,
    Policy,
    PolicyEntry,
    Provider,
    Rule,
    Target,
    Tenant,
)
from router.policy.tenants import granted
from router.tools.diff.names import Names
from router.tools.diff.side import Side

A = TypeVar("A", Budget, Limit)
T = TypeVar("T")


def as_named(side: Side, names: Names) -> Side:
    """Every reference follows. A tenant that stands elsewhere now brings along what those above let it call."""
    if names.are_the_same:
        return side
    written = replace(
        side.written,
        providers={names.provider(name): spot for name, spot in side.written.providers.items()},
        policies={names.policy(name): spot for name, spot in side.written.policies.items()},
        tenants={names.tenant(path): spot for path, spot in side.written.tenants.items()},
    )
    return replace(side, plan=_plan(side.plan, names), written=written)


def _plan(plan: Plan, names: Names) -> Plan:
    default = plan.settings.default_policy
    tenants = {names.tenant(path): _tenant(each, plan, names) for path, each in plan.tenants.items()}
    return replace(
        plan,
        providers=_ordered({names.provider(name): _provider(p, names) for name, p in plan.providers.items()}),
        targets={names.target(name): _target(each, names) for name, each in plan.targets.items()},
        policies=_ordered({names.policy(name): _policy(each, names) for name, each in plan.policies.items()}),
        tenants=_ordered(tenants),
        settings=replace(plan.settings, default_policy=None if default is None else names.policy(default)),
        handing_over=tuple(map(names.tenant, plan.handing_over)),
    )


def _ordered(found: Mapping[str, T]) -> dict[str, T]:
    return dict(sorted(found.items()))


def _was(counted: str, name: str) -> str | None:
    return None if counted == name else counted


def _provider(provider: Provider, names: Names) -> Provider:
    name = names.provider(provider.name)
    return replace(
        provider,
        name=name,
        keys=tuple(replace(key, limits=_limits(key.limits, names)) for key in provider.keys),
        budgets=_budgets(provider.budgets, names),
        limits=_limits(provider.limits, names),
        model_limits={model: _limits(each, names) for model, each in provider.model_limits.items()},
        was=_was(provider.counted, name),
    )


def _target(target: Target, names: Names) -> Target:
    return replace(target, provider=names.provider(target.provider))


def _policy(policy: Policy, names: Names) -> Policy:
    name = names.policy(policy.name)
    return replace(
        policy,
        name=name,
        entries=_entries(policy.entries, names),
        rules=tuple(_rule(each, names) for each in policy.rules),
        demand=_demand(policy.demand, names),
        budgets=_budgets(policy.budgets, names),
        limits=_limits(policy.limits, names),
        was=_was(policy.counted, name),
    )


def _entries(entries: tuple[Entry, ...], names: Names) -> tuple[Entry, ...]:
    return tuple(
        _landing(each, names)
        if isinstance(each, PolicyEntry)
        else replace(each, target=names.target(each.target))
        for each in entries
    )


def _landing(entry: PolicyEntry, names: Names) -> PolicyEntry:
    return replace(entry, policy=names.policy(entry.policy))


def _rule(rule: Rule, names: Names) -> Rule:
    when = tuple(_condition(each, names) for each in rule.when)
    return replace(rule, when=when, entries=_entries(rule.entries, names))


def _condition(condition: Condition, names: Names) -> Condition:
    if condition.field == "tenant":
        return replace(condition, any_of=tuple(map(names.tenant, condition.any_of)))
    budget = condition.budget
    return condition if budget is None else replace(condition, budget=_use(budget, names))


def _use(use: BudgetUse, names: Names) -> BudgetUse:
    if use.name is None:
        return use
    return replace(use, name=names.provider(use.name) if use.of == "provider" else names.policy(use.name))


def _tenant(tenant: Tenant, plan: Plan, names: Names) -> Tenant:
    path = names.tenant(tenant.path)
    policies = tenant.policies if names.stays(tenant.path) else granted(plan.tenants, tenant.path)
    return replace(
        tenant,
        path=path,
        policies=None if policies is None else frozenset(map(names.policy, policies)),
        demand=_demand(tenant.demand, names),
        budgets=_budgets(tenant.budgets, names),
        limits=_limits(tenant.limits, names),
        each=tuple(_each(below, names) for below in tenant.each),
        was=_was(tenant.counted, path),
    )


def _each(each: Each, names: Names) -> Each:
    return replace(
        each,
        demand=_demand(each.demand, names),
        budgets=_budgets(each.budgets, names),
        limits=_limits(each.limits, names),
    )


def _demand(demand: Demand | None, names: Names) -> Demand | None:
    if demand is None:
        return None
    allow = None if demand.allow is None else frozenset(map(names.target, demand.allow))
    return replace(demand, owner=names.owner(demand.owner), allow=allow)


def _budgets(budgets: tuple[Budget, ...], names: Names) -> tuple[Budget, ...]:
    return tuple(
        replace(_amount(each, names), when_spent=each.when_spent and _landing(each.when_spent, names))
        for each in budgets
    )


def _limits(limits: tuple[Limit, ...], names: Names) -> tuple[Limit, ...]:
    return tuple(_amount(each, names) for each in limits)


def _amount(amount: A, names: Names) -> A:
    whose = names.owner(amount.whose)
    return replace(amount, present="" if whose == amount.owner else whose)
