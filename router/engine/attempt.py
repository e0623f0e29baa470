"""One attempt: reserve its worst case, mark sent, send, settle. One durable row each, which ends however this ends."""

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

from router import events as ev
from router.decide import settle
from router.decide.fit import Short
from router.decide.judge import cooling_s
from router.decide.prices import price_at
from router.decide.step import Failure, Try
from router.engine import permits, reservation
from router.engine.reservation import Unfit
from router.engine.run import LEASE_S, RENEW_EVERY_S, Run
from router.engine.stores import bypass, free
from router.engine.warnings import warn, watches_of
from router.errors import Attempt, ProviderError, StoreError
from router.plan import Candidate, Route
from router.ports import (
    Crossed,
    Hold,
    Outcome,
    Pending,
    Settlement,
    WireCall,
    WireReply,
)
from router.values import Kind, Reply, SecretRef, Usage


async def attempt(run: Run, route: Route, step: Try) -> Reply | Failure:
    """Try one candidate with one key; where that is at a limit of its own, with the next. What does not fit a budget or
    limit is a failure that was never sent."""
    ends_s, unfit = run.ports.clock.mono_s() + step.timeout_s, list[Unfit]()
    for key in (step.key, *step.others):
        if unfit and not reservation.goes_to_another_key(run, unfit[-1]):
            break
        found = await _with_key(run, route, replace(step, key=key), ends_s)
        if not isinstance(found, Unfit):
            return found
        unfit.append(found)
    kind = reservation.tell_refused(run, route.candidates[step.index], unfit)
    return Failure(index=step.index, key=step.key, kind=kind, sent=False)


async def _with_key(run: Run, route: Route, step: Try, ends_s: float) -> Reply | Failure | Unfit:
    hold = reservation.hold_of(run, route, step)
    call = _wire_call(run, route.candidates[step.index], hold, step)
    try:
        unfit = await reservation.take(run, route, step, hold)
        return unfit or await _send(run, route, step, hold, call, ends_s)
    finally:
        await permits.give_back(run, hold.id)


async def _send(
    run: Run, route: Route, step: Try, hold: Hold, call: WireCall, ends_s: float
) -> Reply | Failure:
    candidate = route.candidates[step.index]
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


async def _release(run: Run, hold: Hold) -> None:
    if hold.id in run.rowless:
        return
    try:
        await run.ports.ledger.release(hold.id, now_s=run.ports.clock.now_s())
    except StoreError as error:
        bypass(run, "ledger", "release", error)


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
        await permits.renew(run, until_s=until_s)
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
    ending = settle.answered(price_at(candidate.target, hold.now_s), usage)
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
        cost_nusd=None if price_at(candidate.target, hold.now_s) is None else ending.cost_nusd,
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
    ending = settle.failed(error, price_at(candidate.target, hold.now_s), hold.worst_nusd)
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
    if ending.how != "unsent" and hold.id not in run.rowless:
        asked = (*reservation.budgets_of(hold), *(take.limit for take in hold.takes))
        run.counted |= {each.owner for each in asked if each.unit == "requests"}
    settlement = Settlement(
        cost_nusd=ending.cost_nusd,
        usage=ending.usage,
        how=ending.how,
        kind=ending.kind,
        now_s=run.ports.clock.now_s(),
    )
    crossed: Sequence[Crossed] = ()
    try:
        if hold.id not in run.rowless:
            crossed = await run.ports.ledger.settle(
                hold.id, settlement, watches_of(hold, now_s=settlement.now_s)
            )
    except StoreError as error:
        run.emit(ev.SettleFailed, attempt=hold.id, why=error.message)
        return
    run.emit(
        ev.Settled,
        attempt=hold.id,
        cost_nusd=None if price_at(candidate.target, hold.now_s) is None else ending.cost_nusd,
        worst_nusd=hold.worst_nusd,
        how=ending.how,
        bound_exceeded=ending.cost_nusd > hold.worst_nusd,
        on_record=hold.id not in run.rowless,
    )
    warn(run, hold, crossed)


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
