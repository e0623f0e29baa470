"""What a policy may cost and how long it may take at most, from the plan alone. No run reserves more, or lasts longer.

A branch is one way its rules, and those of the policies nested in it, can come out. For a branch with the flat list L
the worst cost is the sum of the A largest worst attempts, A the ceiling on attempts; `per_request` budgets cap it.

A target may stand in L on several paths, where what the first one asks keeps some requests out: it is tried on one of
them, and counts at the worst of all. Callers are not looked at: their ceilings only tighten.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice, product

from router.decide.backoff import worst_wait_s
from router.decide.fit import as_open, is_free, worst_of
from router.decide.match import ROOT, PathTo, candidate_of, unfit
from router.plan import Candidate, Entry, Plan, Policy, TargetEntry
from router.values import Request

GRACE_S = 0.05
"""How much later than its deadline a call may end: the time to notice, close the socket and return."""

MAX_BRANCHES = 4096
MORE = f"any of more than {MAX_BRANCHES} branches"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorstAttempt:
    """One send of the worst case. `nusd` None: unknown price, or nothing bounds its input."""

    target: str
    nusd: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchBound:
    """`cost_nusd` None: unbounded or of unknown price. `attempts` attain it where no `per_request` caps it."""

    branch: str
    cost_nusd: int | None
    seconds: float
    attempts: tuple[WorstAttempt, ...]
    capped_by: str | None


def policy_bounds(plan: Plan, policy: Policy) -> tuple[BranchBound, ...]:
    """One bound per branch, the dearest first; an unbounded branch comes before all others."""
    request = Request(id="", policy=policy.name, messages=())
    path = ROOT.into(policy)
    branches = _branches(plan, policy, path, request)
    flat = list(islice(branches, MAX_BRANCHES))
    if next(branches, None) is not None:
        flat = [(MORE, tuple(_everything(plan, policy, path, request)))]
    found = [
        bound_of(name, tuple(each.candidate for each in seats), policy, worst_attempt) for name, seats in flat
    ]
    return tuple(sorted(found, key=lambda each: (each.cost_nusd is not None, -(each.cost_nusd or 0))))


def worst_seconds(candidates: tuple[Candidate, ...], total_s: float) -> float:
    """T = min(total, all attempts at full length and all waits at their longest) + grace."""
    longest_s = sum(
        max(_longest_s(candidate, total_s) for candidate in places) for places in _by_target(candidates)
    )
    return min(total_s, longest_s) + GRACE_S


def _longest_s(candidate: Candidate, total_s: float) -> float:
    retry, attempt_s = candidate.lexical.retry, candidate.lexical.attempt_s
    return retry.attempts * min(attempt_s or total_s, total_s) + worst_wait_s(retry)


def _by_target(candidates: Iterable[Candidate]) -> list[list[Candidate]]:
    """The places of each target, in the order of its first."""
    places: dict[str, list[Candidate]] = {}
    for each in candidates:
        places.setdefault(each.target.name, []).append(each)
    return list(places.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seat:
    """A place in a list. `sure`: its path refuses the target nobody, but for the length of an input."""

    candidate: Candidate
    sure: bool


def _branches(
    plan: Plan, policy: Policy, path: PathTo, request: Request
) -> Iterator[tuple[str, tuple[_Seat, ...]]]:
    for name, entries in _ways(policy):
        parts = [list(_entry_lists(plan, policy, path, entry, request)) for entry in entries]
        for choice in product(*parts):
            yield name, _reached(each for part in choice for each in part)


def _ways(policy: Policy) -> list[tuple[str, tuple[Entry, ...]]]:
    """What its rules, or none of them, lead to."""
    rules = [(f"rule {rule.name}", rule.entries) for rule in policy.rules if rule.reject is None]
    return [("targets", policy.entries), *rules]


def _reached(flat: Iterable[_Seat]) -> tuple[_Seat, ...]:
    """Without the seats of a target that an earlier one keeps every request from."""
    kept: list[_Seat] = []
    for each in flat:
        if not any(_hides(before, each.candidate) for before in kept):
            kept.append(each)
    return tuple(kept)


def _hides(before: _Seat, later: Candidate) -> bool:
    same = before.candidate.target.name == later.target.name
    return same and before.sure and as_open(before.candidate, later)


def _everything(plan: Plan, policy: Policy, path: PathTo, request: Request) -> Iterator[_Seat]:
    """What any branch may hold: a bound of them all, where they are too many to be looked at one by one."""
    for _, entries in _ways(policy):
        for entry in entries:
            if isinstance(entry, TargetEntry):
                yield from _seats(plan, policy, path, entry, request)
            else:
                nested = plan.policies[entry.policy]
                yield from _everything(plan, nested, path.into(nested), request)


def _entry_lists(
    plan: Plan, policy: Policy, path: PathTo, entry: Entry, request: Request
) -> Iterator[tuple[_Seat, ...]]:
    if isinstance(entry, TargetEntry):
        yield _seats(plan, policy, path, entry, request)
        return
    nested = plan.policies[entry.policy]
    for _, seats in _branches(plan, nested, path.into(nested), request):
        yield seats
    if any(rule.reject is not None for rule in nested.rules):
        yield ()


def _seats(
    plan: Plan, policy: Policy, path: PathTo, entry: TargetEntry, request: Request
) -> tuple[_Seat, ...]:
    """One, or none where its path keeps every request from it: also the shortest, which meets the cheapest prices."""
    target = plan.targets[entry.target]
    shortest = replace(path, ceiling=replace(path.ceiling, input_tokens=0))
    if unfit(target, shortest):
        return ()
    return (
        _Seat(candidate=candidate_of(entry, policy, path, target, request), sure=unfit(target, path) is None),
    )


def bound_of(
    name: str, candidates: tuple[Candidate, ...], policy: Policy, worst: Callable[[Candidate], int | None]
) -> BranchBound:
    """The bound of one flat list; `worst` says what one attempt at a candidate may cost (None: unbounded)."""
    attempts = [each for places in _by_target(candidates) for each in _worst_attempts(places, worst)]
    ceilings = [each.attempts_ceiling for each in candidates]
    # a candidate may start only below its own ceiling, so the loosest one bounds the request
    allowed = len(attempts) if None in ceilings else max((each for each in ceilings if each), default=0)
    dearest = sorted(attempts, key=lambda each: (each.nusd is None, each.nusd or 0), reverse=True)[:allowed]
    total = _sum([each.nusd for each in dearest])
    cap = min(
        (each for each in policy.budgets if each.window == "request" and each.unit == "nusd"),
        key=lambda b: b.amount,
        default=None,
    )
    grouped = _sum([_group_cost(group, worst) for group in _groups(candidates)])
    cost = _least(_least(total, grouped), cap.amount if cap else None)
    return BranchBound(
        branch=name,
        cost_nusd=cost,
        seconds=worst_seconds(candidates, policy.total_s),
        attempts=tuple(dearest),
        capped_by=cap.text if cap and cost == cap.amount and (total is None or total > cap.amount) else None,
    )


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
    cap = min((each.amount for each in group[0].per_request if each.unit == "nusd"), default=None)
    return _least(_sum(costs), cap)


def _sum(costs: list[int | None]) -> int | None:
    known = [cost for cost in costs if cost is not None]
    return sum(known) if len(known) == len(costs) else None


def _least(a: int | None, b: int | None) -> int | None:
    return b if a is None else a if b is None else min(a, b)
