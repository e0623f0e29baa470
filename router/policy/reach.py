"""What a call of a policy can reach: its branches in order, and every target of it with the ceilings of its path."""

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import NamedTuple

from router.decide.fit import hard
from router.decide.jumps import callers_budgets, jumps
from router.decide.match import ROOT, Jump, PathTo, candidate_of
from router.decide.scopes import least
from router.plan import Budget, Candidate, Each, Entry, Limit, Plan, Policy, Rule, TargetEntry, Tenant, Unit
from router.policy.draft import Draft
from router.policy.tenants import chain, grants
from router.values import Place, Request

MOST_PATHS = 1024
"""Nested policies can multiply the ways to a target; checks look at this many that differ."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """One target on one path. `entry` is where it is written, `via` the entry of the called policy that leads to it,
    `rule` the rule of the called policy that both are behind; None where that was not asked. `jumped`: behind a budget
    that is spent."""

    entry: TargetEntry
    via: Place
    candidate: Candidate
    rule: Rule | None
    jumped: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """The flat list of one way a policy's rules can come out; nested policies come with their own targets. `jump` is
    the spent budget that leads there instead."""

    rule: Rule | None
    jump: Jump | None
    reached: tuple[Reached, ...]


def branches(plan: Plan, policy: Policy) -> Iterator[Branch]:
    """The targets, then each rule that does not reject, then each jump. A nested policy that is come to again with the
    same time and ceilings adds nothing."""
    path = ROOT.into(policy)
    for rule in (None, *policy.rules):
        if rule is None or rule.reject is None:
            entries = rule.entries if rule else policy.entries
            way = _Way(plan=plan, rule=rule, seen=set())
            yield Branch(
                rule=rule, jump=None, reached=tuple(islice(_flat(way, policy, entries, path), MOST_PATHS))
            )
    for jump in jumps(plan, policy, ROOT, callers_budgets(plan, policy.name)):
        way = _Way(plan=plan, rule=None, seen=set())
        reached = tuple(islice(_flat(way, policy, (jump.entry,), jump.path), MOST_PATHS))
        yield Branch(rule=None, jump=jump, reached=reached)


class _Way(NamedTuple):
    """What does not change below one branch; `seen` are the nested policies, each with what holds on the way to it."""

    plan: Plan
    rule: Rule | None
    seen: set[Hashable]


def _flat(
    way: _Way, policy: Policy, entries: tuple[Entry, ...], path: PathTo, via: Place | None = None
) -> Iterator[Reached]:
    for entry in entries:
        at = via or entry.place
        if isinstance(entry, TargetEntry):
            yield _reached(way.plan, policy, entry, path, via=at, rule=way.rule)
            continue
        nested = way.plan.policies[entry.policy]
        below = path.into(nested)
        if (step := (nested.name, below.total_s, below.ceiling)) not in way.seen:
            way.seen.add(step)
            yield from _flat(way, nested, nested.entries, below, at)


def everything(plan: Plan, policy: Policy) -> tuple[Reached, ...]:
    """Every target that a call of `policy` can come to, through its rules, those of nested policies, and jumps."""
    landings = [
        (plan.policies[jump.entry.policy], jump.path.into(plan.policies[jump.entry.policy]))
        for jump in jumps(plan, policy, ROOT, callers_budgets(plan, policy.name))
    ]
    own = _below(plan, [(policy, ROOT.into(policy))])
    return (*own, *(replace(each, jumped=True) for each in _below(plan, landings)))


def _below(plan: Plan, waiting: list[tuple[Policy, PathTo]]) -> tuple[Reached, ...]:
    """What these policies come to by these ways, without a jump."""
    found: list[Reached] = []
    seen: set[Hashable] = set()
    while waiting and len(seen) < MOST_PATHS:
        current, path = waiting.pop()
        way = (current.name, path.total_s, path.ceiling, frozenset(path.budgets), frozenset(path.limits))
        if way in seen:  # two ways to a policy differ only in what they add up to
            continue
        seen.add(way)
        for entry in (*current.entries, *(each for rule in current.rules for each in rule.entries)):
            if isinstance(entry, TargetEntry):
                found.append(_reached(plan, current, entry, path, via=entry.place))
            else:
                waiting.append((plan.policies[entry.policy], path.into(plan.policies[entry.policy])))
    return tuple(found)


def _reached(
    plan: Plan, policy: Policy, entry: TargetEntry, path: PathTo, *, via: Place, rule: Rule | None = None
) -> Reached:
    request = Request(id="", policy=policy.name, messages=())
    candidate = candidate_of(entry, policy, path, plan.targets[entry.target], request)
    return Reached(entry=entry, via=via, candidate=candidate, rule=rule)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Payers:
    """The tenants that may call the same policies, all above them, and each of theirs, every one once: what their calls
    are charged to. `budget` is the first in money, `open_budget` the first that pays for calls whose output no tenant
    bounds, `is_open` whether there are such calls; `limits` are those on output that its tenants' own ceilings on it do
    not keep within, and `amounts` and `tokens` the budgets in money and in tokens of tenants without a ceiling on size,
    smallest first."""

    scopes: tuple[Tenant | Each, ...]
    budget: Budget | None
    open_budget: Budget | None
    is_open: bool
    limits: tuple[Limit, ...]
    amounts: tuple[Budget, ...]
    tokens: tuple[Budget, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A policy that somebody may call, what it reaches, and who pays. Policies share their payers: a folder has many of
    both, and pairs of them are not looked at one by one."""

    policy: Policy
    reached: tuple[Reached, ...]
    payers: tuple[Payers, ...]

    @property
    def without_jumps(self) -> tuple[Reached, ...]:
        """What it comes to while the budgets that hand over are not spent."""
        return tuple(each for each in self.reached if not each.jumped)

    def a_budget_over(self, plan: Plan, reached: Reached) -> Budget | None:
        """A budget that an attempt at this target is charged to, the nearest where there are several."""
        above = (payers.budget for payers in self.payers if payers.budget is not None)
        return next(iter(own_budgets(plan, reached)), None) or next(above, None)

    def an_open_budget_over(self, plan: Plan, reached: Reached) -> Budget | None:
        """The same, of attempts whose output no tenant bounds."""
        own = next(iter(own_budgets(plan, reached)), None)
        if own is not None and (not plan.tenants or any(payers.is_open for payers in self.payers)):
            return own
        return next((each.open_budget for each in self.payers if each.open_budget is not None), None)


def calls(draft: Draft) -> tuple[Call, ...]:
    """One for each policy that may be called, in the order of names."""
    return draft.once("calls", lambda: tuple(_calls(draft.plan)))


def _calls(plan: Plan) -> Iterator[Call]:
    together: dict[frozenset[str] | None, list[str]] = {}
    for path, allowed in grants(plan.tenants).items():
        together.setdefault(allowed, []).append(path)
    of_any: list[Payers] = []
    of_one: dict[str, list[Payers]] = {}
    for allowed, paths in together.items():
        payers = _payers(plan, paths)
        for found in [of_any] if allowed is None else [of_one.setdefault(name, []) for name in allowed]:
            found.append(payers)
    for name in sorted(callable_policies(plan)):
        policy = plan.policies[name]
        yield Call(policy=policy, reached=everything(plan, policy), payers=(*of_any, *of_one.get(name, ())))


def _payers(plan: Plan, tenants: Sequence[str]) -> Payers:
    paths = sorted({above for tenant in tenants for above in chain(tenant)})
    bounds = _size_bounds(plan, paths)
    unbounded = [path for path in tenants if bounds[path].output is None]
    of_open = sorted({above for tenant in unbounded for above in chain(tenant)})
    scopes = tuple((path, scope) for path in paths for scope in _scopes(plan, path))
    return Payers(
        scopes=tuple(scope for _, scope in scopes),
        budget=_in_money(scope for _, scope in scopes),
        open_budget=_in_money(
            scope for path in of_open for scope in _scopes(plan, path) if scope.ceiling.output_tokens is None
        ),
        is_open=bool(unbounded),
        limits=tuple(sorted(_narrow_limits(scopes, bounds), key=lambda limit: limit.at_most)),
        amounts=_amounts(scopes, bounds, "nusd"),
        tokens=_amounts(scopes, bounds, "tokens"),
    )


def _scopes(plan: Plan, path: str) -> tuple[Tenant | Each, ...]:
    return (plan.tenants[path], *plan.tenants[path].each)


def _in_money(scopes: Iterable[Tenant | Each]) -> Budget | None:
    return next((budget for scope in scopes for budget in hard(scope.budgets) if budget.unit == "nusd"), None)


class _Bound(NamedTuple):
    """The least ceilings that hold for every call of a tenant and of those below it; None: there is none."""

    input: int | None = None
    output: int | None = None

    def under(self, scope: Tenant | Each) -> "_Bound":
        own = scope.ceiling
        return _Bound(least(self.input, own.input_tokens), least(self.output, own.output_tokens))


def _size_bounds(plan: Plan, paths: Iterable[str]) -> Mapping[str, _Bound]:
    """`paths` with every tenant after those above it. What each child may do holds below its tenant, not for it."""
    found: dict[str, _Bound] = {}
    of_children: dict[str, _Bound] = {}
    for path in paths:
        bound = of_children.get(path.rpartition("/")[0], _Bound()).under(plan.tenants[path])
        for each in plan.tenants[path].each:
            bound = bound if each.of == "child" else bound.under(each)
        found[path] = of_children[path] = bound
        for each in plan.tenants[path].each:
            of_children[path] = of_children[path].under(each)
    return found


_ScopeAt = tuple[str, Tenant | Each]


def _narrow_limits(scopes: Iterable[_ScopeAt], bounds: Mapping[str, _Bound]) -> Iterator[Limit]:
    """Limits that a request may not fit in, for all that the ceilings of tenants say of its output."""
    for path, scope in scopes:
        if scope.limits:
            most = bounds[path].under(scope).output
            for limit in scope.limits:
                of_output = limit.unit in OUTPUT_UNITS and not limit.shadow
                if of_output and (most is None or limit.at_most < most):
                    yield limit


OUTPUT_UNITS = ("tokens", "output_tokens")
"""Units of limits that the output allowance of a request is taken from at once."""


def _amounts(scopes: Iterable[_ScopeAt], bounds: Mapping[str, _Bound], unit: Unit) -> tuple[Budget, ...]:
    found = (
        budget
        for path, scope in scopes
        if scope.budgets and bounds[path].under(scope) == (None, None)
        for budget in hard(scope.budgets)
        if budget.unit == unit
    )
    return tuple(sorted(found, key=lambda budget: budget.amount))


def callable_policies(plan: Plan) -> frozenset[str]:
    """The policies that somebody may call: all of them where the files declare no tenants."""
    if not plan.tenants:
        return frozenset(plan.policies)
    sets = set(grants(plan.tenants).values())
    return frozenset(plan.policies) if None in sets else frozenset().union(*(each for each in sets if each))


def own_limits(plan: Plan, reached: Reached) -> tuple[Limit, ...]:
    """What is taken for each attempt at it: of nested policies, its provider, its model, and the provider's keys."""
    target = reached.candidate.target
    provider = plan.providers[target.provider]
    of_keys = (limit for key in provider.keys for limit in key.limits)
    return (*reached.candidate.limits, *provider.limits_of(target.model), *of_keys)


def own_budgets(plan: Plan, reached: Reached) -> tuple[Budget, ...]:
    """The hard budgets in money of its policies and its provider."""
    candidate = reached.candidate
    own = (*candidate.per_request, *candidate.budgets, *plan.providers[candidate.target.provider].budgets)
    return tuple(budget for budget in hard(own) if budget.unit == "nusd")
