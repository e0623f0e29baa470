"""Reservations in memory."""

import sys
import uuid
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from heapq import heappop, heappush
from math import inf
from typing import Any

from router.adapters import accounts
from router.adapters.accounts import (
    LAPSED,
    LAPSES_A_STEP,
    MOST,
    OPEN,
    Part,
    State,
    Taken,
    counter_key,
    limit_key,
)
from router.adapters.memory_marks import MemoryMarks
from router.adapters.memory_store import MemoryStore
from router.decide.sliding import Room, room
from router.plan import Budget
from router.ports import (
    Act,
    ActKind,
    Balance,
    Charge,
    Counter,
    Crossed,
    Granted,
    Hold,
    Note,
    Refused,
    Row,
    Settlement,
    Take,
    Watch,
)

MAX_ROWS = 100_000
MAX_ENDED_COUNTERS = 50_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One attempt, with what it still needs to end."""

    hold: Hold
    seq: int
    parts: tuple[Part[str], ...]
    takes: tuple[Taken[str], ...]
    lease_until_s: float
    state: State = "reserved"
    ending: Settlement | None = None
    ended_at_s: float | None = None
    ended_seq: int | None = None


@dataclass(slots=True)
class Count:
    """A counter and when its window ends."""

    settled: int = 0  # less what was granted, so that reservations need not know of grants
    reserved: int = 0
    granted: int = 0
    moved: int = 0
    resets_at_s: float | None = None


Change = tuple[Part[str], int, int]
"""A part, and by how much (settled, reserved) of its counter change."""


class MemoryLedger:
    """A Ledger in memory. Nothing in it outlives the process."""

    suspends = False

    def __init__(self, store: MemoryStore, *, max_rows: int = MAX_ROWS) -> None:
        self._identity = uuid.uuid4().hex
        self._store = store
        self._max_rows = max_rows
        self._seq = 0
        self._open: dict[str, Entry] = {}
        self._ended: OrderedDict[str, Entry] = OrderedDict()
        self._leases: list[
            tuple[float, str]
        ] = []  # a heap; an entry that was renewed or has ended is passed over
        self._counts: dict[str, Count] = {}
        self._sweep_at = MAX_ENDED_COUNTERS
        self._acts: list[Act] = []
        self._marks = MemoryMarks()

    async def reserve(self, hold: Hold, *, wait_s: float = inf) -> Granted | Refused:
        with self._store.step():
            self._lapse(hold.now_s, LAPSES_A_STEP)
            self._seq += 1
            rooms = [self._room(take, hold.now_s) for take in hold.takes]
            verdict = accounts.verdict(hold, self._seq, map(self._used, hold.charges), rooms)
            if isinstance(verdict, Granted):
                self._begin(hold, rooms)
            return verdict

    async def mark_sent(self, id: str, *, now_s: float, wait_s: float = inf) -> None:
        with self._store.step():
            entry = self._entry(id)
            if entry.state not in OPEN:
                raise accounts.ended_before_sent(id, entry.state)
            self._open[id] = replace(entry, state="sent")

    async def renew(self, id: str, *, lease_until_s: float, wait_s: float = inf) -> None:
        with self._store.step():
            entry = self._open.get(id)
            if entry is not None:
                until_s = max(entry.lease_until_s, lease_until_s)
                self._open[id] = replace(entry, lease_until_s=until_s)
                heappush(self._leases, (until_s, id))

    async def settle(
        self, id: str, settlement: Settlement, watches: Sequence[Watch] = (), *, wait_s: float = inf
    ) -> Sequence[Crossed]:
        with self._store.step():
            entry = self._entry(id)
            if accounts.may_settle(entry.state, _how(entry), settlement):
                self._end(entry, "settled", settlement.now_s, settlement)
            now_s = settlement.now_s
            return self._marks.crossed(watches, lambda watch: self._level(watch, now_s), now_s=now_s)

    async def correct(self, id: str, settlement: Settlement, note: Note) -> bool:
        with self._store.step():
            entry = self._entry(id)
            if not accounts.at_worst_case(entry.state, _how(entry)):
                return False
            before = accounts.row_cost_nusd(entry.state, entry.hold.worst_nusd, entry.ending)
            self._end(entry, "settled", settlement.now_s, settlement)
            self._act("settle", note, amount=settlement.cost_nusd, row=id, before=before)
            return True

    async def release(self, id: str, *, now_s: float, wait_s: float = inf) -> None:
        with self._store.step():
            entry = self._open.get(id)
            if entry is not None and entry.state == "reserved":
                self._end(entry, "released", now_s)

    async def reconcile(self, *, now_s: float) -> int:
        with self._store.step():
            return self._lapse(now_s, sys.maxsize)

    async def balances(
        self, counters: Sequence[Counter], *, wait_s: float = inf
    ) -> Mapping[Counter, Balance]:
        with self._store.step():
            return {counter: self._balance(counter) for counter in counters}

    async def held(
        self, budgets: Sequence[Budget], *, now_s: float, wait_s: float = inf
    ) -> Mapping[Budget, int]:
        with self._store.step():
            return {budget: self._room(Take(limit=budget, amount=0), now_s).held for budget in budgets}

    async def identity(self) -> str:
        return self._identity

    async def all_balances(self) -> Mapping[Counter, Balance]:
        with self._store.step():
            counters = [accounts.counter_of(key) for key in self._counts]
            return {counter: self._balance(counter) for counter in counters}

    async def rows(self, *, since_s: float = 0.0, after: int = 0, limit: int | None = None) -> Sequence[Row]:
        with self._store.step():
            entries = [*self._open.values(), *self._ended.values()]
        wanted = (each for each in entries if each.hold.now_s >= since_s and each.seq > after)
        return [_row(entry) for entry in sorted(wanted, key=lambda each: each.seq)[:limit]]

    async def row(self, id: str) -> Row | None:
        with self._store.step():
            entry = self._open.get(id) or self._ended.get(id)
        return None if entry is None else _row(entry)

    async def grant(self, counter: Counter, amount: int, note: Note) -> Balance:
        with self._store.step():
            count = self._counts.get(counter_key(counter), Count())
            after = accounts.granted_after(count.granted, amount)
            if count.settled + count.reserved - amount >= 2 * MOST:
                raise accounts.too_much(amount)
            count.settled, count.granted = count.settled - amount, after
            self._counts[counter_key(counter)] = count
            self._act("grant", note, amount=amount, counter=counter)
            return self._balance(counter)

    async def acts(self) -> Sequence[Act]:
        with self._store.step():
            return tuple(self._acts)

    async def move_out(self, rows: Sequence[Row]) -> int:
        with self._store.step():
            known = [(row, self._ended.get(row.id)) for row in rows]
            ended = [
                entry for row, entry in known if entry and (entry.state, _how(entry)) == (row.state, row.how)
            ]
            for entry in ended:
                self._move_out(entry)
        return len(ended)

    async def forget(self, counters: Sequence[Counter]) -> int:
        with self._store.step():
            found = {key: self._counts.get(key) for key in map(counter_key, counters)}
            over = [
                key
                for key, count in found.items()
                if count and count.reserved == 0 and count.settled + count.granted == count.moved
            ]
            for key in over:
                del self._counts[key]
        return len(over)

    async def aclose(self) -> None:
        """Nothing to free."""

    # --- Inside a step ------------------------------------------------------------------------------------------------

    def _entry(self, id: str) -> Entry:
        entry = self._open.get(id) or self._ended.get(id)
        if entry is None:
            raise accounts.unknown_row(id)
        return entry

    def _used(self, charge: Charge) -> int:
        count = self._counts.get(counter_key(charge.counter))
        return count.settled + count.reserved if count else 0

    def _room(self, take: Take, now_s: float) -> Room:
        limit = take.limit
        slide = self._store.window(limit, now_s=now_s)
        return room(slide, limit.window_s, limit.at_most, take.amount, now_s=now_s)

    def _balance(self, counter: Counter) -> Balance:
        count = self._counts.get(counter_key(counter), Count())
        return Balance(
            settled=count.settled + count.granted,
            reserved=count.reserved,
            granted=count.granted,
            moved=count.moved,
        )

    def _level(self, watch: Watch, now_s: float) -> Balance:
        if isinstance(watch.of, Budget):
            return Balance(settled=self._room(Take(limit=watch.of, amount=0), now_s).held)
        return self._balance(watch.of)

    def _act(self, kind: ActKind, note: Note, **fields: Any) -> None:
        self._seq += 1
        act = Act(seq=self._seq, at_s=note.at_s, who=note.who, why=note.why, kind=kind, **fields)
        self._acts.append(act)

    def _begin(self, hold: Hold, rooms: Sequence[Room]) -> None:
        if hold.id in self._open or hold.id in self._ended:
            raise accounts.known_row(hold.id)
        keys = [counter_key(charge.counter) for charge in hold.charges]
        limits = {limit_key(take.limit): take.limit for take in hold.takes}
        entry = Entry(
            hold=hold,
            seq=self._seq,
            parts=tuple(accounts.parts_of(keys, hold.charges)),
            takes=tuple(accounts.takes_of((limit_key(take.limit) for take in hold.takes), hold.takes, rooms)),
            lease_until_s=hold.now_s + hold.lease_s,
        )
        self._open[hold.id] = entry
        heappush(self._leases, (entry.lease_until_s, hold.id))
        self._sweep(hold.now_s)
        for key, charge in zip(keys, hold.charges, strict=True):
            self._counts.setdefault(key, Count()).resets_at_s = charge.resets_at_s
        for part in entry.parts:
            self._counts[part.key].reserved += part.needed
        for taken in entry.takes:
            self._store.take(limits[taken.key], taken.at, taken.amount, now_s=hold.now_s)

    def _end(self, entry: Entry, state: State, now_s: float, ending: Settlement | None = None) -> None:
        changes = [
            (part, *accounts.change(part, entry.state, state, ending, entry.ending)) for part in entry.parts
        ]
        if ending is not None:
            self._check(entry, ending, changes)
        self._seq += 1
        after = replace(entry, state=state, ending=ending, ended_at_s=now_s, ended_seq=self._seq)
        self._open.pop(entry.hold.id, None)
        self._ended[entry.hold.id] = after
        for part, settled, reserved in changes:
            self._change(part, settled, reserved, entry)
        for taken in entry.takes:
            was = accounts.in_window(taken, entry.state, entry.ending)
            self._store.correct(taken.key, taken.at, accounts.in_window(taken, state, ending) - was)
        while len(self._ended) > self._max_rows:
            self._move_out(next(iter(self._ended.values())))

    def _check(self, entry: Entry, ending: Settlement, changes: Sequence[Change]) -> None:
        """Raises StoreError for an ending that no file and no server could hold either."""
        accounts.check_cost(entry.hold.id, ending)
        for part, settled, reserved in changes:
            if settled + reserved > 0:
                count = self._counts.get(part.key, Count())
                if count.settled + count.reserved + settled + reserved > MOST:
                    raise accounts.too_costly(entry.hold.id, ending)

    def _change(self, part: Part[str], settled: int, reserved: int, before: Entry) -> None:
        count = self._counts.get(part.key)
        if (
            count is None
        ):  # forgotten, with all that it held: only of a row that held nothing can it hold more now
            if accounts.held(before.state, part.unit, part.needed, before.ending) != (0, 0):
                return
            count = self._counts[part.key] = Count()
        count.settled += settled
        count.reserved += reserved

    def _move_out(self, entry: Entry) -> None:
        """Forget a row that has ended; what it holds of its counters stays, as moved."""
        del self._ended[entry.hold.id]
        for part in entry.parts:
            count = self._counts.get(part.key)
            if count is not None:
                count.moved += accounts.held(entry.state, part.unit, part.needed, entry.ending)[0]

    def _lapse(self, now_s: float, at_most: int) -> int:
        """Resolve up to `at_most` leases that ended by `now_s`, oldest first. Returns how many."""
        resolved = 0
        while resolved < at_most and self._leases and self._leases[0][0] <= now_s:
            until_s, lapsed = heappop(self._leases)
            entry = self._open.get(lapsed)
            if entry is not None and entry.lease_until_s == until_s:
                self._end(entry, LAPSED[entry.state], now_s)
                resolved += 1
        return resolved

    def _sweep(self, now_s: float) -> None:
        """Forget counters of windows that are over. The next sweep waits for as many again, so it stays cheap."""
        if len(self._counts) < self._sweep_at:
            return
        for key, count in list(self._counts.items()):
            if count.reserved == 0 and count.resets_at_s is not None and count.resets_at_s <= now_s:
                del self._counts[key]
        self._sweep_at = max(MAX_ENDED_COUNTERS, 2 * len(self._counts))


def _how(entry: Entry) -> str | None:
    return entry.ending.how if entry.ending else None


def _row(entry: Entry) -> Row:
    hold, ending = entry.hold, entry.ending
    parts = [Part(accounts.counter_of(part.key), part.unit, part.needed) for part in entry.parts]
    return Row(
        id=hold.id,
        request_id=hold.request_id,
        attempt=hold.attempt,
        policy=hold.policy,
        tenant=hold.tenant,
        user=hold.user,
        target=hold.target,
        plan_digest=hold.plan_digest,
        prices_digest=hold.prices_digest,
        state=entry.state,
        worst_nusd=hold.worst_nusd,
        worst_tokens=hold.worst_tokens,
        cost_nusd=accounts.row_cost_nusd(entry.state, hold.worst_nusd, ending),
        usage=ending.usage if ending else None,
        how=ending.how if ending else None,
        kind=ending.kind if ending else None,
        counters=accounts.held_now(parts, entry.state, ending),
        reserved_at_s=hold.now_s,
        ended_at_s=entry.ended_at_s,
        lease_until_s=entry.lease_until_s,
        seq=entry.seq,
        rolling=accounts.rolling_now(entry.takes, entry.state, ending),
        key=hold.key,
        tags=hold.tags,
        ended_seq=entry.ended_seq,
    )
