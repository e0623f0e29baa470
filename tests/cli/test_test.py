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


def test_cases_without_policies_beside_them_need_to_be_told_whose_they_are(run, cases, folder):
    alone = folder / "alone" / "fast.cases.yaml"
    alone.parent.mkdir()
    cases.rename(alone)
    told = run("test", "alone/fast.cases.yaml", code=2).stderr
    assert "error: there are no policies beside `alone/fast.cases.yaml`" in told
    assert "help: name the policies it is about: `--policies FOLDER`" in told
    assert run("test", "alone/fast.cases.yaml", "--policies", "policies").stdout.startswith("fine: 2 cases")


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


def test_coverage_names_what_is_missing(run, cases):
    told = run("test", "--coverage").stdout
    assert "never exercised" in told
    assert "policies/main.yaml:15:16: rule night: rule tagged" in told
    assert "fine: 2 cases" in told
    assert "coverage is " in run("test", "--fail-under", "90", code=1).stdout
    assert "fine: " in run("test", "--fail-under", "10").stdout


def test_each_format(run, cases, document, folder):
    assert document("test")["passed"] == 2
    assert '<testsuites name="router test" tests="2"' in run("test", "--format", "junit").stdout
    told = run("test", "--format", "junit", "--output", "cases.xml").stdout
    assert told == "fine: 2 cases, 2 calls in 1 file\n"
    assert 'name="an answer"' in (folder / "cases.xml").read_text(encoding="utf-8")
    assert "two answers to one question" in run("test", "--json", "--format", "junit", code=2).stdout


def test_the_policies_are_read_first(run, cases, folder):
    (folder / "policies" / "main.yaml").write_text("version: 1\npolices: {}\n", encoding="utf-8")
    assert "unknown key `polices`" in run("test", code=1).stderr


def test_a_matrix_fits_a_hundred_columns(run, folder):
    told = run("test", "--matrix", "fast").stdout
    assert told.splitlines()[0] == "policy fast, for tenant acme, on 2026-01-05 12:00"
    assert max(map(len, told.splitlines())) <= 100
    rows = [line.split() for line in told.splitlines() if line.startswith("  server_error")]
    assert [row[1:3] for row in rows] == [["anthropic/claude-haiku-4-5", "3"], ["TargetsExhausted", "2"]]
    assert "itself (truncated)" in told


def test_a_matrix_for_a_caller(run, folder, document):
    assert (
        "for tenant acme/search, user someone"
        in run("test", "--matrix", "fast", "--tenant", "acme/search").stdout
    )
    found = document("test", "--matrix", "fast", "--tenant", "acme/search", "--user", "ann")
    assert (found["user"], found["targets"]) == ("ann", ["openai/gpt-5-nano", "anthropic/claude-haiku-4-5"])
    assert found["cells"][0]["target"] == "openai/gpt-5-nano"


def test_a_matrix_of_a_call_that_is_refused(run, folder):
    told = run("test", "--matrix", "night", "--tenant", "acme/search", code=1).stdout
    assert "refused: tenant `acme/search` may not call policy `night`" in told
    assert "unknown policy `fsat`" in run("test", "--matrix", "fsat", code=2).stderr


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        (("--tenant", "acme"), "--tenant is for --matrix alone"),
        (("--tag", "x"), "--tag is for --matrix alone"),
        (("--matrix", "fast", "--case", "x"), "--case is not for --matrix"),
        (("--matrix", "fast", "--fail-under", "9"), "--fail-under is not for --matrix"),
        (("--matrix", "fast", "--format", "junit"), "--format is not for --matrix"),
        (("--matrix", "fast", "--output", "x"), "--output is not for --matrix"),
    ],
)
def test_no_option_is_ignored(run, cases, arguments, option):
    assert option in run("test", *arguments, code=2).stderr


def test_no_key_is_asked_for_and_nothing_is_kept(run, cases, folder):
    run("test")
    assert not (folder / ".router").exists()


def test_warnings_about_the_policies_are_counted_and_no_more(run, cases):
    told = run("test")
    assert told.stderr == "1 warning in the policies: `router check` tells\n"
    assert run("test", "--matrix", "fast").stderr == told.stderr
