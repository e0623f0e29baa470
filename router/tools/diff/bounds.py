"""What calls may come to at most, before and after."""

from collections.abc import Iterable, Iterator

from router.decide.bounds import BranchBound, policy_bounds
from router.tools.diff.change import BoundChange, Worst
from router.tools.diff.side import Side


def bound_changes(old: Side, new: Side, policies: Iterable[str]) -> tuple[BoundChange, ...]:
    """Of these policies, which both sides have; one change for all that have the same."""
    found: dict[tuple[Worst, Worst], list[str]] = {}
    for name in policies:
        before, after = (_worst(policy_bounds(side.plan, side.plan.policies[name])) for side in (old, new))
        if before != after:
            found.setdefault((before, after), []).append(name)
    return tuple(
        BoundChange(policies=tuple(names), before=before, after=after)
        for (before, after), names in found.items()
    )


def _worst(branches: tuple[BranchBound, ...]) -> Worst:
    costs = list(_costs(branches))
    return Worst(
        cost_nusd=None if None in costs else max((cost for cost in costs if cost is not None), default=0),
        seconds=max((each.seconds for each in branches), default=0.0),
        sends=max((len(each.attempts) for each in branches), default=0),
    )


def _costs(branches: tuple[BranchBound, ...]) -> Iterator[int | None]:
    return (each.cost_nusd for each in branches)
