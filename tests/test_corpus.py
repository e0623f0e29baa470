"""Policy sets as teams write them: each says at the end of a line what is wrong there, and nothing else is found.

A broken set is a folder of `tests/corpus`. An offending line ends in `# expect: CODE`, or `CODE@COLUMN` where the
column is stated too, with commas between several. Where a comment can't stand, `.expect` in the folder has lines
`FILE:LINE[:COLUMN] CODE`, and `FILE CODE` for what is said of a whole file. The sets of `tests/corpus/good` are what
the broken ones should have been, and near misses of them: of those nothing at all is said.
"""

import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import NamedTuple

import pytest

from router.errors import Problem
from router.policy.codes import CODES
from router.policy.load import load
from tests.policy.books import Book

CORPUS = Path(__file__).parent / "corpus"
TODAY = date(2026, 12, 1)
BROKEN = sorted(path for path in CORPUS.iterdir() if path.is_dir() and path.name != "good")
GOOD = sorted(path for path in (CORPUS / "good").iterdir() if path.is_dir())

COMMENT = re.compile(r"# expect: (.+)$")
ITEM = re.compile(r"([a-z-]+)(?:@(\d+))?")
LINE = re.compile(r"(?P<file>[^:\s]+)(?::(?P<line>\d+))?(?::(?P<column>\d+))? (?P<code>[a-z-]+)")


class Expected(NamedTuple):
    """A problem that must be found; the column is 0 where it is not stated, the line where it is of a whole file."""

    file: str
    line: int
    code: str
    column: int = 0

    @property
    def at(self) -> tuple[str, int, str]:
        return (self.file, self.line, self.code)

    def __str__(self) -> str:
        return f"{self.file}:{self.line}{f':{self.column}' if self.column else ''} {self.code}"


def expected(folder: Path) -> list[Expected]:
    return [
        *(each for path in sorted(folder.rglob("*.y*ml")) for each in _in_comments(path, folder)),
        *(_listed(line) for line in _lines(folder / ".expect") if line.strip()),
    ]


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []


def _in_comments(path: Path, folder: Path) -> Iterator[Expected]:
    for number, line in enumerate(_lines(path), start=1):
        if said := COMMENT.search(line):
            for item in said[1].split(","):
                match = ITEM.fullmatch(item.strip())
                assert match, f"{path}:{number}: `{item}` is no expectation"
                yield Expected(path.relative_to(folder).as_posix(), number, match[1], int(match[2] or 0))


def _listed(line: str) -> Expected:
    match = LINE.fullmatch(line)
    assert match, f"`{line}` is no expectation"
    return Expected(match["file"], int(match["line"] or 0), match["code"], int(match["column"] or 0))


def found(folder: Path) -> list[Problem]:
    return list(load(folder, Book(), today=TODAY).problems)


def at(problem: Problem, folder: Path) -> tuple[str, int, str]:
    return (Path(problem.place.file).relative_to(folder).as_posix(), problem.place.line, problem.code)


def differences(folder: Path) -> list[str]:
    """What was expected and not found, at its column where that is stated; and what was found unexpected."""
    wanted, problems = expected(folder), found(folder)
    places = {at(problem, folder) for problem in problems}
    columns = {(*at(problem, folder), problem.place.column) for problem in problems}
    return [
        *(f"missing: {each}" for each in wanted if each.at not in places),
        *(
            f"elsewhere on its line: {each}"
            for each in wanted
            if each.column and each.at in places and (*each.at, each.column) not in columns
        ),
        *(f"extra: {problem}" for problem in problems if at(problem, folder) not in {w.at for w in wanted}),
    ]


@pytest.mark.parametrize("folder", BROKEN, ids=lambda folder: folder.name)
def test_what_is_wrong_is_found_and_nothing_else(folder: Path) -> None:
    assert expected(folder)
    assert "\n".join(differences(folder)) == ""


@pytest.mark.parametrize("folder", GOOD, ids=lambda folder: folder.name)
def test_of_a_good_set_nothing_is_said(folder: Path) -> None:
    assert expected(folder) == []
    assert "\n".join(str(problem) for problem in found(folder)) == ""


def test_the_corpus_is_wide() -> None:
    wanted = {folder: expected(folder) for folder in BROKEN}
    codes = {each.code for found in wanted.values() for each in found}
    assert len(BROKEN) >= 280
    assert len([folder for folder, found in wanted.items() if any(each.column for each in found)]) >= 250
    assert len(GOOD) >= 40
    assert codes <= CODES.keys()
    assert len(codes) >= 58


def test_the_comparison_sees_what_is_missing_misplaced_and_extra(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(
        "version: 1\n"
        "providers: {openai: {}}\n"
        "policies:\n"
        "  chat:\n"
        "    targets: [openai/small]\n"
        "    retries: 3  # expect: unknown-key@6\n"
        "    timeout: {total: 30}\n"
        "    retry: off  # expect: wrong-form\n"
    )
    assert [line.split(": error:")[0] for line in differences(tmp_path)] == [
        "missing: a.yaml:8 wrong-form",
        "elsewhere on its line: a.yaml:6:6 unknown-key",
        f"extra: {tmp_path.as_posix()}/a.yaml:7:22",
    ]
