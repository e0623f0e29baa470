"""`router record`: real calls, kept as a cassette that answers them again without a network."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from router.cli.complete import messages, parameters, quiet_log, story, tell_warnings
from router.cli.failures import PROBLEMS
from router.cli.options import caller_options, json_option, policies_at, policies_option
from router.cli.out import Out
from router.errors import RequestError, RouterError
from router.tools.figures import count

if TYPE_CHECKING:
    from router.client import Router
    from router.tools.script import Call


@click.command("record")
@click.argument("policy", required=False)
@click.argument("prompt", required=False)
@click.option(
    "--into", type=click.Path(path_type=Path), required=True, metavar="FILE", help="The cassette to write."
)
@click.option(
    "--script", type=click.Path(path_type=Path), metavar="FILE", help="Calls, as YAML or JSON lines."
)
@caller_options
@click.option(
    "--param", "params", multiple=True, metavar="NAME=JSON", help="An OpenAI parameter, as temperature=0."
)
@click.option("--synthetic", is_flag=True, help="Mark the answers as made up; nothing goes into the ledger.")
@click.option("--force", is_flag=True, help="Overwrite the cassette.")
@policies_option
@json_option
@click.pass_obj
def command(
    out: Out,
    /,
    policy: str | None,
    prompt: str | None,
    into: Path,
    script: Path | None,
    params: Sequence[str],
    synthetic: bool,
    force: bool,
    policies: Path | None,
    **who: Any,
) -> int:
    """Make calls, and keep every exchange with a provider in a cassette, without keys, cookies and account names.

    Either one call (POLICY and PROMPT) or --script, a list of calls with the arguments of `complete`:

    \b
      - {policy: cheap-fast, tenant: acme/search, prompt: Hello}
      - {policy: cheap-fast, tenant: acme/search, prompt: Boo, fails: true}

    Failures are recorded too; `fails: true` says that a call is meant to end in one. The calls are real, and are
    charged to budgets as usual; the cache is left out.
    """
    if (script is None) == (policy is None) or (policy is None) != (prompt is None):
        raise click.UsageError("name a POLICY and a PROMPT, or a --script, but not both")
    if into.exists() and not force:
        raise RequestError(
            f"`{into}` is there already", help="--force overwrites it; another name keeps both"
        )
    calls = _calls(script, policy or "", prompt or "", params, who)
    told, exchanges = _recorded(out, calls, into, synthetic=synthetic, policies=policies_at(policies))
    if out.json:
        out.document({"cassette": str(into) if exchanges else None, "exchanges": exchanges, "calls": told})
    elif exchanges:
        out.line(f"wrote {into}: {count(exchanges, 'exchange')}", fg="green")
    else:
        out.remark("nothing was exchanged with a provider, so there is no cassette", fg="red")
    return 0 if exchanges and all(each["as_meant"] for each in told) else PROBLEMS


def _calls(
    script: Path | None, policy: str, prompt: str, params: Sequence[str], who: dict[str, Any]
) -> "Sequence[Call]":
    from router.tools.script import Call, read_script
    from router.values import Place

    if script is not None:
        return read_script(script)
    place = Place(file="the command line", line=0, column=0)
    arguments = {"policy": policy, **who}
    return [
        Call(place=place, messages=tuple(messages(prompt)), arguments=arguments, params=parameters(params))
    ]


def _recorded(
    out: Out, calls: "Sequence[Call]", into: Path, *, synthetic: bool, policies: Path
) -> tuple[list[dict[str, Any]], int]:
    """What became of each call, and how many exchanges the cassette holds."""
    from router.adapters.cassette_transport import CassetteTransport
    from router.client import Router

    transport = CassetteTransport.record(into, suspends=False, synthetic=synthetic)
    state = "memory" if synthetic else None
    told: list[dict[str, Any]] = []
    with quiet_log(), Router.open(policies, transport=transport, cache="memory", state=state) as router:
        tell_warnings(out, len(router.warnings))
        _refuse_unrecordable(router, calls)
        for number, call in enumerate(calls, start=1):
            out.remark(f"{number}/{len(calls)} {call.arguments.get('policy', '')} ({call.place})", bold=True)
            told.append(_made(out, router, call))
    return told, len(transport.tape)


def _refuse_unrecordable(router: "Router", calls: "Sequence[Call]") -> None:
    """Before the first call is made: a cassette is content that was kept."""
    from router.decide.scopes import never_of

    for call in calls:
        tenant = call.arguments.get("tenant") or call.arguments.get("team")
        if "log" in never_of(router.plan, tenant):
            raise RequestError(
                f"the calls of tenant `{tenant}` are not recorded: it has `content: {{log: never}}` ({call.place})",
                help="record as another tenant",
            )


def _made(out: Out, router: "Router", call: "Call") -> dict[str, Any]:
    target, error = None, None
    try:
        reply = router.complete(call.messages, **call.arguments, **call.params)
    except RouterError as failure:
        error = f"{type(failure).__name__}: {failure.message}"
        meant, color = (", as meant", None) if call.fails else ("", "red")
        out.remark(f"  no answer{meant}: {failure.message}", fg=color)
    else:
        target = reply.target
        for line in story(reply):
            out.remark(f"  {line}", dim=True)
        if call.fails:
            out.remark("  it was meant to end without an answer", fg="red")
    as_meant = (error is not None) is call.fails
    return {"place": str(call.place), "target": target, "error": error, "as_meant": as_meant}
