"""Words of the language that this version does not support are refused by name, and nothing is accepted and ignored."""

from collections.abc import Mapping
from copy import deepcopy
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


def in_model(word: str, value: Any) -> dict[str, Any]:
    return document(providers={"openai": {"models": {"small": {word: value}}}})


def in_policy(word: str, value: Any) -> dict[str, Any]:
    return document(policies={"fast": {**FAST, word: value}})


def in_target(word: str, value: Any) -> dict[str, Any]:
    return document(policies={"fast": {"targets": [{"pick": "cheapest", word: value}]}})


def in_timeout(word: str, value: Any) -> dict[str, Any]:
    return in_policy("timeout", {word: value})


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
            "was": "old",
            "limits": {"requests_per_minute": 5},
            "hedge": "off",
            "breaker": "off",
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
    "in_timeout": (in_timeout, {"first_content": "3s", "idle": "10s", "stream": "3m"}),
    "in_when": (in_when, {"share": "5%"}),
    "in_budget": (
        in_budget,
        {
            "requests_per_month": 5,
            "requests_in_total": 5,
            "warn_at": ["80%"],
            "rolling": True,
            "when_spent": "reject",
        },
    ),
    "in_window": (in_window, {"warn_at": ["80%"], "rolling": True, "when_spent": {"policy": "fast"}}),
    "in_provider": (
        in_provider,
        {
            "breaker": "off",
            "limits": {"requests_per_minute": 5},
            "pick_key": "least_busy",
            "was": "old",
        },
    ),
    "in_key": (in_key, {"limits": {"requests_per_minute": 5}, "allow": ["openai/small"]}),
    "in_model": (in_model, {"breaker": "off", "limits": {}}),
    "in_tenant": (in_tenant, {"access": ["x"], "was": "old"}),
    "in_limits": (in_limits, {"warn_at": ["80%"], "rolling": True, "when_spent": "reject"}),
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
    "enforce: shadow": in_window("enforce", "shadow"),
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


def everything() -> dict[str, Any]:
    """A document that says something, other than the default, about every key."""
    price = {
        "input_per_million": "$3",
        "output_per_million": "$4",
        "cached_per_million": "$1",
        "cache_write_per_million": "$5",
        "per_request": "$0.01",
    }
    model = {
        "as": "eu/large",
        "deployment": "d",
        "price": price,
        "context": "9k",
        "max_output": "2k",
        "supports": ["tools"],
        "labels": ["gpu"],
        "tokens": "exact",
    }
    windows = ("per_request", "per_hour", "per_day", "per_week", "per_month", "in_total")
    budget: dict[str, Any] = {window: f"${number}" for number, window in enumerate(windows, start=50)}
    budget |= {f"tokens_{window}": f"{number}M" for number, window in enumerate(windows, start=50)}
    demands = {
        "ceiling": {"input_tokens": "1k", "output_tokens": 300, "attempts": 7, "added_cost": "$0.05"},
        "allow": ["weu/*", "openai/small"],
        "require": ["eu"],
        "max_price": {"input_per_million": "$20", "output_per_million": "$40"},
    }
    rates = [
        f"{unit}_{window}"
        for unit in ("requests", "tokens", "input_tokens", "output_tokens")
        for window in ("per_second", "per_minute", "per_hour")
    ]
    limits = {rate: f"{number}k" for number, rate in enumerate([*rates, "concurrent_requests"], start=20)}
    when = {
        "tenant": ["acme"],
        "user": ["u"],
        "session": ["s"],
        "tag": ["t"],
        "input_tokens": {"over": 5, "up_to": "1k"},
        "output_tokens": {"over": 5, "up_to": "1k"},
        "needs": ["tools"],
        "stream": True,
        "local_time": {"from": "08:00", "to": "09:00", "days": ["mon"]},
        "budget_used": {"of": "provider", "name": "weu", "window": "per_day", "over": "1%", "up_to": "80%"},
    }
    return {
        "version": 1,
        "settings": {
            "time_zone": "Europe/Berlin",
            "state": "memory",
            "cache": "cache",
            "default_policy": "fast",
        },
        "providers": {
            "weu": {
                "kind": "azure",
                "keys": [{"env": "A"}, {"file": "b"}],
                "base_url": {"env": "URL"},
                "api_version": "1",
                "price": price,
                "labels": ["eu"],
                "context": "8k",
                "max_output": "1k",
                "supports": ["json"],
                "tokens": "window",
                "models": {"small": model, "gone": {"enabled": False}},
                "budget": {**budget, "pool": "invoice"},
            },
            "anthropic": {"enabled": False, "keys": [{"env": "C"}, {"env": "D", "enabled": False}]},
            "vertex_ai": {"project": "p", "region": "r", "models": {"m": {"price": "free"}}},
            "openai": {"labels": ["eu"]},
        },
        "budgets": {"invoice": budget},
        "policies": {
            "base": {"abstract": True, "needs": ["tools"], "cache": {"ttl": "9m"}},
            "fast": {
                "description": "d",
                "extends": "base",
                "targets": [
                    {"model": "weu/small", "params": {"n": 2}, "timeout": {"attempt": "3s"}},
                    {"policy": "slow"},
                ],
                "rules": [
                    {"name": "a", "when": {**when, "not": {"tag": ["z"]}}, "targets": ["openai/large"]},
                    {"name": "b", "when": {"stream": True}, "policy": "slow"},
                    {"name": "c", "when": {"tag": ["x"]}, "reject": "why"},
                ],
                "fall_back_on": ["timeout"],
                "retry": {"attempts": 3, "backoff": "linear", "base": "1s", "max": "4s", "on": ["timeout"]},
                "timeout": {"total": "20s", "attempt": "4s"},
                **demands,
                "cache": {"ttl": "5m", "scope": "user", "sampled": True},
                "budget": budget,
                "params": {"temperature": 0.5},
            },
            "slow": {"targets": ["openai/small"], "ceiling": {"output_tokens": "1k"}},
        },
        "tenants": {
            "acme": {
                "policies": ["fast", "slow"],
                "budget": budget,
                "limits": limits,
                "content": {"cache": "never", "log": "never"},
                **demands,
                "each": {
                    of: {"budget": {**budget, "pool": "invoice"}, "limits": limits, **demands}
                    for of in ("user", "session", "child")
                },
            }
        },
    }


def paths(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    steps = (
        list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []
    )
    return [
        *([path] if path else []),
        *(each for step in steps for each in paths(value[step], (*path, step))),
    ]


def without(value: Any, path: tuple[str | int, ...]) -> Any:
    """The value with what is at `path` taken out."""
    copy = deepcopy(value)
    inner = copy
    for step in path[:-1]:
        inner = inner[step]
    del inner[path[-1]]
    return copy


def test_the_document_that_says_everything_is_fine() -> None:
    assert load(everything(), Book()).errors == ()


OVERRIDDEN = ("policies", "base", "cache")  # by the policy that extends it, which says all of it anew
UNUSED = ("providers", "anthropic", "keys", 1)  # a key that is not enabled is as good as none
LEAVES = [
    path
    for path in paths(everything())
    if path[-1] != "description" and path[0] != "version" and path[:3] != OVERRIDDEN and path != UNUSED
]


@pytest.mark.parametrize("path", LEAVES, ids=lambda path: ".".join(map(str, path)))
def test_nothing_written_is_ignored(path: tuple[str | int, ...]) -> None:
    """Without any one value the plan is another, or there is none."""
    whole, less = load(everything(), Book()), load(without(everything(), path), Book())
    assert whole.plan is not None
    assert less.plan is None or less.plan.digest != whole.plan.digest
