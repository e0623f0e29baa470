"""Form, names and meaning are told in one run, and one mistake is told once."""

from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from router.policy.document import Path as Way
from router.policy.forms import Block, form_at
from router.policy.load import load, load_text
from router.policy.source import read_text
from router.policy.table.root import ROOT
from router.policy.traps import written
from tests.policy.books import Book

HEAD = "version: 1\nproviders: {openai: {}}\n"


def codes(text: str) -> list[tuple[int, str]]:
    return [(found.place.line, found.code) for found in load_text(text, Book()).problems]


def in_folder(folder: Path, **files: str) -> list[tuple[str, int, str]]:
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    found = load(folder, Book()).problems
    return [(Path(each.place.file).stem, each.place.line, each.code) for each in found]


def test_form_names_and_meaning_are_told_together() -> None:
    text = HEAD + (
        "policies:\n"
        "  formless: {targets: [openai/small], retries: 3}\n"
        "  nameless: {targets: [{policy: nowhere}]}\n"
        "  meaningless: {targets: [openai/small, openai/small], cache: {ttl: 1h}}\n"
        "  sound: {targets: [openai/small], cache: {ttl: 1h}}\n"
        "  refused: {targets: [openai/small], cache: &c {ttl: 1h}}\n"
    )
    assert codes(text) == [
        (4, "unknown-key"),
        (5, "dangling-name"),
        (6, "target-written-twice"),
        (7, "sampled-cache"),
        (8, "anchor"),
    ]


def test_a_policy_with_an_error_silences_only_what_leads_to_it() -> None:
    text = HEAD + (
        "policies:\n"
        "  wrong: {targets: [openai/small], cache: {ttl: 1h}, retry: 3}\n"
        "  above: {targets: [openai/small, {policy: wrong}], cache: {ttl: 1h}}\n"
        "  higher: {targets: [openai/small, {policy: above}], cache: {ttl: 1h}}\n"
        "  aside: {targets: [openai/small], cache: {ttl: 1h}}\n"
    )
    assert codes(text) == [(4, "wrong-form"), (7, "sampled-cache")]


def test_a_provider_with_an_error_silences_the_policies_that_use_it() -> None:
    text = (
        "version: 1\nproviders:\n  openai: {budget: {per_day: 25}}\n  gemini: {}\npolicies:\n"
        "  one: {targets: [openai/small], cache: {ttl: 1h}}\n"
        "  other: {targets: [gemini/flash], cache: {ttl: 1h}}\n"
    )
    assert codes(text) == [(3, "wrong-form"), (7, "sampled-cache")]


def test_a_tenant_with_an_error_still_grants() -> None:
    text = HEAD + (
        "policies:\n"
        "  fast: {targets: [openai/small], cache: {ttl: 1h}}\n"
        "  slow: {targets: [openai/small]}\n"
        "tenants:\n"
        "  acme: {policies: [fast], budget: {per_day: 25}}\n"
    )
    assert codes(text) == [(4, "sampled-cache"), (7, "wrong-form")]
    assert codes(text.replace(": 25", ": $25")) == [
        (4, "no-output-ceiling"),
        (4, "sampled-cache"),
        (5, "uncallable-policy"),
    ]


def test_what_a_file_that_is_no_yaml_may_declare_is_not_missed(tmp_path: Path) -> None:
    good = (
        "version: 1\nproviders: {openai: {}}\n"
        "policies:\n"
        "  fast: {targets: [openai/small, nowhere/x, {policy: slow}], cache: {ttl: 1h}}\n"
        "  mine: {targets: [openai/small], cache: {ttl: 1h}}\n"
        "tenants:\n"
        "  acme/search: {policies: [slow]}\n"
        "settings: {default_policy: slow}\n"
    )
    assert in_folder(tmp_path, a=good, b="policies: [1\n") == [("a", 5, "sampled-cache"), ("b", 1, "yaml")]
    assert in_folder(tmp_path, a=good, b="version: 1\n") == [
        ("a", 4, "undeclared-provider"),
        ("a", 4, "dangling-name"),
        ("a", 5, "sampled-cache"),
        ("a", 7, "undeclared-ancestor"),
        ("a", 7, "dangling-name"),
        ("a", 8, "dangling-name"),
    ]


def test_a_refused_entry_still_declares_its_name() -> None:
    text = (
        "version: 1\n"
        "providers: {openai: {}, gemini: &g {}, groq: ~}\n"
        "policies:\n"
        "  fast: {targets: [groq/x, {policy: slow}]}\n"
        "  slow: !x\n"
        "tenants:\n"
        "  acme: null\n"
        "  acme/a: {policies: [slow, slow2]}\n"
    )
    assert codes(text) == [
        (2, "anchor"),
        (2, "empty-value"),
        (5, "tag"),
        (7, "empty-value"),
        (8, "dangling-name"),
    ]


@pytest.mark.parametrize(
    "wrong",
    ["providers: [openai]", "providers: openai", "providers:", "providers: !x a", "provider: {openai: {}}"],
)
def test_a_block_that_can_not_be_read_may_declare_anything(wrong: str) -> None:
    text = f"version: 1\n{wrong}\npolicies:\n  fast: {{targets: [openai/small, {{policy: slow}}]}}\n"
    assert [line for line, _ in codes(text)] == [2, 4]
    assert codes(text)[1] == (4, "dangling-name")


def test_a_name_that_is_declared_twice_is_told_even_where_one_can_not_be_read(tmp_path: Path) -> None:
    one = HEAD + "policies:\n  fast: {targets: [openai/small]}\n"
    found = in_folder(tmp_path, a=one, b="version: 1\npolicies:\n  fast: {targets: []}\n")
    assert found == [("b", 3, "duplicate-name"), ("b", 3, "wrong-form")]


def test_what_all_entries_add_up_to_is_asked_only_where_all_are_known() -> None:
    """Whether `slow` is callable depends on what `other` may call."""
    text = HEAD + (
        "policies:\n  fast: {targets: [openai/small]}\n  slow: {targets: [openai/small]}\n"
        "tenants:\n  acme: {policies: [fast]}\n  other: {policies: [fast]}\n"
    )
    assert codes(text) == [(5, "uncallable-policy")]
    assert codes(text.replace("other: {policies: [fast]}", "other: {policies: ~}")) == [(8, "empty-value")]
    assert codes(text.replace("other: {policies: [fast]}", "other: {policies: fast}")) == [(8, "wrong-form")]


def test_a_pool_that_is_wrong_makes_nothing_else_wrong() -> None:
    text = HEAD + (
        "policies:\n"
        "  fast:\n"
        "    targets: [openai/small]\n"
        "    ceiling: {output_tokens: 400}\n"
        "    rules:\n"
        "      - {name: spent, when: {budget_used: {of: tenant, window: per_day, over: 80%}}, reject: spent}\n"
        "budgets:\n"
        "  canary: {per_day: $25}\n"
        "tenants:\n"
        "  acme: {policies: [fast], budget: {pool: canary}}\n"
    )
    assert codes(text) == []
    assert codes(text.replace("$25", "25")) == [(10, "wrong-form")]
    assert codes(text.replace("{per_day: $25}", "~")) == [(10, "empty-value")]
    assert codes(text.replace("canary: {", "canary: &x {")) == [(10, "anchor")]
    assert codes(text.replace("budgets:", "budget:")) == [(9, "unknown-key")]


# --- One mistake, one problem -----------------------------------------------------------------------------------------

GOOD = sorted((Path(__file__).parent / "fixtures").glob("*.good.yaml"))
NOTHING = "nothing-here"


def documents() -> Iterator[Any]:
    for path in GOOD:
        document = read_text(path.read_text(encoding="utf-8"), path.name).document
        assert document is not None
        yield pytest.param(document.value, id=path.name.removesuffix(".good.yaml"))


def ways(value: Any, way: Way = ()) -> Iterator[Way]:
    """Every path to the value of a key."""
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, below in steps:
        if isinstance(step, str):
            yield (*way, step)
        yield from ways(below, (*way, step))


def with_value(document: Any, way: Way, value: Any) -> Any:
    changed = deepcopy(document)
    block = changed
    for step in way[:-1]:
        block = block[step]
    block[way[-1]] = value
    return changed


def with_key(document: Any, way: Way, key: str) -> Any:
    """The same document with another word for the last key, at the same place."""
    changed = deepcopy(document)
    block = changed
    for step in way[:-1]:
        block = block[step]
    entries = list(block.items())
    block.clear()
    block.update((key if name == way[-1] else name, value) for name, value in entries)
    return changed


def told(document: Any) -> list[str]:
    text = written(document).replace(NOTHING, "~")
    return [f"{found.code}: {found.message}" for found in load_text(text, Book()).problems]


@pytest.mark.parametrize("document", tuple(documents()))
def test_a_value_that_nobody_wrote_is_one_problem(document: Any) -> None:
    for way in ways(document):
        assert told(with_value(document, way, NOTHING)) in (
            ["empty-value: an empty value"],
            [f"empty-value: `{way[-1]}` has no value"],
        ), way


@pytest.mark.parametrize("document", tuple(documents()))
def test_a_value_of_the_wrong_form_is_one_problem(document: Any) -> None:
    for way in ways(document):
        if "params" not in way:
            assert len(told(with_value(document, way, [[[]]]))) == 1, way


@pytest.mark.parametrize("document", tuple(documents()))
def test_a_misspelt_key_is_one_problem(document: Any) -> None:
    for way in ways(document):
        form = form_at(ROOT, way[:-1])
        if isinstance(form, Block):
            found = told(with_key(document, way, f"{way[-1]}x"))
            assert [each.partition(":")[0] for each in found] == ["unknown-key"], way
