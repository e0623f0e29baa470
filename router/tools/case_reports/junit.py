"""For build servers that show test results: JUnit's XML, a suite for each file, a test case for each case."""

from collections.abc import Iterator, Sequence

from router.testing.cases.report import CaseReport, Result
from router.testing.cases.telling import case_lines
from router.tools.case_reports.text import summary
from router.tools.xml_text import xml_attribute, xml_text

Suite = tuple[str, int, int, list[str]]
"""(name, cases, failures, lines)."""


def as_junit(report: CaseReport) -> str:
    """Files that can't be read, and coverage below what is asked for, are failures too."""
    suites = [*_files(report), *_coverage(report)]
    tests, failures = sum(suite[1] for suite in suites), sum(suite[2] for suite in suites)
    return "\n".join(
        [
            '<?xml version="1.0" encoding="UTF-8"?>',
            f'<testsuites name="router test" {_counts(tests, failures)}>',
            *(line for suite in suites for line in _suite(suite)),
            "</testsuites>",
        ]
    )


def _files(report: CaseReport) -> Iterator[Suite]:
    for file in report.files:
        results = [result for result in report.results if result.case.place.file == file]
        problems = [problem for problem in report.problems if problem.place.file == file]
        lines = [line for result in results for line in _case(result, file)]
        for problem in problems:
            lines += _test(
                file, str(problem.place), file, failure=(problem.code, problem.message, str(problem))
            )
        failed = sum(not result.passed for result in results) + len(problems)
        yield file, len(results) + len(problems), failed, lines


def _coverage(report: CaseReport) -> Iterator[Suite]:
    if report.coverage is None or not report.fail_under:
        return
    missing = "\n".join(f"{item.place}: {item.key.kind} {item}" for item in report.coverage.missing)
    failure = None if report.is_covered else ("coverage", summary(report), missing)
    yield "coverage", 1, int(failure is not None), _test("coverage", "coverage", "", failure=failure)


def _case(result: Result, file: str) -> list[str]:
    if result.passed:
        return _test(file, result.case.name, file)
    first = result.misses[0]
    message = f"{first.expectation.name}: expected {first.expectation.wanted}, got {first.got}"
    return _test(
        file, result.case.name, file, failure=(first.expectation.name, message, "\n".join(case_lines(result)))
    )


def _test(suite: str, name: str, file: str, *, failure: tuple[str, str, str] | None = None) -> list[str]:
    """`failure`: its type, its message, and all there is to say."""
    where = f' file="{xml_attribute(file)}"' if file else ""
    start = f'    <testcase classname="{xml_attribute(suite)}" name="{xml_attribute(name)}"{where}'
    if failure is None:
        return [f"{start}/>"]
    kind, message, text = failure
    told = f'      <failure type="{xml_attribute(kind)}" message="{xml_attribute(message)}">{xml_text(text)}</failure>'
    return [f"{start}>", told, "    </testcase>"]


def _suite(suite: Suite) -> Sequence[str]:
    name, tests, failures, lines = suite
    return [
        f'  <testsuite name="{xml_attribute(name)}" {_counts(tests, failures)}>',
        *lines,
        "  </testsuite>",
    ]


def _counts(tests: int, failures: int) -> str:
    return f'tests="{tests}" failures="{failures}" errors="0" skipped="0"'
