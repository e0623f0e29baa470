"""Budgets of every kind that a case can find spent: pools and tokens too."""

import pytest

from router.adapters.tiktoken_tokens import TiktokenTokens
from router.plan import Plan
from router.policy.load import load_text
from router.testing.cases.files import read_case_text
from router.testing.cases.report import play_case
from tests.policy.books import Book

POLICIES = """
version: 1
providers: {openai: {}, anthropic: {}}
budgets: {canary: {per_day: $3, tokens_per_week: 1M}}
policies:
  fast:
    targets: [openai/small]
    ceiling: {input_tokens: 1k, output_tokens: 100}
    budget: {pool: canary, tokens_per_day: 500k, requests_per_day: 20}
  slow:
    targets: [anthropic/haiku]
    ceiling: {input_tokens: 1k, output_tokens: 100}
    budget: {pool: canary}
  other:
    targets: [openai/small]
    ceiling: {input_tokens: 1k, output_tokens: 100}
"""


@pytest.fixture(scope="module")
def plan() -> Plan:
    loaded = load_text(POLICIES, Book(), file="policies.yaml")
    assert loaded.plan is not None, loaded.problems
    return loaded.plan


CANARY, TOKENS, REQUESTS = (
    "{of: pool, name: canary, window: ",
    "{of: policy, name: fast, window: tokens_per_day, amount: ",
    "{of: policy, name: fast, window: requests_per_day, amount: ",
)


@pytest.mark.parametrize(
    ("policy", "spent", "stopped"),
    [
        ("fast", f"{CANARY}per_day, amount: $3}}", True),
        ("slow", f"{CANARY}per_day, amount: $3}}", True),
        ("other", f"{CANARY}per_day, amount: $3}}", False),
        ("fast", f"{CANARY}per_day, amount: $2.99}}", False),
        ("fast", f"{CANARY}tokens_per_week, amount: 1M}}", True),
        ("fast", f"{TOKENS}500k}}", True),
        ("fast", f"{TOKENS}499k}}", False),
        ("slow", f"{TOKENS}500k}}", False),
        ("fast", f"{REQUESTS}20}}", True),
        ("fast", f"{REQUESTS}30}}", True),
        ("fast", f"{REQUESTS}19}}", False),
        ("slow", f"{REQUESTS}20}}", False),
    ],
)
def test_what_is_spent_stops_who_spends_from_it(plan: Plan, policy: str, spent: str, stopped: bool) -> None:
    expect = "{error: BudgetExceeded, cost: $0}" if stopped else "{rule: none, no_events: [ReserveRefused]}"
    text = f"version: 1\ncases:\n  - {{name: it, request: {{policy: {policy}}}, spent: [{spent}], expect: {expect}}}\n"
    found = read_case_text(text, plan)
    assert [str(problem) for problem in found.problems] == []
    assert play_case(plan, found.cases[0], TiktokenTokens()).misses == ()


@pytest.mark.parametrize(
    ("spent", "said"),
    [
        (f"{CANARY}per_day, amount: 3M}}", "`amount` must be an amount of money, not `3M`"),
        (f"{CANARY}per_day, amount: 0.05}}", "`amount` must be an amount, not the number `0.05`"),
        (f"{TOKENS}$3}}", "`amount` must be a count of tokens, not `$3`"),
        (f"{REQUESTS}$3}}", "`amount` must be a count of requests, not `$3`"),
        ("{of: policy, name: fast, window: per_day, amount: $3}", "policy `fast` has no budget `per_day`"),
        ("{of: pool, name: canry, window: per_day, amount: $3}", "there is no pool `canry`"),
    ],
)
def test_an_amount_is_in_the_unit_of_its_budget(plan: Plan, spent: str, said: str) -> None:
    case = f"{{name: it, request: {{policy: fast}}, spent: [{spent}], expect: {{rule: none}}}}"
    text = f"version: 1\ncases:\n  - {case}\n"
    (problem,) = read_case_text(text, plan).problems
    assert problem.message == said


SLIDING = """
version: 1
providers: {openai: {}}
policies:
  fast:
    targets: [openai/small]
    ceiling: {input_tokens: 1k, output_tokens: 100}
    budget: {per_day: {at_most: $3, rolling: true}, per_hour: {at_most: $1, enforce: shadow}}
"""


def test_a_rolling_budget_can_be_found_spent_and_one_in_shadow_tells() -> None:
    loaded = load_text(SLIDING, Book(), file="policies.yaml")
    assert loaded.plan is not None, loaded.problems
    text = """
version: 1
cases:
  - name: a day that slides is spent, and a day later it is not
    spent: [{of: policy, name: fast, window: per_day, amount: $3}]
    steps:
      - {request: {policy: fast}, expect: {error: BudgetExceeded}}
      - {after: 25h, request: {policy: fast}, expect: {served_by: openai/small}}
  - name: what is in shadow lets pass
    spent: [{of: policy, name: fast, window: per_hour, amount: $1}]
    request: {policy: fast}
    expect: {served_by: openai/small, events: [ShadowExceeded, Reserved]}
"""
    read = read_case_text(text, loaded.plan, file="a.cases.yaml")
    assert read.problems == ()
    for case in read.cases:
        assert play_case(loaded.plan, case, TiktokenTokens()).passed
