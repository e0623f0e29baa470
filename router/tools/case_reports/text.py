"""For people: each case that does not come out as it says, what it expected and what it got, and a last line."""

from collections.abc import Iterator

from router.testing.cases.coverage import KINDS, Coverage
from router.testing.cases.report import CaseReport
from router.testing.cases.telling import Paint, case_lines, unpainted
from router.tools.figures import count
from router.tools.reports.text import problem_text


def as_text(report: CaseReport, paint: Paint = unpainted) -> str:
    lines = [problem_text(problem, paint) for problem in report.problems]
    if report.problems:
        lines.append("")
    for result in report.failed:
        lines += [*case_lines(result, paint), ""]
    if report.coverage is not None and not report.problems:
        lines += [*coverage_lines(report.coverage, paint), ""]
    lines.append(paint(summary(report), bold=True, fg="green" if report.passed else "red"))
    return "\n".join(lines)


def summary(report: CaseReport) -> str:
    """One line: how many cases there were, and how many failed."""
    files = count(len(report.files), "file")
    if report.problems:
        return f"{count(len(report.problems), 'problem')} in {files} of cases: nothing was played"
    calls = sum(result.calls for result in report.results)
    played = f"{count(calls, 'call')} in {files}"
    cases = count(len(report.results), "case")
    if report.failed:
        return f"{len(report.failed)} of {cases} failed; {played}"
    if report.coverage is not None and not report.is_covered:
        return (
            f"coverage is {report.coverage.percent:g}%, and {report.fail_under:g}% are asked for; "
            f"{cases}, {played}"
        )
    return f"fine: {cases}, {played}"


def coverage_lines(coverage: Coverage, paint: Paint = unpainted) -> Iterator[str]:
    """A row for each policy, the whole, and whatever no case exercised with its place."""
    names = (*coverage.policies, "")
    width = max(len(name) for name in (*names, "coverage"))
    yield paint(f"{'coverage':{width}}  {'rules':>9}  {'targets':>9}  {'edges':>9}", dim=True)
    for name in names:
        parts = [coverage.of(kind, name or None) for kind in KINDS]
        cells = "  ".join(f"{_share(*part):>9}" for part in parts)
        yield f"{name:{width}}  {cells}" if name else f"{f'{coverage.percent:g}%':{width}}  {cells}"
    if coverage.missing:
        yield ""
        yield "never exercised"
    for item in coverage.missing:
        yield paint(f"  {item.place}: {item.key.kind} {item}", fg="yellow")


def _share(hits: int, total: int) -> str:
    return f"{hits} of {total}" if total else "-"
