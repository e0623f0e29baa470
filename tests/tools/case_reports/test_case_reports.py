"""What `router test` found, in each format."""

import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.testing import CaseReport, run_cases
from router.tools.case_reports import FORMATS
from router.tools.case_reports.document import document
from router.tools.case_reports.junit import as_junit
from router.tools.case_reports.text import as_text, summary

POLICIES = """
version: 1
providers: {openai: {}, anthropic: {}}
policies:
  fast:
    targets: [openai/gpt-5-nano, anthropic/claude-haiku-4-5]
    ceiling: {output_tokens: 100}
"""
CASES = """\
version: 1
defaults: {request: {policy: fast}}
cases:
  - {name: it answers, expect: {served_by: openai/gpt-5-nano}}
  - name: "<it> & \\"that\\""
    steps:
      - expect: {cached: false}
      - {times: 2, expect: {text: "]]> & <b>", cached: true}}
"""


def ran(folder: Path, cases: str = CASES, **options: object) -> CaseReport:
    (folder / "a.yaml").write_text(POLICIES, encoding="utf-8")
    (folder / "a.cases.yaml").write_text(cases, encoding="utf-8")
    return run_cases(folder, **options)  # type: ignore[arg-type]


@pytest.fixture
def report(tmp_path: Path) -> CaseReport:
    return ran(tmp_path, fail_under=90)


def test_text_tells_the_expectations_and_the_call(report: CaseReport) -> None:
    told = as_text(report)
    assert told.splitlines()[0].endswith('a.cases.yaml:5:5: <it> & "that"')
    assert told.splitlines()[1] == "  step 2"
    assert told.count("expected  ") == 2  # of two calls that fail alike one is told
    assert "never exercised" in told
    assert told.splitlines()[-1] == "1 of 2 cases failed; 4 calls in 1 file"


def test_coverage_below_what_is_asked_for_is_told(tmp_path: Path) -> None:
    report = ran(tmp_path, CASES[: CASES.index("  - name")], fail_under=90)
    assert summary(report) == "coverage is 25%, and 90% are asked for; 1 case, 1 call in 1 file"
    assert not report.passed
    assert ran(tmp_path, CASES[: CASES.index("  - name")], fail_under=25).passed
    assert "target fast: anthropic/claude-haiku-4-5" in as_text(report)
    assert "edge fast: openai/gpt-5-nano -> anthropic/claude-haiku-4-5" in as_text(report)


def test_json_holds_everything(report: CaseReport) -> None:
    found = json.loads(FORMATS["json"](report))
    assert found == document(report)
    assert (found["ok"], found["passed"], found["failed"], found["calls"]) == (False, 1, 1, 4)
    good, bad = found["cases"]
    assert (good["passed"], good["misses"]) == (True, [])
    assert [(miss["expectation"], miss["step"], miss["call"]) for miss in bad["misses"]] == [
        ("text", 2, 1),
        ("cached", 2, 1),
    ]
    assert bad["misses"][1]["expected"] == "true"
    assert bad["misses"][1]["place"]["line"] == 8
    assert found["coverage"]["percent"] == 25.0
    assert found["coverage"]["targets"] == {"exercised": 1, "all": 2}
    assert {item["what"] for item in found["coverage"]["missing"]} == {
        "anthropic/claude-haiku-4-5",
        "openai/gpt-5-nano -> anthropic/claude-haiku-4-5",
        "sends again",
    }


def test_without_coverage_there_is_none(tmp_path: Path) -> None:
    assert document(ran(tmp_path))["coverage"] is None
    assert "never exercised" not in as_text(ran(tmp_path))


def test_junit_has_a_suite_for_each_file_and_one_for_coverage(report: CaseReport) -> None:
    root = ET.fromstring(as_junit(report))  # noqa: S314 - our own
    assert root.attrib == {
        "name": "router test",
        "tests": "3",
        "failures": "2",
        "errors": "0",
        "skipped": "0",
    }
    file, coverage = root
    assert [case.get("name") for case in file] == ["it answers", '<it> & "that"']
    assert [len(case) for case in file] == [0, 1]
    failure = file[1][0]
    assert (
        failure.get("message")
        == "text: expected ]]> & <b>, got A made-up answer, as if from openai/gpt-5-nano."
    )
    assert "what happened" in (failure.text or "")
    assert "anthropic/claude-haiku-4-5" in (coverage[0][0].text or "")


def test_problems_of_a_file_are_failures_in_every_format(tmp_path: Path) -> None:
    report = ran(tmp_path, CASES.replace("expect:", "expct:", 1))
    assert not report.passed
    assert as_text(report).splitlines()[-1] == "1 problem in 1 file of cases: nothing was played"
    found = document(report)
    assert (found["ok"], found["cases"]) == (False, [])
    assert [problem["code"] for problem in found["problems"]] == ["unknown-key"]
    root = ET.fromstring(as_junit(report))  # noqa: S314 - our own
    assert root.get("failures") == root.get("tests") == "1"
    assert [case[0].get("type") for case in root[0]] == [problem.code for problem in report.problems]


@pytest.fixture(scope="module")
def failed(tmp_path_factory: pytest.TempPathFactory) -> CaseReport:
    return ran(tmp_path_factory.mktemp("cases"))


@given(name=st.text(), file=st.text(min_size=1))
def test_junit_is_well_formed_whatever_a_case_is_called(failed: CaseReport, name: str, file: str) -> None:
    results = [
        replace(result, case=replace(result.case, name=name, place=replace(result.case.place, file=file)))
        for result in failed.results
    ]
    report = replace(failed, results=tuple(results), files=(file,))
    root = ET.fromstring(as_junit(report))  # noqa: S314 - our own
    assert root.get("tests") == "2"
