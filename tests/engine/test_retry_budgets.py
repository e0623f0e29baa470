"""A retry budget through the real engine: a dead target is sent little more than it is asked."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from router import events as ev
from router.adapters.retry_counts import MemoryRetries
from router.adapters.scripted_transport import Fails, Says
from router.policy.load import load_text
from router.values import Kind
from tests.policy.books import Book
from tests.world import World

DOWN = Fails(Kind.SERVER_ERROR, status=500)
LIMITED = Fails(Kind.RATE_LIMITED, status=429)


def world(retry: str, first: Any = DOWN) -> World:
    text = (
        "version: 1\n"
        "providers: {openai: {keys: [{env: A}, {env: B}]}, anthropic: {}}\n"
        f"policies:\n  main: {{targets: [openai/small, anthropic/haiku], retry: {retry}}}\n"
    )
    found = load_text(text, Book(), file="policies/a.yaml")
    assert found.plan is not None, found.problems
    return World(found.plan, {"openai/small": first, "anthropic/haiku": Says("x")})


def sent_to_the_dead(it: World, calls: int, *, gap_s: float = 0.0) -> int:
    for _ in range(calls):
        assert it.call().target == "anthropic/haiku"
        it.clock.advance(gap_s)
    return it.targets().count("openai/small")


def test_without_a_budget_every_request_is_sent_again() -> None:
    assert sent_to_the_dead(world("{attempts: 3, base: 1ms, max: 1ms}"), 50) == 150


def test_with_one_a_dead_target_is_sent_little_more_than_it_is_asked() -> None:
    it = world("{attempts: 3, base: 1ms, max: 1ms, budget: 10%}")
    assert 50 + 5 <= sent_to_the_dead(it, 50) <= 50 + 8
    refused = it.facts(ev.RetryRefused)
    assert {(each.target, each.percent, each.kind) for each in refused} == {
        ("openai/small", 10.0, Kind.SERVER_ERROR)
    }
    assert refused[-1].retries >= refused[-1].requests // 10


def test_of_little_traffic_all_is_sent_again() -> None:
    it = world("{attempts: 2, base: 1ms, max: 1ms, budget: 10%}")
    assert sent_to_the_dead(it, 6, gap_s=5.0) == 12


def test_another_key_is_no_retry() -> None:
    it = world("{attempts: 2, base: 1ms, max: 1ms, budget: 1%}", [LIMITED, Says("y")])
    for _ in range(6):
        it.call()
        it.transport._asked.clear()
        it.clock.advance(31)
    assert not it.facts(ev.RetryRefused)
    assert it.targets() == ["openai/small", "openai/small"] * 6


def test_threads_share_one_budget() -> None:
    retries, target = MemoryRetries(), ("openai", "small")
    for _ in range(1000):
        retries.begin(target, now_s=1.0)

    def take(_: int) -> bool:
        return retries.take(target, 10_000, now_s=2.0) is None

    with ThreadPoolExecutor(8) as pool:
        taken: Sequence[bool] = list(pool.map(take, range(400)))
    assert sum(taken) == 100
