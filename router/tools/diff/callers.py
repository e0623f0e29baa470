"""Policies and tenants that come and go, and who may call what."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from router.plan import Plan, Policy, PolicyEntry, Tenant
from router.policy.document import Spot
from router.policy.tenants import chain, granted
from router.tools.diff.amounts import Held, amount_text, name_of
from router.tools.diff.change import Area, Change
from router.tools.diff.renames import ANEW, spends
from router.tools.diff.side import Side, eaches, meaning
from router.values import Place

SHOWN = 5
"""Names in a sentence; more are counted."""


def policy_changes(old: Side, new: Side) -> Iterator[Change]:
    before, after = old.plan.policies, new.plan.policies
    gone = {name: before[name] for name in before if name not in after}
    come = {name: after[name] for name in after if name not in before}
    renamed = _renamed(gone, come)
    for name, policy in gone.items():
        if name in renamed:
            now = come[renamed[name]]
            text = f"is {now.name} now{f'; {ANEW}' if spends(policy) else ''}"
            yield _presence("policies", f"policy {name}", text, policy.place, now.place, (name, now.name))
        else:
            yield _presence("policies", f"policy {name}", "gone", policy.place, None, (name, None))
    for name, policy in come.items():
        if name not in renamed.values():
            text = f"new; {_list(policy)}; {_who(new, name)}{_spend_of(policy, bool(gone))}"
            yield _presence("policies", f"policy {name}", text, None, policy.place, (None, name))


def caller_changes(old: Side, new: Side) -> Iterator[Change]:
    before, after = old.plan.tenants, new.plan.tenants
    if bool(before) != bool(after):
        text = (
            "declared now: a call must name one" if after else "none any more: anybody may call every policy"
        )
        yield Change(
            area="callers",
            subjects=("tenants",),
            what="tenants",
            before=None,
            after=None,
            text=text,
            effect="tightens" if after else "loosens",
        )
    for path in sorted({*before, *after}):
        if path not in after:
            text = f"gone; {_instead(new.plan, path)}"
            yield _presence("callers", f"tenant {path}", text, before[path].place, None, (path, None))
        elif path not in before:
            spend = _spend_of(after[path], bool(before.keys() - after.keys()))
            text = f"new; {_described(new.plan, after[path])}{spend}"
            yield _presence("callers", f"tenant {path}", text, None, after[path].place, (None, path))
        else:
            yield from _grants(path, old, new)
            yield from _buckets(path, old, new)


def may_call(plan: Plan, path: str, policy: str) -> bool:
    names = granted(plan.tenants, path)
    return names is None or policy in names


def shortly(names: Sequence[str]) -> str:
    """`a, b, c and 4 more`."""
    rest = len(names) - SHOWN
    return f"{', '.join(names[:SHOWN])} and {rest} more" if rest > 0 else ", ".join(names)


def _presence(
    area: Area,
    subject: str,
    text: str,
    old_place: Place | None,
    new_place: Place | None,
    names: tuple[str | None, str | None],
) -> Change:
    return Change(
        area=area,
        subjects=(subject,),
        what="name",
        before=names[0],
        after=names[1],
        text=text,
        old_place=old_place,
        new_place=new_place,
    )


def _renamed(gone: Mapping[str, Policy], come: Mapping[str, Policy]) -> dict[str, str]:
    """Old name -> new name, where nothing else is different."""
    by_meaning = {_nameless(policy): name for name, policy in come.items()}
    found = {name: by_meaning.get(_nameless(policy)) for name, policy in gone.items()}
    return {name: other for name, other in found.items() if other is not None}


def _nameless(policy: Policy) -> str:
    text = meaning(replace(policy, was=None)).replace(f'"name": "{policy.name}"', '"name": ""', 1)
    return _nameless_owner(_nameless_owner(text, policy.name), policy.counted)


def _nameless_owner(text: str, name: str) -> str:
    return text.replace(f'"owner": "policy:{name}"', '"owner": "policy:"')


def _spend_of(entry: Policy | Tenant, is_any_gone: bool) -> str:
    """What a new entry begins with."""
    if entry.was:
        return f"; goes on from what was spent as {entry.was}"
    return f"; {ANEW}" if is_any_gone and spends(entry) else ""


def _list(policy: Policy) -> str:
    return " -> ".join(
        f"policy {each.policy}" if isinstance(each, PolicyEntry) else each.target for each in policy.entries
    )


def _who(side: Side, policy: str) -> str:
    tenants = side.plan.tenants
    if not tenants:
        return "anybody may call it"
    found = [path for path in sorted(tenants) if may_call(side.plan, path, policy)]
    tops = [path for path in found if path.rpartition("/")[0] not in found]
    return f"called by {shortly(tops)}" if tops else "no tenant may call it"


def _instead(plan: Plan, path: str) -> str:
    parent = plan.tenants.get(path.rpartition("/")[0])
    if not plan.tenants:
        return "anybody may call"
    if parent is not None and any(each.of == "child" for each in parent.each):
        return f"its calls are those of any child of {parent.path}"
    return "its calls are refused"


def _described(plan: Plan, tenant: Tenant) -> str:
    names = granted(plan.tenants, tenant.path)
    held = Held(budgets=tenant.budgets, limits=tenant.limits).own
    amounts = [f"{name_of(each)} {amount_text(each)}" for each in held]
    calls = "every policy" if names is None else shortly(sorted(names)) or "nothing"
    return "; ".join([f"may call {calls}", *amounts])


def _grants(path: str, old: Side, new: Side) -> Iterator[Change]:
    """Of the policies that both sides have; who may call a new one is told with it."""
    common = frozenset(old.plan.policies) & frozenset(new.plan.policies)
    was, now = (granted(side.plan.tenants, path) for side in (old, new))
    before, after = (common if each is None else each & common for each in (was, now))
    for names, words, effect in (
        (sorted(after - before), "may call", "loosens"),
        (sorted(before - after), "may no longer call", "tightens"),
    ):
        if names:
            listed = f"[{', '.join(names)}]"
            yield Change(
                area="callers",
                subjects=(f"tenant {path}",),
                what="policies",
                before=listed if effect == "tightens" else None,
                after=listed if effect == "loosens" else None,
                text=f"{words} {shortly(names)}",
                effect="loosens" if effect == "loosens" else "tightens",
                old_place=_grant_place(old.written.tenants, path),
                new_place=_grant_place(new.written.tenants, path),
            )


def _grant_place(tenants: Mapping[str, Spot], path: str) -> Place | None:
    """Where the nearest `policies` at or above it stands."""
    spots = (tenants[each].get("policies") for each in reversed(chain(path)) if each in tenants)
    return next((spot.key_place for spot in spots if spot), None)


BUCKETS = {
    "user": ("every call must name a user", "a call need not name a user"),
    "session": ("every call must name a session", "a call need not name a session"),
    "child": ("any child may call, declared or not", "a child that no file names may no longer call"),
}
"""What it means that each of a sort has a bucket, and that it has none any more."""


def _buckets(path: str, old: Side, new: Side) -> Iterator[Change]:
    was, now = old.plan.tenants[path], new.plan.tenants[path]
    for (of, before), (_, after) in zip(eaches(was.each), eaches(now.each), strict=True):
        if (before is None) == (after is None):
            continue
        tightens = (after is None) == (of == "child")
        yield Change(
            area="callers",
            subjects=(f"tenant {path}",),
            what=f"each.{of}",
            before="written" if before else None,
            after="written" if after else None,
            text=BUCKETS[of][0 if after else 1],
            effect="tightens" if tightens else "loosens",
            old_place=before.place if before else None,
            new_place=after.place if after else None,
        )
