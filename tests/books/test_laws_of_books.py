"""The laws of the books over any order of calls, for every implementation: a counter holds what its rows do, in the
store and in files, and may hold what was granted more; who is killed while moving rows loses and doubles nothing."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from router.adapters.clocks import ManualClock
from router.books.archive import archive, rows_with
from router.books.audit import audit, sums_of
from router.engine import Ports
from router.errors import StoreError
from router.ports import Balance, Granted, Note, Row
from router.values import Kind, Usage
from tests.adapters.states import (
    NOW_S,
    STATES,
    State,
    budget,
    charge,
    counter,
    do,
    hold,
    nothing,
    opened,
    settlement,
)
from tests.books.archive_worker import PLAN
from tests.books.test_archive import Killed, Mortal, stable
from tests.world import World

DAY = budget("tenant:acme", 1_000)
ALL = budget("policy:cheap-fast", 2_500, window="total")
TOKENS = budget("tenant:acme", 5_000, unit="tokens")
BUDGETS = (DAY, ALL, TOKENS)
WORST = {"usage": None, "how": "worst_case", "kind": Kind.TIMEOUT}


class Books(RuleBasedStateMachine):
    """All implementations side by side, each with a folder of its own, and what the test itself knows of grants."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        self.contexts = [opened(name, Path(self.folder.name) / name) for name in sorted(STATES)]
        self.states: list[State] = [context.__enter__() for context in self.contexts]
        self.now_s = NOW_S
        self.ids = count()
        self.rows: list[str] = []
        self.granted = dict.fromkeys(BUDGETS, 0)
        self.worst: list[str] = []  # what timed out, or will be charged so when its lease ends
        self.seen: set[str] = set()

    def teardown(self) -> None:
        for context in self.contexts:
            context.__exit__(None, None, None)
        self.folder.cleanup()

    def everywhere(self, call: str, *args: object, **fields: object) -> object:
        answers = []
        for state in self.states:
            try:
                answers.append(do(getattr(state.ledger, call)(*args, **fields)))
            except StoreError as error:
                answers.append(error.message)
        assert answers == answers[:1] * len(answers), f"{call} differs: {answers}"
        return answers[0]

    def files(self, at: int) -> Path:
        return Path(self.folder.name) / f"rows-{at}"

    def ports(self, state: State) -> Ports:
        world = World(cast(Any, None), clock=ManualClock(now_s=self.now_s))
        return replace(world.ports, ledger=state.ledger)

    def some(self, data: st.DataObject) -> str:
        return data.draw(st.sampled_from(self.rows), label="id")

    @rule(nusd=st.sampled_from([0, 90, 333]), tokens=st.sampled_from([10, 700]))
    def reserve(self, nusd: int, tokens: int) -> None:
        self.reserved(nusd, tokens)

    def reserved(self, nusd: int, tokens: int) -> bool:
        name = f"a{next(self.ids)}"
        charges = [charge(DAY, nusd), charge(ALL, nusd, resets_at_s=None), charge(TOKENS, tokens)]
        held = hold(name, *charges, now_s=self.now_s, lease_s=25, worst_tokens=tokens)
        if isinstance(self.everywhere("reserve", held), Granted):
            self.rows.append(name)
            self.seen.add("granted")
            for each in (DAY, ALL):
                balance = self.balances()[counter(each)]
                assert nusd == 0 or balance.settled + balance.reserved <= each.amount + self.granted[each]
            return True
        self.seen.add("refused")
        return False

    @rule(nusd=st.sampled_from([90, 333]), dies=st.booleans())
    def time_out(self, nusd: int, dies: bool) -> None:
        if self.reserved(nusd, 10):
            name = self.rows[-1]
            self.everywhere("mark_sent", name, now_s=self.now_s)
            if not dies:
                self.everywhere("settle", name, settlement(nusd, now_s=self.now_s, **WORST))
            self.worst.append(name)

    @precondition(lambda self: self.rows)
    @rule(data=st.data(), how=st.sampled_from(["truth", "worst", "nothing", "release", "send"]))
    def end(self, data: st.DataObject, how: str) -> None:
        name = self.some(data)
        match how:
            case "send":
                self.everywhere("mark_sent", name, now_s=self.now_s)
            case "release":
                self.everywhere("release", name, now_s=self.now_s)
            case "nothing":
                self.everywhere("settle", name, nothing(now_s=self.now_s))
            case "worst":
                self.everywhere("settle", name, settlement(90, now_s=self.now_s, **WORST))
            case "truth":
                ending = settlement(40, usage=Usage(output_tokens=7), now_s=self.now_s)
                self.everywhere("settle", name, ending)

    @precondition(lambda self: self.worst)
    @rule(data=st.data(), cost=st.sampled_from([0, 17, 60]))
    def correct(self, data: st.DataObject, cost: int) -> None:
        ending = settlement(cost, usage=None, now_s=self.now_s)
        name = data.draw(st.sampled_from(self.worst[-3:] + self.rows[-1:]), label="id")
        if self.everywhere("correct", name, ending, self.note()) is True:
            self.seen.add("corrected")

    @rule(of=st.sampled_from(BUDGETS), amount=st.sampled_from([-200, -1, 250, 10**12]))
    def grant(self, of: Any, amount: int) -> None:
        self.granted[of] += amount
        found = self.everywhere("grant", counter(of), amount, self.note())
        assert isinstance(found, Balance)
        assert found.granted == self.granted[of]

    def note(self) -> Note:
        return Note(id=f"n{next(self.ids)}", who="ann", why="law", at_s=self.now_s)

    @rule(seconds=st.sampled_from([1.0, 9.0, 31.0]))
    def wait(self, seconds: float) -> None:
        self.now_s += seconds
        self.everywhere("reconcile", now_s=self.now_s)

    @rule(old_s=st.sampled_from([0.5, 15.0]), dies_at=st.sampled_from([0, 1, 3, 4, 5, 6]), done=st.booleans())
    def move_out(self, old_s: float, dies_at: int, done: bool) -> None:
        for at, state in enumerate(self.states):
            ports = self.ports(state)
            if dies_at:
                ports = replace(ports, ledger=cast(Any, Mortal(state.ledger, dies_at, done=done)))
            before = self.now_s - old_s
            try:
                do(archive(PLAN, ports, before=before, folder=self.files(at), rows_a_file=2))
                self.seen.add("moved")
            except Killed:
                self.seen.add("killed")

    def balances(self) -> Any:
        return self.everywhere("balances", [counter(each) for each in BUDGETS])

    @invariant()
    def every_counter_holds_what_its_rows_do(self) -> None:
        kept, folders = self.balances(), [self.files(at) for at in range(len(self.states))]
        whole = [
            do(rows_with(self.ports(state), folder if folder.exists() else None))
            for state, folder in zip(self.states, folders, strict=True)
        ]
        assert [[stable(each) for each in rows] for rows in whole] == [
            [stable(each) for each in whole[0]]
        ] * 3
        assert [row.id for row in whole[0]] == self.rows
        self.sums_are_kept(kept, whole[0])
        for state, folder in zip(self.states, folders, strict=True):
            found = do(audit(self.ports(state), archive=folder if folder.exists() else None))
            assert found.sound, found.findings

    def sums_are_kept(self, kept: Any, rows: Sequence[Row]) -> None:
        sums = sums_of(rows)
        for each in BUDGETS:
            balance, expected = kept[counter(each)], sums.get(counter(each), Balance())
            assert (balance.settled, balance.reserved) == (expected.settled, expected.reserved)
            assert balance.granted == self.granted[each]
            assert 0 <= balance.moved <= balance.settled


def play(machine: type[Books], examples: int, steps: int, *, derandomize: bool = False) -> None:
    chosen = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        derandomize=derandomize,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(machine, settings=chosen)


def test_the_laws_of_the_books_hold_for_any_order_of_calls() -> None:
    play(Books, 15, 20)


def test_the_calls_above_reach_everything() -> None:
    """Else the laws would hold of nothing."""
    seen: set[str] = set()

    class Watched(Books):
        def teardown(self) -> None:
            seen.update(self.seen)
            super().teardown()

    play(Watched, 15, 30, derandomize=True)
    assert seen >= {"granted", "refused", "corrected", "moved", "killed"}
