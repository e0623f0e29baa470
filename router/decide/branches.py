"""The flat lists that a policy can come to: one for each way in which its rules, and those nested in it, come out.

Nested policies multiply them, so they are counted before they are listed.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import product

from router.decide.fit import as_open
from router.decide.match import PathTo, candidate_of, unfit
from router.plan import Candidate, Entry, Plan, Policy, TargetEntry
from router.values import Request

COUNTED = 1_000_000
"""More lists than that are as many: their number may have more digits than there is room for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """A place in a list. `sure`: its path refuses the target nobody, but for the length of an input."""

    candidate: Candidate
    sure: bool


def ways(policy: Policy) -> list[tuple[str, tuple[Entry, ...]]]:
    """What its rules, or none of them, lead to."""
    rules = [(f"rule {rule.name}", rule.entries) for rule in policy.rules if rule.reject is None]
    return [("targets", policy.entries), *rules]


def rejects(policy: Policy) -> bool:
    """Whether some call may find nothing here."""
    return any(rule.reject is not None for rule in policy.rules)


def lists_of(plan: Plan, entries: Iterable[Entry], known: dict[str, int]) -> int:
    """How many flat lists these entries can make, up to COUNTED. `known` keeps the counts of policies between calls."""
    number = 1
    for entry in entries:
        if isinstance(entry, TargetEntry):
            continue
        if entry.policy not in known:
            nested = plan.policies[entry.policy]
            below = sum(lists_of(plan, own, known) for _, own in ways(nested))
            known[entry.policy] = min(below + rejects(nested), COUNTED)
        number = min(number * known[entry.policy], COUNTED)
    return number


def flat_lists(
    plan: Plan, policy: Policy, path: PathTo, entries: Iterable[Entry]
) -> Iterator[tuple[Seat, ...]]:
    """Every flat list that these entries of a policy can make; look at `lists_of` before."""
    parts = [list(_parts(plan, policy, path, entry)) for entry in entries]
    for choice in product(*parts):
        yield _reached(each for part in choice for each in part)


def _parts(plan: Plan, policy: Policy, path: PathTo, entry: Entry) -> Iterator[tuple[Seat, ...]]:
    if isinstance(entry, TargetEntry):
        yield seats_of(plan, policy, path, entry)
        return
    nested = plan.policies[entry.policy]
    for _, below in ways(nested):
        yield from flat_lists(plan, nested, path.into(nested), below)
    if rejects(nested):
        yield ()


def _reached(flat: Iterable[Seat]) -> tuple[Seat, ...]:
    """Without the seats of a target that an earlier one keeps every request from."""
    kept: list[Seat] = []
    for each in flat:
        if not any(hides(before, each.candidate) for before in kept):
            kept.append(each)
    return tuple(kept)


def hides(before: Seat, later: Candidate) -> bool:
    same = before.candidate.target.name == later.target.name
    return same and before.sure and as_open(before.candidate, later)


def seats_of(plan: Plan, policy: Policy, path: PathTo, entry: TargetEntry) -> tuple[Seat, ...]:
    """One, or none where its path keeps every request from it: also the shortest, which meets the cheapest prices."""
    request = Request(id="", policy=policy.name, messages=())
    target = plan.targets[entry.target]
    shortest = replace(path, ceiling=replace(path.ceiling, input_tokens=0))
    if unfit(target, shortest):
        return ()
    return (
        Seat(candidate=candidate_of(entry, policy, path, target, request), sure=unfit(target, path) is None),
    )
