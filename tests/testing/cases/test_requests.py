"""Requests of cases: every argument reaches the call, and a prompt of a size is counted as that size."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router import events as ev
from router.adapters.tiktoken_tokens import TiktokenTokens
from router.engine.routing import RULES_COUNT_BY
from router.testing.cases.play import play
from router.testing.cases.prompts import prompt_of
from tests.testing.cases.parts import case, misses, the_plan


def test_every_argument_reaches_the_call() -> None:
    given_ = """
    request:
      tenant: acme/law
      user: ann
      session: s1
      tags: [batch]
      prefer: [gemini/flash]
      only: [gemini/flash, openai/small]
      timeout: 5s
      messages: [{role: system, content: Be brief.}, {role: user, content: Hello}]
      params: {temperature: 0, max_tokens: 7}
    expect: {served_by: gemini/flash, dropped: {anthropic/haiku: not_in_only}}
    """
    (call,) = case(given_).calls
    request = call.request
    assert (request.policy, request.tenant, request.user, request.session) == (
        "fast",
        "acme/law",
        "ann",
        "s1",
    )
    assert (request.tags, request.prefer) == (("batch",), ("gemini/flash",))
    assert request.only == ("gemini/flash", "openai/small")
    assert (request.timeout_s, request.params) == (5.0, {"temperature": 0, "max_tokens": 7})
    assert [message["role"] for message in request.messages] == ["system", "user"]
    assert misses(given_) == []


def test_without_a_word_something_is_asked() -> None:
    (call,) = case("expect: {rule: none}").calls
    assert [message["content"] for message in call.request.messages] == ["Hello."]


def test_the_innermost_block_says_what_is_asked() -> None:
    steps = """
    request: {prompt: One}
    steps:
      - {request: {messages: [{role: user, content: Two}]}, expect: {rule: none}}
      - {request: {input_tokens: 20}, expect: {rule: none}}
      - {request: {user: ann}, expect: {rule: none}}
    """
    asked = [str(call.request.messages[0]["content"]) for call in case(steps).calls]
    assert (asked[0], asked[2]) == ("Two", "One")
    assert asked[1].startswith(" a a")


@given(st.integers(10, 3_000) | st.sampled_from([60_000, 60_001, 99_000, 100_037, 128_000, 250_001]))
@settings(max_examples=60)
def test_a_prompt_of_a_size_is_counted_as_that_size(tokens: int) -> None:
    text = prompt_of(tokens)
    assert text is not None
    reader = TiktokenTokens().reader(({"role": "user", "content": text},))
    assert reader.estimate({}, RULES_COUNT_BY, context_tokens=None).tokens == tokens


def test_no_prompt_is_smaller_than_a_message() -> None:
    assert prompt_of(3) is None


@pytest.mark.parametrize(("size", "rule"), [("2k", "none"), ("2001", "long")])
def test_rules_see_that_size(size: str, rule: str) -> None:
    assert misses(f"request: {{input_tokens: {size}}}\nexpect: {{rule: {rule}}}") == []


def test_the_wire_sees_what_the_policy_allows() -> None:
    (call,) = play(
        the_plan(), case("request: {params: {max_tokens: 5000}}\nexpect: {rule: none}"), TiktokenTokens()
    )
    assert next(call.seen.facts(ev.Reserved)).output_tokens == 100
