"""Whole requests through the real engine: who is tried, what it costs, what the caller gets."""

from dataclasses import replace
from typing import Any

import pytest

from router import events as ev
from router.adapters.scripted_transport import Fails, NeverAnswers, Says, ScriptedTransport
from router.adapters.secrets import EnvSecrets
from router.decide.bounds import policy_bounds
from router.decide.classify import DEFAULT_FALL_BACK_ON, FAILURES, TRANSIENT, Charge
from router.errors import (
    BudgetExceeded,
    DeadlineExceeded,
    LimitExceeded,
    NoRoute,
    StoreError,
    TargetsExhausted,
)
from router.plan import CacheRule, Ceiling, Condition, Each, Key, Limit, PriceTable, RetryRule, Rule
from router.values import Kind, SecretRef, Usage
from tests.build import PLACE, budget, entry, lexical, plan, policy, price, provider, target, tenant
from tests.world import World

TWO = plan(policy("main", "openai/a", "groq/b"))
ONCE = RetryRule(attempts=1, base_s=0.2, max_s=2.0, on=TRANSIENT)
SMALL = Usage(input_tokens=10, output_tokens=20)


def once(**fields: Any) -> Any:
    return lexical(retry=ONCE, **fields)


def test_the_first_target_answers_and_is_paid_from_its_usage() -> None:
    world = World(TWO, Says("hi", usage=SMALL))
    reply = world.call()
    assert (reply.text, reply.target, reply.cached) == ("hi", "openai/a", False)
    assert reply.cost_nusd == 10 * 50 + 20 * 400
    (row,) = world.rows()
    assert (row.state, row.cost_nusd, row.how) == ("settled", reply.cost_nusd, "reported")
    assert [type(event) for event in reply.trace] == [
        ev.RequestStarted, ev.Routed, ev.Reserved, ev.AttemptSent, ev.AttemptAnswered, ev.Settled, ev.RequestAnswered
    ]  # fmt: skip
    assert list(reply.trace) == world.seen


def test_a_rate_limited_target_falls_back_and_keeps_its_failure() -> None:
    script = {"openai/a": Fails(Kind.RATE_LIMITED, status=429, retry_after_s=7), "groq/b": Says("from b")}
    world = World(TWO, script)
    reply = world.call()
    assert reply.target == "groq/b"
    assert world.targets() == ["openai/a", "groq/b"]
    assert [(each.from_target, each.kind) for each in world.facts(ev.FellBack)] == [
        ("openai/a", Kind.RATE_LIMITED)
    ]
    assert next(row.cost_nusd for row in world.rows()) == 0


def test_a_short_retry_after_is_slept_to_the_letter() -> None:
    world = World(TWO, [Fails(Kind.RATE_LIMITED, status=429, retry_after_s=1.25), Says("again")])
    assert world.call().target == "openai/a"
    assert world.clock.mono_s() == 1.25


def test_every_failure_is_kept_in_order() -> None:
    world = World(
        TWO, {"openai/a": Fails(Kind.OVERLOADED, status=503), "groq/b": Fails(Kind.QUOTA, status=402)}
    )
    with pytest.raises(TargetsExhausted) as caught:
        world.call()
    assert [(each.target, each.kind) for each in caught.value.attempts] == [
        ("openai/a", Kind.OVERLOADED),
        ("openai/a", Kind.OVERLOADED),
        ("groq/b", Kind.QUOTA),
    ]
    assert world.facts(ev.RequestFailed)[0].error == "TargetsExhausted"


@pytest.mark.parametrize("kind", sorted(FAILURES))
@pytest.mark.parametrize("sent", [True, False])
def test_each_kind_is_charged_and_followed_as_the_table_says(kind: Kind, sent: bool) -> None:
    one = plan(policy("main", "openai/a", "groq/b", lexical=once()))
    status = None if kind in (Kind.TIMEOUT, Kind.CONNECTION) else 500
    world = World(one, {"openai/a": Fails(kind, sent=sent, status=status), "groq/b": Says("b", usage=SMALL)})
    if FAILURES[kind].next_target:
        assert world.call().target == "groq/b"
    else:
        with pytest.raises(TargetsExhausted):
            world.call()
    row = world.rows()[0]
    worst = sent and FAILURES[kind].charge is Charge.WORST_CASE
    assert row.cost_nusd == (row.worst_nusd if worst else 0)
    assert row.worst_nusd > 0


def test_a_broken_200_may_have_been_billed() -> None:
    world = World(plan(policy("main", "openai/a", lexical=once())), Fails(Kind.SERVER_ERROR, status=200))
    with pytest.raises(TargetsExhausted):
        world.call()
    (row,) = world.rows()
    assert (row.cost_nusd, row.how) == (row.worst_nusd, "worst_case")


def test_what_a_provider_reports_with_its_failure_is_what_it_costs() -> None:
    filtered = Fails(Kind.CONTENT_FILTER, status=400, usage=Usage(input_tokens=10))
    world = World(plan(policy("main", "openai/a")), filtered)
    with pytest.raises(TargetsExhausted):
        world.call()
    assert [row.cost_nusd for row in world.rows()] == [500]


def test_an_attempt_that_gets_no_answer_ends_at_its_timeout() -> None:
    world = World(TWO, {"openai/a": NeverAnswers(), "groq/b": Says("b")})
    slow = replace(TWO.policies["main"], lexical=once(attempt_s=5.0))
    world.plan = replace(TWO, policies={"main": slow})
    assert world.call().target == "groq/b"
    assert world.clock.mono_s() == 5.0
    assert [call.target for call in world.transport.cancelled] == ["openai/a"]
    assert world.rows()[0].how == "worst_case"


def test_the_request_ends_at_its_deadline_with_what_failed() -> None:
    world = World(plan(policy("main", "openai/a", "groq/b", total_s=7.0)), NeverAnswers())
    with pytest.raises(DeadlineExceeded) as caught:
        world.call()
    assert world.clock.mono_s() == pytest.approx(7.0)
    assert [each.kind for each in caught.value.attempts] == [Kind.TIMEOUT, Kind.TIMEOUT]


def test_a_long_call_keeps_its_lease() -> None:
    patient = plan(policy("main", "openai/a", lexical=once(attempt_s=50.0)))
    world = World(patient, Says("late", after_s=45.0))
    assert world.call().text == "late"
    assert [event.until_s - event.at_s for event in world.facts(ev.LeaseRenewed)] == [30.0] * 4


def test_usage_that_no_provider_reported_is_counted() -> None:
    reply = World(TWO, Says("one two three four", unreported=True)).call("hello")
    assert reply.usage == Usage(input_tokens=6, output_tokens=5, reported=False)


def test_a_bill_above_the_reservation_is_recorded_in_full_and_told() -> None:
    world = World(TWO, Says("x", usage=Usage(input_tokens=10**6, output_tokens=10)))
    reply = world.call()
    assert reply.cost_nusd == 10**6 * 50 + 10 * 400
    assert [event.bound_exceeded for event in world.facts(ev.Settled)] == [True]
    assert world.rows()[0].cost_nusd == reply.cost_nusd


# --- Budgets and limits ------------------------------------------------------------------------------------------


def team(amount: int, **fields: Any) -> Any:
    acme = tenant("acme", budgets=(budget("tenant:acme", amount),), **fields)
    return plan(policy("main", "openai/a", lexical=once()), tenants=(acme,))


def test_a_team_is_stopped_by_its_budget_before_anything_is_sent() -> None:
    world = World(team(1_700_000), Says("x", usage=Usage(input_tokens=2, output_tokens=250)))
    assert world.call(tenant="acme").cost_nusd == 100_100
    with pytest.raises(BudgetExceeded) as caught:
        world.call(tenant="acme")
    assert (caught.value.budget, caught.value.available) == ("tenant:acme", 1_599_900)
    assert "`per_day: 1700000` (policies/a.yaml:1:1)" in str(caught.value)
    assert caught.value.resets_at_s is not None
    assert len(world.transport.calls) == 1
    assert world.rows()[0].state == "settled"


def test_a_target_over_budget_is_passed_over_for_a_cheaper_one() -> None:
    tight = budget("provider:openai", 10)
    whole = replace(TWO, providers={**TWO.providers, "openai": provider("openai", budgets=(tight,))})
    world = World(whole, Says("b"))
    assert world.call().target == "groq/b"
    assert [event.target for event in world.facts(ev.ReserveRefused)] == ["openai/a"]


def test_per_request_bounds_the_sum_over_attempts() -> None:
    one = 6 * 50 + 4_096 * 400
    capped = policy("main", "openai/a", "groq/b", budgets=(budget("policy:main", 2 * one - 1, "request"),))
    world = World(plan(capped), NeverAnswers())
    with pytest.raises(TargetsExhausted):
        world.call("hello")
    assert len(world.rows()) == 1


@pytest.mark.parametrize("owner", ["tenant:acme", "user:acme:ann", "provider:openai"])
def test_per_request_holds_whoever_sets_it(owner: str) -> None:
    one = 6 * 50 + 4_096 * 400
    cap = budget(owner.replace("ann", "*"), 2 * one - 1, "request")
    each = (Each(of="user", budgets=(cap,), limits=(), place=PLACE),) if owner.startswith("user") else ()
    acme = tenant("acme", each=each, budgets=(cap,) if owner.startswith("tenant") else ())
    whole = plan(policy("main", "openai/a"), tenants=(acme,))
    if owner.startswith("provider"):
        whole = replace(whole, providers={"openai": provider("openai", budgets=(cap,))})
    world = World(whole, NeverAnswers())
    with pytest.raises(TargetsExhausted) as caught:
        world.call("hello", tenant="acme", user="ann")
    assert [each.kind for each in caught.value.attempts] == [Kind.TIMEOUT, Kind.OVER_BUDGET]
    assert [event.shortfalls[0].split(" has ")[0] for event in world.facts(ev.ReserveRefused)] == [
        f"over budget: `{owner}`"
    ]
    assert len(world.rows()) == 1


def test_a_full_limit_refuses_with_the_time_that_is_enough() -> None:
    limit = Limit(
        owner="tenant:acme",
        unit="requests",
        window_s=60,
        at_most=2,
        place=PLACE,
        text="requests_per_minute: 2",
    )
    world = World(team(10**12, limits=(limit,)), Says("x"))
    world.call(tenant="acme")
    world.call(tenant="acme")
    with pytest.raises(LimitExceeded) as caught:
        world.call(tenant="acme")
    world.clock.advance(caught.value.retry_after_s)
    assert world.call(tenant="acme").text == "x"


def test_concurrency_is_given_back_however_the_call_ends() -> None:
    limit = Limit(
        owner="tenant:acme", unit="concurrent_requests", window_s=0, at_most=1, place=PLACE, text="x"
    )
    world = World(team(10**12, limits=(limit,)), [Fails(Kind.BAD_REQUEST, status=400), Says("x")])
    with pytest.raises(TargetsExhausted):
        world.call(tenant="acme")
    assert world.call(tenant="acme").text == "x"


def test_token_limits_are_reserved_and_corrected() -> None:
    limit = Limit(
        owner="tenant:acme",
        unit="tokens",
        window_s=60,
        at_most=5_000,
        place=PLACE,
        text="tokens_per_minute: 5k",
    )
    world = World(team(10**12, limits=(limit,)), Says("x", usage=Usage(input_tokens=1, output_tokens=1)))
    for _ in range(3):  # each needs about 4100 at worst, and uses 2
        world.call(tenant="acme")
    with pytest.raises(LimitExceeded, match="one attempt at `openai/a` may need"):
        world.call("x" * 2_000, tenant="acme")


# --- Input that does not fit -------------------------------------------------------------------------------------


def test_what_does_not_fit_the_context_is_not_sent() -> None:
    tiny = target("openai/a", context_tokens=10)
    world = World(plan(policy("main", "openai/a", "groq/b"), targets=(tiny,)), Says("b"))
    assert world.call("x" * 100).target == "groq/b"
    assert [(drop.target, drop.reason) for drop in world.facts(ev.CandidateDropped)] == [
        ("openai/a", "context")
    ]


def test_input_that_can_not_be_bounded_is_refused_under_a_hard_budget() -> None:
    world = World(team(10**12), Says("x"))
    with pytest.raises(NoRoute, match="can't be bounded"):
        world.call(tenant="acme", params={"web_search_options": {}})
    world.plan = plan(policy("main", "openai/a"))
    assert world.call(params={"web_search_options": {}}).text == "x"


def test_a_budget_of_the_provider_is_as_hard_as_any() -> None:
    invoice = provider("openai", budgets=(budget("provider:openai", 10**12),))
    world = World(replace(plan(policy("main", "openai/a")), providers={"openai": invoice}), Says("x"))
    with pytest.raises(NoRoute, match="can't be bounded"):
        world.call(params={"web_search_options": {}})


def test_each_target_counts_the_input_that_it_is_sent() -> None:
    searching = replace(entry("groq/b"), params={"web_search_options": {}})
    acme = tenant("acme", budgets=(budget("tenant:acme", 10**12),))
    world = World(
        plan(policy("main", "openai/a", searching, lexical=once()), tenants=(acme,)), Fails(Kind.OVERLOADED)
    )
    with pytest.raises(TargetsExhausted):
        world.call(tenant="acme")
    assert [(drop.target, drop.reason) for drop in world.facts(ev.CandidateDropped)] == [
        ("groq/b", "unbounded_input")
    ]


def test_an_unknown_price_has_no_cost_and_no_place_under_a_budget() -> None:
    odd = target("openai/a", prices=None)
    world = World(plan(policy("main", "openai/a"), targets=(odd,)), Says("x"))
    assert world.call().cost_usd is None
    world.plan = replace(world.plan, tenants=team(10).tenants)
    with pytest.raises(NoRoute, match="its price is unknown"):
        world.call(tenant="acme")


def test_a_rejecting_rule_costs_nothing() -> None:
    rule = Rule(
        name="short", when=(Condition(field="input_tokens", over=5),), reject="keep it short", place=PLACE
    )
    world = World(plan(policy("main", "openai/a", rules=(rule,))), Says("x"))
    with pytest.raises(NoRoute, match="policy `main` rejects this request: keep it short"):
        world.call("x" * 100)
    assert world.rows() == []


# --- Soft failures and the cache ---------------------------------------------------------------------------------

CUT = Says("half an ans", finish_reason="length")


def test_a_cut_answer_is_an_answer_that_says_so() -> None:
    reply = World(TWO, CUT).call()
    assert (reply.text, reply.truncated) == ("half an ans", True)


def test_a_policy_may_fall_back_on_cut_answers() -> None:
    cutting = policy(
        "main", "openai/a", "groq/b", lexical=once(fall_back_on=DEFAULT_FALL_BACK_ON | {Kind.TRUNCATED})
    )
    world = World(plan(cutting), {"openai/a": CUT, "groq/b": Says("whole")})
    assert world.call().text == "whole"
    both = World(plan(cutting), CUT)
    assert (both.call().target, both.targets()) == ("openai/a", ["openai/a", "groq/b"])


CACHED = plan(policy("main", "openai/a", cache=CacheRule(ttl_s=60, sampled=True)))


def test_a_repeated_question_is_answered_from_the_cache_and_costs_nothing() -> None:
    world = World(CACHED, [Says("first"), Says("second")])
    first, again = world.call(), world.call()
    assert (again.text, again.cached, again.cost_nusd, again.target) == ("first", True, 0, first.target)
    assert again.usage == first.usage
    assert len(world.rows()) == 1
    world.clock.advance(60)
    assert world.call().text == "second"


def test_the_lifetime_is_todays_policys() -> None:
    world = World(CACHED, [Says("first"), Says("second")])
    world.call()
    world.clock.advance(30)
    shorter = policy("main", "openai/a", cache=CacheRule(ttl_s=10, sampled=True))
    world.plan = replace(CACHED, policies={"main": shorter})
    assert world.call().text == "second"


@pytest.mark.parametrize("says", [CUT, Says("", finish_reason="content_filter")])
def test_a_cut_or_filtered_answer_is_never_stored(says: Says) -> None:
    world = World(CACHED, [says, Says("whole")])
    world.call()
    assert world.call().text == "whole"


def test_sampled_answers_are_cached_only_where_the_policy_says_so() -> None:
    fixed = plan(policy("main", "openai/a", cache=CacheRule(ttl_s=60)))
    world = World(fixed, [Says("1"), Says("2"), Says("3")])
    assert [world.call().text, world.call().text] == ["1", "2"]
    assert [world.call(params={"temperature": 0}).text for _ in range(2)] == ["3", "3"]


class Broken:
    """A cache that can't answer."""

    suspends = False

    async def get(self, key: str) -> None:
        raise StoreError("disk on fire", port="cache")

    async def put(self, key: str, entry: object, *, ttl_s: float) -> None:
        raise StoreError("disk on fire", port="cache")

    async def aclose(self) -> None: ...


def test_a_broken_cache_fails_no_request() -> None:
    world = World(CACHED, Says("x"))
    world.ports = replace(world.ports, cache=Broken())
    assert world.call().text == "x"
    assert [event.why for event in world.facts(ev.CacheMissed)] == ["store_error"]
    assert [event.why for event in world.facts(ev.CacheSkipped)] == ["store_error"]


def test_a_sink_that_fails_fails_no_request(caplog: pytest.LogCaptureFixture) -> None:
    def broken(event: ev.Event) -> None:
        raise RuntimeError("no")

    world = World(TWO, Says("x"))
    world.ports = replace(world.ports, sinks=(broken, world.seen.append))
    assert world.call().text == "x"
    assert world.facts(ev.RequestAnswered)
    assert "failed on RequestStarted" in caplog.text


def test_a_second_key_is_tried_at_once() -> None:
    keys = tuple(
        Key(name=name, secret=SecretRef(source="env", name=name, place=PLACE)) for name in ("K1", "K2")
    )
    whole = replace(TWO, providers={**TWO.providers, "openai": provider("openai", keys=keys)})
    world = World(whole, [Fails(Kind.AUTH, status=401), Says("second key")])
    assert world.call().text == "second key"
    assert [event.key for event in world.facts(ev.AttemptSent)] == ["K1", "K2"]
    assert world.clock.mono_s() == 0.0
    world.call()  # K1 is cooling now, so K2 comes first
    assert world.facts(ev.AttemptSent)[-1].key == "K2"


def test_an_entry_point_knows_its_own_target_params() -> None:
    own = replace(entry("openai/a"), params={"top_p": 0.5})
    world = World(plan(policy("main", own)), Says("x"))
    world.call(params={"seed": 3, "max_tokens": 9})
    assert world.transport.calls[0].params == {"top_p": 0.5, "seed": 3, "max_tokens": 9}


def test_an_allowance_lets_input_in_that_can_not_be_bounded_and_is_reserved_only_for_it() -> None:
    allowed = policy("main", "openai/a", ceiling=Ceiling(added_cost_nusd=5_000_000), lexical=once())
    acme = tenant("acme", budgets=(budget("tenant:acme", 10**12),))
    world = World(plan(allowed, tenants=(acme,)), Says("x"))
    world.call(tenant="acme")
    world.call(tenant="acme", params={"web_search_options": {}})
    plain, searching = (event.worst_nusd for event in world.facts(ev.Reserved))
    assert searching == plain + 5_000_000


FOR_AN_HOUR: dict[str, Any] = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}


def hourly(ausd: int | None) -> PriceTable:
    tier = replace(price().tiers[0], cache_write_1h_ausd=ausd)
    return replace(price(), tiers=(tier,))


def test_a_cache_of_an_hour_is_reserved_at_its_price_by_who_asks_for_one() -> None:
    acme = tenant(
        "acme", budgets=(budget("tenant:acme", 10**12), replace(budget("tenant:acme", 10**6), unit="tokens"))
    )
    known = target("openai/a", prices=hourly(10**12))
    world = World(
        plan(policy("main", "openai/a", lexical=once()), tenants=(acme,), targets=(known,)), Says("x")
    )
    world.call("x" * 99, tenant="acme")
    world.call("x" * 99, tenant="acme", params=FOR_AN_HOUR)
    plain, hour = (event.worst_nusd for event in world.facts(ev.Reserved))
    assert hour - plain == 100 * (1000 - 50)
    assert hour <= policy_bounds(world.plan, world.plan.policies["main"])[0].cost_nusd  # type: ignore[operator]


@pytest.mark.parametrize("allowance", [None, 5_000_000])
def test_a_cache_of_an_hour_without_a_price_needs_an_allowance(allowance: int | None) -> None:
    acme = tenant("acme", budgets=(budget("tenant:acme", 10**12),))
    main = policy("main", "openai/a", ceiling=Ceiling(added_cost_nusd=allowance), lexical=once())
    world = World(plan(main, tenants=(acme,), targets=(target("openai/a", prices=hourly(None)),)), Says("x"))
    world.call(tenant="acme")
    if allowance is None:
        with pytest.raises(NoRoute, match="a cache written for 1h"):
            world.call(tenant="acme", params=FOR_AN_HOUR)
        return
    world.call(tenant="acme", params=FOR_AN_HOUR)
    plain, hour = (event.worst_nusd for event in world.facts(ev.Reserved))
    assert hour == plain + allowance


def test_a_provider_without_its_address_is_not_called_at_another() -> None:
    class Live(ScriptedTransport):
        needs_keys = True

    url = SecretRef(source="env", name="GATEWAY_URL", place=PLACE)
    key = Key(name="K", secret=SecretRef(source="env", name="K", place=PLACE))
    whole = replace(TWO, providers={**TWO.providers, "openai": provider("openai", base_url=url, keys=(key,))})
    world = World(whole)
    world.transport = Live(Says("x"), clock=world.clock)
    secrets = EnvSecrets({"K": "sk-1", "GROQ_API_KEY": "sk-2"})
    world.ports = replace(world.ports, transport=world.transport, secrets=secrets)
    assert world.call().target == "groq/b"
    assert world.facts(ev.CandidateDropped)[0].detail.startswith("variable `GATEWAY_URL` is not set")


def test_a_wire_that_takes_too_long_to_load_is_named() -> None:
    class Loading(ScriptedTransport):
        async def ready(self, timeout_s: float) -> bool:
            await self._clock.sleep(timeout_s)
            return False

    world = World(TWO)
    world.ports = replace(world.ports, transport=Loading(Says("x"), clock=world.clock))
    with pytest.raises(DeadlineExceeded, match="while the wire library was still loading; nothing was sent"):
        world.call(timeout_s=2.0)
    assert world.rows() == []


def test_a_price_that_begins_above_some_size_is_not_free() -> None:
    free, paid = price(0, 0).tiers[0], replace(price().tiers[0], above_tokens=1_000)
    tiers = target("openai/a", prices=PriceTable(tiers=(free, paid)))
    acme = tenant("acme", budgets=(budget("tenant:acme", 10**12),))
    world = World(plan(policy("main", "openai/a"), targets=(tiers,), tenants=(acme,)), Says("x"))
    with pytest.raises(NoRoute, match="can't be bounded"):
        world.call(tenant="acme", params={"web_search_options": {}})
