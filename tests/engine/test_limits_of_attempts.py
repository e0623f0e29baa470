"""Limits of policies, providers, models and keys: who is counted when, what comes next, and that nothing stays held."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from router import events as ev
from router.adapters.scripted_transport import Fails, NeverAnswers, Says
from router.adapters.secrets import EnvSecrets
from router.client.inline import run_inline
from router.errors import (
    BudgetExceeded,
    LimitExceeded,
    ProviderError,
    RouterError,
    StreamBroken,
    TargetsExhausted,
)
from router.plan import Limit
from router.policy.load import load_text
from router.ports import Take, WireCall
from router.values import Kind, Usage
from tests.policy.books import Book
from tests.world import World

LATER = Fails(Kind.SERVER_ERROR, status=500)
SLOW_DOWN = Fails(Kind.RATE_LIMITED, status=429)
GONE = Fails(Kind.CONNECTION, sent=False)


def world(text: str, script: Any = ()) -> World:
    """`text` is what differs: lines of providers, policies and tenants."""
    found = load_text(f"version: 1\n{text}", Book(), file="policies/a.yaml")
    assert found.plan is not None, found.problems
    return World(found.plan, script)


def used(world: World, *limits: Limit) -> list[int]:
    found = run_inline(world.ports.limiter.used(limits, now_s=world.clock.now_s()))
    return [found[each] for each in limits]


def every_limit(world: World) -> list[Limit]:
    plan = world.plan
    found = [limit for each in (*plan.policies.values(), *plan.tenants.values()) for limit in each.limits]
    for provider in plan.providers.values():
        found += provider.limits
        found += [limit for limits in provider.model_limits.values() for limit in limits]
        found += [limit for key in provider.keys for limit in key.limits]
    return found


def concurrency(world: World) -> list[Limit]:
    return [each for each in every_limit(world) if each.unit == "concurrent_requests"]


# --- The called policy ------------------------------------------------------------------------------------------------

CALLED = """
providers: {openai: {}}
policies:
  main: {targets: [openai/small], limits: {requests_per_minute: 2, tokens_per_hour: 150k}}
tenants:
  acme: {policies: all, limits: {requests_per_minute: 3}}
"""


def test_a_called_policy_is_one_limit_for_all_its_callers() -> None:
    one = world(CALLED)
    one.call(tenant="acme")
    one.call(tenant="acme")
    with pytest.raises(LimitExceeded) as caught:
        one.call(tenant="acme")
    assert caught.value.limit == "policy:main"
    assert "`policy:main` is at its `requests_per_minute: 2` (policies/a.yaml:5:44)" in caught.value.message
    assert one.facts(ev.LimitRefused)[0].limit == "requests_per_minute: 2"
    tenants = one.plan.tenants["acme"].limits
    assert used(one, *tenants) == [2]  # all or none: the third took nothing of the tenant either


def test_waiting_for_as_long_as_told_is_enough() -> None:
    one = world(CALLED)
    one.call(tenant="acme")
    one.clock.advance(20.0)
    one.call(tenant="acme")
    with pytest.raises(LimitExceeded) as caught:
        one.call(tenant="acme")
    one.clock.advance(caught.value.retry_after_s)
    one.call(tenant="acme")


def test_tokens_of_a_called_policy_are_taken_for_each_attempt() -> None:
    one = world(CALLED.replace("150k", "130k"), Says("x", usage=Usage(input_tokens=5, output_tokens=70_000)))
    one.call(tenant="acme")  # 64k are reserved, and 70,005 were used
    with pytest.raises(LimitExceeded) as caught:
        one.call(tenant="acme")
    assert "has 59995 left of `tokens_per_hour: 130k` (policies/a.yaml:5:68)" in caught.value.message


# --- Providers, models and keys ---------------------------------------------------------------------------------------

RATED = """
providers:
  openai: {limits: {requests_per_minute: 3}, models: {small: {limits: {requests_per_hour: 2}}}}
  anthropic: {}
policies:
  main:
    targets: [openai/small, openai/large, anthropic/haiku]
    retry: {attempts: 2, base: 1ms, max: 1ms}
"""


def test_every_send_counts_at_a_provider_and_its_model_and_the_next_target_answers() -> None:
    one = world(RATED, [LATER, Says("x")])
    assert one.call().target == "openai/small"  # two sends
    assert one.call().target == "openai/large"
    assert one.call().target == "anthropic/haiku"
    assert [each.target for each in one.facts(ev.ReserveRefused)] == [
        "openai/small",
        "openai/small",
        "openai/large",
    ]
    assert {each.kind for each in one.facts(ev.ReserveRefused)} == {Kind.OVER_LIMIT}
    assert used(one, *every_limit(one)) == [3, 2]


def test_a_send_that_never_left_gives_back_its_request_and_a_429_does_not() -> None:
    one = world(
        RATED.replace("[openai/small, ", "["),
        {"openai/large": [GONE, SLOW_DOWN], "anthropic/haiku": Says("x")},
    )
    assert one.call().target == "anthropic/haiku"
    assert used(one, *one.plan.providers["openai"].limits) == [1]


def test_all_that_was_refused_by_limits_is_told_with_the_wait_that_is_enough() -> None:
    text = """
providers:
  openai: {limits: {requests_per_minute: 1, requests_per_hour: 1}}
  anthropic: {limits: {requests_per_hour: 1}}
policies: {main: {targets: [openai/small, anthropic/haiku]}}
"""
    one = world(text)
    one.call()
    one.clock.advance(30.0)
    one.call()
    with pytest.raises(LimitExceeded) as caught:
        one.call()
    assert caught.value.limit == "provider:openai"
    assert "requests_per_hour: 1" in caught.value.message, "a minute is not enough there"
    one.clock.advance(caught.value.retry_after_s)
    assert one.call().target == "openai/small"


def test_a_limit_below_one_attempt_is_never_free() -> None:
    one = world(
        "providers: {openai: {limits: {tokens_per_minute: 1k}}}\npolicies: {main: {targets: [openai/small]}}\n"
    )
    with pytest.raises(LimitExceeded, match="more than the whole limit") as caught:
        one.call()
    assert caught.value.retry_after_s == float("inf")


def test_a_policy_that_does_not_fall_back_on_limits_ends_there() -> None:
    one = world(RATED + "    fall_back_on: [server_error]\n")
    one.call()
    one.call()
    with pytest.raises(LimitExceeded) as caught:
        one.call()
    assert caught.value.limit == "model:openai/small"


def test_what_failed_before_a_limit_is_not_hidden_by_it() -> None:
    one = world(RATED.replace("requests_per_minute: 3", "requests_per_minute: 1"), LATER)
    with pytest.raises(TargetsExhausted) as caught:
        one.call()
    assert [each.kind for each in caught.value.attempts] == [
        Kind.SERVER_ERROR,
        Kind.OVER_LIMIT,
        Kind.OVER_LIMIT,
        Kind.SERVER_ERROR,
        Kind.SERVER_ERROR,
    ]


KEYED = """
providers:
  openai:
    keys: [{env: A, limits: {requests_per_minute: 1}}, {env: B, limits: {requests_per_minute: 2}}]
  anthropic: {}
policies:
  main:
    targets: [openai/small, anthropic/haiku]
    retry: {attempts: 2, base: 1ms, max: 1ms}
"""


def keys_sent(world: World) -> list[str]:
    return [each.key for each in world.facts(ev.AttemptSent)]


def test_a_key_at_its_limit_gives_way_to_the_next_and_then_to_the_next_target() -> None:
    one = world(KEYED)
    assert [one.call().target for _ in range(4)] == [*["openai/small"] * 3, "anthropic/haiku"]
    assert keys_sent(one) == ["A", "B", "B", "ANTHROPIC_API_KEY"]
    assert [each.key for each in one.facts(ev.KeyPassedOver)] == ["A"] * 3
    assert "`key:openai/A` has 0 left" in one.facts(ev.KeyPassedOver)[0].shortfalls[0]
    (refused,) = one.facts(ev.ReserveRefused)
    assert (refused.target, refused.kind) == ("openai/small", Kind.OVER_LIMIT)


def test_the_call_is_made_with_the_secret_of_the_key_that_had_room() -> None:
    one = world(KEYED)
    secrets = {"A": "secret of A", "B": "secret of B"}
    one.ports = replace(one.ports, secrets=EnvSecrets(secrets))
    one.call()
    one.call()
    assert [call.api_key for call in one.transport.calls] == ["secret of A", "secret of B"]


def test_a_key_that_failed_in_this_request_does_not_stand_in_for_one_at_its_limit() -> None:
    one = world(KEYED.replace("A, limits: {requests_per_minute: 1}", "A"), [SLOW_DOWN, LATER, Says("x")])
    one.call()  # A is limited by its provider, B fails and is sent once more: all of B's requests
    assert keys_sent(one) == ["A", "B", "ANTHROPIC_API_KEY"]


def test_a_retry_goes_on_with_another_key_where_its_own_is_full() -> None:
    one = world(KEYED, [LATER, Says("x")])
    assert one.call().target == "openai/small"
    assert keys_sent(one) == ["A", "B"]


def test_a_budget_that_lacks_money_lacks_it_with_every_key() -> None:
    one = world(KEYED.replace("    keys:", "    budget: {requests_per_day: 1}\n    keys:"))
    one.call()
    assert one.call().target == "anthropic/haiku"
    assert [each.key for each in one.facts(ev.KeyPassedOver)] == []
    assert [each.kind for each in one.facts(ev.ReserveRefused)] == [Kind.OVER_BUDGET]


# --- Nested policies --------------------------------------------------------------------------------------------------

NESTED = """
providers: {openai: {}, anthropic: {}}
policies:
  main: {targets: [{policy: inner}, anthropic/haiku]}
  inner:
    targets: [openai/small, openai/large]
    retry: {attempts: 2, base: 1ms, max: 1ms}
    limits: {requests_per_minute: 2, concurrent_requests: 1}
"""


def test_a_request_is_one_of_a_nested_policy_however_often_it_is_sent_through_it() -> None:
    one = world(NESTED, [LATER, LATER, LATER, Says("x")])
    assert one.call().target == "openai/large"
    assert used(one, *one.plan.policies["inner"].limits) == [0, 1]
    assert one.call().target == "openai/small"
    assert one.call().target == "anthropic/haiku"
    assert one.call(policy="main").target == "anthropic/haiku"
    with pytest.raises(LimitExceeded):
        one.call(policy="inner")  # called by itself it is the same limit


def test_a_request_that_never_left_through_a_nested_policy_is_none_of_its() -> None:
    one = world(NESTED, {"openai/small": GONE, "openai/large": GONE, "anthropic/haiku": Says("x")})
    assert one.call().target == "anthropic/haiku"
    assert used(one, *one.plan.policies["inner"].limits) == [0, 0]


# --- Concurrency ------------------------------------------------------------------------------------------------------

BUSY = """
providers:
  openai:
    limits: {concurrent_requests: 1}
    models: {small: {limits: {concurrent_requests: 2}}}
    keys: [{env: A, limits: {concurrent_requests: 1}}, {env: B}]
  anthropic: {}
policies:
  main: {targets: [openai/small, {policy: inner}], limits: {concurrent_requests: 5}, timeout: {total: 100s}}
  inner: {targets: [anthropic/haiku], limits: {concurrent_requests: 3}}
"""


def during(world: World, work: Callable[[], object], ends: Any) -> None:
    """`work` is done while the first call of the world is on the wire, which then `ends` so."""
    done: list[object] = []

    def step(call: WireCall) -> Any:
        if done:
            return Says("y")
        done.append(None)
        done.append(work())
        return ends

    world.transport._script = step


def test_an_attempt_holds_its_place_while_it_is_sent_and_another_call_goes_elsewhere() -> None:
    one = world(BUSY)
    seen: list[Any] = []

    def meanwhile() -> None:
        seen.append(used(one, *concurrency(one)))
        seen.append(one.call().target)

    during(one, meanwhile, Says("x"))
    assert one.call().target == "openai/small"
    assert seen == [[0, 1, 1, 1, 1], "anthropic/haiku"]
    (refused,) = one.facts(ev.ReserveRefused)
    assert (refused.target, refused.kind, refused.seq) == ("openai/small", Kind.OVER_LIMIT, 0)
    assert (
        "`provider:openai` is at its `concurrent_requests: 1` (policies/a.yaml:5:14)" in refused.shortfalls[0]
    )
    assert used(one, *concurrency(one)) == [0] * 5


def test_a_key_that_is_busy_gives_way() -> None:
    one = world(BUSY.replace("    limits: {concurrent_requests: 1}\n", "", 1))
    during(one, lambda: one.call(), Says("x"))
    one.call()
    assert keys_sent(one) == ["A", "B"]
    assert used(one, *concurrency(one)) == [0] * 4


@pytest.mark.parametrize(
    "end", [LATER, SLOW_DOWN, GONE, NeverAnswers()], ids=lambda each: type(each).__name__
)
def test_however_an_attempt_ends_nothing_is_held(end: Any) -> None:
    one = world(BUSY, end)
    with pytest.raises((RouterError, ProviderError)):
        one.call()
    assert used(one, *concurrency(one)) == [0] * 5


def test_what_does_not_fit_a_budget_gives_its_place_back() -> None:
    one = world(
        BUSY.replace("  anthropic: {}", "  anthropic: {}\nbudgets: {b: {requests_in_total: 1}}").replace(
            "main: {", "main: {budget: {pool: b}, "
        )
    )
    one.call()
    with pytest.raises(BudgetExceeded):
        one.call()
    assert used(one, *concurrency(one)) == [0] * 5


class Interrupted(BaseException):
    pass


STEPS = ("reserve", "mark_sent", "settle", "admit")


@pytest.mark.parametrize("after", [True, False], ids=["after", "before"])
@pytest.mark.parametrize("step", STEPS)
def test_a_call_that_is_given_up_inside_a_store_leaves_nothing_held(
    step: str, after: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cancelled on the way to the store, or on the way back from it."""
    one = world(BUSY)
    port = one.ports.limiter if step == "admit" else one.ports.ledger
    real, turns = getattr(port, step), iter(range(9))

    async def given_up(*args: Any, **fields: Any) -> Any:
        own = step != "admit" or next(turns) == 1  # the first admission is the request's
        if own and not after:
            raise Interrupted
        found = await real(*args, **fields)
        if own:
            raise Interrupted
        return found

    monkeypatch.setattr(port, step, given_up)
    with pytest.raises(Interrupted):
        one.call()
    monkeypatch.undo()
    assert used(one, *concurrency(one)) == [0] * 5
    if step != "settle" or after:
        assert [row.state for row in one.rows() if row.state in ("reserved", "sent")] == []


def test_a_place_is_kept_for_as_long_as_the_attempt_lasts() -> None:
    one = world(BUSY, Says("x", after_s=80.0))
    held: list[Sequence[int]] = []

    def sink(event: ev.Event) -> None:
        if isinstance(event, ev.LeaseRenewed):
            limits = concurrency(one)
            found = run_inline(one.ports.limiter.used(limits, now_s=event.until_s - 1.0))
            held.append([found[each] for each in limits])

    one.ports = replace(one.ports, sinks=(*one.ports.sinks, sink))
    one.call()
    assert len(held) >= 7
    assert all(each == [0, 1, 1, 1, 1] for each in held)
    assert used(one, *concurrency(one)) == [0] * 5


STREAMED = Says("one two three")


@pytest.mark.parametrize("way", ["to its end", "closed", "broken", "failed over"])
def test_a_stream_holds_the_place_of_its_attempt_until_it_ends_however_that_is(way: str) -> None:
    broken = Fails(Kind.CONNECTION, says=STREAMED, chunks=1)
    first = {"broken": broken, "failed over": Fails(Kind.OVERLOADED, status=503)}.get(way, STREAMED)
    one = world(
        BUSY.replace("timeout: {total: 100s}", "retry: off"),
        {"openai/small": [first, Says("x")], "anthropic/haiku": STREAMED},
    )
    stream = one.stream()
    assert next(stream).text == "one "
    assert used(one, *concurrency(one)) == ([1, 1, 0, 0, 0] if way == "failed over" else [0, 1, 1, 1, 1])
    if way == "closed":
        stream.close()
    elif way == "broken":
        with pytest.raises(StreamBroken):
            list(stream)
    else:
        list(stream)
    assert used(one, *concurrency(one)) == [0] * 5
    assert one.call().target == "openai/small"


def test_a_place_whose_owner_died_is_free_when_its_lease_is_over() -> None:
    one = world(BUSY)
    (limit,) = one.plan.providers["openai"].limits
    now_s = one.clock.now_s()
    run_inline(one.ports.limiter.admit("dead", [Take(limit=limit, amount=1)], now_s=now_s, lease_s=30.0))
    assert one.call().target == "anthropic/haiku"
    one.clock.advance(30.5)
    assert one.call().target == "openai/small"


def test_a_plan_without_such_limits_asks_the_limiter_nothing() -> None:
    one = world("providers: {openai: {}}\npolicies: {main: {targets: [openai/small]}}\n", [LATER, Says("x")])
    asked: list[str] = []

    class Watched:
        suspends = False

        def __getattr__(self, name: str) -> Any:
            asked.append(name)
            raise AssertionError(name)

    one.ports = replace(one.ports, limiter=Watched())  # type: ignore[arg-type]
    one.call()
    assert asked == []
    assert all(row.counters == () for row in one.rows())


# --- For as long as a request lasts -----------------------------------------------------------------------------------

LONG = """
providers: {openai: {}}
policies:
  main:
    targets: [openai/small]
    timeout: {total: 10m, stream: 10m}
    retry: {attempts: 9, base: 4s, max: 4s}
    cache: {ttl: 1h, sampled: true}
tenants:
  acme: {policies: all, limits: {concurrent_requests: 1}}
"""


def holds_its_place(world: World, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What the tenant's concurrency holds, looked at whenever time passes."""
    held: list[int] = []
    sleep = world.clock.sleep

    async def looked_at(seconds: float) -> None:
        while seconds > 0:
            await sleep(min(seconds, 1.0))
            held.extend(used(world, *concurrency(world)))
            seconds -= 1.0

    monkeypatch.setattr(world.clock, "sleep", looked_at)
    return held


def test_a_request_keeps_its_place_over_many_short_attempts(monkeypatch: pytest.MonkeyPatch) -> None:
    one = world(LONG, [*[replace(LATER, after_s=4.0)] * 8, Says("x", after_s=4.0)])
    held = holds_its_place(one, monkeypatch)
    one.call(tenant="acme")
    assert one.clock.mono_s() > 50.0
    assert set(held[:-4]) == {1}
    assert used(one, *concurrency(one)) == [0]


def test_a_request_keeps_its_place_while_it_waits_for_longer_than_a_lease(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slow = LONG.replace("base: 4s, max: 4s", "base: 100s, max: 100s")
    one = world(slow, [LATER, Says("x", after_s=4.0)])
    held = holds_its_place(one, monkeypatch)
    one.call(tenant="acme")
    assert one.clock.mono_s() > 50.0
    assert set(held[:-4]) == {1}


def test_a_stream_whose_pieces_come_quickly_keeps_its_place_and_its_row(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one = world(LONG, Says("a " * 80, chunk_s=1.0))
    held = holds_its_place(one, monkeypatch)
    stream = one.stream(tenant="acme")
    for _ in stream:
        assert run_inline(one.ports.ledger.reconcile(now_s=one.clock.now_s())) == 0
    assert len(held) > 80
    assert set(held[:-1]) == {1}
    assert [row.how for row in one.rows()] == ["reported"]


def test_who_waits_for_the_answer_of_another_call_keeps_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    one = world(LONG)
    held: list[int] = []

    class Behind:
        leads = came_late = False

        async def landed(self, timeout_s: float) -> Any:
            if one.clock.mono_s() > 60.0:
                return None
            one.clock.advance(timeout_s)
            held.extend(used(one, *concurrency(one)))
            raise TimeoutError

        def land(self, reply: Any) -> None:
            """Nobody is behind."""

        def leave(self) -> None:
            """The same."""

    monkeypatch.setattr(one.ports.flight, "join", lambda key, *, since: Behind())
    one.call(tenant="acme")
    assert held == [1] * 7


@pytest.mark.parametrize("way", ["to its end", "closed", "broken"])
def test_a_stream_that_is_interrupted_while_it_gives_back_gives_back_all(
    way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = LONG.replace("openai: {}", "openai: {limits: {concurrent_requests: 2}}")
    one = world(text, Fails(Kind.CONNECTION, says=STREAMED, chunks=2) if way == "broken" else STREAMED)

    class Interrupted(BaseException):
        pass

    release, asked = one.ports.limiter.release, list[str]()

    async def given_up(id: str, **fields: Any) -> None:
        await release(id, **fields)
        asked.append(id)
        if len(asked) == 1:
            raise Interrupted

    stream = one.stream(tenant="acme")
    monkeypatch.setattr(one.ports.limiter, "release", given_up)
    with pytest.raises(Interrupted):
        stream.close() if way == "closed" else stream.reply()
    assert len(asked) == 2
    assert used(one, *concurrency(one)) == [0, 0]


@pytest.mark.parametrize("fails", [False, True])
def test_a_usage_below_zero_gives_back_nothing_that_others_have_used(fails: bool) -> None:
    text = CALLED.replace(
        "tokens_per_hour: 150k}", "tokens_per_hour: 300k}, retry: off, budget: {tokens_per_day: 1M}"
    )
    absurd = Usage(input_tokens=-(10**6), output_tokens=7)
    odd = Fails(Kind.TIMEOUT, usage=absurd) if fails else Says("x", usage=absurd)
    one = world(text, [Says("x", usage=Usage(input_tokens=5, output_tokens=100)), odd])
    one.call(tenant="acme")
    if fails:
        with pytest.raises(RouterError):
            one.call(tenant="acme")
    else:
        one.call(tenant="acme")
    tokens = [each for each in one.plan.policies["main"].limits if each.unit == "tokens"]
    assert used(one, *tokens) == [105 + 7]
    spent = run_inline(one.ports.ledger.all_balances())
    assert [each.settled for of, each in spent.items() if of.unit == "tokens"] == [105 + 7]
