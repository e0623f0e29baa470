"""`router test`."""

from pathlib import Path

import pytest

GOOD = """\
version: 1
defaults: {request: {policy: fast, tenant: acme}}
cases:
  - name: an answer
    expect: {served_by: openai/gpt-5-nano}
  - name: the second answers
    faults: {openai/gpt-5-nano: [overloaded]}
    expect: {served_by: anthropic/claude-haiku-4-5}
"""
BAD = GOOD.replace("anthropic/claude-haiku-4-5}", "openai/gpt-5-nano}")


@pytest.fixture
def cases(folder: Path) -> Path:
    path = folder / "policies" / "fast.cases.yaml"
    path.write_text(GOOD, encoding="utf-8")
    return path


def test_cases_that_pass(run, cases):
    assert run("test").stdout == "fine: 2 cases, 2 calls in 1 file\n"


def test_a_case_that_fails_tells_the_line_and_what_happened(run, cases):
    cases.write_text(BAD, encoding="utf-8")
    told = run("test", code=1).stdout
    assert "policies/fast.cases.yaml:6:5: the second answers" in told
    assert "policies/fast.cases.yaml:8:25: served_by" in told
    assert "expected  openai/gpt-5-nano\n      got       anthropic/claude-haiku-4-5" in told
    assert "openai/gpt-5-nano fails (overloaded 503) after 0s" in told
    assert told.endswith("1 of 2 cases failed; 2 calls in 1 file\n")


def test_one_case_by_its_name(run, cases):
    cases.write_text(BAD, encoding="utf-8")
    assert run("test", "--case", "an *").stdout == "fine: 1 case, 1 call in 1 file\n"
    assert "no case is named `nope`" in run("test", "--case", "nope", code=2).stderr


def test_cases_that_stand_elsewhere(run, cases, folder):
    elsewhere = folder / "more.cases.yaml"
    cases.rename(elsewhere)
    assert "fine: 2 cases" in run("test", str(elsewhere), "--policies", "policies").stdout
    assert "holds no case files" in run("test", code=2).stderr


def test_a_broken_file_is_told_and_nothing_is_played(run, cases):
    cases.write_text(GOOD.replace("faults", "fautls"), encoding="utf-8")
    told = run("test", code=1).stdout
    assert "policies/fast.cases.yaml:7:5: error: unknown key `fautls` in a case [unknown-key]" in told
    assert "help: did you mean `faults`?" in told
    assert "fine" not in told
