"""Requests that go elsewhere, or to the same targets in another way: every kind of request, compared on both sides."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from router.decide.match import Matched
from router.plan import Candidate, Plan, Policy
from router.policy.scalars import count_text, duration_text, money_text
from router.tools.diff.amounts import Figure, bounds_changed, related
from router.tools.diff.change import Asked, Effect, RouteChange, Way, combined
from router.tools.diff.kinds import Kind, Kinds
from router.tools.diff.route_words import Instance, edit_of, grouped, route_effect
from router.tools.diff.settings import lexical_texts, texts_changed
from router.tools.diff.side import Side


@dataclass(frozen=True, slots=True, kw_only=True)
class Routed:
    """What was found, and the policies that have more kinds of requests than were looked at."""

    changes: tuple[RouteChange, ...]
    unfinished: tuple[str, ...]


def route_changes(old: Side, new: Side, told: frozenset[str]) -> Routed:
    """Of policies on both sides. `told` names what is told elsewhere, and need not be told of each target again."""
    kinds = Kinds(old.plan, new.plan)
    found: list[Instance] = []
    unfinished: list[str] = []
    for name in (each for each in old.plan.policies if each in new.plan.policies):
        of_policy = kinds.of(name)
        for cell in of_policy.cells:
            found += _of_cell([_compared(old.plan, new.plan, kind, told) for kind in cell])
        if not of_policy.complete:
            unfinished.append(name)
    return Routed(changes=grouped(found), unfinished=tuple(unfinished))


def _of_cell(changes: Sequence[RouteChange | None]) -> Iterator[Instance]:
    """The change of a request with other needs follows from that of the plain one, unless it is served no more, or
    served now."""
    plain = changes[0]
    for each in filter(None, changes):
        follows = each.effect == "neither" and plain is not None
        yield Instance(edit=edit_of(plain if follows and plain else each), change=each)


def _compared(old: Plan, new: Plan, kind: Kind, told: frozenset[str]) -> RouteChange | None:
    before, after = _way(old, kind.policy, kind.was), _way(new, kind.policy, kind.now)
    settings = tuple(_settings(old, new, kind.was, kind.now, told))
    effects = {route_effect(before, after), *(effect for _, effect in settings)}
    if (before.targets, before.reject) == (after.targets, after.reject) and not settings:
        return None
    return RouteChange(
        asked=Asked(policy=kind.policy, text=str(kind.witness), witness=kind.witness),
        before=before,
        after=after,
        settings=tuple(text for text, _ in settings),
        effect=combined(loosens="loosens" in effects, tightens="tightens" in effects),
        also=(),
    )


def _way(plan: Plan, name: str, found: Matched) -> Way:
    policy = plan.policies[name]
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
    before, after = _by_turn(was), _by_turn(now)
    for turn in (each for each in after if each in before):
        yield from _settings_of(old, new, before[turn], after[turn], told)


def _by_turn(found: Matched) -> dict[tuple[str, int], Candidate]:
    """By target, and how often it came before: with other ceilings a target may have a second turn."""
    turns: Counter[str] = Counter()
    known = {}
    for each in found.route.candidates:
        known[each.target.name, turns[each.target.name]] = each
        turns[each.target.name] += 1
    return known


def _settings_of(
    old: Plan, new: Plan, before: Candidate, after: Candidate, told: frozenset[str]
) -> Iterator[Otherwise]:
    """Without what the policy says of all of its targets, which is told there."""
    if (before.lexical, before.params) != (after.lexical, after.params):
        yield from _lexical(old, new, before, after)
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
    owners = {each.whose.partition(":") for each in (*candidate.budgets, *candidate.per_request)}
    names = {name for kind, _, name in owners if kind == "policy"}
    return frozenset(f"policy {name}" for name in names if _has_own_budgets(other.policies.get(name)))


def _has_own_budgets(policy: Policy | None) -> bool:
    return policy is not None and any(each.whose == f"policy:{policy.name}" for each in policy.budgets)


def _lexical(old: Plan, new: Plan, before: Candidate, after: Candidate) -> Iterator[Otherwise]:
    explained: set[tuple[str, str | None, str | None]] = set()
    if before.policy == after.policy:
        lexical = (plan.policies[after.policy].lexical for plan in (old, new))
        explained.update(texts_changed(*(lexical_texts(each) for each in lexical)))
    texts = (lexical_texts(each.lexical, _sent(each)) for each in (before, after))
    for what, one, other in texts_changed(*texts):
        if (what, one, other) not in explained:
            yield f"{after.target.name}: {related(what, one, other)}", "neither"


def _figures(candidate: Candidate, told: frozenset[str]) -> dict[str, Figure]:
    """What accumulates on the way to a target, but for what is told already."""
    known: dict[str, tuple[float | None, set[str]]] = {
        "timeout.total": (candidate.total_s, set()),
        "timeout.stream": (candidate.stream_s, set()),
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
    if name.startswith("timeout."):
        return duration_text(round(amount * 1000))
    return money_text(int(amount)) if name == "ceiling.added_cost" else count_text(int(amount))


def _sent(candidate: Candidate) -> Mapping[str, Any]:
    """Its parameters, without the allowance of output, which is a ceiling's."""
    return {name: value for name, value in candidate.params.items() if name != "max_tokens"}
