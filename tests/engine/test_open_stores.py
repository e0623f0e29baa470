"""What a store that fails does to a call: `settings.on_store_error`."""

from dataclasses import replace
from typing import Any

import pytest

from router import events as ev
from router.client.inline import run_inline
from router.errors import BudgetExceeded, LimitExceeded, StoreError
from router.plan import (
    BudgetUse,
    CacheRule,
    Condition,
    Key,
    Limit,
    OnStoreError,
    Plan,
    Rule,
    Settings,
    StorePort,
)
from router.testing import Fails, Says
from router.testing.down import ALL, MayBeDown
from router.values import Kind, SecretRef
from tests.build import PLACE, budget, entry, lexical, plan, policy, provider, tenant
from tests.world import World

CLOSED = OnStoreError(ledger="closed", limiter="closed", health="closed", cache="closed")
OPEN = OnStoreError(ledger="open", limiter="open", health="open", cache="open")
PORTS: tuple[StorePort, ...] = ("ledger", "limiter", "health", "cache")
ONE_AT_A_TIME = Limit(
    owner="tenant:acme",
    unit="concurrent_requests",
    window_s=0.0,
    at_most=1,
    place=PLACE,
    text="concurrent_requests: 1",
)
DAILY = budget("policy:main", 10**9)
KEYS = tuple(Key(name=name, secret=SecretRef(source="env", name=name, place=PLACE)) for name in ("K1", "K2"))


def planned(chosen: OnStoreError, **fields: Any) -> Plan:
    """A call of it asks all four stores: it has a budget, a limit, two keys and a cache."""
    patient = lexical(attempt_s=60.0)
    main = policy(
        "main",
        "openai/a",
        "openai/b",
        lexical=patient,
        budgets=(DAILY,),
        cache=CacheRule(ttl_s=60.0, sampled=True),
        **fields,
    )
    return plan(
        main,
        tenants=(tenant("acme", limits=(ONE_AT_A_TIME,)),),
        providers={"openai": provider("openai", keys=KEYS)},
        settings=Settings(on_store_error=chosen),
    )


class Sick(World):
    """A world whose stores may be down."""

    def __init__(self, made: Plan, *script: Any) -> None:
        super().__init__(made, script or (Says("x"),))
        self.stores = {port: MayBeDown(getattr(self.ports, port), port) for port in PORTS}
        self.ports = replace(self.ports, **self.stores)

    def ask(self) -> Any:
        return self.call(tenant="acme")

    def bypassed(self) -> list[tuple[str, str]]:
        return [(fact.port, fact.step) for fact in self.facts(ev.StoreBypassed)]


def alone(port: StorePort, what: str, others: str) -> OnStoreError:
    chosen: dict[str, Any] = {**dict.fromkeys(PORTS, others), port: what}
    return OnStoreError(**chosen)


@pytest.mark.parametrize("port", PORTS)
def test_a_closed_store_that_is_down_fails_the_call_and_nothing_is_sent(port: StorePort) -> None:
    world = Sick(planned(alone(port, "closed", "open")))
    world.stores[port].down = ALL
    with pytest.raises(StoreError) as caught:
        world.ask()
    assert caught.value.port == port
    assert world.targets() == []
    assert world.bypassed() == []
    world.stores["ledger"].down = ()
    assert list(world.rows()) == []


@pytest.mark.parametrize("port", PORTS)
def test_an_open_store_that_is_down_is_done_without_and_an_event_says_so(port: StorePort) -> None:
    world = Sick(planned(alone(port, "open", "closed")))
    world.stores[port].down = ALL
    assert world.ask().text == "x"
    steps = {"ledger": ["reserve"], "limiter": ["admit"], "health": ["read", "note"], "cache": ["get", "put"]}
    assert world.bypassed() == [(port, step) for step in steps[port]]
    assert {fact.why for fact in world.facts(ev.StoreBypassed)} == {f"the {port} is down"}
    world.stores[port].down = ()
    assert world.call("another", tenant="acme").text == "x"
    assert [row.state for row in world.rows()] == ["settled"] * (1 if port == "ledger" else 2)


def test_the_usual_choice_is_closed_for_money_and_open_for_the_rest() -> None:
    assert OnStoreError() == OnStoreError(ledger="closed", limiter="closed", health="open", cache="open")


def test_with_everything_open_a_call_needs_no_store() -> None:
    world = Sick(planned(OPEN))
    for store in world.stores.values():
        store.down = ALL
    assert world.ask().text == "x"
    assert world.ask().text == "x"
    for store in world.stores.values():
        store.down = ()
    world.ask()
    assert world.ask().cached


def test_an_attempt_without_a_row_costs_what_it_costs_but_nothing_is_on_record() -> None:
    world = Sick(planned(OPEN), Says("x", after_s=25.0))
    world.stores["ledger"].down = {"reserve"}  # the others would raise: there is no such row
    world.stores["limiter"].down = ALL
    reply = world.ask()
    assert reply.cost_nusd
    assert [(fact.cost_nusd, fact.on_record) for fact in world.facts(ev.Settled)] == [
        (reply.cost_nusd, False)
    ]
    assert world.facts(ev.SettleFailed) == world.facts(ev.RenewFailed) == world.facts(ev.Reserved) == []
    assert world.facts(ev.LeaseRenewed) == []
    world.stores["ledger"].down = ()
    assert list(world.rows()) == []


def test_each_attempt_asks_an_open_ledger_anew() -> None:
    world = Sick(planned(OPEN), Fails(Kind.SERVER_ERROR), Says("x"))

    def back(event: ev.Event) -> None:
        if isinstance(event, ev.AttemptFailed):
            world.stores["ledger"].down = ()

    world.ports = replace(world.ports, sinks=(*world.ports.sinks, back))
    world.stores["ledger"].down = ALL
    assert world.ask().text == "x"
    assert [row.state for row in world.rows()] == ["settled"]
    assert [fact.on_record for fact in world.facts(ev.Settled)] == [False, True]


@pytest.mark.parametrize("step", ["mark_sent", "renew", "settle"])
def test_a_row_whose_later_step_fails_goes_on_and_is_left_to_its_lease(step: str) -> None:
    world = Sick(planned(OPEN), Says("x", after_s=15.0))
    world.stores["ledger"].down = {step}
    assert world.ask().text == "x"
    (row,) = world.rows()
    assert row.state == ("sent" if step == "settle" else "settled")
    if step == "settle":
        world.clock.advance(31.0)
        world.call("another", tenant="acme")
        assert row.id == world.rows()[0].id
        assert (world.rows()[0].state, world.rows()[0].cost_nusd) == ("expired", row.worst_nusd)


def test_a_closed_ledger_that_can_not_mark_sends_nothing_and_holds_nothing() -> None:
    world = Sick(planned(CLOSED))
    world.stores["ledger"].down = {"mark_sent"}
    with pytest.raises(StoreError):
        world.ask()
    assert world.targets() == []
    assert [(row.state, row.cost_nusd) for row in world.rows()] == [("released", 0)]


def test_what_went_wrong_first_is_what_is_told() -> None:
    world = Sick(planned(CLOSED))
    world.stores["ledger"].down = {"mark_sent", "release", "settle"}
    with pytest.raises(StoreError) as caught:
        world.ask()
    assert "`mark_sent`" in caught.value.help
    assert len(world.facts(ev.SettleFailed)) == 2


def test_a_budget_that_can_not_be_read_is_unknown_and_not_false() -> None:
    use = BudgetUse(of="policy", name=None, window="day")

    def rule(name: str, **fields: Any) -> Rule:
        condition = Condition(field="budget_used", budget=use, **fields)
        return Rule(name=name, when=(condition,), entries=(entry("openai/b"),), reject=None, place=PLACE)

    spent, fresh = rule("nearly-spent", over=800_000), rule("fresh", up_to=800_000)
    for chosen in (OPEN, CLOSED):
        world = Sick(planned(chosen, rules=(spent, fresh)))
        world.ask()
        assert world.targets() == ["openai/b"]
        world.stores["ledger"].down = {"balances"}
        if chosen is CLOSED:
            with pytest.raises(StoreError):
                world.call("another", tenant="acme")
            continue
        world.call("another", tenant="acme")
        assert world.targets() == ["openai/b", "openai/a"]
        assert [fact.rule for fact in world.facts(ev.RuleUnknown)] == ["nearly-spent", "fresh"]
        assert world.bypassed() == [("ledger", "balances")]


def test_an_open_limiter_admits_and_has_nothing_to_take_back() -> None:
    world = Sick(planned(OPEN))
    world.stores["limiter"].down = {"admit", "release", "renew"}
    assert world.ask().text == "x"
    assert world.facts(ev.Admitted) == world.facts(ev.ReleaseFailed) == []


@pytest.mark.parametrize("port", ["health", "cache"])
def test_an_answer_that_was_paid_for_is_not_thrown_away_by_a_closed_store(port: StorePort) -> None:
    world = Sick(planned(CLOSED))
    world.stores[port].down = {"note", "put"}
    assert world.ask().text == "x"
    assert [(fact.port, fact.step) for fact in world.facts(ev.StoreBypassed)] == [
        (port, {"health": "note", "cache": "put"}[port])
    ]


def test_open_stores_that_answer_are_as_hard_as_closed_ones() -> None:
    small = replace(DAILY, amount=1)
    world = Sick(plan(policy("main", "openai/a", budgets=(small,)), settings=Settings(on_store_error=OPEN)))
    with pytest.raises(BudgetExceeded):
        world.call()
    full = replace(ONE_AT_A_TIME, unit="requests", window_s=60.0)
    made = plan(
        policy("main", "openai/a"),
        tenants=(tenant("acme", limits=(full,)),),
        settings=Settings(on_store_error=OPEN),
    )
    world = Sick(made)
    world.ask()
    with pytest.raises(LimitExceeded):
        world.ask()


def test_a_permit_is_kept_where_the_ledger_can_not_extend_its_lease():
    patient = policy("main", "openai/a", lexical=lexical(attempt_s=60.0))
    world = World(plan(patient, tenants=(tenant("acme", limits=(ONE_AT_A_TIME,)),)), Says("late", after_s=45))
    ledger, limiter, held = MayBeDown(world.ports.ledger, "ledger"), world.ports.limiter, list[int]()
    ledger.down = {"renew"}

    def look(event: ev.Event) -> None:
        if isinstance(event, ev.RenewFailed):
            used = run_inline(limiter.used([ONE_AT_A_TIME], now_s=world.clock.now_s()))
            held.append(used[ONE_AT_A_TIME])

    world.ports = replace(world.ports, ledger=ledger, sinks=(*world.ports.sinks, look))
    assert world.call(tenant="acme").text == "late"
    assert held == [1] * 4
