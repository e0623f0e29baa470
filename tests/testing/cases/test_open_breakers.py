"""Breakers that are open when a case begins."""

from router.adapters.tiktoken_tokens import TiktokenTokens
from router.policy.load import load_text
from router.testing.cases.files import read_case_text
from router.testing.cases.report import play_case
from router.testing.cases.telling import case_lines
from tests.policy.books import Book

POLICIES = """\
version: 1
providers:
  openai: {breaker: {failures: 2, open_for: 30s}}
  anthropic: {}
policies:
  fast: {targets: [openai/small, anthropic/haiku], retry: off}
"""
OPEN = """\
version: 1
cases:
  - name: left alone, and tried again
    request: {policy: fast}
    open: [openai/small]
    steps:
      - expect: {served_by: anthropic/haiku, dropped: {openai/small: breaker_open}, events: [TargetPassedOver]}
      - {after: 30s, expect: {served_by: openai/small, events: [ProbeAdmitted, BreakerClosed]}}
  - name: opened by failures
    request: {policy: fast}
    steps:
      - {times: 2, faults: {openai/small: [server_error]}, expect: {served_by: anthropic/haiku}}
      - expect: {served_by: anthropic/haiku, attempts: [anthropic/haiku: answered]}
  - name: another case begins with none
    request: {policy: fast}
    expect: {served_by: openai/small}
"""


def read(text: str):
    loaded = load_text(POLICIES, Book(), file="policies.yaml")
    assert loaded.plan is not None, loaded.problems
    return loaded.plan, read_case_text(text, loaded.plan, file="a.cases.yaml")


def test_a_case_begins_with_breakers_open_or_opens_them() -> None:
    plan, found = read(OPEN)
    assert found.problems == ()
    for case in found.cases:
        result = play_case(plan, case, TiktokenTokens())
        assert result.passed, "\n".join(case_lines(result))


def test_a_target_without_a_breaker_can_not_be_open() -> None:
    _, found = read(OPEN.replace("open: [openai/small]", "open: [anthropic/haiku]"))
    assert [each.message for each in found.problems] == ["`anthropic/haiku` has no breaker"]
