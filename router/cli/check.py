"""`router check`: every problem of every file, in one run."""

import os
from datetime import UTC, datetime
from pathlib import Path

import click

from router.cli.failures import PROBLEMS
from router.cli.options import (
    format_of,
    frozen_option,
    json_option,
    policies_argument,
    policies_at,
    report_options,
)
from router.cli.out import Out, written_to
from router.cli.versions import installed_version
from router.policy.collecting import no_collecting
from router.tools.reports import FORMATS, Report, reporter


@click.command("check")
@policies_argument
@click.option("--strict", is_flag=True, help="Warnings are problems too; notes never are.")
@frozen_option
@report_options(tuple(FORMATS))
@json_option
@click.pass_obj
def command(
    out: Out,
    policies: Path | None,
    strict: bool,
    frozen: bool,
    format: str | None,
    output: Path | None,
) -> int:
    """Check every policy file, and tell every problem in one run.

    PATH is a folder or one file. Nothing is called, and no key is needed.

    \b
    Formats:
      text    for people
      json    everything, as one document; --json is the same
      github  workflow commands: annotations on a pull request
      sarif   for code scanning and editors
      junit   for build servers that show test results

    Exit codes: 0 fine, 1 problems, 2 wrong usage.
    """
    chosen = format_of(out, format)
    version = installed_version() if chosen == "sarif" else ""  # the only format that says it
    report = _checked(policies_at(policies), strict=strict, frozen=frozen, version=version)
    if output is not None:
        written_to(output, reporter(chosen)(report))
        out.line(_summary(report))
    elif chosen == "text":
        from router.tools.reports.text import as_text

        out.line(as_text(report, click.style))
    else:
        out.line(reporter(chosen)(report))
    return PROBLEMS if report.fails else 0


@no_collecting()
def _checked(where: Path, *, strict: bool, frozen: bool, version: str) -> Report:
    from router.adapters.price_file import PriceFile
    from router.policy.load import load
    from router.tools.reports.report import report_of

    loaded = load(where, PriceFile.load(), today=datetime.now(tz=UTC).date(), frozen=frozen)
    cwd = Path.cwd()
    return report_of(
        loaded,
        strict=strict,
        alone=where.is_file(),
        cwd=cwd.as_posix(),
        root=_root(cwd).as_posix(),
        version=version,
    )


def _root(cwd: Path) -> Path:
    """The top of the repository: GITHUB_WORKSPACE, unless that is of another machine, as in some containers."""
    workspace = os.environ.get("GITHUB_WORKSPACE")
    return Path(workspace) if workspace and cwd.is_relative_to(workspace) else cwd


def _summary(report: Report) -> str:
    from router.tools.reports.text import summary

    return summary(report)
