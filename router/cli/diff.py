"""`router diff`: what a change of policies means."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from router.cli.failures import PROBLEMS, USAGE, problems
from router.cli.options import json_option, policies_at
from router.cli.out import Out
from router.tools.figures import count

if TYPE_CHECKING:
    from router.tools.diff import Difference
    from router.tools.diff.sources import Source

FORMATS = ("text", "json", "github")


@click.command("diff")
@click.argument("old")
@click.argument("new", required=False)
@click.option(
    "--policies", type=click.Path(path_type=Path), metavar="PATH", help="What NEW is, where it is not given."
)
@click.option(
    "--format", "format", type=click.Choice(FORMATS), help="How to say it; text where nothing is chosen."
)
@click.option(
    "--fail-on",
    type=click.Choice(("changed", "loosened", "never")),
    default="changed",
    help="When the exit code is 1: by default on any change of meaning.",
)
@json_option
@click.pass_obj
def command(
    out: Out, old: str, new: str | None, policies: Path | None, format: str | None, fail_on: str
) -> int:
    """Tell what NEW means differently from OLD: routes, callers, ceilings, budgets, bounds, findings.

    OLD and NEW are folders, files or git revisions: `main`, `HEAD~1`, or `REVISION:PATH` with a path from the top of
    the repository. NEW is the policies of the working tree where it is not given. Comments, order, style and files
    mean nothing, so they are no change.

    Exit codes: 0 no change in meaning, 1 changed, 2 wrong usage, or a side that can't be read or has errors.
    """
    from router.adapters.price_file import PriceFile
    from router.tools.diff import compare, side_of
    from router.tools.diff.sources import sources

    if out.json and format not in (None, "json"):
        raise click.UsageError(f"--json and --format {format} are two answers to one question: choose one")
    if new is not None and policies is not None:
        raise click.UsageError("--policies says what NEW is, and NEW is given: choose one")
    out.json = out.json or format == "json"
    today = datetime.now(tz=UTC).date()
    sides = sources(old, new, lambda: policies_at(policies), PriceFile.load(), today=today)
    if any(side.loaded.plan is None for side in sides):
        return _refused(out, sides)
    found = compare(*(side_of(side.name, side.loaded) for side in sides))
    _show(out, found, format)
    failed = {"changed": not found.same, "loosened": found.loosened > 0, "never": False}
    return PROBLEMS if failed[fail_on] else 0


def _refused(out: Out, sides: "tuple[Source, Source]") -> int:
    """Errors on a side leave nothing to compare: what a broken file means is not known."""
    broken = [side for side in sides if side.loaded.plan is None]
    names = " and ".join(f"`{side.name}`" for side in broken)
    errors = [problem for side in broken for problem in side.loaded.errors]
    message = (
        f"{names} {'has' if len(broken) == 1 else 'have'} {count(len(errors), 'error')}: nothing is compared"
    )
    if out.json:
        from router.tools.plain import plain

        error = {"type": "PolicyError", "message": message, "help": "", "problems": plain(errors)}
        out.document({"error": error})
    else:
        problems(out, errors, remark=True)
        out.remark(f"error: {message}", fg="red")
    return USAGE


def _show(out: Out, found: "Difference", format: str | None) -> None:
    if out.json:
        from router.tools.diff.told.document import document

        out.document(document(found))
    elif format == "github":
        from router.tools.diff.told.github import as_github

        cwd = Path.cwd().as_posix()
        out.line(as_github(found, cwd=cwd, root=os.environ.get("GITHUB_WORKSPACE") or cwd))
    else:
        from router.tools.diff.told.text import as_text

        out.line(as_text(found, click.style))
