"""Cases over budgets that hand over: what they can expect, and what of it they cover."""

from router import events as ev
from router.adapters.tiktoken_tokens import TiktokenTokens
from router.plan import Plan
from router.policy.load import load_text
from router.testing.cases.coverage import coverage, exercised
from router.testing.cases.files import CaseFile, read_case_text
from router.testing.cases.play import play
from router.testing.cases.report import play_case
from router.testing.cases.story import TOLD
from router.testing.cases.telling import case_lines
from tests.policy.books import Book

POLICIES = """\
version: 1
providers:
  openai: {}
  gemini: {}
  vllm: {kind: hosted_vllm, base_url: "http://localhost:1", price: free, context: 32k, models: {llama: {}}}
policies:
  smart:
    targets: [openai/large]
    retry: off
    ceiling: {input_tokens: 20k, output_tokens: 100}
    budget: {per_day: {at_most: $5, when_spent: {policy: spare}}}
  spare:
    targets: [gemini/flash, vllm/llama]
    retry: off
    rules: [{name: odd, when: {tag: [odd]}, reject: not here}]
    ceiling: {output_tokens: 100}
  home: {targets: [vllm/llama], retry: off}
tenants:
  acme: {policies: [smart], each: {user: {budget: {per_day: {at_most: $1, when_spent: {policy: home}}}}}}
"""
BEFORE = "version: 1\ndefaults: {request: {policy: smart, tenant: acme, user: ann}}\ncases:\n"
SPENT = "spent: [{of: policy, name: smart, window: per_day, amount: $5}]"


def the_plan() -> Plan:
    loaded = load_text(POLICIES, Book(), file="policies.yaml")
    assert loaded.plan is not None, loaded.problems
    return loaded.plan


def read(text: str) -> CaseFile:
    return read_case_text(f"{BEFORE}  - {{name: it, {text}}}\n", the_plan(), file="a.cases.yaml")


def hit(text: str) -> set[str]:
    """Items that the case exercises; all that there are, where the text is empty."""
    plan = the_plan()
    (case,) = read(text).cases
    keys = {key for played in play(plan, case, TiktokenTokens()) for key in exercised(plan, played.seen)}
    return {f"{item.key.kind} {item}" for item, was in coverage(plan, keys).items if was}


def test_every_jump_is_an_edge_of_the_policy_or_of_what_takes_over() -> None:
    edges = [f"{item}" for item, _ in coverage(the_plan(), ()).items if item.key.kind == "edge"]
    assert edges == [
        "home: after the budget of user:acme:* is spent",
        "smart: budget spent, to policy spare",
        "spare: gemini/flash -> vllm/llama",
        "spare, rule odd: rejects",
    ]


def test_a_case_that_jumps_covers_the_edge_and_what_it_comes_to() -> None:
    assert hit(f"{SPENT}, expect: {{jumps_to: spare}}") == {
        "edge smart: budget spent, to policy spare",
        "rule spare: no rule, its targets",
        "target spare: gemini/flash",
    }
    assert hit(f"{SPENT}, request: {{tags: [odd]}}, expect: {{error: NoRoute}}") == {
        "edge smart: budget spent, to policy spare",
        "rule spare: rule odd",
        "edge spare, rule odd: rejects",
    }


def test_a_case_that_does_not_jump_covers_neither() -> None:
    assert hit("expect: {jumps_to: none}") == {"target smart: openai/large"}


def test_a_users_budget_is_the_one_that_is_written_for_each() -> None:
    spent = "spent: [{of: user, name: ann, tenant: acme, window: per_day, amount: $1}]"
    assert hit(f"{spent}, expect: {{jumps_to: home}}") == {
        "edge home: after the budget of user:acme:* is spent",
        "target home: vllm/llama",
    }


def test_what_happened_tells_the_jump() -> None:
    (case,) = read(f"{SPENT}, expect: {{jumps_to: none}}").cases
    result = play_case(the_plan(), case, TiktokenTokens())
    lines = "\n".join(case_lines(result))
    rule = "per_day: {at_most: $5, when_spent: {policy: spare}}"
    assert f"policy spare takes over from smart: policy:smart has no room in `{rule}`" in lines


def test_whatever_decides_is_told_of_what_happened() -> None:
    """An event of a kind to come is told, or named here as bookkeeping."""
    bookkeeping = {
        ev.RequestStarted, ev.Routed, ev.AnswerShared, ev.Admitted, ev.Reserved, ev.AttemptSent, ev.FirstContent,
        ev.StreamClosed, ev.LeaseRenewed, ev.RenewFailed, ev.OutputMisfit, ev.SettleFailed, ev.ReleaseFailed,
    }  # fmt: skip
    kinds = {each for each in vars(ev).values() if isinstance(each, type) and issubclass(each, ev.Event)}
    assert set(TOLD) | bookkeeping == kinds - {ev.Event}
    assert not set(TOLD) & bookkeeping


def test_an_expectation_of_a_jump_can_be_missed() -> None:
    plan = the_plan()
    (case,) = read("expect: {jumps_to: spare}").cases
    result = play_case(plan, case, TiktokenTokens())
    assert not result.passed
    (unknown,) = read("expect: {jumps_to: spair}").problems
    assert "there is no policy `spair`" in str(unknown)
    assert "did you mean `spare`?" in str(unknown)
