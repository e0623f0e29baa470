"""`router audit`: whether the ledger adds up."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from router.cli.failures import PROBLEMS
from router.cli.options import json_option, policies_at, policies_option
from router.cli.out import Column, Out
from router.errors import RequestError
from router.tools.figures import count
from router.tools.plain import plain

if TYPE_CHECKING:
    from router.books.audit import Audit
    from router.client import Router


@click.command("audit")
@click.option(
    "--accept-loss", is_flag=True, help="Go on with a server that lost rows; needs --who and --why."
)
@click.option("--who", metavar="NAME", help="Who accepts the loss.")
@click.option("--why", metavar="REASON", help="Why it is accepted.")
@click.option(
    "--archive",
    type=click.Path(path_type=Path, file_okay=False),
    help="A folder that rows were moved to: what they had settled is recomputed too.",
)
@policies_option
@json_option
@click.pass_obj
def command(
    out: Out,
    accept_loss: bool,
    who: str | None,
    why: str | None,
    archive: Path | None,
    policies: Path | None,
) -> int:
    """Recompute every balance from the rows and check the laws of the ledger. Reservations whose process has died are
    ended first, as any later call would.

    Exit code 1: something does not add up. A provider that billed above its bound is told, and is no fault of the
    ledger's.
    """
    from router.client.assembly import public, state_place, state_source
    from router.tools.reading import loaded_policies, reading_router

    with reading_router(loaded_policies(policies_at(policies))) as router:
        place, source = public(state_place(router.plan, None)), state_source(router.plan)
        if accept_loss:
            _accept(router, who, why)
        found = router.audit(archive=archive)
    if out.json:
        out.document({"place": place, "sound": found.sound, **plain(found)})
    else:
        _show(out, found)
        out.remark(f"ledger: {place} ({source})", dim=True)
    return 0 if found.sound else PROBLEMS


def _accept(router: "Router", who: str | None, why: str | None) -> None:
    from router.client.inline import run_inline
    from router.ports import MayLose

    ledger = router.ports.ledger
    if not isinstance(ledger, MayLose):
        raise RequestError(
            "only the state of a server can be accepted as lost",
            help="a file that lost rows says so itself; this state is no server",
        )
    if not who or not why:
        raise click.UsageError("--accept-loss is put on record: say --who and --why")
    run_inline(ledger.accept_loss(who=who, why=why))


def _show(out: Out, found: "Audit") -> None:
    if found.resolved:
        out.line(f"ended {count(found.resolved, 'reservation')} of processes that had died", dim=True)
    if found.findings:
        columns = (
            Column(title="law", style="bold"),
            Column(title="of"),
            Column(title="what", fixed=False),
        )
        out.table(columns, [(each.law, each.subject, each.detail) for each in found.findings])
    for name in found.under_way:
        out.line(f"  not judged, as calls kept changing it: {name}", dim=True)
    looked = f"{count(found.rows, 'row')} and {count(found.counters, 'counter')}"
    if found.moved:
        looked = (
            f"{count(found.rows, 'row')}, {found.moved} moved out, and {count(found.counters, 'counter')}"
        )
    verdict = "add up" if found.sound else "do not add up"
    out.line(f"{looked} {verdict}", bold=True, fg="green" if found.sound else "red")
    if found.unchecked:
        of = count(found.unchecked, "counter")
        out.line(
            f"  not checked: what rows that were moved out hold of {of}; --archive names their folder",
            dim=True,
        )
    for line in _help(found):
        out.line(line)


def _help(found: "Audit") -> tuple[str, ...]:
    laws = {each.law for each in found.findings} - {"overrun"}
    if not laws:
        return ()
    if laws == {"moved"}:
        return (
            "help: this folder has not all of the rows, or those of another ledger: where they were moved into several",
            "  folders, copy all files into one and name that; else restore a copy of what is missing",
        )
    return (
        "help: only another hand than router's, or a bug, does that: keep a copy of the state and report it;",
        "  calls go on by the balances kept, and another place of state begins every budget anew",
    )
