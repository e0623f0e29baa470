"""`router demo`: the whole product at work, with no key and no network."""

import sys
from typing import TYPE_CHECKING

import click

from router.cli.options import json_option
from router.cli.out import Column, Out, width_of

if TYPE_CHECKING:  # what a demo needs is imported after its first line is on the screen
    from collections.abc import Sequence

    from router.cli.demo_next import Next
    from router.cli.demo_play import TeamBudget, Watch
    from router.cli.demo_progress import LiveLine
    from router.cli.demo_rows import Row
    from router.cli.demo_stage import Stage
    from router.cli.demo_table import Widths


@click.command("demo")
@json_option
@click.pass_obj
def run(out: Out) -> None:
    """See it all work: three teams, the shipped policies, and a provider that misbehaves.

    No key is needed and no network: the provider is a server on this machine. What it leaves in `.router-demo` is there
    to look into with `explain` and `usage`, and is replaced when the demo is run again.
    """
    say = out.remark if out.json else out.line
    say("router demo: three teams and a provider that misbehaves, all on this machine")
    from router.cli.complete import quiet_log
    from router.cli.demo_next import next_commands
    from router.cli.demo_play import Watch, set_up, team_budgets
    from router.cli.demo_progress import LiveLine

    with quiet_log(), LiveLine() as live:
        watch = Watch(live)
        with set_up(say, live, watch) as stage:
            rows = _performed(out, stage, watch, live)
            budgets = team_budgets(stage, rows)
    commands = next_commands(stage.policies)
    if out.json:
        _document(out, rows, budgets, commands)
        return
    _budgets(out, budgets)
    out.heading("look further")
    for each in commands:
        out.line(f"  # {each.shows}", dim=True)
        out.line(f"  {each.command}")


def _performed(out: Out, stage: "Stage", watch: "Watch", live: "LiveLine") -> "Sequence[Row]":
    """Play the story; each scene and row is told when it happens."""
    from router.cli.demo_play import play
    from router.cli.demo_story import STORY
    from router.cli.demo_table import header, widths_for

    widths = widths_for(STORY, stage.router.plan.targets, screen=width_of(sys.stdout))
    rows = []
    if not out.json:
        out.line()
        out.line(header(widths), dim=True)
    for scene, told in play(stage, STORY, watch):
        live.clear()
        (out.remark if out.json else out.line)(scene.title, bold=True)
        for row in told:
            live.clear()
            rows.append(row)
            if not out.json:
                _tell(out, row, widths)
    return rows


def _tell(out: Out, row: "Row", widths: "Widths") -> None:
    from router.cli.demo_table import STYLES, remarks, row_line

    out.line(row_line(row, widths), fg=STYLES[row.outcome])
    for remark in remarks(row, widths):
        out.line(remark, dim=True)


def _budgets(out: Out, found: "Sequence[TeamBudget]") -> None:
    out.heading("what each team spent of its budget")
    columns = (
        Column(title="team"),
        *(Column(title=title, right=True) for title in ("calls", "answered", "cached", "spent")),
        Column(title="of"),
        Column(title="left", right=True),
    )
    out.table(columns, [_budget(each) for each in found])


def _budget(each: "TeamBudget") -> "Sequence[str]":
    from router.cli.demo_table import cost
    from router.tools.figures import money

    now = each.now
    counts = (str(each.calls), str(each.answered), str(each.cached))
    amount = f"{money(now.amount).removesuffix('.00')} a {now.window}"
    return each.tenant, *counts, cost(now.settled), amount, cost(now.left)


def _document(
    out: Out, rows: "Sequence[Row]", budgets: "Sequence[TeamBudget]", commands: "Sequence[Next]"
) -> None:
    from router.tools.plain import plain

    out.document({"rows": plain(rows), "budgets": plain(budgets), "next": plain(commands)})
