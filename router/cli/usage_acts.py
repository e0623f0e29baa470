"""`router usage grant`, `settle`, `acts` and `archive`: what people do to the ledger."""

from collections.abc import Callable, Sequence
from datetime import datetime, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from zoneinfo import ZoneInfo

import click

from router.cli.options import json_option, policies_at, policies_option
from router.cli.out import Column, Out
from router.cli.since import Since
from router.tools.figures import about, count, money
from router.tools.plain import plain

if TYPE_CHECKING:
    from router.books.acts import Grant
    from router.ports import Act, Row

F = TypeVar("F", bound=Callable[..., Any])

OWNERS = {
    "tenant": "PATH",
    "user": "NAME",
    "session": "NAME",
    "child": "NAME",
    "policy": "NAME",
    "provider": "NAME",
    "pool": "NAME",
}


def _owner_options(function: F) -> F:
    for name, metavar in reversed(OWNERS.items()):
        what = f"Of this {name}{' of the tenant' if name in ('user', 'session', 'child') else ''}."
        names = ("--tenant", "--team", "tenant") if name == "tenant" else (f"--{name}",)
        function = click.option(*names, metavar=metavar, help=what)(function)
    return function


def _signed(needed: bool) -> Callable[[F], F]:
    """`--who` and `--why`."""

    def decorated(function: F) -> F:
        why = click.option("--why", metavar="REASON", required=needed, help="Why; it stays on record.")
        who = click.option(
            "--who", metavar="NAME", required=needed, help="In whose name; it stays on record."
        )
        return who(why(function))

    return decorated


@click.command("grant")
@_owner_options
@click.option("--window", metavar="KEY", required=True, help="per_month, tokens_per_day, as in the policies.")
@click.option("--amount", required=True, help="'$500', 200k; '-$50' takes as much away.")
@_signed(needed=True)
@policies_option
@json_option
@click.pass_obj
def grant(
    out: Out, /, window: str, amount: str, who: str, why: str, policies: Path | None, **owner: str | None
) -> None:
    """Let one budget spend more, or less, in its present window, for every process at once.

    What the policies say stays as it is: the next window starts without it. A budget `in_total` keeps it for ever.
    """
    from router.tools.reading import loaded_policies, writing_router

    named = {name: value for name, value in owner.items() if value is not None}
    with writing_router(loaded_policies(policies_at(policies))) as router:
        done = router.grant(window=window, amount=amount, who=who, why=why, **named)
        now_s = router.ports.clock.now_s()
    if out.json:
        out.document(plain(done))
        return
    for line in _granted(done, now_s):
        out.line(line)


def _granted(done: "Grant", now_s: float) -> tuple[str, ...]:
    now = done.budget
    shown = _shown(now.unit)
    what = f"granted {shown(done.amount)}" if done.amount > 0 else f"took away {shown(-done.amount)}"
    window = "in total" if not done.start else f"in {done.start}"
    ends = "" if now.resets_at_s is None else f", which ends in {about(now.resets_at_s - now_s)}"
    total = shown(now.amount)
    if now.granted:
        total += f" and {shown(now.granted)} granted" if now.granted > 0 else f" less {shown(-now.granted)}"
    return (
        f"{what}: {now.owner}, `{now.text}`, {window}{ends}",
        f"{total}, {shown(now.settled + now.reserved)} used: {shown(now.left)} left",
    )


def _shown(unit: str) -> Callable[[int], str]:
    return money if unit == "nusd" else (lambda number: f"{number} {unit}")


@click.command("settle")
@click.argument("id", required=False)
@click.option("--cost", metavar="MONEY", help="What it really cost: '$0.02'.")
@click.option("--input-tokens", type=int, help="As the provider reports them; with --output-tokens.")
@click.option("--output-tokens", type=int, help="As the provider reports them; with --input-tokens.")
@click.option(
    "--above-bound", is_flag=True, help="It did cost more than its worst case; else that is refused."
)
@_signed(needed=False)
@policies_option
@json_option
@click.pass_obj
def settle(
    out: Out,
    id: str | None,
    cost: str | None,
    input_tokens: int | None,
    output_tokens: int | None,
    above_bound: bool,
    who: str | None,
    why: str | None,
    policies: Path | None,
) -> None:
    """Record what an attempt really cost that was charged at its worst case: it timed out, or its process died.

    Without an ID: the attempts that are charged at worst case.
    """
    from router.tools.reading import loaded_policies, reading_router

    if id is not None and (cost is None or who is None or why is None):
        raise click.UsageError("a truth needs a figure and goes on record: say --cost, --who and --why")
    if id is None and any(each is not None for each in (cost, input_tokens, output_tokens, who, why)):
        raise click.UsageError("say which attempt: `router usage settle` without anything lists them")
    with reading_router(loaded_policies(policies_at(policies))) as router:
        if id is None or cost is None or who is None or why is None:
            _list(out, router.worst_cases(), ZoneInfo(router.plan.settings.time_zone))
            return
        done = router.settle(
            id,
            cost=cost,
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            above_bound=above_bound,
            who=who,
            why=why,
        )
    if out.json:
        out.document(plain(done))
    elif done.changed:
        over = done.row.cost_nusd - done.row.worst_nusd
        above = f": {money(over)} above its bound" if over > 0 else ""
        out.line(f"{id} cost {money(done.row.cost_nusd)}, and not {money(done.before_nusd)}{above}")
    else:
        out.line(f"{id} was at {money(done.row.cost_nusd)} already")


def _list(out: Out, rows: "Sequence[Row]", zone: tzinfo) -> None:
    if out.json:
        out.document({"rows": plain(rows)})
        return
    if not rows:
        out.line("no attempt is charged at its worst case", bold=True)
        return
    out.line(
        f"{count(len(rows), 'attempt')} charged at worst case, {money(sum(row.cost_nusd for row in rows))}"
    )
    columns = (
        Column(title="id", style="bold"),
        Column(title="reserved"),
        Column(title="target"),
        Column(title="tenant"),
        Column(title="why"),
        Column(title="charged", right=True),
    )
    out.table(
        columns,
        [
            (
                row.id,
                _time(row.reserved_at_s, zone),
                row.target,
                row.tenant or "-",
                row.kind or ("its process died" if row.state == "expired" else "cut off"),
                money(row.cost_nusd),
            )
            for row in rows
        ],
    )


@click.command("acts")
@policies_option
@json_option
@click.pass_obj
def acts(out: Out, policies: Path | None) -> None:
    """What people did to the ledger: grants, costs that they told, losses that they accepted."""
    from router.tools.reading import loaded_policies, reading_router

    with reading_router(loaded_policies(policies_at(policies))) as router:
        found, zone = router.acts(), ZoneInfo(router.plan.settings.time_zone)
    if out.json:
        out.document({"acts": plain(found)})
        return
    if not found:
        out.line("nobody did anything by hand", bold=True)
        return
    columns = (
        Column(title="when"),
        Column(title="who", style="bold"),
        Column(title="what", fixed=False),
        Column(title="why", fixed=False),
    )
    out.table(columns, [(_time(each.at_s, zone), each.who, _told(each), each.why) for each in found])


@click.command("archive")
@click.option(
    "--before",
    type=Since(),
    metavar="TIME",
    required=True,
    help="Ended before: 90d, or 2026-08-01; a day ago at least.",
)
@click.option(
    "--to",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="The folder of the files; it is made where there is none.",
)
@click.option("--gzip", "compressed", is_flag=True, help="Compress the files.")
@policies_option
@json_option
@click.pass_obj
def archive(out: Out, before: str, folder: Path, compressed: bool, policies: Path | None) -> None:
    """Move old attempts out of the store, into files of JSON lines. What they cost stays in the balances.

    Attempts under way stay. It may run beside calls, and may be killed: the next run makes it good.
    """
    from router.tools.reading import loaded_policies, reading_router

    with reading_router(loaded_policies(policies_at(policies))) as router:
        done = router.archive(before=before, to=folder, compressed=compressed)
    if out.json:
        out.document(plain(done))
        return
    files = f" into {count(len(done.files), 'file')} in {folder}" if done.rows else ""
    out.line(f"moved {count(done.rows, 'row')}{files}", bold=True)
    if done.counters:
        out.line(f"  dropped {count(done.counters, 'counter')} of windows that are over", dim=True)


def _told(act: "Act") -> str:
    if act.counter is not None:
        shown, of = _shown(act.counter.unit), act.counter
        what = f"granted {shown(act.amount)}" if act.amount > 0 else f"took away {shown(-act.amount)}"
        return f"{what}: {of.owner} {of.window} {of.start}".rstrip()
    if act.row is not None:
        return f"{act.row} cost {money(act.amount)}, not {money(act.before)}"
    return (
        f"accepted a loss of rows: number {act.amount} was the last seen here, and any after it are lost too"
    )


def _time(at_s: float, zone: tzinfo) -> str:
    return datetime.fromtimestamp(at_s, zone).isoformat(sep=" ", timespec="seconds")[:19]
