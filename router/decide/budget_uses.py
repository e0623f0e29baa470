"""The amounts of the budgets that `budget_used` speaks of."""

from collections.abc import Iterator

from router.plan import Budget, BudgetUse, Plan
from router.values import NUSD_PER_USD

SMALLEST_NUSD = 100_000
"""Below that, two shares that differ can come to the same nano-dollar."""


def an_amount(plan: Plan, policy: str, use: BudgetUse) -> int:
    """That of the first such budget in the files, in nano-USD, so that what is said of it is true of somebody; a dollar
    where there is none, or where it is too small to tell shares apart."""
    found = (budget for budget in _budgets(plan, policy, use) if budget.window == use.window)
    amount = next((budget.amount for budget in found if budget.unit == "nusd"), 0)
    return amount if amount >= SMALLEST_NUSD else NUSD_PER_USD


def _budgets(plan: Plan, policy: str, use: BudgetUse) -> Iterator[Budget]:
    if use.of == "policy":
        owner = plan.policies.get(use.name or policy)
        yield from owner.budgets if owner else ()
    elif use.of == "provider":
        provider = plan.providers.get(use.name or "")
        yield from provider.budgets if provider else ()
    else:
        for _, tenant in sorted(plan.tenants.items()):
            if use.of == "tenant":
                yield from tenant.budgets
            else:
                yield from (budget for each in tenant.each if each.of == "user" for budget in each.budgets)
