"""Things with another name: which of them go on from what was spent, and which begin anew."""

from collections.abc import Iterator

from router.plan import Policy, Provider, Tenant
from router.policy.tenants import chain
from router.tools.diff.change import Area, Change, Effect, combined
from router.tools.diff.names import Names, counted
from router.tools.diff.side import Side, place_of

KEPT = "what it has spent is kept"
ANEW = "its spend begins anew (`was` keeps that of one that was renamed)"
"""Of something new beside something that is gone."""

BLOCKS: tuple[tuple[str, str, Area], ...] = (
    ("policies", "policy", "policies"),
    ("tenants", "tenant", "callers"),
    ("providers", "provider", "catalog"),
    ("budgets", "pool", "budgets"),
)
"""Each block, what one of it is, and where its names are told."""


def spends(each: Policy | Provider | Tenant) -> bool:
    """Whether anything is counted under its name."""
    own = any(not budget.whose.startswith("pool:") for budget in each.budgets)
    return own or (isinstance(each, Tenant) and any(below.budgets for below in each.each))


def rename_changes(old: Side, new: Side, names: Names) -> Iterator[Change]:
    """What goes on under another name. What else is otherwise of it is told as of what kept its name."""
    for block, word, area in BLOCKS:
        before, after = getattr(old.written, block), getattr(new.written, block)
        was, counts = counted(old, block), counted(new, block)
        for name, now in sorted(names.of(block).items()):
            where, effect = _elsewhere(name, names) if block == "tenants" else ("", "neither")
            yield Change(
                area=area,
                subjects=(f"{word} {name}",),
                what="provider" if block == "providers" else "name",
                before=name,
                after=now,
                text=f"is {now} now{where}{f'; {KEPT}' if was[name] == counts[now] else ''}",
                effect=effect,
                old_place=before[name].key_place,
                new_place=after[now].key_place,
            )


def _elsewhere(path: str, names: Names) -> tuple[str, Effect]:
    """Where a tenant has left those above it, what they demand, let it call and spend with it holds no more."""
    had, has = tuple(map(names.tenant, chain(path)[:-1])), chain(names.tenant(path))[:-1]
    left, come = ([each for each in one if each not in other] for one, other in ((had, has), (has, had)))
    parts = [f", no longer below {left[-1]}" if left else "", f", below {come[-1]}" if come else ""]
    return "".join(parts), combined(loosens=bool(left), tightens=bool(come))


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
