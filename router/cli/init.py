"""`router init`: a folder of policies to start from."""

from pathlib import Path

import click

from router.cli.options import json_option
from router.cli.out import Column, Out


@click.command("init")
@click.argument("folder", type=click.Path(path_type=Path), default=Path("policies"))
@json_option
@click.pass_obj
def command(out: Out, folder: Path) -> None:
    """Write a small commented policies folder. Nothing is ever overwritten.

    FOLDER is `policies` where it is not named.
    """
    from router.tools.starter import write_starter

    files = write_starter(folder)
    if out.json:
        out.document({"folder": str(folder), "files": [str(file) for file in files]})
        return
    for file in files:
        out.line(f"wrote {file}", fg="green")
    elsewhere = folder != Path("policies")
    out.heading("next")
    out.table(
        (Column(title=""), Column(title="", style="dim", fixed=False)),
        (
            *[(f"export ROUTER_POLICIES={folder}", "where they are")] * elsewhere,
            ("router check", "every problem of every file"),
            ("router test", "the cases beside the policies, played without a network"),
            ("router explain cheap-fast", "what the policy does, and what it may cost"),
            ("router complete cheap-fast Hello --fake", "an answer without a key or a network"),
            ("router complete cheap-fast Hello", "a real one, with OPENAI_API_KEY set"),
            ("router usage", "what was spent, and what is left"),
        ),
    )
    out.line()
    out.line(
        f"Spend and cached answers are kept in `{folder.parent / '.router'}`: leave it out of version control."
    )
