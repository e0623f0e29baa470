"""`router test`: the cases beside the policies, played."""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

import click

from router.cli.failures import PROBLEMS, problems
from router.cli.options import policies_at
from router.cli.out import Out
from router.tools.figures import count

if TYPE_CHECKING:
    from router.testing.cases.report import Report, Result


@click.command("test")
@click.argument("path", type=click.Path(path_type=Path), required=False)
@click.option("--policies", type=click.Path(path_type=Path), metavar="PATH", help="Where the policies are.")
@click.option(
    "--case",
    "names",
    multiple=True,
    metavar="NAME",
    help="Only cases of this name, `*` for any text; may be repeated.",
)
@click.pass_obj
def command(out: Out, path: Path | None, policies: Path | None, names: Sequence[str]) -> int:
    """Play every case of the `*.cases.yaml` files in PATH, and tell which do not come out as they say.

    PATH is a folder or one file; the policies are those of the same folder where --policies names no others.
    Nothing is called, and no key is needed.
    """
    from router.testing.cases.report import run_cases

    chosen = path or policies_at(policies)
    report = run_cases(chosen, policies=policies, wanted=lambda name: _wanted(name, names))
    if report.problems:
        problems(out, report.problems)
        out.line(
            f"{count(len(report.problems), 'problem')} in the cases: none of these files was played", fg="red"
        )
        return PROBLEMS
    if not report.results:
        raise click.UsageError(f"no case is named {' or '.join(f'`{name}`' for name in names)}")
    for result in report.results:
        if not result.passed:
            _failed(out, result)
    out.line(_summary(report), bold=True, fg="green" if report.passed else "red")
    return 0 if report.passed else PROBLEMS


def _wanted(name: str, names: Sequence[str]) -> bool:
    return not names or any(fnmatchcase(name, pattern) for pattern in names)


def _failed(out: Out, result: "Result") -> None:
    from router.testing.cases.story import story

    out.line(f"{result.case.place}: {result.case.name}", fg="red")
    told = None
    for miss in result.misses:
        played = miss.played
        if played is not told and len(result.case.calls) > 1:
            out.line(f"  step {played.step}{f', call {played.number}' if played.number > 1 else ''}")
        out.line(f"  {miss.expectation.place}: {miss.expectation.name}")
        out.line(f"    expected  {miss.expectation.wanted}")
        out.line(f"    got       {miss.got}")
        told = played
    out.line("  what happened")
    for line in story(result.misses[0].played.seen):
        out.line(f"    {line}", dim=True)
    out.line()


def _summary(report: "Report") -> str:
    failed = sum(not result.passed for result in report.results)
    calls = sum(result.calls for result in report.results)
    cases = count(len(report.results), "case")
    played = f"{count(calls, 'call')} in {count(len(report.files), 'file')}"
    return f"{failed} of {cases} failed; {played}" if failed else f"fine: {cases}, {played}"
