"""Committed pages are the printed ones, they agree with one another, and what they show is what a check says."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from router.policy.codes import CODES
from router.policy.forms import Block, ListOf, MapOf, Scalar, blocks, homes
from router.policy.load import load_text
from router.policy.source import read_text
from router.policy.table.root import ROOT
from router.resources import resource
from tests.pages import keys
from tests.pages.generated import CHECKOUT, GENERATED
from tests.pages.lint import OF_FILES, PAGE
from tests.policy.books import Book
from tests.policy.test_fixtures import TODAY

EXAMPLE = re.compile(
    r"^### ([a-z-]+)\n\n(.*?)\n\n```yaml bad\n(.*?)```\n\n```text\n(.*?)```\n\nInstead:\n\n```yaml good\n(.*?)```$",
    re.DOTALL | re.MULTILINE,
)


@pytest.mark.parametrize("path", GENERATED, ids=lambda path: path.relative_to(CHECKOUT).as_posix())
def test_what_is_committed_is_what_is_printed(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == GENERATED[path](), (
        "run `python -m tests.pages`, and commit what it wrote"
    )


def examples() -> Iterator[object]:
    sections = re.split(r"^(?=### )", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    for section in sections:
        if found := EXAMPLE.match(section):
            yield pytest.param(*found.groups(), id=found[1])


def told(code: str, text: str) -> str:
    loaded = load_text(text, Book(), file=f"{code}.yaml", today=TODAY)
    return "".join(f"{problem}\n" for problem in loaded.problems)


@pytest.mark.parametrize(("code", "says", "bad", "message", "good"), list(examples()))
def test_what_the_page_shows_is_what_a_check_says(
    code: str, says: str, bad: str, message: str, good: str
) -> None:
    assert told(code, bad) == message
    assert f"[{code}]" in message
    assert told(code, good) == ""
    assert CODES[code].why in says


def test_every_code_is_on_the_page() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert set(re.findall(r"^### (.+)$", page, re.MULTILINE)) == CODES.keys()
    assert {example.id for example in examples()} == CODES.keys() - OF_FILES.keys()  # type: ignore[attr-defined]


KEYS = keys.PAGE.read_text(encoding="utf-8")
SCHEMA = json.loads(resource("schemas/router.schema.json").read_text(encoding="utf-8"))


def test_page_schema_and_table_hold_the_same_keys() -> None:
    table = {block.ref: tuple(block.keys) for block in blocks(ROOT)}
    definitions = {ROOT.ref: SCHEMA, **SCHEMA["definitions"]}
    assert {ref: tuple(block["properties"]) for ref, block in definitions.items()} == table
    assert keys.rows(KEYS) == table


def test_the_index_of_keys_is_whole() -> None:
    index = KEYS.partition("## Every key")[2].partition("## Blocks")[0]
    found = {
        key: cell.count("](#") for key, cell in re.findall(r"^\| `(.+?)` \| (.+) \|$", index, re.MULTILINE)
    }
    assert found == {key: len(names) for key, names in homes(ROOT).items()}


def test_words_of_a_version_to_come_are_on_the_page_and_not_in_the_schema() -> None:
    for block in blocks(ROOT):
        definition = SCHEMA if block is ROOT else SCHEMA["definitions"][block.ref]
        assert not definition["properties"].keys() & set(block.later)
        section = re.search(rf"^### {block.ref}\n(.*?)(?=^##)", KEYS, re.DOTALL | re.MULTILINE)
        assert section is not None
        said = re.search(r"^Refused by name in this version: (.+)\.$", section[1], re.MULTILINE)
        assert tuple(re.findall("`(.+?)`", said[1] if said else "")) == block.later


def test_every_kind_of_value_has_a_name_of_its_own() -> None:
    """Of two that shared one, the page would show only the first."""

    def each(form: object) -> Iterator[Scalar]:
        match form:
            case Scalar():
                yield form
            case Block():
                yield from (found for key in form.keys.values() for found in each(key.form))
            case MapOf():
                yield from (*each(form.key), *each(form.value))
            case ListOf():
                yield from each(form.item)

    for scalar in each(ROOT):
        assert scalar in keys.scalars(ROOT)


def test_examples_are_written_as_they_are_read() -> None:
    forms = (*blocks(ROOT), *keys.scalars(ROOT))
    for example in (example for form in forms for example in form.examples):
        document = read_text(f"version: 1\nx: {keys.written(example)}\n", "x.yaml").document
        assert document is not None
        assert document.value["x"] == example


def test_links_lead_somewhere() -> None:
    headings = {found.lower() for found in re.findall(r"^#+ (.+)$", KEYS, re.MULTILINE)}
    assert set(re.findall(r"\]\(#(.+?)\)", KEYS)) <= headings
