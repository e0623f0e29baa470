"""`router complete`: one prompt, answered by a policy. The answer goes to standard output, what happened beside it."""

import json
import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from router import events as ev
from router.cli.options import (
    Duration,
    caller_options,
    frozen_option,
    json_option,
    policies_at,
    policies_option,
)
from router.cli.out import Out
from router.tools.figures import about, count, money, seconds, tokens
from router.tools.plain import plain

if TYPE_CHECKING:
    from router.client import Router
    from router.values import Reply

EXPECTED = ("duplicate", "not_in_only")
"""Reasons for a dropped candidate that surprise nobody."""


@click.command("complete")
@click.argument("policy")
@click.argument("prompt")
@caller_options
@click.option("--system", metavar="TEXT", help="A system message before the prompt.")
@click.option(
    "--param", "params", multiple=True, metavar="NAME=JSON", help="An OpenAI parameter, as temperature=0."
)
@click.option("--timeout", type=Duration(), help="Less time than the policy gives, such as 8s.")
@click.option(
    "--replay", type=click.Path(path_type=Path), metavar="CASSETTE", help="Answer from a recording."
)
@click.option("--stream", is_flag=True, help="Print the answer as it comes.")
@click.option("--fake", is_flag=True, help="Make an answer up: no key, no network.")
@frozen_option
@policies_option
@json_option
@click.pass_obj
def command(
    out: Out,
    /,
    policy: str,
    prompt: str,
    system: str | None,
    params: Sequence[str],
    timeout: float | None,
    replay: Path | None,
    stream: bool,
    fake: bool,
    frozen: bool,
    policies: Path | None,
    **who: Any,
) -> None:
    """Answer PROMPT by POLICY; a PROMPT of `-` is read from standard input.

    The answer goes to standard output; who gave it, what it cost and what failed before to standard error. With --fake
    (the same as ROUTER_TRANSPORT=fake) or --replay nothing is spent, and the real ledger and cache are left alone.
    """
    if fake and replay:
        raise click.UsageError("--fake and --replay are two answers to one question: choose one")
    from router.client import Router
    from router.client.assembly import unused_state

    made_up = "fake" if fake else f"cassette:{replay}" if replay else None
    kept = (
        "memory" if replay else None
    )  # each replay begins anew: no answer and no cooling key of an earlier one
    folder = policies_at(policies)
    with quiet_log(), Router.open(folder, transport=made_up, state=kept, cache=kept, frozen=frozen) as router:
        tell_warnings(out, len(router.warnings))
        if not kept and (unused := unused_state(router.plan)):
            out.remark(f"ROUTER_STATE names {unused}: `settings.state` comes first", fg="yellow")
        asked = messages(prompt, system)
        arguments = {"policy": policy, "timeout": timeout, **who, **parameters(params)}
        printed = stream and not out.json
        answered = partial(_streamed, out) if printed else Router.complete
        reply = answered(router, asked, **arguments)
    if out.json:
        out.document(_document(reply))
        return
    for line in story(reply):
        out.remark(line, dim=True)
    if not printed:
        out.line(reply.text or _tool_calls(reply))


def _streamed(out: Out, router: "Router", asked: Sequence[Mapping[str, Any]], **arguments: Any) -> "Reply":
    """The answer, printed piece by piece, and the end of its line whatever happens."""
    with router.stream(asked, **arguments) as stream:
        try:
            for chunk in stream:
                out.piece(chunk.text)
        finally:
            out.line()
        reply = stream.reply()
    if reply.tool_calls:
        out.line(_tool_calls(reply))
    return reply


def messages(prompt: str, system: str | None = None) -> Sequence[Mapping[str, Any]]:
    """OpenAI's messages. A prompt of `-` is standard input."""
    text = sys.stdin.read().rstrip("\n") if prompt == "-" else prompt
    before = [{"role": "system", "content": system}] if system else []
    return [*before, {"role": "user", "content": text}]


def parameters(given: Sequence[str]) -> dict[str, Any]:
    """`temperature=0` as {"temperature": 0}. A value that is no JSON is text."""
    from router.client.arguments import ARGUMENTS

    found = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not name or not equals:
            raise click.BadParameter(f"`{each}` is not NAME=VALUE", param_hint="--param")
        if name in ARGUMENTS:
            raise click.BadParameter(f"`{name}` is not a parameter of a chat call", param_hint="--param")
        try:
            found[name] = json.loads(value)
        except (ValueError, RecursionError):
            found[name] = value
    return found


@contextmanager
def quiet_log() -> Iterator[None]:
    """Warnings about the files are told by the command, not by the log's last resort."""
    handler = logging.NullHandler()
    logging.getLogger("router").addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger("router").removeHandler(handler)


def tell_warnings(out: Out, number: int) -> None:
    if number:
        out.remark(f"{count(number, 'warning')} in the policies: `router check` tells", fg="yellow")


def story(reply: "Reply") -> Iterator[str]:
    """What happened, in order: what was left out, what failed, who answered, and what each cost."""
    costs = {event.attempt: event for event in reply.trace if isinstance(event, ev.Settled)}
    for event in reply.trace:
        match event:
            case ev.CandidateDropped() if event.reason not in EXPECTED:
                yield f"{event.target} was left out: {event.detail or event.reason}"
            case ev.TargetPassedOver():
                yield f"{event.target} was left out: its breaker is open"
            case ev.ReserveRefused():
                yield from (f"{event.target} was not sent: {shortfall}" for shortfall in event.shortfalls)
            case ev.Jumped():
                why = f"`{event.budget}` has no room in `{event.rule}`"
                yield f"policy {event.to_policy} takes over from {event.from_policy}: {why}"
            case ev.AttemptFailed():
                yield _failed(event, costs.get(event.attempt))
            case ev.RetryScheduled():
                yield f"waited {seconds(event.delay_s)}"
            case ev.CacheHit():
                yield f"{event.target} answered {about(event.age_s)} ago, from the cache: $0"
            case ev.StaleServed():
                yield f"{event.target} had answered {about(event.age_s)} ago, and that stands in: $0"
            case ev.AttemptAnswered():
                yield _answered(event, costs.get(event.attempt))


def _failed(event: ev.AttemptFailed, settled: ev.Settled | None) -> str:
    status = f" {event.status}" if event.status else ""
    charged = settled.cost_nusd if settled else 0
    cost = f"; charged {money(charged)} ({settled.how.replace('_', ' ')})" if settled and charged else ""
    return f"{event.target} failed after {seconds(event.duration_s)}: {event.kind}{status}: {event.message}{cost}"


def _answered(event: ev.AttemptAnswered, settled: ev.Settled | None) -> str:
    usage = event.usage
    counted = "" if usage.reported else ", counted here"
    cost = money(settled.cost_nusd if settled else None, unknown="at an unknown price")
    end = "" if event.finish_reason in ("stop", "tool_calls") else f" (ended by `{event.finish_reason}`)"
    counts = f"{tokens(usage.input_tokens)} tokens in, {tokens(usage.output_tokens)} out{counted}"
    return f"{event.target} answered in {seconds(event.duration_s)}: {counts}, {cost}{end}"


def _tool_calls(reply: "Reply") -> str:
    return (
        json.dumps([plain(each) for each in reply.tool_calls], ensure_ascii=False) if reply.tool_calls else ""
    )


def _document(reply: "Reply") -> dict[str, Any]:
    cost = reply.cost_usd
    return {
        "text": reply.text,
        "message": plain(reply.message),
        "policy": reply.policy,
        "target": reply.target,
        "model": reply.model,
        "finish_reason": reply.finish_reason,
        "truncated": reply.truncated,
        "cached": reply.cached,
        "stale": reply.stale,
        "age_s": reply.age_s,
        "usage": plain(reply.usage),
        "cost_usd": None if cost is None else f"{cost:f}",
        "cost_nusd": reply.cost_nusd,
        "trace": [{"event": type(event).__name__, **plain(event)} for event in reply.trace],
    }
