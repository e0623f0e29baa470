"""A small plan and the cases of a test, from their text."""

from functools import cache
from textwrap import dedent, indent

from router.adapters.tiktoken_tokens import TiktokenTokens
from router.plan import Plan
from router.policy.load import load_text
from router.testing.cases.case import Case
from router.testing.cases.files import CaseFile, read_case_text
from router.testing.cases.report import Result, play_case
from tests.policy.books import Book

POLICIES = """\
version: 1
settings: {time_zone: Europe/Berlin}
providers:
  openai: {budget: {per_month: $100}}
  anthropic: {keys: [{env: ANTHROPIC_ONE}, {env: ANTHROPIC_TWO}]}
  gemini: {}
policies:
  fast:
    rules:
      - {name: night, when: {local_time: {from: "22:00", to: "06:00"}}, policy: spare}
      - {name: long, when: {input_tokens: {over: 2k}}, targets: [gemini/flash]}
      - {name: closed, when: {tag: [closed]}, reject: not today}
    targets: [openai/small, anthropic/haiku, {policy: spare}]
    retry: {attempts: 2, backoff: constant, base: 1s, max: 4s}
    timeout: {total: 30s, attempt: 8s}
    ceiling: {input_tokens: 20k, output_tokens: 100}
    cache: {ttl: 1h, sampled: true}
    budget: {per_request: $1, per_day: $5}
  spare:
    targets: [gemini/flash]
    retry: off
    ceiling: {input_tokens: 20k, output_tokens: 100}
tenants:
  acme:
    policies: all
    budget: {per_month: $50}
    limits: {requests_per_minute: 3}
    each: {child: {budget: {per_day: $2}}}
  acme/law: {each: {user: {budget: {per_day: $1}}}}
"""
DEFAULTS = "version: 1\ndefaults: {request: {policy: fast, tenant: acme}}\n"


@cache
def the_plan() -> Plan:
    loaded = load_text(POLICIES, Book(), file="policies.yaml")
    assert loaded.plan is not None, loaded.problems
    return loaded.plan


def read(text: str, *, file: str = "a.cases.yaml") -> CaseFile:
    return read_case_text(text, the_plan(), file=file)


def case(text: str) -> Case:
    """The one case whose keys, but for its name, are `text`."""
    found = read(f"{DEFAULTS}cases:\n  - name: it\n{indent(dedent(text), '    ')}")
    assert [str(problem) for problem in found.problems] == []
    (only,) = found.cases
    return only


def result(text: str) -> Result:
    return play_case(the_plan(), case(text), TiktokenTokens())


def misses(text: str) -> list[tuple[str, str]]:
    """(what was expected, what there was) of every expectation that is not met."""
    return [(f"{each.expectation.name}: {each.expectation.wanted}", each.got) for each in result(text).misses]
