"""Each thing that a target can do: what kind it is, what follows, and what it is charged."""

import pytest

from router import events as ev
from router.adapters.tiktoken_tokens import TiktokenTokens
from router.decide.classify import FAILURES, Charge
from router.testing.cases.outcomes import STATUSES, doing
from router.testing.cases.play import Played, play
from router.testing.cases.words import ANSWERS, SENT_KINDS, SPECIAL
from router.values import Kind
from tests.testing.cases.parts import case, misses, result, the_plan

COMES_AS_AN_ANSWER = {"truncated", "content_filter"}
KIND_OF = {
    "never_answers": "timeout",
    "connection_refused": "connection",
    "connection_cut": "connection",
    "malformed": "server_error",
}


def played(text: str) -> list[Played]:
    return list(play(the_plan(), case(f"{text}\nexpect: {{rule: none}}"), TiktokenTokens()))


@pytest.mark.parametrize("word", [word for word in (*SENT_KINDS, *SPECIAL) if word != ANSWERS])
def test_the_first_attempt_ends_as_the_word_says(word: str) -> None:
    (call,) = played(f"faults: {{openai/small: [{word}]}}")
    assert call.seen.attempts[0] == ("openai/small", KIND_OF.get(word, word))


@pytest.mark.parametrize(
    "word", [word for word in (*SENT_KINDS, *SPECIAL) if word not in (ANSWERS, *COMES_AS_AN_ANSWER)]
)
def test_a_failure_is_charged_what_the_failure_table_says(word: str) -> None:
    (call,) = played(f"request: {{only: [openai/small]}}\nfaults: {{openai/small: [{word}]}}")
    first, worst = next(call.seen.facts(ev.Settled)), next(call.seen.facts(ev.Reserved)).worst_nusd
    charge = FAILURES[Kind(KIND_OF.get(word, word))].charge
    if word == "connection_refused":
        charge = Charge.NOTHING  # nothing left
    elif word == "malformed":
        charge = Charge.WORST_CASE  # a success status whose body can't be read
    expected = {Charge.NOTHING: 0, Charge.REPORTED: 0, Charge.WORST_CASE: worst}[charge]
    assert first.cost_nusd == expected
    assert worst > 0


def test_what_a_provider_reports_with_a_failure_is_charged() -> None:
    usage = "usage: {input_tokens: 100, output_tokens: 10}"
    failed = f"faults: {{openai/small: [{{does: server_error, {usage}}}, answers]}}"
    (call,) = played(failed)
    assert next(call.seen.facts(ev.Settled)).cost_nusd == 120_000
    assert misses(f"{failed}\nexpect: {{cost: {{at_least: $0.00012}}}}") == []


@pytest.mark.parametrize("word", sorted(COMES_AS_AN_ANSWER))
def test_a_cut_or_filtered_answer_is_an_answer(word: str) -> None:
    text = f"faults: {{openai/small: [{{does: {word}, text: As far as}}]}}"
    assert misses(f"{text}\nexpect: {{text: As far as, attempts: [{{openai/small: {word}}}]}}") == []


def test_a_filter_may_refuse_with_a_status() -> None:
    (call,) = played("faults: {openai/small: [{does: content_filter, status: 400}]}")
    assert call.seen.reply is None
    assert [fact.status for fact in call.seen.facts(ev.AttemptFailed)] == [400]


def test_the_usual_statuses_are_those_of_their_kinds() -> None:
    for kind, status in STATUSES.items():
        assert doing(str(kind)).status == status  # type: ignore[union-attr]
        assert doing(str(kind), status=599).status == 599  # type: ignore[union-attr]


def test_faults_are_by_attempt_and_the_last_one_goes_on() -> None:
    once = "faults: {openai/small: [server_error, answers]}"
    assert misses(f"{once}\nexpect: {{served_by: openai/small, waits: [{{at_most: 1s}}]}}") == []
    for_ever = "faults: {openai/small: [server_error]}"
    assert misses(f"{for_ever}\nexpect: {{served_by: anthropic/haiku}}") == []


def test_a_failure_takes_as_long_as_it_says() -> None:
    slow = "faults: {openai/small: [{does: not_found, after: 3s}], anthropic/haiku: [{after: 1.5s}]}"
    assert misses(f"{slow}\nexpect: {{time: 4.5s, served_by: anthropic/haiku}}") == []


def test_an_attempt_that_outlasts_its_time_is_a_timeout() -> None:
    slow = "faults: {openai/small: [{after: 9s}, answers]}"
    attempts = "[{openai/small: timeout}, {openai/small: answered}]"
    assert misses(f"{slow}\nexpect: {{attempts: {attempts}, time: {{at_least: 8.5s}}}}") == []


def test_time_runs_out() -> None:
    given = "request: {timeout: 10s}\nfaults: {openai/small: [never_answers]}"
    assert misses(f"{given}\nexpect: {{error: DeadlineExceeded, time: 10s}}") == []


def test_a_short_retry_after_is_waited_for_and_a_long_one_is_not() -> None:
    limited = "faults: {{openai/small: [{{does: rate_limited, retry_after: {}}}, answers]}}"
    assert misses(f"{limited.format('4s')}\nexpect: {{waits: [4s], served_by: openai/small}}") == []
    assert misses(f"{limited.format('4001ms')}\nexpect: {{waits: [], served_by: anthropic/haiku}}") == []


def test_another_key_steps_in_at_once() -> None:
    given = "request: {only: [anthropic/haiku]}\nfaults: {anthropic/haiku: [rate_limited, answers]}"
    assert misses(f"{given}\nexpect: {{waits: [], served_by: anthropic/haiku}}") == []
    (call,) = played(given)
    assert [fact.key for fact in call.seen.facts(ev.AttemptSent)] == [
        "ANTHROPIC_ONE",
        "ANTHROPIC_TWO",
    ]


def test_variables_that_are_not_set() -> None:
    one = "unset: [ANTHROPIC_ONE]\nrequest: {prefer: [anthropic/haiku]}"
    (call,) = played(one)
    assert [fact.key for fact in call.seen.facts(ev.AttemptSent)] == ["ANTHROPIC_TWO"]
    both = "unset: [ANTHROPIC_ONE, ANTHROPIC_TWO]\nrequest: {prefer: [anthropic/haiku]}"
    assert (
        misses(f"{both}\nexpect: {{served_by: openai/small, dropped: {{anthropic/haiku: missing_key}}}}")
        == []
    )


IDLE = "it is never asked"


@pytest.mark.parametrize(
    ("text", "got"),
    [
        ("faults: {gemini/flash: [timeout]}\nexpect: {rule: none}", [IDLE]),
        ("faults: {openai/small: [not_found], gemini/flash: [timeout]}\nexpect: {rule: none}", [IDLE]),
        ("request: {only: [gemini/flash]}\nfaults: {gemini/flash: [truncated]}\nexpect: {rule: none}", []),
        (
            (
                "faults: {openai/small: [answers]}\n"
                "steps: [{expect: {cached: false}}, {faults: {openai/small: [timeout]}, expect: {cached: true}}]"
            ),
            [IDLE],
        ),
        (
            (
                "faults: {openai/small: [timeout]}\n"
                "steps: [{faults: {openai/small: [answers]}, expect: {cached: false}}]"
            ),
            ["every step has one of its own"],
        ),
        (
            (
                "faults: {gemini/flash: [truncated]}\n"
                "steps: [{expect: {cached: false}}, {request: {only: [gemini/flash]}, expect: {rule: none}}]"
            ),
            [],
        ),
    ],
)
def test_a_fault_that_never_happens_fails_its_case(text: str, got: list[str]) -> None:
    """Its case tests something else than it says."""
    found = misses(text)
    assert [each for _, each in found] == got
    assert all(wanted.startswith("faults: ") for wanted, _ in found)


def test_such_a_fault_is_named_by_its_line() -> None:
    (miss,) = result(
        "expect: {rule: none}\nfaults:\n  openai/small: [answers]\n  gemini/flash: [timeout]\n"
    ).misses
    assert str(miss.expectation.place) == "a.cases.yaml:8:7"
