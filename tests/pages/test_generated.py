"""Committed pages are the printed ones, and what they show is what a check says."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from router.policy.codes import CODES
from router.policy.load import load_text
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
