"""Things with another name: which of them go on from what was spent, and which begin anew."""

from collections.abc import Iterator, Mapping
from typing import TypeVar

from router.plan import Policy, Provider, Tenant
from router.tools.diff.change import Change
from router.tools.diff.side import Side, place_of

N = TypeVar("N", Policy, Provider, Tenant)

KEPT = "what it has spent is kept"
ANEW = "its spend begins anew (`was` keeps that of one that was renamed)"
"""Of something new beside something that is gone."""


def kept(before: Mapping[str, N], after: Mapping[str, N]) -> dict[str, str]:
    """Old name -> new name of those that go on from the same counters."""
    gone = {each.counted: name for name, each in before.items() if name not in after}
    come = {each.counted: name for name, each in after.items() if name not in before}
    return {gone[counted]: come[counted] for counted in gone if counted in come}


def spends(each: Policy | Provider | Tenant) -> bool:
    """Whether anything is counted under its name."""
    own = any(not budget.whose.startswith("pool:") for budget in each.budgets)
    return own or (isinstance(each, Tenant) and any(below.budgets for below in each.each))


def recounted(old: Side, new: Side) -> Iterator[Change]:
    """Entries that keep their name and are counted under another one: what was spent is left behind."""
    for block, word in (("policies", "policy"), ("tenants", "tenant"), ("providers", "provider")):
        before, after = getattr(old.plan, block), getattr(new.plan, block)
        for name in (each for each in before if each in after):
            was, now = before[name].counted, after[name].counted
            if was != now:
                yield Change(
                    area="budgets",
                    subjects=(f"{word} {name}",),
                    what="was",
                    before=was,
                    after=now,
                    text=f"counted as {now}, no longer as {was}: what was spent there is left behind",
                    effect="both",
                    old_place=place_of(getattr(old.written, block).get(name), "was"),
                    new_place=place_of(getattr(new.written, block).get(name), "was"),
                )
