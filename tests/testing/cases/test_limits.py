"""Cases of limits: of the called policy, and of what a call passes on its way."""

import pytest

from router.adapters.tiktoken_tokens import TiktokenTokens
from router.policy.load import load_text
from router.testing.cases.files import read_case_text
from router.testing.cases.report import play_case
from tests.policy.books import Book

POLICIES = """
version: 1
providers:
  openai: {keys: [{env: A, limits: {requests_per_hour: 1}}, {env: B}], limits: {requests_per_hour: 3}}
  anthropic: {}
policies:
  fast:
    targets: [openai/small, anthropic/haiku]
    ceiling: {output_tokens: 100}
    limits: {concurrent_requests: 2, requests_per_hour: 4}
  open: {targets: [openai/small], ceiling: {output_tokens: 100}}
"""

CASES = {
    "a place in the policy is free": "in_flight: 1, expect: {served_by: openai/small}",
    "no place in the policy is free": "in_flight: 2, expect: {error: LimitExceeded, cost: $0}",
    "the provider is passed over when it is full": "steps: [{times: 3, expect: {served_by: openai/small}}, "
    "{expect: {served_by: anthropic/haiku, events: [ReserveRefused]}}, {expect: {error: LimitExceeded}}, "
    "{after: 62m, expect: {served_by: openai/small}}]",
    "a key gives way": "steps: [{expect: {no_events: [KeyPassedOver]}}, {expect: {events: [KeyPassedOver]}}]",
}


@pytest.mark.parametrize("name", CASES)
def test_a_case_of_limits_plays_as_written(name: str) -> None:
    loaded = load_text(POLICIES, Book(), file="policies.yaml")
    assert loaded.plan is not None, loaded.problems
    text = f"version: 1\ncases:\n  - {{name: it, request: {{policy: fast}}, {CASES[name]}}}\n"
    found = read_case_text(text, loaded.plan)
    assert [str(problem) for problem in found.problems] == []
    assert play_case(loaded.plan, found.cases[0], TiktokenTokens()).misses == ()


def test_in_flight_needs_a_limit_to_fill() -> None:
    loaded = load_text(POLICIES, Book(), file="policies.yaml")
    case = "{name: it, request: {policy: open}, in_flight: 1, expect: {rule: none}}"
    found = read_case_text(f"version: 1\ncases:\n  - {case}\n", loaded.plan)
    assert [problem.message for problem in found.problems] == ["`in_flight` fills no limit here"]
