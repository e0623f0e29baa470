"""What a call of a policy can reach: its branches in order, and every target of it with the ceilings of its path."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from router.decide.match import ROOT, PathTo, candidate_of
from router.plan import Budget, Candidate, Each, Plan, Policy, PolicyEntry, Rule, TargetEntry, Tenant
from router.policy.tenants import chain, granted
from router.values import Place, Request

MOST_PATHS = 4096
"""Nested policies multiply paths; checks look at this many of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """One target on one path. `entry` is where it is written, `via` the entry of the called policy that leads to it,
    `rule` the rule of the called policy that both are behind."""

    entry: TargetEntry
    via: Place
    candidate: Candidate
    rule: Rule | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """The flat list of one way a policy's rules can come out; nested policies come with their own targets."""

    rule: Rule | None
    reached: tuple[Reached, ...]


def branches(plan: Plan, policy: Policy) -> Iterator[Branch]:
    """The targets, then each rule that does not reject."""
    path = ROOT.into(policy)
    yield Branch(rule=None, reached=tuple(_flat(plan, policy, None, path, deep=False)))
    for rule in policy.rules:
        if rule.reject is None:
            yield Branch(rule=rule, reached=tuple(_flat(plan, policy, rule, path, deep=False)))


def everything(plan: Plan, policy: Policy) -> tuple[Reached, ...]:
    """Every target that a call of `policy` can come to, through its rules and those of nested policies."""
    path = ROOT.into(policy)
    ways = (None, *policy.rules)
    found = (reached for rule in ways for reached in _flat(plan, policy, rule, path, deep=True))
    return tuple(islice(found, MOST_PATHS))


def _flat(plan: Plan, policy: Policy, rule: Rule | None, path: PathTo, *, deep: bool) -> Iterator[Reached]:
    for entry in rule.entries if rule else policy.entries:
        if isinstance(entry, PolicyEntry):
            nested = plan.policies[entry.policy]
            for way in (None, *(nested.rules if deep else ())):
                for below in _flat(plan, nested, way, path.into(nested), deep=deep):
                    yield Reached(entry=below.entry, via=entry.place, candidate=below.candidate, rule=rule)
        else:
            request = Request(id="", policy=policy.name, messages=())
            candidate = candidate_of(entry, policy, path, plan.targets[entry.target], request)
            yield Reached(entry=entry, via=entry.place, candidate=candidate, rule=rule)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A policy that somebody may call, what it reaches, and the tenants and eaches its calls are charged to."""

    policy: Policy
    reached: tuple[Reached, ...]
    scopes: tuple[Tenant | Each, ...]

    def a_budget_over(self, plan: Plan, reached: Reached) -> Budget | None:
        """A budget that an attempt at this target is charged to, the nearest where there are several."""
        above = (budget for scope in self.scopes for budget in scope.budgets)
        return next(iter(own_budgets(plan, reached)), None) or next(above, None)


def calls(plan: Plan) -> Iterator[Call]:
    """One for each policy that may be called, in the order of names."""
    grants = {path: granted(plan.tenants, path) for path in plan.tenants}
    for name in sorted(callable_policies(plan)):
        policy = plan.policies[name]
        paths = [path for path, allowed in grants.items() if allowed is None or name in allowed]
        yield Call(policy=policy, reached=everything(plan, policy), scopes=_scopes(plan, paths))


def _scopes(plan: Plan, tenants: list[str]) -> tuple[Tenant | Each, ...]:
    """The tenants at these paths, their ancestors, and each of theirs, every one once."""
    found: list[Tenant | Each] = []
    for path in sorted({above for tenant in tenants for above in chain(tenant)}):
        found.append(plan.tenants[path])
        found.extend(plan.tenants[path].each)
    return tuple(found)


def callable_policies(plan: Plan) -> frozenset[str]:
    """The policies that somebody may call: all of them where the files declare no tenants."""
    if not plan.tenants:
        return frozenset(plan.policies)
    sets = [granted(plan.tenants, path) for path in plan.tenants]
    return frozenset(plan.policies) if None in sets else frozenset().union(*(each for each in sets if each))


def own_budgets(plan: Plan, reached: Reached) -> tuple[Budget, ...]:
    """The budgets of its policies and its provider."""
    candidate = reached.candidate
    return (*candidate.per_request, *candidate.budgets, *plan.providers[candidate.target.provider].budgets)
