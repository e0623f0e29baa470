"""What a policy may cost and how long it may take at most, from the plan alone. No run reserves more, or lasts longer.

A branch is one way its rules, and those of the policies nested in it, can come out. For a branch with the flat list L
the worst cost is the sum of the A largest worst attempts, A the ceiling on attempts; `per_request` budgets cap it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice, product

from router.decide.backoff import worst_wait_s
from router.decide.fit import is_free, worst_of
from router.decide.match import ROOT, PathTo, candidate_of
from router.plan import Candidate, Entry, Plan, Policy, TargetEntry
from router.values import Request

GRACE_S = 0.05
"""How much later than its deadline a call may end: the time to notice, close the socket and return."""

MAX_BRANCHES = 4096


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
    flat = islice(_branches(plan, policy, ROOT.into(policy), request), MAX_BRANCHES)
    found = [bound_of(name, candidates, policy, worst_attempt) for name, candidates in flat]
    return tuple(sorted(found, key=lambda each: (each.cost_nusd is not None, -(each.cost_nusd or 0))))


def worst_seconds(candidates: tuple[Candidate, ...], total_s: float) -> float:
    """T = min(total, all attempts at full length and all waits at their longest) + grace."""
    longest_s = sum(
        candidate.lexical.retry.attempts * min(candidate.lexical.attempt_s or total_s, total_s)
        + worst_wait_s(candidate.lexical.retry)
        for candidate in candidates
    )
    return min(total_s, longest_s) + GRACE_S


def _branches(
    plan: Plan, policy: Policy, path: PathTo, request: Request
) -> Iterator[tuple[str, tuple[Candidate, ...]]]:
    ways: list[tuple[str, tuple[Entry, ...]]] = [("targets", policy.entries)]
    ways += [(f"rule {rule.name}", rule.entries) for rule in policy.rules if rule.reject is None]
    for name, entries in ways:
        parts = [list(_entry_lists(plan, policy, path, entry, request)) for entry in entries]
        for choice in product(*parts):
            unique = {each.target.name: each for each in reversed([each for part in choice for each in part])}
            ordered = [each for part in choice for each in part if unique.get(each.target.name) is each]
            yield name, tuple(ordered)


def _entry_lists(
    plan: Plan, policy: Policy, path: PathTo, entry: Entry, request: Request
) -> Iterator[tuple[Candidate, ...]]:
    if isinstance(entry, TargetEntry):
        yield (candidate_of(entry, policy, path, plan.targets[entry.target], request),)
        return
    nested = plan.policies[entry.policy]
    for _, candidates in _branches(plan, nested, path.into(nested), request):
        yield candidates


def bound_of(
    name: str, candidates: tuple[Candidate, ...], policy: Policy, worst: Callable[[Candidate], int | None]
) -> BranchBound:
    """The bound of one flat list; `worst` says what one attempt at a candidate may cost (None: unbounded)."""
    attempts = [
        WorstAttempt(target=each.target.name, nusd=worst(each))
        for each in candidates
        for _ in range(each.lexical.retry.attempts)
    ]
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
