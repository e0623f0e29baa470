"""What an author probably meant is offered where it is clear, and only where it would be right."""

from collections.abc import Mapping
from typing import Any

import pytest

from router.policy import words
from router.policy.forms import Scalar, blocks
from router.policy.guesses import _HABITS, meant, variable_in
from router.policy.load import load
from router.policy.table.root import ROOT
from tests.policy.books import Book

SPELLINGS: Mapping[tuple[str, str], str | None] = {
    ("duration", "30 sec"): "30s",
    ("duration", "30S"): "30s",
    ("duration", "1h30m"): "90m",
    ("duration", "1.5 minutes"): "90s",
    ("duration", "0.25s 250ms"): "500ms",
    ("duration", "1 fortnight"): None,
    ("duration", "0s"): None,
    ("duration", "soon"): None,
    ("duration", ".2s"): "200ms",
    ("money", "$.30"): "$0.30",
    ("count", "200K"): "200k",
    ("count", "200,000"): "200k",
    ("count", "1_000"): "1k",
    ("count", "1m"): "1M",
    ("count", "0.5"): None,
    ("count", "1,00"): None,
    ("count", "many"): None,
    ("money", "$1,500"): "$1500",
    ("money", "$1k"): "$1000",
    ("money", "25 USD"): "$25",
    ("money", "25$"): "$25",
    ("money", "500€"): None,
    ("money", "$0.0000000001"): None,
    ("share", "80 %"): "80%",
    ("share", "%80"): "80%",
    ("share", "180 %"): None,
    ("clock", "6:00"): "06:00",
    ("clock", "10pm"): "22:00",
    ("clock", "12am"): "00:00",
    ("clock", "25:00"): None,
    ("clock", "night"): None,
}
FORMS: Mapping[str, Scalar] = {
    "duration": words.DURATION,
    "count": words.COUNT,
    "money": words.MONEY,
    "share": words.SHARE,
    "clock": words.CLOCK,
}


@pytest.mark.parametrize(("form", "text"), SPELLINGS, ids=lambda each: each)
def test_a_spelling_of_elsewhere(form: str, text: str) -> None:
    assert meant(FORMS[form], text) == SPELLINGS[form, text]


@pytest.mark.parametrize(
    "text",
    ["A_KEY", "$A_KEY", "${A_KEY}", "{{ A_KEY }}", "${{env.A_KEY}}", "os.environ/A_KEY", "env:A_KEY"],
)
def test_a_reference_of_elsewhere(text: str) -> None:
    assert variable_in(text) == "A_KEY"


@pytest.mark.parametrize("text", ["$ecretPassw0rd", "sk-proj-A", "correct-horse", "$", "$A KEY"])
def test_what_may_be_a_secret_is_no_reference(text: str) -> None:
    assert variable_in(text) is None


def test_a_word_of_another_router_is_told_by_a_key_that_is_there() -> None:
    keys = {block.ref: set(block.keys) for block in blocks(ROOT)}
    for ref, habits in _HABITS.items():
        for word, here in habits.items():
            assert word not in keys[ref]
            assert not here.key or (here.key in keys[ref] and f"`{here.key}" in here.advice)


def said(provider: Mapping[str, Any], policy: Mapping[str, Any]) -> list[str]:
    document = {"version": 1, "providers": {"openai": provider}, "policies": {"chat": policy}}
    return [f"{each.message}: {each.help}" for each in load(document, Book()).problems]


def test_a_habit_is_one_problem() -> None:
    assert said({}, {"models": ["openai/small"]}) == [
        "unknown key `models` in a policy: here that is `targets: [provider/model]`"
    ]
    assert said({"keys": ["$OPENAI_API_KEY"]}, {"targets": ["openai/small"]}) == [
        "item 1 of `keys` must be a secret by reference, not text: write `{env: OPENAI_API_KEY}`"
    ]
    assert said({}, {"targets": ["small-3"]}) == [
        "item 1 of `targets` must be a target or a map, not `small-3`: say whose model it is: `provider/small-3`"
    ]


def test_a_text_that_is_no_item_is_not_offered_as_one() -> None:
    [told] = said({}, {"targets": ["openai/small"], "needs": "function_calling"})
    assert told.endswith(": write a list, `[...]`: one of tools, json, vision, audio, files")
    [told] = said({}, {"targets": ["openai/small"], "needs": "tools"})
    assert told.endswith(": write a list: `[tools]`")


def test_no_guess_shows_a_secret() -> None:
    for value in ("correct-horse-2", ["correct-horse-2"], {"env": ["correct-horse-2"]}):
        told = said({"keys": [value]}, {"targets": ["openai/small"]})
        assert told
        assert "correct-horse-2" not in "".join(told)
