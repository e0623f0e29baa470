"""One attempt: reserve its worst case, mark sent, send, settle. One durable row each, which ends however this ends."""

from dataclasses import replace
from typing import cast

from router import events as ev
from router.decide.fit import Short
from router.decide.step import Failure, Try
from router.engine import permits, reservation
from router.engine.opening import Opened, opened
from router.engine.reservation import Unfit
from router.engine.run import Run
from router.engine.sending import mark_sent, outcome_of, release, wire_call
from router.engine.settling import answered, failed, given_up
from router.errors import ProviderError
from router.plan import Route
from router.ports import Hold, Pending, WireCall, WireReply
from router.values import Kind, Reply


async def attempt(run: Run, route: Route, step: Try) -> Reply | Opened | Failure:
    """Try one candidate with one key; where that is at a limit of its own, with the next. What does not fit a budget or
    limit is a failure that was never sent.

    Opened: the first content of a stream has come; its row and its permits stay open, and are its owner's to end.
    """
    ends_s, unfit = run.ports.clock.mono_s() + step.timeout_s, list[Unfit]()
    for key in (step.key, *step.others):
        if unfit and not reservation.goes_to_another_key(run, unfit[-1]):
            break
        with_key = step if key == step.key else replace(step, key=key)
        found = await _with_key(run, route, with_key, ends_s)
        if not isinstance(found, Unfit):
            return found
        unfit.append(found)
    kind = reservation.tell_refused(run, route.candidates[step.index], unfit)
    return Failure(index=step.index, key=step.key, kind=kind, sent=False)


async def _with_key(run: Run, route: Route, step: Try, ends_s: float) -> Reply | Opened | Failure | Unfit:
    candidate, now_s = route.candidates[step.index], run.ports.clock.now_s()
    worst, found = run.worst(candidate, at_s=now_s), None
    hold = reservation.hold_of(run, route, step, worst, now_s=now_s)
    call = wire_call(run, route, hold, step)
    try:
        found = await reservation.take(run, candidate, hold, worst) or await _send(
            run, route, step, hold, call, ends_s
        )
        return found
    finally:
        if not isinstance(found, Opened):
            await permits.give_back(run, hold.id)


async def _send(
    run: Run, route: Route, step: Try, hold: Hold, call: WireCall, ends_s: float
) -> Reply | Opened | Failure:
    candidate = route.candidates[step.index]
    if run.ports.clock.mono_s() >= ends_s:  # the store was busy for longer than there was time
        await release(run, hold)
        run.short.append(Short(candidate=candidate, budgets=()))
        return Failure(index=step.index, key=step.key, kind=Kind.TIMEOUT, sent=False)
    await mark_sent(run, hold)
    sent_s, pending = run.ports.clock.mono_s(), None
    try:
        run.emit(ev.AttemptSent, attempt=hold.id, target=hold.target, key=step.key, timeout_s=step.timeout_s)
        pending = run.ports.transport.start(call)
        wire = await _answer(run, route, step, hold, call, pending, sent_s=sent_s, ends_s=ends_s)
    except ProviderError as error:
        duration_s = run.ports.clock.mono_s() - sent_s
        await failed(run, candidate, hold, step, error, duration_s, began=error.began)
        return Failure(index=step.index, key=step.key, kind=error.kind, retry_after_s=error.retry_after_s)
    except BaseException:
        await given_up(run, candidate, hold, pending)
        raise
    if isinstance(wire, Opened):
        return wire
    return await answered(run, route, candidate, step, hold, wire, run.ports.clock.mono_s() - sent_s)


async def _answer(
    run: Run,
    route: Route,
    step: Try,
    hold: Hold,
    call: WireCall,
    pending: Pending,
    *,
    sent_s: float,
    ends_s: float,
) -> WireReply | Opened:
    """The whole answer, or a stream at its first content. Raises ProviderError."""
    late = f"no answer within {step.timeout_s:g} s"
    wire = await outcome_of(run, hold, pending, ends_s, late, whole=not call.stream)
    if not call.stream:
        return cast(WireReply, wire)
    candidate = route.candidates[step.index]
    found = await opened(run, candidate, step, hold, wire, sent_s=sent_s, ends_s=ends_s)
    return found if isinstance(found, Opened) else found.reply(call.model)
