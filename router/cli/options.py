"""Options that several commands share, and how their texts become values."""

from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click

from router.cli.out import Out

F = TypeVar("F", bound=Callable[..., Any])


class Duration(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.4 on
    """`8s`, `7d`, `250ms` as seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        from router.policy.scalars import duration_ms

        milliseconds = duration_ms(str(value))
        if milliseconds is None:
            self.fail(
                f"`{value}` is no duration: write a number and a unit, as in 250ms, 8s, 1.5m, 1h, 7d",
                param,
                ctx,
            )
        return milliseconds / 1_000


def _as_json(ctx: click.Context, _: click.Parameter, asked: bool) -> None:
    if asked:
        ctx.ensure_object(Out).json = True


def json_option(function: F) -> F:
    """`--json`: sets `out.json`."""
    return click.option(
        "--json",
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=_as_json,
        help="Print one JSON document.",
    )(function)


def _as_format(ctx: click.Context, _: click.Parameter, chosen: str | None) -> str | None:
    """A choice of JSON is known before anything else can go wrong."""
    if chosen == "json":
        ctx.ensure_object(Out).json = True
    return chosen


def report_options(formats: Sequence[str]) -> Callable[[F], F]:
    """`--format NAME` as `format: str | None`, `--output FILE` as `output: Path | None`; see `format_of`."""

    def with_options(function: F) -> F:
        function = click.option(
            "--output",
            type=click.Path(path_type=Path, dir_okay=False),
            metavar="FILE",
            help="Write it there; the last line still stands here.",
        )(function)
        return click.option(
            "--format",
            "format",
            type=click.Choice(tuple(formats)),
            is_eager=True,
            callback=_as_format,
            help="How to say it; text where nothing is chosen.",
        )(function)

    return with_options


def format_of(out: Out, chosen: str | None) -> str:
    """--json and --format are one choice. Raises UsageError where they differ."""
    if out.json and chosen not in (None, "json"):
        raise click.UsageError(f"--json and --format {chosen} are two answers to one question: choose one")
    return "json" if out.json else chosen or "text"


def policies_option(function: F) -> F:
    """`--policies PATH` as `policies: Path | None`; see `policies_at`."""
    return click.option(
        "--policies",
        type=click.Path(path_type=Path),
        metavar="PATH",
        callback=_named,
        help="A folder of policies, or one file.",
    )(function)


def policies_argument(function: Callable[..., int]) -> Callable[..., int]:
    """`PATH`, or `--policies PATH`, as `policies: Path | None`; two that differ are wrong usage."""

    @click.argument("path", type=click.Path(path_type=Path), required=False)
    @click.option(
        "--policies", type=click.Path(path_type=Path), metavar="PATH", help="The same as the argument."
    )
    @wraps(function)
    def with_policies(*args: Any, path: Path | None, policies: Path | None, **options: Any) -> int:
        if path is not None and policies is not None and path != policies:
            raise click.UsageError(f"`{path}` and --policies `{policies}` are two places: name one")
        chosen = _named(click.get_current_context(), None, path or policies)
        return function(*args, policies=chosen, **options)

    return with_policies


def _named(ctx: click.Context, _: click.Parameter | None, policies: Path | None) -> Path | None:
    if isinstance(ctx.obj, Out):
        ctx.obj.policies = policies
    return policies


def frozen_option(function: F) -> F:
    """`--frozen` as `frozen: bool`."""
    return click.option(
        "--frozen", is_flag=True, help="Refuse whatever differs from router.lock (see `router lock`)."
    )(function)


def caller_options(function: F) -> F:
    """Who calls and for what: `tenant`, `user`, `session`, `tags`, `prefer`, `only`."""
    options = (
        click.option("--tenant", "--team", "tenant", metavar="PATH", help="The tenant, such as acme/search."),
        click.option("--user", metavar="NAME", help="The user that calls."),
        click.option("--session", metavar="NAME", help="The session the call belongs to."),
        click.option(
            "--tag", "tags", multiple=True, metavar="TAG", help="A tag of the call; may be repeated."
        ),
        click.option(
            "--prefer", multiple=True, metavar="TARGET", help="Try this target first; may be repeated."
        ),
        click.option("--only", multiple=True, metavar="TARGET", help="Try no other target; may be repeated."),
    )
    for option in reversed(options):
        function = option(function)
    return function


def policies_at(chosen: Path | None) -> Path:
    """--policies, else ROUTER_POLICIES, else ./policies. Raises RequestError where there is nothing."""
    if chosen is not None:
        return chosen
    from router.client.default import policies_folder

    return Path(policies_folder())
