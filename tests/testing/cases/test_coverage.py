"""Coverage: what there is to exercise, what a call exercises, and what is named as never exercised."""

from collections.abc import Sequence
from textwrap import indent

import pytest

from router.adapters.tiktoken_tokens import TiktokenTokens
from router.policy.load import load_text
from router.testing.cases.coverage import Coverage, Key, coverage, exercised, items
from router.testing.cases.files import read_case_text
from router.testing.cases.play import play
from tests.policy.books import Book
from tests.testing.cases.parts import DEFAULTS, POLICIES, case, the_plan

EVERYTHING = {
    "rule fast: rule night",
    "rule fast: rule long",
    "rule fast: rule closed",
    "rule fast: no rule, its targets",
    "target fast, rule long: gemini/flash",
    "target fast: openai/small",
    "target fast: anthropic/haiku",
    "target spare: gemini/flash",
    "edge fast, rule night: into policy spare",
    "edge fast: into policy spare",
    "edge fast: openai/small -> anthropic/haiku",
    "edge fast: anthropic/haiku -> policy spare",
    "edge fast, rule closed: rejects",
    "edge fast: sends again",
}


def keys_of(text: str) -> set[Key]:
    calls = play(the_plan(), case(f"{text}\nexpect: {{rule: none}}"), TiktokenTokens())
    return {key for played in calls for key in exercised(the_plan(), played.seen)}


def covered(*texts: str) -> Coverage:
    return coverage(the_plan(), {key for text in texts for key in keys_of(text)})


def named(found: Coverage, *, hit: bool) -> set[str]:
    return {f"{item.key.kind} {item}" for item, was in found.items if was is hit}


def test_everything_that_can_be_exercised_is_counted_once() -> None:
    found = [f"{item.key.kind} {item}" for item in items(the_plan())]
    assert set(found) == EVERYTHING
    assert len(found) == len(EVERYTHING)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["rule fast: no rule, its targets", "target fast: openai/small"]),
        (
            "faults: {openai/small: [server_error]}",
            [
                "rule fast: no rule, its targets",
                "target fast: openai/small",
                "target fast: anthropic/haiku",
                "edge fast: sends again",
                "edge fast: openai/small -> anthropic/haiku",
            ],
        ),
        (
            "faults: {openai/small: [not_found], anthropic/haiku: [not_found]}",
            [
                "rule fast: no rule, its targets",
                "target fast: openai/small",
                "target fast: anthropic/haiku",
                "edge fast: openai/small -> anthropic/haiku",
                "edge fast: anthropic/haiku -> policy spare",
                "edge fast: into policy spare",
                "target spare: gemini/flash",
            ],
        ),
        (
            'clock: "2026-01-05 23:00"',
            [
                "rule fast: rule night",
                "edge fast, rule night: into policy spare",
                "target spare: gemini/flash",
            ],
        ),
        ("request: {input_tokens: 2001}", ["rule fast: rule long", "target fast, rule long: gemini/flash"]),
        ("request: {tags: [closed]}", ["rule fast: rule closed", "edge fast, rule closed: rejects"]),
        ("request: {policy: spare}", ["target spare: gemini/flash"]),
        ("request: {tenant: acme/law}", []),  # refused before any rule: the call names no user
        (
            "request: {only: [gemini/flash]}",
            ["rule fast: no rule, its targets", "edge fast: into policy spare", "target spare: gemini/flash"],
        ),
        (
            "spent: [{of: tenant, name: acme, window: per_month, amount: $50}]",
            [
                "rule fast: no rule, its targets",
                "edge fast: openai/small -> anthropic/haiku",
                "edge fast: anthropic/haiku -> policy spare",
            ],
        ),
    ],
)
def test_a_call_exercises_exactly_this(text: str, expected: Sequence[str]) -> None:
    assert named(covered(text), hit=True) == set(expected)


def test_a_target_that_was_passed_over_leaves_no_edge_behind_it() -> None:
    """openai fails, anthropic has no key: there is no edge from the first to the third."""
    found = covered("unset: [ANTHROPIC_ONE, ANTHROPIC_TWO]\nfaults: {openai/small: [not_found]}")
    assert "edge fast: openai/small -> anthropic/haiku" in named(found, hit=False)
    assert "edge fast: anthropic/haiku -> policy spare" in named(found, hit=False)
    assert "target spare: gemini/flash" in named(found, hit=True)


def test_a_cached_answer_exercises_its_rules_and_no_target() -> None:
    first, second = play(
        the_plan(),
        case("steps: [{expect: {cached: false}}, {expect: {cached: true}}]"),
        TiktokenTokens(),
    )
    assert {key.kind for key in exercised(the_plan(), first.seen)} == {"rule", "target"}
    assert {key.kind for key in exercised(the_plan(), second.seen)} == {"rule"}


def test_the_percentage_is_of_all_items_and_rounds_down() -> None:
    nothing, some = coverage(the_plan(), ()), covered("")
    assert nothing.percent == 0.0
    assert some.of() == (2, 14)
    assert some.percent == 14.2
    assert some.of("rule") == (1, 4)
    assert some.of("target", "fast") == (1, 3)
    assert not some.is_under(14.28)
    assert some.is_under(14.29)
    assert coverage(the_plan(), {item.key for item in items(the_plan())}).percent == 100.0


def test_what_is_missing_has_a_place() -> None:
    places = {str(item): str(item.place) for item in covered("").missing}
    assert places["fast: openai/small -> anthropic/haiku"] == "policies.yaml:13:29"
    assert places["fast: rule closed"] == "policies.yaml:12:16"


def test_what_is_switched_off_is_not_counted() -> None:
    off = POLICIES.replace("  anthropic: {keys", "  anthropic: {enabled: false, keys")
    plan = load_text(off, Book(), file="policies.yaml").plan
    assert plan is not None
    found = {str(item) for item in items(plan)}
    assert "fast: anthropic/haiku" not in found
    assert "fast: openai/small -> policy spare" in found
    given = "faults: {openai/small: [not_found]}\nexpect: {dropped: {anthropic/haiku: disabled}}"
    text = f"{DEFAULTS}cases:\n  - name: it\n{indent(given, '    ')}\n"
    (one,) = read_case_text(text, plan).cases
    (played,) = play(plan, one, TiktokenTokens())
    hit = {str(item) for item, was in coverage(plan, exercised(plan, played.seen)).items if was}
    assert "fast: openai/small -> policy spare" in hit
