"""`serve_stale_on_error`: an answer beyond its time stands in where every target failed, and nowhere else."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from router import AsyncRouter, DeadlineExceeded, Reply, RouterError, TargetsExhausted
from router import events as ev
from router.adapters.clocks import AsyncClock
from router.adapters.memory_cache import MemoryCache
from router.adapters.scripted_transport import Fails, NeverAnswers, Says, ScriptedTransport
from router.decide.classify import FAILURES
from router.errors import BudgetExceeded, StoreError, StreamBroken
from router.plan import CacheRule, Ceiling, Plan, RetryRule
from router.ports import CacheEntry
from router.values import Kind
from tests.build import budget, lexical, plan, policy, tenant
from tests.world import World

RULE = CacheRule(ttl_s=60, sampled=True, stale_s=600)
ONCE = lexical(retry=RetryRule(attempts=1, on=frozenset()))
DOWN = Fails(Kind.SERVER_ERROR, status=500)
KEPT = plan(policy("main", "openai/a", lexical=ONCE, cache=RULE))


def answered(then: Any, whole: Plan = KEPT, *, after_s: float = 60, **call: Any) -> World:
    """A world in which a question was answered, `after_s` ago; from now on `then` is what all targets do."""
    world = World(whole, Says("first"))
    world.call(**call)
    world.clock.advance(after_s)
    becomes(world, then)
    world.seen.clear()
    return world


def becomes(world: World, then: Any) -> None:
    world.transport = ScriptedTransport(then, clock=world.clock)
    world.ports = replace(world.ports, transport=world.transport)


@pytest.mark.parametrize("after_s", [60, 659.5])
def test_an_answer_beyond_its_time_stands_in_where_every_target_failed(after_s: float) -> None:
    world = answered(DOWN, after_s=after_s)
    reply = world.call()
    assert (reply.text, reply.target, reply.cached, reply.stale) == ("first", "openai/a", True, True)
    assert (reply.age_s, reply.cost_nusd) == (after_s, 0)
    [served] = world.facts(ev.StaleServed)
    assert (served.age_s, served.target, served.kinds) == (after_s, "openai/a", (Kind.SERVER_ERROR,))
    [told] = world.facts(ev.RequestAnswered)
    assert (told.cached, told.stale, told.attempts) == (True, True, 1)
    assert not world.facts(ev.RequestFailed)
    assert world.targets() == ["openai/a"], "it was tried first"


def test_an_answer_in_its_time_is_not_stale() -> None:
    reply = answered(DOWN, after_s=59).call()
    assert (reply.cached, reply.stale, reply.age_s) == (True, False, 59)


def test_beyond_that_time_too_the_error_is_told() -> None:
    with pytest.raises(TargetsExhausted):
        answered(DOWN, after_s=660).call()


def test_without_the_word_nothing_stale_is_served() -> None:
    plain = plan(policy("main", "openai/a", lexical=ONCE, cache=CacheRule(ttl_s=60, sampled=True)))
    with pytest.raises(TargetsExhausted):
        answered(DOWN, plain).call()


def test_a_target_that_answers_is_asked_and_its_answer_kept() -> None:
    world = answered(Says("second"))
    assert (world.call().text, world.call().cached) == ("second", True)
    world.clock.advance(60)
    becomes(world, DOWN)
    assert world.call().text == "second", "what stood before is gone"


def test_what_stands_in_is_not_kept_anew() -> None:
    world = answered(DOWN)
    world.call()
    assert world.call().age_s == 60
    assert not world.facts(ev.CacheStored)


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind not in (Kind.OVER_BUDGET, Kind.OVER_LIMIT)])
def test_only_where_the_request_itself_is_not_what_is_refused(kind: Kind) -> None:
    world = answered(Fails(kind))
    if kind in (Kind.BAD_REQUEST, Kind.CONTEXT_WINDOW, Kind.CONTENT_FILTER):
        assert not FAILURES[kind].stale
        with pytest.raises(TargetsExhausted):
            world.call()
    else:
        assert world.call().stale


def test_one_target_that_is_down_is_enough() -> None:
    both = plan(policy("main", "openai/a", "groq/b", lexical=ONCE, cache=RULE))
    world = answered({"openai/a": DOWN, "groq/b": Fails(Kind.CONTEXT_WINDOW)}, both)
    assert world.call().stale
    [served] = world.facts(ev.StaleServed)
    assert served.kinds == (Kind.SERVER_ERROR,)


def test_a_deadline_is_no_other_end() -> None:
    world = answered(NeverAnswers())
    assert world.call(timeout_s=2).stale
    world.clock.advance(600)
    with pytest.raises(DeadlineExceeded):
        world.call(timeout_s=2)


def test_a_budget_that_is_spent_refuses_and_is_no_outage() -> None:
    poor = policy("main", "openai/a", lexical=ONCE, cache=RULE, budgets=(budget("policy:main", 1_639_000),))
    world = answered(Says("unasked"), plan(poor))
    with pytest.raises(BudgetExceeded):
        world.call()


def test_it_is_kept_apart_as_every_kept_answer_is() -> None:
    never = replace(tenant("legal"), never=frozenset({"cache"}))
    whole = replace(KEPT, tenants={each.path: each for each in (tenant("acme"), tenant("beta"), never)})
    world = answered(DOWN, whole, tenant="acme")
    for other in ("beta", "legal"):
        with pytest.raises(TargetsExhausted):
            world.call(tenant=other)
    assert world.call(tenant="acme").stale
    lower = policy("main", "openai/a", lexical=ONCE, cache=RULE, ceiling=Ceiling(output_tokens=5))
    world.plan = replace(whole, policies={"main": lower})
    with pytest.raises(TargetsExhausted):
        world.call(tenant="acme")


def test_the_times_are_those_of_todays_policy() -> None:
    world = answered(DOWN, after_s=100)
    for rule, stale in (
        (CacheRule(ttl_s=10, sampled=True, stale_s=95), True),
        (replace(RULE, stale_s=40), False),
    ):
        world.plan = replace(KEPT, policies={"main": policy("main", "openai/a", lexical=ONCE, cache=rule)})
        assert served(world) == stale


def served(world: World) -> bool:
    try:
        return world.call().stale
    except RouterError:
        return False


def test_a_stream_is_given_it_piece_by_piece_and_never_after_its_first_content() -> None:
    world = answered(DOWN)
    stream = world.stream()
    assert "".join(chunk.text for chunk in stream) == "first"
    assert (stream.reply().stale, stream.cost_usd) == (True, 0)
    becomes(world, Fails(Kind.CONNECTION, says=Says("one two three"), chunks=2))
    with pytest.raises(StreamBroken):
        world.stream().reply()


class Shaky(MemoryCache):
    """A cache that can be asked so many times more."""

    left = 10**9

    async def get(self, key: str) -> CacheEntry | None:
        self.left -= 1
        if self.left < 0:
            raise StoreError("gone", port="cache")
        return await super().get(key)


def test_a_cache_that_goes_away_meanwhile_hides_no_error() -> None:
    world, cache = World(KEPT, Says("first")), Shaky()
    world.ports = replace(world.ports, cache=cache)
    world.call()
    world.clock.advance(60)
    becomes(world, DOWN)
    assert world.call().stale
    cache.left = 1
    with pytest.raises(TargetsExhausted):
        world.call()
    assert [(each.port, each.step) for each in world.facts(ev.StoreBypassed)] == [("cache", "get")]


def test_an_answer_that_came_meanwhile_is_better() -> None:
    """From another process, say: what failed here may have been answered there."""
    world = answered(NeverAnswers())
    get = world.cache.get
    asked = 0

    async def renewed(key: str) -> CacheEntry | None:
        nonlocal asked
        asked += 1
        entry = await get(key)
        assert entry is not None
        return entry if asked == 1 else replace(entry, stored_at_s=world.clock.now_s() - 1)

    world.cache.get = renewed  # type: ignore[method-assign]
    reply = world.call()
    assert (reply.cached, reply.stale, reply.age_s) == (True, False, 1)
    assert len(world.facts(ev.CacheHit)) == 1
    assert not world.facts(ev.StaleServed)


POLICIES: dict[str, Any] = {
    "version": 1,
    "providers": {"openai": {}},
    "policies": {
        "kept": {
            "targets": ["openai/gpt-5-nano"],
            "retry": "off",
            "ceiling": {"input_tokens": "10k", "output_tokens": 100},
            "cache": {"ttl": "1ms", "sampled": True, "serve_stale_on_error": "1h"},
        }
    },
}


def test_of_many_identical_calls_in_an_outage_one_asks_and_all_are_served(tmp_path: Any) -> None:
    """On a disk, which keeps an answer for its ttl and the time in which it may be served stale."""

    async def main() -> None:
        clock = AsyncClock()
        wire = ScriptedTransport([Says("hello"), Fails(Kind.OVERLOADED, after_s=0.1)], clock=clock)
        folder = str(tmp_path / "cache")
        async with AsyncRouter.open(
            POLICIES, transport=wire, clock=clock, state="memory", cache=folder
        ) as router:
            await router.complete("hi", policy="kept")
            await asyncio.sleep(0.005)
            replies: list[Reply] = await asyncio.gather(
                *(router.complete("hi", policy="kept") for _ in range(50))
            )
            assert {(each.text, each.stale, each.cost_nusd) for each in replies} == {("hello", True, 0)}
            assert len(wire.calls) == 2
            shared = [each for each in replies if any(isinstance(e, ev.AnswerShared) for e in each.trace)]
            assert len(shared) == 49
            assert len({id(each.message) for each in replies}) == 50

    asyncio.run(main())
