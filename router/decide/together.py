"""The bound of branches that are too many to be listed: figures that add up entry by entry, and no list is made.

For each number of sends k there is the dearest cost of k sends. Entries add up by the best split of k between them,
branches of one policy by their maximum, and a policy's own ceilings and `per_request` budgets cap what it comes to. A
target that stands in several places is counted in each; beside that stands a second bound, in which every target counts
once, at its worst place. The smaller of both holds.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import reduce

from router.decide.branches import seats_of, ways
from router.decide.fit import hard
from router.decide.match import PathTo, reachable
from router.decide.scopes import least
from router.plan import Budget, Candidate, Entry, Plan, Policy, TargetEntry

UNBOUNDED = 10**30
"""Nano-USD that stand for no bound."""


@dataclass(frozen=True, slots=True)
class Place:
    """A target at its worst: one send, how many, and how long they take with their waits."""

    nusd: int = 0
    sends: int = 0
    longest_s: float = 0.0

    def __or__(self, other: "Place") -> "Place":
        return Place(
            max(self.nusd, other.nusd), max(self.sends, other.sends), max(self.longest_s, other.longest_s)
        )


@dataclass(frozen=True, slots=True)
class Most:
    """`dearest[k]`: the most that k sends cost; `nusd`: that any number of them does."""

    dearest: tuple[int, ...]
    nusd: int = 0
    sends: int = 0
    longest_s: float = 0.0
    places: Mapping[str, Place] = field(default_factory=dict)

    def __add__(self, other: "Most") -> "Most":
        """One after the other."""
        split = range(len(self.dearest))
        return Most(
            tuple(max(self.dearest[i] + other.dearest[k - i] for i in range(k + 1)) for k in split),
            self.nusd + other.nusd,
            self.sends + other.sends,
            self.longest_s + other.longest_s,
            _both(self.places, other.places),
        )

    def __or__(self, other: "Most") -> "Most":
        """One or the other."""
        return Most(
            tuple(map(max, self.dearest, other.dearest)),
            max(self.nusd, other.nusd),
            max(self.sends, other.sends),
            max(self.longest_s, other.longest_s),
            _both(self.places, other.places),
        )

    def within(self, attempts: int | None, nusd: int | None) -> "Most":
        """With no more sends, and no more money."""
        dearest, most = list(self.dearest), self.nusd
        if attempts is not None:
            dearest[attempts:] = [dearest[attempts]] * (len(dearest) - attempts)
            most = min(most, dearest[attempts])
        if nusd is not None:
            dearest, most = [min(each, nusd) for each in dearest], min(most, nusd)
        sends = self.sends if attempts is None else min(self.sends, attempts)
        return replace(self, dearest=tuple(dearest), nusd=most, sends=sends)


def _both(a: Mapping[str, Place], b: Mapping[str, Place]) -> dict[str, Place]:
    return {**a, **{name: place | a[name] if name in a else place for name, place in b.items()}}


class Adder:
    """Adds up what the entries of a plan's policies come to, each policy once for each path that makes a difference.

    `place` gives the worst of a candidate.
    """

    def __init__(
        self, plan: Plan, roots: Iterable[Policy], path: PathTo, place: Callable[[Candidate], Place]
    ) -> None:
        self._plan, self._place = plan, place
        ceilings = [
            path.ceiling.attempts,
            *(each.ceiling.attempts for root in roots for each in reachable(plan, root)),
        ]
        self._nothing = Most((0,) * (1 + max((each for each in ceilings if each), default=0)))
        self._known: dict[tuple[object, ...], Most] = {}

    def of(self, policy: Policy, path: PathTo, entries: Iterable[Entry]) -> Most:
        """What these entries of a policy come to, each target counted once at most."""
        found = self._sum(policy, path, entries).within(path.ceiling.attempts, cap_of(path.per_request))
        return replace(found, nusd=min(found.nusd, self._once(found.places, path.ceiling.attempts)))

    def _sum(self, policy: Policy, path: PathTo, entries: Iterable[Entry]) -> Most:
        return reduce(Most.__add__, (self._entry(policy, path, each) for each in entries), self._nothing)

    def _entry(self, policy: Policy, path: PathTo, entry: Entry) -> Most:
        if isinstance(entry, TargetEntry):
            seats = seats_of(self._plan, policy, path, entry)
            return reduce(Most.__add__, (self._leaf(each.candidate) for each in seats), self._nothing)
        nested = self._plan.policies[entry.policy]
        return self._policy(nested, path.into(nested))

    def _policy(self, policy: Policy, path: PathTo) -> Most:
        demands = tuple(each.owner for each in path.demands)
        key = (policy.name, path.ceiling, path.total_s, demands, path.per_request)
        if key not in self._known:
            every = (self._sum(policy, path, entries) for _, entries in ways(policy))
            found = reduce(Most.__or__, every, self._nothing)
            self._known[key] = found.within(path.ceiling.attempts, cap_of(policy.budgets))
        return self._known[key]

    def _leaf(self, candidate: Candidate) -> Most:
        place = self._place(candidate)
        return Most(
            tuple(min(k, place.sends) * place.nusd for k in range(len(self._nothing.dearest))),
            place.sends * place.nusd,
            place.sends,
            place.longest_s,
            {candidate.target.name: place},
        ).within(candidate.attempts_ceiling, cap_of(candidate.per_request))

    def _once(self, places: Mapping[str, Place], attempts: int | None) -> int:
        costs = sorted((place.nusd for place in places.values() for _ in range(place.sends)), reverse=True)
        return sum(costs if attempts is None else costs[:attempts])


def cap_of(budgets: Iterable[Budget]) -> int | None:
    """The least that one request may cost by any of these; None: none says so. One in shadow promises nothing."""
    amounts = (each.amount for each in hard(budgets) if each.window == "request" and each.unit == "nusd")
    return reduce(least, amounts, None)
