"""For build servers that show test results: JUnit's XML, a test case for each file, a failure for each problem."""

from collections.abc import Iterator, Sequence

from router.errors import Problem
from router.tools.reports.report import Report
from router.tools.xml_text import xml_attribute, xml_text


def as_junit(report: Report) -> str:
    by_file: dict[str, list[Problem]] = {file: [] for file in report.named}
    for problem in report.problems:
        by_file[problem.place.file].append(problem)
    failed = sum(any(map(report.is_failure, found)) for found in by_file.values())
    counts = f'tests="{len(by_file)}" failures="{failed}" errors="0" skipped="0"'
    cases = (line for file, found in by_file.items() for line in _case(report, file, found))
    return "\n".join(
        [
            '<?xml version="1.0" encoding="UTF-8"?>',
            f'<testsuites name="router check" {counts}>',
            f'  <testsuite name="router check" {counts}>',
            *cases,
            "  </testsuite>",
            "</testsuites>",
        ]
    )


def _case(report: Report, file: str, found: Sequence[Problem]) -> Iterator[str]:
    """Problems that don't fail are what the case said."""
    name = xml_attribute(report.within(file))
    start = f'    <testcase classname="router.check" name="{name}" file="{name}"'
    if not found:
        yield f"{start}/>"
        return
    yield f"{start}>"
    for problem in filter(report.is_failure, found):
        yield (
            f'      <failure type="{problem.code}" message="{xml_attribute(problem.told)}">'
            f"{xml_text(str(problem))}</failure>"
        )
    said = [str(problem) for problem in found if not report.is_failure(problem)]
    if said:
        yield f"      <system-out>{xml_text(chr(10).join(said))}</system-out>"
    yield "    </testcase>"
