"""What YAML makes easy to get wrong, where policies are likely to have it, and what their author is told."""

import pytest

from router.policy.load import load_text
from router.policy.source import read_text
from tests.policy.books import Book

HEAD = "version: 1\nproviders: {openai: {}}\npolicies:\n  fast:\n    targets: [openai/small]\n"


def said(text: str) -> list[str]:
    problems = load_text(text, Book()).problems
    places = ((each, f"{each.place.line}:{each.place.column}") for each in problems)
    return [f"{place} {each.code}: {each.message}; {each.help}" for each, place in places]


TRAPS = {
    "budget: {per_month: $1,500}": (
        "6:28 comma-in-amount: `$1,500` reads as the amount `$1` and a key `500`; write `$1500`"
    ),
    "ceiling: {input_tokens: 1,500}": (
        "6:31 comma-in-amount: `1,500` reads as the number `1` and a key `500`; "
        "write `1500`, or `$1500` where it is money"
    ),
    "budget: {per_day: $1,500.00}": (
        "6:26 comma-in-amount: `$1,500.00` reads as the amount `$1` and a key `500.00`; write `$1500.00`"
    ),
    "budget: {per_day:$25}": (
        "6:14 space-after-colon: `per_day:$25` is one word to YAML; put a space after the colon: `per_day: ...`"
    ),
    "budget:\n      per_day:$25": (
        "7:7 space-after-colon: `per_day:$25` is one word to YAML; put a space after the colon: `per_day: ...`"
    ),
    "budget:\n      per_day:$25\n      per_month: $500": (
        "7:7 space-after-colon: `per_day:$25` is one word to YAML; put a space after the colon: `per_day: ...`"
    ),
    "allow: !openai/*": (
        "6:12 tag: `!openai/*` is a YAML tag, and policies have none; "
        "`!` starts a YAML tag; quote a text that begins with it"
    ),
    "allow: [!openai/*]": (
        "6:13 tag: a broken YAML tag; `!` starts a YAML tag; quote a text that begins with it"
    ),
    "allow: *": (
        "6:12 anchor: `*` is an alias, and policies have none; write the value where it holds; what policies share "
        'goes into a policy that others name; quote a text that begins with `*`: "*..."'
    ),
    "retry: &usual {attempts: 2}": (
        "6:12 anchor: `&usual` is an anchor, and policies have none; write the value where it holds; what policies "
        "share goes into a policy that others name"
    ),
    "<<: {retry: off}": (
        "6:5 merge-key: `<<` is not part of YAML 1.2; write the values out, or name a policy with `{policy: ...}`"
    ),
    "ceiling: {input_tokens: >60k}": (
        "6:29 yaml: `>` and `|` start a text of several lines; "
        "write a bound as a map: `{over: 60k}`, `{up_to: 60k}`"
    ),
    "ceiling:\n      input_tokens: >60k": (
        "7:21 yaml: `>` and `|` start a text of several lines; "
        "write a bound as a map: `{over: 60k}`, `{up_to: 60k}`"
    ),
    "cache: {ttl: 1h, sampled: on}": (
        "6:31 wrong-form: `sampled` must be true or false, not `on`; write `true`: to YAML 1.2 `on` is text"
    ),
    "cache: {ttl: 1h, sampled: no}": (
        "6:31 wrong-form: `sampled` must be true or false, not `no`; write `false`: to YAML 1.2 `no` is text"
    ),
    "ceiling: {input_tokens: 0755}": (
        "6:29 ambiguous-scalar: `0755` is an octal number to some YAML readers; "
        "leave out the leading zeros, or quote it where it is a name"
    ),
    "description: 2026-11-30": (
        "6:18 ambiguous-scalar: `2026-11-30` is a date to some YAML readers; quote it"
    ),
    "ceiling: {input_tokens: 1_000}": (
        "6:29 ambiguous-scalar: `1_000` is text here and a number to some YAML readers; "
        "write `1000`, or with a unit: `200k`, `1.5M`"
    ),
    "timeout: {total: 1:30}": (
        "6:22 ambiguous-scalar: `1:30` is a number in base 60 to some YAML readers; "
        'quote a time of day: "1:30"; write a duration with one unit: `90s`, `1.5m`'
    ),
    "timeout: {total: 30}": (
        "6:22 wrong-form: `total` must be a duration, not the number `30`; say the unit: `30s`, `30ms`"
    ),
    "description: 4.10": (
        '6:18 wrong-form: `description` must be text, not `4.10`, which is the number `4.1`; quote it: "4.10"'
    ),
    "description:": "6:5 empty-value: `description` has no value; give it one, or take the key out",
    "description: ~": "6:18 empty-value: an empty value; give it one, or take the key out",
    "description: null": "6:18 empty-value: an empty value; give it one, or take the key out",
    "budget:\n\tper_day: $25": (
        "7:1 yaml: a tab in the indentation; indent with spaces; YAML allows no tabs there"
    ),
    "targets:\n      - openai/small\n\t  - openai/large": (
        "7:1 yaml: a tab in the indentation; indent with spaces; YAML allows no tabs there"
    ),
    "description: %80": "6:18 yaml: a value can't begin with `%`; write the share as `80%`",
    "description: @home": "6:18 yaml: a value can't begin with `@`; quote the value",
    "description: `x`": "6:18 yaml: a value can't begin with a backtick; quote the value",
    "description: a: b": (
        "6:19 yaml: a second `key: value` on one line, or a wrong indentation; "
        "quote a text that holds `: `, and check the indentation around here"
    ),
    "targets: - openai/small": (
        "5:14 yaml: a list can't begin on the line of its key; "
        "write its items on the lines below, each `- item`, or the list in brackets: `[a, b]`"
    ),
    "targets: [openai/small, , openai/large]": (
        "5:29 yaml: nothing where a value belongs; take out a comma too many, or write the value"
    ),
    'description: "C:\\dir"': (
        "6:21 yaml: a backslash that escapes nothing; "
        "in double quotes `\\` starts an escape: write `\\\\`, or use single quotes"
    ),
    'description: "it': (
        "6:18 yaml: a quote that is never closed; check the indentation, brackets and quotes around here"
    ),
    "params: {temperature: .inf}": (
        "6:27 wrong-form: `.inf` is not a number a policy can hold; write a finite number"
    ),
    "on: [timeout]": "6:5 unknown-key: unknown key `on` in a policy; `on` belongs in a retry rule",
}


@pytest.mark.parametrize("trap", TRAPS)
def test_a_trap_is_one_problem_in_plain_words(trap: str) -> None:
    head = HEAD if not trap.startswith("targets") else HEAD.replace("    targets: [openai/small]\n", "")
    assert said(f"{head}    {trap}\n") == [TRAPS[trap]]


ENV = "version: 1\nproviders:\n  openai: {keys: [{env:OPENAI_API_KEY}]}\n"
KEYS = {
    ENV: "3:20 space-after-colon: `env:OPENAI_API_KEY` is one word to YAML; put a space after the colon: `env: ...`",
    "version: 1\nproviders:\n  openai: {models: {4.10: {}}}\n": (
        '3:21 key-not-text: the key `4.10` reads as the number `4.1`; quote it: "4.10"'
    ),
    "version: 1\nproviders:\n  ~: {}\n": '3:3 key-not-text: the key `~` reads as nothing; quote it: "~"',
    "version: 1\ntenants:\n  2026-11-30: {policies: all}\n": (
        "3:3 ambiguous-scalar: `2026-11-30` is a date to some YAML readers; quote it"
    ),
    "version: 1\ntenants:\n  ? [acme]\n  : {}\n": "3:5 key-not-text: a key must be text; write `key: value`",
    "version: 1\n%FOO\n": "2:1 yaml: `%FOO` is a YAML directive, and policies need none; take the line out",
    "%FOO\n---\nversion: 1\n": "1:1 yaml: `%FOO` is a YAML directive, and policies need none; take the line out",
    "%YAML 1.3\n---\nversion: 1\n": (
        "1:1 yaml: `%YAML 1.3` is a YAML directive, and policies need none; take the line out"
    ),
    "%YAML 1.1\n---\nversion: 1\n": "1:1 yaml: `%YAML 1.1`: policies are YAML 1.2; take the line out",
    "%TAG ! tag:x,2026:\n---\nversion: 1\n": "1:1 tag: `%TAG`: policies have no tags; take the line out",
    "version: 1\n...\nproviders: {}\n": "3:1 yaml: text after the end of the document; one document a file",
    "version: 1\n---\nversion: 1\n": "2:1 second-document: a second document; one document a file",
    "version: 1\n" + "k" * 1100 + ": 1\n": (
        "2:1101 yaml: a key of more than 1024 characters; give it a shorter name"
    ),
    "version: 1\r\nproviders: {a\x85: {}}\r\n": "2:14 yaml: a character no policy needs (U+0085); delete it",
    "version: 1\rproviders:\r  a\x0c: {}\r": "3:4 yaml: a character no policy needs (U+000C); delete it",
    "\ufeffversion: 1\npolicies: \ufeff{}\n": "2:11 yaml: a character no policy needs (U+FEFF); delete it",
    "version: 1\n# 🙂🙂 \u202e\n": "2:6 yaml: a character no policy needs (U+202E); delete it",
}


@pytest.mark.parametrize("text", KEYS, ids=lambda text: repr(text[:40]))
def test_a_file_that_goes_wrong_is_one_problem_at_its_place(text: str) -> None:
    assert said(text) == [KEYS[text]]


@pytest.mark.parametrize("line_break", ["\n", "\r\n", "\r"])
def test_columns_count_characters_and_lines_end_as_they_may(line_break: str) -> None:
    text = line_break.join(['🙂: {"🙂🙂": *x}', "é:", "  - 'ü'", "  - &a b", ""])
    found = read_text(f"\ufeff{text}", "a.yaml").problems
    assert [(each.place.line, each.place.column) for each in found] == [(1, 11), (4, 5)]


@pytest.mark.parametrize("first", ["~", "*x", "&y 1", "1_000", "[*z]"])
def test_a_key_that_stands_twice_is_told_whatever_became_of_the_first(first: str) -> None:
    found = read_text(f"a: {first}\na: 2\n", "a.yaml").problems
    assert (found[-1].code, found[-1].place.line, str(found[-1].also)) == ("duplicate-key", 2, "a.yaml:1:1")
    assert len(found) == 2


def test_a_text_that_is_good_as_a_value_is_no_good_key_for_that() -> None:
    found = read_text("a: <<\nb: {<<: {c: 1}}\n", "a.yaml").problems
    assert [(each.code, each.place.line) for each in found] == [("merge-key", 2)]
