"""`usage`: every figure is the ledger's."""

from dataclasses import replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from router.adapters.clocks import ManualClock
from router.adapters.scripted_transport import Fails, Says, ScriptedTransport
from router.books.since import start_of_day_s
from router.books.spends import KEYS, MOST_STEPS, spend_of, steps_of, table_of
from router.books.usage import Report, usage
from router.client import Router
from router.client.inline import run_inline
from router.decide.windows import window_start
from router.errors import RequestError, RouterError
from router.tools.plain import plain
from router.tools.usage_csv import table_csv
from router.values import Kind, Usage
from tests.tools.rows import row

DAY_S = 86_400.0

POLICIES: dict[str, Any] = {
    "version": 1,
    "settings": {"time_zone": "Europe/Berlin"},
    "providers": {"openai": {"budget": {"per_month": "$100"}}, "anthropic": {}},
    "policies": {
        "main": {
            "targets": ["openai/gpt-5-nano", "anthropic/claude-haiku-4-5"],
            "ceiling": {"input_tokens": "3k", "output_tokens": 300},
            "retry": "off",
            "budget": {"per_request": "$1", "per_day": "$1"},
        },
        "side": {
            "targets": ["anthropic/claude-haiku-4-5"],
            "ceiling": {"output_tokens": 300},
            "retry": "off",
        },
    },
    "tenants": {
        "acme": {
            "policies": "all",
            "budget": {"per_month": "$5"},
            "each": {"child": {"budget": {"per_day": "$3"}}},
        },
        "acme/deep": {
            "limits": {"requests_per_minute": 9},
            "each": {"user": {"budget": {"per_day": "$2"}, "limits": {"tokens_per_minute": "20k"}}},
        },
        "zeta": {"policies": "all"},
    },
}

NANO = Says("ok", usage=Usage(input_tokens=1_000, output_tokens=100))
NANO_NUSD = 1_000 * 50 + 100 * 400
HAIKU = Says("ok", usage=Usage(input_tokens=1_000, output_tokens=100))
HAIKU_NUSD = 1_000 * 1_000 + 100 * 5_000


@pytest.fixture
def clock():
    return ManualClock(now_s=1_795_000_000.0)


@pytest.fixture
def router(clock):
    script = {
        "openai/gpt-5-nano": [NANO, Fails(Kind.SERVER_ERROR), Fails(Kind.TIMEOUT), NANO],
        "anthropic/claude-haiku-4-5": HAIKU,
    }
    transport = ScriptedTransport(script, clock=clock)
    with Router.open(POLICIES, state="memory", cache="memory", clock=clock, transport=transport) as opened:
        yield opened


def ask(router: Router, **who: Any) -> None:
    try:
        router.complete("Hello", **{"policy": "main", "tenant": "acme/deep", "user": "ann", **who})
    except RouterError:
        pytest.fail("this call was meant to be answered")


def told(router: Router, *, ago_s: float = DAY_S, **choices: Any) -> Report:
    return router.usage(since=router.ports.clock.now_s() - ago_s, **choices)


def rows(router: Router) -> Any:
    return run_inline(router.ports.ledger.rows())


def test_nothing_yet(router):
    report = told(router, by=("tenant",))
    assert (report.total.attempts, report.total.spent_nusd) == (0, 0)
    assert report.tables[0].groups == ()
    assert {each.settled for each in report.budgets} == {0}


def test_the_total_is_that_of_the_rows(router):
    for _ in range(3):
        ask(router)
    total = told(router).total
    assert (total.requests, total.attempts, total.failed) == (3, 5, 2)
    assert total.spent_nusd == sum(row.cost_nusd for row in rows(router))
    assert (total.input_tokens, total.output_tokens) == (3_000, 300)
    lost = [row.cost_nusd for row in rows(router) if row.how == "worst_case"]
    assert len(lost) == 2  # both failures may have been billed
    assert total.assumed_nusd == sum(lost) > 0
    assert total.spent_nusd == NANO_NUSD + 2 * HAIKU_NUSD + total.assumed_nusd


@pytest.mark.parametrize("words", [(word,) for word in KEYS] + [("tenant", "model"), ("user", "window")])
def test_every_grouping_adds_up(router, words):
    ask(router)
    ask(router, user="bob")
    ask(router, tenant="zeta", user=None, policy="side")
    report = told(router, by=words)
    (table,) = report.tables
    assert table.by == words
    assert {len(group.values) for group in table.groups} == {len(words)}
    for name in ("attempts", "failed", "input_tokens", "output_tokens", "spent_nusd", "assumed_nusd"):
        assert sum(getattr(group.spend, name) for group in table.groups) == getattr(report.total, name)


def test_groups_are_named_and_the_dearest_comes_first(router):
    ask(router)
    ask(router, tenant="zeta", user=None, policy="side")
    (tenants,), (models,) = (told(router, by=by).tables for by in (["tenant"], ["provider", "model"]))
    assert [group.values for group in tenants.groups] == [("zeta",), ("acme/deep",)]
    assert [group.values for group in models.groups] == [
        ("anthropic", "anthropic/claude-haiku-4-5"),
        ("openai", "openai/gpt-5-nano"),
    ]
    assert models.groups[1].spend.spent_nusd == NANO_NUSD


def test_windows_are_of_the_local_calendar_and_in_time(router, clock):
    ask(router)
    clock.advance(DAY_S)
    ask(router, policy="side")
    (table,) = told(router, by=("window",), ago_s=3 * DAY_S).tables
    assert [group.values for group in table.groups] == [("2026-11-18",), ("2026-11-19",)]
    (table,) = told(router, by=("window",), ago_s=3 * DAY_S, window="month").tables
    assert [group.values for group in table.groups] == [("2026-11",)]


def test_since_leaves_out_what_is_older(router, clock):
    ask(router)
    clock.advance(100)
    ask(router, policy="side")
    assert told(router, ago_s=50).total.spent_nusd == HAIKU_NUSD
    assert told(router, ago_s=150).total.requests == 2


def test_a_tenant_sees_itself_and_what_is_below(router):
    ask(router)
    ask(router, tenant="zeta", user=None, policy="side")
    report = told(router, tenant="acme")
    assert report.total.spent_nusd == NANO_NUSD
    assert {each.owner.split(":")[1].split("/")[0] for each in report.budgets} == {"acme"}
    assert told(router, tenant="zeta").total.spent_nusd == HAIKU_NUSD
    with pytest.raises(RouterError, match="unknown tenant `zet`"):  # a path is no prefix of a name
        told(router, tenant="zet")


def test_budgets_are_what_the_ledger_holds(router):
    ask(router)
    budgets = {(each.owner, each.window): each for each in told(router).budgets}
    assert set(budgets) == {
        ("tenant:acme", "month"),
        ("child:acme:deep", "day"),
        ("user:acme/deep:ann", "day"),
        ("policy:main", "day"),
        ("provider:openai", "month"),
    }
    for each in budgets.values():
        assert each.settled == NANO_NUSD
        assert each.left == each.amount - NANO_NUSD
        assert each.resets_at_s is not None
        assert each.resets_at_s > router.ports.clock.now_s()


def test_a_bucket_of_an_older_window_is_gone(router, clock):
    ask(router)
    clock.advance(DAY_S)
    owners = {each.owner: each.settled for each in told(router, ago_s=9 * DAY_S).budgets}
    assert "user:acme/deep:ann" not in owners
    assert owners["policy:main"] == 0
    assert owners["tenant:acme"] == NANO_NUSD


def test_a_bucket_is_found_whatever_since_says(router, clock):
    ask(router)
    clock.advance(3_600)
    assert "user:acme/deep:ann" in {each.owner for each in told(router, ago_s=1).budgets}


def test_limits_are_what_their_windows_hold(router, clock):
    ask(router)
    ask(router, policy="side", user="bob")
    limits = {each.owner: (each.used, each.left) for each in told(router).limits}
    assert limits == {
        "tenant:acme/deep": (2, 7),
        "user:acme/deep:ann": (1_100, 18_900),
        "user:acme/deep:bob": (1_100, 18_900),
    }
    clock.advance(600)
    assert {each.owner: each.used for each in told(router).limits} == {"tenant:acme/deep": 0}


def test_limits_of_policies_providers_models_and_keys_are_shown_to_those_who_ask_for_all(clock):
    nano = {"gpt-5-nano": {"limits": {"tokens_per_hour": "9k"}}}
    keys = [
        {"env": "A", "limits": {"requests_per_hour": 1}},
        {"env": "B", "limits": {"requests_per_hour": 5}},
    ]
    openai = {"models": nano, "keys": keys, "limits": {"requests_per_hour": 8, "concurrent_requests": 2}}
    main = {**POLICIES["policies"]["main"], "limits": {"requests_per_minute": 7}}
    text = {
        **POLICIES,
        "providers": {**POLICIES["providers"], "openai": openai},
        "policies": {**POLICIES["policies"], "main": main},
    }
    transport = ScriptedTransport(NANO, clock=clock)
    with Router.open(text, state="memory", cache="memory", clock=clock, transport=transport) as router:
        ask(router)
        ask(router)
        shown = {(each.owner, each.unit): (each.used, each.left) for each in told(router).limits}
        assert shown["policy:main", "requests"] == (2, 5)
        assert shown["provider:openai", "requests"] == (2, 6)
        assert shown["provider:openai", "concurrent_requests"] == (0, 2)
        assert shown["model:openai/gpt-5-nano", "tokens"] == (2_200, 6_800)
        assert shown["key:openai/A", "requests"] == (1, 0)
        assert shown["key:openai/B", "requests"] == (1, 4)
        of_one = {each.owner for each in told(router, tenant="acme/deep").limits}
        assert of_one == {"tenant:acme/deep", "user:acme/deep:ann"}


def test_a_call_under_way_is_held_and_not_spent(clock):
    held: list[Report] = []

    def script(call):
        held.append(told(router))
        return NANO

    transport = ScriptedTransport(script, clock=clock)
    with Router.open(POLICIES, state="memory", cache="memory", clock=clock, transport=transport) as router:
        ask(router)
        (during,), after = held, told(router).total
    assert (during.total.spent_nusd, during.total.attempts) == (0, 1)
    assert during.total.held_nusd > 0
    assert {each.reserved for each in during.budgets} == {during.total.held_nusd}
    assert (after.spent_nusd, after.held_nusd) == (NANO_NUSD, 0)


def test_a_day_starts_at_local_midnight():
    from zoneinfo import ZoneInfo

    berlin, utc = (start_of_day_s("2026-11-21", ZoneInfo(zone)) for zone in ("Europe/Berlin", "UTC"))
    assert berlin == utc - 3_600


def told_of(router: Router, tenant: str) -> list[tuple[str, str, int]]:
    report = router.usage(since=0.0, tenant=tenant)
    return [(each.owner, each.window, each.settled) for each in report.budgets]


def test_a_tenant_is_told_what_holds_for_it_and_what_is_left_of_it(router) -> None:
    """Its own budgets, its bucket as a child, and those of every tenant above it."""
    router.complete("Hello", policy="main", tenant="acme/deep", user="ann")
    assert told_of(router, "acme/deep") == [
        ("tenant:acme", "month", NANO_NUSD),
        ("child:acme:deep", "day", NANO_NUSD),
        ("user:acme/deep:ann", "day", NANO_NUSD),
    ]
    assert told_of(router, "acme/new") == [("tenant:acme", "month", NANO_NUSD), ("child:acme:new", "day", 0)]
    assert told_of(router, "zeta") == []


def test_a_tenant_that_nobody_knows_is_a_mistake(router) -> None:
    with pytest.raises(RouterError, match=r"unknown tenant `zetta` \(did you mean `zeta`\?\)"):
        told_of(router, "zetta")


RENAMED: dict[str, Any] = {
    **POLICIES,
    "providers": {**POLICIES["providers"], "claude": {"kind": "anthropic", "was": "anthropic"}},
    "policies": {
        "fast": {
            **POLICIES["policies"]["main"],
            "was": "main",
            "targets": ["openai/gpt-5-nano", "claude/claude-haiku-4-5"],
        }
    },
    "tenants": {
        "company": {**POLICIES["tenants"]["acme"], "was": "acme"},
        "company/core": {**POLICIES["tenants"]["acme/deep"], "was": "acme/deep"},
    },
}
del RENAMED["providers"]["anthropic"]


def test_what_was_renamed_is_found_under_its_present_name(router: Router, clock: ManualClock) -> None:
    for _ in range(4):
        ask(router)
    before = told(router)
    with Router.open(RENAMED, state="memory", cache="memory", clock=clock) as opened:
        ports = replace(opened.ports, ledger=router.ports.ledger, limiter=router.ports.limiter)
        by = ("tenant", "policy", "provider")
        report = run_inline(usage(opened.plan, ports, since="1d", by=by, tenant="company/core"))
    assert report.total == before.total
    assert {group.values for table in report.tables for group in table.groups} == {
        ("company/core", "fast", provider) for provider in ("openai", "claude")
    }
    found = {each.owner: each.settled for each in report.budgets}
    spent = before.total.spent_nusd
    assert found == {
        "tenant:company": spent,
        "child:company:core": spent,
        "user:company/core:ann": spent,
    }
    assert {each.owner for each in report.limits} == {"tenant:company/core", "user:company/core:ann"}


def test_budgets_in_shadow_and_rolling_ones_are_told_as_such(clock):
    """Of a rolling one what its window holds; of one in shadow also what is above its amount."""
    policies = {
        "version": 1,
        "providers": {"openai": {}},
        "policies": {
            "main": {
                "targets": ["openai/gpt-5-nano"],
                "ceiling": {"input_tokens": "3k", "output_tokens": 300},
                "budget": {"per_day": {"at_most": "$0.000001", "enforce": "shadow"}},
            }
        },
        "tenants": {
            "acme": {
                "policies": "all",
                "budget": {"per_day": {"at_most": "$1", "rolling": True}, "per_hour": "$1"},
                "each": {"session": {"budget": {"rolling": True, "tokens_per_hour": "5k"}}},
            }
        },
    }
    wire = ScriptedTransport(NANO, clock=clock)
    router = Router.open(policies, state="memory", cache="memory", clock=clock, transport=wire)

    def now() -> dict[tuple[str, str], Any]:
        return {(each.owner, each.window): each for each in told(router).budgets}

    with router:
        router.complete("Hi", policy="main", tenant="acme", session="s1")
        clock.advance(3_000)
        router.complete("Hi", policy="main", tenant="acme", session="s1")
        found = now()
        shadow, rolling = found["policy:main", "day"], found["tenant:acme", "day"]
        assert (shadow.shadow, shadow.settled, shadow.left) == (True, 2 * NANO_NUSD, 1_000 - 2 * NANO_NUSD)
        assert (rolling.rolling, rolling.settled, rolling.resets_at_s) == (True, 2 * NANO_NUSD, None)
        assert found["session:acme:s1", "hour"].settled == 2 * 1_100
        clock.advance(661)  # an hour after the first, and a sixtieth
        assert now()["session:acme:s1", "hour"].settled == 1_100
        clock.advance(86_400 * 61 / 60)
        assert ("session:acme:s1", "hour") not in now()
        assert now()["tenant:acme", "day"].settled == 0


# --- Keys, tags and days ----------------------------------------------------------------------------------------------


def test_by_key_day_and_tag(router, clock) -> None:
    ask(router, tags=["batch", "vip"])
    clock.advance(DAY_S)
    ask(router, policy="side", tags=["vip", "vip"])
    ask(router, policy="side")
    by_tag, by_key, by_day = (
        told(router, ago_s=3 * DAY_S, by=[word]).tables[0] for word in ("tag", "key", "day")
    )
    spends = {group.values: (group.spend.requests, group.spend.spent_nusd) for group in by_tag.groups}
    assert spends == {
        ("batch",): (1, NANO_NUSD),
        ("vip",): (2, NANO_NUSD + HAIKU_NUSD),
        (None,): (1, HAIKU_NUSD),
    }
    assert (by_tag.overlaps, by_key.overlaps, by_day.overlaps) == (True, False, False)
    assert {group.values for group in by_key.groups} == {("OPENAI_API_KEY",), ("ANTHROPIC_API_KEY",)}
    assert [group.values for group in by_day.groups] == [("2026-11-18",), ("2026-11-19",)]


def test_a_tag_that_looks_like_none_is_a_group_of_its_own(router) -> None:
    ask(router, tags=["-"])
    ask(router, policy="side")
    report = told(router, by=["tag", "policy"])
    (table,) = report.tables
    assert [group.values for group in table.groups] == [(None, "side"), ("-", "main")]
    assert table_csv(table).splitlines()[1].startswith(",side,")
    assert [group["values"] for group in plain(report)["tables"][0]["groups"]] == [
        [None, "side"],
        ["-", "main"],
    ]


@pytest.mark.parametrize("since", ["2026-11-19", 1e11, datetime(2027, 1, 1)])
def test_nothing_is_told_of_what_is_to_come(router, since) -> None:
    with pytest.raises(RequestError, match="`since` is in the future") as refused:
        router.usage(since=since)
    assert refused.value.help == "a day that has begun, or how long ago: `7d`"
    for report in (router.advise, router.export):
        with pytest.raises(RequestError, match="in the future"):
            report(since=since)


def test_spend_over_time_is_that_of_each_window_and_comes_to_the_whole(router, clock) -> None:
    ask(router)
    clock.advance(2 * DAY_S)
    ask(router, policy="side")
    report = told(router, ago_s=3 * DAY_S, by=["tenant"])
    (group,) = report.tables[0].groups
    assert report.step == "day"
    assert report.steps == ("2026-11-17", "2026-11-18", "2026-11-19", "2026-11-20")
    assert group.over_time == (0, NANO_NUSD, 0, HAIKU_NUSD)
    assert sum(group.over_time) == group.spend.spent_nusd


PERIODS = [(0.5, "hour"), (2, "hour"), (7, "day"), (60, "day"), (90, "week"), (700, "month")]


@pytest.mark.parametrize(("days", "step"), PERIODS)
def test_the_steps_of_a_period_are_few_enough_and_reach_to_now(days: float, step: str) -> None:
    now_s, zone = 1_795_000_000.0, ZoneInfo("Europe/Berlin")
    found, keys = steps_of(now_s - days * DAY_S, now_s, zone)
    assert found == step
    assert len(keys) == len(set(keys)) <= MOST_STEPS + 1
    assert keys[0] == window_start(step, now_s - days * DAY_S, zone)[0]
    assert keys[-1] == window_start(step, now_s, zone)[0]


def test_a_period_of_many_years_shows_the_last_months() -> None:
    step, keys = steps_of(0.0, 1_795_000_000.0, ZoneInfo("UTC"))
    assert (step, keys[-1]) == ("month", "2026-11")
    assert len(keys) <= MOST_STEPS + 2


def test_what_was_assumed_held_or_above_its_bound_is_told_apart() -> None:
    rows = [
        row(1.0, 100),
        row(1.0, 100, worst_nusd=60),
        row(1.0, 40, state="expired", usage=None, how=None),
        row(1.0, 30, how="worst_case", usage=None, kind="timeout"),
        row(1.0, 7, state="sent", usage=None, how=None),
    ]
    spend = spend_of(rows)
    assert (spend.spent_nusd, spend.assumed_nusd, spend.held_nusd) == (270, 70, 7)
    assert (spend.overruns, spend.overrun_nusd) == (1, 40)
    table = table_of(rows, ("tenant",), "day", ZoneInfo("UTC"), step="day", steps=("1970-01-01",))
    assert table.groups[0].over_time == (270,)


def test_budgets_say_which_shares_are_past(clock):
    """Of what is settled; what is reserved reaches nothing."""
    amount = f"${2 * NANO_NUSD / 1e9:.9f}"
    source = {
        **POLICIES,
        "tenants": {"acme": {"policies": "all", "budget": {"per_month": amount, "warn_at": ["50%", "80%"]}}},
    }
    transport = ScriptedTransport({"openai/gpt-5-nano": NANO}, clock=clock)
    with Router.open(source, state="memory", cache="memory", clock=clock, transport=transport) as opened:
        opened.complete("Hello", policy="main", tenant="acme")
        (found,) = [each for each in told(opened, tenant="acme").budgets if each.owner == "tenant:acme"]
    assert (found.warn_at, found.reached, found.settled) == ((50.0, 80.0), (50.0,), NANO_NUSD)
