"""Cells: every request to a policy lies in exactly one, and its rules, nested ones included, treat all of a cell alike.

A cell is a box: for each field that the rules read, some of its atoms. Boxes are cut rule by rule and only as far as an
outcome asks for it, so their number follows the rules, not the product of all thresholds.
"""

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from router.decide.axes import Asking, Axis, Witness, axes_of, axis_key, unlike
from router.decide.boxes import Box, Wanted, inside, outside
from router.decide.budget_uses import an_amount
from router.decide.callers import TINY, Callers, callers_of, chain
from router.decide.conditions import Snapshot, holds
from router.decide.jumps import callers_budgets
from router.decide.match import Matched, conditions_within, match, reachable, taking_over, used_budget
from router.decide.scopes import NOBODY, Caller, caller
from router.plan import Budget, BudgetUse, Condition, Entry, Plan, Policy, PolicyEntry, Rule

Choice = tuple[str, str | None]
"""(policy, the rule that won there; None: its targets)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """All requests of one caller to one policy, or of callers that its rules can't tell apart. `wanted` holds the
    conjunction of each rule by (side, policy, rule); a side is a plan where several are compared. `handing` are the
    budgets of the caller that may lead on, for each side."""

    called: str
    base: Witness
    axes: tuple[Axis, ...]
    wanted: Mapping[tuple[int, str, str], Wanted]
    handing: tuple[tuple[Budget, ...], ...] = ()

    @property
    def everything(self) -> Box:
        return tuple(axis.full for axis in self.axes)

    @property
    def complete(self) -> bool:
        """False where a field has more atoms than are looked at: then what no box meets may still be met."""
        return all(axis.complete for axis in self.axes)

    def witness(self, box: Box) -> Witness:
        """The plainest request of a box that is not empty."""
        values: dict[str, Any] = {}
        used: list[tuple[BudgetUse, int]] = []
        matters = {axis.field for axis, bits in zip(self.axes, box, strict=True) if bits != axis.full}
        for axis, bits in zip(self.axes, box, strict=True):
            atom = axis.atoms[(bits & -bits).bit_length() - 1]
            own = dict(atom.values)
            used += own.pop("used", ())
            values.update(own)
        matters |= {name for name in ("tenant", "user", "session") if getattr(self.base, name) is not None}
        return replace(self.base, **values, used=tuple(used), matters=frozenset(matters))


def split(space: Space, side: int, policy: Policy, box: Box) -> Iterator[tuple[Rule | None, Box]]:
    """A box by the rule that wins in it; None: no rule holds there."""
    waiting = [(0, box)]
    while waiting:
        first, part = waiting.pop()
        for position, rule in enumerate(policy.rules[first:], start=first):
            wanted = space.wanted[side, policy.name, rule.name]
            held = inside(part, wanted)
            if held is not None:
                yield rule, held
                waiting.extend((position + 1, rest) for rest in outside(part, wanted))
                break
        else:
            yield None, part


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """Requests to `policy` that every side treats alike. `choices` says, for each side, which rule wins in each policy
    with rules that is come to, be it after a jump, in the order of coming; `complete` is False where the partition had
    to be cut short."""

    policy: str
    witness: Witness
    choices: tuple[tuple[Choice, ...], ...]
    complete: bool
    space: Space = field(repr=False)
    box: Box = field(repr=False)

    def snapshot(self, plan: Plan) -> Snapshot:
        """The witness as rules of this plan see it. Raises NoRoute where its tenant may not call."""
        return self.witness.snapshot(self.policy, _amounts(plan, self.policy, self.witness))

    def holds(self, witness: Witness, plan: Plan) -> bool:
        """Whether a request of the same tenant lies in this cell, `plan` being the first side."""
        amounts = (_amounts(plan, self.policy, witness),)
        seen = witness.snapshot(self.policy, amounts[0])
        return all(_atom_of(axis, seen) & bits for axis, bits in zip(self.space.axes, self.box, strict=True))


def _atom_of(axis: Axis, seen: Snapshot) -> int:
    results = tuple(holds(test, seen) for side, test in axis.tests if side == 0)
    return sum(
        1 << at
        for at, atom in enumerate(axis.atoms)
        if tuple(each for (side, _), each in zip(axis.tests, atom.results, strict=True) if side == 0)
        == results
    )


def cells(
    plan: Plan,
    policy: str,
    *,
    against: Plan | None = None,
    tenants: Iterable[str | None] | None = None,
    needs: Iterable[str] = (),
    callers: Callers | None = None,
) -> Iterator[Cell]:
    """Every cell of a policy, without end in sight only where rules multiply: take as many as you can use.

    `against` is a second plan that must treat all of a cell alike too. `tenants` are told apart each for itself; else
    one stands for every class of tenants that may call (in `plan`). `needs` are capabilities told apart beyond those
    that rules read. `callers` spares counting the tenants again.
    """
    sides = (plan,) if against is None else (plan, against)
    for space in spaces(sides, policy, tenants=tenants, needs=needs, callers=callers):
        yield from _cells_of(space, sides, policy)


def _cells_of(space: Space, sides: Sequence[Plan], policy: str) -> Iterator[Cell]:
    for choices, box in _choices(space, sides, policy, space.everything):
        yield Cell(
            policy=policy,
            witness=space.witness(box),
            choices=choices,
            complete=space.complete,
            space=space,
            box=box,
        )


def _choices(
    space: Space, sides: Sequence[Plan], policy: str, box: Box, side: int = 0
) -> Iterator[tuple[tuple[tuple[Choice, ...], ...], Box]]:
    if side == len(sides):
        yield (), box
        return
    plan = sides[side]
    for chosen, part in enter(space, side, plan, plan.policies[policy], box):
        for more, piece in _choices(space, sides, policy, part, side + 1):
            yield (chosen, *more), piece


def enter(
    space: Space, side: int, plan: Plan, called: Policy, box: Box
) -> Iterator[tuple[tuple[Choice, ...], Box]]:
    """A box by how the rules of a policy, and of those that it leads to, come out in it: each policy once, because it
    comes out alike wherever it stands."""
    handing = space.handing[side] if space.handing else ()
    landings = tuple(plan.policies[entry.policy] for entry in taking_over(handing))
    ways = [_Way(waiting=(called, *landings), box=box).forward(plan)]
    following: list[Iterator[_Way]] = []
    while ways or following:
        if not ways:
            more = next(following[-1], None)
            if more is None:
                following.pop()
                continue
            ways.append(more)
        way = ways.pop()
        if way.waiting:
            following.append(_ways(space, side, plan, way))
        else:
            yield way.chosen, way.box


@dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    """A part of a box, what was chosen in it so far, and the policies to be looked at yet."""

    waiting: tuple[Policy, ...]
    box: Box
    chosen: tuple[Choice, ...] = ()
    seen: frozenset[str] = frozenset()

    def forward(self, plan: Plan) -> "_Way":
        """To the next policy with rules: the others are passed through."""
        waiting, seen = list(reversed(self.waiting)), set(self.seen)
        while waiting:
            policy = waiting[-1]
            if policy.rules and policy.name not in seen:
                break
            waiting.pop()
            if policy.name not in seen:
                seen.add(policy.name)
                waiting.extend(reversed(_led_to(plan, policy, policy.entries)))
        return replace(self, waiting=tuple(reversed(waiting)), seen=frozenset(seen))


def _ways(space: Space, side: int, plan: Plan, way: _Way) -> Iterator[_Way]:
    policy, rest = way.waiting[0], way.waiting[1:]
    for rule, part in split(space, side, policy, way.box):
        below = _led_to(plan, policy, rule.entries if rule else policy.entries)
        chosen = (*way.chosen, (policy.name, rule.name if rule else None))
        onward = _Way(waiting=(*below, *rest), box=part, chosen=chosen, seen=way.seen | {policy.name})
        yield onward.forward(plan)


def _led_to(plan: Plan, policy: Policy, entries: tuple[Entry, ...]) -> tuple[Policy, ...]:
    """What these entries of a policy nest, then what takes over where its budgets are spent."""
    nested = (each for each in entries if isinstance(each, PolicyEntry))
    return tuple(plan.policies[each.policy] for each in (*nested, *taking_over(policy.budgets)))


def outcome(plan: Plan, cell: Cell) -> Matched:
    """What a call like the witness comes to: the flat list of its route with everything dropped, or `route.reject`;
    every key is taken to be there. Raises NoRoute where the tenant may not call the policy in this plan."""
    request = cell.witness.request(cell.policy)
    who = caller(plan, request)
    return match(plan, plan.policies[cell.policy], who, cell.snapshot(plan), lambda _: None)


# --- Spaces -----------------------------------------------------------------------------------------------------------


def spaces(
    sides: Sequence[Plan],
    policy: str,
    *,
    tenants: Iterable[str | None] | None = None,
    needs: Iterable[str] = (),
    callers: Callers | None = None,
) -> Iterator[Space]:
    """One space for each tenant given; else for each class of tenants that may call the policy in the first plan."""
    conditions = [_conditions(plan, policy) for plan in sides]
    if tenants is None:
        tenants = _standing_for(sides[0], policy, conditions, callers)
    for tenant in tenants:
        yield space_of(sides, policy, tenant, conditions, needs)


def _standing_for(
    plan: Plan, policy: str, conditions: Sequence[Sequence[Condition]], callers: Callers | None
) -> Iterator[str | None]:
    if not plan.tenants:
        yield None
        return
    known = callers or callers_of(plan)
    yield from known.standing_for(policy, named_tenants(conditions))


def rule_spaces(plan: Plan, policy: str, callers: Callers, *, nested: bool = True) -> Iterator[Space]:
    """One space for each class of callers that the *rules* tell apart; what else tenants may differ in is left out.
    Without `nested` only the policy's own rules are looked at."""
    conditions = (_conditions(plan, policy) if nested else _own_conditions(plan, policy),)
    fields = {each.field for each in conditions[0]}
    named, seen = named_tenants(conditions), set[Hashable]()
    for tenant in _standing_for(plan, policy, conditions, callers):
        asking = _asking((plan,), policy, tenant, conditions)
        meant = frozenset(above for above in chain(tenant or "") if above in named)
        budgets = tuple((use, min(amount, TINY)) for use, amount in asking.amounts[0].items())
        sort = (meant, asking.must & fields, budgets)
        if sort not in seen:
            seen.add(sort)
            yield _space((plan,), policy, asking, conditions, nested=nested)
        if fields.isdisjoint(OF_CALLERS):
            return


def open_space(plan: Plan, policy: str) -> Space:
    """Every request of anybody, whatever tenants there are and whatever budgets they have: what can't be here can't be
    at all. The rules of nested policies are not looked at."""
    conditions = (_own_conditions(plan, policy),)
    uses = {each.budget: an_amount(plan, policy, each.budget) for each in conditions[0] if each.budget}
    asking = Asking(base=Witness(), anybody=True, amounts=(uses,))
    return _space((plan,), policy, asking, conditions, nested=False)


OF_CALLERS = frozenset({"tenant", "user", "session", "budget_used"})
"""Fields on which callers can differ in what is possible at all."""


def named_tenants(conditions: Sequence[Sequence[Condition]]) -> frozenset[str]:
    """The paths that conditions tell from others."""
    return frozenset(
        path for found in conditions for each in found if each.field == "tenant" for path in each.any_of
    )


def space_of(
    sides: Sequence[Plan],
    policy: str,
    tenant: str | None,
    conditions: Sequence[Sequence[Condition]],
    needs: Iterable[str] = (),
) -> Space:
    """The space of one tenant's requests. Raises NoRoute where it may not call the policy in one of the plans."""
    return _space(sides, policy, _asking(sides, policy, tenant, conditions), conditions, needs)


def _space(
    sides: Sequence[Plan],
    policy: str,
    asking: Asking,
    conditions: Sequence[Sequence[Condition]],
    needs: Iterable[str] = (),
    *,
    nested: bool = True,
) -> Space:
    axes = axes_of(conditions, asking, needs)
    place = {(axis.field, axis.tests[0][1].budget): at for at, axis in enumerate(axes)}
    wanted = {
        (side, below.name, rule.name): tuple(
            (place[axis_key(each)], axes[place[axis_key(each)]].mask(side, each)) for each in rule.when
        )
        for side, plan in enumerate(sides)
        for below in (_come_to(plan, policy) if nested else (plan.policies[policy],))
        for rule in below.rules
    }
    handing = tuple(_caller(plan, policy, asking.base).budgets for plan in sides) if nested else ()
    return Space(called=policy, base=asking.base, axes=axes, wanted=wanted, handing=handing)


def _come_to(plan: Plan, policy: str) -> tuple[Policy, ...]:
    """By somebody's calls."""
    return reachable(plan, plan.policies[policy], callers_budgets(plan, policy))


def _conditions(plan: Plan, policy: str) -> tuple[Condition, ...]:
    return conditions_within(plan, plan.policies[policy], callers_budgets(plan, policy))


def _own_conditions(plan: Plan, policy: str) -> tuple[Condition, ...]:
    return tuple(each for rule in plan.policies[policy].rules for each in rule.when)


def _asking(
    sides: Sequence[Plan], policy: str, tenant: str | None, conditions: Sequence[Sequence[Condition]]
) -> Asking:
    """A user and a session are always given where some side has a bucket for each."""
    tests = [each for found in conditions for each in found]
    somebody = {
        name: unlike([each for each in tests if each.field == name], plain="any")
        for name in ("user", "session")
    }
    given = Witness(tenant=tenant, user=somebody["user"], session=somebody["session"])
    callers = [_caller(plan, policy, given) for plan in sides]
    must = frozenset(
        each.of
        for found in callers
        for tenant_ in found.tenants
        for each in tenant_.each
        if each.of != "child"
    )
    base = replace(
        given,
        user=given.user if "user" in must else None,
        session=given.session if "session" in must else None,
    )
    amounts = tuple(
        _budgets(plan, policy, found, each)
        for plan, found, each in zip(sides, callers, conditions, strict=True)
    )
    return Asking(base=base, must=must, amounts=amounts)


def _caller(plan: Plan, policy: str, witness: Witness) -> Caller:
    return NOBODY if witness.tenant is None else caller(plan, witness.request(policy))


def _amounts(plan: Plan, policy: str, witness: Witness) -> Mapping[BudgetUse, int]:
    return _budgets(plan, policy, _caller(plan, policy, witness), _conditions(plan, policy))


def _budgets(plan: Plan, policy: str, found: Caller, conditions: Iterable[Condition]) -> dict[BudgetUse, int]:
    uses = {
        each.budget: used_budget(each.budget, plan, plan.policies[policy], found)
        for each in conditions
        if each.budget is not None
    }
    return {use: budget.amount for use, budget in uses.items() if budget is not None}
