"""The laws of money over any order of calls, for every implementation: a budget is never exceeded, every reservation
ends once, balances are the sum of the rows, and all implementations answer alike."""

from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from router.errors import StoreError
from router.ports import Granted, Hold, Refused, Row, Take
from router.values import Usage
from tests.adapters.states import (
    NOW_S,
    STATES,
    State,
    balances_of_rows,
    budget,
    charge,
    counter,
    do,
    hold,
    limit,
    nothing,
    opened,
    settlement,
)

BUDGETS = (
    budget("tenant:acme", 1000),
    budget("user:acme:alice", 400),
    budget("tenant:acme", 500, unit="tokens"),
    budget("policy:cheap-fast", 2000, window="total"),
)
TOKENS = limit("tenant:acme", 300)
STARTS = ("2026-09-21", "2026-09-22")
ENDED = ("settled", "released", "expired")


class Money(RuleBasedStateMachine):
    """All implementations side by side, and what the test knows of each reservation by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        self.contexts = [opened(name, Path(self.folder.name)) for name in sorted(STATES)]
        self.states: list[State] = [context.__enter__() for context in self.contexts]
        self.now_s = NOW_S
        self.ids = count()
        self.holds: dict[str, Hold] = {}
        self.ends: dict[str, list[str]] = {}
        self.refusals = 0

    def teardown(self) -> None:
        for context in self.contexts:
            context.__exit__(None, None, None)
        self.folder.cleanup()

    def everywhere(self, call: str, *args: object, **fields: object) -> object:
        """The same call on every ledger; the one answer all of them give, errors included."""
        answers = []
        for state in self.states:
            try:
                answers.append(do(getattr(state.ledger, call)(*args, **fields)))
            except StoreError as error:
                answers.append(error.message)
        assert answers == answers[:1] * len(answers), f"{call} differs: {answers}"
        return answers[0]

    @rule(
        nusd=st.sampled_from([0, 1, 40, 90, 333]),
        tokens=st.sampled_from([0, 10, 120]),
        chosen=st.sets(st.integers(0, 3), min_size=1),
        start=st.sampled_from(STARTS),
        lease_s=st.sampled_from([5.0, 30.0]),
    )
    def reserve(self, nusd: int, tokens: int, chosen: set[int], start: str, lease_s: float) -> None:
        name = f"a{next(self.ids)}"
        budgets = [BUDGETS[each] for each in sorted(chosen)]
        charges = [charge(each, nusd if each.unit == "nusd" else tokens, start=start) for each in budgets]
        takes = [Take(limit=TOKENS, amount=tokens)]
        held = hold(name, *charges, takes=takes, now_s=self.now_s, lease_s=lease_s, worst_tokens=tokens)
        result = self.everywhere("reserve", held)
        assert isinstance(result, Granted | Refused)
        if isinstance(result, Granted):
            self.holds[name] = held
        else:
            self.refusals += 1

    @precondition(lambda self: self.holds)
    @rule(data=st.data())
    def send(self, data: st.DataObject) -> None:
        self.everywhere("mark_sent", self.some(data), now_s=self.now_s)

    @precondition(lambda self: self.holds)
    @rule(
        data=st.data(), share=st.sampled_from([0, 30, 100]), output=st.integers(0, 60), billed=st.booleans()
    )
    def settle(self, data: st.DataObject, share: int, output: int, billed: bool) -> None:
        name = self.some(data)
        cost = self.holds[name].worst_nusd * share // 100
        ending = settlement(cost, usage=Usage(output_tokens=output), now_s=self.now_s)
        self.everywhere("settle", name, ending if billed else nothing(now_s=self.now_s))

    @precondition(lambda self: self.holds)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        self.everywhere("release", self.some(data), now_s=self.now_s)

    @precondition(lambda self: self.holds)
    @rule(data=st.data(), by_s=st.sampled_from([1.0, 20.0]))
    def renew(self, data: st.DataObject, by_s: float) -> None:
        self.everywhere("renew", self.some(data), lease_until_s=self.now_s + by_s)

    @rule(seconds=st.sampled_from([0.5, 4.0, 31.0, 70.0]))
    def wait(self, seconds: float) -> None:
        self.now_s += seconds

    @rule(seconds=st.sampled_from([0.0, 6.0, 31.0]))
    def reconcile(self, seconds: float) -> None:
        self.now_s += seconds
        self.everywhere("reconcile", now_s=self.now_s)

    def some(self, data: st.DataObject) -> str:
        return data.draw(st.sampled_from(sorted(self.holds)), label="id")

    @invariant()
    def all_laws_hold(self) -> None:
        rows = [do(state.ledger.rows()) for state in self.states]
        assert all(each == rows[0] for each in rows)
        self.balances_are_the_sum_of_the_rows(rows[0])
        self.no_budget_is_exceeded(rows[0])
        self.every_reservation_ends_once(rows[0])
        used = [do(state.limiter.used([TOKENS], now_s=self.now_s)) for state in self.states]
        assert used == used[:1] * len(used)

    def balances_are_the_sum_of_the_rows(self, rows: list[Row]) -> None:
        keys = [counter(each, start) for each in BUDGETS for start in STARTS]
        expected = balances_of_rows(rows)
        found = self.everywhere("balances", keys)
        assert isinstance(found, dict)
        assert {key: each for key, each in found.items() if key in expected} == expected
        assert all(each.settled >= 0 and each.reserved >= 0 for each in found.values())

    def no_budget_is_exceeded(self, rows: list[Row]) -> None:
        """No provider here bills above its bound in money; in tokens some do, so those may overrun."""
        for key, each in balances_of_rows(rows).items():
            amount = next(b.amount for b in BUDGETS if counter(b, key.start) == key)
            if key.unit == "nusd":
                assert each.settled + each.reserved <= amount

    def every_reservation_ends_once(self, rows: list[Row]) -> None:
        """No row is lost, none leaves an end again, except the expired one that the truth corrects."""
        assert {each.id for each in rows} == set(self.holds)
        for each in rows:
            path = self.ends.setdefault(each.id, [])
            if each.state in ENDED and path[-1:] != [each.state]:
                path.append(each.state)
            assert path in ([], ["settled"], ["released"], ["expired"], ["expired", "settled"])
            if path:
                assert each.state == path[-1]
                assert each.ended_at_s is not None


def play(machine: type[Money], examples: int, steps: int, *, derandomize: bool = False) -> None:
    chosen = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        derandomize=derandomize,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(machine, settings=chosen)


def test_the_laws_of_money_hold_for_any_order_of_calls() -> None:
    play(Money, 40, 30)


def test_the_calls_above_reach_every_end_and_refusals() -> None:
    """Else the laws would hold of nothing."""
    seen: set[str] = set()

    class Watched(Money):
        def teardown(self) -> None:
            seen.update(" ".join(path) for path in self.ends.values())
            seen.update({"refused"} if self.refusals else ())
            super().teardown()

    play(Watched, 30, 40, derandomize=True)
    assert seen >= {"settled", "released", "expired", "expired settled", "refused"}
