"""Checks of who shares and who pays: caches, windows and buckets that do not mean what they seem to."""

from collections.abc import Iterator, Sequence

from router.decide.written import budgets_of
from router.errors import Problem
from router.plan import Each
from router.policy.document import Spot
from router.policy.draft import Draft, problem
from router.policy.sound import is_believed
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
    for budget in budgets_of(draft.plan):
        if budget.window == "total" and not budget.shadow and budget.place not in seen:
            seen.add(budget.place)
            message = f"`{budget.text}` never refills: once it is spent, calls are refused until it is raised"
            advice = "meant so for a trial; else write a window: `per_month: ...`"
            yield problem("window-never-refills", message, budget.place, help=advice, severity="note")


def unbounded_users(draft: Draft) -> Iterator[Problem]:
    """Whoever makes up users makes up buckets: without a total they are no bound at all."""
    for path, tenant in draft.plan.tenants.items():
        each = next((each for each in tenant.each if each.of == "user"), None)
        above = [draft.written.tenants[one] for one in chain(path)] if each else []
        lacking = list(_without_total(each, above)) if each and all(map(is_believed, above)) else []
        if each and lacking:
            what = " and ".join(lacking)
            message = (
                f"each user of tenant `{path}` has {what} of its own, and all of them together have none"
            )
            advice = "callers say who the user is: bound the tenant too, by a total of its own or above it"
            yield problem("unbounded-users", message, each.place, help=advice, severity="warning")


def _without_total(each: Each, above: Sequence[Spot]) -> Iterator[str]:
    """A pool is a total, whoever names it; it may be one that could not be read."""
    pooled = above[-1].at("each", "user", "budget", "pool")
    own = any(budget.owner.endswith("*") for budget in each.budgets)
    if own and not pooled and not any(tenant.holds("budget") for tenant in above):
        yield "a budget"
    if each.limits and not any(tenant.holds("limits") for tenant in above):
        yield "limits"
