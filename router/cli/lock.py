"""`router lock`: what the policies and the price book say, written down."""

from pathlib import Path

import click

from router.cli.failures import PROBLEMS, problems
from router.cli.options import json_option, policies_argument, policies_at
from router.cli.out import Out
from router.tools.figures import count
from router.tools.plain import plain


@click.command("lock")
@policies_argument
@click.option("--check", is_flag=True, help="Write nothing; fail where the file does not hold.")
@json_option
@click.pass_obj
def command(out: Out, check: bool, policies: Path | None) -> int:
    """Write `router.lock` into PATH, the folder of the policies: their digest, that of the price book, and what it
    says of every target in use, a fact a line.

    Keep it beside the policies in version control. A price, context, capability or margin that changes with an upgrade
    is then a warning of `router check` that names it, and with --frozen (or `Router.open(..., frozen=True)`) an error.
    """
    from router.adapters.price_file import PriceFile
    from router.tools.lock import locking, write_lock

    found = locking(policies_at(policies), PriceFile.load())
    fails = check and bool(found.problems)
    written = not check and write_lock(found)
    targets = count(len(found.lock.targets), "target")
    if out.json:
        document = {"path": str(found.path), "written": written, "targets": len(found.lock.targets)}
        out.document({**document, "problems": plain(found.problems)})
    elif fails:
        problems(out, found.problems)
        out.line()
        out.line(f"{found.path}: {count(len(found.problems), 'difference')}", bold=True, fg="red")
    else:
        for problem in () if found.is_new else found.problems:
            out.remark(problem.message, dim=True)
        state = f"wrote {found.path}: {targets}" if written else f"{found.path} holds: {targets}"
        out.line(state, bold=True, fg="green")
    return PROBLEMS if fails else 0
