"""All the budgets and limits that the files write, whatever they stand at."""

from collections.abc import Iterator

from router.plan import Budget, Limit, Plan


def budgets_of(plan: Plan) -> Iterator[Budget]:
    """Every budget, pools where they are named."""
    for provider in plan.providers.values():
        yield from provider.budgets
    for policy in plan.policies.values():
        yield from policy.budgets
    for tenant in plan.tenants.values():
        yield from tenant.budgets
        for each in tenant.each:
            yield from each.budgets


def limits_of(plan: Plan) -> Iterator[Limit]:
    """Every limit."""
    for provider in plan.providers.values():
        yield from provider.limits
        for of_model in provider.model_limits.values():
            yield from of_model
        for key in provider.keys:
            yield from key.limits
    for policy in plan.policies.values():
        yield from policy.limits
    for tenant in plan.tenants.values():
        yield from tenant.limits
        for each in tenant.each:
            yield from each.limits
