"""Every code has a bad document with its exact messages, and a good one with none."""

import ast
import re
from collections.abc import Iterator
from datetime import date
from inspect import unwrap
from pathlib import Path

import pytest

from router.policy.codes import CODES
from router.policy.load import load_text
from tests.policy.books import Book

FIXTURES = Path(__file__).parent / "fixtures"
TODAY = date(2026, 12, 1)
OF_FILES = {"no-policies", "unreadable", "encoding", "lock-drift"}  # in test_load.py and test_lock.py


def problems(code: str, which: str) -> tuple[str, ...]:
    text = (FIXTURES / f"{code}.{which}.yaml").read_text(encoding="utf-8")
    loaded = load_text(text, Book(), file=f"{code}.yaml", today=TODAY)
    return tuple(str(problem) for problem in loaded.problems)


@pytest.mark.parametrize("code", sorted(CODES.keys() - OF_FILES))
def test_a_bad_document_says_exactly_this(code: str) -> None:
    found = problems(code, "bad")
    assert any(f"[{code}]" in problem for problem in found)
    assert "\n".join(found) + "\n" == (FIXTURES / f"{code}.bad.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("code", sorted(CODES.keys() - OF_FILES))
def test_a_good_document_says_nothing(code: str) -> None:
    assert problems(code, "good") == ()


def test_no_fixture_is_left_over() -> None:
    named = {path.name.split(".")[0] for path in FIXTURES.iterdir()}
    assert named == CODES.keys() - OF_FILES


@pytest.mark.parametrize("code", sorted(CODES))
def test_codes_are_kebab_case_and_explained(code: str) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", code)
    what, why = CODES[code].what, CODES[code].why
    assert what[0].islower() or what[0] == "`"
    assert not what.endswith(".")
    assert why[0].isupper() or why[0] == "`"
    assert why.endswith(".")


@pytest.mark.parametrize("code", sorted(CODES.keys() - OF_FILES))
def test_a_code_has_the_severities_it_says(code: str) -> None:
    """`docs/lint.md` and SARIF print them."""
    shown = {
        line.split(": ")[1]
        for problem in problems(code, "bad")
        if (line := problem.partition("\n")[0]).endswith(f"[{code}]")
    }
    assert shown <= set(CODES[code].severities)
    assert set(CODES[code].severities) <= {"error", "warning", "note"}


def test_only_listed_codes_are_used() -> None:
    package = Path(unwrap(load_text).__code__.co_filename).parent
    used = {code for path in package.rglob("*.py") for code in codes_in(ast.parse(path.read_text("utf-8")))}
    assert used == CODES.keys()


def codes_in(tree: ast.AST) -> Iterator[str]:
    """The codes that calls make problems of: the first text among their arguments, or `code=`."""
    makers = {"Fault", "Problem", "problem", "_refused"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in makers:
            named = [each.value for each in node.keywords if each.arg == "code"]
            texts = [each.value for each in (*named, *node.args) if isinstance(each, ast.Constant)]
            yield from (str(text) for text in texts[:1])
