"""What people do to the books: whose budget is meant, what it then holds, and which truths are taken."""

from collections.abc import Iterator
from typing import Any

import pytest

from router import RequestError, Router
from router.adapters.clocks import ManualClock
from router.adapters.scripted_transport import Fails, Says, ScriptedTransport
from router.errors import BudgetExceeded, TargetsExhausted
from router.values import Kind, Usage

NOW_S = 1_795_867_200.0  # 2026-11-28T12:00Z
NANO_NUSD = 1_000 * 50 + 100 * 400
WORST_NUSD = 10_000 * 50 + 400 * 400
BY = {"who": "ann", "why": "launch week"}

POLICIES: dict[str, Any] = {
    "version": 1,
    "providers": {"openai": {"budget": {"per_month": "$100"}}, "groq": {}},
    "budgets": {"canary": {"per_day": "$5"}},
    "policies": {
        "main": {
            "targets": ["openai/gpt-5-nano"],
            "ceiling": {"input_tokens": "10k", "output_tokens": 400},
            "retry": {"attempts": 1},
            "budget": {"per_request": "$1", "per_day": "$0.0005", "in_total": "$2", "pool": "canary"},
        },
        "slides": {
            "targets": ["openai/gpt-5-nano"],
            "ceiling": {"output_tokens": 400},
            "budget": {"per_day": {"at_most": "$5", "rolling": True}},
        },
    },
    "tenants": {
        "acme": {
            "policies": "all",
            "budget": {"per_month": "$50", "tokens_per_week": "1M"},
            "each": {
                "user": {"budget": {"per_day": "$1", "requests_per_day": 100}},
                "child": {"budget": {"per_day": "$3"}},
            },
        },
        "acme/search": {"budget": {"per_day": "$4"}, "each": {"session": {"budget": {"per_day": "$0.50"}}}},
    },
}
MAIN = POLICIES["policies"]["main"]
CALL = {"policy": "main", "tenant": "acme/search", "user": "ann", "session": "s1"}


def opened(clock: ManualClock, *outcomes: Any) -> Router:
    says = [*outcomes, Says("ok", usage=Usage(input_tokens=300, output_tokens=100))]
    transport = ScriptedTransport({"openai/gpt-5-nano": says}, clock=clock)
    return Router.open(POLICIES, state="memory", cache="memory", clock=clock, transport=transport)


@pytest.fixture
def router() -> Iterator[Router]:
    with opened(ManualClock(now_s=NOW_S)) as router:
        yield router


# --- Grants -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("owner", "window", "amount", "told"),
    [
        ({"tenant": "acme"}, "per_month", "$500", ("tenant:acme", 500_000_000_000, "2026-11")),
        ({"tenant": "acme"}, "tokens_per_week", "-200k", ("tenant:acme", -200_000, "2026-W48")),
        ({"tenant": "acme/search"}, "per_day", "$1", ("tenant:acme/search", 10**9, "2026-11-28")),
        ({"tenant": "acme/search", "user": "bo"}, "per_day", "$1", ("user:acme:bo", 10**9, "2026-11-28")),
        ({"tenant": "acme", "user": "bo"}, "requests_per_day", "7", ("user:acme:bo", 7, "2026-11-28")),
        ({"tenant": "acme", "child": "legal"}, "per_day", "$1", ("child:acme:legal", 10**9, "2026-11-28")),
        (
            {"tenant": "acme/search", "session": "s1"},
            "per_day",
            "$0.000000001",
            ("session:acme/search:s1", 1, "2026-11-28"),
        ),
        ({"policy": "main"}, "in_total", "-$1", ("policy:main", -(10**9), "")),
        ({"provider": "openai"}, "per_month", "$1", ("provider:openai", 10**9, "2026-11")),
        ({"pool": "canary"}, "per_day", "$1", ("pool:canary", 10**9, "2026-11-28")),
    ],
)
def test_every_budget_that_has_a_window_takes_a_grant(
    router: Router, owner: Any, window: str, amount: str, told: Any
) -> None:
    done = router.grant(window=window, amount=amount, **BY, **owner)
    assert (done.budget.owner, done.amount, done.start) == told
    assert done.budget.granted == done.amount
    assert done.budget.left == done.budget.amount + done.amount
    (act,) = router.acts()
    assert (act.kind, act.who, act.why, act.at_s, act.amount) == (
        "grant",
        "ann",
        "launch week",
        NOW_S,
        done.amount,
    )
    assert act.counter is not None
    assert (act.counter.owner, act.counter.start) == (told[0], told[2])


@pytest.mark.parametrize(
    ("owner", "window", "amount", "message"),
    [
        ({"tenant": "acme"}, "per_moth", "$1", r"no budget `per_moth` \(did you mean `per_month`\?\)"),
        ({"tenant": "acme"}, "per_day", "$1", "tenant `acme` has no budget `per_day`"),
        ({"tenant": "acne"}, "per_month", "$1", r"unknown tenant `acne` \(did you mean `acme`\?\)"),
        ({"tenant": "acme/legal"}, "per_day", "$1", "its budgets are those of a child of `acme`"),
        ({"tenant": "acme/search/x", "user": "bo"}, "per_day", "$1", "unknown tenant `acme/search/x`"),
        ({"tenant": "acme", "session": "s1"}, "per_day", "$1", "gives no budget to each session"),
        ({"tenant": "acme", "user": "a/b"}, "per_day", "$1", "can't be a user"),
        ({"policy": "man"}, "per_day", "$1", r"unknown policy `man` \(did you mean `main`\?\)"),
        ({"policy": "main"}, "per_request", "$1", "holds for each request anew"),
        ({"policy": "slides"}, "per_day", "$1", r"`per_day: .*` slides"),
        ({"provider": "groq"}, "per_month", "$1", "provider `groq` has no budget `per_month`"),
        ({"pool": "canry"}, "per_day", "$1", r"unknown pool `canry` \(did you mean `canary`\?\)"),
        ({}, "per_day", "$1", "not clear whose budget is meant"),
        ({"user": "bo"}, "per_day", "$1", "not clear whose budget is meant: user"),
        ({"tenant": "acme", "policy": "main"}, "per_day", "$1", "meant: tenant and policy"),
        ({"tenant": "acme"}, "per_month", "500", "`500` is no amount of this budget"),
        ({"team": "acme"}, "per_month", "500", "`500` is no amount of this budget"),
        ({"team": "acme", "tenant": "beta"}, "per_month", "$5", "gives it two values"),
        ({"tenant": "acme"}, "per_month", 500, "`500` is no amount of this budget"),
        ({"tenant": "acme"}, "per_month", "$0", r"`\$0` is no amount of this budget"),
        ({"tenant": "acme"}, "per_month", "--$5", "`--\\$5` is no amount of this budget"),
        ({"tenant": "acme"}, "tokens_per_week", "$5", r"`\$5` is no amount of this budget"),
    ],
)
def test_what_is_no_budget_or_no_amount_is_told_and_nothing_is_done(
    router: Router, owner: Any, window: str, amount: str, message: str
) -> None:
    with pytest.raises(RequestError, match=message):
        router.grant(window=window, amount=amount, **BY, **owner)
    assert list(router.acts()) == []


@pytest.mark.parametrize("slip", [{"who": " "}, {"why": ""}, {"who": "a\nb"}])
def test_nothing_is_done_in_nobodys_name(router: Router, slip: dict[str, str]) -> None:
    with pytest.raises(RequestError, match="goes on record"):
        router.grant(tenant="acme", window="per_month", amount="$1", **{**BY, **slip})


def test_a_spent_budget_goes_on_with_a_grant_until_its_window_ends() -> None:
    clock = ManualClock(now_s=NOW_S)
    with opened(clock) as router:
        router.grant(policy="main", window="per_day", amount="-$0.0005", **BY)
        with pytest.raises(BudgetExceeded):
            router.complete("Hello", **CALL)
        router.grant(policy="main", window="per_day", amount="$0.00066", **BY)
        router.complete("Hello", **CALL)
        assert router.usage().budgets
        clock.advance(86_400)
        with pytest.raises(BudgetExceeded):
            router.complete("x" * 60_000, **CALL)


def test_a_condition_on_what_is_used_counts_what_was_granted() -> None:
    clock = ManualClock(now_s=NOW_S)
    rule = {
        "name": "nearly",
        "when": {"budget_used": {"of": "policy", "window": "in_total", "over": "50%"}},
        "reject": "nearly spent",
    }
    main = {**MAIN, "rules": [rule], "budget": {"in_total": "$0.000179999"}}
    policies = {**POLICIES, "budgets": {"other": {"per_day": "$5"}}, "policies": {"main": main}}
    policies.pop("budgets")
    says = Says("ok", usage=Usage(input_tokens=300, output_tokens=100))
    transport = ScriptedTransport({"openai/gpt-5-nano": says}, clock=clock)
    with Router.open(policies, state="memory", cache="memory", clock=clock, transport=transport) as router:
        router.grant(policy="main", window="in_total", amount="$1", **BY)
        router.complete("Hello", **CALL)
        router.complete("Hello there", **CALL)
        router.grant(policy="main", window="in_total", amount="-$1", **BY)
        with pytest.raises(Exception, match="nearly spent"):
            router.complete("Hello", **CALL)
        router.grant(policy="main", window="in_total", amount="-$1", **BY)
        with pytest.raises(Exception, match="nearly spent"):
            router.complete("Hello", **CALL)


def test_a_budget_that_was_renamed_is_granted_by_its_present_name_where_its_spend_is() -> None:
    clock = ManualClock(now_s=NOW_S)
    policies: Any = {
        "version": 1,
        "providers": {"openai": {}},
        "policies": {"new": {"was": "main", **MAIN, "budget": {"per_day": "$1"}}},
    }
    transport = ScriptedTransport({"openai/gpt-5-nano": [Says("ok")]}, clock=clock)
    with Router.open(policies, state="memory", cache="memory", clock=clock, transport=transport) as router:
        done = router.grant(policy="new", window="per_day", amount="$2", **BY)
        assert (done.budget.owner, done.budget.granted) == ("policy:new", 2 * 10**9)
        assert [each.counter and each.counter.owner for each in router.acts()] == ["policy:main"]
        assert [each.granted for each in router.usage().budgets] == [2 * 10**9]


# --- Late truths --------------------------------------------------------------------------------------------------


@pytest.fixture
def timed_out() -> Iterator[Router]:
    """One attempt that timed out after it was sent: nobody knows what it cost."""
    failure = Fails(Kind.TIMEOUT)
    with opened(ManualClock(now_s=NOW_S), failure) as router:
        with pytest.raises(TargetsExhausted):
            router.complete("Hello", **CALL)
        yield router


def test_what_timed_out_is_listed_and_takes_the_truth_once(timed_out: Router) -> None:
    (row,) = timed_out.worst_cases()
    assert (row.how, row.kind) == ("worst_case", "timeout")
    done = timed_out.settle(row.id, cost="$0.00009", input_tokens=300, output_tokens=100, **BY)
    assert (done.changed, done.before_nusd, done.row.cost_nusd) == (True, row.cost_nusd, 90_000)
    assert (done.row.how, done.row.kind, done.row.usage) == (
        "reported",
        "timeout",
        Usage(input_tokens=300, output_tokens=100),
    )
    assert timed_out.worst_cases() == []
    used = {(each.owner, each.unit): each.settled for each in timed_out.usage().budgets}
    assert used["provider:openai", "nusd"] == 90_000
    assert used["tenant:acme", "tokens"] == 400
    again = timed_out.settle(row.id, cost="$0.00009", input_tokens=300, output_tokens=100, **BY)
    assert (again.changed, again.row) == (False, done.row)
    with pytest.raises(RequestError, match=r"the truth of row .* is known: \$0\.00009, reported"):
        timed_out.settle(row.id, cost="$0.00008", **BY)
    (act,) = timed_out.acts()
    assert (act.kind, act.row, act.amount, act.before) == ("settle", row.id, 90_000, row.cost_nusd)


def test_it_may_have_cost_nothing_and_then_tokens_are_told_or_stay(timed_out: Router) -> None:
    (row,) = timed_out.worst_cases()
    assert timed_out.settle(row.id, cost="$0", **BY).row.cost_nusd == 0
    used = {(each.owner, each.unit): each.settled for each in timed_out.usage().budgets}
    assert used["provider:openai", "nusd"] == 0
    assert used["tenant:acme", "tokens"] == row.worst_tokens


@pytest.mark.parametrize(
    ("id", "figures", "message"),
    [
        ("x", {"cost": "$1"}, "the ledger has no row `x`"),
        (None, {"cost": "1"}, "`1` is no cost"),
        (None, {"cost": "$1", "input_tokens": 5}, "both input and output tokens"),
        (None, {"cost": "$1", "input_tokens": 5, "output_tokens": -1}, "can't be below 0"),
        (None, {"cost": "$1", "why": ""}, "goes on record"),
        (None, {"cost": "$1"}, r"\$1 is above what row `.*` could cost at most, \$0\.0"),
    ],
)
def test_what_is_no_truth_is_refused(timed_out: Router, id: str | None, figures: Any, message: str) -> None:
    (row,) = timed_out.worst_cases()
    with pytest.raises(RequestError, match=message):
        timed_out.settle(id or row.id, **{**BY, **figures})
    assert timed_out.worst_cases() == [row]


def test_what_is_known_or_under_way_is_refused(router: Router) -> None:
    from tests.adapters.states import do, hold

    router.complete("Hello", **CALL)
    (known,) = do(router.ports.ledger.rows())
    with pytest.raises(RequestError, match=r"the truth of row .* is known"):
        router.settle(known.id, cost="$1", **BY)
    do(router.ports.ledger.reserve(hold("open", now_s=NOW_S)))
    with pytest.raises(RequestError, match="`open` is still under way"):
        router.settle("open", cost="$1", **BY)
    do(router.ports.ledger.release("open", now_s=NOW_S))
    with pytest.raises(RequestError, match="`open` was never sent"):
        router.settle("open", cost="$1", **BY)
    assert list(router.acts()) == []
