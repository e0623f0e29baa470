"""One change of a route told once: requests and policies whose lists changed in the same way stand together."""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher

from router.tools.diff.change import Effect, RouteChange, Way


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """A change of one kind of request, and the edit it is an instance of: its own, or that of a plainer request."""

    edit: Hashable
    change: RouteChange

    @property
    def plainness(self) -> tuple[bool, int, int]:
        """The plainest is the least."""
        fields, targets = self.change.asked.witness.matters, self.change.after.targets
        return (edit_of(self.change) != self.edit, len(fields), len(targets))


def grouped(instances: Sequence[Instance]) -> tuple[RouteChange, ...]:
    """By their edits. The plainest request of each group speaks for it, and those that loosen come first."""
    groups: dict[Hashable, list[Instance]] = {}
    for each in instances:
        groups.setdefault(each.edit, []).append(each)
    found = []
    for same in groups.values():
        first = min(same, key=lambda each: each.plainness)
        rest = tuple(each.change.asked for each in same if each is not first)
        found.append(replace(first.change, also=rest))
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
