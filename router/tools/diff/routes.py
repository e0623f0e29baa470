"""Requests that go elsewhere: the engine's own matching on both sides, for one request of every cell.

A cell holds the requests that the rules of both sides treat alike, so that its witness stands for all of it. Policies
are looked at only where something that may matter to their routes is otherwise.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from router.decide.cells import Cell, cells, outcome
from router.decide.match import Matched, conditions_within, reachable
from router.errors import NoRoute
from router.plan import Candidate, Plan, Policy, TargetEntry
from router.policy.scalars import count_text, duration_text, money_text
from router.tools.diff.amounts import Figure, bounds_changed, related
from router.tools.diff.askers import Askers, askers_of
from router.tools.diff.change import Asked, Effect, RouteChange, Way, combined
from router.tools.diff.route_words import grouped, route_effect
from router.tools.diff.settings import lexical_texts, texts_changed
from router.tools.diff.side import Side, meaning

MOST_CELLS = 2_000
"""Of one policy: rules can multiply without end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Routed:
    """What was found, and the policies that have more cells than were looked at."""

    changes: tuple[RouteChange, ...]
    unfinished: tuple[str, ...]


def route_changes(old: Side, new: Side, told: frozenset[str]) -> Routed:
    """Of policies on both sides. `told` names what is told elsewhere, and need not be told of each target again."""
    askers = askers_of(old.plan, new.plan, _named_tenants((old.plan, new.plan)))
    senses = _Senses(old.plan), _Senses(new.plan)
    capabilities = _capabilities(old.plan, new.plan)
    found: list[RouteChange] = []
    unfinished: list[str] = []
    for name in (each for each in old.plan.policies if each in new.plan.policies):
        unchanged = senses[0].of(name) == senses[1].of(name)
        asked = _cells(old.plan, new.plan, name, askers, capabilities, unchanged=unchanged)
        looked_at = list(islice(asked, MOST_CELLS + 1))
        if len(looked_at) > MOST_CELLS or not all(cell.complete for cell in looked_at):
            unfinished.append(name)
        found += (
            change
            for cell in looked_at[:MOST_CELLS]
            if (change := _compared(old.plan, new.plan, cell, told)) is not None
        )
    return Routed(changes=grouped(found), unfinished=tuple(unfinished))


def _cells(
    old: Plan,
    new: Plan,
    policy: str,
    askers: Askers,
    capabilities: Mapping[str, frozenset[str]],
    *,
    unchanged: bool,
) -> Iterator[Cell]:
    """Where the policy itself is as it was, only those callers for whom something else holds."""
    conditions = [each for plan in (old, new) for each in conditions_within(plan, plan.policies[policy])]
    named = frozenset(path for each in conditions if each.field == "tenant" for path in each.any_of)
    spending = any(each.budget is not None for each in conditions)
    tenants = list(askers.of(policy, named, spending=spending, only_changed=unchanged))
    if tenants:
        whole = (each for plan in (old, new) for each in reachable(plan, plan.policies[policy]))
        targets = {name for each in whole for name in _targets(each)}
        needs = frozenset[str]().union(*(capabilities.get(name, ()) for name in targets))
        yield from cells(old, policy, against=new, tenants=tenants, needs=needs)


def _compared(old: Plan, new: Plan, cell: Cell, told: frozenset[str]) -> RouteChange | None:
    was, now = _outcome(old, cell), _outcome(new, cell)
    before, after = _way(old, cell, was), _way(new, cell, now)
    settings = tuple(_settings(old, new, was, now, told))
    effects = {route_effect(before, after), *(effect for _, effect in settings)}
    if (before.targets, before.reject) == (after.targets, after.reject) and not settings:
        return None
    return RouteChange(
        asked=Asked(policy=cell.policy, text=str(cell.witness), witness=cell.witness),
        before=before,
        after=after,
        settings=tuple(text for text, _ in settings),
        effect=combined(loosens="loosens" in effects, tightens="tightens" in effects),
        also=(),
    )


def _outcome(plan: Plan, cell: Cell) -> Matched:
    try:
        return outcome(plan, cell)
    except NoRoute as error:  # askers are those that both sides admit
        raise AssertionError(f"`{cell.witness.tenant}` was to be admitted: {error.message}") from error


def _way(plan: Plan, cell: Cell, found: Matched) -> Way:
    policy = plan.policies[cell.policy]
    rule = next((each for each in policy.rules if each.name == found.route.rule), None)
    return Way(
        rule=rule.name if rule else None,
        reject=found.route.reject,
        targets=tuple(each.target.name for each in found.route.candidates),
        dropped=tuple((each.target, each.detail or each.reason) for each in found.dropped),
        place=rule.place if rule else policy.place,
    )


# --- What is otherwise for a target that stays ------------------------------------------------------------------------


Otherwise = tuple[str, Effect]
"""What is otherwise, in words, and what that does."""


def _settings(old: Plan, new: Plan, was: Matched, now: Matched, told: frozenset[str]) -> Iterator[Otherwise]:
    before = {each.target.name: each for each in was.route.candidates}
    for after in now.route.candidates:
        if after.target.name in before:
            yield from _settings_of(old, new, before[after.target.name], after, told)


def _settings_of(
    old: Plan, new: Plan, before: Candidate, after: Candidate, told: frozenset[str]
) -> Iterator[Otherwise]:
    """Without what the policy says of all of its targets, which is told there."""
    explained: set[tuple[str, str | None, str | None]] = set()
    if before.policy == after.policy:
        lexical = (plan.policies[after.policy].lexical for plan in (old, new))
        explained.update(texts_changed(*(lexical_texts(each) for each in lexical)))
    texts = (lexical_texts(each.lexical, _sent(each)) for each in (before, after))
    for what, one, other in texts_changed(*texts):
        if (what, one, other) not in explained:
            yield f"{after.target.name}: {related(what, one, other)}", "neither"
    was, now = _figures(before, told), _figures(after, told)
    for change in bounds_changed("ceilings", after.target.name, was, now):
        yield f"{after.target.name}: {change.text}", change.effect
    spent, spends = _spent_from(before, new), _spent_from(after, old)
    yield from (
        (f"{after.target.name}: spends from {each} too", "tightens") for each in sorted(spends - spent)
    )
    yield from (
        (f"{after.target.name}: spends from {each} no longer", "loosens") for each in sorted(spent - spends)
    )


def _spent_from(candidate: Candidate, other: Plan) -> frozenset[str]:
    """The policies on the way to it whose budgets it spends from, and that have budgets on the other side as well."""
    owners = {each.owner.partition(":") for each in (*candidate.budgets, *candidate.per_request)}
    names = {name for kind, _, name in owners if kind == "policy"}
    return frozenset(f"policy {name}" for name in names if _has_own_budgets(other.policies.get(name)))


def _has_own_budgets(policy: Policy | None) -> bool:
    return policy is not None and any(each.owner == f"policy:{policy.name}" for each in policy.budgets)


def _figures(candidate: Candidate, told: frozenset[str]) -> dict[str, Figure]:
    """What accumulates on the way to a target, but for what is told already."""
    known: dict[str, tuple[float | None, set[str]]] = {
        "timeout.total": (candidate.total_s, set()),
        "ceiling.input_tokens": (candidate.input_ceiling, set()),
        "ceiling.output_tokens": (candidate.output_tokens, {"params.max_tokens", "max_output"}),
        "ceiling.attempts": (candidate.attempts_ceiling, set()),
        "ceiling.added_cost": (candidate.added_cost_nusd, set()),
    }
    return {
        name: Figure(amount=amount, text=_text(name, amount), place=None)
        for name, (amount, others) in known.items()
        if amount is not None and not told & {name, *others}
    }


def _text(name: str, amount: float) -> str:
    if name == "timeout.total":
        return duration_text(round(amount * 1000))
    return money_text(int(amount)) if name == "ceiling.added_cost" else count_text(int(amount))


def _sent(candidate: Candidate) -> Mapping[str, Any]:
    """Its parameters, without the allowance of output, which is a ceiling's."""
    return {name: value for name, value in candidate.params.items() if name != "max_tokens"}


# --- Where to look ----------------------------------------------------------------------------------------------------


class _Senses:
    """What may matter to the routes of a policy: its own lists, rules and demands, those of policies that it leads to,
    and what is known of the targets."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._policies = {name: _sense(policy) for name, policy in plan.policies.items()}
        self._targets = {
            name: meaning((each.labels, each.prices, each.supports, each.context_tokens, each.enabled))
            for name, each in plan.targets.items()
        }

    def of(self, policy: str) -> tuple[str, ...]:
        whole = reachable(self._plan, self._plan.policies[policy])
        targets = {name for each in whole for name in _targets(each)}
        return (
            *(self._policies[each.name] for each in sorted(whole, key=lambda each: each.name)),
            *(f"{name} {self._targets[name]}" for name in sorted(targets)),
            *self._amounts(self._plan.policies[policy]),
        )

    def _amounts(self, policy: Policy) -> Iterator[str]:
        """The budgets that its rules look at, tenants' and users' apart: those are their askers'."""
        uses = [each.budget for each in conditions_within(self._plan, policy) if each.budget is not None]
        for use in sorted(uses, key=repr):
            provider = self._plan.providers.get(use.name or "")
            held = policy.budgets if use.of == "policy" else provider.budgets if provider else ()
            yield meaning(tuple(each for each in held if each.window == use.window))


def _sense(policy: Policy) -> str:
    return meaning(
        (
            policy.name,
            policy.entries,
            policy.rules,
            policy.demand,
            policy.ceiling.input_tokens,
            policy.budgets if _reads_budgets(policy) else (),
        )
    )


def _reads_budgets(policy: Policy) -> bool:
    return any(each.budget is not None for rule in policy.rules for each in rule.when)


def _targets(policy: Policy) -> Iterator[str]:
    lists = (policy.entries, *(rule.entries for rule in policy.rules))
    return (each.target for entries in lists for each in entries if isinstance(each, TargetEntry))


def _named_tenants(plans: Iterable[Plan]) -> frozenset[str]:
    rules = (rule for plan in plans for policy in plan.policies.values() for rule in policy.rules)
    return frozenset(
        path for rule in rules for each in rule.when if each.field == "tenant" for path in each.any_of
    )


def _capabilities(old: Plan, new: Plan) -> Mapping[str, frozenset[str]]:
    """Those that a target has on one side only: requests that need them are told from others. Of a target whose
    capabilities are unknown none is missed."""
    sets = [each.supports for plan in (old, new) for each in plan.targets.values()]
    known = frozenset(word for each in sets if each for word in each)
    found = {}
    for name in (each for each in old.targets if each in new.targets):
        was, now = (
            known if each is None else each
            for each in (old.targets[name].supports, new.targets[name].supports)
        )
        if was != now:
            found[name] = was ^ now
    return found
