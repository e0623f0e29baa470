"""Which budget somebody means: whose it is, and which of its windows."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields

from router.books.renamed import name_today
from router.decide.scopes import Value, bucket_of, child_value, did_you_mean
from router.decide.written import budgets_of
from router.errors import RequestError
from router.plan import Budget, Plan, Tenant


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Whose budget: a tenant's, or that of one user, session or direct child of a tenant; a policy's, a provider's, or
    a pool. What is not meant is None."""

    tenant: str | None = None
    user: str | None = None
    session: str | None = None
    child: str | None = None
    policy: str | None = None
    provider: str | None = None
    pool: str | None = None


def budget_of(plan: Plan, owner: Owner, window: str) -> Budget:
    """The budget that `window` (`per_month`, `tokens_per_day`, as in the policies) names. Raises RequestError."""
    whose, found = _budgets(plan, owner)
    by_key = {key_of(budget): budget for budget in found}
    budget = by_key.get(window)
    if budget is None:
        raise RequestError(
            f"{whose} has no budget `{window}`{did_you_mean(window, by_key)}",
            help=f"its budgets: {', '.join(by_key) or 'none'}",
        )
    if budget.rolling:
        raise RequestError(
            f"`{budget.text}` slides: it has no window that begins and ends, to grant anything in",
            help=f"raise it in the policies for a while ({budget.place})",
        )
    if budget.window == "request":
        raise RequestError(
            f"`{budget.text}` holds for each request anew, so there is no window to grant anything in",
            help=f"raise it in the policies ({budget.place})",
        )
    if budget.rolling:
        raise RequestError(
            f"`{budget.text}` is rolling: it has no window that begins and ends, to grant anything in",
            help=f"raise it in the policies ({budget.place}); what it holds is kept",
        )
    return budget


def key_of(budget: Budget) -> str:
    """`per_month` of `per_month: $5000`."""
    return budget.text.partition(":")[0]


def _budgets(plan: Plan, owner: Owner) -> tuple[str, Iterable[Budget]]:
    """In words whose they are, and its budgets without those of pools."""
    named = [each.name for each in fields(Owner) if getattr(owner, each.name) is not None]
    if len(named) == 1 and named[0] in ("tenant", "policy", "provider", "pool"):
        kind = named[0]
        return _declared(plan, kind, getattr(owner, kind))
    if len(named) == 2 and named[0] == "tenant" and named[1] in ("user", "session", "child"):
        return _below(plan, owner.tenant or "", named[1], getattr(owner, named[1]))
    raise RequestError(
        f"it is not clear whose budget is meant{': ' if named else ''}{' and '.join(named)}",
        help="name a tenant, a policy, a provider or a pool; or a tenant with a user, session or child of it",
    )


def _declared(plan: Plan, kind: str, name: str) -> tuple[str, Iterable[Budget]]:
    if kind == "pool":
        pools = _pools(plan)
        return f"pool `{name}`", pools[_known(name, pools, "pool")]
    if kind == "tenant" and name not in plan.tenants and "/" in name:
        _refuse_child(plan, name)
    budgets = {
        "tenant": {path: each.budgets for path, each in plan.tenants.items()},
        "policy": {known: each.budgets for known, each in plan.policies.items()},
        "provider": {known: each.budgets for known, each in plan.providers.items()},
    }[kind]
    _refuse_renamed(plan, kind, name, budgets)
    own = [each for each in budgets[_known(name, budgets, kind)] if each.whose == f"{kind}:{name}"]
    return f"{kind} `{name}`", own


def _refuse_child(plan: Plan, path: str) -> None:
    above, _, name = path.rpartition("/")
    if above in plan.tenants and any(each.of == "child" for each in plan.tenants[above].each):
        raise RequestError(
            f"tenant `{path}` is in no file: its budgets are those of a child of `{above}`",
            help=f"name tenant `{above}` and child `{name}`",
        )


def _refuse_renamed(plan: Plan, kind: str, name: str, known: Iterable[str]) -> None:
    today = name_today(plan, kind, name)
    if today != name and name not in known:
        raise RequestError(f"{kind} `{name}` is `{today}` now", help="name it so: what it has spent is kept")


def _known(name: str, known: Iterable[str], kind: str) -> str:
    names = sorted(known)
    if name not in names:
        raise RequestError(
            f"unknown {kind} `{name}`{did_you_mean(name, names)}",
            help=f"known here: {', '.join(names) or 'none'}",
        )
    return name


def _pools(plan: Plan) -> Mapping[str, list[Budget]]:
    """By name; a pool is in the plan where something spends from it."""
    pools: dict[str, list[Budget]] = {}
    for budget in budgets_of(plan):
        if budget.whose.startswith("pool:"):
            pools.setdefault(budget.whose.removeprefix("pool:"), []).append(budget)
    return pools


def _below(plan: Plan, path: str, of: str, value: str) -> tuple[str, Iterable[Budget]]:
    """The bucket of one value, at the tenant that gives each of them one: `path`, or the nearest above it."""
    if not value or "/" in value or not value.isprintable():
        raise RequestError(f"`{value!a}` can't be a {of}: printable text without `/` can")
    for tenant in _upward(plan, path):
        budgets = [budget for each in tenant.each if each.of == of for budget in each.budgets]
        own = [budget for budget in budgets if budget.owner.endswith("*")]
        if own:
            named = child_value(plan, tenant, value) if of == "child" else Value(value, value)
            return f"{of} `{value}` of `{tenant.path}`", [bucket_of(each, named) for each in own]
    raise RequestError(
        f"tenant `{path}` gives no budget to each {of}",
        help=f"`each: {{{of}: {{budget: ...}}}}` of a tenant does",
    )


def _upward(plan: Plan, path: str) -> Iterator[Tenant]:
    """The tenant and its ancestors, nearest first. One that is in no file may be a child of one that is."""
    segments = path.split("/")
    above = "/".join(segments[:-1])
    if path not in plan.tenants and not (
        above in plan.tenants and any(each.of == "child" for each in plan.tenants[above].each)
    ):
        _refuse_renamed(plan, "tenant", path, plan.tenants)
        _known(path, plan.tenants, "tenant")
    for depth in range(len(segments), 0, -1):
        found = plan.tenants.get("/".join(segments[:depth]))
        if found is not None:
            yield found
