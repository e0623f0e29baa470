"""Checks of what is in shadow: it is no promise, and no rule may look at it."""

from collections.abc import Iterator, Mapping, Sequence

from router.decide.match import reachable
from router.decide.written import budgets_of, limits_of
from router.errors import Problem
from router.plan import Budget, BudgetUse, Limit, Plan
from router.policy.document import Spot
from router.policy.draft import Draft, problem
from router.policy.reach import callable_policies
from router.policy.tenants import chain, granted
from router.policy.walk import rules_of
from router.values import Place


def not_enforced(draft: Draft) -> Iterator[Problem]:
    """Once for each place one is written."""
    seen: set[Place] = set()
    every: tuple[Budget | Limit, ...] = (*budgets_of(draft.plan), *limits_of(draft.plan))
    for each in every:
        if each.shadow and each.place not in seen:
            seen.add(each.place)
            message = f"`{each.text}` is counted and told, and refuses nothing: it is in shadow"
            advice = "write `enforce: hard` once its events are what you expect"
            yield problem("not-enforced", message, each.place, help=advice, severity="note")


def conditions_on_shadows(draft: Draft) -> Iterator[Problem]:
    """Told at the condition, with the first budget in shadow that it may be about."""
    callers: Mapping[str, frozenset[str]] | None = None
    for name, policy in draft.policies.items():
        uses = [each.budget for rule in policy.rules for each in rule.when if each.budget is not None]
        if not uses:
            continue
        callers = _callers(draft.plan) if callers is None else callers
        for used, use in _written_uses(draft.written.policies[name], uses):
            budget = next(
                (each for each in _meant(draft.plan, use, callers.get(name, frozenset())) if each.shadow),
                None,
            )
            if budget is not None:
                message = f"this looks at `{budget.text}`, which is in shadow ({budget.place})"
                advice = "write `enforce: hard` there, or take the condition out"
                place = used.key_place
                yield problem("condition-on-shadow", message, place, help=advice, also=budget.place)


def _written_uses(policy: Spot, uses: list[BudgetUse]) -> Iterator[tuple[Spot, BudgetUse]]:
    """In the order of the plan's conditions: of each rule its own, then those under `not`."""
    spots = [
        used
        for rule in rules_of(policy)
        if (when := rule.get("when")) is not None
        for used in (when.get("budget_used"), when.at("not", "budget_used"))
        if used is not None
    ]
    yield from zip(spots, uses, strict=False)


def _callers(plan: Plan) -> Mapping[str, frozenset[str]]:
    """The tenants whose calls may come to each policy."""
    found: dict[str, set[str]] = {}
    for name in callable_policies(plan):
        paths = {path for path in plan.tenants if _may_call(plan, path, name)}
        for reached in reachable(plan, plan.policies[name]):
            found.setdefault(reached.name, set()).update(paths)
    return {name: frozenset(paths) for name, paths in found.items()}


def _may_call(plan: Plan, path: str, policy: str) -> bool:
    names = granted(plan.tenants, path)
    return names is None or policy in names


def _meant(plan: Plan, use: BudgetUse, callers: frozenset[str]) -> Iterator[Budget]:
    """The budgets that a condition may look at: of each owner the one that the engine would."""
    if use.of in ("policy", "provider"):
        named = (plan.policies if use.of == "policy" else plan.providers).get(use.name or "")
        yield from _first(use, named.budgets if named else ())
        return
    for path in sorted(callers):
        above = [plan.tenants[each] for each in reversed(chain(path))]
        if use.of == "tenant":
            yield from _first(use, [budget for tenant in above for budget in tenant.budgets])
        else:
            users = [each for tenant in above for each in tenant.each if each.of == "user"]
            own = [budget for each in users for budget in each.budgets if budget.owner.startswith("user:")]
            yield from _first(use, own)


def _first(use: BudgetUse, budgets: Sequence[Budget]) -> Iterator[Budget]:
    found = next((each for each in budgets if each.window == use.window and each.unit == "nusd"), None)
    if found is not None:
        yield found
