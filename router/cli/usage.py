"""`router usage`: what was spent, and what is left."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from router.cli.options import json_option, policies_at, policies_option
from router.cli.out import Column, Out
from router.cli.since import Since
from router.cli.usage_acts import acts, archive, grant, settle
from router.cli.usage_more import advise, export, forecast
from router.tools.figures import (
    about,
    count,
    left,
    marked,
    money,
    percent,
    spent,
    tokens,
    tokens_left,
    with_warnings,
)
from router.tools.plain import plain
from router.tools.sparks import spark, sparks_for
from router.tools.usage_csv import table_csv

BY = ("tenant", "user", "policy", "model", "provider", "key", "tag", "day", "window")


@click.group("usage", invoke_without_command=True)
@click.option(
    "--since", type=Since(), default="7d", metavar="TIME", help="7d, 12h, or 2026-11-21 (default 7d)."
)
@click.option(
    "--by", multiple=True, type=click.Choice(BY), help="Group by this; repeat it to group by several."
)
@click.option(
    "--window",
    type=click.Choice(("hour", "day", "week", "month")),
    help="The window of --by window (default day).",
)
@click.option("--tenant", "--team", "tenant", metavar="PATH", help="Only this tenant and those below it.")
@click.option("--csv", "as_csv", is_flag=True, help="Print the table of --by as CSV, in nano-dollars.")
@click.option("--ascii", "plain_marks", is_flag=True, help="Draw spend over time with ASCII alone.")
@policies_option
@json_option
@click.pass_context
def command(
    context: click.Context,
    since: str,
    by: Sequence[str],
    window: Any,
    tenant: str | None,
    as_csv: bool,
    plain_marks: bool,
    policies: Path | None,
) -> None:
    """Spend, tokens and requests from the ledger, and what is left of budgets and limits.

    Answers from the cache and calls that were refused before sending cost nothing and leave no row.
    """
    if context.invoked_subcommand is not None:
        return
    out: Out = context.obj
    if as_csv and out.json:
        raise click.UsageError("--csv and --json are two answers to one question: choose one")
    if as_csv and not by:
        raise click.UsageError("--csv prints the one table of --by: say at least one word")
    from router.client.assembly import public, state_place, state_source
    from router.tools.reading import loaded_policies, reading_router

    with reading_router(loaded_policies(policies_at(policies))) as router:
        place, source = public(state_place(router.plan, None)), state_source(router.plan)
        report = router.usage(since=since, by=by, window=window, tenant=tenant)
    if out.json:
        out.document(plain(report))
        return
    if as_csv:
        out.line(table_csv(report.tables[0]).removesuffix("\n"))
        return
    _show(out, report, sparks_for(sys.stdout, plain=plain_marks))
    out.remark(f"ledger: {place} ({source})", dim=True)


def _show(out: Out, report: Any, marks: str) -> None:
    total = report.total
    since = f"in the last {about(int(report.now_s - report.since_s))}"
    if not total.attempts:
        out.line(f"nothing was spent {since}", bold=True)
    else:
        requests = count(total.requests, "request")
        out.line(f"{money(total.spent_nusd)} for {requests} {since}", bold=True)
        for remark in _remarks(total):
            out.line(f"  {remark}", dim=True)
    for table in report.tables:
        if table.groups:
            out.heading(f"by {' and '.join(table.by)}")
            _spends(out, table, report.step, marks)
    if report.budgets:
        out.heading("budgets")
        budgets(out, report.budgets, report.now_s)
    if report.limits:
        out.heading("limits, right now")
        limits(out, report.limits)


def _remarks(total: Any) -> Iterator[str]:
    if total.assumed_nusd:
        yield f"{money(total.assumed_nusd)} of it at worst case, where no usage was ever reported"
    if total.held_nusd:
        yield f"{money(total.held_nusd)} more is reserved for calls under way"
    if total.overruns:
        over = count(total.overruns, "attempt")
        yield f"{over} billed {money(total.overrun_nusd)} above what was reserved: see `router audit`"


def _spends(out: Out, table: Any, step: str, marks: str) -> None:
    titles = ("requests", "failed", "tokens in", "out", "spent", "at worst case", "held", "over bound")
    columns = [Column(title=word, style="bold") for word in table.by]
    columns += [Column(title=title, right=True) for title in titles]
    columns += [Column(title=f"by {step}", style="dim")]
    over_time = not set(table.by) & {"day", "window"}  # those have their place in time
    out.table(
        columns,
        [
            (
                *map(_named, group.values),
                *_figures(group.spend),
                spark(group.over_time, marks) if over_time else "",
            )
            for group in table.groups
        ],
    )
    if table.overlaps:
        out.line("  an attempt with several tags counts under each of them", dim=True)


def _named(value: str | None) -> str:
    """`-` stands for what a call did not name, so who is called that is quoted."""
    return "-" if value is None else f'"{value}"' if value == "-" else value


def _figures(spend: Any) -> Sequence[str]:
    return (
        str(spend.requests),
        str(spend.failed or ""),
        tokens(spend.input_tokens),
        tokens(spend.output_tokens),
        spent(spend.spent_nusd),
        spent(spend.assumed_nusd) if spend.assumed_nusd else "",
        spent(spend.held_nusd) if spend.held_nusd else "",
        str(spend.overruns or ""),
    )


def budgets(out: Out, found: Sequence[Any], now_s: float) -> None:
    """Budgets with what is used and left, and when they refill."""
    columns = (
        Column(title="of", style="bold"),
        Column(title="budget"),
        Column(title="used", right=True),
        Column(title="", right=True, style="dim"),
        Column(title="left", right=True),
        Column(title="refills in"),
    )
    out.table(columns, [_budget(each, now_s) for each in found])


def _budget(each: Any, now_s: float) -> Sequence[str]:
    used, text = each.settled + each.reserved, marked(each)
    shown = (spent(used), left(each.left)) if each.unit == "nusd" else (tokens(used), tokens_left(each.left))
    if each.window == "request":
        return each.owner, text, "", "", "", "each call"
    shown_as = money if each.unit == "nusd" else str
    text = f"{text} ({shown_as(each.granted)} granted)" if each.granted else text
    text = with_warnings(text, each.warn_at, each.reached)
    if each.rolling:
        return each.owner, text, shown[0], percent(used, each.amount), shown[1], "step by step"
    refills = "never" if each.resets_at_s is None else about(each.resets_at_s - now_s)
    return each.owner, text, shown[0], percent(used, each.amount + each.granted), shown[1], refills


def limits(out: Out, found: Sequence[Any]) -> None:
    """Limits with what their windows hold."""
    columns = (
        Column(title="of", style="bold"),
        Column(title="limit"),
        Column(title="used", right=True),
        Column(title="left", right=True),
    )
    out.table(
        columns,
        [
            (
                each.owner,
                marked(each),
                tokens(each.used),
                tokens_left(each.left),
            )
            for each in found
        ],
    )


for more in (export, forecast, advise, grant, settle, acts, archive):
    command.add_command(more)
