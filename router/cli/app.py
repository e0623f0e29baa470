"""The command group: commands imported when called, and the one place where failures become words."""

import sys
import traceback
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

import click

from router.cli.failures import BROKEN_PIPE, INTERRUPTED, USAGE, debugging, tell
from router.cli.out import Out
from router.cli.versions import installed_version
from router.decide.scopes import did_you_mean

COMMANDS: Mapping[str, tuple[str, str]] = {
    "init": ("router.cli.init:command", "Write a small policies folder to start from."),
    "check": ("router.cli.check:command", "Check every policy file, and tell every problem."),
    "test": ("router.cli.test:command", "Play the cases beside the policies."),
    "lock": ("router.cli.lock:command", "Write down what policies and price book say, and refuse drift."),
    "diff": ("router.cli.diff:command", "What a change of policies means: routes, budgets, bounds."),
    "explain": ("router.cli.explain:command", "What a policy does, what it may cost, and why."),
    "complete": ("router.cli.complete:command", "Answer one prompt by a policy."),
    "usage": ("router.cli.usage:command", "Spend, and what is left of budgets and limits."),
    "breaker": ("router.cli.breaker:command", "Which targets are left alone after failures."),
    "audit": ("router.cli.audit:command", "Whether the ledger adds up."),
    "record": ("router.cli.record:command", "Record calls into a cassette, for tests without a network."),
    "import": ("router.cli.import_:command", "Make policies of a LiteLLM proxy config."),
    "schema": ("router.cli.schema:command", "The JSON Schema of policy files."),
    "demo": ("router.cli.demo:run", "See it all work: no key, no network."),
}

HELP = """Declarative LLM routing: policies in YAML, checked, compiled, and run.

Policies are read from --policies, else ROUTER_POLICIES, else ./policies.

Exit codes: 0 fine, 1 problems or no answer, 2 wrong usage.
"""


class App(click.Group):
    """A group that knows its commands by name and imports each when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            raise click.UsageError(f"unknown command `{args[0]}`{did_you_mean(args[0], COMMANDS)}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, short) for name, (_, short) in COMMANDS.items()])

    def main(self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any) -> NoReturn:  # type: ignore[override]
        """Run one command and exit. Every failure has been told when SystemExit leaves."""
        _open_closed_streams()
        out = Out()
        code = self._guarded(out, args, prog_name, {**extra, "standalone_mode": False, "obj": out})
        sys.exit(_flushed(code))

    def _guarded(
        self, out: Out, args: Sequence[str] | None, prog_name: str | None, extra: dict[str, Any]
    ) -> int:
        try:
            return int(super().main(args, prog_name, **extra) or 0)
        except click.ClickException as error:
            out.json = out.json or "--json" in (sys.argv[1:] if args is None else args)
            return _misused(out, error)
        except (click.Abort, KeyboardInterrupt):
            return INTERRUPTED
        except Exception as error:  # noqa: BLE001 - the last door: a person gets words, and the trace on request
            if debugging():
                traceback.print_exc()
            return tell(out, error)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # the reader has read enough
            _drop_stdout()
            ctx.exit(BROKEN_PIPE)


def _open_closed_streams() -> None:
    """A stream that was closed before the start (`>&-`) is None here: what is written to it goes nowhere."""
    import os

    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115 - for the life of the process


def _misused(out: Out, error: click.ClickException) -> int:
    message = error.format_message().rstrip(".")
    message = message[:1].lower() + message[1:]
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "router"
    if out.json:
        out.document({"error": {"type": "UsageError", "message": message, "help": f"{path} --help"}})
    else:
        out.remark(f"error: {message}", fg="red")
        out.remark(f"help: `{path} --help` shows how it is called")
    return USAGE if isinstance(error, click.UsageError) else 1


def _flushed(code: int) -> int:
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _drop_stdout()
        return BROKEN_PIPE
    return code


def _drop_stdout() -> None:
    """Let nothing be written to the broken pipe when the interpreter closes its files."""
    import os

    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError:  # a stream without a file
        return


def _print_version(ctx: click.Context, _: click.Parameter, asked: bool) -> None:
    if not asked or ctx.resilient_parsing:
        return
    found = installed_version()
    click.echo(f"router {found}" if found else "router, not installed: run from a checkout")
    ctx.exit()


@click.pass_context
def _help_without_command(ctx: click.Context) -> None:
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help(), err=True)
        ctx.exit(USAGE)


app = App(
    name="router",
    help=HELP,
    invoke_without_command=True,
    callback=_help_without_command,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    params=[
        click.Option(
            ["--version"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_print_version,
            help="Show the version and exit.",
        )
    ],
)
