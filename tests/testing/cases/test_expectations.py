"""Each expectation: met where it is so, and not met where it is not."""

import pytest

from tests.testing.cases.parts import misses, result

LIMITED = "faults: {openai/small: [{does: rate_limited, retry_after: 7s}]}"
FAILED_ONCE = (
    "faults: {openai/small: [server_error, {after: 2s, usage: {input_tokens: 100, output_tokens: 10}}]}"
)
DOWN = "faults: {openai/small: [server_error], anthropic/haiku: [not_found], gemini/flash: [connection_cut]}"

SAID = [
    ("", "served_by: openai/small", "served_by: anthropic/haiku", "openai/small"),
    (DOWN, "error: TargetsExhausted", "error: NoRoute", "TargetsExhausted"),
    ("", "rule: none", "rule: night", "none"),
    ('clock: "2026-01-05 23:00"', "rule: night", "rule: none", "night"),
    (
        LIMITED,
        "attempts: [{openai/small: rate_limited}, {anthropic/haiku: answered}]",
        "attempts: [{openai/small: answered}]",
        "openai/small: rate_limited, anthropic/haiku: answered",
    ),
    (LIMITED, "waits: []", "waits: [7s]", "nothing"),
    (FAILED_ONCE, "waits: [{at_least: 500ms, at_most: 1s}]", "waits: [2s]", "702ms"),
    (FAILED_ONCE, "cost: $0.00012", "cost: {at_most: $0.0001}", "$0.00012"),
    (FAILED_ONCE, "cost: {at_least: $0.0001}", "cost: {at_least: $0.001}", "$0.00012"),
    (FAILED_ONCE, "time: {at_most: 3s}", "time: {at_most: 2s}", "2702ms"),
    ("", "cached: false", "cached: true", "false"),
    ("faults: {openai/small: [{text: A bakery.}]}", "text: A bakery.", "text: A mill.", "A bakery."),
    (
        "request: {only: [openai/small]}",
        "dropped: {anthropic/haiku: not_in_only, gemini/flash: not_in_only}",
        "dropped: {anthropic/haiku: capability}",
        "anthropic/haiku: not_in_only",
    ),
    (
        "request: {tags: [closed]}",
        "message: not today",
        "message: tomorrow",
        "policy `fast` rejects this request: not today",
    ),
    (
        FAILED_ONCE,
        "events: [AttemptFailed, RetryScheduled, AttemptAnswered]",
        "events: [RetryScheduled, AttemptFailed]",
        None,
    ),
    (
        FAILED_ONCE,
        "no_events: [FellBack, CacheHit]",
        "no_events: [FellBack, RetryScheduled]",
        "RetryScheduled",
    ),
]


@pytest.mark.parametrize(("given", "so", "_not", "_got"), SAID)
def test_it_is_met_where_it_is_so(given: str, so: str, _not: str, _got: str | None) -> None:
    assert misses(f"{given}\nexpect: {{{so}}}") == []


@pytest.mark.parametrize(("given", "_so", "wrong", "got"), SAID)
def test_it_is_not_met_where_it_is_not(given: str, _so: str, wrong: str, got: str | None) -> None:
    ((wanted, found),) = misses(f"{given}\nexpect: {{{wrong}}}")
    assert wanted.partition(":")[0] == wrong.partition(":")[0]
    assert got is None or found == got


def test_an_answer_that_never_came_is_nothing() -> None:
    assert misses(f"{DOWN}\nexpect: {{served_by: openai/small}}") == [("served_by: openai/small", "nothing")]
    assert misses("expect: {error: NoRoute}") == [("error: NoRoute", "nothing")]
    assert misses("expect: {message: no}") == [("message: an error that says `no`", "no error")]


def test_a_miss_names_the_line_of_its_expectation() -> None:
    found = result("expect:\n  cached: false\n  served_by: gemini/flash\n")
    (miss,) = found.misses
    assert str(miss.expectation.place) == "a.cases.yaml:7:18"
    assert not found.passed


def test_what_is_not_said_is_not_checked() -> None:
    assert misses(f"{DOWN}\nexpect: {{rule: none}}") == []
