"""One attempt: reserve its worst case, mark sent, send, settle. One durable row each, which ends however this ends."""

from typing import cast

from router import events as ev
from router.decide import outcome, settle
from router.decide.fit import Short, Worst
from router.decide.judge import cooling_s
from router.decide.reserve import (
    needs_of_budgets,
    request_shadows,
    request_shortfalls,
    rolling_takes,
    token_takes,
)
from router.decide.step import Failure, Try
from router.engine import shadows
from router.engine.run import LEASE_S, RENEW_EVERY_S, Run
from router.engine.stores import bypass, free
from router.errors import Attempt, ProviderError, StoreError
from router.plan import Budget, Candidate, Route, Sliding
from router.ports import (
    Charge,
    Counter,
    Hold,
    Outcome,
    Pending,
    Refused,
    Settlement,
    Shortfall,
    Take,
    WireCall,
    WireReply,
)
from router.values import Kind, Reply, SecretRef, Usage


async def attempt(run: Run, route: Route, step: Try) -> Reply | Failure:
    """Try one candidate with one key. What does not fit a budget or limit is a failure that was never sent."""
    candidate, ends_s = route.candidates[step.index], run.ports.clock.mono_s() + step.timeout_s
    worst = run.worst(candidate)
    hold = _hold(run, route, candidate, worst)
    call = _wire_call(run, candidate, hold, step)
    refused = await _reserve(run, candidate, hold, worst)
    if refused is not None:
        return Failure(index=step.index, key=step.key, kind=refused, sent=False)
    if run.ports.clock.mono_s() >= ends_s:  # the store was busy for longer than there was time
        await _release(run, hold)
        run.short.append(Short(candidate=candidate, budgets=()))
        return Failure(index=step.index, key=step.key, kind=Kind.TIMEOUT, sent=False)
    await _mark_sent(run, hold)
    started_s, pending = run.ports.clock.mono_s(), None
    try:
        run.emit(ev.AttemptSent, attempt=hold.id, target=hold.target, key=step.key, timeout_s=step.timeout_s)
        pending = run.ports.transport.start(call)
        wire = await _outcome(run, hold, step, pending, ends_s)
    except ProviderError as error:
        await _failed(run, candidate, hold, step, error, run.ports.clock.mono_s() - started_s)
        return Failure(index=step.index, key=step.key, kind=error.kind, retry_after_s=error.retry_after_s)
    except BaseException:
        await _given_up(run, candidate, hold, pending)
        raise
    return await _answered(run, route, step, hold, wire, run.ports.clock.mono_s() - started_s)


# --- Reserve ----------------------------------------------------------------------------------------------------------


def _hold(run: Run, route: Route, candidate: Candidate, worst: Worst) -> Hold:
    now_s = run.ports.clock.now_s()
    budgets = (*run.budgets(candidate.target.provider), *candidate.budgets)
    charges = tuple(
        Charge(
            counter=Counter(owner=budget.owner, unit=budget.unit, window=budget.window, start=start),
            needed=needed,
            budget=budget,
            resets_at_s=resets_at_s,
        )
        for budget, needed, start, resets_at_s in needs_of_budgets(
            budgets, worst, now_s, run.zone, counted=run.counted
        )
    )
    takes: tuple[tuple[Sliding, int], ...] = (
        *rolling_takes(budgets, worst, counted=run.counted),
        *token_takes(route.limits, worst),
    )
    return Hold(
        id=run.ports.draw.id(),
        request_id=run.request.id,
        attempt=run.sends + 1,
        policy=route.policy,
        tenant=run.request.tenant,
        user=run.request.user,
        target=candidate.target.name,
        plan_digest=run.plan.digest,
        prices_digest=run.plan.prices_digest,
        worst_nusd=worst.nusd or 0,
        worst_tokens=worst.input_tokens + worst.output_tokens,
        charges=charges,
        takes=tuple(Take(limit=limit, amount=amount) for limit, amount in takes),
        now_s=now_s,
        lease_s=LEASE_S,
    )


async def _reserve(run: Run, candidate: Candidate, hold: Hold, worst: Worst) -> Kind | None:
    """None: reserved. Else why not; nothing is held then."""
    over = request_shortfalls(candidate, worst, run.spent)
    if over:
        run.short.append(Short(candidate=candidate, budgets=tuple(budget for budget, _, _ in over)))
        return _refused(run, hold, 0, *(outcome.budget_exceeded(hold.target, *each, None) for each in over))
    try:
        granted = await run.ports.ledger.reserve(hold)
    except StoreError as error:
        bypass(run, "ledger", "reserve", error)
        run.rowless.add(hold.id)
        return None
    except BaseException:  # cancelled on the way: it may have been granted
        await free(run, hold)
        raise
    if isinstance(granted, Refused):
        full = tuple(each.budget for each in granted.shortfalls if each.budget is not None)
        run.short.append(Short(candidate=candidate, budgets=full))
        return _refused(run, hold, granted.seq, *(_refusal(hold, each) for each in granted.shortfalls))
    shadows.tell_attempt(run, hold, granted, request_shadows(candidate, worst, run.spent))
    run.emit(
        ev.Reserved,
        attempt=hold.id,
        target=hold.target,
        input_tokens=worst.input_tokens,
        output_tokens=worst.output_tokens,
        worst_nusd=hold.worst_nusd,
        budgets=tuple(budget.whose for budget in _budgets_of(hold)),
        seq=granted.seq,
    )
    return None


def _budgets_of(hold: Hold) -> tuple[Budget, ...]:
    """All that it is charged to, those that are rolling last."""
    rolling = (take.limit for take in hold.takes if isinstance(take.limit, Budget))
    return (*(charge.budget for charge in hold.charges), *rolling)


async def _release(run: Run, hold: Hold) -> None:
    if hold.id in run.rowless:
        return
    try:
        await run.ports.ledger.release(hold.id, now_s=run.ports.clock.now_s())
    except StoreError as error:
        bypass(run, "ledger", "release", error)


def _refused(run: Run, hold: Hold, seq: int, *refusals: outcome.Refusal) -> Kind:
    kind = outcome.kind_of(refusals)
    run.emit(
        ev.ReserveRefused,
        target=hold.target,
        kind=kind,
        worst_nusd=hold.worst_nusd,
        shortfalls=tuple(refusal.message for refusal in refusals),
        seq=seq,
    )
    run.refusals.extend(refusals)
    run.attempts.append(
        Attempt(target=hold.target, key=None, kind=kind, message=refusals[0].message, sent=False)
    )
    return kind


def _refusal(hold: Hold, short: Shortfall) -> outcome.Refusal:
    if short.budget is not None:
        return outcome.budget_exceeded(
            hold.target, short.budget, short.needed, short.available, short.resets_at_s
        )
    assert short.limit is not None  # noqa: S101 - a shortfall is of one or the other
    after_s = max(0.0, (short.resets_at_s or hold.now_s) - hold.now_s)
    return outcome.token_limit_exceeded(hold.target, short.limit, short.needed, short.available, after_s)


# --- Send -------------------------------------------------------------------------------------------------------------


async def _mark_sent(run: Run, hold: Hold) -> None:
    """Durable before the first byte. Where that can't be written nothing is sent, and the hold is given back; where it
    may have been written, unheard, the row costs nothing either. An open ledger sends all the same."""
    try:
        if hold.id not in run.rowless:
            await run.ports.ledger.mark_sent(hold.id, now_s=run.ports.clock.now_s())
    except StoreError as error:
        if not run.plan.settings.on_store_error.opens("ledger"):
            await _unsend(run, hold)
        bypass(run, "ledger", "mark_sent", error)
    except BaseException:
        await _unsend(run, hold)
        raise
    run.sends += 1


async def _unsend(run: Run, hold: Hold) -> None:
    """Nothing has left, and nothing will: whatever the ledger has heard, it holds nothing for this row."""
    if hold.id in run.rowless:
        return
    await free(run, hold)
    unsent = Settlement(cost_nusd=0, usage=None, how="unsent", kind=None, now_s=run.ports.clock.now_s())
    try:
        await run.ports.ledger.settle(hold.id, unsent)
    except StoreError as error:
        run.emit(ev.SettleFailed, attempt=hold.id, why=error.message)


async def _outcome(run: Run, hold: Hold, step: Try, pending: Pending, ends_s: float) -> WireReply:
    """Keep the lease and the deadline while the provider works. Raises ProviderError; leaves nothing on the wire."""
    transport, clock = run.ports.transport, run.ports.clock
    done = None
    try:
        while done is None:
            left_s = ends_s - clock.mono_s()
            if left_s <= 0:
                break
            done = await transport.wait((pending,), min(left_s, RENEW_EVERY_S))
            if done is None and clock.mono_s() < ends_s:
                await _renew(run, hold)
    finally:
        await transport.cancel(pending)
    if done is not None:
        return cast(WireReply, transport.result(pending))
    raise ProviderError(
        f"no answer within {step.timeout_s:g} s",
        kind=Kind.TIMEOUT,
        target=hold.target,
        sent=transport.sent(pending),
    )


async def _renew(run: Run, hold: Hold) -> None:
    """A store that can't do it now may the next time; a lease that lapses costs the worst case, no call."""
    until_s = run.ports.clock.now_s() + LEASE_S
    try:
        if hold.id not in run.rowless:
            await run.ports.ledger.renew(hold.id, lease_until_s=until_s)
        if run.permit:
            await run.ports.limiter.renew(run.request.id, lease_until_s=until_s)
    except StoreError as error:
        run.emit(ev.RenewFailed, attempt=hold.id, why=error.message)
        return
    run.emit(ev.LeaseRenewed, attempt=hold.id, until_s=until_s)


def _wire_call(run: Run, candidate: Candidate, hold: Hold, step: Try) -> WireCall:
    target = candidate.target
    provider = run.plan.providers[target.provider]
    url = provider.base_url
    key = next((each.secret for each in provider.keys if each.name == step.key), None)
    return WireCall(
        attempt=hold.id,
        target=target.name,
        kind=target.kind,
        model=target.wire_model,
        messages=run.request.messages,
        params=candidate.params,
        timeout_s=step.timeout_s,
        base_url=run.ports.secrets.get(url) if isinstance(url, SecretRef) else url,
        api_key=run.ports.secrets.get(key) if key else None,
        wire=provider.wire,
    )


# --- Settle -----------------------------------------------------------------------------------------------------------


async def _answered(
    run: Run, route: Route, step: Try, hold: Hold, wire: WireReply, duration_s: float
) -> Reply:
    candidate = route.candidates[step.index]
    usage = wire.usage or _counted(run, candidate, wire)
    ending = settle.answered(candidate.target.prices, usage)
    run.emit(
        ev.AttemptAnswered,
        attempt=hold.id,
        target=hold.target,
        key=step.key,
        usage=usage,
        finish_reason=wire.finish_reason,
        duration_s=duration_s,
    )
    await _settle(run, candidate, hold, ending)
    await _note(run, candidate, step, None)
    return Reply(
        request_id=run.request.id,
        policy=route.policy,
        target=hold.target,
        model=wire.model,
        message=wire.choices[0]["message"],
        choices=wire.choices,
        finish_reason=wire.finish_reason,
        usage=usage,
        cost_nusd=None if candidate.target.prices is None else ending.cost_nusd,
        cached=False,
        created_s=int(run.ports.clock.now_s()),
    )


def _counted(run: Run, candidate: Candidate, wire: WireReply) -> Usage:
    """Usage where the provider reported none: the input at its bound, the output as counted."""
    encoding = candidate.target.tokens.encoding
    output = run.ports.tokens.count_text(settle.texts_of(wire.choices), encoding)
    return Usage(input_tokens=run.estimate(candidate).bound, output_tokens=output, reported=False)


async def _failed(
    run: Run, candidate: Candidate, hold: Hold, step: Try, error: ProviderError, duration_s: float
) -> None:
    ending = settle.failed(error, candidate.target.prices, hold.worst_nusd)
    run.emit(
        ev.AttemptFailed,
        attempt=hold.id,
        target=hold.target,
        key=step.key,
        kind=error.kind,
        status=error.status,
        retry_after_s=error.retry_after_s,
        duration_s=duration_s,
        message=error.message,
    )
    await _settle(run, candidate, hold, ending)
    await _note(run, candidate, step, error)
    run.attempts.append(
        Attempt(
            target=hold.target,
            key=step.key,
            kind=error.kind,
            message=error.message,
            status=error.status,
            retry_after_s=error.retry_after_s,
            cost_nusd=ending.cost_nusd,
            duration_s=duration_s,
            sent=error.sent,
        )
    )


async def _given_up(run: Run, candidate: Candidate, hold: Hold, pending: Pending | None) -> None:
    """Cancelled or interrupted: what has left may have been worked on, and billed. `pending` None: while it was handed
    over, so it may have left."""
    transport = run.ports.transport
    try:
        if pending is not None:
            await transport.cancel(pending)
    finally:
        sent = pending is None or transport.sent(pending)
        await _settle(run, candidate, hold, settle.interrupted(hold.worst_nusd, sent=sent))


async def _settle(run: Run, candidate: Candidate, hold: Hold, ending: settle.Ending) -> None:
    """End the row. A ledger that can't take it now leaves the row to its lease: worst case, never less."""
    for owner, unit in {(budget.owner, budget.unit) for budget in candidate.per_request}:
        spent = settle.spent_of(unit, ending, hold.worst_tokens)
        run.spent[owner, unit] = run.spent.get((owner, unit), 0) + spent
    if ending.how != "unsent":
        run.counted |= {each.owner for each in _budgets_of(hold) if each.unit == "requests"}
    settlement = Settlement(
        cost_nusd=ending.cost_nusd,
        usage=ending.usage,
        how=ending.how,
        kind=ending.kind,
        now_s=run.ports.clock.now_s(),
    )
    try:
        if hold.id not in run.rowless:
            await run.ports.ledger.settle(hold.id, settlement)
    except StoreError as error:
        run.emit(ev.SettleFailed, attempt=hold.id, why=error.message)
        return
    run.emit(
        ev.Settled,
        attempt=hold.id,
        cost_nusd=None if candidate.target.prices is None else ending.cost_nusd,
        worst_nusd=hold.worst_nusd,
        how=ending.how,
        bound_exceeded=ending.cost_nusd > hold.worst_nusd,
        on_record=hold.id not in run.rowless,
    )


async def _note(run: Run, candidate: Candidate, step: Try, error: ProviderError | None) -> None:
    """Tell health how it went, closed or open: what was asked of a provider has been, and its answer stands."""
    kind = error.kind if error else None
    outcome_ = Outcome(
        provider=candidate.target.provider,
        model=candidate.target.model,
        key=step.key,
        kind=kind,
        cooling_s=cooling_s(kind, error.retry_after_s if error else None),
        now_s=run.ports.clock.now_s(),
    )
    try:
        await run.ports.health.note(outcome_)
    except StoreError as failure:
        run.emit(ev.StoreBypassed, port="health", step="note", why=failure.message)
