"""Cases as tests of somebody's own pytest suite."""

import subprocess
import sys
from pathlib import Path

import pytest

from router.errors import RequestError
from router.testing import CaseFileError, case_params
from tests.testing.cases.parts import DEFAULTS

SUITE = """
import pytest
from router.testing import case_params

@pytest.mark.parametrize("case", case_params("policies"))
def test_policy(case):
    case.check()
"""
POLICIES = """
version: 1
providers: {openai: {}}
policies: {fast: {targets: [openai/gpt-5-nano], ceiling: {output_tokens: 100}}}
"""
CASES = """
version: 1
defaults: {request: {policy: fast}}
cases:
  - {name: it answers, expect: {served_by: openai/gpt-5-nano}}
  - {name: it is cached, expect: {cached: true}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "fast.yaml").write_text(POLICIES, encoding="utf-8")
    (tmp_path / "policies" / "fast.cases.yaml").write_text(CASES, encoding="utf-8")
    return tmp_path


def test_each_case_is_a_test_of_its_own(folder: Path) -> None:
    (folder / "test_policies.py").write_text(SUITE, encoding="utf-8")
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder / "test_policies.py")],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "1 failed, 1 passed" in ran.stdout, ran.stdout + ran.stderr
    assert "test_policy[fast: it is cached]" in ran.stdout
    assert "fast.cases.yaml:6:43: cached" in ran.stdout
    assert "expected  true" in ran.stdout
    assert "play_case" not in ran.stdout  # the trace ends at their own test


def test_a_case_that_fails_says_what_happened(folder: Path) -> None:
    passes, fails = (param.values[0] for param in case_params(folder / "policies"))
    passes.check()
    with pytest.raises(AssertionError) as told:
        fails.check()
    assert "got       false" in str(told.value)
    assert "openai/gpt-5-nano answers after 0s" in str(told.value)


def test_cases_that_stand_elsewhere(folder: Path) -> None:
    elsewhere = folder / "tests.cases.yaml"
    (folder / "policies" / "fast.cases.yaml").rename(elsewhere)
    assert len(case_params(elsewhere, policies=folder / "policies")) == 2
    with pytest.raises(RequestError, match="holds no case files"):
        case_params(folder / "policies")


def test_the_cases_of_one_file_of_policies_stand_beside_it(folder: Path) -> None:
    assert len(case_params(folder / "policies" / "fast.yaml")) == 2


def test_files_that_are_no_cases_are_told_when_tests_are_collected(folder: Path) -> None:
    (folder / "policies" / "fast.cases.yaml").write_text(f"{DEFAULTS}cases: []\n", encoding="utf-8")
    with pytest.raises(CaseFileError, match="is an empty list") as told:
        case_params(folder / "policies")
    assert [problem.place.line for problem in told.value.problems] == [3]
