"""Checks of rules: each can have its turn, and what two of them share is told. Decided by cells, not by guessing."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count, islice

from router.decide.boxes import Box, Undecided, Wanted, free_of, inside
from router.decide.callers import callers_of
from router.decide.cells import OF_CALLERS, Choice, Space, enter, open_space, rule_spaces
from router.decide.jumps import callers_budgets
from router.decide.match import reachable, taking_over
from router.errors import Problem
from router.plan import Condition, Entry, Plan, Policy, PolicyEntry, Rule, TargetEntry
from router.policy.draft import Draft, problem
from router.policy.reach import callable_policies
from router.values import Place

MOST_CELLS = 4_096
"""Of a called policy, looked at to see which rules of nested policies are come to."""

OF_THE_CALLER = frozenset({"user", "session", "tag", "needs"})


class _Once:
    """What an iterator gives, as often as it is asked for, and worked out no sooner: most rules are alive in the first
    space that is looked at."""

    def __init__(self, source: Iterator[Space]) -> None:
        self._source, self._kept = source, list[Space]()

    def __iter__(self) -> Iterator[Space]:
        for at in count():
            if at == len(self._kept):
                found = next(self._source, None)
                if found is None:
                    return
                self._kept.append(found)
            yield self._kept[at]


@dataclass(frozen=True, slots=True)
class _Asked:
    """A policy's rules, and the spaces of the requests that can come to them."""

    policy: Policy
    spaces: Iterable[Space]

    @property
    def complete(self) -> bool:
        return all(space.complete for space in self.spaces)

    def free(self, rule: Rule, others: Sequence[Rule], also: Rule | None = None) -> tuple[Space, Box] | None:
        """Where `rule` (and `also`) holds and none of `others` does; None: nowhere. Raises Undecided."""
        for space in self.spaces:
            box = inside(space.everything, self._wanted(space, rule))
            if box is not None and also is not None:
                box = inside(box, self._wanted(space, also))
            found = box and free_of(box, [self._wanted(space, other) for other in others])
            if found is not None:
                return space, found
        return None

    def rest(self, rules: Sequence[Rule]) -> bool:
        """Whether there are calls on which none of these rules holds. Raises Undecided."""
        return any(
            free_of(space.everything, [self._wanted(space, rule) for rule in rules]) is not None
            for space in self.spaces
        )

    def _wanted(self, space: Space, rule: Rule) -> Wanted:
        return space.wanted[0, self.policy.name, rule.name]

    def nowhere(self, rule: Rule, field: str) -> bool:
        """Whether what the rule says of this field alone can't hold."""
        for space in self.spaces:
            own = tuple((at, mask) for at, mask in self._wanted(space, rule) if space.axes[at].field == field)
            if inside(space.everything, own) is not None:
                return False
        return True


def rules_in_themselves(draft: Draft) -> Iterator[Problem]:
    """Rules that never have their turn, whoever may call: errors. Of the others, those that overlap and lead elsewhere:
    notes; and those by which callers choose for themselves: warnings."""
    seen = set[Place]()
    for policy in draft.plan.policies.values():
        if policy.rules:
            asked = _Asked(policy, (open_space(draft.plan, policy.name),))
            yield from _or_note(asked, partial(_told, draft.plan, asked))
            yield from _covered(asked, seen)


def rules_of_callers(draft: Draft) -> Iterator[Problem]:
    """Rules that could have their turn, but not for any tenant that may call, or not where their policy is come to."""
    ground = _Ground(draft.plan)
    for policy in draft.plan.policies.values():
        fields = {each.field for rule in policy.rules for each in rule.when}
        called = policy.name in ground.called
        if (
            policy.rules
            and (called or ground.outer(policy.name))
            and not (called and fields.isdisjoint(OF_CALLERS))
        ):
            anybody = _Asked(policy, (open_space(draft.plan, policy.name),))
            own = _Asked(policy, ground.own_spaces(policy.name) if called else ())
            yield from _or_note(anybody, partial(_told_of_callers, ground, anybody, own))


def _or_note(asked: _Asked, told: Callable[[Rule, Sequence[Rule]], Iterator[Problem]]) -> Iterator[Problem]:
    """What is told of each rule, given those before it; nothing is called dead that was not seen to be."""
    decided = asked.complete
    for position, rule in enumerate(asked.policy.rules):
        if any(map(_never, rule.when)):
            continue  # told where that condition stands
        try:
            for found in told(rule, asked.policy.rules[:position]):
                if asked.complete or found.code != "rule-never-reached":
                    yield found
        except Undecided:
            decided = False
    if not decided:
        yield _not_decided(asked.policy)


def _told(plan: Plan, asked: _Asked, rule: Rule, earlier: Sequence[Rule]) -> Iterator[Problem]:
    if asked.free(rule, earlier) is None:
        yield _dead(asked, rule, earlier)
    else:
        yield from _overlap(asked, rule, earlier)
        yield from _callers_choice(plan, asked.policy, rule)


def _told_of_callers(
    ground: "_Ground", anybody: _Asked, own: _Asked, rule: Rule, earlier: Sequence[Rule]
) -> Iterator[Problem]:
    """`anybody` is any caller at all, `own` those that may call the policy itself."""
    if anybody.free(rule, earlier) is None or own.free(rule, earlier) is not None:
        return  # told already, or alive
    outer = ground.outer(own.policy.name)
    every = _Asked(own.policy, (*own.spaces, *(space for name in outer for space in ground.spaces(name))))
    if not every.complete:
        raise Undecided
    if every.free(rule, earlier) is None:
        yield _dead(every, rule, earlier)
    elif not ground.chosen(outer, (own.policy.name, rule.name)):
        yield _shut_out(rule, outer)


def _covered(asked: _Asked, seen: set[Place]) -> Iterator[Problem]:
    """The policy's own targets, where its rules leave no call for them. Told at the rule that completes the cover."""
    rules, targets = asked.policy.rules, asked.policy.entries
    try:
        if not targets or not asked.complete or asked.rest(rules):
            return
        last = next(number for number in range(1, len(rules) + 1) if not asked.rest(rules[:number]))
    except Undecided:
        return
    place = rules[last - 1].place
    if place not in seen:
        seen.add(place)
        yield _passed_by(asked.policy, rules[:last])


def _passed_by(policy: Policy, rules: Sequence[Rule]) -> Problem:
    """`rules` leave nothing, and without the last one something."""
    names = " and ".join(f"`{rule.name}`" for rule in rules)
    verb = "holds on every call" if len(rules) == 1 else "between them hold on every call"
    message = (
        f"the targets of policy `{policy.name}` ({policy.entries[0].place}) are never tried: {names} {verb}"
    )
    advice = "write what the last rule leads to as the policy's `targets`, and take that rule out"
    place = rules[-1].place
    return problem("target-never-reached", message, place, help=advice, also=policy.entries[0].place)


def _never(condition: Condition) -> bool:
    return condition.over is not None and condition.up_to is not None and condition.over >= condition.up_to


def _dead(asked: _Asked, rule: Rule, earlier: Sequence[Rule]) -> Problem:
    return _impossible(asked, rule) if asked.free(rule, ()) is None else _hidden(asked, rule, earlier)


class _Ground:
    """What is the same for every policy of a plan, found out once."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._callers = callers_of(plan)
        self.called = callable_policies(plan)
        self._led_by = _led_by(plan, self.called)
        self._spaces: dict[str, _Once] = {}
        self._chosen: dict[str, frozenset[Choice] | None] = {}

    def outer(self, name: str) -> tuple[str, ...]:
        """The other policies that may be called and that lead to this one."""
        return self._led_by.get(name, ())

    def own_spaces(self, name: str) -> Iterable[Space]:
        """Of a policy's own callers, as its own rules tell them apart."""
        return _Once(rule_spaces(self._plan, name, self._callers, nested=False))

    def spaces(self, root: str) -> Iterable[Space]:
        """Of a called policy, as all rules that it leads to tell its callers apart."""
        if root not in self._spaces:
            self._spaces[root] = _Once(rule_spaces(self._plan, root, self._callers))
        return self._spaces[root]

    def chosen(self, roots: Sequence[str], choice: Choice) -> bool:
        """Whether this rule of this policy wins on some call of these. Raises Undecided."""
        return any(choice in self._of(root) for root in roots)

    def _of(self, root: str) -> frozenset[Choice]:
        if root not in self._chosen:
            self._chosen[root] = _chosen(self._plan, root, self.spaces(root))
        found = self._chosen[root]
        if found is None:
            raise Undecided
        return found


def _led_by(plan: Plan, called: frozenset[str]) -> dict[str, tuple[str, ...]]:
    """For each policy with rules, the called ones above it."""
    found: dict[str, list[str]] = {}
    for name in sorted(called):
        for below in reachable(plan, plan.policies[name], callers_budgets(plan, name))[1:]:
            if below.rules:
                found.setdefault(below.name, []).append(name)
    return {name: tuple(above) for name, above in found.items()}


def _chosen(plan: Plan, root: str, spaces: Iterable[Space]) -> frozenset[Choice] | None:
    found: set[Choice] = set()
    seen = 0
    for space in spaces:
        every = enter(space, 0, plan, plan.policies[root], space.everything)
        for choices, _ in islice(every, MOST_CELLS - seen):
            seen += 1
            found.update(choices)
        if seen >= MOST_CELLS:
            return None
    return frozenset(found)


# --- Rules that never have their turn ---------------------------------------------------------------------------------


def _hidden(asked: _Asked, rule: Rule, earlier: Sequence[Rule]) -> Problem:
    hiding = _hiding(asked, rule, earlier)
    names = " and ".join(f"`{each.name}` ({each.place})" for each in hiding)
    verb = "holds whenever it does" if len(hiding) == 1 else "between them hold whenever it does"
    message = f"rule `{rule.name}` is never reached: {names} {verb}"
    advice = "put the narrower rule first, or take one out"
    return problem("rule-never-reached", message, rule.place, help=advice, also=hiding[0].place)


def _hiding(asked: _Asked, rule: Rule, earlier: Sequence[Rule]) -> list[Rule]:
    """The first rule that hides it alone; else rules of which none can be left out."""
    for other in earlier:
        if asked.free(rule, (other,)) is None:
            return [other]
    needed = list(earlier)
    for other in reversed(earlier):
        rest = [each for each in needed if each is not other]
        if asked.free(rule, rest) is None:
            needed = rest
    return needed


def _impossible(asked: _Asked, rule: Rule) -> Problem:
    field = next((name for name in _fields(rule) if asked.nowhere(rule, name)), None)
    whom = f"no caller of policy `{asked.policy.name}`"
    why = {
        "tenant": f"{whom} is one of the tenants that it is about",
        "budget_used": f"{whom} has the budget that it asks about",
        None: "no request meets all of its conditions",
    }.get(field, f"nothing meets what it says of `{field}`")
    advice = "take the rule out, or change its conditions"
    return problem(
        "rule-never-reached", f"rule `{rule.name}` is never reached: {why}", rule.place, help=advice
    )


def _fields(rule: Rule) -> tuple[str, ...]:
    return tuple(dict.fromkeys(each.field for each in rule.when))


def _shut_out(rule: Rule, roots: Sequence[str]) -> Problem:
    whom = " and ".join(f"`{root}`" for root in roots[:3])
    lead = "leads" if len(roots) == 1 else "lead"
    message = f"rule `{rule.name}` is never reached: {whom} {lead} here only where it does not hold"
    advice = "take the rule out, or change when its policy is come to"
    return problem("rule-never-reached", message, rule.place, help=advice)


def _not_decided(policy: Policy) -> Problem:
    message = (
        f"the conditions of policy `{policy.name}` multiply too far to see whether each rule has its turn"
    )
    advice = (
        "`router test --coverage` shows which rules your cases reach; fewer names in its conditions help too"
    )
    return problem("rules-undecided", message, policy.place, help=advice, severity="note")


# --- Rules that overlap, and rules that callers choose ----------------------------------------------------------------


def _overlap(asked: _Asked, rule: Rule, earlier: Sequence[Rule]) -> Iterator[Problem]:
    """The first earlier rule that shares requests with this one, neither being the narrower of both."""
    for position, other in enumerate(earlier):
        if _outcome(other) == _outcome(rule):
            continue
        shared = asked.free(rule, earlier[:position], also=other)
        if shared is None or asked.free(other, (*earlier[:position], rule)) is None:
            continue  # the narrower one goes first, as it should
        space, box = shared
        message = (
            f"rules `{other.name}` ({other.place}) and `{rule.name}` can both hold and lead elsewhere: "
            f"{space.witness(box)}"
        )
        advice = "the first of them wins; swap them, or leave them as they are"
        yield problem("rules-overlap", message, rule.place, help=advice, severity="note", also=other.place)
        return


def _outcome(rule: Rule) -> tuple[object, ...]:
    """Two rejections are the same one, whatever they say."""
    return (rule.reject is not None, *(_goal(each) for each in rule.entries))


def _goal(entry: Entry) -> tuple[object, ...]:
    if isinstance(entry, PolicyEntry):
        return (entry.policy,)
    return (entry.target, entry.attempt_s, tuple(sorted(map(str, entry.params.items()))))


def _callers_choice(plan: Plan, policy: Policy, rule: Rule) -> Iterator[Problem]:
    """A rule that gives callers, on their word alone, what the policy's own targets would not."""
    if not rule.entries or not OF_THE_CALLER.issuperset(_fields(rule)):
        return
    own = set(_targets(plan, (*policy.entries, *taking_over(policy.budgets))))
    more = next((name for name in _targets(plan, rule.entries) if name not in own), None)
    if more is not None:
        yield _granted(rule, more)


def _granted(rule: Rule, target: str) -> Problem:
    fields = " and ".join(f"`{name}`" for name in _fields(rule))
    verb = "decides" if len(_fields(rule)) == 1 else "decide"
    message = f"rule `{rule.name}` gives `{target}` to whoever asks for it: only {fields} {verb}"
    advice = "callers write that; add a condition such as `tenant`, or put the target among the policy's own"
    return problem("caller-controlled", message, rule.place, help=advice, severity="warning")


def _targets(plan: Plan, entries: Sequence[Entry]) -> tuple[str, ...]:
    """The targets that these entries can lead to, in the order of coming to them."""
    found: dict[str, None] = {}
    waiting, seen = list(reversed(entries)), set[str]()
    while waiting:
        entry = waiting.pop()
        if isinstance(entry, TargetEntry):
            found[entry.target] = None
        elif entry.policy not in seen:
            seen.add(entry.policy)
            below = plan.policies[entry.policy]
            waiting += [each for rule in below.rules for each in rule.entries]
            waiting += taking_over(below.budgets)
            waiting += reversed(below.entries)
    return tuple(found)
