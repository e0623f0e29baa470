"""The state ports as one would write them with endless memory and no hurry: a list of rows, a log of takes, and sums.

It shares no code with the stores. Of every answer of theirs it says whether it was right; where a sliding window may
refuse early by a sixtieth it says so, and follows what the store did.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from fractions import Fraction
from math import floor, inf
from typing import Any

from router.plan import Sliding
from router.ports import (
    Admission,
    Charge,
    Counter,
    Crossed,
    Granted,
    Hold,
    LimitFull,
    Refused,
    Row,
    Settlement,
    Shortfall,
    Take,
    Watch,
)
from tests.adapters.naive_windows import MOST_COUNTED, Log, log_key

MOST = 2**62  # that may be spent, or granted, or be said to be the cost of a row
LAPSES_OF_A_RESERVATION = 16
OPEN = ("reserved", "sent")
STEPS: dict[str, tuple[str, ...]] = {
    "reserved": ("sent", "settled", "released"),
    "sent": ("settled", "expired"),
    "expired": ("settled",),
    "settled": ("settled",),  # a truth that comes late
    "released": (),
}
"""What may become of a row."""


class StoreSaysNo(Exception):
    """A StoreError is the right answer; nothing has changed."""


@dataclass
class NaiveRow:
    """One reservation and what became of it."""

    hold: Hold
    lease_until_s: float
    state: str = "reserved"
    ending: Settlement | None = None
    ended_at_s: float | None = None
    gone: bool = False  # moved out: what it held still counts
    forgotten: set[Counter] = field(default_factory=set)  # but not here any more

    def move(self, state: str, now_s: float) -> None:
        assert state in STEPS[self.state]
        self.state, self.ended_at_s = state, now_s

    def holds(self, unit: str, needed: int) -> int:
        """What it holds of something of which it needed so much."""
        if self.state == "released":
            return 0
        if self.ending is None:
            return needed
        return truth(unit, needed, self.ending)

    @property
    def cost_nusd(self) -> int:
        if self.state == "released":
            return 0
        return self.hold.worst_nusd if self.ending is None else self.ending.cost_nusd

    @property
    def how(self) -> str | None:
        return self.ending.how if self.ending else None

    @property
    def at_worst_case(self) -> bool:
        return self.state == "expired" or (self.ending is not None and self.ending.how == "worst_case")


def truth(unit: str, needed: int, ending: Settlement) -> int:
    if ending.how == "unsent":
        return 0
    if unit == "nusd":
        return ending.cost_nusd
    if unit == "requests":
        return needed
    if ending.usage is None:
        return 0 if ending.how == "nothing" else needed
    counts = {"input_tokens": ending.usage.input_tokens, "output_tokens": ending.usage.output_tokens}
    return counts.get(unit, sum(counts.values()))


@dataclass
class Naive:
    """One state. `zone` is that of its calendar windows."""

    zone: tzinfo
    rows: dict[str, NaiveRow] = field(default_factory=dict)  # in the order of their numbers
    logs: dict[tuple[str, str, float, bool], Log] = field(default_factory=dict)
    permits: dict[tuple[str, str], tuple[int, float]] = field(default_factory=dict)  # by (owner, request)
    periods: dict[Counter, tuple[object, ...]] = field(default_factory=dict)
    grants: dict[Counter, int] = field(default_factory=dict)
    kept: set[Counter] = field(default_factory=set)  # counters that are written
    marks: set[tuple[Counter, int]] = field(default_factory=set)  # shares that somebody was told of
    loose: set[Counter] = field(default_factory=set)  # counters that were charged by a budget in shadow alone
    amounts: dict[tuple[object, ...], int] = field(default_factory=dict)  # the largest that was ever in force

    # --- Ledger -----------------------------------------------------------------------------------------------------

    def reserved(self, hold: Hold, found: Granted | Refused) -> None:
        """Justify the answer to a reservation, and keep it where it was granted."""
        self.lapse(hold.now_s, LAPSES_OF_A_RESERVATION)
        for charge in hold.charges:
            self.learn(charge, hold.now_s)
        short = [charge for charge in hold.charges if not self.has_room(charge)]
        fits = [self._fits(take, hold.now_s) for take in hold.takes]
        hard = [fit for take, fit in zip(hold.takes, fits, strict=True) if not take.limit.shadow]
        granted = isinstance(found, Granted)
        if granted:
            for charge in short:
                assert charge.budget.shadow, f"{charge.needed} of {self.left(charge)} left were granted"
            assert False not in hard, "a full window let more in"
        else:
            assert any(not each.budget.shadow for each in short) or hard.count(True) < len(hard), (
                "what fits was refused"
            )
        told = found.shadow if isinstance(found, Granted) else found.shortfalls
        short = [charge for charge in short if charge.budget.shadow == granted]
        calendar, sliding = told[: len(short)], told[len(short) :]
        assert [(each.budget, each.needed, each.available, each.resets_at_s) for each in calendar] == [
            (charge.budget, charge.needed, self.left(charge), charge.resets_at_s) for charge in short
        ]
        self._justify_full(hold, sliding, fits, shadow=granted)
        if granted:
            self._keep(hold)

    def _justify_full(
        self, hold: Hold, told: Sequence[Shortfall], fits: Sequence[bool | None], *, shadow: bool
    ) -> None:
        wanted = iter(told)
        found = next(wanted, None)
        for take, fit in zip(hold.takes, fits, strict=True):
            if take.limit.shadow != shadow:
                continue
            if found is None or (found.limit or found.budget) != take.limit or fit is True:
                assert fit is not False, "a full window was passed over"
                continue
            log = self._log(take.limit)
            assert found.needed == take.amount
            least, most = (
                take.limit.at_most - held for held in (log.most(hold.now_s), log.least(hold.now_s))
            )
            assert max(0, least) <= found.available <= max(0, most)
            wait_s = inf if found.resets_at_s is None else found.resets_at_s - hold.now_s
            self.justify_wait(take, hold.now_s, wait_s)
            found = next(wanted, None)
        assert found is None

    def has_room(self, charge: Charge) -> bool:
        return charge.needed == 0 or self.used(charge.counter) + charge.needed <= self._amount(charge)

    def left(self, charge: Charge) -> int:
        return max(0, self._amount(charge) - self.used(charge.counter))

    def _amount(self, charge: Charge) -> int:
        return charge.budget.amount + self.grants.get(charge.counter, 0)

    def learn(self, charge: Charge, now_s: float) -> None:
        """Two charges are of one counter exactly when they are of one owner, unit and period."""
        period = self.period(charge.counter, now_s)
        assert self.periods.setdefault(charge.counter, period) == period
        assert list(self.periods.values()).count(period) == 1
        if charge.resets_at_s is not None:
            assert self.period(charge.counter, charge.resets_at_s) != period
            assert self.period(charge.counter, max(now_s, charge.resets_at_s - 0.001)) == period
        if not charge.budget.shadow:
            self.amounts[period] = max(self.amounts.get(period, 0), self._amount(charge))

    def period(self, of: Counter, now_s: float) -> tuple[object, ...]:
        local = datetime.fromtimestamp(floor(now_s), self.zone)
        parts: dict[str, tuple[object, ...]] = {
            "total": (),
            "month": (local.year, local.month),
            "week": local.isocalendar()[:2],
            "day": (local.date(),),
            "hour": (local.date(), local.hour, local.fold),
        }
        return of.owner, of.unit, of.window, *parts[of.window]

    def _keep(self, hold: Hold) -> None:
        row = NaiveRow(hold, hold.now_s + hold.lease_s)
        self.rows[hold.id] = row
        self.kept |= {charge.counter for charge in hold.charges}
        hard = {charge.counter for charge in hold.charges if not charge.budget.shadow}
        self.loose |= {charge.counter for charge in hold.charges} - hard
        for take in once(hold.takes):
            self._count(take, hold.takes, hold.now_s, holding(row, take))

    def _count(self, take: Take, takes: Sequence[Take], now_s: float, now: Callable[[], int]) -> None:
        log = self._log(take.limit)
        same = [
            each.limit
            for each in takes
            if log_key(each.limit) == log_key(take.limit) and not each.limit.shadow
        ]
        log.take(now_s, now, take.amount, max((each.at_most for each in same), default=0))
        log.loose |= not same

    def sent(self, id: str) -> None:
        row = self._known(id)
        if row.state not in OPEN:
            raise StoreSaysNo
        row.state = "sent"

    def renewed(self, id: str, until_s: float) -> None:
        row = self.rows.get(id)
        if row is not None and row.state in OPEN:
            row.lease_until_s = max(row.lease_until_s, until_s)

    def settled(self, id: str, ending: Settlement) -> None:
        row = self._known(id)
        is_truth = ending.how in ("reported", "counted")
        if row.ended_at_s is None or row.state == "expired" or (row.at_worst_case and is_truth):
            self._settle(row, ending)

    def told(self, watches: Sequence[Watch]) -> tuple[Crossed, ...]:
        """The shares that were reached, and of which nobody was told."""
        found = []
        for watch in watches:
            assert isinstance(watch.of, Counter)
            settled, granted = self.used(watch.of, ("settled", "expired")), self.grants.get(watch.of, 0)
            for share in watch.warn_at:
                news = (watch.of, share) not in self.marks
                if news and settled * 100_000 >= share * max(0, watch.amount + granted):
                    self.marks.add((watch.of, share))
                    found.append(Crossed(watch=watch, share=share, settled=settled, granted=granted))
        return tuple(found)

    def corrected(self, id: str, ending: Settlement) -> bool:
        """In somebody's name: whether there was anything to correct."""
        row = self._known(id)
        if row.at_worst_case:
            self._settle(row, ending)
            return True
        return False

    def _settle(self, row: NaiveRow, ending: Settlement) -> None:
        if ending.cost_nusd > MOST or any(self._overflows(row, charge, ending) for charge in parts(row)):
            raise StoreSaysNo
        self._end(row, "settled", ending.now_s)
        row.ending = ending

    def _overflows(self, row: NaiveRow, charge: Charge, ending: Settlement) -> bool:
        """What is granted is taken off what a counter keeps."""
        unit, counter = charge.counter.unit, charge.counter
        more = truth(unit, charge.needed, ending) - row.holds(unit, charge.needed)
        return more > 0 and self.used(counter) + more - self.grants.get(counter, 0) > MOST

    def granted(self, counter: Counter, amount: int) -> None:
        total = self.grants.get(counter, 0) + amount
        if abs(total) > MOST or self.used(counter) - total >= 2 * MOST:
            raise StoreSaysNo
        self.grants[counter] = total
        self.kept.add(counter)

    def moved_out(self, rows: Sequence[Row]) -> int:
        """Rows as somebody read them: those that have ended, and have not changed since."""
        known = [(self.rows.get(row.id), row.state, row.how) for row in rows]
        gone = [
            row
            for row, state, how in known
            if row and not row.gone and row.ended_at_s is not None and (row.state, row.how) == (state, how)
        ]
        for row in gone:
            row.gone = True
        return len(gone)

    def forgot(self, counters: Sequence[Counter]) -> int:
        """Counters of which no row that is here holds anything."""
        over = [
            each
            for each in counters
            if each in self.kept and self.used(each) == self.moved(each) and self.used(each, OPEN) == 0
        ]
        for each in over:
            self.kept.discard(each)
            self.grants.pop(each, None)
            for row in self.rows.values():
                if row.gone:
                    row.forgotten.add(each)
        return len(over)

    def moved(self, of: Counter) -> int:
        return self._sum(of, [row for row in self.rows.values() if row.gone])

    def released(self, id: str, now_s: float) -> None:
        row = self.rows.get(id)
        if row is not None and row.state == "reserved":
            self._end(row, "released", now_s)

    def lapse(self, now_s: float, at_most: float = inf) -> int:
        lapsed = [row for row in self.rows.values() if row.state in OPEN and row.lease_until_s <= now_s]
        lapsed = sorted(lapsed, key=lambda row: row.lease_until_s)[: int(min(at_most, len(lapsed)))]
        for row in lapsed:
            self._end(row, "released" if row.state == "reserved" else "expired", now_s)
        return len(lapsed)

    def _end(self, row: NaiveRow, state: str, now_s: float) -> None:
        """A counter that was forgotten, because the row held nothing of it, is there again."""
        row.move(state, now_s)
        self.kept |= {charge.counter for charge in row.hold.charges}

    def _known(self, id: str) -> NaiveRow:
        if id not in self.rows or self.rows[id].gone:
            raise StoreSaysNo
        return self.rows[id]

    def used(self, of: Counter, states: Sequence[str] = ("reserved", "sent", "settled", "expired")) -> int:
        """Settled and reserved, or one of both."""
        return self._sum(of, [row for row in self.rows.values() if row.state in states])

    def _sum(self, of: Counter, rows: Sequence[NaiveRow]) -> int:
        return sum(
            row.holds(of.unit, charge.needed)
            for row in rows
            for charge in parts(row)
            if charge.counter == of and of not in row.forgotten
        )

    def is_row(self, found: Row) -> bool:
        """Whether `found` tells what is known of it, but for its number."""
        row = self.rows[found.id]
        ending = row.ending
        told = {
            **{name: getattr(row.hold, name) for name in Row.__slots__ if hasattr(row.hold, name)},
            "state": row.state,
            "cost_nusd": row.cost_nusd,
            "usage": ending and ending.usage,
            "how": row.how,
            "kind": ending and ending.kind,
            "reserved_at_s": row.hold.now_s,
            "ended_at_s": row.ended_at_s,
            "lease_until_s": row.lease_until_s,
        }
        counters = [(each.counter, row.holds(each.counter.unit, each.needed)) for each in parts(row)]
        assert {name: getattr(found, name) for name in told} == told
        assert sorted(found.counters, key=repr) == sorted(counters, key=repr)
        return True

    def no_budget_is_exceeded(self) -> None:
        """But for what was billed above its reservation."""
        for counter, period in self.periods.items():
            if counter in self.loose:
                continue
            bounded = sum(
                min(row.holds(counter.unit, charge.needed), charge.needed)
                for row in self.rows.values()
                for charge in parts(row)
                if charge.counter == counter and counter not in row.forgotten
            )
            assert bounded <= self.amounts.get(period, 0)

    # --- Windows and permits ------------------------------------------------------------------------------------------

    def _log(self, limit: Sliding) -> Log:
        return self.logs.setdefault(log_key(limit), Log(Fraction(limit.window_s)))

    def _fits(self, take: Take, now_s: float) -> bool | None:
        """None: exactly it fits, counted in steps of a sixtieth it may not."""
        log = self._log(take.limit)
        if take.amount == 0 or log.most(now_s) + take.amount <= take.limit.at_most:
            return True
        return False if log.least(now_s) + take.amount > take.limit.at_most else None

    def justify_wait(self, take: Take, now_s: float, wait_s: float) -> None:
        """As long as is told is enough, and hardly more than it takes."""
        limit, log = take.limit, self._log(take.limit)
        assert wait_s > 0
        assert (wait_s == inf) == (take.amount > limit.at_most)
        if wait_s == inf:
            return
        newest = log.newest()
        before_s = now_s + wait_s - limit.window_s / 60 - 0.003
        if newest is not None and newest <= now_s < before_s:
            assert log.least(before_s) + take.amount > limit.at_most, "told to wait for longer than it takes"

    def admitted(
        self, id: str, takes: Sequence[Take], found: Admission, now_s: float, lease_s: float
    ) -> None:
        """Justify the answer to a request, and keep it where it was let in."""
        fits = {
            take: self._permitted(id, take, now_s) if is_permit(take) else self._fits(take, now_s)
            for take in takes
        }
        if found.full is not None:
            assert not found.full.limit.shadow
            assert found.shadow == ()
            self._justify_told(id, fits, found.full, now_s)
            return
        for take, fit in fits.items():
            told = [each for each in found.shadow if each.limit == take.limit]
            assert fit is not False or take.limit.shadow, "more was let in than the limit"
            assert fit is not False or told, "a full limit in shadow was passed over"
            assert take.limit.shadow or not told
        for each in found.shadow:
            self._justify_told(id, fits, each, now_s)
        for take in {log_key(take.limit): take for take in takes}.values():
            if is_permit(take):
                self._forget_lapsed(take.limit.owner, now_s)
                self.permits[take.limit.owner, id] = take.amount, now_s + lease_s
            else:
                amount = take.amount
                self._count(take, takes, now_s, lambda n=amount: n)  # type: ignore[misc]

    def _justify_told(self, id: str, fits: Mapping[Take, bool | None], told: LimitFull, now_s: float) -> None:
        full = [take for take, fit in fits.items() if take.limit == told.limit and fit is not True]
        assert full, "what fits was told to be full"
        take = full[0]
        if not is_permit(take):
            self.justify_wait(take, now_s, told.retry_after_s)
            return
        ends = sorted(self._others(id, take.limit.owner, now_s), key=lambda each: each[1])
        excess = sum(amount for amount, _ in ends) + take.amount - take.limit.at_most
        freed, waits = 0, [inf]
        for amount, until_s in ends:
            freed += amount
            waits += [until_s - now_s] if freed >= excess else []
        assert told.retry_after_s == inf or 0 <= told.retry_after_s - min(waits) <= 0.0021
        assert (told.retry_after_s == inf) == (min(waits) == inf)

    def _permitted(self, id: str, take: Take, now_s: float) -> bool:
        held = sum(amount for amount, _ in self._others(id, take.limit.owner, now_s))
        return held + take.amount <= take.limit.at_most

    def _others(self, id: str, owner: str, now_s: float) -> list[tuple[int, float]]:
        return [
            (amount, until_s)
            for (of, holder), (amount, until_s) in self.permits.items()
            if of == owner and holder != id and until_s > now_s
        ]

    def _forget_lapsed(self, owner: str, now_s: float) -> None:
        """Whose place was given to another has none any more, even if it renews."""
        for key in [
            key for key, (_, until_s) in self.permits.items() if key[0] == owner and until_s <= now_s
        ]:
            del self.permits[key]

    def permit_renewed(self, id: str, until_s: float) -> None:
        for key, (amount, ends_s) in self.permits.items():
            if key[1] == id:
                self.permits[key] = amount, max(ends_s, until_s)

    def permit_released(self, id: str) -> None:
        for key in [key for key in self.permits if key[1] == id]:
            del self.permits[key]

    def holds_now(self, limit: Sliding, now_s: float) -> range:
        """What `used` may say."""
        if limit.unit == "concurrent_requests":
            held = sum(amount for amount, _ in self._others("", limit.owner, now_s))
            return range(held, held + 1)
        log = self._log(limit)
        return range(min(log.least(now_s), MOST_COUNTED), log.most(now_s) + 1)

    def no_window_is_exceeded(self) -> None:
        for log in self.logs.values():
            assert log.loose or log.fullest() <= log.at_most


def is_permit(take: Take) -> bool:
    return take.limit.unit == "concurrent_requests"


def parts(row: NaiveRow) -> Iterator[Charge]:
    """Two budgets on one counter are the same money: the larger need."""
    largest: dict[Counter, Charge] = {}
    for charge in row.hold.charges:
        if charge.counter not in largest or charge.needed > largest[charge.counter].needed:
            largest[charge.counter] = charge
    return iter(largest.values())


def once(takes: Iterable[Take]) -> list[Take]:
    """The larger take of each window."""
    found: dict[Any, Take] = {}
    for take in takes:
        known = found.get(log_key(take.limit))
        if known is None or take.amount > known.amount:
            found[log_key(take.limit)] = take
    return list(found.values())


def holding(row: NaiveRow, take: Take) -> Callable[[], int]:
    return lambda: row.holds(take.limit.unit, take.amount)
