"""One request, from plan to reply. `decide` decides, ports do, events tell.

Nothing here knows asyncio or threads; waiting is the ports' business, so one body runs sync and async.
"""

from dataclasses import replace
from zoneinfo import ZoneInfo

from router import events as ev
from router.decide import outcome
from router.decide.judge import soft_kind
from router.decide.reserve import admission_takes
from router.decide.scopes import NOBODY, called_policy, caller
from router.decide.step import Failure, Progress, Stop, Try, Wait, next_step
from router.engine import answers, permits, routing
from router.engine.attempt import attempt
from router.engine.run import Ports, Run
from router.errors import BudgetExceeded, NoRoute, Rejected, RouterError
from router.plan import Plan, Route
from router.values import Reply, Request


async def execute(plan: Plan, ports: Ports, request: Request) -> Reply:
    """Answer `request`. Raises a RouterError that says why not; every reservation made on the way has ended."""
    run = _begin(plan, ports, request)
    try:
        policy = called_policy(plan, request)
        run.caller = caller(plan, request)
        route = await routing.route(run, policy)
        key = answers.key_of(run, route)
        reply = await answers.stored_reply(run, route, key) or await _from_targets(run, route, key)
    except RouterError as error:
        _tell_failed(run, error)
        raise
    _tell_answered(run, reply)
    return replace(reply, trace=tuple(run.trace))


def _begin(plan: Plan, ports: Ports, request: Request) -> Run:
    zone = ZoneInfo(plan.settings.time_zone)
    run = Run(
        plan=plan,
        ports=ports,
        request=request,
        caller=NOBODY,
        zone=zone,
        started_s=ports.clock.mono_s(),
        input=ports.tokens.reader(request.messages),
    )
    run.emit(
        ev.RequestStarted,
        policy=request.policy,
        tenant=request.tenant,
        user=request.user,
        plan_digest=plan.digest,
        prices_digest=plan.prices_digest,
    )
    return run


def _tell_answered(run: Run, reply: Reply) -> None:
    run.emit(
        ev.RequestAnswered,
        target=reply.target,
        cached=reply.cached,
        cost_nusd=reply.cost_nusd,
        attempts=run.sends,
        duration_s=run.elapsed_s(),
    )


def _tell_failed(run: Run, error: RouterError) -> None:
    run.emit(
        ev.RequestFailed,
        error=type(error).__name__,
        message=error.message,
        attempts=run.sends,
        duration_s=run.elapsed_s(),
    )
    error.request_id, error.trace = run.request.id, tuple(run.trace)


async def _from_targets(run: Run, route: Route, key: str | None) -> Reply:
    """By the list; where nothing of it was sent for want of a budget that says who takes over, by that policy's."""
    try:
        return await _tried(run, route, key)
    except (BudgetExceeded, NoRoute) as first:
        return await _handed_over(run, route, first)
    finally:
        await permits.give_back(run, run.request.id)


async def _tried(run: Run, route: Route, key: str | None) -> Reply:
    fitted = routing.fitted(run, route)
    await _admit(run, fitted)
    reply = await _loop(run, fitted)
    await answers.keep(run, fitted, key, reply)
    return reply


async def _handed_over(run: Run, route: Route, first: Rejected) -> Reply:
    """Raises `first` where no budget hands the request over; where the other list ends in an error, both are told."""
    try:
        jumped = routing.jumped(run, route)
        if jumped is None:
            raise first
        key = answers.key_of(run, jumped)
        return await answers.stored_reply(run, jumped, key) or await _tried(run, jumped, key)
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


async def _loop(run: Run, route: Route) -> Reply:
    """Ask what comes next until there is an answer, or nothing comes next."""
    await _ready(run, route)
    progress, spare = Progress(started_s=run.started_s), None
    keys = {
        name: await routing.usable_keys(run, name)
        for name in {each.target.provider for each in route.candidates}
    }
    clock, draw = run.ports.clock, run.ports.draw
    while True:
        step = next_step(route, progress, keys, now_s=clock.mono_s(), draw=draw.fraction())
        match step:
            case Stop():
                if spare is not None:
                    return spare
                raise outcome.stopped(step, route, run.attempts, run.refusals, run.dropped)
            case Wait():
                _tell_wait(run, route, progress, step)
                await clock.sleep(step.delay_s)
                progress = replace(progress, waited_after=len(progress.failures))
            case Try():
                _tell_fallback(run, route, progress, step)
                result = await attempt(run, route, step)
                if isinstance(result, Reply):
                    soft = _worth_another(route, step, result)
                    if soft is None:
                        return result
                    spare, result = spare or result, soft
                progress = replace(progress, failures=(*progress.failures, result))


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


def _tell_wait(run: Run, route: Route, progress: Progress, step: Wait) -> None:
    last = progress.failures[-1]
    target = route.candidates[last.index].target.name
    run.emit(ev.RetryScheduled, target=target, delay_s=step.delay_s, kind=last.kind, why=step.why)


def _tell_fallback(run: Run, route: Route, progress: Progress, step: Try) -> None:
    if not progress.failures or progress.failures[-1].index == step.index:
        return
    last = progress.failures[-1]
    run.emit(
        ev.FellBack,
        from_target=route.candidates[last.index].target.name,
        to_target=route.candidates[step.index].target.name,
        kind=last.kind,
    )
