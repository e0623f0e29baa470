"""`router explain`: what a policy does, what it may cost, and why."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from router.cli.complete import messages, parameters
from router.cli.failures import PROBLEMS, dropped_line, on_command_line, parted
from router.cli.options import Duration, caller_options, json_option, policies_at, policies_option
from router.cli.out import INDENT, Column, Out
from router.cli.usage import budgets, limits
from router.tools.figures import count, money, seconds, tokens
from router.tools.plain import plain

if TYPE_CHECKING:
    from router.decide.bounds import BranchBound
    from router.errors import Dropped
    from router.plan import TokenClass
    from router.policy.effective import Effective
    from router.tools.explain import Explanation, Offer
    from router.values import Place

UNBOUNDED = "unbounded"


@click.command("explain")
@click.argument("policy")
@click.option("--prompt", metavar="TEXT", help="What is asked; `-` reads standard input.")
@caller_options
@click.option(
    "--param", "params", multiple=True, metavar="NAME=JSON", help="An OpenAI parameter, as max_tokens=50."
)
@click.option("--timeout", type=Duration(), help="Less time than the policy gives, such as 8s.")
@click.option("--assume-keys", is_flag=True, help="As if every key were set; always so without a prompt.")
@policies_option
@json_option
@click.pass_obj
def command(
    out: Out,
    /,
    policy: str,
    prompt: str | None,
    params: Sequence[str],
    timeout: float | None,
    assume_keys: bool,
    policies: Path | None,
    **who: Any,
) -> int:
    """The effective policy with the line of each value; who would be asked, in which order, and who not and why; the
    likely and the worst cost; and what is left of the budgets and limits that hold for this caller.

    With a prompt it tells of that call, without one of the policy. Nothing is sent, reserved or written. Exit code 1:
    such a call would be refused.
    """
    from router.client.inline import run_inline
    from router.policy.effective import asked_of, effective
    from router.tools.explain import explain
    from router.tools.reading import asked, loaded_policies, reading_router

    loaded = loaded_policies(policies_at(policies))
    with reading_router(loaded) as router:
        said = messages(prompt) if prompt is not None else ()
        request = asked(router, said, policy=policy, timeout=timeout, params=parameters(params), **who)
        told = run_inline(explain(router.plan, router.ports, request, assume_keys=assume_keys))
        now_s = router.ports.clock.now_s()
    values = effective(loaded, policy)
    asks = asked_of(loaded, told.tenant) if told.tenant else ()
    if out.json:
        out.document({**plain(told), "effective": plain(values), "asked": plain(asks)})
    else:
        _show(out, told, (values, asks), now_s, Path(router.plan.folder))
    return 0 if told.passes else PROBLEMS


def _show(
    out: Out,
    told: "Explanation",
    written: "tuple[Sequence[Effective], Sequence[Effective]]",
    now_s: float,
    folder: Path,
) -> None:
    """`written`: the values of the policy, and what the tenant's side asks."""
    from router.decide.outcome import explained_by

    values, asks = written
    elsewhere = f", from {folder}" if folder.is_absolute() else ""
    out.line(f"policy {told.policy}{elsewhere}", bold=True)
    columns = (Column(title="", style="bold"), Column(title="", fixed=False), Column(title="", style="dim"))
    out.table(columns, _tree(values, folder))
    out.heading(_whose(told))
    if asks:
        out.table(columns, _tree(asks, folder))
    for note in told.notes:
        out.line(f"  {note}", dim=True)
    for key in told.missing_keys:
        out.line(f"  `{key.name}` is not set here (asked for at {key.place})", fg="yellow")
    if told.refusal:
        headline, _ = parted(told.refusal.message, [dropped_line(each) for each in told.dropped])
        out.line(f"  refused: {headline}", fg="red")
        if told.refusal.help not in ("", explained_by(told.policy)):  # that is what is being read
            out.line(f"  help: {on_command_line(told.refusal.help)}")
    for rule in told.rules:
        lacking = f" (the call names no {rule.lacking})" if rule.outcome == "unknown" else ""
        out.line(f"  rule {rule.name} {rule.outcome}{lacking}", dim=rule.outcome != "holds")
    _offers(out, told)
    _prices(out, told)
    _breakers(out, told, folder)
    _left_out(out, told.dropped)
    _bounds(out, told)
    if told.budgets:
        out.heading("budgets")
        budgets(out, told.budgets, now_s)
    if told.limits:
        out.heading("limits")
        limits(out, told.limits)
    if told.advice:
        out.heading("what to change")
        for sentence in told.advice:
            out.line(f"  {sentence}")


def _tree(values: "Sequence[Effective]", folder: Path) -> Iterator[Sequence[str]]:
    """What belongs together below its name, as in the file."""
    above = ""
    for each in values:
        block, _, name = each.name.rpartition(".")
        if block not in ("", above):
            yield block, "", ""
        above = block
        yield f"{INDENT if block else ''}{name}", each.text, _where(each.place, folder)


def _where(place: "Place | None", folder: Path) -> str:
    """`policies/a.yaml:12`, whatever stands before `policies`."""
    if place is None:
        return "built in"
    file = Path(place.file)
    if file.is_relative_to(folder.parent):
        file = file.relative_to(folder.parent)
    return f"{file}:{place.line}" if place.line else place.file


def _whose(told: "Explanation") -> str:
    who = [f"{name} {value}" for name in ("tenant", "user", "session") if (value := getattr(told, name))]
    who += [f"tag {tag}" for tag in told.tags]
    return f"for {', '.join(who) or 'any caller'}"


# --- The list ---------------------------------------------------------------------------------------------------------


def _offers(out: Out, told: "Explanation") -> None:
    _list(out, "tried in this order", told.offers, prompted=told.prompted)
    if told.landing is not None:
        landing = told.landing
        heading = f"policy {landing.policy} takes over, as `{landing.budget}` has no room in `{landing.rule}`"
        _list(out, heading, landing.offers, prompted=told.prompted)
        _left_out(out, landing.dropped)


def _list(out: Out, heading: str, offers: "Sequence[Offer]", *, prompted: bool) -> None:
    if not offers:
        return
    out.heading(heading)
    columns = [Column(title="", right=True), Column(title="target", style="bold")]
    columns += [Column(title=title, right=True) for title in ("sends", "input", "output", "cost")]
    columns += [Column(title=title, style="dim", fixed=False) for title in ("counted", "wire")]
    out.table(
        columns,
        [row for number, each in enumerate(offers, start=1) for row in _rows(str(number), each, prompted)],
    )
    refused = [reason for each in offers for reason in each.refused]
    if refused:
        out.heading("without room now")
        for reason in refused:
            out.line(f"  {reason}", fg="yellow")


def _rows(number: str, offer: "Offer", prompted: bool) -> Iterator[Sequence[str]]:
    """The likely figures of a call above those that bound it; of a policy there are only bounds."""
    output, sends = tokens(offer.output_bound, UNBOUNDED), str(offer.sends)
    worst = tokens(offer.input_bound, UNBOUNDED), output, money(offer.worst_nusd, UNBOUNDED)
    if prompted:
        likely = f"~{tokens(offer.input_tokens)}", output, f"~{money(offer.likely_nusd)}"
        yield number, offer.target, sends, *likely, "", offer.wire
        yield "", f"  at most, {counted_by(offer.tokens)}", "", *worst, "", ""
    else:
        yield number, offer.target, sends, *worst, counted_by(offer.tokens), offer.wire


def _prices(out: Out, told: "Explanation") -> None:
    """Where one of them has days, or a discount: else the price file or one line of a policy says it."""
    if any(len(each.prices) > 1 or each.prices[0].discount for each in told.offers):
        out.heading("prices")
        columns = (
            Column(title="", style="bold"),
            Column(title="", style="dim"),
            Column(title="", fixed=False),
        )
        rows = [
            (
                each.target if number == 0 else "",
                "now" if then.since is None else f"from {then.since}",
                then.text,
            )
            for each in told.offers
            for number, then in enumerate(each.prices)
        ]
        out.table(columns, rows)
        out.line("  what is worst, below and above, is so on every one of these days", dim=True)


def _breakers(out: Out, told: "Explanation", folder: Path) -> None:
    from router.policy.breakers import breaker_text

    landing = told.landing.offers if told.landing else ()
    rules = {each.target: each.breaker for each in (*told.offers, *landing) if each.breaker}
    if rules:
        out.heading("left alone after failures")
        columns = (
            Column(title="", style="bold"),
            Column(title="", fixed=False),
            Column(title="", style="dim"),
        )
        out.table(
            columns, [(name, breaker_text(rule), _where(rule.place, folder)) for name, rule in rules.items()]
        )
        out.line("  it only takes attempts away: what is never exceeded, below, holds with it", dim=True)


def counted_by(tokens: "TokenClass") -> str:
    """How the input is bounded: `exact`, `+60% claude`, `window`."""
    if tokens.method != "margin":
        return tokens.method
    return f"+{tokens.margin_percent}% {tokens.family}".rstrip()


def _left_out(out: Out, dropped: "Sequence[Dropped]") -> None:
    if dropped:
        out.heading("left out")
        columns = (Column(title="", style="bold"), Column(title="", fixed=False))
        out.table(columns, [(each.target, each.detail or each.reason) for each in dropped])


def _bounds(out: Out, told: "Explanation") -> None:
    """A whole answer and the first content of a stream share one bound; a stream has one for what comes after."""
    from router.decide.bounds import GRACE_S
    from router.policy.scalars import duration_text

    rows = list(_bound_rows(told))
    if rows:
        out.heading("never more than")
        columns = [
            Column(title="", style="bold"),
            Column(title="cost", right=True),
            Column(title="answered or failed within", right=True),
        ]
        out.table([*columns, Column(title="", style="dim", fixed=False)], rows)
        rest = duration_text(round(max(each.stream_s for each in told.branches) * 1000))
        out.line(f"  the time holds {seconds(GRACE_S)} of grace, to notice a deadline and close up", dim=True)
        out.line(
            f"  a stream has come to its first content by then, and ends within {rest} after that", dim=True
        )
        out.line(f"  {failures_cost()}", dim=True)


def failures_cost() -> str:
    """The last column of the failure table, in a sentence."""
    from router.decide.classify import FAILURES, Charge

    unknown = [str(kind) for kind, rule in FAILURES.items() if rule.charge is Charge.WORST_CASE]
    reported = [str(kind) for kind, rule in FAILURES.items() if rule.charge is Charge.REPORTED]
    return (
        f"a failed attempt costs its worst case after {' or '.join(unknown)} (unless it never left), what its provider "
        f"reports after {', '.join(reported)}, else nothing"
    )


def _bound_rows(told: "Explanation") -> Iterator[Sequence[str]]:
    """This call, then every branch; below each of them and below the dearest branch the sends that come to that."""
    named = [("this call", told.this_call)] if told.this_call else []
    branches = [(f"any call, {each.branch}", each) for each in told.branches]
    for number, (name, bound) in enumerate((*named, *branches)):
        cap = f", capped by `{bound.capped_by}`" if bound.capped_by else ""
        cost = money(bound.cost_nusd, UNBOUNDED)
        yield name, cost, seconds(bound.seconds), f"in {count(bound.sends, 'send')}{cap}"
        if number <= len(named):
            yield from _sends(bound)


def _sends(bound: "BranchBound") -> Iterator[Sequence[str]]:
    for target, each in groupby(bound.attempts, key=lambda attempt: attempt.target):
        sends = list(each)
        yield f"{INDENT}{target}", f"{len(sends)} x {money(sends[0].nusd, UNBOUNDED)}", "", ""
