"""Slips of people who come from elsewhere: each is told in a line that says what to write here."""

import pytest

from router.policy.guesses import _KINDS
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


def test_what_a_kind_is_called_here_is_a_kind() -> None:
    assert set(_KINDS.values()) <= set(KINDS)
    assert not set(_KINDS) & set(KINDS)
