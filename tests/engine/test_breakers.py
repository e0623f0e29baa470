"""Breakers through the real engine, on a manual clock: who is passed over, what counts, and who may try again."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from router import events as ev
from router.adapters.scripted_transport import Fails, NeverAnswers, Says
from router.client.inline import run_inline
from router.decide.breaker import Breaker, Probe, phase_of
from router.errors import (
    BudgetExceeded,
    NoRoute,
    RouterError,
    StoreError,
    StreamBroken,
    TargetsExhausted,
)
from router.plan import Plan
from router.policy.load import load_text
from router.testing.down import ALL, MayBeDown
from router.values import Kind
from tests.policy.books import Book
from tests.world import World

DOWN = Fails(Kind.SERVER_ERROR, status=500)
WELL = Says("x")
SMALL, HAIKU = ("openai", "small"), ("anthropic", "haiku")

ONCE = "retry: off, timeout: {total: 60s, attempt: 8s}"


def planned(breaker: str = "{failures: 2, open_for: 30s}", policy: str = ONCE, more: str = "") -> Plan:
    """openai has a breaker, anthropic has none."""
    text = (
        "version: 1\n"
        f"providers: {{openai: {{breaker: {breaker}}}, anthropic: {{}}}}\n"
        f"policies:\n  main: {{targets: [openai/small, anthropic/haiku], {policy}}}\n{more}"
    )
    found = load_text(text, Book(), file="policies/a.yaml")
    assert found.plan is not None, found.problems
    return found.plan


def world(first: Any = DOWN, plan: Plan | None = None, second: Any = WELL) -> World:
    script = {"openai/small": first, "anthropic/haiku": second}
    return World(plan or planned(), script)


def breaker(of: World, name: tuple[str, str] = SMALL) -> Breaker:
    return run_inline(of.ports.health.read(targets=[name])).breakers.get(name, Breaker())


def calls(of: World, number: int) -> list[str]:
    """The targets that each of so many calls was sent to."""
    before = len(of.targets())
    for _ in range(number):
        try:
            of.call()
        except RouterError:
            continue
    return of.targets()[before:]


# --- Open -------------------------------------------------------------------------------------------------------------


def test_a_target_that_failed_too_often_is_passed_over_and_an_event_says_why() -> None:
    it = world()
    assert calls(it, 2) == ["openai/small", "anthropic/haiku"] * 2
    opened = it.facts(ev.BreakerOpened)[0]
    assert (opened.target, opened.in_a_row, opened.openings) == ("openai/small", 2, 1)
    assert 27 <= opened.open_for_s <= 30
    assert calls(it, 3) == ["anthropic/haiku"] * 3
    passed = it.facts(ev.TargetPassedOver)
    assert [(each.target, each.policy, each.in_a_row, each.until_s) for each in passed] == [
        ("openai/small", "main", 2, opened.until_s)
    ] * 3
    assert not it.facts(ev.FellBack)[2:]


def test_an_answer_in_between_begins_the_row_anew() -> None:
    it = world([DOWN, WELL, DOWN, WELL])
    calls(it, 4)
    assert not it.facts(ev.BreakerOpened)


def test_a_breaker_that_opens_ends_the_retries_of_its_target() -> None:
    it = world(plan=planned(policy="retry: {attempts: 5, base: 1ms}"))
    assert calls(it, 1) == ["openai/small", "openai/small", "anthropic/haiku"]


@pytest.mark.parametrize(
    ("step", "counts"),
    [
        (DOWN, True),
        (Fails(Kind.OVERLOADED, status=529), True),
        (Fails(Kind.CONNECTION, sent=False), True),
        (NeverAnswers(), True),
        (Fails(Kind.RATE_LIMITED, status=429), False),
        (Fails(Kind.AUTH, status=401), False),
        (Fails(Kind.BAD_REQUEST, status=400), False),
        (Fails(Kind.CONTENT_FILTER, status=400), False),
        (Fails(Kind.CONTEXT_WINDOW, status=400), False),
    ],
)
def test_only_what_is_the_targets_illness_counts(step: Any, counts: bool) -> None:
    it = world(step)
    calls(it, 3)
    assert bool(breaker(it).openings) is counts


def test_a_callers_own_hurry_is_not_the_targets_illness() -> None:
    it = world(NeverAnswers())
    for _ in range(3):
        with pytest.raises(RouterError):
            it.call(timeout_s=1.0)
    assert breaker(it) == Breaker()
    it.call(timeout_s=20.0)  # the attempt has all of its 8 s
    assert len(breaker(it).failed_s) == 1


def test_slow_answers_count_where_the_rule_says_so() -> None:
    it = world(Says("x", after_s=5.0), planned("{failures: 2, slower_than: 4s}"))
    assert calls(it, 3) == ["openai/small", "openai/small", "anthropic/haiku"]


def test_a_failure_rate_opens_it() -> None:
    it = world([DOWN, WELL], planned("{failure_rate: 50%, of_at_least: 4}"))
    it.transport._script = {"openai/small": [DOWN, WELL, DOWN, DOWN], "anthropic/haiku": WELL}
    assert calls(it, 5)[-1] == "anthropic/haiku"
    opened = it.facts(ev.BreakerOpened)[0]
    assert (opened.failures, opened.attempts) == (3, 4)


def test_where_every_breaker_is_open_nothing_is_sent_and_the_error_says_when_to_come_back() -> None:
    text = "  alone: {targets: [openai/small], retry: off}\n"
    it = world(plan=planned(more=text))
    calls(it, 2)
    with pytest.raises(NoRoute, match="no target that may be tried now: openai/small: its breaker") as caught:
        it.call(policy="alone")
    assert caught.value.retry_after_s == pytest.approx(breaker(it).open_for_s)
    assert [drop.reason for drop in caught.value.dropped] == ["breaker_open"]
    assert "router breaker" in caught.value.help


def test_where_others_failed_the_error_says_when_to_come_back_too() -> None:
    it = world(second=DOWN)
    calls(it, 2)
    with pytest.raises(TargetsExhausted) as caught:
        it.call()
    assert [each.target for each in caught.value.attempts] == ["anthropic/haiku"]
    assert caught.value.retry_after_s == pytest.approx(breaker(it).open_for_s)
    assert caught.value.help.startswith("`openai/small` was not tried: its breaker is open, for ")


def test_a_budget_that_refuses_the_others_is_told_first_and_nothing_jumps() -> None:
    spent = "budget: {requests_per_day: {at_most: 1, when_spent: {policy: rest}}}"
    more = (
        "  rest: {targets: [anthropic/haiku]}\n"
        f"  poor: {{targets: [openai/small, anthropic/haiku], {ONCE}, {spent}}}\n"
    )
    it = world(plan=planned(more=more))
    it.call(policy="poor")
    calls(it, 1)
    with pytest.raises(BudgetExceeded):
        it.call(policy="poor")
    assert it.facts(ev.TargetPassedOver)
    assert not it.facts(ev.Jumped)


def test_where_every_breaker_is_open_an_older_answer_may_stand_in() -> None:
    kept = "cache: {ttl: 1m, serve_stale_on_error: 1h, sampled: true, scope: shared}"
    more = f"  kept: {{targets: [openai/small], {ONCE}, {kept}}}\n"
    it = world([WELL, DOWN], planned("{failures: 2, open_for: 10m}", more=more))
    it.call(policy="kept")
    it.clock.advance(90)
    calls(it, 2)
    assert it.call(policy="kept").stale
    assert it.facts(ev.StaleServed)[0].kinds == ()


# --- Half open --------------------------------------------------------------------------------------------------------


def test_after_its_time_one_tries_and_an_answer_closes_it() -> None:
    it = world([DOWN, DOWN, WELL])
    calls(it, 2)
    it.clock.advance(30)
    assert calls(it, 2) == ["openai/small", "openai/small"]
    assert [type(each) for each in it.seen if isinstance(each, ev.ProbeAdmitted | ev.BreakerClosed)] == [
        ev.ProbeAdmitted,
        ev.BreakerClosed,
    ]
    assert not breaker(it).openings


def test_a_probe_that_fails_opens_it_for_longer() -> None:
    it = world()
    calls(it, 2)
    it.clock.advance(30)
    assert calls(it, 2) == ["openai/small", "anthropic/haiku", "anthropic/haiku"]
    opened = it.facts(ev.BreakerOpened)[-1]
    assert opened.openings == 2
    assert 54 <= opened.open_for_s <= 60


def test_who_finds_no_place_as_a_probe_goes_on() -> None:
    it = world([DOWN, DOWN, WELL])
    calls(it, 2)
    it.clock.advance(30)
    held = it.state.health._breakers
    held[SMALL] = replace(held[SMALL], probes=(Probe(id="other", until_s=it.clock.now_s() + 13),))
    assert calls(it, 1) == ["anthropic/haiku"]
    assert it.facts(ev.TargetPassedOver)[-1].until_s == it.clock.now_s() + 13
    it.clock.advance(13)
    assert calls(it, 1) == ["openai/small"]


def test_who_is_beaten_to_the_place_goes_on() -> None:
    it = world([DOWN, DOWN, WELL])
    calls(it, 2)
    it.clock.advance(30)
    taken = breaker(it)
    health = it.state.health

    class Beaten:
        """Between what is read and what is asked for, somebody else takes the place."""

        def __getattr__(self, name: str) -> Any:
            return getattr(health, name)

        async def turn(self, target: Any, event: Any, **waits: Any) -> Any:
            health._breakers[SMALL] = replace(taken, probes=(Probe(id="other", until_s=10.0**12),))
            return await health.turn(target, event, **waits)

    it.ports = replace(it.ports, health=Beaten())
    assert calls(it, 1) == ["anthropic/haiku"]


def test_a_probe_that_is_not_sent_gives_its_place_back() -> None:
    more = f"  poor: {{targets: [openai/small], {ONCE}, budget: {{requests_per_day: 1}}}}\n"
    it = world(plan=planned(more=more))
    with pytest.raises(TargetsExhausted):
        it.call(policy="poor")
    calls(it, 1)
    it.clock.advance(30)
    with pytest.raises(BudgetExceeded):
        it.call(policy="poor")
    assert it.facts(ev.ProbeAdmitted)
    assert (breaker(it).openings, breaker(it).probes) == (1, ())


def test_a_probe_whose_request_was_wrong_gives_its_place_back() -> None:
    it = world([DOWN, DOWN, Fails(Kind.BAD_REQUEST, status=400)])
    calls(it, 2)
    it.clock.advance(30)
    calls(it, 1)
    assert (breaker(it).openings, breaker(it).probes) == (1, ())


def test_a_probe_that_is_cut_off_gives_its_place_back() -> None:
    it = world()
    calls(it, 2)
    it.clock.advance(30)

    def interrupted(call: Any) -> Any:
        raise KeyboardInterrupt

    it.transport._script = interrupted
    with pytest.raises(KeyboardInterrupt):
        it.call()
    assert (breaker(it).openings, breaker(it).probes) == (1, ())


# --- Streams ----------------------------------------------------------------------------------------------------------


def broken(chunks: int) -> Fails:
    return Fails(Kind.CONNECTION, says=Says("one two three"), chunks=chunks)


def test_a_stream_that_breaks_counts_before_its_content_and_after() -> None:
    it = world([broken(0), broken(2)])
    it.stream().close()
    with pytest.raises(StreamBroken):
        list(it.stream())
    assert breaker(it).openings == 1


def test_a_probe_that_streams_closes_it_with_its_first_content() -> None:
    it = world([DOWN, DOWN, Says("one two three", chunk_s=1.0)])
    calls(it, 2)
    it.clock.advance(30)
    stream = it.stream()
    assert it.facts(ev.BreakerClosed)
    assert breaker(it).openings == 0
    stream.close()


def test_a_stream_is_slow_by_its_first_content() -> None:
    slow = planned("{failures: 1, slower_than: 4s}")
    it = world(Says(" ".join("word" for _ in range(9)), chunk_s=1.0), slow)
    list(it.stream())
    assert not breaker(it).openings
    it = world(Says("one two", after_s=5.0), slow)
    list(it.stream())
    assert breaker(it).openings


# --- Settings ---------------------------------------------------------------------------------------------------------


def test_a_policy_may_have_its_targets_tried_all_the_same() -> None:
    it = world(plan=planned(policy=f"{ONCE}, breaker: off"))
    assert calls(it, 4) == ["openai/small", "anthropic/haiku"] * 4
    assert breaker(it).openings == 1  # it is kept for those who heed it
    assert not it.facts(ev.TargetPassedOver)


def test_a_model_may_have_a_rule_of_its_own_or_none() -> None:
    text = (
        "version: 1\n"
        "providers:\n  openai:\n    breaker: {failures: 1}\n"
        "    models: {small: {breaker: off}, large: {breaker: {failures: 3}}}\n"
        "policies:\n  main: {targets: [openai/small, openai/large]}\n"
    )
    plan = load_text(text, Book(), file="a.yaml").plan
    assert plan is not None
    rules = [plan.targets[name].breaker for name in ("openai/small", "openai/large")]
    assert [rule and rule.failures for rule in rules] == [None, 3]


def test_each_model_has_a_breaker_of_its_own() -> None:
    it = world()
    calls(it, 2)
    assert list(run_inline(it.ports.health.breakers())) == [SMALL]
    assert phase_of(breaker(it, HAIKU), it.clock.now_s()) == "closed"


def test_a_breaker_survives_another_plan_by_its_name() -> None:
    it = world()
    calls(it, 2)
    it.plan = planned("{failures: 9, open_for: 1m}", more="  other: {targets: [openai/large]}\n")
    assert calls(it, 1) == ["anthropic/haiku"]
    it.plan = planned("off")
    assert calls(it, 1) == ["openai/small", "anthropic/haiku"]


# --- The store --------------------------------------------------------------------------------------------------------


def with_health_down(plan: Plan, down: Sequence[str]) -> World:
    it = world(plan=plan)
    health = MayBeDown(it.ports.health, "health")
    it.ports = replace(it.ports, health=health)
    calls(it, 2)
    it.clock.advance(30)
    health.down = down
    return it


@pytest.mark.parametrize("down", [ALL, ("turn",), ("note",)])
def test_a_store_of_health_that_fails_keeps_nobody_from_a_target(down: Sequence[str]) -> None:
    it = with_health_down(planned(), down)
    assert calls(it, 1) == ["openai/small", "anthropic/haiku"]
    assert {fact.port for fact in it.facts(ev.StoreBypassed)} == {"health"}


def test_a_store_of_health_that_is_called_closed_ends_the_call() -> None:
    plan = planned(more="settings: {on_store_error: {health: closed}}\n")
    it = with_health_down(plan, ALL)
    with pytest.raises(StoreError):
        it.call()


def test_a_healthy_target_is_read_and_never_written() -> None:
    it = world(WELL)
    calls(it, 3)
    assert run_inline(it.ports.health.breakers()) == {}
