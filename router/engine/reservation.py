"""What an attempt holds before it is sent: concurrency, money, tokens and requests; or what it does not fit."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

from router import events as ev
from router.decide import outcome
from router.decide.fit import Short, Worst
from router.decide.reserve import (
    attempt_permits,
    attempt_takes,
    needs_of_budgets,
    request_shadows,
    request_shortfalls,
    rolling_takes,
)
from router.decide.step import Try
from router.engine import permits, shadows
from router.engine.run import LEASE_S, Run
from router.engine.stores import bypass, free
from router.errors import Attempt, LimitExceeded, StoreError
from router.plan import Budget, Candidate, Route, Sliding
from router.ports import Charge, Counter, Hold, Refused, Shortfall, Take
from router.values import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfit:
    """An attempt that did not fit, and which budgets of all that it did not. `seq` was taken by the ledger, 0 where it
    was not asked."""

    hold: Hold
    refusals: tuple[outcome.Refusal, ...]
    budgets: tuple[Budget, ...] = ()
    seq: int = 0

    @property
    def of_key(self) -> bool:
        """Whether nothing but the key's own limits stood in the way: another key may fit."""
        return all(
            isinstance(each, LimitExceeded) and each.limit.startswith("key:") for each in self.refusals
        )


def hold_of(run: Run, route: Route, step: Try, worst: Worst, *, now_s: float) -> Hold:
    candidate = route.candidates[step.index]
    limits = (*candidate.limits, *run.key_limits(candidate.target.provider, step.key))
    budgets = (*run.budgets(candidate.target.provider), *candidate.budgets)
    takes: tuple[tuple[Sliding, int], ...] = (
        *rolling_takes(budgets, worst, counted=run.counted),
        *attempt_takes(route.limits, limits, worst, run.counted),
    )
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
        key=step.key,
        tags=run.request.tags,
    )


async def take(run: Run, candidate: Candidate, hold: Hold, worst: Worst) -> Unfit | None:
    """Concurrency, then money, tokens and requests. None: all of it is held; else nothing of the last three."""
    over = request_shortfalls(candidate, worst, run.spent)
    if over:
        return Unfit(
            hold=hold,
            refusals=tuple(outcome.budget_exceeded(hold.target, *each, None) for each in over),
            budgets=tuple(budget for budget, _, _ in over),
        )
    wanted = attempt_permits((*candidate.limits, *run.key_limits(candidate.target.provider, hold.key)))
    full = await permits.take(run, hold.id, wanted, target=hold.target) if wanted else None
    if full is not None:
        full_now = outcome.limit_exceeded(full.limit, full.retry_after_s)
        return Unfit(hold=hold, refusals=(full_now,))
    return await _reserve(run, candidate, hold, worst)


async def _reserve(run: Run, candidate: Candidate, hold: Hold, worst: Worst) -> Unfit | None:
    """None: reserved. Else why not; nothing is held then."""
    try:
        granted = await run.ports.ledger.reserve(hold, wait_s=run.left_s())
    except StoreError as error:
        bypass(run, "ledger", "reserve", error)
        run.rowless.add(hold.id)
        return None
    except BaseException:  # cancelled on the way: it may have been granted
        await free(run, hold)
        raise
    if isinstance(granted, Refused):
        refusals = tuple(_refusal(hold, each) for each in granted.shortfalls)
        full = tuple(each.budget for each in granted.shortfalls if each.budget is not None)
        return Unfit(hold=hold, refusals=refusals, budgets=full, seq=granted.seq)
    shadows.tell_attempt(run, hold, granted, request_shadows(candidate, worst, run.spent))
    run.emit(
        ev.Reserved,
        attempt=hold.id,
        target=hold.target,
        input_tokens=worst.input_tokens,
        output_tokens=worst.output_tokens,
        worst_nusd=hold.worst_nusd,
        budgets=tuple(budget.whose for budget in budgets_of(hold)),
        seq=granted.seq,
    )
    return None


def budgets_of(hold: Hold) -> tuple[Budget, ...]:
    """All that it is charged to, those that are rolling last."""
    rolling = [take.limit for take in hold.takes if isinstance(take.limit, Budget)]
    return (*[charge.budget for charge in hold.charges], *rolling)


def goes_to_another_key(run: Run, unfit: Unfit) -> bool:
    """Only from a key that nothing but its own limits keep out."""
    if unfit.of_key:
        run.emit(
            ev.KeyPassedOver,
            target=unfit.hold.target,
            key=unfit.hold.key,
            shortfalls=tuple(refusal.message for refusal in unfit.refusals),
            seq=unfit.seq,
        )
    return unfit.of_key


def tell_refused(run: Run, candidate: Candidate, unfit: Sequence[Unfit]) -> Kind:
    """The target has no room with the last of its keys; those before it were at limits of their own."""
    last = unfit[-1]
    hold, kind = last.hold, outcome.kind_of(last.refusals)
    run.emit(
        ev.ReserveRefused,
        target=hold.target,
        kind=kind,
        worst_nusd=hold.worst_nusd,
        shortfalls=tuple(refusal.message for refusal in last.refusals),
        seq=last.seq,
    )
    run.short.append(Short(candidate=candidate, budgets=last.budgets))
    run.refusals.extend(each.refusals for each in unfit)
    run.attempts.append(
        Attempt(target=hold.target, key=None, kind=kind, message=last.refusals[0].message, sent=False)
    )
    return kind


def _refusal(hold: Hold, short: Shortfall) -> outcome.Refusal:
    if short.budget is not None:
        return outcome.budget_exceeded(
            hold.target, short.budget, short.needed, short.available, short.resets_at_s
        )
    assert short.limit is not None  # noqa: S101 - a shortfall is of one or the other
    after_s = inf if short.resets_at_s is None else max(0.0, short.resets_at_s - hold.now_s)
    return outcome.attempt_limit_exceeded(hold.target, short.limit, short.needed, short.available, after_s)
