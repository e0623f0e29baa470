"""Calls in sequence, on one clock: cache, limits, budgets, windows; and every case alone, and always the same."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.adapters.tiktoken_tokens import TiktokenTokens
from router.policy.load import load_text
from router.testing.cases.play import play
from router.testing.cases.report import play_case
from tests.policy.books import Book
from tests.testing.cases.parts import DEFAULTS, POLICIES, case, misses, read, result, the_plan


def test_an_answer_is_kept_as_long_as_the_cache_rule_says() -> None:
    steps = """
    steps:
      - expect: {cached: false}
      - {after: 59m, expect: {cached: true, cost: $0, no_events: [AttemptSent]}}
      - {after: 61s, expect: {cached: false}}
    """
    assert misses(steps) == []


def test_a_stale_answer_stands_in_while_every_target_fails() -> None:
    text = POLICIES.replace("sampled: true}", "sampled: true, serve_stale_on_error: 30m}")
    steps = """
    steps:
      - expect: {cached: false, stale: false}
      - {after: 59m, expect: {cached: true, stale: false}}
      - after: 2m
        faults: {openai/small: [server_error], anthropic/haiku: [overloaded], gemini/flash: [timeout]}
        expect: {cached: true, stale: true, served_by: openai/small, events: [AttemptFailed, StaleServed]}
      - after: 30m
        faults: {openai/small: [server_error], anthropic/haiku: [overloaded], gemini/flash: [timeout]}
        expect: {error: TargetsExhausted}
    """
    plan = load_text(text, Book(), file="policies.yaml").plan
    assert plan is not None
    assert play_case(plan, case(steps), TiktokenTokens()).misses == ()


def test_a_step_changes_parts_of_the_request() -> None:
    steps = """
    request: {prompt: One}
    steps:
      - expect: {cached: false}
      - {request: {prompt: Two}, expect: {cached: false}}
      - {request: {tags: [closed]}, expect: {error: NoRoute}}
      - {request: {input_tokens: 2001}, expect: {rule: long}}
      - expect: {cached: true}
    """
    assert misses(steps) == []


def test_a_limit_is_full_and_frees() -> None:
    steps = """
    faults: {openai/small: [truncated]}
    steps:
      - {times: 3, expect: {served_by: openai/small}}
      - expect: {error: LimitExceeded, message: requests_per_minute}
      - {after: 61s, expect: {served_by: openai/small}}
    """
    assert misses(steps) == []


def test_each_of_many_calls_must_meet_what_is_expected() -> None:
    found = result(
        "faults: {openai/small: [truncated]}\nsteps: [{times: 5, expect: {served_by: openai/small}}]"
    )
    assert found.calls == 5
    (miss,) = found.misses  # the fourth and the fifth fail alike; the first of them is told
    assert (miss.got, miss.played.number) == ("nothing", 4)


@pytest.mark.parametrize("clock", ["2026-03-01 23:59", "2026-03-01T22:59:00Z", "2026-03-02T03:29+04:30"])
def test_a_calendar_window_ends_on_the_clock_of_the_policies(clock: str) -> None:
    steps = f"""
    clock: "{clock}"
    spent: [{{of: policy, name: fast, window: per_day, amount: $5}}]
    steps:
      - expect: {{rule: night, error: BudgetExceeded, message: per_day}}
      - {{after: 59s, expect: {{error: BudgetExceeded}}}}
      - {{after: 1s, expect: {{served_by: gemini/flash}}}}
    """
    assert misses(steps) == []


def test_faults_of_a_step_take_the_place_of_those_of_the_case_for_the_same_target() -> None:
    steps = """
    request: {params: {n: 1}}
    faults: {openai/small: [not_found], anthropic/haiku: [not_found]}
    steps:
      - {request: {prompt: a}, expect: {served_by: gemini/flash}}
      - {request: {prompt: b}, faults: {openai/small: [answers]}, expect: {served_by: openai/small}}
      - {request: {prompt: c}, expect: {served_by: gemini/flash}}
    """
    assert misses(steps) == []


def test_attempts_are_counted_anew_in_every_call() -> None:
    steps = """
    faults: {openai/small: [server_error, truncated]}
    steps:
      - {times: 2, expect: {attempts: [{openai/small: server_error}, {openai/small: truncated}]}}
    """
    assert misses(steps) == []


def test_a_step_comes_after_the_one_before_has_ended() -> None:
    steps = """
    clock: "2026-01-05T12:00:00Z"
    faults: {openai/small: [{after: 5s}]}
    steps:
      - expect: {time: 5s}
      - {after: 10s, request: {prompt: b}, expect: {time: 5s}}
    """
    first, second = play(the_plan(), case(steps), TiktokenTokens())
    noon_s = datetime(2026, 1, 5, 12, tzinfo=UTC).timestamp()
    assert first.seen.trace[0].at_s == noon_s
    assert second.seen.trace[0].at_s == noon_s + 15


@pytest.mark.parametrize(
    ("spent", "error", "attempts"),
    [
        ("{of: tenant, name: acme, window: per_month, amount: $50}", True, "small: over_budget"),
        ("{of: policy, name: fast, window: per_day, amount: $5}", True, "small: over_budget"),
        ("{of: provider, name: openai, window: per_month, amount: $100}", False, "small: over_budget"),
        ("{of: provider, name: openai, window: per_month, amount: $99}", False, "small: answered"),
        ("{of: child, name: acme/law, window: per_day, amount: $2}", True, "small: over_budget"),
        ("{of: child, name: acme/art, window: per_day, amount: $2}", False, "small: answered"),
        ("{of: user, name: ann, tenant: acme/law, window: per_day, amount: $1}", True, "small: over_budget"),
        ("{of: user, name: bob, tenant: acme/law, window: per_day, amount: $1}", False, "small: answered"),
        ("{of: tenant, name: acme, window: per_month, amount: $70}", True, "small: over_budget"),
    ],
)
def test_what_was_spent_counts_in_its_own_budget(spent: str, error: bool, attempts: str) -> None:
    given = f"request: {{tenant: acme/law, user: ann}}\nspent: [{spent}]\nexpect:"
    wanted = "{error: BudgetExceeded, cost: $0}" if error else "{events: [Reserved]}"
    assert misses(f"{given} {wanted}") == []
    first = result(f"{given} {{attempts: []}}").misses[0].got
    assert first.startswith(f"openai/{attempts}")


# --- Alone, and always the same ---------------------------------------------------------------------------------------

SENTENCES = [
    "expect: {served_by: openai/small}",
    "faults: {openai/small: [server_error]}\nexpect: {rule: none}",
    "faults: {openai/small: [rate_limited], anthropic/haiku: [overloaded]}\nexpect: {rule: none}",
    "steps: [{times: 4, expect: {rule: none}}, {after: 10m, expect: {rule: none}}]",
    "spent: [{of: tenant, name: acme, window: per_month, amount: $49.9999}]\nexpect: {rule: none}",
    'clock: "2026-01-05 23:00"\nexpect: {rule: night}',
]


def traces(text: str) -> list[object]:
    return [played.seen.trace for played in play(the_plan(), case(text), TiktokenTokens())]


@pytest.mark.parametrize("text", SENTENCES)
def test_a_case_plays_the_same_twice(text: str) -> None:
    first, second = traces(text), traces(text)
    assert first == second
    assert first


@given(st.permutations(range(len(SENTENCES))))
def test_no_case_knows_of_another(order: list[int]) -> None:
    cases = [case(text) for text in SENTENCES]
    shared = TiktokenTokens()
    alone = {at: [each.seen.trace for each in play(the_plan(), cases[at], TiktokenTokens())] for at in order}
    together = {at: [each.seen.trace for each in play(the_plan(), cases[at], shared)] for at in order}
    assert alone == together


def test_cases_of_one_file_share_their_defaults_and_nothing_else() -> None:
    text = f"""{DEFAULTS}cases:
  - {{name: one, expect: {{cached: false}}}}
  - {{name: two, expect: {{cached: false}}}}
  - {{name: three, request: {{policy: spare}}, expect: {{served_by: gemini/flash}}}}
"""
    found = read(text)
    assert found.problems == ()
    assert [play_case(the_plan(), each, TiktokenTokens()).passed for each in found.cases] == [True] * 3
