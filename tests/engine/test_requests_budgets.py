"""Budgets of requests: a request is one, however often it is sent; to a provider every send is one."""

from collections.abc import Mapping
from typing import Any

import pytest

from router import events as ev
from router.adapters.scripted_transport import Fails, Says
from router.errors import BudgetExceeded, RouterError
from router.policy.load import load
from router.values import Kind
from tests.policy.books import Book
from tests.world import World

TWICE = {"attempts": 2, "base": "1ms", "max": "1ms"}
LATER = Fails(Kind.SERVER_ERROR, status=500)


def world(script: Any = (), **blocks: Any) -> World:
    document = {
        "version": 1,
        "providers": {"openai": {"budget": {"requests_per_day": 4}}, "anthropic": {}},
        "budgets": {"canary": {"requests_in_total": 9}},
        "policies": {
            "main": {
                "targets": ["openai/small", "openai/large", {"policy": "inner"}],
                "retry": TWICE,
                "budget": {"requests_per_hour": 2, "pool": "canary"},
            },
            "inner": {"targets": ["anthropic/haiku"], "budget": {"requests_per_week": 1}},
        },
        "tenants": {
            "acme": {"policies": "all", "budget": {"requests_per_month": 100}, "each": {"user": {}}},
        },
        **blocks,
    }
    found = load(document, Book())
    assert found.plan is not None, found.problems
    return World(found.plan, script)


def call(world: World) -> Any:
    return world.call(tenant="acme", user="ann")


def counted(world: World) -> Mapping[str, int]:
    found: dict[str, int] = {}
    for row in world.rows():
        for counter, amount in row.counters:
            if counter.unit == "requests":
                found[counter.owner] = found.get(counter.owner, 0) + amount
    return found


def test_a_request_is_one_for_its_caller_and_a_send_is_one_for_a_provider() -> None:
    one = world({"openai/small": LATER, "openai/large": LATER, "anthropic/haiku": LATER})
    with pytest.raises(RouterError):
        call(one)
    assert len(one.targets()) == 6
    expected = {"tenant:acme": 1, "policy:main": 1, "pool:canary": 1, "policy:inner": 1, "provider:openai": 4}
    assert counted(one) == expected


def test_the_first_attempt_that_is_sent_counts_and_one_that_never_left_does_not() -> None:
    gone = Fails(Kind.CONNECTION, sent=False)
    one = world([gone, gone, Says("x")])
    assert call(one).target == "openai/large"
    assert counted(one) == {"tenant:acme": 1, "policy:main": 1, "pool:canary": 1, "provider:openai": 1}
    assert [row.how for row in one.rows()] == ["unsent", "unsent", "reported"]


def test_what_could_not_be_marked_as_sent_counts_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    one = world(Says("x"))

    class Interrupted(Exception):
        pass

    marked = one.ports.ledger.mark_sent

    async def heard_too_late(id: str, **fields: Any) -> None:
        await marked(id, **fields)
        raise Interrupted

    monkeypatch.setattr(one.ports.ledger, "mark_sent", heard_too_late)
    with pytest.raises(Interrupted):
        call(one)
    assert set(counted(one).values()) == {0}
    assert [row.how for row in one.rows()] == ["unsent"]
    monkeypatch.setattr(one.ports.ledger, "mark_sent", marked)
    call(one)
    assert counted(one)["policy:main"] == 1


def test_what_is_used_up_refuses_the_next_request_and_says_so_in_requests() -> None:
    one = world(Says("x"))
    call(one)
    call(one)
    with pytest.raises(BudgetExceeded) as caught:
        call(one)
    assert (caught.value.budget, caught.value.needed, caught.value.available) == ("policy:main", 1, 0)
    assert "`policy:main` has 0 requests left of `requests_per_hour: 2`" in caught.value.message
    assert "output_tokens" not in caught.value.help
    assert len(one.targets()) == 2
    one.clock.advance(3600)
    assert call(one).target == "openai/small"


def test_retries_of_the_last_request_are_not_refused() -> None:
    one = world([Says("x"), LATER, Says("y")])
    call(one)
    assert call(one).message["content"] == "y"
    assert counted(one)["policy:main"] == 2


def test_a_provider_that_has_had_its_sends_is_passed_over_for_another() -> None:
    one = world(
        {"openai/small": LATER, "openai/large": LATER, "anthropic/haiku": Says("x")},
        policies={
            "main": {"targets": ["openai/small", "openai/large", "anthropic/haiku"], "retry": TWICE},
        },
    )
    assert call(one).target == "anthropic/haiku"
    assert call(one).target == "anthropic/haiku"
    assert len(one.targets()) == 6
    assert [each.kind for each in one.facts(ev.ReserveRefused)] == ["over_budget", "over_budget"]


def test_a_cached_answer_is_no_request() -> None:
    cached = {"main": {"targets": ["openai/small"], "cache": {"ttl": "1h", "sampled": True}}}
    one = world(Says("x"), policies=cached)
    assert [call(one).cached for _ in range(3)] == [False, True, True]
    assert counted(one) == {"tenant:acme": 1, "provider:openai": 1}
