"""What docs/testing.md shows is run: its cases, what they print, its pytest suite, and its tables of words."""

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from router.cli import main
from router.errors import DropReason
from router.testing import run_cases
from router.testing.cases.table import CASE, EXPECT
from router.testing.cases.words import SENT_KINDS, SPECIAL
from tests.test_docs import ROOT, blocks

PAGE = ROOT / "docs" / "testing.md"
SHOWN = re.findall(r"^```text (router .*?)\n(.*?)^```", PAGE.read_text(), flags=re.DOTALL | re.MULTILINE)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory: README's policy, the cases for it, and the one that is wrong."""
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "cheap-fast.yaml").write_text(blocks(ROOT / "README.md", "yaml")[0])
    (tmp_path / "policies" / "cheap-fast.cases.yaml").write_text(blocks(PAGE, "yaml cases")[0])
    (tmp_path / "wrong.cases.yaml").write_text(blocks(PAGE, "yaml wrong")[0])
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_cases_shown_pass_and_cover_everything(folder: Path) -> None:
    report = run_cases(folder / "policies", fail_under=100)
    assert report.problems == ()
    assert report.passed


@pytest.mark.parametrize(("command", "shown"), SHOWN, ids=[command for command, _ in SHOWN])
def test_what_is_shown_is_printed(
    command: str, shown: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In this order; lines may be left out between them."""
    main(shlex.split(command)[1:])
    printed = iter(capsys.readouterr().out.splitlines())
    assert [line for line in shown.splitlines() if line not in printed] == []


def test_three_outputs_are_shown() -> None:
    assert len(SHOWN) == 3


def test_the_suite_shown_runs_the_cases(folder: Path) -> None:
    (folder / "test_shown.py").write_text(blocks(PAGE, "python pytest")[0])
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_shown.py"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "4 passed" in ran.stdout, ran.stdout + ran.stderr


def words_of(heading: str, end: str = "\n## ") -> set[str]:
    """The code words in the first column of the table that follows these words."""
    section = PAGE.read_text().split(f"{heading}\n", 1)[1].split(end, 1)[0]
    cells = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    return {word for cell in cells for word in re.findall(r"`([a-z_]+)`", cell)}


def test_the_tables_hold_every_word_and_no_other() -> None:
    assert words_of("## A case") == set(CASE.keys)
    assert words_of("## What a target does") == {*SPECIAL, *SENT_KINDS}
    assert words_of("## What must be so", "\n\nWhy") == set(EXPECT.keys)
    assert words_of("Why a target is passed over:", "\n\nA case") == {*get_args(DropReason)} - {"rejected"}
