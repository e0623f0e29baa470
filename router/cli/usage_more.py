"""`router usage export`, `forecast` and `advise`: what else the rows of the ledger tell."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from router.cli.options import json_option, policies_at, policies_option
from router.cli.out import Column, Out, written_to
from router.cli.since import Since
from router.tools.figures import about, count, marked, money, percent, spent, tokens
from router.tools.plain import plain

if TYPE_CHECKING:
    from router.books.forecast import Forecast

_since = click.option(
    "--since", type=Since(), default="30d", metavar="TIME", help="90d, 12h, or 2026-11-21 (default 30d)."
)


@click.command("export")
@_since
@click.option(
    "--format", "form", type=click.Choice(("csv", "jsonl")), default="csv", help="The form of a row."
)
@click.option(
    "--output", type=click.Path(path_type=Path, dir_okay=False), help="A file, instead of standard output."
)
@click.option(
    "--archive",
    type=click.Path(path_type=Path, file_okay=False),
    help="A folder that rows were moved to: they are exported too.",
)
@policies_option
@click.pass_obj
def export(
    out: Out, since: str, form: str, output: Path | None, archive: Path | None, policies: Path | None
) -> None:
    """Every attempt of the ledger as a row, for other programs.

    Who asked, what was tried, what it cost and how that is known. No content is in it: the ledger has none.
    """
    from router.books.export import as_csv, as_json_lines
    from router.tools.reading import loaded_policies, reading_router

    with reading_router(loaded_policies(policies_at(policies))) as router:
        found = router.export(since=since, archive=archive)
    text = (as_csv(found) if form == "csv" else as_json_lines(found)).removesuffix("\n")
    if output is None:
        out.line(text) if text else None
        return
    written_to(output, text)
    out.remark(f"wrote {output}: {count(len(found), 'row')}", fg="green")


@click.command("forecast")
@policies_option
@json_option
@click.pass_obj
def forecast(out: Out, policies: Path | None) -> None:
    """What each calendar budget will have come to when its window ends, and when it runs out.

    It is judged by the same rest of past windows; the least and the most are what any of them would have led to.
    """
    from router.tools.reading import loaded_policies, reading_router

    with reading_router(loaded_policies(policies_at(policies))) as router:
        now_s, found = router.ports.clock.now_s(), router.forecast()
    if out.json:
        out.document({"now_s": now_s, "forecasts": plain(found)})
        return
    if not found:
        out.line("nothing was spent in a calendar window yet", bold=True)
        return
    columns = [Column(title="of", style="bold"), Column(title="budget")]
    columns += [Column(title=title, right=True) for title in ("used", "expected", "", "between", "and")]
    columns += [
        Column(title="ends in"),
        Column(title="runs out in"),
        Column(title="judged by", style="dim", fixed=False),
    ]
    out.table(columns, [_forecast(each, now_s) for each in found])


def _forecast(each: "Forecast", now_s: float) -> tuple[str, ...]:
    shown = spent if each.budget.unit == "nusd" else tokens
    low, high = ("" if bound is None else shown(bound) for bound in (each.low, each.high))
    out_in = "" if each.runs_out_at_s is None else about(max(each.runs_out_at_s - now_s, 0.0))
    if each.used >= each.budget.amount:  # when it did is not known
        out_in = "ran out"
    judged = count(each.past, "past window") if each.past else "the pace of this window"
    figures = shown(each.used), shown(each.expected), percent(each.expected, each.budget.amount), low, high
    text = marked(each.budget)
    return each.budget.whose, text, *figures, about(each.ends_at_s - now_s), out_in, judged


@click.command("advise")
@_since
@policies_option
@json_option
@click.pass_obj
def advise(out: Out, since: str, policies: Path | None) -> None:
    """What would have saved money on the recorded rows, with the amount and the YAML to write.

    It is arithmetic over what was paid: whether a cheaper target answers well enough is for you to say.
    """
    from router.tools.reading import loaded_policies, reading_router

    with reading_router(loaded_policies(policies_at(policies))) as router:
        found = router.advise(since=since)
    if out.json:
        out.document(plain(found))
        return
    if not found:
        out.line("nothing that would have saved money", bold=True)
    for each in found:
        out.line(
            f"{money(each.saved_nusd)} of {money(each.spent_nusd)} in policy {each.policy} ({each.where})",
            bold=True,
        )
        out.line(f"  {each.text} ({count(each.rows, 'attempt')})")
        if each.yaml:
            out.line(f"  write `{each.yaml}`")
