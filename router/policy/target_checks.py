"""Checks of targets: each can be tried on some call, and every caller has one left wherever rules lead it."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice, takewhile

from router.decide.axes import Witness
from router.decide.callers import CallerClass, Callers, callers_of
from router.decide.cells import cells
from router.decide.demands import refusal
from router.decide.fit import as_open
from router.decide.jumps import callers_budgets, jumps, way_to
from router.decide.match import ROOT, Jump, PathTo, candidate_of, path_of, reachable, taking_over
from router.decide.scopes import NOBODY, Caller, caller, least
from router.errors import Problem
from router.plan import Candidate, Demand, Entry, Plan, Policy, Target, TargetEntry
from router.policy.draft import Draft, problem
from router.policy.reach import callable_policies
from router.values import Place, Request

MOST_PLACES = 2_048
"""Of one called policy, looked at for targets that are never tried; where there are more, all are taken to be."""

MOST_CELLS = 512
"""Of one policy and one class of tenants, looked at for one without a target."""


# --- Targets that are never tried -------------------------------------------------------------------------------------


def refused_targets(draft: Draft) -> Iterator[Problem]:
    """Targets that the very policy they are written in asks too much of."""
    for policy in draft.plan.policies.values():
        for entry in _targets(policy):
            found = policy.demand and refusal(draft.targets[entry.target], (policy.demand,), input_tokens=0)
            if found:
                yield _refused(entry, found[1])


def dead_targets(draft: Draft) -> Iterator[Problem]:
    """Targets that every path to them keeps out, or that always come earlier in the list."""
    walk = _Walk(draft.plan)
    called = [draft.plan.policies[name] for name in sorted(callable_policies(draft.plan))]
    for policy in called:
        walk.begin(policy)
    for policy in called:
        walk.call(policy)
    told = {found.place for found in refused_targets(draft)}
    yield from (found for place, found in walk.dead.items() if place not in walk.alive | told)


def _targets(policy: Policy) -> Iterator[TargetEntry]:
    for entries in (policy.entries, *(rule.entries for rule in policy.rules)):
        yield from (entry for entry in entries if isinstance(entry, TargetEntry))


def _refused(entry: TargetEntry, detail: str) -> Problem:
    message = f"`{entry.target}` is never tried here: {detail}"
    advice = "take it out, or ask for less"
    return problem("target-never-reached", message, entry.place, help=advice)


def _repeated(entry: TargetEntry, earlier: Place) -> Problem:
    message = f"`{entry.target}` is never tried here: it always comes earlier in the list ({earlier})"
    advice = "a target is tried again by `retry: {attempts: ...}`; take one of both out"
    return problem("target-never-reached", message, entry.place, help=advice, also=earlier)


_Before = dict[str, tuple[tuple[Candidate, Place], ...]]
"""By target: its places that come earlier on every call, and that no demand keeps it from."""


class _Walk:
    """Every way that calls take through the policies: where a target is alive, and why it is not elsewhere."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._left = 0
        self.alive: set[Place] = set()
        self.dead: dict[Place, Problem] = {}

    def begin(self, policy: Policy) -> None:
        """What a called policy itself writes before anything nested: only its own demand can keep that out."""
        for entries in (policy.entries, *(rule.entries for rule in policy.rules)):
            own = takewhile(lambda entry: isinstance(entry, TargetEntry), entries)
            if policy.demand is None:
                self.alive.update(entry.place for entry in own)

    def call(self, policy: Policy) -> None:
        """Whatever such a call can come to, unless all of that is known to be alive."""
        callers = callers_budgets(self._plan, policy.name)
        reached = reachable(self._plan, policy, callers)
        places = {entry.place for each in reached for entry in _targets(each)}
        if places <= self.alive:
            return
        self._left = MOST_PLACES
        self._enter(policy, ROOT.into(policy), {})
        for jump in jumps(self._plan, policy, ROOT, callers):
            landing = self._plan.policies[jump.entry.policy]
            self._enter(landing, jump.path.into(landing), {})
        if self._left < 0:
            self.alive.update(places)

    def _enter(self, policy: Policy, path: PathTo, before: _Before) -> None:
        """All of its branches; none of them is sure to be come to."""
        for entries in (policy.entries, *(rule.entries for rule in policy.rules)):
            self._list(policy, path, entries, dict(before))

    def _list(self, policy: Policy, path: PathTo, entries: Iterable[Entry], before: _Before) -> None:
        for entry in entries:
            if self._left < 0:
                return
            if isinstance(entry, TargetEntry):
                self._place(policy, path, entry, before)
                continue
            nested = self._plan.policies[entry.policy]
            if nested.rules:
                self._enter(nested, path.into(nested), before)
            else:
                self._list(nested, path.into(nested), nested.entries, before)

    def _place(self, policy: Policy, path: PathTo, entry: TargetEntry, before: _Before) -> None:
        self._left -= 1
        target = self._plan.targets[entry.target]
        candidate = candidate_of(entry, policy, path, target, Request(id="", policy="", messages=()))
        refused = refusal(target, path.demands, input_tokens=0)
        earlier = next(
            (place for each, place in before.get(target.name, ()) if as_open(each, candidate)), None
        )
        if refused is not None:
            self.dead.setdefault(entry.place, _refused(entry, refused[1]))
        elif earlier is not None and earlier != entry.place:
            self.dead.setdefault(entry.place, _repeated(entry, earlier))
        else:
            self.alive.add(entry.place)
        if (
            refused is None
            and target.enabled
            and refusal(target, path.demands, input_tokens=_most(target, path)) is None
        ):
            before[target.name] = (*before.get(target.name, ()), (candidate, entry.place))


def _most(target: Target, path: PathTo) -> int | None:
    return least(path.ceiling.input_tokens, target.context_tokens)


# --- Callers without a target -----------------------------------------------------------------------------------------


def targets_left(draft: Draft) -> Iterator[Problem]:
    """A tenant that may call a policy, and has no target there on some call. One problem for each class of tenants."""
    plan = draft.plan
    search = _Search(plan, lambda: draft.once("dead targets", lambda: _dead_places(draft)))
    if not plan.tenants:
        for name in sorted(plan.policies):
            alone = search.alone(name)
            yield from _emptied(None, [alone] if alone else [])
        return
    callers = callers_of(plan)
    for each in callers.classes:
        found = list(search.of_class(each))
        for severity in ("error", "warning"):
            yield from _emptied(
                _where(plan, callers, each), [one for one in found if one.severity == severity]
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Empty:
    """A request to `policy` for which no target is left, `detail` says why not the first one. `jump` led to it."""

    policy: Policy
    jump: Jump | None
    witness: Witness
    target: str
    detail: str
    severity: str


class _Search:
    """Looks for calls without a target, each pair of demands and policy once."""

    def __init__(self, plan: Plan, dead: Callable[[], frozenset[Place]]) -> None:
        self._plan = plan
        self._dead = dead  # where targets are told to be tried on no call
        self._seen: set[Hashable] = set()
        self._told: set[str] = set()  # policies that are empty for everybody, whoever asks

    def alone(self, name: str) -> _Empty | None:
        """Of a policy that anybody may call."""
        return next(self._look(self._plan.policies[name], None, NOBODY), None)

    def of_class(self, each: CallerClass) -> Iterator[_Empty]:
        who: Caller | None = None
        for name in sorted(self._plan.policies if each.granted is None else each.granted):
            policy = self._plan.policies.get(name)
            if policy is None:
                continue
            who = who or _caller(self._plan, name, each.members[0])
            landings = frozenset(entry.policy for entry in taking_over(who.budgets))
            key = (name, who.ceiling.input_tokens, frozenset(map(_asked, who.demands)), landings)
            if key in self._seen:
                continue
            self._seen.add(key)
            yield from self._look(policy, each.members[0], who)

    def _look(self, policy: Policy, tenant: str | None, who: Caller) -> Iterator[_Empty]:
        """In its own lists, and in those that take over where a budget is spent."""
        above, plan = path_of(who), self._plan
        ways: list[tuple[Policy, PathTo, PathTo, Jump | None]] = [
            (policy, above.into(policy), ROOT.into(policy), None)
        ]
        for jump in jumps(plan, policy, above, who.budgets):
            landing, alone = plan.policies[jump.entry.policy], way_to(plan, jump, ROOT)
            ways.append((landing, jump.path.into(landing), alone.into(landing), jump))
        for first, path, alone, led in ways:
            asked, by_itself = _Left(plan, first, path), _Left(plan, first, alone)
            found = (
                None if asked.anywhere else self._among_cells(policy.name, first, tenant, asked, by_itself)
            )
            if found is not None:
                yield replace(found, jump=led)

    def _among_cells(
        self, called: str, policy: Policy, tenant: str | None, asked: "_Left", alone: "_Left"
    ) -> _Empty | None:
        """The first call of `called` that comes to `policy`, and finds no target there."""
        for cell in islice(cells(self._plan, called, tenants=[tenant]), MOST_CELLS):
            chosen = dict[str, str | None](cell.choices[0])
            if asked.after(chosen):
                continue
            by_policies = not alone.after(chosen, even_disabled=True)
            if by_policies and alone.targets(chosen) <= self._dead():
                continue  # what the policies themselves ask too much is told at each target
            by_hand = asked.after(chosen, even_disabled=True)
            if (by_hand or by_policies) and policy.name in self._told:
                return None
            if not alone.after(chosen):
                self._told.add(policy.name)
            target, detail = asked.first_drop(chosen)
            severity = "warning" if by_hand else "error"
            return _Empty(
                policy=policy,
                jump=None,
                witness=cell.witness,
                target=target,
                detail=detail,
                severity=severity,
            )
        return None


class _Left:
    """Whether a policy leaves a target to whoever comes by a path; each policy is looked at once a path."""

    def __init__(self, plan: Plan, policy: Policy, path: PathTo) -> None:
        self._plan, self._policy, self._path = plan, policy, path

    @property
    def anywhere(self) -> bool:
        """Whether every branch does, whatever it takes to come to it."""
        return self._ask(None, even_disabled=False)

    def after(self, chosen: Mapping[str, str | None], *, even_disabled: bool = False) -> bool:
        """Whether the branch does in which these rules win; one that rejects is meant to."""
        return self._ask(chosen, even_disabled=even_disabled)

    def _ask(self, chosen: Mapping[str, str | None] | None, *, even_disabled: bool) -> bool:
        known: dict[Hashable, bool] = {}

        def of(policy: Policy, path: PathTo) -> bool:
            key = (policy.name, path.ceiling.input_tokens, frozenset(each.owner for each in path.demands))
            if key not in known:
                ways = _ways(policy) if chosen is None else [_chosen_way(policy, chosen)]
                known[key] = all(
                    entries is None or any(leaves(entry, path) for entry in entries) for entries in ways
                )
            return known[key]

        def leaves(entry: Entry, path: PathTo) -> bool:
            if isinstance(entry, TargetEntry):
                return _why_not(self._plan.targets[entry.target], path, even_disabled=even_disabled) is None
            nested = self._plan.policies[entry.policy]
            return of(nested, path.into(nested))

        return of(self._policy, self._path)

    def targets(self, chosen: Mapping[str, str | None]) -> frozenset[Place]:
        """Where the targets of that branch are written."""
        found: set[Place] = set()
        waiting, seen = [self._policy], {self._policy.name}
        while waiting:
            for entry in _chosen_way(waiting.pop(), chosen) or ():
                if isinstance(entry, TargetEntry):
                    found.add(entry.place)
                elif entry.policy not in seen:
                    seen.add(entry.policy)
                    waiting.append(self._plan.policies[entry.policy])
        return frozenset(found)

    def first_drop(self, chosen: Mapping[str, str | None]) -> tuple[str, str]:
        """The first target of the list, and why it is dropped."""
        policy, path = self._policy, self._path
        while True:
            entry = next(iter(_chosen_way(policy, chosen) or ()))
            if isinstance(entry, TargetEntry):
                target = self._plan.targets[entry.target]
                return target.name, _why_not(target, path, even_disabled=False) or ""
            policy = self._plan.policies[entry.policy]
            path = path.into(policy)


def _dead_places(draft: Draft) -> frozenset[Place]:
    return frozenset(found.place for found in (*refused_targets(draft), *dead_targets(draft)))


def _ways(policy: Policy) -> list[tuple[Entry, ...]]:
    return [policy.entries, *(rule.entries for rule in policy.rules if rule.reject is None)]


def _chosen_way(policy: Policy, chosen: Mapping[str, str | None]) -> tuple[Entry, ...] | None:
    """None: a rule that rejects."""
    name = chosen.get(policy.name)
    rule = next((each for each in policy.rules if each.name == name), None)
    if rule is None:
        return policy.entries
    return None if rule.reject is not None else rule.entries


def _caller(plan: Plan, policy: str, tenant: str) -> Caller:
    request = Request(id="", policy=policy, messages=(), tenant=tenant, user="any", session="any")
    return caller(plan, request)


def _asked(demand: Demand) -> Hashable:
    return (demand.allow, demand.require, demand.needs, demand.max_price)


def _why_not(target: Target, path: PathTo, *, even_disabled: bool) -> str | None:
    if target.disabled_at is not None and not even_disabled:
        return f"`enabled: false` ({target.disabled_at})"
    found = refusal(target, path.demands, input_tokens=_most(target, path))
    return found[1] if found else None


def _where(plan: Plan, callers: Callers, each: CallerClass) -> Place:
    """The tenant's key; for a child that no file names, that of its bucket."""
    path = each.members[0]
    if path in plan.tenants:
        return plan.tenants[path].place
    parent = plan.tenants[path.rpartition("/")[0]]
    return next(bucket.place for bucket in parent.each if bucket.of == "child")


def _emptied(place: Place | None, found: list[_Empty]) -> Iterator[Problem]:
    """One problem for them all: they have one cause, or one tenant."""
    if not found:
        return
    first, more = found[0], len(found) - 1
    others = f" and of {more} more {'policy' if more == 1 else 'policies'}" if more else ""
    whom = f" for tenant `{first.witness.tenant}`" if first.witness.tenant else ""
    led = f", which takes over where `{first.jump.budget.text}` is spent," if first.jump else ""
    message = (
        f"no target of policy `{first.policy.name}`{led}{others} is left{whom}: `{first.target}`: {first.detail}"
        f" (request: {first.witness})"
    )
    also = first.jump.entry.place if first.jump else None
    yield problem(
        "no-target-left",
        message,
        place or first.policy.place,
        help=_way_out(first, also),
        severity=first.severity,
        also=also,
    )


def _way_out(empty: _Empty, jump: Place | None) -> str:
    if empty.severity == "warning":
        return "enable one, or write another target"
    if jump is not None:
        return f"let another policy take over ({jump}), ask for less, or write a target that meets it"
    return "take the policy from what it may call, ask for less, or write a target that meets it"
