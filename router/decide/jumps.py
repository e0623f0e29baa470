"""`when_spent`: where no target of a list fits a budget, the policy that takes over, and what still holds there.

Of the policy whose budget it is that budget alone is left behind, pool and all; everything else on the way to it holds
on, and so does every budget of the caller and of providers.
"""

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence

from router.decide.callers import chain
from router.decide.fit import Short
from router.decide.match import Jump, PathTo, path_of
from router.decide.scopes import Caller
from router.plan import Budget, Entry, Plan, Policy, PolicyEntry, Tenant


def jump_of(plan: Plan, called: Policy, caller: Caller, short: Sequence[Short]) -> Jump | None:
    """The jump of a request of which nothing was sent; None: no budget that hands over kept it from all of `short`,
    what it came to. Of several the first counts: of the tenants from the root down, of each of theirs, of the called
    policy, of those nested in it."""
    return next(jumps_from(plan, called, caller, short), None)


def jumps_from(plan: Plan, called: Policy, caller: Caller, short: Sequence[Short]) -> Iterator[Jump]:
    """Those of all budgets that kept it from all of `short`, in that order."""
    if not short:
        return
    way = [plan.policies[name] for name in short[0].candidate.path] or [called]
    ordered = (*caller.budgets, *(budget for policy in way for budget in policy.budgets))
    full = [budget for budget in ordered if all(budget in each.budgets for each in short)]
    yield from (_from(each, caller, way) for each in full if each.when_spent is not None)


def _from(budget: Budget, caller: Caller, way: Sequence[Policy]) -> Jump:
    """By the way to the policy whose budget it is; a caller's leads on from the called one."""
    path = path_of(caller)
    for policy in way:
        if budget in policy.budgets:
            return _jump(budget, policy, path.leaving(policy))
        path = path.into(policy)
    return _jump(budget, way[0], path_of(caller).into(way[0]))


def _jump(budget: Budget, left: Policy, path: PathTo) -> Jump:
    assert budget.when_spent is not None  # noqa: S101 - nobody asks for the jump of a budget without one
    return Jump(budget=budget, left=left.name, entry=budget.when_spent, path=path)


def jumps(plan: Plan, policy: Policy, above: PathTo, callers: Iterable[Budget] = ()) -> Iterator[Jump]:
    """Every jump that calls of `policy` can make, `above` being what holds before it is entered: those of `callers`'
    budgets, its own, and those of policies nested in it. One for each way and destination."""
    seen: set[Hashable] = set()
    for found in _all(plan, policy, above, callers):
        if (way := (found.entry.policy, found.path.sums)) not in seen:
            seen.add(way)
            yield found


def callers_budgets(plan: Plan, policy: str) -> tuple[Budget, ...]:
    """The budgets that hand over, of tenants that may call this policy and of each of theirs: one for each that takes
    over, as nothing else tells them apart."""
    found: dict[str, Budget] = {}
    for path in plan.handing_over:
        if _may_call(plan, path, policy):
            for each in budgets_within(plan.tenants[path]):
                if each.when_spent is not None:
                    found.setdefault(each.when_spent.policy, each)
    return tuple(found.values())


def handing_over(tenants: Mapping[str, Tenant]) -> tuple[str, ...]:
    """Those of which some budget says who takes over."""
    return tuple(
        path
        for path, tenant in tenants.items()
        if any(each.when_spent is not None for each in budgets_within(tenant))
    )


def budgets_within(tenant: Tenant) -> tuple[Budget, ...]:
    """Its own, then those of each of its users, sessions and children."""
    return (*tenant.budgets, *(budget for each in tenant.each for budget in each.budgets))


def _may_call(plan: Plan, path: str, policy: str) -> bool:
    granted = (plan.tenants[above].policies for above in chain(path) if above in plan.tenants)
    return all(each is None or policy in each for each in granted)


def _all(plan: Plan, called: Policy, above: PathTo, callers: Iterable[Budget]) -> Iterator[Jump]:
    yield from (_jump(each, called, above.into(called)) for each in callers if each.when_spent is not None)
    waiting, seen = [(called, above)], set[Hashable]()
    while waiting:
        policy, path = waiting.pop(0)
        left = path.leaving(policy)
        yield from (_jump(each, policy, left) for each in policy.budgets if each.when_spent is not None)
        here = path.into(policy)
        for entry in nested(policy):
            below = plan.policies[entry.policy]
            if (way := (below.name, here.sums)) not in seen:
                seen.add(way)
                waiting.append((below, here))


def nested(policy: Policy) -> Iterator[PolicyEntry]:
    """The policies whose lists may become a part of this one's: by its targets and its rules, and no budget."""
    entries: tuple[Entry, ...] = (*policy.entries, *(each for rule in policy.rules for each in rule.entries))
    yield from (each for each in entries if isinstance(each, PolicyEntry))


def way_to(plan: Plan, jump: Jump, above: PathTo) -> PathTo:
    """The way of a jump for somebody else: what holds before any policy is `above`."""
    path = above
    for name in jump.path.policies:
        policy = plan.policies[name]
        path = path.leaving(policy) if jump.budget in policy.budgets else path.into(policy)
    return path


def lists_below(plan: Plan, policy: Policy) -> Iterator[tuple[Entry, ...]]:
    """The lists of a policy and of all nested in it, each once: what a call of it can come to without a jump."""
    waiting, seen = [policy], {policy.name}
    while waiting:
        current = waiting.pop(0)
        yield from (current.entries, *(rule.entries for rule in current.rules))
        for entry in nested(current):
            if entry.policy not in seen:
                seen.add(entry.policy)
                waiting.append(plan.policies[entry.policy])
