"""For people: each problem on a line that editors can follow, its help below it, and a last line that sums up."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from router.errors import Problem
from router.tools.figures import count
from router.tools.reports.report import SEVERITIES, Report

Paint = Callable[..., str]
"""`paint(text, **style)`, styles as in `click.style`."""

COLORS: Mapping[str, str] = MappingProxyType({"error": "red", "warning": "yellow", "note": "blue"})

ALONE = "only this file was read; give the folder to check its names against the other files"


def unpainted(text: str, **_: Any) -> str:
    return text


def as_text(report: Report, paint: Paint = unpainted) -> str:
    lines = [problem_text(problem, paint) for problem in report.problems]
    if lines:
        lines.append("")
    if report.fails and report.alone:
        lines.append(ALONE)
    lines.append(paint(summary(report), bold=True, fg="red" if report.fails else "green"))
    return "\n".join(lines)


def problem_text(problem: Problem, paint: Paint = unpainted) -> str:
    """As `str(problem)`; painted, the place and the severity stand out."""
    severity = paint(f"{problem.severity}:", fg=COLORS.get(problem.severity), bold=True)
    code = paint(f"[{problem.code}]", dim=True)
    first = f"{paint(str(problem.place), bold=True)}: {severity} {problem.told} {code}"
    return f"{first}\n    {paint('help:', fg='cyan')} {problem.help}" if problem.help else first


def summary(report: Report) -> str:
    """One line: what the files add up to, or how much is wrong with them."""
    plan, files = report.plan, f"in {count(len(report.named), 'file')}"
    told = ", ".join(count(report.counts[each], each) for each in SEVERITIES if report.counts[each])
    if plan is None:
        return f"{told} {files}"
    if report.fails:
        return f"{told} {files} (with --strict a warning is a problem)"
    sizes = (
        count(len(plan.policies), "policy", "policies"),
        count(len(plan.targets), "target"),
        count(len(plan.tenants), "tenant"),
    )
    return f"fine: {', '.join(sizes)} {files}{f'; {told}' if told else ''}"
