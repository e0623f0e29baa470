"""What a policy may cost and how long it may take at most, from the plan alone. No run reserves more, or lasts longer.

A branch is one way its rules can come out; those of policies nested in it make several flat lists of it, and the branch
is bounded by the worst of them. For a flat list L the worst cost is the sum of the A largest worst attempts, A the
ceiling on attempts; `per_request` budgets cap it.

A target may stand in L on several paths, where what the first one asks keeps some requests out: it is tried on one of
them, and counts at the worst of all. Bounds are those of any caller, or of one: a caller's ceilings only tighten. The
input is bounded by ceilings and context, not by what a rule says of it: rules look at one likely count for all models,
and what is reserved is each model's own bound, which may be larger.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from router.decide.backoff import worst_wait_s
from router.decide.branches import flat_lists, lists_of, ways
from router.decide.fit import hard, is_free, worst_of
from router.decide.jumps import callers_budgets, jumps
from router.decide.match import Jump, PathTo, path_of
from router.decide.scopes import NOBODY, Caller
from router.decide.together import UNBOUNDED, Adder, Most, Place, cap_of
from router.plan import Budget, Candidate, Entry, Plan, Policy, PolicyEntry

GRACE_S = 0.05
"""How much later than its deadline a call may end: the time to notice, close the socket and return."""

MOST_LISTS = 256
"""Flat lists of one branch that are looked at one by one; more are bounded together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorstAttempt:
    """One send of the worst case. `nusd` None: unknown price, or nothing bounds its input."""

    target: str
    nusd: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchBound:
    """`cost_nusd` None: unbounded or of unknown price. `attempts`, in the order of the list, attain it where no
    `per_request` caps it, unless the branch makes more than MOST_LISTS lists. `seconds` is the time to a whole answer
    or to the first content of a stream, which ends at most `stream_s` later."""

    branch: str
    cost_nusd: int | None
    seconds: float
    stream_s: float
    sends: int
    attempts: tuple[WorstAttempt, ...]
    capped_by: str | None


def policy_bounds(plan: Plan, policy: Policy, caller: Caller = NOBODY) -> tuple[BranchBound, ...]:
    """One bound per branch, those behind spent budgets too, the dearest first; an unbounded branch comes before all
    others. With a caller, under what holds for it."""
    known, found = dict[str, int](), []
    for way in _ways(plan, policy, caller):
        bound = _of_all(plan, policy, way)
        if lists_of(plan, way.entries, known) <= MOST_LISTS:
            bound = _both(_of_each(plan, policy, way), bound, way.caps)
        found.append(bound)
    return tuple(sorted(found, key=_dearest_first))


class _Way(NamedTuple):
    """One branch: what it is made of, what holds before that, and the `per_request` budgets over all of it."""

    branch: str
    entries: tuple[Entry, ...]
    path: PathTo
    caps: tuple[Budget, ...]


def _ways(plan: Plan, policy: Policy, caller: Caller) -> Iterator[_Way]:
    """What its rules lead to, then what takes over where a budget is spent."""
    root = _root(plan, caller)
    called = root.into(policy)
    for name, entries in ways(policy):
        yield _Way(name, entries, called, called.per_request)
    callers = caller.budgets if caller.tenants else callers_budgets(plan, policy.name)
    for jump in jumps(plan, policy, root, callers):
        caps = jump.path.into(plan.policies[jump.entry.policy]).per_request
        yield _Way(branch_of(jump), (jump.entry,), jump.path, caps)


def branch_of(jump: Jump) -> str:
    """What the branch behind a spent budget is called: `policy:cheap-fast per_day spent: policy last-resort`."""
    return f"{jump.budget.whose} {jump.budget.text.partition(':')[0]} spent: policy {jump.entry.policy}"


def _root(plan: Plan, caller: Caller) -> PathTo:
    """What holds before any policy. What a provider may add is the one thing that a caller's scopes can allow: for any
    caller it is the most that one of them states."""
    root = path_of(caller)
    tenants = plan.tenants.values()
    ceilings = [
        *(tenant.ceiling for tenant in tenants),
        *(each.ceiling for tenant in tenants for each in tenant.each),
    ]
    stated = [each.added_cost_nusd for each in ceilings if each.added_cost_nusd is not None]
    if caller.tenants or not stated:
        return root
    stated += [each.ceiling.added_cost_nusd or 0 for each in plan.policies.values()]
    return replace(root, ceiling=replace(root.ceiling, added_cost_nusd=max(stated)))


def _both(each: BranchBound, together: BranchBound, caps: Sequence[Budget]) -> BranchBound:
    """Both hold; list by list is closer where targets repeat, together where caps lie within caps."""
    cost = _least(each.cost_nusd, together.cost_nusd)
    return replace(
        each,
        cost_nusd=cost,
        seconds=min(each.seconds, together.seconds),
        sends=min(each.sends, together.sends),
        capped_by=_capping(caps, cost, _sum([attempt.nusd for attempt in each.attempts])),
    )


def worst_branch(bounds: Sequence[BranchBound]) -> BranchBound:
    """The dearest of several that may come in each other's place; each figure is the worst of them all."""
    return replace(
        min(bounds, key=_dearest_first),
        seconds=max(each.seconds for each in bounds),
        sends=max(each.sends for each in bounds),
    )


def _dearest_first(bound: BranchBound) -> tuple[bool, int]:
    return (bound.cost_nusd is not None, -(bound.cost_nusd or 0))


def _of_each(plan: Plan, policy: Policy, way: _Way) -> BranchBound:
    """The worst of its lists; each figure may be of another one."""
    bounds = [
        bound_of(way.branch, tuple(each.candidate for each in seats), policy, worst_attempt, caps=way.caps)
        for seats in flat_lists(plan, policy, way.path, way.entries)
    ]
    return worst_branch(bounds)


def _of_all(plan: Plan, policy: Policy, way: _Way) -> BranchBound:
    first = (policy, *(plan.policies[each.policy] for each in way.entries if isinstance(each, PolicyEntry)))
    adder = Adder(plan, first, way.path, lambda each: _place(each, policy.total_s))
    most = adder.of(policy, way.path, way.entries)
    cost = None if most.nusd >= UNBOUNDED else most.nusd
    once_s = sum(each.longest_s for each in most.places.values())
    attempts = _dearest(_sends(most), way.path.ceiling.attempts)
    return BranchBound(
        branch=way.branch,
        cost_nusd=cost,
        seconds=min(policy.total_s, most.longest_s, once_s) + GRACE_S,
        stream_s=policy.stream_s,
        sends=min(most.sends, len(attempts)),
        attempts=attempts,
        capped_by=_capping(way.caps, cost, _sum([each.nusd for each in attempts])),
    )


def _place(candidate: Candidate, total_s: float) -> Place:
    worst = worst_attempt(candidate)
    return Place(
        UNBOUNDED if worst is None else worst,
        candidate.lexical.retry.attempts,
        _longest_s(candidate, total_s),
    )


def _sends(most: Most) -> list[WorstAttempt]:
    return [
        WorstAttempt(target=name, nusd=None if place.nusd >= UNBOUNDED else place.nusd)
        for name, place in most.places.items()
        for _ in range(place.sends)
    ]


def worst_seconds(candidates: tuple[Candidate, ...], total_s: float) -> float:
    """T = min(total, all attempts at full length and all waits at their longest) + grace."""
    longest_s = sum(
        max(_longest_s(candidate, total_s) for candidate in places) for places in _by_target(candidates)
    )
    return min(total_s, longest_s) + GRACE_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Starved:
    """A candidate that those before it can leave nothing for, when each is sent to as often as its retries allow:
    `after_s` seconds of `total_s`, or `after_sends` of `attempts`. None: of that there is always some left."""

    target: str
    after_s: float | None
    total_s: float
    after_sends: int | None
    attempts: int | None


def starved(candidates: Sequence[Candidate]) -> tuple[Starved, ...]:
    """Of a flat list, in its order."""
    found: list[Starved] = []
    spent_s, sends = 0.0, 0
    for each in candidates:
        attempts = each.attempts_ceiling
        late, spent = spent_s >= each.total_s, attempts is not None and sends >= attempts
        if late or spent:
            found.append(
                Starved(
                    target=each.target.name,
                    after_s=spent_s if late else None,
                    total_s=each.total_s,
                    after_sends=sends if spent else None,
                    attempts=attempts,
                )
            )
        spent_s += _longest_s(each, each.total_s)
        sends += each.lexical.retry.attempts
    return tuple(found)


def _longest_s(candidate: Candidate, total_s: float) -> float:
    retry, attempt_s = candidate.lexical.retry, candidate.lexical.attempt_s
    return retry.attempts * min(attempt_s or total_s, total_s) + worst_wait_s(retry)


def _by_target(candidates: Iterable[Candidate]) -> list[list[Candidate]]:
    """The places of each target, in the order of its first."""
    places: dict[str, list[Candidate]] = {}
    for each in candidates:
        places.setdefault(each.target.name, []).append(each)
    return list(places.values())


def bound_of(
    name: str,
    candidates: tuple[Candidate, ...],
    policy: Policy,
    worst: Callable[[Candidate], int | None],
    *,
    caps: Sequence[Budget],
) -> BranchBound:
    """The bound of one flat list; `worst` says what one attempt at a candidate may cost (None: unbounded), `caps` are
    the `per_request` budgets over all of it."""
    attempts = [each for places in _by_target(candidates) for each in _worst_attempts(places, worst)]
    ceilings = [each.attempts_ceiling for each in candidates]
    # a candidate may start only below its own ceiling, so the loosest one bounds the request
    allowed = None if None in ceilings else max((each for each in ceilings if each), default=0)
    dearest = _dearest(attempts, allowed)
    total = _sum([each.nusd for each in dearest])
    grouped = _sum([_group_cost(group, worst) for group in _groups(candidates)])
    cost = _least(_least(total, grouped), cap_of(caps))
    return BranchBound(
        branch=name,
        cost_nusd=cost,
        seconds=worst_seconds(candidates, policy.total_s),
        stream_s=policy.stream_s,
        sends=len(dearest),
        attempts=dearest,
        capped_by=_capping(caps, cost, total),
    )


def _dearest(attempts: Sequence[WorstAttempt], allowed: int | None) -> tuple[WorstAttempt, ...]:
    """The dearest of them, as many as are allowed, in the order given."""
    ranked = sorted(range(len(attempts)), key=lambda at: _worst_first(attempts[at]))[:allowed]
    return tuple(attempts[at] for at in sorted(ranked))


def _worst_first(attempt: WorstAttempt) -> tuple[bool, int]:
    return (attempt.nusd is not None, -(attempt.nusd or 0))


def _capping(caps: Sequence[Budget], cost: int | None, sends: int | None) -> str | None:
    """The budget that keeps the cost below that of its sends, as its author wrote it."""
    if cost is None or (sends is not None and sends <= cost):
        return None
    money = (each for each in hard(caps) if each.unit == "nusd")
    return next((each.text for each in money if each.amount == cost), None)


def _worst_attempts(places: list[Candidate], worst: Callable[[Candidate], int | None]) -> list[WorstAttempt]:
    costs = [worst(each) for each in places]
    known = [cost for cost in costs if cost is not None]
    dearest = WorstAttempt(
        target=places[0].target.name, nusd=max(known) if len(known) == len(costs) else None
    )
    return [dearest] * max(each.lexical.retry.attempts for each in places)


def worst_attempt(candidate: Candidate) -> int | None:
    """What one attempt may cost at the ceilings of its path; None: unbounded or of unknown price."""
    if is_free(candidate):
        return 0
    input_tokens = _least(candidate.input_ceiling, candidate.target.context_tokens)
    if input_tokens is None or candidate.output_tokens is None:
        return None
    return worst_of(candidate, input_tokens).nusd


def _groups(candidates: tuple[Candidate, ...]) -> list[list[Candidate]]:
    """Candidates that share the `per_request` budgets of their path."""
    groups: dict[tuple[str, ...], list[Candidate]] = {}
    for each in candidates:
        groups.setdefault(tuple(budget.owner for budget in each.per_request), []).append(each)
    return list(groups.values())


def _group_cost(group: list[Candidate], worst: Callable[[Candidate], int | None]) -> int | None:
    costs = [worst(each) for each in group for _ in range(each.lexical.retry.attempts)]
    return _least(_sum(costs), cap_of(group[0].per_request))


def _sum(costs: list[int | None]) -> int | None:
    known = [cost for cost in costs if cost is not None]
    return sum(known) if len(known) == len(costs) else None


def _least(a: int | None, b: int | None) -> int | None:
    return b if a is None else a if b is None else min(a, b)
