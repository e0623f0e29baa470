"""What a call would meet: the engine's own stages over today's balances, stopped before anything is reserved.

Nothing here decides. Rules, the flat list, what fits, what an attempt needs and what refuses it come from the very
functions that a call runs through, so what is told is what happens.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal
from zoneinfo import ZoneInfo

from router import events as ev
from router.books.balance import BudgetNow, LimitNow
from router.decide.bounds import (
    BranchBound,
    Starved,
    bound_of,
    policy_bounds,
    starved,
    worst_attempt,
    worst_branch,
    worst_seconds,
)
from router.decide.estimate import cost_nusd
from router.decide.fit import Short as ShortOf
from router.decide.fit import Worst, fit
from router.decide.jumps import jumps_from
from router.decide.match import Jump, match, path_of
from router.decide.outcome import all_open
from router.decide.prices import price_at
from router.decide.scopes import NOBODY, Caller, called_policy, caller
from router.engine import Ports, health, routing
from router.engine.run import Run
from router.engine.telling import tell_passed_over
from router.errors import Dropped, Rejected, RequestError, RouterError
from router.plan import BreakerRule, Budget, Candidate, Plan, Policy, PriceTable, Route, TokenClass
from router.policy.wires import wire_of
from router.tools.figures import seconds
from router.tools.limits_met import of_request
from router.tools.price_texts import PriceThen, prices_from
from router.tools.remedy import Short, advice, is_full
from router.tools.room import Listed, listed, worst_of_call
from router.values import Place, Request, SecretRef, Usage


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
    has a price of its own. `prices`: today's, then those that come. `breaker`: what may refuse it after
    failures; None: nothing. `refused`: why a reservation would fail now.
    """

    target: str
    policy: str
    wire: Literal["lean", "litellm"]
    tokens: TokenClass
    sends: int
    attempt_s: float | None
    input_tokens: int | None
    input_bound: int | None
    output_bound: int | None
    likely_nusd: int | None
    worst_nusd: int | None
    prices: tuple[PriceThen, ...]
    breaker: BreakerRule | None
    refused: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Landing:
    """The list that takes over now, because nothing of the first one fits `rule`, a budget of `budget`."""

    budget: str
    rule: str
    policy: str
    offers: tuple[Offer, ...]
    dropped: tuple[Dropped, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """`passes`: such a call would be sent to some target now, be it one of the `landing`. `this_call` bounds the flat
    lists that this request may come to; None without a prompt, or where it is refused."""

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
    landing: Landing | None
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
    matched, fitted, refusal, read = await _routed(run, policy)
    bound = _bound_of_call(run, policy, fitted)
    passing, shut = await _let_pass(run, fitted, refusal)
    first = await listed(run, policy, passing.candidates if passing else ())
    at_once = [first.limits[limit] for limit in of_request(run, policy)]
    full = any(map(is_full, at_once))
    dropped, jump, second = tuple(run.dropped), None, None
    if matched is not None and not (fitted and full):
        jump, landed, refusal = _handed_over(run, matched, first, shut)
        second = await listed(run, policy, landed) if jump else None
    lists = [first] if second is None else [first, second]
    return Explanation(
        policy=policy.name,
        description=policy.description,
        place=policy.place,
        tenant=request.tenant,
        user=request.user,
        session=request.session,
        tags=request.tags,
        prompted=bool(request.messages),
        passes=lists[-1].has_room and not full,
        refusal=refusal,
        rules=tuple(_rule_outcomes(policy, run.trace, read=read)),
        offers=_offers(run, first),
        dropped=dropped,
        landing=_landing(run, jump, second, len(dropped)) if jump and second else None,
        this_call=bound,
        branches=policy_bounds(plan, policy, run.caller),
        budgets=tuple({budget: now for each in lists for budget, now in each.budgets.items()}.values()),
        limits=tuple({limit: now for each in lists for limit, now in each.limits.items()}.values()),
        advice=advice(
            plan,
            [short for each in lists for short in each.shorts],
            at_once,
            now_s=ports.clock.now_s(),
        ),
        notes=(
            *_notes(plan, request),
            *_left_out(first.candidates),
            *map(_starving, starved(first.candidates)),
        ),
        missing_keys=tuple(_missing_keys(plan, ports, first.candidates)) if assumed else (),
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


async def _routed(run: Run, policy: Policy) -> tuple[Route | None, Route | None, Refusal | None, bool]:
    """(the list, what of it fits, the refusal, whether rules were read)."""
    called, matched = False, None
    try:
        run.caller = _caller(run)
        called = True
        matched = await routing.route(run, policy)
        return matched, routing.fitted(run, matched), None, True
    except (Rejected, RequestError) as error:
        return matched, None, _refusal(error), called and not isinstance(error, RequestError)


async def _let_pass(
    run: Run, fitted: Route | None, refusal: Refusal | None
) -> tuple[Route | None, Refusal | None]:
    """What breakers let pass of the list now: the others are left out, as a call would leave them out."""
    if fitted is None:
        return None, refusal
    known = await health.first_look(run, fitted)
    judged = known.judged(fitted, run.ports.clock.now_s())
    tell_passed_over(run, fitted, known.breakers, judged, sorted(judged.shut))
    rest = tuple(each for at, each in enumerate(fitted.candidates) if at not in judged.shut)
    if rest:
        return replace(fitted, candidates=rest), refusal
    return None, _refusal(all_open(fitted, run.dropped, run.may_pass_in_s() or 0.0))


def _refusal(error: RouterError) -> Refusal:
    return Refusal(type=type(error).__name__, message=error.message, help=error.help)


def _handed_over(
    run: Run, matched: Route, first: Listed, refusal: Refusal | None
) -> tuple[ev.Jumped | None, tuple[Candidate, ...], Refusal | None]:
    """(the jump that such a call makes now, where it goes on, why it is refused); as the engine makes it."""
    run.short += () if first.has_room else first.unsent
    seen = len(run.trace)
    try:
        landing = None if first.has_room else routing.jumped(run, matched)
        candidates = routing.fitted(run, landing).candidates if landing else ()
    except (Rejected, RequestError) as error:
        candidates, refusal = (), _refusal(error)
    jump = next((event for event in run.trace[seen:] if isinstance(event, ev.Jumped)), None)
    return jump, candidates, None if candidates else refusal


def _landing(run: Run, jump: ev.Jumped, listed: Listed, dropped: int) -> Landing:
    """`dropped`: how many were dropped before it."""
    return Landing(
        budget=jump.budget,
        rule=jump.rule,
        policy=jump.to_policy,
        offers=_offers(run, listed),
        dropped=tuple(run.dropped[dropped:]),
    )


def _caller(run: Run) -> Caller:
    """Without a tenant, nobody in particular: what holds for every caller can be told all the same."""
    return NOBODY if run.request.tenant is None else caller(run.plan, run.request)


def _notes(plan: Plan, request: Request) -> Iterator[str]:
    if request.tenant is None and plan.tenants:
        callers = sorted(path for path, each in plan.tenants.items() if _may_call(plan, path, request.policy))
        yield f"a call must name its tenant; these may call it: {', '.join(callers) or 'none'}"
    if not request.messages:
        yield "no prompt: figures are those of the policy's ceilings, and rules see an empty input"


def _left_out(candidates: Sequence[Candidate]) -> Iterator[str]:
    for each in candidates:
        if each.left_out:
            names = ", ".join(f"`{name}`" for name in each.left_out)
            yield f"`{each.target.name}` is called without {names}, which it does not take"


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


def _offers(run: Run, listed: Listed) -> tuple[Offer, ...]:
    each = zip(listed.candidates, listed.worsts, listed.shorts, strict=True)
    return tuple(_offer(run, candidate, worst, shorts) for candidate, worst, shorts in each)


def _offer(run: Run, candidate: Candidate, worst: Worst | None, shorts: Sequence[Short]) -> Offer:
    target, lexical, now_s = candidate.target, candidate.lexical, run.ports.clock.now_s()
    likely = run.estimate(candidate).tokens if run.request.messages else None
    output = worst.output_tokens if worst and candidate.output_tokens is not None else None
    return Offer(
        target=target.name,
        policy=candidate.policy,
        wire=wire_of(target.kind, run.plan.providers[target.provider].by),
        tokens=target.tokens,
        sends=lexical.retry.attempts,
        attempt_s=lexical.attempt_s,
        input_tokens=likely,
        input_bound=worst.input_tokens if worst else None,
        output_bound=output,
        likely_nusd=_likely_nusd(price_at(target, now_s), likely, output),
        worst_nusd=_worst_nusd(candidate, worst),
        prices=prices_from(target, now_s),
        breaker=candidate.breaker,
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


def _bound_of_call(run: Run, policy: Policy, fitted: Route | None) -> BranchBound | None:
    """The worst of its own list, and of every list that may take over from it before anything is sent."""
    if not run.request.messages:
        return None
    called = path_of(run.caller).into(policy)
    lists = [(fitted, called)] if fitted else []
    for jump in _possible(run, policy, fitted):
        landing = _landing_of(run, policy, jump)
        lists += [(landing, jump.path.into(run.plan.policies[jump.entry.policy]))] if landing else []
    bounds = [_bound_of_list(run, policy, route, path.per_request) for route, path in lists]
    return replace(worst_branch(bounds), branch=bounds[0].branch) if bounds else None


def _bound_of_list(run: Run, policy: Policy, route: Route, caps: Sequence[Budget]) -> BranchBound:
    costs = {each.target.name: _worst_nusd(each, worst_of_call(run, each)) for each in route.candidates}
    name = f"rule {route.rule}" if route.rule else "targets"
    bound = bound_of(name, route.candidates, policy, lambda each: costs[each.target.name], caps=caps)
    return replace(bound, seconds=worst_seconds(route.candidates, route.total_s))


def _possible(run: Run, policy: Policy, fitted: Route | None) -> Iterator[Jump]:
    """Every jump that this call may make, whatever is left of its budgets: by those of what it comes to first."""
    first = next((each.candidate for each in run.short), None) or next(
        iter(fitted.candidates if fitted else ()), None
    )
    if first is not None:
        held = (*first.budgets, *first.per_request, *run.caller.budgets)
        yield from jumps_from(run.plan, policy, run.caller, [ShortOf(candidate=first, budgets=held)])


def _landing_of(run: Run, policy: Policy, jump: Jump) -> Route | None:
    """What fits of the list that it leads to; None where nothing does."""
    if run.snapshot is None:
        return None
    try:
        matched = match(run.plan, policy, run.caller, run.snapshot, partial(routing.missing_key, run), jump)
    except RequestError:
        return None
    estimates = [run.estimate(each) for each in matched.route.candidates]
    candidates, _ = fit(matched.route.candidates, estimates, run.budgets)
    return replace(matched.route, candidates=candidates) if candidates else None
