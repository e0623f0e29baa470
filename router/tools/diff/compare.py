"""Two sides compared: everything that means something else, and nothing that only looks different."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from router.decide.jumps import callers_budgets
from router.decide.match import reachable, taking_over
from router.plan import Demand, Plan, Policy, Provider, Target, TargetEntry, Tenant
from router.tools.diff.amounts import budget_changes
from router.tools.diff.as_named import as_named
from router.tools.diff.bounds import bound_changes
from router.tools.diff.callers import caller_changes, policy_changes
from router.tools.diff.catalog import catalog_changes
from router.tools.diff.ceilings import ceiling_changes
from router.tools.diff.change import Area, Change, Compared, Difference, gathered
from router.tools.diff.findings import finding_changes
from router.tools.diff.jumps import jump_changes
from router.tools.diff.names import names_today
from router.tools.diff.renames import recounted, rename_changes
from router.tools.diff.routes import route_changes
from router.tools.diff.settings import setting_changes
from router.tools.diff.side import Moved, Side, meaning, moved

NO_EFFECT = "; no call that both sides accept is treated differently"


def compare(old: Side, new: Side) -> Difference:
    names = names_today(old, new)
    was = as_named(old, names)
    among = moved(was, new)
    changes = [*rename_changes(old, new, names), *policy_changes(was, new), *caller_changes(was, new)]
    for part in (ceiling_changes, budget_changes, jump_changes, setting_changes):
        changes += part(was, new, among)
    changes += [*recounted(was, new), *catalog_changes(was, new)]
    routed = route_changes(was, new, frozenset(each.what for each in changes))
    told = {_entry(subject) for each in changes for subject in each.subjects}
    told |= {f"tenant {names.tenant(path)}" for path in names.tenants if not names.stays(path)}
    moving = {each.policy for change in routed.changes for each in (change.asked, *change.also)}
    told |= {f"policy {name}" for side in (was, new) for name in _led_to(side.plan, moving)}
    changes += _the_rest(was, new, among, told, sure=not routed.unfinished)
    new_findings, gone_findings = finding_changes(old.loaded, new.loaded, names)
    return Difference(
        old=_compared(old),
        new=_compared(new),
        routes=routed.changes,
        changes=gathered(changes),
        bounds=bound_changes(was, new, _to_bound(was.plan, new.plan, frozenset(among.policies))),
        new_findings=new_findings,
        gone_findings=gone_findings,
        unfinished=routed.unfinished,
    )


def _compared(side: Side) -> Compared:
    return Compared(source=side.name, digest=side.plan.digest, prices_digest=side.plan.prices_digest)


def _entry(subject: str) -> str:
    """Where it stands in the files: `tenant acme` of `each user of acme`."""
    return f"tenant {subject.partition(' of ')[2]}" if subject.startswith("each ") else subject


# --- What no other part has told --------------------------------------------------------------------------------------


def _led_to(plan: Plan, policies: Iterable[str]) -> Iterator[str]:
    """These and the policies that they lead to: a request that goes elsewhere may do so because of any of them."""
    return (each.name for name in policies for each in reachable(plan, plan.policies[name]))


def _the_rest(old: Side, new: Side, among: Moved, told: set[str], *, sure: bool) -> Iterator[Change]:
    """Entries that mean something else to the digest, and of which nothing has been told: a rule with another name,
    one that holds for no request, a list that says what all of its targets do anyway."""
    for subject, area, before, after in _pairs(old.plan, new.plan, among):
        if subject not in told and _without_targets(before, old, new) != _without_targets(after, old, new):
            yield Change(
                area=area,
                subjects=(subject,),
                what="otherwise",
                before=None,
                after=None,
                text=f"is written otherwise{NO_EFFECT if sure else ''}",
                old_place=before.place,
                new_place=after.place,
            )


def _pairs(
    old: Plan, new: Plan, among: Moved
) -> Iterator[tuple[str, Area, Policy | Tenant | Provider, Policy | Tenant | Provider]]:
    for name in among.policies:
        yield f"policy {name}", "policies", old.policies[name], new.policies[name]
    for path in among.tenants:
        yield f"tenant {path}", "callers", old.tenants[path], new.tenants[path]
    for name in among.providers:
        yield f"provider {name}", "catalog", old.providers[name], new.providers[name]


def _without_targets(entry: Policy | Tenant | Provider, old: Side, new: Side) -> str:
    """Its meaning, by the targets and policies that both sides have: patterns and grants follow those that come."""
    if isinstance(entry, Provider):
        return meaning(entry)
    targets = frozenset(old.plan.targets) & frozenset(new.plan.targets)
    demand = _narrowed(entry.demand, targets)
    if isinstance(entry, Policy):
        return meaning(replace(entry, demand=demand))
    policies = frozenset(old.plan.policies) & frozenset(new.plan.policies)
    each = tuple(replace(below, demand=_narrowed(below.demand, targets)) for below in entry.each)
    grants = None if entry.policies is None else entry.policies & policies
    return meaning(replace(entry, demand=demand, each=each, policies=grants))


def _narrowed(demand: Demand | None, targets: frozenset[str]) -> Demand | None:
    return demand and replace(demand, allow=None if demand.allow is None else demand.allow & targets)


# --- Where bounds may be otherwise ------------------------------------------------------------------------------------


def _to_bound(old: Plan, new: Plan, among: frozenset[str]) -> Iterator[str]:
    """Policies on both sides that are otherwise, or lead to something that is."""
    targets = {name for name in old.targets if _facts(old.targets[name]) != _facts(new.targets.get(name))}
    for name in (each for each in old.policies if each in new.policies):
        callers = callers_budgets(old, name)
        whole = reachable(old, old.policies[name], callers)
        led = [
            {each.policy for each in taking_over(found)} for found in (callers, callers_budgets(new, name))
        ]
        if led[0] != led[1] or any(each.name in among or targets & _targets(each) for each in whole):
            yield name


def _facts(target: Target | None) -> str:
    return meaning((target, target and target.enabled))


def _targets(policy: Policy) -> frozenset[str]:
    lists = (policy.entries, *(rule.entries for rule in policy.rules))
    return frozenset(each.target for entries in lists for each in entries if isinstance(each, TargetEntry))
