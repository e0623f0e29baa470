"""Checks of who shares and who pays: caches, windows and buckets that do not mean what they seem to."""

from collections.abc import Iterable, Iterator

from router.errors import Problem
from router.plan import Budget, Each, Plan, Tenant
from router.policy.draft import Draft, problem
from router.policy.tenants import chain
from router.values import Place


def shared_caches(draft: Draft) -> Iterator[Problem]:
    """An answer that crosses tenants is a decision, and a decision has a word said for it."""
    seen: set[Place] = set()
    for name, policy in draft.policies.items():
        scope = draft.written.policies[name].at("cache", "scope")
        if policy.cache is None or policy.cache.scope != "shared" or policy.description or scope is None:
            continue
        if scope.key_place not in seen:
            seen.add(scope.key_place)
            message = f"policy `{name}` serves one tenant's answers to another, and no word says why it may"
            advice = "write a `description` that says so, or `scope: tenant`"
            place = scope.key_place
            yield problem("shared-cache", message, place, help=advice, severity="warning")


def spent_for_good(draft: Draft) -> Iterator[Problem]:
    """Budgets in total: once they are spent, only an edit lets another call through."""
    seen: set[Place] = set()
    for budget in _budgets(draft.plan):
        if budget.window == "total" and budget.place not in seen:
            seen.add(budget.place)
            message = f"`{budget.text}` never refills: once it is spent, calls are refused until it is raised"
            advice = "meant so for a trial; else write a window: `per_month: ...`"
            yield problem("window-never-refills", message, budget.place, help=advice, severity="note")


def _budgets(plan: Plan) -> Iterator[Budget]:
    for provider in plan.providers.values():
        yield from provider.budgets
    for policy in plan.policies.values():
        yield from policy.budgets
    for tenant in plan.tenants.values():
        yield from tenant.budgets
        for each in tenant.each:
            yield from each.budgets


def unbounded_users(draft: Draft) -> Iterator[Problem]:
    """Whoever makes up users makes up buckets: without a total they are no bound at all."""
    tenants = draft.plan.tenants
    for path, tenant in tenants.items():
        for each in tenant.each:
            above = [tenants[one] for one in chain(path) if one in tenants]
            lacking = list(_without_total(each, above)) if each.of == "user" else []
            if lacking:
                what = " and ".join(lacking)
                message = (
                    f"each user of tenant `{path}` has {what} of its own, and all of them together have none"
                )
                advice = (
                    "callers say who the user is: bound the tenant too, by a total of its own or above it"
                )
                yield problem("unbounded-users", message, each.place, help=advice, severity="warning")


def _without_total(each: Each, above: Iterable[Tenant]) -> Iterator[str]:
    own = [budget for budget in each.budgets if budget.owner.endswith("*")]
    totals = [*(budget for tenant in above for budget in tenant.budgets), *(set(each.budgets) - set(own))]
    if own and not totals:
        yield "a budget"
    if each.limits and not any(tenant.limits for tenant in above):
        yield "limits"
