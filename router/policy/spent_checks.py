"""Checks of `when_spent`: it stands where it can help, and what takes over can be paid for."""

from collections.abc import Iterable, Iterator

from router.decide.fit import costs_nothing
from router.decide.jumps import lists_below
from router.errors import Problem
from router.plan import Each, Plan, TargetEntry, Tenant
from router.policy.document import Spot
from router.policy.draft import Draft, problem
from router.policy.names import caller_budgets
from router.policy.traps import shown
from router.values import Place

_ON_THE_POLICY = "write it on the budget of the policy that is to be left"


def useless_jumps(draft: Draft) -> Iterator[Problem]:
    """On what is no policy's own, and in tokens or requests of a tenant: whoever takes over would be refused too."""
    written, of_tenants = draft.written, tuple(caller_budgets(draft.tenants))
    for name, provider in written.providers.items():
        budget = provider.get("budget")
        why = f"the budget of provider {shown(name)} holds for whoever takes over"
        yield from _each_said(budget, why, "let a target of another provider come after this one's")
    for name, pool in written.budgets.items():
        why = f"the pool {shown(name)} is no policy's own, so none could leave it behind"
        yield from _each_said(pool, why, _ON_THE_POLICY)
    for each in (*(each for policy in draft.all_policies.values() for each in policy.budgets), *of_tenants):
        if each.when_spent is not None and each.shadow:
            why = f"`{each.text}` is in shadow, and refuses nothing"
            yield _useless(each.when_spent.place, why, "write `enforce: hard` there, or take it out")
    for each in of_tenants:
        if each.when_spent is not None and each.unit != "nusd":
            why = f"whoever takes over spends from `{each.text}` of the tenant as well, free or not"
            yield _useless(each.when_spent.place, why, "say `when_spent: reject` of that window")


def _each_said(block: Spot | None, why: str, advice: str) -> Iterator[Problem]:
    """At every policy that is named in a block of amounts."""
    if block is not None:
        for scope in (block, *(window for _, window in block.fields())):
            said = _said(scope)
            if said is not None:
                yield _useless(said.place, why, advice)


def _said(scope: Spot) -> Spot | None:
    when_spent = scope.get("when_spent")
    return when_spent.get("policy") if when_spent else None


def _useless(place: Place, why: str, advice: str) -> Problem:
    return problem("useless-jump", f"`when_spent` can't help here: {why}", place, help=advice)


def costly_jumps(draft: Draft) -> Iterator[Problem]:
    """A tenant's budget holds after the jump too, so nothing but what is free can take over."""
    for whose, scope in _scopes(draft.plan.tenants.values()):
        for budget in scope.budgets:
            entry = budget.when_spent
            dear = entry and _costly(draft.plan, entry.policy)
            if entry and dear and budget.unit == "nusd":
                message = (
                    f"`{budget.text}` of {whose} is spent when policy `{entry.policy}` takes over, and `{dear.target}` "
                    f"({dear.place}) costs money"
                )
                advice = "name a policy whose targets are all `price: free`"
                yield problem("jump-not-free", message, entry.place, help=advice, also=dear.place)


def _scopes(tenants: Iterable[Tenant]) -> Iterator[tuple[str, Tenant | Each]]:
    for tenant in tenants:
        yield f"tenant `{tenant.path}`", tenant
        yield from ((f"each {each.of} of `{tenant.path}`", each) for each in tenant.each)


def _costly(plan: Plan, policy: str) -> TargetEntry | None:
    """The first target that a policy can come to and that is not free."""
    written = (entry for entries in lists_below(plan, plan.policies[policy]) for entry in entries)
    return next(
        (
            entry
            for entry in written
            if isinstance(entry, TargetEntry) and not costs_nothing(plan.targets[entry.target])
        ),
        None,
    )
