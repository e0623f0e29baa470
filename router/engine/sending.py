"""An attempt on the wire: on record before the first byte, its lease and deadline kept while the provider works."""

from router import events as ev
from router.decide.step import Try
from router.engine import permits
from router.engine.run import LEASE_S, Run
from router.engine.stores import bypass, free
from router.errors import ProviderError, StoreError
from router.plan import Route
from router.ports import Hold, Pending, Settlement, WireCall, WireChunk, WireReply, WireStream
from router.values import Kind, SecretRef


async def mark_sent(run: Run, hold: Hold) -> None:
    """Durable before the first byte. Where that can't be written nothing is sent, and the hold is given back; where it
    may have been written, unheard, the row costs nothing either. An open ledger sends all the same."""
    try:
        if hold.id not in run.rowless:
            await run.ports.ledger.mark_sent(hold.id, now_s=run.ports.clock.now_s(), wait_s=run.left_s())
    except StoreError as error:
        if not run.plan.settings.on_store_error.opens("ledger"):
            await _unsend(run, hold)
        bypass(run, "ledger", "mark_sent", error)
    except BaseException:
        await _unsend(run, hold)
        raise
    run.sends += 1


async def release(run: Run, hold: Hold) -> None:
    if hold.id in run.rowless:
        return
    try:
        await run.ports.ledger.release(hold.id, now_s=run.ports.clock.now_s(), wait_s=run.closing_s())
    except StoreError as error:
        bypass(run, "ledger", "release", error)


async def _unsend(run: Run, hold: Hold) -> None:
    """Nothing has left, and nothing will: whatever the ledger has heard, it holds nothing for this row."""
    if hold.id in run.rowless:
        return
    await free(run, hold)
    unsent = Settlement(cost_nusd=0, usage=None, how="unsent", kind=None, now_s=run.ports.clock.now_s())
    try:
        await run.ports.ledger.settle(hold.id, unsent, wait_s=run.closing_s())
    except StoreError as error:
        run.emit(ev.SettleFailed, attempt=hold.id, why=error.message)


async def outcome_of(
    run: Run, hold: Hold, pending: Pending, ends_s: float, late: str, *, whole: bool = True
) -> WireReply | WireStream | WireChunk:
    """What `pending` brings, its lease kept meanwhile; `late` says what it means that nothing came by `ends_s`.

    Raises ProviderError. Nothing of it is left on the wire, but for what opens a stream or is a piece of one (not
    `whole`), and came in time.
    """
    transport, clock = run.ports.transport, run.ports.clock
    done = None
    try:
        while done is None and clock.mono_s() < ends_s:
            if run.renew_in_s() <= 0:  # by the clock: a stream whose pieces come quickly never waits for long
                await renew(run, hold)
            left_s = max(0.0, ends_s - clock.mono_s())  # a store may have taken its time
            done = await transport.wait((pending,), min(left_s, max(0.0, run.renew_in_s())))
    finally:
        if done is None or whole:
            await transport.cancel(pending)
    if done is not None:
        return transport.result(pending)
    raise ProviderError(late, kind=Kind.TIMEOUT, target=hold.target, sent=transport.sent(pending))


async def renew(run: Run, hold: Hold) -> None:
    """A store that can't do it now may the next time; a lease that lapses costs the worst case, no call."""
    until_s, has_row = run.ports.clock.now_s() + LEASE_S, hold.id not in run.rowless
    run.leased_s = run.ports.clock.mono_s()
    if not (has_row or run.permits):  # there is nothing to renew
        return
    failed = None
    try:
        if has_row:
            await run.ports.ledger.renew(hold.id, lease_until_s=until_s, wait_s=run.left_s())
    except StoreError as error:
        failed = error
    try:  # of another store, maybe: what it holds need not lapse as well
        await permits.renew(run, until_s=until_s)
    except StoreError as error:
        failed = failed or error
    if failed is not None:
        run.emit(ev.RenewFailed, attempt=hold.id, why=failed.message)
    else:
        run.emit(ev.LeaseRenewed, attempt=hold.id, until_s=until_s)


def wire_call(run: Run, route: Route, hold: Hold, step: Try) -> WireCall:
    candidate = route.candidates[step.index]
    target = candidate.target
    provider = run.plan.providers[target.provider]
    url = provider.base_url
    key = next((each.secret for each in provider.keys if each.name == step.key), None)
    return WireCall(
        attempt=hold.id,
        target=target.name,
        kind=target.kind,
        model=target.wire_model,
        messages=run.told(candidate),
        params=candidate.params,
        timeout_s=step.timeout_s,
        stream=route.streams,
        base_url=run.ports.secrets.get(url) if isinstance(url, SecretRef) else url,
        api_key=run.ports.secrets.get(key) if key else None,
        wire=provider.wire,
        by=provider.by,
    )
