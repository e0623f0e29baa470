"""Every kind of request that two plans may route differently, as the engine's own matching comes out on both sides.

A cell holds the requests that the rules of both sides treat alike; within it, what a request needs decides which
targets are passed over. Policies are looked at only where something that may matter to their routes is otherwise.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain, combinations, islice

from router.decide.axes import Witness
from router.decide.cells import Cell, Choice, cells, outcome
from router.decide.match import Matched, conditions_within
from router.decide.needs import NEEDS
from router.plan import Plan
from router.tools.diff.askers import askers_of
from router.tools.diff.senses import Senses

MOST_CELLS = 2_000
"""Of one policy: rules can multiply without end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """Requests like the witness, and what they come to before and after."""

    policy: str
    witness: Witness
    was: Matched
    now: Matched


@dataclass(frozen=True, slots=True, kw_only=True)
class OfPolicy:
    """Its cells, each as the kinds of requests in it: a plain one, and what differs from it only by its needs.
    `complete` is False where there are more than these."""

    cells: tuple[tuple[Kind, ...], ...]
    complete: bool


class Kinds:
    """The kinds of requests to each policy that both plans have."""

    def __init__(self, old: Plan, new: Plan) -> None:
        self._old, self._new = old, new
        self._askers = askers_of(old, new, _named_tenants((old, new)))
        self._senses = Senses(old), Senses(new)

    def of(self, policy: str) -> OfPolicy:
        """Where the policy itself is as it was, only those of callers for whom something else holds."""
        looked_at = list(islice(self._cells(policy), MOST_CELLS + 1))
        complete = len(looked_at) <= MOST_CELLS and all(cell.complete for cell in looked_at)
        kinds = (tuple(self._kinds(cell)) for cell in looked_at[:MOST_CELLS])
        return OfPolicy(cells=tuple(kinds), complete=complete)

    def _cells(self, policy: str) -> Iterator[Cell]:
        plans = self._old, self._new
        conditions = [each for plan in plans for each in conditions_within(plan, plan.policies[policy])]
        tenants = list(
            self._askers.of(
                policy,
                frozenset(path for each in conditions if each.field == "tenant" for path in each.any_of),
                spending=any(each.budget is not None for each in conditions),
                only_changed=self._senses[0].of(policy) == self._senses[1].of(policy),
            )
        )
        if tenants:
            yield from cells(self._old, policy, against=self._new, tenants=tenants)

    def _kinds(self, cell: Cell) -> Iterator[Kind]:
        """The witness of the cell; then the same with other needs, as far as the lists of the sides tell those apart
        and something serves them."""
        first = self._kind(cell)
        yield first
        lacking = _lacking(self._old, first.was), _lacking(self._new, first.now)
        if lacking[0] == lacking[1] and _listed(first.was) == _listed(first.now):
            return
        seen = {_left(lacking, first.witness.needs)}
        matters = first.witness.matters | {"needs"}
        for needs in _subsets(_missed(lacking) | _read(cell)):
            if _left(lacking, needs) not in seen:
                kind = self._kind(replace(cell, witness=replace(first.witness, needs=needs, matters=matters)))
                if _within(cell, _choices(kind.was), _choices(kind.now)):  # else it lies in another cell
                    seen.add(_left(lacking, needs))
                    if kind.was.route.candidates or kind.now.route.candidates:
                        yield kind

    def _kind(self, cell: Cell) -> Kind:
        was, now = outcome(self._old, cell), outcome(self._new, cell)
        return Kind(policy=cell.policy, witness=cell.witness, was=was, now=now)


Lacking = Mapping[str, frozenset[str]]
"""By target of a list, passed over or not: the needs that it can't meet."""


def _lacking(plan: Plan, found: Matched) -> Lacking:
    dropped = (each.target for each in found.dropped if each.reason == "capability")
    names = sorted({*_listed(found), *dropped})
    known = ((name, plan.targets[name].supports) for name in names)
    return {
        name: frozenset() if supports is None else frozenset(NEEDS) - supports for name, supports in known
    }


def _listed(found: Matched) -> tuple[str, ...]:
    return tuple(each.target.name for each in found.route.candidates)


def _left(sides: Iterable[Lacking], needs: frozenset[str]) -> tuple[frozenset[str], ...]:
    """The targets that requests with these needs are not refused for them, on each side."""
    return tuple(frozenset(name for name, lacked in side.items() if not lacked & needs) for side in sides)


def _missed(sides: Iterable[Lacking]) -> frozenset[str]:
    """The needs that some target can't meet."""
    return frozenset(word for side in sides for words in side.values() for word in words)


def _read(cell: Cell) -> frozenset[str]:
    """The needs that rules look at."""
    tests = (test for axis in cell.space.axes if axis.field == "needs" for _, test in axis.tests)
    return frozenset(word for test in tests for word in test.any_of)


def _subsets(needs: frozenset[str]) -> Iterator[frozenset[str]]:
    """Small ones first; there are five words in all."""
    words = [word for word in NEEDS if word in needs]
    return map(frozenset, chain.from_iterable(combinations(words, size) for size in range(len(words) + 1)))


def _within(cell: Cell, *chosen: tuple[Choice, ...]) -> bool:
    """Whether rules came out as they do in this cell; beyond these it knows those that are come to after a jump."""
    return all(set(own) <= set(known) for own, known in zip(chosen, cell.choices, strict=True))


def _choices(found: Matched) -> tuple[tuple[str, str | None], ...]:
    return tuple((name, verdict.rule.name if verdict.rule else None) for name, verdict in found.verdicts)


def _named_tenants(plans: Iterable[Plan]) -> frozenset[str]:
    rules = (rule for plan in plans for policy in plan.policies.values() for rule in policy.rules)
    return frozenset(
        path for rule in rules for each in rule.when if each.field == "tenant" for path in each.any_of
    )
