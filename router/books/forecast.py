"""Where spend is going: what each calendar budget will have come to at the end of its window, and when it runs out.

The rest of a window is judged by the same rest of past windows of that budget: the last hours of a day by the last
hours of earlier days, the days after the tenth by those of earlier months. Without past windows the pace of this one is
drawn out in a straight line, and no interval is claimed.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import tzinfo
from itertools import accumulate
from statistics import median
from typing import NamedTuple
from zoneinfo import ZoneInfo

from router.books.balance import budgets_now
from router.books.usage import known_budgets
from router.decide.windows import window_start
from router.engine import Ports
from router.plan import Budget, Plan
from router.ports import Counter, Row

PAST = 8
"""Past windows that are looked at: what was longer ago says little of today."""

LONGEST_S: Mapping[str, float] = {
    "hour": 7_200.0,
    "day": 25 * 3_600.0,
    "week": 7 * 86_400.0 + 3_600.0,
    "month": 31 * 86_400.0 + 3_600.0,
}
"""No window of its kind is longer, clock changes included."""

STEPS = 100
"""Of a straight line: fine enough to say when a budget runs out."""

Spend = tuple[float, int]
"""(Unix seconds, amount)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """Amounts in the unit of the budget, whose own has in it what people granted in this window. `low` and `high` are
    the least and the most that any past window would have led to; None without past windows. `runs_out_at_s` None: not
    within this window."""

    budget: Budget
    used: int
    expected: int
    low: int | None
    high: int | None
    past: int
    ends_at_s: float
    runs_out_at_s: float | None


async def forecasts(plan: Plan, ports: Ports) -> tuple[Forecast, ...]:
    """Of every budget that files and rows know. Raises StoreError."""
    now_s, zone = ports.clock.now_s(), ZoneInfo(plan.settings.time_zone)
    rows = await ports.ledger.rows()
    known = known_budgets(plan, rows, now_s=now_s, zone=zone)
    now = await budgets_now(ports.ledger, known, now_s=now_s, zone=zone)
    used = {
        replace(each, amount=each.amount + now[each].granted): now[each].settled + now[each].reserved
        for each in known
    }
    return forecast(list(used), rows, now_s=now_s, zone=zone, used=used)


def forecast(
    budgets: Sequence[Budget],
    rows: Sequence[Row],
    *,
    now_s: float,
    zone: tzinfo,
    used: Mapping[Budget, int] | None = None,
) -> tuple[Forecast, ...]:
    """One for each calendar budget that has spent anything, the first to run out before all others. `used`: what the
    counters hold now, as rows of this window may have been moved out; without it, what the rows do."""
    spends, used = _spends(rows), used or {}
    found = (
        _forecast(budget, spends.get(_key(budget), ()), now_s, zone, used.get(budget))
        for budget in budgets
        if budget.window in LONGEST_S and not budget.rolling and (_key(budget) in spends or used.get(budget))
    )
    return tuple(sorted(found, key=_urgency))


def _urgency(found: Forecast) -> tuple[float, float]:
    out_at_s = float("inf") if found.runs_out_at_s is None else found.runs_out_at_s
    return out_at_s, -found.expected / max(found.budget.amount, 1)


def _key(of: Budget | Counter) -> tuple[str, str, str]:
    return of.owner, of.unit, of.window


def _spends(rows: Sequence[Row]) -> Mapping[tuple[str, str, str], list[Spend]]:
    found: dict[tuple[str, str, str], list[Spend]] = {}
    for row in rows:
        for counter, amount in row.counters:
            found.setdefault(_key(counter), []).append((row.reserved_at_s, amount))
    return found


def _forecast(
    budget: Budget, spends: Sequence[Spend], now_s: float, zone: tzinfo, counted: int | None
) -> Forecast:
    _, resets_at_s = window_start(budget.window, now_s, zone)
    ends_at_s = now_s if resets_at_s is None else resets_at_s
    first_s, left_s = min((at_s for at_s, _ in spends), default=now_s), ends_at_s - now_s
    began_at_s, *ends = _ends_before(budget, ends_at_s, first_s, zone)
    of_rows = sum(amount for at_s, amount in spends if began_at_s <= at_s <= now_s)
    used = of_rows if counted is None else counted
    past = [_rest(spends, end_s, left_s) for end_s in (began_at_s, *ends) if end_s > first_s]
    rest = _from_past(past) if past else _from_pace(used / max(now_s - began_at_s, 1.0), left_s)
    after_s = _runs_out_after_s(rest.to_come, budget.amount - used)
    return Forecast(
        budget=budget,
        used=used,
        expected=used + rest.expected,
        low=None if rest.low is None else used + rest.low,
        high=None if rest.high is None else used + rest.high,
        past=len(past),
        ends_at_s=ends_at_s,
        runs_out_at_s=None if after_s is None else now_s + after_s,
    )


class _Rest(NamedTuple):
    """What is still to come: (seconds from now, amount) in order of time, and its sum."""

    to_come: Sequence[tuple[float, float]]
    expected: int
    low: int | None = None
    high: int | None = None


def _from_past(past: Sequence[Sequence[tuple[float, int]]]) -> _Rest:
    """All past rests on top of each other, each with its share."""
    sums = [sum(amount for _, amount in rest) for rest in past]
    to_come = sorted((after_s, amount / len(past)) for rest in past for after_s, amount in rest)
    return _Rest(to_come, round(median(sums)), min(sums), max(sums))


def _from_pace(per_s: float, left_s: float) -> _Rest:
    steps = [(left_s * step / STEPS, per_s * left_s / STEPS) for step in range(1, STEPS + 1)]
    return _Rest(steps, round(per_s * left_s))


def _ends_before(budget: Budget, ends_at_s: float, first_s: float, zone: tzinfo) -> Iterator[float]:
    """The ends of earlier windows, the latest first, back to the one in which spending began; at least one."""
    end_s, longest_s = ends_at_s, LONGEST_S[budget.window]
    for number in range(PAST):
        _, before_s = window_start(budget.window, end_s - longest_s - 1.0, zone)
        if before_s is None or (number and before_s <= first_s):
            return
        yield before_s
        end_s = before_s


def _rest(spends: Sequence[Spend], end_s: float, left_s: float) -> list[tuple[float, int]]:
    """What was spent in the last `left_s` of the window that ended at `end_s`: (seconds into that rest, amount)."""
    return [(at_s - (end_s - left_s), amount) for at_s, amount in spends if end_s - left_s <= at_s < end_s]


def _runs_out_after_s(to_come: Sequence[tuple[float, float]], left: int) -> float | None:
    """How long until more than `left` will have been spent; None: not before the window ends."""
    if left <= 0:
        return 0.0
    sums = accumulate(amount for _, amount in to_come)
    return next((after_s for (after_s, _), total in zip(to_come, sums, strict=True) if total > left), None)
