"""`router breaker`: which targets are left alone, and closing a breaker by hand."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from router.cli.options import json_option, policies_at, policies_option
from router.cli.out import Column, Out
from router.tools.figures import about, percent
from router.tools.plain import plain

if TYPE_CHECKING:
    from router.books.breakers import BreakerNow


@click.group("breaker", invoke_without_command=True)
@policies_option
@json_option
@click.pass_context
def command(context: click.Context, policies: Path | None) -> None:
    """The breaker of every target that has one: whether it is closed, open or half open, and why."""
    if context.invoked_subcommand is not None:
        return
    out: Out = context.obj
    from router.client.assembly import public, state_place, state_source
    from router.tools.reading import loaded_policies, reading_router

    with reading_router(loaded_policies(policies_at(policies))) as router:
        place, source = public(state_place(router.plan, None)), state_source(router.plan)
        found, now_s = router.breakers(), router.ports.clock.now_s()
    if out.json:
        out.document({"breakers": plain(found)})
        return
    _show(out, found, now_s)
    out.remark(f"state: {place} ({source})", dim=True)


@command.command("reset")
@click.argument("targets", metavar="TARGET...", nargs=-1, required=True)
@policies_option
@json_option
@click.pass_obj
def reset(out: Out, targets: Sequence[str], policies: Path | None) -> None:
    """Close the breakers of these targets, for every process at once: the next call tries them."""
    from router.tools.reading import loaded_policies, writing_router

    with writing_router(loaded_policies(policies_at(policies))) as router:
        done = router.reset_breakers(*targets)
    if out.json:
        out.document({"breakers": plain(done)})
        return
    for each in done:
        out.line(f"the breaker of {each.target} is closed")


def _show(out: Out, found: "Sequence[BreakerNow]", now_s: float) -> None:
    if not found:
        out.line("no target has a breaker", bold=True)
        return
    shut = sum(each.phase != "closed" for each in found)
    out.line(f"{shut} of {len(found)} not closed" if shut else "all closed", bold=True)
    columns = (
        Column(title="target", style="bold"),
        Column(title="breaker"),
        Column(title="failures"),
        Column(title="again in", right=True),
        Column(title="opened", right=True),
        Column(title="rule", style="dim", fixed=False),
    )
    out.table(columns, [_row(each, now_s) for each in found])


def _row(each: "BreakerNow", now_s: float) -> Sequence[str]:
    from router.policy.breakers import breaker_text

    left = "" if each.until_s is None else about(each.until_s - now_s)
    times = f"{each.openings} x" if each.openings else ""
    return each.target, _phase(each), _failures(each), left, times, breaker_text(each.rule)


def _phase(each: "BreakerNow") -> str:
    probing = f", {each.probes} trying" if each.probes else ""
    return f"{each.phase.replace('_', ' ')}{probing}"


def _failures(each: "BreakerNow") -> str:
    row = f"{each.in_a_row} in a row" if each.in_a_row else ""
    if not each.attempts:
        return row
    rate = f"{each.failures} of {each.attempts} ({percent(each.failures, each.attempts)})"
    return f"{row}, {rate}" if row else rate
