"""Budgets and limits with what is left of them now: one consistent read of the ledger, one of the limiter."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo

from router.decide.warn import percent, reached
from router.decide.windows import window_start
from router.plan import Budget, Limit, Window
from router.ports import Balance, Counter, Ledger, Limiter
from router.values import Place


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetNow:
    """A budget in its present window. `left` is below 0 where a provider billed above its bound. Of one that is
    `rolling`, `settled` is all that its window holds, reserved or not, and what leaves it leaves step by step.

    Amounts are nano-USD, or tokens or requests where `unit` says so. `resets_at_s` None: it never refills, or (window
    `request`) holds anew for each request, or is rolling. One in `shadow` refuses nothing, so that more than its amount
    may be used.
    """

    owner: str
    text: str
    place: Place
    unit: str
    window: Window
    amount: int
    granted: int  # by people in this window, on top of the amount; below 0: taken from it
    shadow: bool
    rolling: bool
    warn_at: tuple[float, ...]  # percent of the amount and what was granted, rising
    reached: tuple[float, ...]  # those of them that what is settled has come to
    settled: int
    reserved: int
    left: int
    resets_at_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitNow:
    """A sliding window, or a limit on concurrency (`window_s` 0), with what it holds now."""

    owner: str
    text: str
    place: Place
    unit: str
    window_s: float
    at_most: int
    shadow: bool
    used: int
    left: int


async def budgets_now(
    ledger: Ledger, budgets: Iterable[Budget], *, now_s: float, zone: tzinfo
) -> Mapping[Budget, BudgetNow]:
    """Each budget once, in the order given. Raises StoreError."""
    windows = {budget: _window(budget, now_s, zone) for budget in budgets}
    counters = {
        budget: counter_of(budget, start) for budget, (start, _) in windows.items() if start is not None
    }
    rolling = [budget for budget in windows if budget.rolling]
    read = await ledger.balances(list(counters.values())) if counters else {}
    held = await ledger.held(rolling, now_s=now_s) if rolling else {}
    balances = {
        **{budget: read[counter] for budget, counter in counters.items()},
        **{budget: Balance(settled=amount) for budget, amount in held.items()},
    }
    return {
        budget: _budget_now(budget, balances.get(budget, Balance()), resets_at_s)
        for budget, (_, resets_at_s) in windows.items()
    }


async def limits_now(limiter: Limiter, limits: Sequence[Limit], *, now_s: float) -> Mapping[Limit, LimitNow]:
    """Each limit once, in the order given. Raises StoreError."""
    used = await limiter.used(limits, now_s=now_s) if limits else {}
    return {limit: _limit_now(limit, used.get(limit, 0)) for limit in limits}


def counter_of(budget: Budget, start: str) -> Counter:
    return Counter(owner=budget.owner, unit=budget.unit, window=budget.window, start=start)


def _window(budget: Budget, now_s: float, zone: tzinfo) -> tuple[str | None, float | None]:
    """(start, end); a budget of each request, and one that is rolling, has no counter."""
    if budget.window == "request" or budget.rolling:
        return None, None
    return window_start(budget.window, now_s, zone)


def _budget_now(budget: Budget, balance: Balance, resets_at_s: float | None) -> BudgetNow:
    return BudgetNow(
        owner=budget.whose,
        text=budget.text,
        place=budget.place,
        unit=budget.unit,
        window=budget.window,
        amount=budget.amount,
        granted=balance.granted,
        shadow=budget.shadow,
        rolling=budget.rolling,
        warn_at=tuple(map(percent, budget.warn_at)),
        reached=_reached(budget, balance),
        settled=balance.settled,
        reserved=balance.reserved,
        left=budget.amount + balance.granted - balance.settled - balance.reserved,
        resets_at_s=resets_at_s,
    )


def _reached(budget: Budget, balance: Balance) -> tuple[float, ...]:
    return tuple(map(percent, reached(budget.warn_at, balance.settled, budget.amount + balance.granted)))


def _limit_now(limit: Limit, used: int) -> LimitNow:
    return LimitNow(
        owner=limit.whose,
        text=limit.text,
        place=limit.place,
        unit=limit.unit,
        window_s=limit.window_s,
        at_most=limit.at_most,
        shadow=limit.shadow,
        used=used,
        left=max(0, limit.at_most - used),
    )
