"""Stores that are down in a case: what `settings.on_store_error` makes of it can be written down and tried."""

import pytest

from router.adapters.tiktoken_tokens import TiktokenTokens
from router.policy.load import load_text
from router.testing.cases.files import read_case_text
from router.testing.cases.report import play_case
from router.testing.cases.telling import case_lines
from tests.policy.books import Book
from tests.testing.cases.parts import DEFAULTS, POLICIES, case, misses, read, the_plan


@pytest.mark.parametrize("store", ["ledger", "limiter"])
def test_what_is_closed_fails_the_call(store: str) -> None:
    assert misses(f"down: [{store}]\nexpect: {{error: StoreError, no_events: [AttemptSent]}}") == []


@pytest.mark.parametrize("store", ["health", "cache"])
def test_what_is_open_is_done_without(store: str) -> None:
    request = "request: {only: [anthropic/haiku]}\n" if store == "health" else ""
    text = (
        f"{request}down: [{store}]\nexpect: {{served_by: {'anthropic/haiku' if request else 'openai/small'}, "
    )
    assert misses(f"{text}events: [StoreBypassed]}}") == []


def test_what_happened_tells_a_store_that_was_passed_by() -> None:
    result = play_case(the_plan(), case("down: [cache]\nexpect: {cached: true}"), TiktokenTokens())
    assert "the cache has no answer (" in "\n".join(case_lines(result))
    request = "request: {only: [anthropic/haiku]}\ndown: [health]\nexpect: {cached: true}"
    result = play_case(the_plan(), case(request), TiktokenTokens())
    assert "the health is down: the call goes on without its " in "\n".join(case_lines(result))


def test_a_step_says_anew_which_stores_are_down() -> None:
    text = """
    down: [limiter]
    steps:
      - expect: {error: StoreError}
      - {down: [], expect: {served_by: openai/small, no_events: [StoreBypassed]}}
      - {down: [cache], expect: {cached: false, events: [CacheMissed]}}
      - {down: [], expect: {cached: true}}
    """
    assert misses(text) == []


def test_a_call_without_its_open_ledger_passes_a_budget_that_is_spent() -> None:
    opened = POLICIES.replace(
        "{time_zone: Europe/Berlin}", "{time_zone: Europe/Berlin, on_store_error: {ledger: open}}"
    )
    loaded = load_text(opened, Book(), file="policies.yaml")
    assert loaded.plan is not None
    assert {found.code for found in loaded.problems} >= {"open-store"}
    text = f"""{DEFAULTS}cases:
  - name: it
    spent: [{{of: policy, name: fast, window: per_day, amount: $5}}]
    steps:
      - {{expect: {{error: BudgetExceeded}}}}
      - {{down: [ledger], expect: {{served_by: openai/small, events: [StoreBypassed, Settled]}}}}
"""
    found = read_case_text(text, loaded.plan, file="a.cases.yaml")
    assert [str(problem) for problem in found.problems] == []
    played = play_case(loaded.plan, found.cases[0], TiktokenTokens())
    assert [(each.expectation.name, each.got) for each in played.misses] == []


def test_a_store_that_there_is_not_is_named() -> None:
    found = read(f"{DEFAULTS}cases:\n  - name: it\n    down: [legder]\n    expect: {{rule: none}}")
    assert any("`ledger`" in str(problem) for problem in found.problems)
