"""Coverage: the rules, targets and edges of a plan, and which of them the cases exercise.

docs/testing.md says in words what is counted.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal, NamedTuple

from router import events as ev
from router.decide.jumps import budgets_within
from router.decide.match import taking_over
from router.plan import Budget, Entry, Plan, Policy, PolicyEntry, TargetEntry
from router.testing.cases.seen import Seen
from router.testing.cases.words import NO_RULE
from router.values import Place

Kind = Literal["rule", "target", "edge"]
KINDS: tuple[Kind, ...] = ("rule", "target", "edge")
TARGETS = NO_RULE
"""The branch of a policy that is taken where no rule holds."""

AGAIN = "sends again"


class Key(NamedTuple):
    """What an item is known by. `branch` is a rule's name or `none`; "" where an item is of the whole policy."""

    kind: Kind
    policy: str
    branch: str
    what: str


class At(NamedTuple):
    """One step on the way down to a target: which entry of which branch."""

    policy: str
    branch: str
    nth: int


Chain = tuple[At, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    key: Key
    place: Place

    def __str__(self) -> str:
        """`smart, rule long-document: openai/gpt-5 -> policy last-resort`."""
        kind, policy, branch, what = self.key
        where = "" if branch in ("", TARGETS) or kind == "rule" else f", rule {branch}"
        return f"{policy}{where}: {what}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """`items` in the order of the policies by name, each with whether a case exercised it."""

    items: tuple[tuple[Item, bool], ...]

    def of(self, kind: Kind | None = None, policy: str | None = None) -> tuple[int, int]:
        """(exercised, all) of one kind, of one policy, or of everything."""
        found = [
            hit
            for item, hit in self.items
            if kind in (None, item.key.kind) and policy in (None, item.key.policy)
        ]
        return sum(found), len(found)

    @property
    def missing(self) -> tuple[Item, ...]:
        return tuple(item for item, hit in self.items if not hit)

    @property
    def policies(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(item.key.policy for item, _ in self.items))

    @property
    def percent(self) -> float:
        """To one decimal, rounded down: 100 is everything."""
        hits, total = self.of()
        return hits * 1_000 // total / 10 if total else 100.0

    def is_under(self, percent: float) -> bool:
        hits, total = self.of()
        return hits * 100 < percent * total


def coverage(plan: Plan, exercised_keys: Iterable[Key]) -> Coverage:
    hit = set(exercised_keys)
    return Coverage(items=tuple((item, item.key in hit) for item in items(plan)))


# --- What there is ----------------------------------------------------------------------------------------------------


def items(plan: Plan) -> Iterator[Item]:
    """Everything of a plan that a case could exercise."""
    for name in sorted(plan.policies):
        policy = plan.policies[name]
        yield from _rules(policy)
        for branch, entries in _branches(plan, policy):
            yield from _targets(policy, branch, entries)
            yield from _edges(policy, branch, entries)
        yield from _edges_of_policy(plan, policy)
        yield from _jumps(plan, policy)


def _branches(plan: Plan, policy: Policy) -> Iterator[tuple[str, tuple[Entry, ...]]]:
    """Without the targets that `enabled: false` takes out."""
    for branch, entries in (*((rule.name, rule.entries) for rule in policy.rules), (TARGETS, policy.entries)):
        yield branch, tuple(entry for entry in entries if _is_open(plan, entry))


def _is_open(plan: Plan, entry: Entry) -> bool:
    return isinstance(entry, PolicyEntry) or plan.targets[entry.target].enabled


def _rules(policy: Policy) -> Iterator[Item]:
    """Of a policy without rules its targets say it all."""
    for rule in policy.rules:
        yield Item(key=_rule_key(policy.name, rule.name), place=rule.place)
    if policy.rules:
        yield Item(key=_rule_key(policy.name, TARGETS), place=policy.place)


def _targets(policy: Policy, branch: str, entries: tuple[Entry, ...]) -> Iterator[Item]:
    for entry in entries:
        if isinstance(entry, TargetEntry):
            yield Item(key=_target_key(policy.name, branch, entry), place=entry.place)


def _edges(policy: Policy, branch: str, entries: tuple[Entry, ...]) -> Iterator[Item]:
    for entry in entries:
        if isinstance(entry, PolicyEntry):
            yield Item(key=_into_key(policy.name, branch, entry), place=entry.place)
    for before, after in pairwise(entries):
        if isinstance(before, PolicyEntry) or policy.lexical.fall_back_on:
            yield Item(key=_fallback_key(policy.name, branch, before, after), place=after.place)


def _edges_of_policy(plan: Plan, policy: Policy) -> Iterator[Item]:
    for rule in policy.rules:
        if rule.reject is not None:
            yield Item(key=_reject_key(policy.name, rule.name), place=rule.place)
    sends = any(isinstance(entry, TargetEntry) for _, entries in _branches(plan, policy) for entry in entries)
    if sends and policy.lexical.retry.attempts > 1:
        yield Item(key=_again_key(policy.name), place=policy.place)


def _jumps(plan: Plan, policy: Policy) -> Iterator[Item]:
    """Who takes over where its budget is spent, and from which callers' budgets it takes over itself."""
    places = {_jump_key(policy.name, entry.policy): entry.place for entry in taking_over(policy.budgets)}
    for budget, entry in _handing_over(plan):
        if entry.policy == policy.name:
            places.setdefault(_landing_key(budget.whose, policy.name), entry.place)
    yield from (Item(key=key, place=place) for key, place in places.items())


def _handing_over(plan: Plan) -> Iterator[tuple[Budget, PolicyEntry]]:
    """Budgets of tenants and of each of theirs."""
    for path in plan.handing_over:
        for budget in budgets_within(plan.tenants[path]):
            if budget.when_spent is not None:
                yield budget, budget.when_spent


# --- What a call exercised --------------------------------------------------------------------------------------------


def exercised(plan: Plan, seen: Seen) -> Iterator[Key]:
    """What one call went through. A call that was refused before its rules were read went through nothing."""
    if all(isinstance(event, ev.RequestStarted | ev.RequestFailed) for event in seen.trace):
        return
    held = {fact.policy: fact.rule for fact in seen.facts(ev.RuleMatched)}
    at = next((at for at, event in enumerate(seen.trace) if isinstance(event, ev.Jumped)), len(seen.trace))
    yield from _of_list(plan, plan.policies[seen.request.policy], held, replace(seen, trace=seen.trace[:at]))
    for jump in seen.facts(ev.Jumped):
        yield _jump_of(plan, jump)
        landing = plan.policies[jump.to_policy]
        yield from _of_list(plan, landing, held, replace(seen, trace=seen.trace[at:]))


def _of_list(plan: Plan, policy: Policy, held: Mapping[str, str], seen: Seen) -> Iterator[Key]:
    """What was gone through of the list of a policy: the called one's, or that of the one that took over."""
    flat = list(_flat(plan, policy, held, ()))
    yield from _decided(plan, policy, held)
    where = _whereabouts(flat, seen)
    yield from _sent(plan, where, seen)
    for fact in seen.facts(ev.FellBack):
        yield from _fell(plan, where[fact.from_target], where[fact.to_target])


def _jump_of(plan: Plan, jump: ev.Jumped) -> Key:
    """By the budget as it is written: each of a tenant's users has one of its own."""
    for budget, entry in _handing_over(plan):
        own = jump.budget.startswith(budget.whose[:-1]) if budget.whose.endswith("*") else False
        if entry.policy == jump.to_policy and (own or jump.budget == budget.whose):
            return _landing_key(budget.whose, jump.to_policy)
    return _jump_key(jump.from_policy, jump.to_policy)


def _decided(plan: Plan, policy: Policy, held: Mapping[str, str]) -> Iterator[Key]:
    """The branch that each policy took, the nested ones included."""
    branch = held.get(policy.name, TARGETS)
    yield _rule_key(policy.name, branch)
    if any(rule.name == branch and rule.reject is not None for rule in policy.rules):
        yield _reject_key(policy.name, branch)
    for entry in _entries(plan, policy, branch):
        if isinstance(entry, PolicyEntry):
            yield from _decided(plan, plan.policies[entry.policy], held)


def _flat(
    plan: Plan, policy: Policy, held: Mapping[str, str], above: Chain
) -> Iterator[tuple[TargetEntry, Chain]]:
    """Every target of the branches taken, with the way down to it, in order."""
    branch = held.get(policy.name, TARGETS)
    for index, entry in enumerate(_entries(plan, policy, branch)):
        chain = (*above, At(policy.name, branch, index))
        if isinstance(entry, TargetEntry):
            yield entry, chain
        else:
            yield from _flat(plan, plan.policies[entry.policy], held, chain)


def _whereabouts(flat: Iterable[tuple[TargetEntry, Chain]], seen: Seen) -> Mapping[str, Chain]:
    """Through which policies each target of the list came in: by the first of its entries that was not dropped."""
    dropped = {(fact.policy, fact.target) for fact in seen.facts(ev.CandidateDropped)}
    dropped |= {(fact.policy, fact.target) for fact in seen.facts(ev.TargetPassedOver)}
    kept: dict[str, Chain] = {}
    passed_over: dict[str, Chain] = {}
    for entry, chain in flat:
        found = passed_over if (chain[-1].policy, entry.target) in dropped else kept
        found.setdefault(entry.target, chain)
    return {**passed_over, **kept}


def _sent(plan: Plan, where: Mapping[str, Chain], seen: Seen) -> Iterator[Key]:
    before = None
    for fact in seen.facts(ev.AttemptSent):
        *above, last = where[fact.target]
        entry = _entry(plan, last)
        if isinstance(entry, TargetEntry):
            yield _target_key(last.policy, last.branch, entry)
        for at in above:
            nested = _entry(plan, at)
            if isinstance(nested, PolicyEntry):
                yield _into_key(at.policy, at.branch, nested)
        if fact.target == before:
            yield _again_key(last.policy)
        before = fact.target


def _fell(plan: Plan, before: Chain, after: Chain) -> Iterator[Key]:
    """The edge of the branch in which the two part ways, where they are neighbours there."""
    apart = next(((a, b) for a, b in zip(before, after, strict=False) if a != b), None)
    if apart is not None and apart[1].nth == apart[0].nth + 1:
        at = apart[0]
        yield _fallback_key(at.policy, at.branch, _entry(plan, apart[0]), _entry(plan, apart[1]))


def _entry(plan: Plan, at: At) -> Entry:
    return _entries(plan, plan.policies[at.policy], at.branch)[at.nth]


def _entries(plan: Plan, policy: Policy, branch: str) -> tuple[Entry, ...]:
    return next((entries for name, entries in _branches(plan, policy) if name == branch), ())


# --- Keys -------------------------------------------------------------------------------------------------------------


def _rule_key(policy: str, rule: str) -> Key:
    return Key("rule", policy, rule, f"rule {rule}" if rule != TARGETS else "no rule, its targets")


def _target_key(policy: str, branch: str, entry: TargetEntry) -> Key:
    return Key("target", policy, branch, entry.target)


def _into_key(policy: str, branch: str, entry: PolicyEntry) -> Key:
    return Key("edge", policy, branch, f"into {_name(entry)}")


def _fallback_key(policy: str, branch: str, before: Entry, after: Entry) -> Key:
    return Key("edge", policy, branch, f"{_name(before)} -> {_name(after)}")


def _reject_key(policy: str, rule: str) -> Key:
    return Key("edge", policy, rule, "rejects")


def _jump_key(policy: str, to: str) -> Key:
    return Key("edge", policy, "", f"budget spent, to policy {to}")


def _landing_key(owner: str, to: str) -> Key:
    return Key("edge", to, "", f"after the budget of {owner} is spent")


def _again_key(policy: str) -> Key:
    return Key("edge", policy, "", AGAIN)


def _name(entry: Entry) -> str:
    return entry.target if isinstance(entry, TargetEntry) else f"policy {entry.policy}"
