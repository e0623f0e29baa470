"""The whole effective policy, each value with the place it came from."""

import pytest

from router.errors import RequestError
from router.policy.effective import effective
from router.policy.load import Loaded, load_text
from tests.policy.books import Book

TEXT = """version: 1
providers: {openai: {}, gemini: {}}
policies:
  fast:
    description: Short answers.
    targets:
      - openai/small
      - model: openai/large
        timeout: {attempt: 9s}
      - policy: slow
    rules:
      - name: night
        when: {local_time: {from: "22:00", to: "06:00"}}
        policy: slow
      - {name: long, when: {input_tokens: {over: 60k}}, targets: [gemini/flash]}
    retry: {attempts: 3}
    timeout: {attempt: 8s}
    ceiling: {output_tokens: 1k}
    cache: {ttl: 90m, sampled: true, serve_stale_on_error: 1d}
    budget: {per_day: $25}
    params: {temperature: 0.5}
  slow:
    targets: [openai/large]
    retry: off
"""


def loaded() -> Loaded:
    return load_text(TEXT, Book(), file="a.yaml")


def test_every_value_and_its_place() -> None:
    rows = [(each.name, each.text, str(each.place or "built in")) for each in effective(loaded(), "fast")]
    assert rows == [
        ("description", "Short answers.", "a.yaml:5:5"),
        ("targets.1", "openai/small", "a.yaml:7:9"),
        ("targets.2", "{model: openai/large, timeout: {attempt: 9s}}", "a.yaml:8:9"),
        ("targets.3", "{policy: slow}", "a.yaml:10:9"),
        ("rules.night.when", '{local_time: {from: "22:00", to: "06:00"}}', "a.yaml:13:9"),
        ("rules.night.policy", "slow", "a.yaml:14:9"),
        ("rules.long.when", "{input_tokens: {over: 60k}}", "a.yaml:15:22"),
        ("rules.long.targets.1", "gemini/flash", "a.yaml:15:67"),
        (
            "fall_back_on",
            "[transient, auth, quota, not_found, context_window, invalid_output, over_budget, over_limit]",
            "built in",
        ),
        ("retry.attempts", "3", "a.yaml:16:13"),
        ("retry.backoff", "exponential", "built in"),
        ("retry.base", "200ms", "built in"),
        ("retry.max", "2s", "built in"),
        ("retry.on", "[transient]", "built in"),
        ("timeout.total", "1m", "built in"),
        ("timeout.attempt", "8s", "a.yaml:17:15"),
        ("timeout.stream", "10m", "built in"),
        ("ceiling.input_tokens", "none", "built in"),
        ("ceiling.output_tokens", "1k", "a.yaml:18:15"),
        ("ceiling.attempts", "none", "built in"),
        ("cache.ttl", "90m", "a.yaml:19:13"),
        ("cache.scope", "tenant", "built in"),
        ("cache.sampled", "true", "a.yaml:19:23"),
        ("cache.serve_stale_on_error", "1d", "a.yaml:19:38"),
        ("budget.per_day", "$25", "a.yaml:20:14"),
        ("params.temperature", "0.5", "a.yaml:21:14"),
    ]


def test_off_is_one_line() -> None:
    rows = {each.name: (each.text, each.place) for each in effective(loaded(), "slow")}
    assert rows["retry"][0] == "off"
    assert str(rows["retry"][1]) == "a.yaml:24:5"
    assert rows["cache"] == ("off", None)
    assert rows["timeout.attempt"] == ("what is left of total", None)


def test_an_unknown_policy() -> None:
    with pytest.raises(RequestError, match="there is no policy `fats`") as raised:
        effective(loaded(), "fats")
    assert raised.value.help == "did you mean `fast`?"


def test_policies_with_errors_are_not_in_effect() -> None:
    with pytest.raises(ValueError, match="nothing is in effect"):
        effective(load_text("version: 2\n", Book()), "fast")


def test_what_a_store_that_fails_does_is_told_where_the_files_speak_of_it() -> None:
    text = TEXT.replace("policies:\n", "settings: {on_store_error: {ledger: open}}\npolicies:\n", 1)
    rows = effective(load_text(text, Book(), file="a.yaml"), "fast")
    assert [(each.name, each.text, str(each.place or "built in")) for each in rows[-4:]] == [
        ("settings.on_store_error.ledger", "open", "a.yaml:3:29"),
        ("settings.on_store_error.limiter", "closed", "built in"),
        ("settings.on_store_error.health", "open", "built in"),
        ("settings.on_store_error.cache", "open", "built in"),
    ]
    assert not any(each.name.startswith("settings") for each in effective(loaded(), "fast"))


def test_warnings_are_told_where_the_text_of_the_window_does_not() -> None:
    text = TEXT.split("policies:", maxsplit=1)[0] + (
        "policies:\n"
        "  fast:\n"
        "    targets: [openai/small]\n"
        "    ceiling: {output_tokens: 400}\n"
        "    budget: {per_request: $1, per_day: $25, per_month: {at_most: $90, warn_at: [70%]}, warn_at: [50%, 80%]}\n"
    )
    rows = {each.name: each.text for each in effective(load_text(text, Book(), file="a.yaml"), "fast")}
    assert rows["budget.per_request"] == "$1"
    assert rows["budget.per_day"] == "$25 (warns at 50%, 80%)"
    assert rows["budget.per_month"] == "{at_most: $90, warn_at: [70%]}"
