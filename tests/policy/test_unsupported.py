"""Words of the language that this version does not support are refused by name."""

from collections.abc import Mapping
from typing import Any

import pytest

from router.policy.load import load
from tests.policy.books import Book

FAST = {"targets": ["openai/small"]}


def document(**blocks: Any) -> dict[str, Any]:
    return {"version": 1, "providers": {"openai": {}}, "policies": {"fast": FAST}, **blocks}


def in_provider(word: str, value: Any) -> dict[str, Any]:
    return document(providers={"openai": {word: value}})


def in_key(word: str, value: Any) -> dict[str, Any]:
    return document(providers={"openai": {"keys": [{"env": "OPENAI_API_KEY", word: value}]}})


def in_policy(word: str, value: Any) -> dict[str, Any]:
    return document(policies={"fast": {**FAST, word: value}})


def in_target(word: str, value: Any) -> dict[str, Any]:
    return document(policies={"fast": {"targets": [{"pick": "cheapest", word: value}]}})


def in_when(word: str, value: Any) -> dict[str, Any]:
    return in_policy("rules", [{"name": "a", "when": {word: value}, "reject": "no"}])


def in_budget(word: str, value: Any) -> dict[str, Any]:
    return in_policy("budget", {"per_day": "$1", word: value})


def in_window(word: str, value: Any) -> dict[str, Any]:
    return in_policy("budget", {"per_day": {"at_most": "$1", word: value}})


def in_tenant(word: str, value: Any) -> dict[str, Any]:
    return document(tenants={"acme": {"policies": "all", word: value}})


def in_limits(word: str, value: Any) -> dict[str, Any]:
    return in_tenant("limits", {"requests_per_minute": 5, word: value})


WORDS: Mapping[str, tuple[Any, dict[str, Any]]] = {
    "in_policy": (
        in_policy,
        {
            "hedge": "off",
            "output": {"schema": "x"},
            "mirror": {"to": "x"},
            "queue": {"wait": "1s"},
            "batch": {},
            "priority": 1,
            "fit": "truncate",
            "prompt": "x",
            "clean": True,
        },
    ),
    "in_target": (in_target, {"of": ["openai/small"]}),
    "in_when": (in_when, {"share": "5%"}),
    "in_provider": (
        in_provider,
        {
            "pick_key": "least_busy",
        },
    ),
    "in_key": (in_key, {"allow": ["openai/small"]}),
    "in_tenant": (in_tenant, {"access": ["x"]}),
}
CASES = [(where, word) for where, (_, words) in WORDS.items() for word in words]


@pytest.mark.parametrize(("where", "word"), CASES, ids=lambda each: each)
def test_a_word_of_later_is_refused_by_name(where: str, word: str) -> None:
    place, words = WORDS[where]
    loaded = load(place(word, words[word]), Book())
    assert loaded.plan is None
    expected = f"`{word}` is part of the language but not supported by this version yet"
    assert [found.code for found in loaded.problems if found.message == expected] == ["unsupported"]
    assert {found.code for found in loaded.problems} == {"unsupported"}


def test_settings_of_later_are_refused_by_name() -> None:
    loaded = load(document(settings={"alerts": [{"webhook": {"env": "URL"}}]}), Book())
    assert [found.code for found in loaded.problems] == ["unsupported"]


VALUES = {
    "backoff: adaptive": in_policy("retry", {"backoff": "adaptive"}),
}


@pytest.mark.parametrize("words", VALUES)
def test_a_value_of_later_is_refused_by_name(words: str) -> None:
    loaded = load(VALUES[words], Book())
    assert [found.message for found in loaded.problems] == [
        f"`{words}` is part of the language but not supported by this version yet"
    ]


PATTERNS = {
    "a target": document(policies={"fast": {"targets": ["openai/*"]}}),
    "a target of a prefix": document(policies={"fast": {"targets": ["openai/gpt-*"]}}),
    "a model": document(providers={"openai": {"models": {"gpt-*": {}}}}),
}


@pytest.mark.parametrize("where", PATTERNS)
def test_patterns_are_refused(where: str) -> None:
    loaded = load(PATTERNS[where], Book())
    assert [found.code for found in loaded.problems] == ["unsupported"]
