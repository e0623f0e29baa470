"""What takes over where a budget is spent: a change of that, with the lists that a request comes to on both sides."""

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from itertools import islice

from router.decide.axes import Witness
from router.decide.cells import cells, outcome
from router.decide.fit import Short
from router.decide.jumps import jumps_from, lists_below
from router.decide.match import match
from router.decide.scopes import caller
from router.plan import Budget, Plan, TargetEntry
from router.tools.diff.amounts import Held, name_of, pairs
from router.tools.diff.askers import Askers, askers_of
from router.tools.diff.change import Change, combined
from router.tools.diff.side import Moved, Side
from router.values import Place

REJECT = "reject"


def jump_changes(old: Side, new: Side, among: Moved) -> Iterator[Change]:
    """Of every budget that both sides have. One that came or is gone is told with its amount, and what it names here
    all the same."""
    askers = cache(lambda: askers_of(old.plan, new.plan, ()))
    for subject, before, after in pairs(old, new, among):
        was, now = _named(before), _named(after)
        for name in dict.fromkeys((*was, *now)):
            one, other = _landing(was.get(name)), _landing(now.get(name))
            if one != other:
                yield _change(old, new, askers, subject, name, was.get(name), now.get(name))


def _named(held: Held) -> Mapping[str, Budget]:
    return {name_of(each): each for each in held.own if isinstance(each, Budget)}


def _landing(budget: Budget | None) -> str | None:
    return budget.when_spent.policy if budget and budget.when_spent else None


def _change(
    old: Side,
    new: Side,
    askers: Callable[[], Askers],
    subject: str,
    name: str,
    before: Budget | None,
    after: Budget | None,
) -> Change:
    was, now = _text(before), _text(after)
    less, more = _loses(old.plan, before, new.plan, after), _loses(new.plan, after, old.plan, before)
    both = before is not None and after is not None
    example = _example(old, new, askers(), before, after) if both else ""
    return Change(
        area="budgets",
        subjects=(subject,),
        what=f"{name}.when_spent",
        before=was,
        after=now,
        text=f"{name}.when_spent {was or 'none'} -> {now or 'none'}{example}",
        effect=combined(loosens=both and more, tightens=both and less),
        old_place=_place(before),
        new_place=_place(after),
    )


def _text(budget: Budget | None) -> str | None:
    landing = _landing(budget)
    return None if budget is None else REJECT if landing is None else f"policy {landing}"


def _place(budget: Budget | None) -> Place | None:
    """Where it is said, or where it could be."""
    said = budget.when_spent or budget if budget else None
    return said.place if said else None


def _loses(plan: Plan, budget: Budget | None, other: Plan, instead: Budget | None) -> bool:
    """Whether this budget leads to a target that the other one does not."""
    return not _reached(plan, budget) <= _reached(other, instead)


def _reached(plan: Plan, budget: Budget | None) -> frozenset[str]:
    landing = _landing(budget)
    lists = lists_below(plan, plan.policies[landing]) if landing else ()
    return frozenset(each.target for entries in lists for each in entries if isinstance(each, TargetEntry))


# --- A request that goes elsewhere ------------------------------------------------------------------------------------


def _example(old: Side, new: Side, askers: Askers, before: Budget | None, after: Budget | None) -> str:
    """`; tenant acme asks for fast, and it is spent: refused -> openai/gpt-5-nano`; nothing where none was found. Who
    asks may do so on both sides."""
    for name in (each for each in old.plan.policies if each in new.plan.policies):
        if not _concerns(old.plan, name, before):
            continue
        who = islice(askers.of(name, frozenset(), spending=False, only_changed=False), 1)
        cell = next(cells(old.plan, name, against=new.plan, tenants=who), None)
        if cell is None:
            continue
        comes = tuple(
            _comes_to(side.plan, name, cell.witness, budget) for side, budget in ((old, before), (new, after))
        )
        if comes[0] != comes[1]:
            whom = f", {cell.witness}" if cell.witness.matters else ""
            was, now = (", ".join(each) or "refused" for each in comes)
            return f"; a call of {name}{whom}, when that is spent: {was} -> {now}"
    return ""


def _concerns(plan: Plan, name: str, budget: Budget | None) -> bool:
    """Whether the budget is of this policy, or of a tenant: those are looked at by all policies they may call."""
    return budget is not None and (
        budget in plan.policies[name].budgets or not budget.whose.startswith("policy:")
    )


def _comes_to(plan: Plan, name: str, witness: Witness, budget: Budget | None) -> tuple[str, ...]:
    """The list that takes over for such a request where nothing but this budget is spent."""
    policy, request = plan.policies[name], witness.request(name)
    who = caller(plan, request)
    held = tuple(
        each for each in (*who.budgets, *policy.budgets) if budget and name_of(each) == name_of(budget)
    )
    found = next(cells(plan, name, tenants=[witness.tenant]), None)
    first = outcome(plan, found).route.candidates if found else ()
    jump = next(jumps_from(plan, policy, who, [Short(candidate=each, budgets=held) for each in first]), None)
    if jump is None or found is None:
        return ()
    landed = match(plan, policy, who, found.snapshot(plan), lambda _: None, jump)
    return tuple(each.target.name for each in landed.route.candidates)
