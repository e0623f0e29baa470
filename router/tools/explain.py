"""What a call would meet: the engine's own stages over today's balances, stopped before anything is reserved.

Nothing here decides. Rules, the flat list, what fits, what an attempt needs and what refuses it come from the very
functions that a call runs through, so what is told is what happens.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from zoneinfo import ZoneInfo

from router import events as ev
from router.books.balance import BudgetNow, LimitNow, budgets_now, limits_now
from router.decide.bounds import (
    BranchBound,
    Starved,
    bound_of,
    policy_bounds,
    starved,
    worst_attempt,
    worst_seconds,
)
from router.decide.estimate import cost_nusd
from router.decide.fit import Worst, hard, worst_of
from router.decide.match import path_of
from router.decide.outcome import budget_exceeded
from router.decide.prices import price_at
from router.decide.reserve import needs_of_budgets, request_shortfalls, rolling_takes
from router.decide.scopes import NOBODY, Caller, called_policy, caller
from router.engine import Ports, routing
from router.engine.run import Run
from router.errors import Dropped, Rejected, RequestError
from router.plan import Budget, Candidate, Key, Limit, Plan, Policy, PriceTable, Route, TokenClass
from router.tools.figures import seconds
from router.tools.limits_met import limited_keys, limits_met, of_request, short_of_limits
from router.tools.price_texts import PriceThen, prices_from
from router.tools.remedy import Short, advice, is_full
from router.values import Kind, Place, Request, SecretRef, Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """The error a call would meet before anything is sent."""

    type: str
    message: str
    help: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleOutcome:
    """`outcome`: "holds", "does not hold", "not read" (one before it held, or the call was refused
    before any was), "unknown" (`lacking` names the field)."""

    policy: str
    name: str
    place: Place
    outcome: str
    lacking: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A target of the flat list, and what one attempt at it takes.

    With a prompt the figures are of that request; without one `input_bound`, `output_bound` and `worst_nusd` are
    those of the policy's ceilings, and nothing is likely. None: unknown or unbounded. `likely_nusd` is the likely
    input and the whole output allowance at today's prices of ordinary tokens; what is worst is so on every day that
    has a price of its own. `prices`: today's, then those that come. `refused`: why a reservation would fail now.
    """

    target: str
    policy: str
    tokens: TokenClass
    sends: int
    attempt_s: float | None
    input_tokens: int | None
    input_bound: int | None
    output_bound: int | None
    likely_nusd: int | None
    worst_nusd: int | None
    prices: tuple[PriceThen, ...]
    refused: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """`passes`: such a call would be sent to some target now. `this_call` bounds the flat list of this request; None
    without a prompt, or where it is refused."""

    policy: str
    description: str
    place: Place
    tenant: str | None
    user: str | None
    session: str | None
    tags: tuple[str, ...]
    prompted: bool
    passes: bool
    refusal: Refusal | None
    rules: tuple[RuleOutcome, ...]
    offers: tuple[Offer, ...]
    dropped: tuple[Dropped, ...]
    this_call: BranchBound | None
    branches: tuple[BranchBound, ...]
    budgets: tuple[BudgetNow, ...]
    limits: tuple[LimitNow, ...]
    advice: tuple[str, ...]
    notes: tuple[str, ...]
    missing_keys: tuple[SecretRef, ...]


class _AssumedSecrets:
    """Every key is there. Nothing is sent while explaining."""

    def get(self, ref: SecretRef) -> str | None:
        return ""


async def explain(plan: Plan, ports: Ports, request: Request, *, assume_keys: bool = False) -> Explanation:
    """Explain `request`; one without messages asks about the policy as such, wherever it will run: with all keys.

    Raises RequestError for a policy that does not exist, StoreError where balances can't be read.
    """
    policy = called_policy(plan, request)
    assumed = assume_keys or not request.messages
    run = _run(plan, replace(ports, secrets=_AssumedSecrets()) if assumed else ports, request)
    route, refusal, read = await _routed(run, policy)
    candidates = route.candidates if route else ()
    budgets = await budgets_now(
        ports.ledger, _budgets_met(run, policy, candidates), now_s=ports.clock.now_s(), zone=run.zone
    )
    limits = await limits_now(ports.limiter, limits_met(run, policy, candidates), now_s=ports.clock.now_s())
    at_once = [limits[limit] for limit in of_request(run, policy)]
    costs = [(each, _worst(run, each)) for each in candidates]
    keys, now_s = await limited_keys(run, candidates), ports.clock.now_s()
    shorts = [
        _shorts(run, policy, each, _worst(run, each, at_s=now_s), budgets, limits, keys)
        for each in candidates
    ]
    return Explanation(
        policy=policy.name,
        description=policy.description,
        place=policy.place,
        tenant=request.tenant,
        user=request.user,
        session=request.session,
        tags=request.tags,
        prompted=bool(request.messages),
        passes=_comes_to_room(candidates, shorts) and not any(map(is_full, at_once)),
        refusal=refusal,
        rules=tuple(_rule_outcomes(policy, run.trace, read=read)),
        offers=tuple(
            _offer(run, each, worst, short) for (each, worst), short in zip(costs, shorts, strict=True)
        ),
        dropped=tuple(run.dropped),
        this_call=_bound_of_call(run, policy, route),
        branches=policy_bounds(plan, policy, run.caller),
        budgets=tuple(budgets.values()),
        limits=tuple(limits.values()),
        advice=advice(plan, shorts, at_once, now_s=ports.clock.now_s()),
        notes=(*_notes(plan, request), *map(_starving, starved(candidates))),
        missing_keys=tuple(_missing_keys(plan, ports, candidates)) if assumed else (),
    )


# --- Routing ----------------------------------------------------------------------------------------------------------


def _run(plan: Plan, ports: Ports, request: Request) -> Run:
    zone = ZoneInfo(plan.settings.time_zone)
    return Run(
        plan=plan,
        ports=ports,
        request=request,
        caller=NOBODY,
        zone=zone,
        started_s=ports.clock.mono_s(),
        input=ports.tokens.reader(request.messages),
    )


async def _routed(run: Run, policy: Policy) -> tuple[Route | None, Refusal | None, bool]:
    """(the list, the refusal, whether rules were read): one of the first two."""
    called = False
    try:
        run.caller = _caller(run)
        called = True
        return routing.fitted(run, await routing.route(run, policy)), None, True
    except (Rejected, RequestError) as error:
        refusal = Refusal(type=type(error).__name__, message=error.message, help=error.help)
        return None, refusal, called and not isinstance(error, RequestError)


def _caller(run: Run) -> Caller:
    """Without a tenant, nobody in particular: what holds for every caller can be told all the same."""
    return NOBODY if run.request.tenant is None else caller(run.plan, run.request)


def _notes(plan: Plan, request: Request) -> Iterator[str]:
    if request.tenant is None and plan.tenants:
        callers = sorted(path for path, each in plan.tenants.items() if _may_call(plan, path, request.policy))
        yield f"a call must name its tenant; these may call it: {', '.join(callers) or 'none'}"
    if not request.messages:
        yield "no prompt: figures are those of the policy's ceilings, and rules see an empty input"


def _starving(found: Starved) -> str:
    name = f"`{found.target}` is not tried when those before it use up their sends"
    if found.after_s is None:
        return f"{name}: those are {found.after_sends}, and `ceiling: {{attempts: {found.attempts}}}` holds"
    return f"{name} and each takes its time: that is {seconds(found.after_s)}, and it has {seconds(found.total_s)}"


def _missing_keys(plan: Plan, ports: Ports, candidates: Sequence[Candidate]) -> Iterator[SecretRef]:
    """The addresses and keys that were assumed and are not to be had here: those of providers without any other."""
    run = _run(plan, ports, Request(id="", policy="", messages=()))
    for name in dict.fromkeys(each.target.provider for each in candidates):
        url, keys = plan.providers[name].base_url, plan.providers[name].keys
        if isinstance(url, SecretRef) and ports.transport.needs_keys and ports.secrets.get(url) is None:
            yield url
        if keys and not any(run.has_key(key) for key in keys):
            yield from (key.secret for key in keys if key.secret is not None)


def _may_call(plan: Plan, path: str, policy: str) -> bool:
    segments = path.split("/")
    chain = [plan.tenants.get("/".join(segments[: depth + 1])) for depth in range(len(segments))]
    return all(each is None or each.policies is None or policy in each.policies for each in chain)


def _rule_outcomes(policy: Policy, trace: Sequence[ev.Event], *, read: bool) -> Iterator[RuleOutcome]:
    """Each rule of the called policy."""
    unknown = {(each.policy, each.rule): each.field for each in trace if isinstance(each, ev.RuleUnknown)}
    matched = {(each.policy, each.rule) for each in trace if isinstance(each, ev.RuleMatched)}
    over = not read
    for rule in policy.rules:
        key = (policy.name, rule.name)
        lacking = unknown.get(key, "")
        outcome = (
            "not read" if over else "holds" if key in matched else "unknown" if lacking else "does not hold"
        )
        over = over or key in matched
        yield RuleOutcome(
            policy=policy.name, name=rule.name, place=rule.place, outcome=outcome, lacking=lacking
        )


# --- Costs ------------------------------------------------------------------------------------------------------------


def _worst(run: Run, candidate: Candidate, *, at_s: float | None = None) -> Worst | None:
    """Of this request, or of the ceilings where there is no prompt; None where nothing bounds the input. At the price
    of `at_s`, or of the dearest day: a call may be sent again after midnight."""
    if run.request.messages:
        return run.worst(candidate, at_s=at_s)
    bounds = [each for each in (candidate.input_ceiling, candidate.target.context_tokens) if each is not None]
    return worst_of(candidate, min(bounds), at_s=at_s) if bounds else None


def _offer(run: Run, candidate: Candidate, worst: Worst | None, shorts: Sequence[Short]) -> Offer:
    target, lexical, now_s = candidate.target, candidate.lexical, run.ports.clock.now_s()
    likely = run.estimate(candidate).tokens if run.request.messages else None
    output = worst.output_tokens if worst and candidate.output_tokens is not None else None
    return Offer(
        target=target.name,
        policy=candidate.policy,
        tokens=target.tokens,
        sends=lexical.retry.attempts,
        attempt_s=lexical.attempt_s,
        input_tokens=likely,
        input_bound=worst.input_tokens if worst else None,
        output_bound=output,
        likely_nusd=_likely_nusd(price_at(target, now_s), likely, output),
        worst_nusd=_worst_nusd(candidate, worst),
        prices=prices_from(target, now_s),
        refused=tuple(short.message for short in shorts),
    )


def _likely_nusd(
    prices: PriceTable | None, input_tokens: int | None, output_tokens: int | None
) -> int | None:
    if prices is None or input_tokens is None or output_tokens is None:
        return None
    return cost_nusd(prices, Usage(input_tokens=input_tokens, output_tokens=output_tokens))


def _worst_nusd(candidate: Candidate, worst: Worst | None) -> int | None:
    """What a reservation holds; None where the price is unknown or nothing bounds the attempt."""
    ceilings = worst_attempt(candidate)
    return worst.nusd if worst and candidate.output_tokens is not None else ceilings


def _bound_of_call(run: Run, policy: Policy, route: Route | None) -> BranchBound | None:
    if route is None or not run.request.messages:
        return None
    costs = {each.target.name: _worst_nusd(each, _worst(run, each)) for each in route.candidates}
    name = f"rule {route.rule}" if route.rule else "targets"
    caps = path_of(run.caller).into(policy).per_request
    bound = bound_of(name, route.candidates, policy, lambda each: costs[each.target.name], caps=caps)
    return replace(bound, seconds=worst_seconds(route.candidates, route.total_s))


# --- Budgets and limits -----------------------------------------------------------------------------------------------


def _budgets_met(run: Run, policy: Policy, candidates: Sequence[Candidate]) -> Iterator[Budget]:
    """Every budget that this call meets: the caller's, the policies', the providers'; the last also without a list."""
    yield from run.caller.budgets
    yield from policy.budgets
    for candidate in candidates:
        yield from (*candidate.per_request, *candidate.budgets, *run.budgets(candidate.target.provider))


def _shorts(
    run: Run,
    policy: Policy,
    candidate: Candidate,
    worst: Worst | None,
    budgets: Mapping[Budget, BudgetNow],
    limits: Mapping[Limit, LimitNow],
    keys: Mapping[str, Sequence[Key]],
) -> tuple[Short, ...]:
    """What would refuse one attempt now, in the words of the refusal."""
    if worst is None:
        return ()
    adds = not run.request.messages or bool(run.estimate(candidate).unbounded)
    short = partial(Short, candidate=candidate, worst=worst, adds=adds, at_s=run.ports.clock.now_s())
    return (
        *_over_request_budget(candidate, worst, budgets, short),
        *_over_budgets(run, candidate, worst, budgets, short),
        *short_of_limits(run, policy, candidate, worst, limits, keys, short),
    )


def _comes_to_room(candidates: Sequence[Candidate], shorts: Sequence[Sequence[Short]]) -> bool:
    """Whether a target has room, and each before it that has none is one to fall back from for that."""
    for candidate, short in zip(candidates, shorts, strict=True):
        if not short:
            return True
        kind = Kind.OVER_BUDGET if any(each.budget for each in short) else Kind.OVER_LIMIT
        if kind not in candidate.lexical.fall_back_on:
            return False
    return False


def _over_request_budget(
    candidate: Candidate, worst: Worst, budgets: Mapping[Budget, BudgetNow], short: Callable[..., Short]
) -> Iterator[Short]:
    for budget, needed, left in request_shortfalls(candidate, worst, {}):
        error = budget_exceeded(candidate.target.name, budget, needed, left, None)
        yield short(message=error.message, budget=budgets[budget], needed=needed)


def _over_budgets(
    run: Run,
    candidate: Candidate,
    worst: Worst,
    budgets: Mapping[Budget, BudgetNow],
    short: Callable[..., Short],
) -> Iterator[Short]:
    met = (*run.budgets(candidate.target.provider), *candidate.budgets)
    lasting = [budget for budget in hard(met) if budget.window != "request"]
    for budget, needed, _, resets_at_s in needs_of_budgets(lasting, worst, run.ports.clock.now_s(), run.zone):
        now = budgets[budget]
        if needed > max(now.left, 0):
            error = budget_exceeded(candidate.target.name, budget, needed, max(now.left, 0), resets_at_s)
            yield short(message=error.message, budget=now, needed=needed)
    for budget, needed in rolling_takes(lasting, worst):
        now = budgets[budget]
        if needed > max(now.left, 0):
            error = budget_exceeded(candidate.target.name, budget, needed, max(now.left, 0), None)
            yield short(message=error.message, budget=now, needed=needed)
