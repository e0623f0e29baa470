"""Cases expect the warning of a budget as they expect any event."""

from router.adapters.tiktoken_tokens import TiktokenTokens
from router.policy.load import load_text
from router.testing.cases.files import read_case_text
from router.testing.cases.report import Result, play_case
from router.testing.cases.story import story
from tests.policy.books import Book
from tests.testing.cases.parts import DEFAULTS, POLICIES

WARNING = POLICIES.replace("budget: {per_month: $50}", "budget: {per_month: $50, warn_at: [80%]}")


def played(text: str) -> Result:
    plan = load_text(WARNING, Book(), file="policies.yaml").plan
    assert plan is not None
    found = read_case_text(f"{DEFAULTS}cases:\n  - name: it\n{text}", plan, file="a.cases.yaml")
    assert [str(problem) for problem in found.problems] == []
    (only,) = found.cases
    return play_case(plan, only, TiktokenTokens())


def test_a_warning_is_expected_once() -> None:
    told = played("""\
    spent: [{of: tenant, name: acme, window: per_month, amount: $40}]
    steps:
      - {expect: {events: [Settled, BudgetWarning, RequestAnswered]}}
      - {request: {tags: [again], only: [anthropic/haiku]}, expect: {no_events: [BudgetWarning], events: [Settled]}}
""")
    assert told.misses == ()


def test_a_case_that_fails_tells_of_it() -> None:
    (miss,) = played("""\
    spent: [{of: tenant, name: acme, window: per_month, amount: $40}]
    expect: {no_events: [BudgetWarning]}
""").misses
    assert "  tenant:acme has come to 80% of `per_month: $50`" in story(miss.played.seen)


def test_one_that_does_not_come_is_missed() -> None:
    told = played("""\
    spent: [{of: tenant, name: acme, window: per_month, amount: $39}]
    expect: {events: [BudgetWarning]}
""")
    assert [each.expectation.name for each in told.misses] == ["events"]
