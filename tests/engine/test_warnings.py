"""`warn_at`: an event tells when what is settled of a budget has come to a share of it, once for each window."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from router import events as ev
from router.adapters.clocks import ManualClock
from router.adapters.memory_ledger import MemoryLedger
from router.adapters.scripted_transport import Fails, Says
from router.errors import TargetsExhausted
from router.policy.load import load
from router.ports import Watch
from router.testing.down import MayBeDown
from router.values import Kind, Usage
from tests.policy.books import Book
from tests.world import World

DAY_S = 86_400.0
PRICE = {"input_per_million": "$1000", "output_per_million": "$1000"}
ANSWER = Says("x", usage=Usage(input_tokens=50, output_tokens=50))
"""A tenth of a dollar."""


def world(script: Any = ANSWER, **blocks: Any) -> World:
    """Attempts of a tenth of a dollar, bounded by a fifth."""
    document = {
        "version": 1,
        "providers": {
            "openai": {
                "models": {"a": {"price": PRICE, "context": "1k", "max_output": 100, "tokens": "exact"}}
            }
        },
        "policies": {"main": {"targets": ["openai/a"], "retry": "off", "ceiling": {"output_tokens": 100}}},
        **blocks,
    }
    loaded = load(document, Book())
    assert loaded.plan is not None, [str(each) for each in loaded.problems]
    return World(loaded.plan, {"openai/a": script}, clock=ManualClock(1_790_000_000.0))


def main(**budget: Any) -> dict[str, Any]:
    return {
        "main": {
            "targets": ["openai/a"],
            "retry": "off",
            "ceiling": {"output_tokens": 100},
            "budget": budget,
        }
    }


def told(of: World) -> list[tuple[str, str, float]]:
    return [(each.owner, each.rule, each.percent) for each in of.facts(ev.BudgetWarning)]


def test_each_share_is_told_once_by_the_attempt_that_came_to_it() -> None:
    router = world(policies=main(per_day={"at_most": "$1", "warn_at": ["50%", "80%"]}))
    for _ in range(9):
        router.call("x" * 9)
    assert told(router) == [
        ("policy:main", "per_day: {at_most: $1, warn_at: [50%, 80%]}", 50.0),
        ("policy:main", "per_day: {at_most: $1, warn_at: [50%, 80%]}", 80.0),
    ]
    first, second = router.facts(ev.BudgetWarning)
    assert (first.request_id, first.settled, second.request_id, second.settled) == (
        "r5",
        5 * 10**8,
        "r8",
        8 * 10**8,
    )
    assert (first.unit, first.amount, first.granted) == ("nusd", 10**9, 0)
    assert first.resets_at_s is not None
    assert 0 < first.resets_at_s - router.clock.now_s() <= DAY_S
    names = [type(each).__name__ for each in router.seen if each.request_id == "r5"]
    assert names[names.index("Settled") + 1] == "BudgetWarning"


def test_a_new_window_warns_anew() -> None:
    router = world(policies=main(per_day="$1", warn_at=["20%"]))
    for _ in range(3):
        router.call("x" * 9)
    router.clock.advance(DAY_S)
    for _ in range(3):
        router.call("x" * 9)
    assert [each.request_id for each in router.facts(ev.BudgetWarning)] == ["r2", "r5"]


def test_what_stands_beside_the_windows_is_of_all_but_one_request() -> None:
    budget = {
        "per_request": "$1",
        "per_hour": "$1",
        "requests_per_day": 20,
        "in_total": {"at_most": "$1", "warn_at": ["30%"]},
    }
    router = world(policies=main(**budget, warn_at=["10%"]))
    for _ in range(3):
        router.call("x" * 9)
    assert [(rule.partition(":")[0], percent) for _, rule, percent in told(router)] == [
        ("per_hour", 10.0),
        ("requests_per_day", 10.0),
        ("in_total", 30.0),
    ]


def test_every_owner_warns_and_a_pool_that_applies_twice_does_so_once() -> None:
    warned = {"per_day": "$1", "warn_at": ["10%"]}
    router = world(
        budgets={"shared": warned},
        policies=main(pool="shared"),
        tenants={
            "acme": {
                "policies": "all",
                "budget": {**warned, "pool": "shared"},
                "each": {"user": {"budget": warned}, "child": {"budget": warned}},
            },
            "acme/search": {},
        },
    )
    router.call("x" * 9, tenant="acme/search", user="ann")
    router.call("x" * 9, tenant="acme/search", user="bob")
    assert sorted(owner for owner, _, _ in told(router)) == [
        "child:acme:search",
        "pool:shared",
        "tenant:acme",
        "user:acme:ann",
        "user:acme:bob",
    ]


def test_what_was_renamed_warns_under_its_present_name_and_not_again() -> None:
    warned = {"per_day": "$1", "warn_at": ["10%"]}
    router = world(tenants={"acme": {"policies": "all", "budget": warned}})
    router.call("x" * 9, tenant="acme")
    router.plan = world(
        tenants={
            "company": {"was": "acme", "policies": "all", "budget": {**warned, "warn_at": ["10%", "20%"]}}
        }
    ).plan
    router.call("x" * 9, tenant="company")
    assert [(owner, percent) for owner, _, percent in told(router)] == [
        ("tenant:acme", 10.0),
        ("tenant:company", 20.0),
    ]


def test_a_budget_in_shadow_warns_too() -> None:
    router = world(policies=main(per_day="$0.15", warn_at=["50%", "100%"], enforce="shadow"))
    for _ in range(2):
        router.call("x" * 9)
    assert [percent for _, _, percent in told(router)] == [50.0, 100.0]


ENDINGS: Mapping[str, tuple[Any, list[float]]] = {
    "a refusal that costs nothing": (Fails(Kind.RATE_LIMITED), []),
    "the worst case, where nobody knows": (Fails(Kind.TIMEOUT), [10.0]),
    "what the provider reported": (
        Fails(Kind.CONTENT_FILTER, status=200, usage=Usage(input_tokens=100, output_tokens=0)),
        [10.0],
    ),
}


@pytest.mark.parametrize("which", ENDINGS)
def test_a_failed_attempt_warns_of_what_it_is_charged(which: str) -> None:
    script, expected = ENDINGS[which]
    router = world(script, policies=main(per_day="$1", warn_at=["10%"]))
    with pytest.raises(TargetsExhausted):
        router.call("x" * 9)
    assert [percent for _, _, percent in told(router)] == expected


def test_a_warning_is_of_the_amount_of_today_and_of_what_was_granted() -> None:
    router = world(policies=main(per_day="$1", warn_at=["50%"]))
    for _ in range(6):
        router.call("x" * 9)
    router.plan = world(policies=main(per_day="$1.20", warn_at=["50%"])).plan
    router.call("x" * 9)
    assert len(told(router)) == 1


class Counting(MemoryLedger):
    """Remembers what settlements were asked to watch."""

    watched: Sequence[Watch] | None = None

    async def settle(self, id: str, settlement: Any, watches: Sequence[Watch] = (), **waits: Any) -> Any:
        self.watched = watches
        return await super().settle(id, settlement, watches)


@pytest.mark.parametrize(
    ("budget", "watched"), [({"per_day": "$1"}, 0), ({"per_day": "$1", "warn_at": ["1%"]}, 1)]
)
def test_only_budgets_that_warn_are_looked_at(budget: Any, watched: int) -> None:
    router = world(policies=main(**budget))
    router.state.ledger.__class__ = Counting
    router.call("x" * 9)
    assert len(router.state.ledger.watched or ()) == watched  # type: ignore[attr-defined]


def test_a_store_that_can_not_settle_fails_no_call_and_its_warning_is_told_by_the_next() -> None:
    router = world(policies=main(per_day="$1", warn_at=["10%"]))
    ledger = MayBeDown(router.ports.ledger, "ledger")
    ports, router.ports = router.ports, _with(router.ports, ledger)
    ledger.down = frozenset({"settle"})
    assert router.call("x" * 9).text == "x"
    assert [
        type(each).__name__ for each in router.seen if isinstance(each, ev.SettleFailed | ev.BudgetWarning)
    ] == ["SettleFailed"]
    router.ports = ports
    router.clock.advance(31.0)  # its lease is over: it is charged at worst case by whoever comes next
    router.call("x" * 9)
    assert [percent for _, _, percent in told(router)] == [10.0]


def _with(ports: Any, ledger: Any) -> Any:
    from dataclasses import replace

    return replace(ports, ledger=ledger)
