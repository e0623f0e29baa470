"""From a plan and a request to the flat list of candidates, each dropped one with its reason."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from router.decide.conditions import Snapshot, Verdict, first_match
from router.decide.demands import Refusal, refusal
from router.decide.fit import DUPLICATE, as_open
from router.decide.params import output_request, untaken
from router.decide.parts import advice_on, not_carried
from router.decide.scopes import Caller, did_you_mean, least, tighter
from router.decide.structured import asked
from router.errors import Dropped, RequestError
from router.plan import (
    Budget,
    BudgetUse,
    Candidate,
    Ceiling,
    Condition,
    Demand,
    Entry,
    Lexical,
    Limit,
    Plan,
    Policy,
    PolicyEntry,
    Route,
    Target,
    TargetEntry,
)
from router.values import Request, SecretRef

MissingKey = Callable[[str], SecretRef | None]
"""Given a provider's name: the reference that could not be resolved, or None where it can be called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Matched:
    """The route, what was dropped on the way, and how each policy's rules came out (policy, verdict)."""

    route: Route
    dropped: tuple[Dropped, ...]
    verdicts: tuple[tuple[str, Verdict], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PathTo:
    """What has accumulated on the way down to a policy: ceilings as minima, budgets as a union; those that the request
    itself keeps count of stand apart, as they are in no calendar window. `limits` are those of nested policies, which
    are taken for each attempt: those of the first one, which is called, are taken with the caller's."""

    policies: tuple[str, ...] = ()
    total_s: float = float("inf")
    stream_s: float = float("inf")
    ceiling: Ceiling = field(default_factory=Ceiling)
    demands: tuple[Demand, ...] = ()
    budgets: tuple[Budget, ...] = ()
    per_request: tuple[Budget, ...] = ()
    limits: tuple[Limit, ...] = ()

    @property
    def sums(self) -> Hashable:
        """What two ways to a policy may differ in, whichever policies they lead through."""
        return (
            self.total_s,
            self.stream_s,
            self.ceiling,
            self.demands,
            self.budgets,
            self.per_request,
            self.limits,
        )

    def leaving(self, policy: Policy) -> "PathTo":
        """Into a policy whose budget is spent and left behind; all else that it says holds on."""
        return self.into(replace(policy, budgets=()))

    def into(self, policy: Policy) -> "PathTo":
        return PathTo(
            policies=(*self.policies, policy.name),
            total_s=min(self.total_s, policy.total_s),
            stream_s=min(self.stream_s, policy.stream_s),
            ceiling=tighter(self.ceiling, policy.ceiling),
            demands=(*self.demands, policy.demand) if policy.demand else self.demands,
            budgets=(*self.budgets, *(each for each in policy.budgets if each.window != "request")),
            per_request=(*self.per_request, *_for_one_request(policy.budgets)),
            limits=(*self.limits, *policy.limits) if self.policies else self.limits,
        )


ROOT = PathTo()


@dataclass(frozen=True, slots=True, kw_only=True)
class Jump:
    """Where a request goes on when nothing of its list fits `budget`: at `entry`, by `path`, which holds all that still
    applies before the policy there is entered. `left` is the policy that it leads away from."""

    budget: Budget
    left: str
    entry: PolicyEntry
    path: PathTo


def _for_one_request(budgets: Sequence[Budget]) -> tuple[Budget, ...]:
    return tuple(budget for budget in budgets if budget.window == "request")


def path_of(caller: Caller) -> PathTo:
    """What holds for this caller before any policy is looked at."""
    return PathTo(
        ceiling=caller.ceiling, demands=caller.demands, per_request=_for_one_request(caller.budgets)
    )


def match(
    plan: Plan,
    policy: Policy,
    caller: Caller,
    snapshot: Snapshot,
    missing_key: MissingKey,
    jump: Jump | None = None,
) -> Matched:
    """Flatten the winning branch of the called `policy`, or, after a jump, of the policy that takes over. Raises
    RequestError where the call asks for what no ceiling allows."""
    verdicts: list[tuple[str, Verdict]] = []
    rejects: dict[str, str] = {}
    first, root = (plan.policies[jump.entry.policy], jump.path) if jump else (policy, path_of(caller))
    flat = _flatten(plan, first, root.into(first), snapshot, verdicts, rejects, set())
    candidates, dropped = _filtered(plan, _preferred(plan, flat, snapshot.request), snapshot, missing_key)
    total_s = min(policy.total_s, snapshot.request.timeout_s or float("inf"))
    top = next((verdict.rule for name, verdict in verdicts if name == first.name), None)
    route = Route(
        policy=policy.name,
        rule=top.name if top else None,
        candidates=candidates,
        limits=(*caller.limits, *policy.limits),
        cache=policy.cache,
        total_s=total_s,
        stream_s=policy.stream_s,
        streams=snapshot.request.stream,
        reject=rejects.get(first.name),
        jumped=jump.entry.policy if jump else None,
    )
    nested = tuple(
        Dropped(target=f"{{policy: {name}}}", policy=name, reason="rejected", detail=why)
        for name, why in rejects.items()
        if name != first.name
    )
    return Matched(route=route, dropped=(*dropped, *nested), verdicts=tuple(verdicts))


def conditions_within(plan: Plan, policy: Policy, callers: Iterable[Budget] = ()) -> tuple[Condition, ...]:
    """Every condition that the rules of this policy, or of one reachable from it, may read."""
    reached = reachable(plan, policy, callers)
    return tuple(condition for each in reached for rule in each.rules for condition in rule.when)


def used_budget(use: BudgetUse, plan: Plan, policy: Policy, caller: Caller) -> Budget | None:
    """The budget that a `budget_used` speaks of, for this caller; None: it has none, and the condition is unknown."""
    provider, owner = plan.providers.get(use.name or ""), plan.policies.get(use.name or "", policy)
    owned: Mapping[str, Sequence[Budget]] = {
        "tenant": [
            budget for tenant in reversed(caller.tenants) for budget in tenant.budgets
        ],  # the nearest first
        "user": [budget for budget in reversed(caller.budgets) if budget.owner.startswith("user:")],
        "policy": owner.budgets,
        "provider": provider.budgets if provider else (),
    }
    return next((each for each in owned[use.of] if each.window == use.window and each.unit == "nusd"), None)


def reachable(plan: Plan, policy: Policy, callers: Iterable[Budget] = ()) -> tuple[Policy, ...]:
    """The policy and every one that its targets, its rules and what it says of a spent budget can lead to, each once,
    in the order of coming to them. `callers` are budgets of callers, which may lead on as well."""
    found = {policy.name: policy}
    waiting = [policy]
    while waiting:
        current = waiting.pop()
        for entry in (*leads_to(current), *(taking_over(callers) if current is policy else ())):
            if entry.policy not in found:
                found[entry.policy] = plan.policies[entry.policy]
                waiting.append(found[entry.policy])
    return tuple(found.values())


def leads_to(policy: Policy) -> Iterator[PolicyEntry]:
    """Every policy that this one itself leads to: by its targets, by its rules, by what it says of a spent budget."""
    for entry in (*policy.entries, *(each for rule in policy.rules for each in rule.entries)):
        if isinstance(entry, PolicyEntry):
            yield entry
    yield from taking_over(policy.budgets)


def taking_over(budgets: Iterable[Budget]) -> tuple[PolicyEntry, ...]:
    """The policies that take over where one of these budgets is spent, each written one once."""
    found = [each.when_spent for each in budgets if each.when_spent is not None]
    return tuple(dict.fromkeys(found)) if found else ()


_Flat = tuple[TargetEntry, Policy, PathTo]


def _flatten(
    plan: Plan,
    policy: Policy,
    path: PathTo,
    snapshot: Snapshot,
    verdicts: list[tuple[str, Verdict]],
    rejects: dict[str, str],
    seen: set[Hashable],
) -> list[_Flat]:
    """The winning branch of `policy`, nested policies spliced in; their rules are read on the same snapshot. One that
    is come to again with the same ceilings, demands and budgets has nothing to add, and ways to it may multiply."""
    verdict = first_match(policy.rules, snapshot)
    if policy.rules:
        verdicts.append((policy.name, verdict))
    if verdict.rule and verdict.rule.reject is not None:
        rejects[policy.name] = verdict.rule.reject
        return []
    entries: tuple[Entry, ...] = verdict.rule.entries if verdict.rule else policy.entries
    flat: list[_Flat] = []
    for entry in entries:
        if isinstance(entry, TargetEntry):
            flat.append((entry, policy, path))
        else:
            below = plan.policies[entry.policy]
            there = path.into(below)
            if (way := (below.name, there.sums)) not in seen:
                seen.add(way)
                flat.extend(_flatten(plan, below, there, snapshot, verdicts, rejects, seen))
    return flat


def _preferred(plan: Plan, flat: list[_Flat], request: Request) -> list[_Flat]:
    """The caller's order first, then the policy's. A name that no file knows is the caller's mistake."""
    for name in (*request.prefer, *request.only):
        if name not in plan.targets:
            raise RequestError(
                f"`{name}` is no target of these policies{_whole_name(name, plan)}",
                help="prefer= and only= take targets as the policies write them: provider/model",
            )
    rank = {name: position for position, name in enumerate(request.prefer)}
    return sorted(flat, key=lambda item: rank.get(item[0].target, len(rank)))


def _whole_name(name: str, plan: Plan) -> str:
    """` (did you mean ...?)`, also for a model without its provider."""
    whole = next((target for target in sorted(plan.targets) if target.endswith(f"/{name}")), None)
    return did_you_mean(whole or name, plan.targets)


def _filtered(
    plan: Plan, flat: list[_Flat], snapshot: Snapshot, missing_key: MissingKey
) -> tuple[tuple[Candidate, ...], tuple[Dropped, ...]]:
    kept: list[Candidate] = []
    dropped: list[Dropped] = []
    for entry, policy, path in flat:
        target = plan.targets[entry.target]
        provider = plan.providers[target.provider]
        invoice, rates = _for_one_request(provider.budgets), provider.limits_of(target.model)
        there = path
        if invoice or rates:
            there = replace(path, per_request=(*path.per_request, *invoice), limits=(*path.limits, *rates))
        candidate = candidate_of(entry, policy, there, target, snapshot.request)
        reason = _why_not(candidate, path, kept, snapshot, missing_key)
        if reason is None:
            kept.append(candidate)
        else:
            dropped.append(
                Dropped(target=target.name, policy=policy.name, reason=reason[0], detail=reason[1])
            )
    return tuple(kept), tuple(dropped)


def candidate_of(
    entry: TargetEntry, policy: Policy, path: PathTo, target: Target, request: Request
) -> Candidate:
    params = _effective_params(policy.lexical.params, entry.params, request.params)
    lexical = _times(policy.lexical, entry)
    allowance = least(path.ceiling.output_tokens, output_request(params))
    form = asked(request.output, target, params) if request.output else None
    wanted = _with_allowance({**params, **form.params} if form else params, allowance)
    sent, left_out, missed = _taken(wanted, target, drop=lexical.params_unsupported == "drop")
    return Candidate(
        target=target,
        policy=policy.name,
        lexical=lexical,
        total_s=path.total_s,
        stream_s=path.stream_s,
        input_ceiling=path.ceiling.input_tokens,
        output_tokens=least(allowance, target.max_output_tokens),
        attempts_ceiling=path.ceiling.attempts,
        added_cost_nusd=path.ceiling.added_cost_nusd,
        budgets=path.budgets,
        per_request=path.per_request,
        limits=path.limits,
        params=sent,
        left_out=left_out,
        untaken=missed,
        method=form.method if form else None,
        added=form.messages if form else (),
        path=path.policies,
    )


def _times(lexical: Lexical, entry: TargetEntry) -> Lexical:
    """The settings of the policy, with the times that the target has of its own."""
    if entry.attempt_s is entry.first_content_s is entry.idle_s is None:  # nearly always
        return lexical
    own = {name: getattr(entry, name) for name in ("attempt_s", "first_content_s", "idle_s")}
    return replace(lexical, **{name: value for name, value in own.items() if value is not None})


def _effective_params(
    lexical: Mapping[str, Any], own: Mapping[str, Any], asked: Mapping[str, Any]
) -> dict[str, Any]:
    """Target over policy, the caller's over both; but `n` multiplies cost, so the caller may only lower it."""
    written = {**lexical, **own}
    choices = written.get("n", 1)
    if asked.get("n", 1) > choices:
        raise RequestError(
            f"`n={asked['n']}` asks for more choices than the policy allows (`{choices}`)",
            help="set `params: {n: ...}` in the policy: each choice costs, and a caller can't raise a ceiling",
        )
    return {**written, **asked}


def _with_allowance(params: Mapping[str, Any], allowance: int | None) -> dict[str, Any]:
    """The parameters as sent: one `max_tokens`, present where a ceiling or the caller set one."""
    sent = {
        name: value for name, value in params.items() if name not in ("max_tokens", "max_completion_tokens")
    }
    return sent if allowance is None else {**sent, "max_tokens": allowance}


def _taken(
    params: Mapping[str, Any], target: Target, *, drop: bool
) -> tuple[Mapping[str, Any], tuple[str, ...], tuple[str, ...]]:
    """(what is sent, what was left out of it, what can't be left out), by what the target takes."""
    found = untaken(params, target.refuses) if params and target.refuses else None
    if found is None:
        return params, (), ()
    without = {*found.idle, *(found.left_out if drop else ())}
    sent = {name: value for name, value in params.items() if name not in without}
    missed = found.kept if drop else {**found.left_out, **found.kept}
    return sent, tuple(found.left_out) if drop else (), tuple(missed.values())


def _why_not(
    candidate: Candidate,
    path: PathTo,
    kept: Sequence[Candidate],
    snapshot: Snapshot,
    missing_key: MissingKey,
) -> Refusal | None:
    """None: it may be tried; else why not."""
    target, only = candidate.target, snapshot.request.only
    if any(each.target.name == target.name and as_open(each, candidate) for each in kept):
        return DUPLICATE
    refused = unfit(target, path)
    if refused is not None:
        return refused
    if only and target.name not in only:
        return "not_in_only", f"the caller asked for only {', '.join(only)}"
    lacking = snapshot.needs - target.supports if target.supports is not None else frozenset()
    if lacking:
        return "capability", f"it has no {', '.join(sorted(lacking))}, which this request needs"
    lost = snapshot.forms & not_carried(target.kind, target.wire_model) if snapshot.forms else None
    if lost:
        return "capability", f"its requests carry no {', no '.join(sorted(lost))}{advice_on(lost)}"
    if candidate.untaken:
        return "parameter", f"it does not take {', '.join(candidate.untaken)}"
    missing = missing_key(target.provider)
    if missing is not None:
        return "missing_key", _missing_detail(missing)
    return None


def unfit(target: Target, path: PathTo) -> Refusal | None:
    """Why no request on this path may be served by `target`; None: some may."""
    if target.disabled_at is not None:
        return "disabled", f"`enabled: false` ({target.disabled_at})"
    most = least(path.ceiling.input_tokens, target.context_tokens)
    return refusal(target, path.demands, input_tokens=most)


def _missing_detail(ref: SecretRef) -> str:
    what = (
        f"variable `{ref.name}` is not set"
        if ref.source == "env"
        else f"file `{ref.name}` can't be read or is empty"
    )
    return f"{what} (asked for at {ref.place})"
