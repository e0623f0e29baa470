"""What `explain` tells is what a call does: it is compared with real runs, over the same state."""

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router import events as ev
from router.adapters.clocks import ManualClock
from router.adapters.scripted_transport import Fails, Says, ScriptedTransport
from router.client import Router
from router.client.calls import build_request
from router.client.inline import run_inline
from router.errors import RouterError
from router.tools.explain import Explanation, explain
from router.tools.reading import asked
from router.values import Kind, Usage

SPENT = {"of": "tenant", "window": "per_day", "over": "50%"}

POLICIES: dict[str, Any] = {
    "version": 1,
    "providers": {
        "openai": {"budget": {"per_month": "$100"}},
        "anthropic": {},
        "home": {
            "kind": "hosted_vllm",
            "base_url": "http://localhost:1",
            "price": "free",
            "models": {"m": {"context": "4k"}},
        },
    },
    "policies": {
        "main": {
            "targets": ["openai/gpt-5-nano", "anthropic/claude-haiku-4-5", {"policy": "spare"}],
            "rules": [
                {
                    "name": "long",
                    "when": {"input_tokens": {"over": 500}},
                    "targets": ["openai/gpt-5-mini", "home/m"],
                },
                {"name": "tagged", "when": {"tag": ["odd"]}, "policy": "spare"},
                {"name": "spent", "when": {"budget_used": SPENT}, "reject": "half of it is spent"},
            ],
            "ceiling": {"input_tokens": "3k", "output_tokens": 300},
            "retry": {"attempts": 2, "base": "10ms", "max": "20ms"},
            "timeout": {"total": "20s", "attempt": "2s"},
            "budget": {"per_request": "$0.01", "per_day": "$1"},
        },
        "spare": {
            "targets": ["openai/gpt-5-nano", "openai/gpt-4.1-nano", "home/m"],
            "ceiling": {"output_tokens": 100},
            "retry": "off",
            "params": {"n": 2},
        },
    },
    "tenants": {
        "acme": {"policies": "all", "budget": {"per_day": "$0.004"}, "limits": {"requests_per_minute": 3}},
        "acme/deep": {
            "each": {"user": {"budget": {"per_day": "$0.001"}, "limits": {"tokens_per_minute": "2k"}}}
        },
        "acme/poor": {"budget": {"per_day": "$0.00005"}},
    },
}


@pytest.fixture(autouse=True)
def _no_keys_needed(monkeypatch):
    monkeypatch.setenv("ROUTER_TRANSPORT", "fake")


def opened(
    script: Any = None, policies: dict[str, Any] = POLICIES, clock: ManualClock | None = None
) -> Router:
    clock = clock or ManualClock()
    transport = ScriptedTransport(clock=clock) if script is None else ScriptedTransport(script, clock=clock)
    return Router.open(policies, state="memory", cache="memory", clock=clock, transport=transport)


def explained(
    router: Router, prompt: str | None, policy: str = "main", *, params: Any = None, **who: Any
) -> Explanation:
    messages = () if prompt is None else ({"role": "user", "content": prompt},)
    request = asked(router, messages, policy=policy, params=params or {}, **who)
    return run_inline(explain(router.plan, router.ports, request))


def ran(
    router: Router, prompt: str, policy: str = "main", *, params: Any = None, **who: Any
) -> tuple[list[ev.Event], RouterError | None]:
    """The events of a real call, and the error it ended in."""
    seen: list[ev.Event] = []
    listening = Router(router.plan, (), replace(router.ports, sinks=(seen.append,)))
    try:
        listening.complete(prompt, policy=policy, **who, **(params or {}))
    except RouterError as error:
        return seen, error
    return seen, None


def of(kind: type, events: list[ev.Event]) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


CALLERS = st.sampled_from(
    [
        {"tenant": "acme"},
        {"tenant": "acme/deep", "user": "ann"},
        {"tenant": "acme/deep"},
        {"tenant": "acme/poor"},
        {"tenant": "nobody"},
        {"tenant": "acme", "tags": ("odd",)},
        {"tenant": "acme", "only": ("anthropic/claude-haiku-4-5",)},
        {"tenant": "acme", "prefer": ("home/m", "openai/gpt-5-mini")},
        {"tenant": "acme", "only": ("openai/none",)},
    ]
)
PROMPTS = st.sampled_from(["Hello", "word " * 300, "word " * 700, "word " * 2_500, "word " * 9_000])
TOOL = {"type": "function", "function": {"name": "f"}}
PARAMS = st.sampled_from([{}, {"max_tokens": 10}, {"n": 2}, {"tools": [TOOL]}])
POLICY = st.sampled_from(["main", "spare"])


@settings(max_examples=40, deadline=None)
@given(who=CALLERS, prompt=PROMPTS, params=PARAMS, policy=POLICY, before=st.integers(0, 3))
def test_what_is_told_is_what_happens(who, prompt, params, policy, before):
    """The list, each drop, each worst case, the refusal, and whether anything is sent: as in the run that follows."""
    with opened(Fails(Kind.SERVER_ERROR, status=500)) as router:
        for _ in range(before):  # money and requests are used up on the way
            ran(router, "word " * 100, tenant="acme")
        told = explained(router, prompt, policy, params=params, **who)
        events, error = ran(router, prompt, policy, params=params, **who)
        assert error is not None
        routed = [event.targets for event in of(ev.Routed, events)]
        assert routed == ([tuple(offer.target for offer in told.offers)] if told.offers else [])
        dropped = [(each.target, each.reason, each.detail) for each in of(ev.CandidateDropped, events)]
        assert dropped == [(each.target, each.reason, each.detail) for each in told.dropped]
        offers = {offer.target: offer for offer in told.offers}
        for event in of(ev.Reserved, events):
            offer = offers[event.target]
            assert (event.input_tokens, event.output_tokens) == (offer.input_bound, offer.output_bound)
            assert event.worst_nusd == offer.worst_nusd
        if told.refusal is not None:
            assert (type(error).__name__, error.message, error.help) == (
                told.refusal.type,
                told.refusal.message,
                told.refusal.help,
            )
        assert told.passes is bool(of(ev.AttemptSent, events))


@settings(max_examples=30, deadline=None)
@given(who=CALLERS, prompt=PROMPTS)
def test_no_run_reserves_more_or_lasts_longer_than_told(who, prompt):
    with opened(Fails(Kind.TIMEOUT, after_s=1.9)) as router:
        told = explained(router, prompt, **who)
        started_s = router.ports.clock.mono_s()
        events, _ = ran(router, prompt, **who)
        reserved = sum(event.worst_nusd for event in of(ev.Reserved, events))
        lasted_s = router.ports.clock.mono_s() - started_s
        dearest = max((bound.cost_nusd for bound in told.branches if bound.cost_nusd is not None), default=0)
        assert reserved <= dearest
        if told.this_call is not None:
            assert told.this_call.cost_nusd is not None
            assert reserved <= told.this_call.cost_nusd <= dearest
            assert lasted_s <= told.this_call.seconds


def test_explaining_changes_nothing():
    with opened() as router:
        for prompt in (None, "Hello", "word " * 700):
            explained(router, prompt, tenant="acme/deep", user="ann")
        assert list(run_inline(router.ports.ledger.rows())) == []
        told = explained(router, "Hello", tenant="acme/deep", user="ann")
        assert {each.settled + each.reserved for each in told.budgets} == {0}
        assert {each.used for each in told.limits} == {0}


def test_balances_are_those_of_the_rows():
    usage = Usage(input_tokens=100, output_tokens=50)
    with opened(Says("ok", usage=usage)) as router:
        ran(router, "Hello", tenant="acme/deep", user="ann")
        told = explained(router, "Hello", tenant="acme/deep", user="ann")
        (row,) = run_inline(router.ports.ledger.rows())
        used = {(each.owner, each.window): each.settled for each in told.budgets}
        assert row.cost_nusd == 100 * 50 + 50 * 400
        for owner in ("tenant:acme", "user:acme/deep:ann", "policy:main"):
            assert used[owner, "day"] == row.cost_nusd
        assert used["provider:openai", "month"] == row.cost_nusd
        limits = {(each.owner, each.unit): each.used for each in told.limits}
        assert limits["tenant:acme", "requests"] == 1
        assert limits["user:acme/deep:ann", "tokens"] == 150


def test_rules_come_out_as_they_do():
    with opened() as router:
        outcomes = [
            (each.name, each.outcome, each.lacking)
            for each in explained(router, "Hello", tenant="acme").rules
        ]
        assert outcomes == [
            ("long", "does not hold", ""),
            ("tagged", "unknown", "tag"),
            ("spent", "does not hold", ""),
        ]
        outcomes = [
            (each.name, each.outcome) for each in explained(router, "word " * 700, tenant="acme").rules
        ]
        assert outcomes == [("long", "holds"), ("tagged", "not read"), ("spent", "not read")]


def test_a_full_rate_limit_refuses_whatever_answers():
    with opened() as router:
        for _ in range(3):
            ran(router, "Hello", tenant="acme")
        told = explained(router, "Hello", tenant="acme")
        assert not told.passes
        assert told.advice[-1].startswith(
            "`tenant:acme` is at its `requests_per_minute: 3`: wait 1m at most, or"
        )


def test_a_token_limit_says_what_would_fit():
    with opened() as router:
        told = explained(router, "word " * 400, tenant="acme/deep", user="ann", params={"max_tokens": 300})
        assert told.passes
        told = explained(router, "word " * 1_900, policy="spare", tenant="acme/deep", user="ann")
        assert any("`tokens_per_minute: 2k`" in sentence for sentence in told.advice)


def test_without_a_prompt_figures_are_those_of_the_ceilings(monkeypatch):
    monkeypatch.delenv("ROUTER_TRANSPORT")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    clock = ManualClock()
    with Router.open(POLICIES, state="memory", cache="memory", clock=clock) as router:
        told = explained(router, None, tenant="acme")
        assert (told.prompted, told.this_call) == (False, None)
        nano = told.offers[0]
        assert (nano.input_tokens, nano.input_bound, nano.output_bound, nano.likely_nusd) == (
            None,
            3_000,
            300,
            None,
        )
        assert nano.worst_nusd == 3_000 * 50 + 300 * 400
        assert "OPENAI_API_KEY" in [key.name for key in told.missing_keys]


def test_an_address_that_is_not_here_is_assumed_like_a_key(monkeypatch):
    monkeypatch.delenv("ROUTER_TRANSPORT")
    monkeypatch.delenv("HOME_URL", raising=False)
    home = {**POLICIES["providers"]["home"], "base_url": {"env": "HOME_URL"}}
    policies = {"version": 1, "providers": {"home": home}, "policies": {"main": {"targets": ["home/m"]}}}
    with Router.open(policies, state="memory", cache="memory", clock=ManualClock()) as router:
        told = explained(router, None)
        assert [offer.target for offer in told.offers] == ["home/m"]
        assert [ref.name for ref in told.missing_keys] == ["HOME_URL"]


def test_keys_are_only_assumed_where_asked(monkeypatch):
    monkeypatch.delenv("ROUTER_TRANSPORT")
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    with Router.open(POLICIES, state="memory", cache="memory", clock=ManualClock()) as router:
        request = build_request(router.plan, "r", "Hello", policy="main", tenant="acme", params={})
        real = run_inline(explain(router.plan, router.ports, request))
        assert [offer.target for offer in real.offers] == ["home/m"]
        assert {each.reason for each in real.dropped} == {"missing_key"}
        assumed = run_inline(explain(router.plan, router.ports, request, assume_keys=True))
        assert [offer.target for offer in assumed.offers][:2] == [
            "openai/gpt-5-nano",
            "anthropic/claude-haiku-4-5",
        ]


@settings(max_examples=40, deadline=None)
@given(cents=st.integers(1, 400))
def test_what_to_change_would_do(cents):
    """The figures of the advice pass, and one token more, or one nano-dollar less, does not."""
    amount = cents * 1_000  # nano-USD
    policies = {
        **POLICIES,
        "policies": {
            "main": {
                "targets": ["openai/gpt-5-nano"],
                "ceiling": {"input_tokens": "3k", "output_tokens": 800},
            }
        },
        "tenants": {"acme": {"policies": "all", "budget": {"per_day": f"${amount / 1e9:.9f}"}}},
    }
    with opened(policies=policies) as router:
        told = explained(router, "word " * 100, tenant="acme")
        (offer,) = told.offers
        assert told.passes is (offer.worst_nusd <= amount)
        if told.passes:
            assert told.advice == ()
            return
        (sentence,) = told.advice
        output = sentence.partition("output_tokens: ")[2].partition("}")[0]
        if output:
            assert explained(router, "word " * 100, tenant="acme", params={"max_tokens": int(output)}).passes
            assert not explained(
                router, "word " * 100, tenant="acme", params={"max_tokens": int(output) + 1}
            ).passes
        else:
            words = int(sentence.partition("within ")[2].split()[0]) if "within" in sentence else 0
            assert words < offer.input_bound
        assert f"raise it to ${offer.worst_nusd / 1e9:.9f}".rstrip("0") in sentence


def test_a_mapping_needs_no_folder(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with opened() as router:
        explained(router, "Hello", tenant="acme")
    assert list(tmp_path.iterdir()) == []


def test_today_is_priced_by_today_and_what_is_printed_by_the_dearest_day() -> None:
    change = {"off": "50%", "valid_until": "2026-11-20"}
    policies = {**POLICIES, "providers": {**POLICIES["providers"], "openai": {"discount": change}}}
    for now_s, likely in ((1_795_000_000.0, "2026-11-18"), (1_796_000_000.0, "2026-11-30")):
        with opened(policies=policies, clock=ManualClock(now_s=now_s)) as router:
            told = explained(router, "Hello", tenant="acme")
            offer = next(each for each in told.offers if each.target == "openai/gpt-5-nano")
            rate = 200 if likely < "2026-11-20" else 400
            assert offer.likely_nusd == offer.input_tokens * rate // 8 + offer.output_bound * rate
            assert offer.worst_nusd == offer.input_bound * 50 + offer.output_bound * 400
            assert [each.since for each in offer.prices] == (
                [None, date(2026, 11, 20)] if rate == 200 else [None]
            )


JUMPING = {
    **POLICIES,
    "policies": {
        "main": {
            "targets": ["openai/gpt-5-nano"],
            "ceiling": {"input_tokens": "3k", "output_tokens": 300},
            "retry": "off",
            "budget": {"per_day": {"at_most": "$0.000001", "when_spent": {"policy": "spare"}}},
        },
        "spare": {"targets": ["openai/gpt-5-mini", "home/m"], "needs": ["tools"], "retry": "off"},
    },
    "tenants": {"acme": {"policies": ["main"]}},
}


def test_the_list_that_takes_over_is_told_and_is_the_one_that_answers():
    with opened(policies=JUMPING) as router:
        told = explained(router, "Hello", tenant="acme")
        seen, error = ran(router, "Hello", tenant="acme")
    assert told.landing is not None
    assert (told.landing.budget, told.landing.policy) == ("policy:main", "spare")
    assert [each.target for each in told.offers] == ["openai/gpt-5-nano"]
    assert [each.target for each in told.landing.offers] == ["openai/gpt-5-mini", "home/m"]
    assert (told.passes, told.refusal, error) == (True, None, None)
    assert [each.target for each in of(ev.AttemptSent, seen)] == ["openai/gpt-5-mini"]
    reserved = [each.worst_nusd for each in of(ev.Reserved, seen)]
    assert reserved == [told.landing.offers[0].worst_nusd]
    assert told.this_call is not None
    assert told.this_call.cost_nusd >= sum(reserved)
    assert "policy:main per_day spent: policy spare" in [each.branch for each in told.branches]


def test_where_nothing_takes_over_there_is_no_landing_and_the_bound_is_of_both_lists():
    roomy = {"per_day": {"at_most": "$1", "when_spent": {"policy": "spare"}}}
    policies = {
        **JUMPING,
        "policies": {**JUMPING["policies"], "main": {**JUMPING["policies"]["main"], "budget": roomy}},
    }
    with opened(policies=policies) as router:
        told = explained(router, "Hello", tenant="acme")
    assert told.landing is None
    assert told.passes
    assert told.this_call is not None
    assert told.this_call.sends == 2  # those of `spare`, which has two targets


ON_THE_WAY: dict[str, Any] = {
    "version": 1,
    "providers": {
        "openai": {
            "limits": {"requests_per_hour": 2},
            "keys": [{"env": "A", "limits": {"requests_per_hour": 1}}, {"env": "B"}],
        },
        "anthropic": {"models": {"claude-haiku-4-5": {"limits": {"concurrent_requests": 1}}}},
    },
    "policies": {
        "main": {
            "targets": ["openai/gpt-5-nano", {"policy": "spare"}],
            "ceiling": {"input_tokens": "3k", "output_tokens": 300},
            "limits": {"requests_per_hour": 4},
        },
        "spare": {
            "targets": ["anthropic/claude-haiku-4-5"],
            "ceiling": {"output_tokens": 100},
            "limits": {"tokens_per_hour": "200"},
        },
    },
}


def test_limits_of_whatever_is_on_the_way_are_shown_and_refuse_here_as_they_do_there():
    clock = ManualClock()
    usage = Usage(input_tokens=100, output_tokens=90)
    transport = ScriptedTransport(Says("ok", usage=usage), clock=clock)
    with Router.open(ON_THE_WAY, state="memory", cache="memory", clock=clock, transport=transport) as router:
        for number in range(6):
            told = explained(router, "Hello")
            events, error = ran(router, "Hello")
            assert told.passes is (error is None), number
            refused = {each.target for each in of(ev.ReserveRefused, events)}
            assert refused <= {offer.target for offer in told.offers if offer.refused}
        told = explained(router, "Hello")
        used = {(each.owner, each.unit): (each.used, each.left) for each in told.limits}
        assert used == {
            ("policy:main", "requests"): (4, 0),
            ("provider:openai", "requests"): (2, 0),
            ("key:openai/A", "requests"): (1, 0),
            ("policy:spare", "tokens"): (190, 10),
            ("model:anthropic/claude-haiku-4-5", "concurrent_requests"): (0, 1),
        }
        assert any(line.startswith("`policy:main` is at its `requests_per_hour: 4`") for line in told.advice)
        assert any(
            line.startswith("`provider:openai` `requests_per_hour: 2`: raise it to 3") for line in told.advice
        )


def test_a_key_with_room_is_room_enough():
    clock = ManualClock()
    with Router.open(ON_THE_WAY, state="memory", cache="memory", clock=clock) as router:
        ran(router, "Hello")
        told = explained(router, "Hello")
        assert told.offers[0].refused == ()
        events, error = ran(router, "Hello")
        assert [each.key for each in of(ev.KeyPassedOver, events)] == ["A"]
        assert error is None
        (refused, *_) = explained(router, "Hello").offers[0].refused
        assert "`provider:openai` has 0 left of `requests_per_hour: 2`" in refused


def test_what_is_rolling_has_its_own_wait_and_what_is_in_shadow_needs_no_change():
    policies = {
        "version": 1,
        "providers": {"openai": {}},
        "policies": {
            "main": {
                "targets": ["openai/gpt-5-nano"],
                "ceiling": {"input_tokens": "3k", "output_tokens": 300},
                "budget": {
                    "per_day": {"at_most": "$0.0003", "rolling": True},
                    "per_hour": {"at_most": "$0.000001", "enforce": "shadow"},
                    "per_request": {"at_most": "$0.000001", "enforce": "shadow"},
                },
            }
        },
        "tenants": {
            "acme": {"policies": "all", "limits": {"tokens_per_minute": {"at_most": 5, "enforce": "shadow"}}}
        },
    }
    full = Says("x", usage=Usage(input_tokens=2_000, output_tokens=300))
    with opened(full, policies) as router:
        assert explained(router, "Hello", tenant="acme").passes
        events, error = ran(router, "Hello", tenant="acme")
        assert (error, len(of(ev.ShadowExceeded, events))) == (None, 3)
        told = explained(router, "Hello", tenant="acme")
        assert not told.passes
        (sentence,) = told.advice
        assert "`policy:main`" in sentence
        assert "wait 1d at most" in sentence
        assert told.branches[0].capped_by is None
        _, error = ran(router, "Hello", tenant="acme")
        assert error is not None
        assert error.message == told.offers[0].refused[0]


def test_a_parameter_that_a_target_does_not_take_is_told_and_so_is_one_that_is_left_out():
    policies = {
        "version": 1,
        "providers": {"openai": {}, "anthropic": {}},
        "policies": {
            "strict": {
                "targets": ["anthropic/claude-haiku-4-5", "openai/gpt-4.1-nano"],
                "params": {"temperature": 0},
            },
            "loose": {"extends": "strict", "params_unsupported": "drop"},
        },
    }
    with opened(policies=policies) as router:
        strict = explained(router, "Hello", "strict", params={"seed": 7})
        loose = explained(router, "Hello", "loose", params={"seed": 7})
    claude = "anthropic/claude-haiku-4-5"
    assert [(each.target, each.reason, each.detail) for each in strict.dropped] == [
        (claude, "parameter", "it does not take `seed`")
    ]
    assert [each.target for each in loose.offers] == [claude, "openai/gpt-4.1-nano"]
    assert f"`{claude}` is called without `seed`, which it does not take" in loose.notes
