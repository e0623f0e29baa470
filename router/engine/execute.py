"""One request, from plan to reply. `decide` decides, ports do, events tell.

Nothing here knows asyncio or threads; waiting is the ports' business, so one body runs sync and async.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace

from router import events as ev
from router.decide import outcome
from router.decide.judge import soft_kind
from router.decide.reserve import admission_takes
from router.decide.scopes import called_policy, caller
from router.decide.step import Failure, Progress, Stop, Try, Wait, next_step, passed_over
from router.engine import answers, health, objects, permits, routing, sharing
from router.engine.attempt import attempt
from router.engine.live import Live, Replayed
from router.engine.opening import Opened
from router.engine.run import Ports, Run
from router.engine.telling import (
    begun,
    tell_answered,
    tell_failed,
    tell_fallback,
    tell_passed_over,
    tell_wait,
)
from router.errors import BudgetExceeded, NoRoute, Rejected, RouterError, TargetsExhausted
from router.plan import Plan, Route
from router.ports import Seat
from router.values import Reply, Request

Tried = Callable[[Run, Route, str | None], Awaitable[Reply | Live]]
"""Asks the targets of a route; the text is its key in the cache."""


async def execute(plan: Plan, ports: Ports, request: Request) -> Reply:
    """Answer `request`. Raises a RouterError that says why not; every reservation made on the way has ended."""
    run = begun(plan, ports, request)
    found = await _found(run)
    if isinstance(found, Live):
        await found.close()
        raise RuntimeError("`execute` was asked for a stream; `open_stream` gives one")
    return _whole(run, found)


async def open_stream(plan: Plan, ports: Ports, request: Request) -> Live | Replayed:
    """As `execute`, for a request that streams: the answer once its first content has come.

    Whoever reads it must read it to its end or close it: until then its reservation and its permits are held.
    """
    run = begun(plan, ports, request)
    found = await _found(run)
    return found if isinstance(found, Live) else Replayed(_whole(run, found))


def _whole(run: Run, reply: Reply) -> Reply:
    tell_answered(run, reply)
    return replace(reply, trace=tuple(run.trace))


async def _found(run: Run) -> Reply | Live:
    """Stage by stage: who calls, where to, from the cache, or from the targets."""
    try:
        policy = called_policy(run.plan, run.request)
        run.caller = caller(run.plan, run.request)
        route = await routing.route(run, policy)
        return await _stored_or_tried(run, route, _from_targets)
    except RouterError as error:
        tell_failed(run, error)
        raise


async def _stored_or_tried(run: Run, route: Route, tried: Tried) -> Reply | Live:
    key, run.landings = answers.key_of(run, route), run.ports.flight.landings
    return await answers.stored_reply(run, route, key) or await tried(run, route, key)


async def _from_targets(run: Run, route: Route, key: str | None) -> Reply | Live:
    """By the list; where nothing of it was sent for want of a budget that says who takes over, by that policy's."""
    found = None
    try:
        found = await _tried(run, route, key)
    except (BudgetExceeded, NoRoute) as first:
        found = await _handed_over(run, route, first)
    finally:
        if not isinstance(found, Live):  # an open stream gives back when it ends
            await permits.give_back(run, run.request.id)
    return found


async def _tried(run: Run, route: Route, key: str | None) -> Reply | Live:
    fitted = routing.fitted(run, route)
    await _admit(run, fitted)
    seat = sharing.seat_of(run, fitted, key)
    try:
        shared = await sharing.answer_of_another(run, fitted, key, seat)
        return shared or await _sent(run, fitted, key, seat)
    finally:
        if seat is not None:
            seat.leave()


async def _sent(run: Run, route: Route, key: str | None, seat: Seat | None) -> Reply | Live:
    """A stale answer is landed too: those who wait for this call would ask the same targets, one after the other."""
    try:
        found = await _loop(run, route)
    except (TargetsExhausted, NoRoute) as error:
        stale = await answers.stale_reply(run, route, key, error)
        if stale is None:
            raise
        found = stale
    else:
        if isinstance(found, Opened):
            return Live(run, route, key, found, _mended)
        await answers.keep(run, route, key, found)
    if seat is not None:
        seat.land(sharing.own(found))
    return found


async def _handed_over(run: Run, route: Route, first: Rejected) -> Reply | Live:
    """Raises `first` where no budget hands the request over; where the other list ends in an error, both are told."""
    try:
        jumped = routing.jumped(run, route)
        if jumped is None:
            raise first
        return await _stored_or_tried(run, jumped, _tried)
    except RouterError as error:
        raise outcome.after(first, error) from None


async def _admit(run: Run, route: Route) -> None:
    """Take the request rates and concurrency of the caller and the called policy, all or none, once per request."""
    takes = admission_takes(route.limits)
    if not takes or run.admitted:
        return
    run.admitted = True
    full = await permits.take(run, run.request.id, takes)
    if full is not None:
        run.emit(ev.LimitRefused, limit=full.limit.text, retry_after_s=full.retry_after_s)
        raise outcome.limit_exceeded(full.limit, full.retry_after_s)


async def _mended(run: Run, route: Route, opened: Opened, failure: Failure) -> Reply:
    """What follows a stream that came to its end, and has not the form that was asked for: as after any such answer,
    but for whole answers. Nobody is handed a second stream behind the first."""
    before = opened.progress or Progress(started_s=run.started_s)
    progress = replace(before, failures=(*before.failures, failure))
    found = await _loop(run, replace(route, streams=False), progress)
    assert isinstance(found, Reply)  # noqa: S101 - nothing was asked to stream
    return found


async def _loop(run: Run, route: Route, progress: Progress | None = None) -> Reply | Opened:
    """Ask what comes next until there is an answer, or nothing comes next."""
    await _ready(run, route)
    progress, spare = progress or Progress(started_s=run.started_s), None
    known = await health.first_look(run, route)
    clock, draw = run.ports.clock, run.ports.draw
    while True:
        judged = known.judged(route, clock.now_s())
        step = next_step(route, progress, judged, now_s=clock.mono_s(), draw=draw.fraction())
        tell_passed_over(run, route, known.breakers, judged, passed_over(progress, judged, step))
        match step:
            case Stop():
                if spare is not None:
                    return spare
                raise outcome.stopped(
                    step, route, run.attempts, run.refusals, run.dropped, run.may_pass_in_s()
                )
            case Wait():
                refused = health.may_retry(run, route, progress, known)
                if refused is not None:
                    known = refused
                    continue
                tell_wait(run, route, progress, step)
                await permits.pause(run, step.delay_s)
                progress = replace(progress, waited_after=len(progress.failures))
            case Try():
                entered = await health.let_in(run, route, known, step, len(progress.failures))
                if isinstance(entered, health.Known):
                    known = entered
                    continue
                tell_fallback(run, route, progress, step)
                health.begin(run, route, progress, step.index)
                result = await _attempted(run, route, entered)
                if isinstance(result, Opened):
                    return replace(result, progress=progress)
                if isinstance(result, Reply):
                    soft = _worth_another(route, step, result)
                    if soft is None:
                        result = objects.formed(run, route, step, result)
                    else:
                        spare, result = spare or (result if run.request.output is None else None), soft
                if isinstance(result, Reply):
                    return result
                progress = replace(progress, failures=(*progress.failures, result))
        known = await health.look_again(run, route, known)


async def _attempted(run: Run, route: Route, step: Try) -> Reply | Opened | Failure:
    """Its place as a probe, where it has one, comes back however it ends."""
    try:
        await permits.keep(run)
        return await attempt(run, route, step)
    finally:
        await health.give_back(run, route, step)


async def _ready(run: Run, route: Route) -> None:
    """What the wire needs once (seconds, for a big library) goes into the request's time, into no attempt's."""
    left_s = route.total_s - run.elapsed_s()
    if not await run.ports.transport.ready(left_s):
        raise outcome.still_loading(route)


def _worth_another(route: Route, step: Try, reply: Reply) -> Failure | None:
    """A cut or filtered answer counts as a failure only where the policy falls back on that."""
    kind = soft_kind(reply.finish_reason)
    if kind is None or kind not in route.candidates[step.index].lexical.fall_back_on:
        return None
    return Failure(index=step.index, key=step.key, kind=kind)
