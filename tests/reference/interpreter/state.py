"""What outlives a call: counters of budgets by calendar window, and what is in the sliding windows of limits."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from math import floor, inf
from zoneinfo import ZoneInfo

from tests.reference.interpreter.breakers import Breaker
from tests.reference.interpreter.policies import Budget, Limit

BUCKETS = 60
Counter = tuple[str, str, str, str]  # owner, unit, window, the start of the window


def starts(window: str, now_s: float, zone: ZoneInfo) -> str:
    """The start of the calendar window that `now_s` is in, as a text of the local date."""
    local = datetime.fromtimestamp(now_s, UTC).astimezone(zone)
    year, week, _ = local.isocalendar()
    again = local.isoformat()[-6:] if local.fold else ""  # an hour that clocks repeat is two
    return {
        "hour": f"{local:%Y-%m-%dT%H}{again}",
        "day": f"{local:%Y-%m-%d}",
        "week": f"{year}-W{week:02}",
        "month": f"{local:%Y-%m}",
        "total": "",
    }[window]


def bucket(at_s: float, window_s: float) -> int:
    """A window slides in steps of a sixtieth of its length, so that a refusal may be early by as much."""
    return floor(Fraction(at_s) * BUCKETS / Fraction(window_s))


@dataclass
class State:
    zone: ZoneInfo
    spent: dict[Counter, int] = field(default_factory=dict)
    taken: dict[tuple[str, str, float], list[list[float]]] = field(
        default_factory=dict
    )  # [time, amount] by limit
    resting: dict[tuple[str, str], tuple[float, int]] = field(
        default_factory=dict
    )  # until when, for the how many-th time, by provider and key
    retried: dict[str, list[tuple[float, bool]]] = field(default_factory=dict)  # when, whether it was a retry
    breakers: dict[str, Breaker] = field(default_factory=dict)  # by target
    answers: dict[str, tuple[str, float]] = field(
        default_factory=dict
    )  # target and moment, by key of the cache
    asked: dict[str, int] = field(default_factory=dict)  # sends so far by target
    told: dict[tuple[Counter, Decimal], float] = field(
        default_factory=dict
    )  # warnings, and how long they hold

    def counter(self, budget: Budget, now_s: float) -> Counter:
        return budget.owner, budget.unit, budget.window, starts(budget.window, now_s, self.zone)

    def used(self, budget: Budget, now_s: float) -> Decimal:
        """The used share of a budget."""
        if budget.rolling:
            return Decimal(int(self.in_window(budget.sliding, now_s))) / budget.amount
        return Decimal(self.spent.get(self.counter(budget, now_s), 0)) / budget.amount

    def fits(self, budget: Budget, amount: int, now_s: float) -> bool:
        if budget.rolling:
            return self.has_room(budget.sliding, amount, now_s)
        return amount == 0 or self.spent.get(self.counter(budget, now_s), 0) + amount <= budget.amount

    def charge(self, counter: Counter, amount: int) -> None:
        self.spent[counter] = self.spent.get(counter, 0) + amount

    def warnings(self, budget: Budget, reserved_s: float, now_s: float) -> list[Decimal]:
        """The shares that a budget, in the window of a reservation or in the one that slides, has come to, and that
        nobody was told of. Nothing is reserved when this is asked."""
        if budget.rolling:
            counter = budget.owner, budget.unit, f"rolling {budget.window}", ""
            spent, until_s = self.in_window(budget.sliding, now_s), now_s + budget.sliding.window_s
        else:
            counter = self.counter(budget, reserved_s)
            spent, until_s = self.spent.get(counter, 0), inf
        found = [each for each in budget.warn_at if spent >= each * budget.amount]
        found = [each for each in found if self.told.get((counter, each), -inf) <= now_s]
        self.told |= {(counter, each): until_s for each in found}
        return found

    def has_room(self, limit: Limit, amount: int, now_s: float) -> bool:
        """One call at a time: of concurrent requests there is only the one that asks."""
        if limit.unit == "concurrent_requests":
            return limit.at_most >= 1
        return amount == 0 or self.in_window(limit, now_s) + amount <= limit.at_most

    def in_window(self, limit: Limit, now_s: float) -> float:
        """What the window that ends now holds."""
        log = self.taken.get((limit.owner, limit.unit, limit.window_s), [])
        first = bucket(now_s, limit.window_s) - BUCKETS
        return sum(taken for at_s, taken in log if bucket(at_s, limit.window_s) >= first)

    def take(self, limit: Limit, amount: int, now_s: float) -> list[float]:
        """The entry of the log, which may be corrected."""
        entry = [now_s, amount]
        self.taken.setdefault((limit.owner, limit.unit, limit.window_s), []).append(entry)
        return entry
