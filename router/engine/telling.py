"""What a request says of itself at its beginning, on its way, and at its end."""

from collections.abc import Mapping, Sequence
from zoneinfo import ZoneInfo

from router import events as ev
from router.decide import outcome
from router.decide.breaker import Breaker
from router.decide.fit import Short
from router.decide.scopes import NOBODY
from router.decide.step import Health, Progress, Try, Wait
from router.engine.run import Ports, Run
from router.errors import RouterError
from router.plan import Plan, Route
from router.ports import Name
from router.values import Reply, Request


def begun(plan: Plan, ports: Ports, request: Request) -> Run:
    zone = ZoneInfo(plan.settings.time_zone)
    started_s = ports.clock.mono_s()
    run = Run(
        plan=plan,
        ports=ports,
        request=request,
        caller=NOBODY,
        zone=zone,
        started_s=started_s,
        leased_s=started_s,
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


def tell_answered(run: Run, reply: Reply) -> None:
    run.emit(
        ev.RequestAnswered,
        target=reply.target,
        cached=reply.cached,
        stale=reply.stale,
        cost_nusd=reply.cost_nusd,
        attempts=run.sends,
        duration_s=run.elapsed_s(),
    )


def tell_failed(run: Run, error: RouterError) -> None:
    run.emit(
        ev.RequestFailed,
        error=type(error).__name__,
        message=error.message,
        attempts=run.sends,
        duration_s=run.elapsed_s(),
    )
    error.request_id, error.trace = run.request.id, tuple(run.trace)


def tell_wait(run: Run, route: Route, progress: Progress, step: Wait) -> None:
    last = progress.failures[-1]
    target = route.candidates[last.index].target.name
    run.emit(ev.RetryScheduled, target=target, delay_s=step.delay_s, kind=last.kind, why=step.why)


def tell_fallback(run: Run, route: Route, progress: Progress, step: Try) -> None:
    if not progress.failures or progress.failures[-1].index == step.index:
        return
    last = progress.failures[-1]
    run.emit(
        ev.FellBack,
        from_target=route.candidates[last.index].target.name,
        to_target=route.candidates[step.index].target.name,
        kind=last.kind,
    )


def tell_passed_over(
    run: Run, route: Route, breakers: Mapping[Name, Breaker], health: Health, passed: Sequence[int]
) -> None:
    """Each target once, with what opened its breaker."""
    for at in passed:
        candidate = route.candidates[at]
        target, until_s = candidate.target, health.shut[at]
        if target.name in run.passed_over:
            continue
        breaker = breakers.get((target.provider, target.model), Breaker())
        run.passed_over[target.name] = until_s
        run.short.append(Short(candidate=candidate, budgets=()))
        run.dropped.append(outcome.refused_by_breaker(candidate, until_s - run.ports.clock.now_s()))
        run.emit(
            ev.TargetPassedOver,
            target=target.name,
            policy=candidate.policy,
            until_s=until_s,
            openings=breaker.openings,
            in_a_row=breaker.tripped.in_a_row,
            failures=breaker.tripped.failures,
            attempts=breaker.tripped.attempts,
        )
