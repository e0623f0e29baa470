"""Ledger and limiter of every store, in any order of calls and on a clock that jumps, against a naive state.

All stores are asked side by side and must answer alike; the naive one must find each answer right. By default it takes
half a minute; STATE_MODEL_TIMES=50 in the environment tries fifty times as many orders.
"""

import os
from collections import Counter as Tally
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import count
from math import inf
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar, TypeVar, get_args
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from router.decide.windows import window_start
from router.errors import StoreError
from router.plan import Budget, Limit, Sliding
from router.ports import (
    Admission,
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
from router.ports.ledger import How
from router.values import Kind, Usage
from tests.adapters.naive import MOST, OPEN, Naive, StoreSaysNo
from tests.adapters.naive_windows import MOST_COUNTED
from tests.adapters.states import STATES, State, budget, concurrency, do, hold, limit, opened

TIMES = int(os.environ.get("STATE_MODEL_TIMES", "1"))

MOMENTS = (
    ("Europe/Berlin", (2026, 3, 29, 1, 40)),  # clocks skip an hour
    ("Europe/Berlin", (2026, 10, 25, 1, 50)),  # and repeat one
    ("America/New_York", (2026, 11, 1, 0, 30)),
    ("Australia/Lord_Howe", (2026, 4, 5, 1, 20)),  # half an hour is repeated
    ("Asia/Kathmandu", (2026, 8, 31, 23, 30)),  # a month ends at a quarter of an hour
    ("America/Havana", (2026, 3, 7, 23, 40)),  # clocks skip midnight
    ("UTC", (2028, 2, 28, 23, 50)),  # before a leap day
    ("UTC", (2026, 12, 31, 23, 30)),  # in week 53, which goes on in the next year
)

DAY, TOTAL = budget("tenant:acme", 3000), budget("policy:main", 5000, window="total")
BUDGETS = (
    budget("tenant:acme", 1000, window="hour"),
    DAY,
    budget("tenant:acme", 2000),  # the same counter, as an edit left it
    budget("user:acme:ann", 400),
    budget("user:acme:ann", 600, window="week"),
    budget("user:acme:bob b", 700, unit="tokens", window="month"),
    budget("tenant:acme", 900, unit="tokens"),
    budget("tenant:acme", 12, unit="requests", window="week"),
    TOTAL,
    budget("pool:rich", 10**18 - 1, window="month"),  # the most that can be written
    budget("pool:richer", 2**62 - 1, window="total"),  # the most that can be kept, with as much granted
    budget("pool:many", 2**53 + 1, unit="tokens", window="week"),
    budget("user:acme:ann", 300, shadow=True),  # beside the hard one, on its counter
    budget("policy:main", 700, shadow=True),
)
SLIDING: tuple[Sliding, ...] = (
    limit("tenant:acme", 300),
    limit("tenant:acme", 200),  # the same window, as an edit left it
    limit("tenant:acme", 10**12 - 1, unit="input_tokens", window_s=3600.0),
    limit("user:acme:ann", 90, unit="output_tokens", window_s=1.0),
    limit("user:acme:ann", 500, unit="tokens", window_s=3600.0),
    limit("user:acme:bob b", 100, unit="input_tokens", shadow=True),
    budget("tenant:acme", 800, window="hour", rolling=True),
    budget("tenant:acme", 500, window="day", rolling=True, shadow=True),
    budget("tenant:acme", 400, unit="tokens", window="hour", rolling=True),
    budget("pool:rich", 2**52, window="week", rolling=True),
)
RATES = (
    limit("tenant:acme", 4, unit="requests"),
    limit("tenant:acme", 3, unit="requests"),
    limit("user:acme:ann", 2, unit="requests", window_s=1.0),
    limit("user:acme:ann", 9, unit="requests", window_s=3600.0),
    concurrency(3),
    concurrency(2),
    concurrency(1, "user:acme:ann"),
    concurrency(1, "user:acme:bob b", shadow=True),
    limit("user:acme:bob b", 2, unit="requests", shadow=True),
)

SHARES = (30_000, 80_000, 100_000)
AGAINST = ("below", "at", "above")
AMOUNTS = ("some", "none", "some", "third", "some", "all that is left", "some", "one too many")
ABSURD = (2**53 + 1, MOST - 7, MOST, MOST + 1, 2**63 - 1, 10**40)
STEPS_S = (0.0, 0.004, 0.9, 4.0, 17.0, 31.0, 61.0, 1300.0, 3601.0)
BACK_S = (-0.5, -17.0, -61.0, -130.0, -700.0, -9000.0, -90_000.0, -3_000_000.0)
EDGES = tuple((window, by_s) for window in ("hour", "day", "week", "month") for by_s in (-0.001, 0.0, 61.0))


T = TypeVar("T", Budget, Sliding)
Sized = Sequence[tuple[T, str]]
"""What is wanted of each: how much that is depends on what is left."""

RESERVATION: dict[str, Any] = {
    "charges": st.lists(st.tuples(st.sampled_from(BUDGETS), st.sampled_from(AMOUNTS)), max_size=4),
    "takes": st.lists(
        st.tuples(st.sampled_from(SLIDING), st.sampled_from((*AMOUNTS, "twice the amount"))),
        max_size=2,
        unique_by=lambda each: each[0],
    ),
    "lease_s": st.sampled_from([30.0, 5.0, 4000.0]),
    "sent": st.booleans(),
    "patient": st.booleans(),
}


class StateModel(RuleBasedStateMachine):
    """The stores, side by side, and the naive state that knows better."""

    tally: ClassVar[Tally[str]] = Tally()

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        self.contexts = [opened(name, Path(self.folder.name)) for name in sorted(STATES)]
        self.states: list[State] = [context.__enter__() for context in self.contexts]
        self.ids = count()
        self.numbers: list[list[int]] = [[] for _ in self.states]
        self.requests: list[str] = []
        self.copy: Sequence[Row] = ()
        self.now_s = 0.0

    @initialize(moment=st.sampled_from(MOMENTS))
    def begin(self, moment: tuple[str, tuple[int, ...]]) -> None:
        zone, local = moment
        self.zone = ZoneInfo(zone)
        self.naive = Naive(self.zone)
        self.now_s = datetime(*local, tzinfo=self.zone).timestamp()  # type: ignore[misc,arg-type]
        ending = Settlement(cost_nusd=1, usage=None, how="nothing", kind=None, now_s=self.now_s)
        self.write(lambda: self.naive.sent("x"), "mark_sent", "x", now_s=self.now_s)
        self.write(lambda: self.naive.settled("x", ending), "settle", "x", ending, ())
        self.write(lambda: self.naive.released("x", self.now_s), "release", "x", now_s=self.now_s)

    def teardown(self) -> None:
        if hasattr(self, "naive"):
            self.tally.update(f"row {row.state}" for row in self.naive.rows.values())
        for context in self.contexts:
            context.__exit__(None, None, None)
        self.folder.cleanup()

    # --- All stores alike ---------------------------------------------------------------------------------------------

    def ask(self, port: str, call: str, *args: Any, **fields: Any) -> Any:
        """The same call on every store; the one answer that all give. A StoreError is the answer `StoreError`."""
        answers = [self._ask(state, port, call, *args, **fields) for state in self.states]
        assert answers == answers[:1] * len(answers), f"{call} differs: {answers}"
        return answers[0]

    def _ask(self, state: State, port: str, call: str, *args: Any, **fields: Any) -> Any:
        try:
            answer = do(getattr(getattr(state, port), call)(*args, **fields))
        except StoreError:
            return StoreError
        if isinstance(answer, Granted | Refused):
            self.numbers[self.states.index(state)].append(answer.seq)
            return replace(answer, seq=0)
        if call == "settle":
            return tuple(answer)
        if call in ("used", "held"):  # beyond what any of them may hold, a server counts in floats
            return {of: min(held, MOST_COUNTED) for of, held in answer.items()}
        return answer

    def write(self, expected: Callable[[], object], call: str, *args: Any, **fields: Any) -> None:
        """A write of the ledger that answers as the naive state does, and errs exactly where that one does."""
        try:
            wanted = expected()
        except StoreSaysNo:
            wanted = StoreError
            self.tally[f"{call} impossible"] += 1
        assert self.ask("ledger", call, *args, **fields) == wanted

    # --- Reservations -------------------------------------------------------------------------------------------------

    @rule(**RESERVATION)
    def reserve(
        self, charges: Sized[Budget], takes: Sized[Sliding], lease_s: float, sent: bool, patient: bool
    ) -> None:
        wanted = [(of, self._need(of, size)) for of, size in charges]
        taken = [Take(limit=of, amount=self._amount(of, size)) for of, size in takes]
        found = self._reserve(wanted, taken, lease_s)
        if isinstance(found, Granted):
            if sent:
                self._send(max(self.naive.rows))
            return
        until_s = [inf if each.resets_at_s is None else each.resets_at_s for each in found.shortfalls]
        if (
            patient
            and max(until_s) < inf
            and all(needed <= of.amount for of, needed in wanted if not of.shadow)
        ):
            self.now_s = max(until_s)
            again = self._reserve(wanted, taken, lease_s)
            assert isinstance(again, Granted), "waiting as long as told was not enough"
            self.tally["waited for a window"] += 1

    @rule(**RESERVATION)
    def reserve_more(self, **reservation: Any) -> None:
        """The same, so that it comes as often as what may become of it."""
        self.reserve(**reservation)

    def _reserve(
        self, wanted: Sequence[tuple[Budget, int]], taken: Sequence[Take], lease_s: float
    ) -> Granted | Refused:
        charges = [self._charge(of, needed) for of, needed in wanted]
        held = hold(f"a{next(self.ids):06}", *charges, takes=taken, now_s=self.now_s, lease_s=lease_s)
        found = self.ask("ledger", "reserve", held)
        assert isinstance(found, Granted | Refused)
        self.naive.reserved(held, found)
        told = found.shadow if isinstance(found, Granted) else found.shortfalls
        verdict = type(found).__name__.lower()
        self.tally.update(
            [verdict, *(f"{verdict}, short of a {'budget' if each.budget else 'limit'}" for each in told)]
        )
        return found

    def _charge(self, of: Budget, needed: int) -> Charge:
        start, resets_at_s = window_start(of.window, self.now_s, self.zone)
        counter = Counter(owner=of.owner, unit=of.unit, window=of.window, start=start)
        return Charge(counter=counter, needed=needed, budget=of, resets_at_s=resets_at_s)

    def _need(self, of: Budget, size: str) -> int:
        if of.unit == "requests":
            return 1
        return sized(size, of.amount, self.naive.left(self._charge(of, 0)))

    def _amount(self, of: Sliding, size: str) -> int:
        return sized(size, of.at_most, max(0, of.at_most - self.naive.holds_now(of, self.now_s)[-1]))

    @precondition(lambda self: self.naive.rows)
    @rule(data=st.data())
    def reserve_again(self, data: st.DataObject) -> None:
        """An id is used once; what was resolved on the way is resolved anyway."""
        self.reconcile()
        row = self.naive.rows[self._some(data)]
        if not row.gone:
            assert self.ask("ledger", "reserve", hold(row.hold.id, now_s=self.now_s)) is StoreError

    @precondition(lambda self: self.naive.rows)
    @rule(data=st.data())
    def send(self, data: st.DataObject) -> None:
        self._send(self._some(data))

    def _send(self, id: str) -> None:
        self.write(lambda: self.naive.sent(id), "mark_sent", id, now_s=self.now_s)

    @precondition(lambda self: self.naive.rows)
    @rule(data=st.data(), by_s=st.sampled_from([-10.0, 1.0, 20.0, 5000.0]))
    def renew(self, data: st.DataObject, by_s: float) -> None:
        name, until_s = self._some(data), self.now_s + by_s
        self.write(lambda: self.naive.renewed(name, until_s), "renew", name, lease_until_s=until_s)

    @precondition(lambda self: self.naive.rows)
    @rule(
        data=st.data(),
        percent=st.sampled_from([30, 100, 170, 0, 30, 100, 170]),
        how=st.sampled_from(get_args(How)),
        failed=st.booleans(),
    )
    def settle(self, data: st.DataObject, percent: int, how: Any, failed: bool) -> None:
        known = self.naive.rows[self._some(data)].hold
        needed = [each.needed for each in known.charges if each.counter.unit == "tokens"]
        tokens = max([*needed, *(take.amount for take in known.takes), 0]) * percent // 100
        usage = Usage(input_tokens=tokens - tokens // 3, output_tokens=tokens // 3)
        cost = {"worst_case": known.worst_nusd, "nothing": 0, "unsent": 0}.get(
            how, known.worst_nusd * percent // 100
        )
        self._settle(known, cost, usage if how in ("reported", "counted") else None, how, failed)

    @precondition(lambda self: self.naive.rows)
    @rule(data=st.data(), cost=st.sampled_from((1, *ABSURD)), tokens=st.sampled_from((1, *ABSURD)))
    def settle_absurdly(self, data: st.DataObject, cost: int, tokens: int) -> None:
        known = self.naive.rows[self._some(data)].hold
        self._settle(known, cost, Usage(input_tokens=tokens), "reported", False)

    def _settle(self, known: Hold, cost: int, usage: Usage | None, how: Any, failed: bool) -> None:
        kind = Kind.TIMEOUT if failed else None
        ending = Settlement(cost_nusd=cost, usage=usage, how=how, kind=kind, now_s=self.now_s)
        row = self.naive.rows[known.id]
        before, was = row.state, row.ending
        watches = tuple(
            Watch(of=each.counter, amount=each.budget.amount, warn_at=SHARES, until_s=None)
            for each in known.charges
        )

        def settled_and_told() -> Sequence[Crossed]:
            self.naive.settled(known.id, ending)
            told = self.naive.told(watches)
            self.tally["told of a share"] += len(told)
            return told

        self.write(settled_and_told, "settle", known.id, ending, watches)
        if row.ending is not was:
            against = AGAINST[(cost >= known.worst_nusd) + (cost > known.worst_nusd)]
            self.tally.update([f"{before} settled {against}", f"{before} settled", f"settled {how}"])

    @precondition(lambda self: self.naive.rows)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        name = self._some(data)
        self.write(lambda: self.naive.released(name, self.now_s), "release", name, now_s=self.now_s)

    @rule()
    def reconcile(self) -> None:
        resolved = self.ask("ledger", "reconcile", now_s=self.now_s)
        assert resolved == self.naive.lapse(self.now_s)
        self.tally["lapsed"] += resolved

    # --- What people do -----------------------------------------------------------------------------------------------

    @rule(
        of=st.sampled_from(BUDGETS),
        amount=st.sampled_from([1, 250, -1, -400, 2**62, -(2**62), 2**62 + 1]),
    )
    def grant(self, of: Budget, amount: int) -> None:
        charge = self._charge(of, 0)
        try:
            self.naive.granted(charge.counter, amount)
        except StoreSaysNo:
            assert self.ask("ledger", "grant", charge.counter, amount, self._note()) is StoreError
            self.tally["grant impossible"] += 1
            return
        found = self.ask("ledger", "grant", charge.counter, amount, self._note())
        assert found == self._balance(charge.counter)
        self.naive.learn(charge, self.now_s)

    @precondition(lambda self: self.naive.rows)
    @rule(
        data=st.data(), cost=st.sampled_from([0, 5, 700, *ABSURD]), tokens=st.sampled_from([None, 3, 2**63])
    )
    def correct(self, data: st.DataObject, cost: int, tokens: int | None) -> None:
        name, usage = self._some(data), None if tokens is None else Usage(output_tokens=tokens)
        ending = Settlement(cost_nusd=cost, usage=usage, how="reported", kind=None, now_s=self.now_s)
        self.write(lambda: self.naive.corrected(name, ending), "correct", name, ending, self._note())

    @rule(stale=st.booleans(), first=st.integers(0, 3))
    def move_out(self, stale: bool, first: int) -> None:
        """Rows as they are, or as they were read some time ago."""
        rows = self.copy if stale else do(self.states[0].ledger.rows())
        self.copy = do(self.states[0].ledger.rows())
        self.write(lambda: self.naive.moved_out(rows[first:]), "move_out", rows[first:])
        self.tally["moved"] += sum(row.gone for row in self.naive.rows.values())
        periods = self.naive.periods.items()
        over = [each for each, period in periods if self.naive.period(each, self.now_s) != period]
        before = len(self.naive.kept)
        self.write(lambda: self.naive.forgot(over), "forget", over)
        self.tally["forgotten"] += before - len(self.naive.kept)

    def _note(self) -> Note:
        return Note(id=f"n{next(self.ids)}", who="ann", why="so it is", at_s=self.now_s)

    def _balance(self, of: Counter) -> Balance:
        return Balance(
            settled=self.naive.used(of, ("settled", "expired")),
            reserved=self.naive.used(of, OPEN),
            granted=self.naive.grants.get(of, 0),
            moved=self.naive.moved(of),
        )

    def _some(self, data: st.DataObject) -> str:
        """An open row rather than an ended one."""
        rows = self.naive.rows
        still = [name for name, row in rows.items() if row.state in (*OPEN, "expired")]
        return data.draw(st.sampled_from(still * 3 + sorted(rows)), label="id")  # type: ignore[no-any-return]

    # --- Admissions ---------------------------------------------------------------------------------------------------

    @rule(
        limits=st.lists(st.sampled_from(RATES), min_size=1, max_size=4, unique=True),
        lease_s=st.sampled_from([5.0, 30.0]),
        data=st.data(),
        patient=st.booleans(),
    )
    def admit(self, limits: list[Limit], lease_s: float, data: st.DataObject, patient: bool) -> None:
        name = data.draw(st.sampled_from([f"r{next(self.ids)}", *self.requests[-3:]]), label="request")
        full = self._admit(name, limits, lease_s).full
        if full is not None and patient:
            self.now_s += full.retry_after_s
            assert self._admit(name, limits, lease_s).full is None, "waiting as long as told was not enough"
            self.tally["waited for a limit"] += 1

    def _admit(self, name: str, limits: Sequence[Limit], lease_s: float) -> Admission:
        takes = [Take(limit=each, amount=1) for each in limits]
        found = self.ask("limiter", "admit", name, takes, now_s=self.now_s, lease_s=lease_s)
        assert isinstance(found, Admission)
        self.naive.admitted(name, takes, found, self.now_s, lease_s)
        self.requests.append(name)
        self.tally[f"full of {found.full.limit.unit}" if found.full else "admitted"] += 1
        self.tally.update(f"shadow of {each.limit.unit}" for each in found.shadow)
        return found

    @precondition(lambda self: self.requests)
    @rule(data=st.data(), by_s=st.sampled_from([None, -10.0, 3.0, 40.0]))
    def renew_or_give_back(self, data: st.DataObject, by_s: float | None) -> None:
        name = data.draw(st.sampled_from(self.requests), label="request")
        if by_s is None:
            self.ask("limiter", "release", name)
            self.naive.permit_released(name)
        else:
            self.ask("limiter", "renew", name, lease_until_s=self.now_s + by_s)
            self.naive.permit_renewed(name, self.now_s + by_s)

    # --- Time ---------------------------------------------------------------------------------------------------------

    @rule(step=st.one_of(st.sampled_from(STEPS_S), st.sampled_from(EDGES), st.sampled_from(BACK_S)))
    def time_goes_on(self, step: Any) -> None:
        if isinstance(step, float):
            self.now_s += step
            return
        window, by_s = step
        self.now_s = max(self.now_s, (window_start(window, self.now_s, self.zone)[1] or 0) + by_s)

    # --- Always -------------------------------------------------------------------------------------------------------

    @invariant()
    def rows_are_as_they_should_be_and_numbers_rise(self) -> None:
        for state, numbers in zip(self.states, self.numbers, strict=True):
            assert numbers == sorted(set(numbers))
            rows = do(state.ledger.rows())
            assert [row.id for row in rows] == [name for name, row in self.naive.rows.items() if not row.gone]
            assert [row.seq for row in rows] == sorted({row.seq for row in rows} & set(numbers))
            assert all(self.naive.is_row(row) for row in rows)

    @invariant()
    def balances_are_sums_over_rows(self) -> None:
        counters = list(self.naive.periods)
        expected = {each: self._balance(each) for each in counters}
        assert self.ask("ledger", "balances", counters) == expected
        found = self.ask("ledger", "all_balances")
        assert found == {each: balance for each, balance in expected.items() if each in self.naive.kept}

    @invariant()
    def windows_hold_what_was_taken(self) -> None:
        budgets = [each for each in SLIDING if isinstance(each, Budget)]
        limits = [each for each in SLIDING if isinstance(each, Limit)]
        found = self.ask("limiter", "used", [*limits, *RATES], now_s=self.now_s)
        for of, held in {**found, **self.ask("ledger", "held", budgets, now_s=self.now_s)}.items():
            assert held in self.naive.holds_now(of, self.now_s), of.text

    @invariant()
    def nothing_is_exceeded(self) -> None:
        self.naive.no_budget_is_exceeded()
        self.naive.no_window_is_exceeded()


def sized(size: str, amount: int, left: int) -> int:
    return {
        "none": 0,
        "some": min(7, amount),
        "third": amount // 3,
        "all that is left": left,
        "one too many": left + 1,
        "twice the amount": 2 * amount,
    }[size]


REACHED = {
    *(f"row {state}" for state in ("reserved", "sent", "settled", "released", "expired")),
    *(f"{before} settled {against}" for before in OPEN for against in AGAINST),
    "expired settled",
    *(f"settled {how}" for how in get_args(How)),
    *(f"{call} impossible" for call in ("settle", "mark_sent", "grant", "correct")),
    *("granted", "refused", "refused, short of a budget", "refused, short of a limit"),
    *("granted, short of a budget", "granted, short of a limit", "lapsed", "moved", "forgotten"),
    "told of a share",
    *("admitted", "full of requests", "full of concurrent_requests"),
    *("shadow of requests", "shadow of concurrent_requests", "waited for a window", "waited for a limit"),
}
"""What must have happened for this test to have tried anything."""


def test_every_store_answers_as_a_list_of_rows_would() -> None:
    StateModel.tally.clear()
    chosen = settings(
        max_examples=150 * TIMES,
        stateful_step_count=60,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(StateModel, settings=chosen)
    assert StateModel.tally.keys() >= REACHED, f"never reached: {REACHED - StateModel.tally.keys()}"
