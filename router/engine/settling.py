"""How an attempt ends: its row settled in the windows in which it was reserved, and health told how it went."""

from collections.abc import Mapping, Sequence
from typing import Any

from router import events as ev
from router.decide import settle as endings
from router.decide.prices import price_at
from router.decide.step import Try
from router.engine.health import note
from router.engine.run import Run
from router.engine.warnings import warn, watches_of
from router.errors import Attempt, ProviderError, StoreError
from router.plan import Candidate, Route
from router.ports import Crossed, Hold, Pending, Settlement, WireReply
from router.values import Reply, Usage


async def answered(
    run: Run,
    route: Route,
    candidate: Candidate,
    step: Try,
    hold: Hold,
    wire: WireReply,
    duration_s: float,
    *,
    first_s: float | None = None,
) -> Reply:
    """`first_s`: how long the first content of a stream took."""
    usage = wire.usage or counted(run, candidate, wire.choices)
    ending = endings.answered(price_at(candidate.target, hold.now_s), usage)
    run.emit(
        ev.AttemptAnswered,
        attempt=hold.id,
        target=hold.target,
        key=step.key,
        usage=usage,
        finish_reason=wire.finish_reason,
        duration_s=duration_s,
    )
    await settle(run, candidate, hold, ending)
    await note(run, candidate, step, hold, took_s=duration_s if first_s is None else first_s)
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


def counted(run: Run, candidate: Candidate, choices: Sequence[Mapping[str, Any]]) -> Usage:
    """Usage where the provider reported none: the input at its bound, the output as counted."""
    encoding = candidate.target.tokens.encoding
    output = run.ports.tokens.count_text(endings.texts_of(choices), encoding)
    return Usage(input_tokens=run.estimate(candidate).bound, output_tokens=output, reported=False)


async def failed(
    run: Run,
    candidate: Candidate,
    hold: Hold,
    step: Try,
    error: ProviderError,
    duration_s: float,
    *,
    began: bool = False,
) -> None:
    """`began`: a stream, after its first content."""
    ending = endings.failed(error, price_at(candidate.target, hold.now_s), hold.worst_nusd, began=began)
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
    await settle(run, candidate, hold, ending)
    await note(run, candidate, step, hold, took_s=duration_s, error=error, began=began)
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


async def given_up(run: Run, candidate: Candidate, hold: Hold, pending: Pending | None) -> None:
    """Cancelled or interrupted: what has left may have been worked on, and billed. `pending` None: while it was handed
    over, so it may have left."""
    transport = run.ports.transport
    try:
        if pending is not None:
            await transport.cancel(pending)
    finally:
        sent = pending is None or transport.sent(pending)
        await settle(run, candidate, hold, endings.interrupted(hold.worst_nusd, sent=sent))


async def let_go(run: Run, candidate: Candidate, hold: Hold, usage: Usage | None) -> None:
    """A stream that its reader has given up: at its usage where all of it had come, else at the worst case, as what a
    provider has worked on may be billed, read or not."""
    known = usage and endings.answered(price_at(candidate.target, hold.now_s), usage)
    await settle(run, candidate, hold, known or endings.interrupted(hold.worst_nusd, sent=True))


async def settle(run: Run, candidate: Candidate, hold: Hold, ending: endings.Ending) -> None:
    """End the row. A ledger that can't take it now leaves the row to its lease: worst case, never less."""
    for owner, unit in {(budget.owner, budget.unit) for budget in candidate.per_request}:
        spent = endings.spent_of(unit, ending, hold.worst_tokens)
        run.spent[owner, unit] = run.spent.get((owner, unit), 0) + spent
    if ending.how != "unsent" and hold.id not in run.rowless:
        asked = (*[each.budget for each in hold.charges], *[each.limit for each in hold.takes])
        run.counted.update([each.owner for each in asked if each.unit == "requests"])
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
                hold.id, settlement, watches_of(hold, now_s=settlement.now_s), wait_s=run.closing_s()
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
