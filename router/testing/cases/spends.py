"""Which budget a line of `spent` speaks of."""

from collections.abc import Iterable, Iterator

from router.decide.scopes import Value, bucket_of, child_value
from router.plan import Budget, Plan
from router.policy import scalars
from router.policy.document import Spot, text_of
from router.policy.phrases import suggestion
from router.policy.traps import Fault, shown
from router.policy.windows import WINDOWS
from router.testing.cases.case import Spent


def spent(spot: Spot, plan: Plan) -> Spent | tuple[str, Fault]:
    """The budget and its amount, or (key, what is wrong with its value)."""
    of, name, window = (text_of(spot.get(key)) or "" for key in ("of", "name", "window"))
    found = _budgets(of, name, text_of(spot.get("tenant")), plan)
    if isinstance(found, tuple):
        return found
    budgets = list(found)
    budget = next((each for each in budgets if written_window(each) == window), None)
    if budget is None:
        has = ", ".join(dict.fromkeys(written_window(each) for each in budgets))
        advice = f"its budgets: {has}" if has else "it has none with a calendar window"
        return "window", Fault("dangling-name", f"{of} {shown(name)} has no budget {shown(window)}", advice)
    amount = _amount(spot, budget)
    if isinstance(amount, Fault):
        return "amount", amount
    return Spent(budget=budget, amount=amount)


def written_window(budget: Budget) -> str:
    """The key of a budget as policies write it: `per_month`, `tokens_per_day`, `requests_per_day`."""
    key = next(key for key, window in WINDOWS.items() if window == budget.window)
    return key if budget.unit == "nusd" else f"{budget.unit}_{key}"


def _budgets(of: str, name: str, tenant: str | None, plan: Plan) -> Iterator[Budget] | tuple[str, Fault]:
    if of in ("user", "session"):
        return _of_each(of, name, tenant, plan)
    if tenant is not None:
        advice = "`tenant` says whose user or session it is"
        return "tenant", Fault("wrong-form", f"a {of} is not of a tenant", advice)
    if of == "child":
        parent, _, child = name.rpartition("/")
        return _of_each(of, child, parent, plan)
    known = _named(of, plan)
    if name not in known:
        return "name", _unknown(of, name, known)
    return (budget for budget in _all(plan) if budget.whose == f"{of}:{name}" and budget.window != "request")


def _of_each(of: str, value: str, tenant: str | None, plan: Plan) -> Iterator[Budget] | tuple[str, Fault]:
    if not tenant:
        wanted = (
            "a child is named by its path: `acme/search`"
            if of == "child"
            else f"say whose {of} it is: `tenant: acme`"
        )
        return "name" if of == "child" else "of", Fault("missing-key", f"a {of} is of a tenant", wanted)
    if tenant not in plan.tenants:
        return "name" if of == "child" else "tenant", _unknown("tenant", tenant, plan.tenants)
    scopes = [each for each in plan.tenants[tenant].each if each.of == of]
    found = child_value(plan, plan.tenants[tenant], value) if of == "child" else Value(value, value)
    return (
        bucket_of(budget, found)
        for each in scopes
        for budget in each.budgets
        if budget.owner.startswith(f"{of}:") and budget.window != "request"
    )


def _named(of: str, plan: Plan) -> Iterable[str]:
    if of == "pool":
        owners = (budget.whose.partition(":") for budget in _all(plan))
        return {name for kind, _, name in owners if kind == "pool"}
    declared = {"tenant": plan.tenants, "policy": plan.policies, "provider": plan.providers}
    return declared[of]


def _all(plan: Plan) -> Iterator[Budget]:
    """Every budget that stands in the files; those of a pool once for each that spends from it."""
    yield from (budget for each in plan.policies.values() for budget in each.budgets)
    yield from (budget for each in plan.providers.values() for budget in each.budgets)
    for tenant in plan.tenants.values():
        yield from tenant.budgets
        yield from (budget for each in tenant.each for budget in each.budgets)


def _unknown(of: str, name: str, known: Iterable[str]) -> Fault:
    return Fault(
        "dangling-name", f"there is no {of} {shown(name)}", suggestion(name, known, what="there are:")
    )


def _amount(spot: Spot, budget: Budget) -> int | Fault:
    written = spot.get("amount")
    value = written.value if written else None
    money = budget.unit == "nusd"
    amount = scalars.money_nusd(value) if money else scalars.count(value)
    if amount is None:
        wanted = "an amount of money" if money else f"a count of {budget.unit}"
        advice = "dollars, as in `$4000`" if money else "a whole number, as in `900k` or `1.5M`"
        return Fault("wrong-form", f"`amount` must be {wanted}, not {shown(value)}", advice)
    return amount
