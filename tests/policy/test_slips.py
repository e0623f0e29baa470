"""Slips of people who come from elsewhere: each is told in a line that says what to write here."""

import re

import pytest

from router.policy.guesses import _KINDS, habit
from router.policy.kinds import KINDS
from router.policy.load import load_text
from tests.policy.books import Book

GOOD = """version: 1
providers: {openai: {}}
policies:
  fast:
    targets: [openai/small]
    retry: {attempts: 2}
    timeout: {total: 30s}
    ceiling: {output_tokens: 1k}
    params: {temperature: 0}
    budget: {per_day: $25}
tenants:
  acme:
    policies: all
    limits: {requests_per_minute: 600}
"""

SLIPS = {
    ("version: 1", 'version: "1"'): "`version` is a number, not text; take the quotes out: `version: 1`",
    (
        "attempts: 2",
        'attempts: "2"',
    ): "`attempts` must be a number of sends, not `2`; a number has no quotes: `2`",
    ("temperature: 0", "temperature: hot"): "`temperature` must be a number, not text; "
    "parameters have OpenAI's names and forms",
    (
        "temperature: 0",
        "max_tokens: 1k",
    ): "`max_tokens` must be a whole number, not text; write it out: `1000`",
    (
        "temperature: 0",
        "tools: {}",
    ): "`tools` must be a list, not a map; parameters have OpenAI's names and forms",
    ("temperature: 0", "stop: 3"): "`stop` must be text or a list, not a whole number; "
    "parameters have OpenAI's names and forms",
    ("per_day", "per_minute"): "unknown key `per_minute` in a budget; "
    "here that is `per_hour` at the least; rates stand in `limits`",
    ("per_day: $25", "tokens_per_minute: 3k"): "unknown key `tokens_per_minute` in a budget; "
    "here that is a rate: `limits: {requests_per_minute: 600, tokens_per_minute: 200k}`",
    ("requests_per_minute", "requests_per_day"): "unknown key `requests_per_day` in limits; "
    "here that is a budget: `budget: {requests_per_day: 10k}`",
    ("per_day: $25", "requests_per_request: 3"): "unknown key `requests_per_request` in a budget; "
    "here that is the number of sends of one request: `ceiling: {attempts: 3}`",
    ("per_day: $25", "per_year: $25"): "unknown key `per_year` in a budget; "
    "here that is `per_month` at the longest, or `in_total`, which never refills",
    ("per_day: $25", "tokens_per_quarter: 9M"): "unknown key `tokens_per_quarter` in a budget; "
    "here that is `tokens_per_month` at the longest, or `tokens_in_total`, which never refills",
    ("per_day: $25", "per_dya: $25"): "unknown key `per_dya` in a budget; did you mean `per_day`?",
    (
        "per_day: $25",
        "per_fortnight: $25",
    ): "unknown key `per_fortnight` in a budget; "
    "keys here: enforce, in_total, per_day, per_hour, per_month, per_request, per_week, pool, requests_in_total, "
    "requests_per_day, requests_per_hour, requests_per_month, requests_per_week, rolling, tokens_in_total, "
    "tokens_per_day, tokens_per_hour, tokens_per_month, tokens_per_request, tokens_per_week, warn_at, when_spent",
    ("requests_per_minute", "requests_per_year"): "unknown key `requests_per_year` in limits; "
    "here that is a budget, of a month at the longest: `budget: {requests_per_month: 10k}`",
    ("requests_per_minute: 600", "enforce: shadow"): "`limits` names no window for `enforce` to hold for; "
    "write a rate: `requests_per_minute: 600`",
    ("per_day: $25", "enforce: shadow"): "`budget` names no window for `enforce` to hold for; "
    "write an amount for a window: `per_day: $25`",
    (
        "{openai: {}}",
        "{openai: {models: {small: {limits: {requests_per_day: 5}}}}}",
    ): "unknown key `requests_per_day` "
    "in limits; here that is a budget, and a model has none: `budget: {requests_per_day: 10k}` of its provider holds "
    "for all of that together",
    (
        "{openai: {}}",
        "{openai: {keys: [{env: K, limits: {tokens_per_day: 5}}]}}",
    ): "unknown key `tokens_per_day` in "
    "limits; here that is a budget, and a key has none: `budget: {tokens_per_day: 2M}` of its provider holds for all "
    "of that together",
    (
        "{openai: {}}",
        "{openai: {keys: {env: OUR_KEY}}}",
    ): "`keys` must be a list of keys, not a value that is not shown here; write a list: `[{env: OUR_KEY}]`",
    (
        "{openai: {}}",
        "{openai: {keys: OUR_KEY}}",
    ): "`keys` must be a list of keys, not a value that is not shown here; write a list: `[{env: OUR_KEY}]`",
    (
        "{openai: {}}",
        "{openai: {keys: correct-horse-2}}",
    ): "`keys` must be a list of keys, not a value that is not shown here; write a list: `[{env: NAME}]`",
    (
        "per_day: $25",
        "tokens_per_day: 99999999999M",
    ): "`tokens_per_day` must be a count or a map, not `99999999999M`; "
    "that is too large: at most `999999999999`",
    (
        "per_day: $25",
        "tokens_per_day: 1000000000000",
    ): "`tokens_per_day` must be a count or a map, not "
    "`1000000000000`; that is too large: at most `999999999999`",
    (
        "per_day: $25",
        "per_day: $1000000000",
    ): "`per_day` must be an amount of money or a map, not `$1000000000`; "
    "that is too large: at most `$999999999`",
    (
        "per_day: $25",
        "per_day: {amount: $25}",
    ): "unknown key `amount` in a window of a budget; did you mean `at_most`?",
    ("attempts: 2}", "attempts: 2}\n    enforce: shadow"): "unknown key `enforce` in a policy; "
    "`enforce` belongs in limits, a window of limits, a budget, a window of a budget or a shared budget",
    ("requests_per_minute", "tokens_per_day"): "unknown key `tokens_per_day` in limits; "
    "here that is a budget: `budget: {tokens_per_day: 2M}`",
    ("requests_per_minute", "rpm"): "unknown key `rpm` in limits; here that is `requests_per_minute`",
    ("requests_per_minute", "tpm"): "unknown key `tpm` in limits; here that is `tokens_per_minute`",
    (
        "{per_day: $25}",
        "\n      per_day: 1,500",
    ): "`per_day` must be an amount of money or a map, not `1,500`; did you mean `$1500`?",
    ("{openai: {}}", "{openai: {kind: vllm}}"): "`kind` must be a kind of provider, not `vllm`; "
    "here that is `hosted_vllm`",
    ("{openai: {}}", "{openai: {}, vllm: {}}"): "provider `vllm` is of no known kind; "
    "say its kind: `vllm: {kind: hosted_vllm}`",
    (
        "{openai: {}}",
        "{openai: {base_url: localhost:11434}}",
    ): "`base_url` must be an address or a map, not a value "
    "that is not shown here; it must start with http:// or https:// and hold no credentials; or write `{env: NAME}`, "
    "`{file: PATH}`",
    (
        "total: 30s",
        "total: 30\u00a0s",
    ): "`30\\xa0s` holds a no-break space (U+00A0), which is no space to YAML; "
    "type a plain space in its place",
    (
        "total: 30s",
        "total:\u00a030s",
    ): "`total:\\xa030s` holds a no-break space (U+00A0), which is no space to YAML; "
    "type a plain space in its place",
    (
        "    targets:",
        "\u00a0   targets:",
    ): "`\\xa0   targets: [openai/small]` holds a no-break space (U+00A0), which is no space to YAML; "
    "type a plain space in its place",
}


def told(text: str) -> list[str]:
    return [f"{each.message}; {each.help}" for each in load_text(text, Book()).problems]


def test_without_a_slip_nothing_is_told() -> None:
    assert told(GOOD) == []


@pytest.mark.parametrize(("good", "slip"), SLIPS, ids=[slip for _, slip in SLIPS])
def test_a_slip_is_told_with_what_to_write(good: str, slip: str) -> None:
    assert GOOD.count(good) == 1
    assert SLIPS[good, slip] in told(GOOD.replace(good, slip))


def test_what_is_advised_in_place_of_a_window_is_accepted() -> None:
    """Followed to the letter: in the budget of the owner, or of the provider."""
    for of in ("", "model", "apiKey"):
        for unit in ("requests", "tokens"):
            here = habit("limits", f"{unit}_per_day", of=of)
            budget = re.search("`budget: (.+)`", here.advice if here else "")
            assert budget is not None
            provider = f"{{openai: {{budget: {budget[1]}}}}}"
            assert told(GOOD.replace("{openai: {}}", provider)) == []


def test_a_share_that_is_written_twice_is_told_once() -> None:
    twice = told(GOOD.replace("per_day: $25", "per_day: $25, warn_at: [50%, 50%]"))
    assert twice == ["`warn_at` names `50%` twice; keep one of them"]
    as_one = told(GOOD.replace("per_day: $25", "per_day: $25, warn_at: [50%, 50.0%]"))
    assert as_one == ["`50.0%` is not more than the share before it; let them rise: `warn_at: [50%, 80%]`"]


def test_what_a_kind_is_called_here_is_a_kind() -> None:
    assert set(_KINDS.values()) <= set(KINDS)
    assert not set(_KINDS) & set(KINDS)
