"""`router usage`: what was spent, and what is left."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from router.cli.options import json_option, policies_at, policies_option
from router.cli.out import Column, Out
from router.cli.since import Since
from router.cli.usage_acts import acts, archive, grant, settle
from router.cli.usage_more import advise, export, forecast
from router.tools.figures import about, count, left, marked, money, percent, spent, tokens, tokens_left
from router.tools.plain import plain

BY = ("tenant", "user", "policy", "model", "provider", "window")


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
    default="day",
    help="The window of --by window.",
)
@click.option("--tenant", "--team", "tenant", metavar="PATH", help="Only this tenant and those below it.")
@policies_option
@json_option
@click.pass_context
def command(
    context: click.Context,
    since: str,
    by: Sequence[str],
    window: Any,
    tenant: str | None,
    policies: Path | None,
) -> None:
    """Spend, tokens and requests from the ledger, and what is left of budgets and limits.

    Answers from the cache and calls that were refused before sending cost nothing and leave no row.
    """
    if context.invoked_subcommand is not None:
        return
    out: Out = context.obj
    from router.client.assembly import public, state_place
    from router.tools.reading import loaded_policies, reading_router

    with reading_router(loaded_policies(policies_at(policies))) as router:
        place = public(state_place(router.plan, None))
        report = router.usage(since=since, by=by, window=window, tenant=tenant)
    if out.json:
        out.document(plain(report))
        return
    _show(out, report)
    out.remark(f"ledger: {place} (ROUTER_STATE or `settings.state` name another)", dim=True)


def _show(out: Out, report: Any) -> None:
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
            _spends(out, table)
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


def _spends(out: Out, table: Any) -> None:
    columns = [Column(title=word, style="bold") for word in table.by]
    columns += [
        Column(title=title, right=True) for title in ("requests", "failed", "tokens in", "out", "spent")
    ]
    out.table(columns, [(*group.values, *_figures(group.spend)) for group in table.groups])


def _figures(spend: Any) -> Sequence[str]:
    return (
        str(spend.requests),
        str(spend.failed or ""),
        tokens(spend.input_tokens),
        tokens(spend.output_tokens),
        spent(spend.spent_nusd),
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
