"""The `router` command, one file per command.

A command is a `click.Command` named in `app.COMMANDS` and imported when it is called. Its callback takes `out: Out`
(`@click.pass_obj`), writes what was asked for to standard output through it and remarks to standard error, prints one
JSON document instead where `out.json` is set (option `options.json_option`), and returns its exit code: None or 0 fine,
1 problems or no answer; wrong usage is 2 and a RouterError is left to `app`, which turns it into two lines.
"""

from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. No exception leaves, SystemExit included."""
    from router.cli.app import app

    try:
        app.main(args=None if arguments is None else list(arguments), prog_name="router")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0
