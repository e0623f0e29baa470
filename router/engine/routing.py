"""The first stages: rules on one snapshot, then the flat list, then what this request fits."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from math import inf

from router import events as ev
from router.decide import outcome
from router.decide.conditions import Snapshot
from router.decide.fit import fit, unpromised
from router.decide.jumps import jump_of
from router.decide.match import Jump, Matched, conditions_within, match, used_budget
from router.decide.needs import needs_of
from router.decide.params import output_request
from router.decide.parts import forms_of
from router.decide.transcript import params_for
from router.decide.windows import window_start
from router.engine.run import Run
from router.engine.stores import bypass
from router.errors import StoreError
from router.plan import Budget, BudgetUse, Candidate, Condition, Policy, Route, TokenClass
from router.ports import Balance, Counter
from router.values import SecretRef

RULES_COUNT_BY = TokenClass(method="exact", encoding="o200k_base", family="openai")
"""Rules look at one count of the input, whatever target follows."""


async def route(run: Run, policy: Policy) -> Route:
    run.ends_s = run.started_s + min(policy.total_s, run.request.timeout_s or inf)
    run.snapshot = await _snapshot(run, policy)
    return _matched(run, policy, run.snapshot, None)


def jumped(run: Run, route: Route) -> Route | None:
    """The list that takes the place of one of which nothing was sent, where no target fitted a budget that says so;
    once a request, and on the same snapshot. Raises NoRoute where it is empty."""
    called = run.plan.policies[route.policy]
    jump = None if route.jumped or run.sends else jump_of(run.plan, called, run.caller, run.short)
    if jump is None or run.snapshot is None:
        return None
    run.emit(
        ev.Jumped,
        from_policy=jump.left,
        budget=jump.budget.whose,
        rule=jump.budget.text,
        to_policy=jump.entry.policy,
    )
    run.refusals.clear()  # those to come decide how the request ends; these stay among its attempts
    return _matched(run, called, run.snapshot, jump)


def _matched(run: Run, policy: Policy, snapshot: Snapshot, jump: Jump | None) -> Route:
    matched = match(run.plan, policy, run.caller, snapshot, partial(missing_key, run), jump)
    _tell_rules(run, matched)
    run.drop(matched.dropped)
    if not matched.route.candidates:
        raise outcome.no_route(matched.route, run.dropped)
    return matched.route


def _tell_rules(run: Run, matched: Matched) -> None:
    for policy, verdict in matched.verdicts:
        for rule, lacking in verdict.unknown:
            run.emit(ev.RuleUnknown, policy=policy, rule=rule, field=lacking)
        if verdict.rule is not None:
            run.emit(ev.RuleMatched, policy=policy, rule=verdict.rule.name)


async def _snapshot(run: Run, policy: Policy) -> Snapshot:
    request, now_s = run.request, run.ports.clock.now_s()
    callers = run.caller.budgets if run.plan.handing_over else ()
    asked = conditions_within(run.plan, policy, callers)
    return Snapshot(
        request=request,
        needs=needs_of(request.messages, {**policy.lexical.params, **request.params}),
        forms=forms_of(request.messages),
        input_tokens=_counted(run) if any(each.field == "input_tokens" for each in asked) else None,
        output_tokens=output_request(request.params),
        local=datetime.fromtimestamp(now_s, run.zone),
        used=await _used(run, policy, asked, now_s),
    )


def _counted(run: Run) -> int:
    return run.input.estimate(run.request.params, RULES_COUNT_BY, context_tokens=None).tokens


async def _used(
    run: Run, policy: Policy, asked: Sequence[Condition], now_s: float
) -> Mapping[BudgetUse, tuple[int, int]]:
    """What the rules ask of budgets: none where no rule asks, one consistent read of calendar windows, and one of those
    that are rolling."""
    uses = {
        each.budget: used_budget(each.budget, run.plan, policy, run.caller) for each in asked if each.budget
    }
    met = [budget for budget in uses.values() if budget is not None]
    counters = {budget: _counter(budget, run, now_s) for budget in met if not budget.rolling}
    rolling = [budget for budget in met if budget.rolling]
    ledger = run.ports.ledger
    try:
        balances = await ledger.balances(list(counters.values()), wait_s=run.left_s()) if counters else {}
        held = await ledger.held(rolling, now_s=now_s, wait_s=run.left_s()) if rolling else {}
    except StoreError as error:
        bypass(run, "ledger", "balances", error)
        return {}  # nothing is known of them
    used = {budget: _used_of(budget, balances[counter]) for budget, counter in counters.items()}
    used |= {budget: (amount, budget.amount) for budget, amount in held.items()}
    return {use: used[budget] for use, budget in uses.items() if budget is not None}


def _used_of(budget: Budget, balance: Balance) -> tuple[int, int]:
    return balance.settled + balance.reserved, budget.amount + balance.granted


def _counter(budget: Budget, run: Run, now_s: float) -> Counter:
    start, _ = window_start(budget.window, now_s, run.zone)
    return Counter(owner=budget.owner, unit=budget.unit, window=budget.window, start=start)


def missing_key(run: Run, provider: str) -> SecretRef | None:
    """The reference to ask the user for, where this provider's address or all of its keys are missing."""
    url, keys = run.plan.providers[provider].base_url, run.plan.providers[provider].keys
    if isinstance(url, SecretRef) and run.ports.transport.needs_keys and run.ports.secrets.get(url) is None:
        return url  # without it the kind's own address would be called, with a key that is not meant for it
    return None if not keys or any(run.has_key(key) for key in keys) else keys[0].secret


def fitted(run: Run, route: Route) -> Route:
    """The candidates that this request fits, by their own count of its input. Raises NoRoute where none is left."""
    estimates = [run.estimate(candidate) for candidate in route.candidates]
    candidates, dropped = fit(route.candidates, estimates, run.budgets)
    run.drop(dropped)
    run.short = list(unpromised(route.candidates, estimates, candidates, run.budgets))
    if not candidates:
        raise outcome.no_route(route, run.dropped)
    candidates = tuple(_as_it_stands(run, each) for each in candidates)
    for each in candidates:
        if each.left_out:
            name = each.target.name
            run.emit(ev.ParamsLeftOut, target=name, policy=each.policy, params=each.left_out)
    run.emit(ev.Routed, targets=tuple(candidate.target.name for candidate in candidates))
    return replace(route, candidates=candidates)


def _as_it_stands(run: Run, candidate: Candidate) -> Candidate:
    """Without the parameters that its provider would refuse in this conversation."""
    target, given = candidate.target, candidate.params
    params = params_for(given, run.request.messages, kind=target.kind, model=target.wire_model)
    if params is given:
        return candidate
    left_out = tuple(name for name in given if name not in params)
    return replace(candidate, params=params, left_out=(*candidate.left_out, *left_out))
