"""One change of a route told once: requests and policies whose lists changed in the same way stand together."""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import replace
from difflib import SequenceMatcher

from router.tools.diff.change import Effect, RouteChange, Way


def grouped(changes: Sequence[tuple[Hashable, RouteChange]]) -> tuple[RouteChange, ...]:
    """By the edit that each is an instance of. The plainest request of each group speaks for it, and those that loosen
    come first."""
    groups: dict[Hashable, list[RouteChange]] = {}
    for edit, each in changes:
        groups.setdefault(edit, []).append(each)
    found = []
    for same in groups.values():
        first = min(same, key=lambda each: (len(each.asked.witness.matters), len(each.after.targets)))
        rest = tuple(each.asked for each in same if each is not first)
        found.append(replace(first, also=rest))
    return tuple(sorted(found, key=lambda each: each.effect not in ("loosens", "both")))


def route_effect(before: Way, after: Way) -> Effect:
    """A request that nothing served, and something serves now, is a door that opened."""
    if bool(before.targets) == bool(after.targets):
        return "neither"
    return "loosens" if after.targets else "tightens"


def edit_of(change: RouteChange) -> Hashable:
    return (
        tuple(steps(change.before.targets, change.after.targets)),
        change.before.reject,
        change.after.reject,
        change.settings,
        change.effect,
    )


def steps(before: Sequence[str], after: Sequence[str]) -> Iterator[Hashable]:
    """What was taken out of a list and what was put in, wherever in the list that is."""
    for what, i, j, k, n in SequenceMatcher(a=before, b=after, autojunk=False).get_opcodes():
        if what != "equal":
            yield tuple(before[i:j]), tuple(after[k:n])
