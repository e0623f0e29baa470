"""`router schema`: the JSON Schema of policy files."""

import json
from pathlib import Path

import click

from router.cli.options import json_option
from router.cli.out import Out


@click.command("schema")
@click.option("--path", is_flag=True, help="Print where the file is instead of what it holds.")
@json_option
@click.pass_obj
def command(out: Out, path: bool) -> None:
    """Print the JSON Schema (draft-07) that editors check and complete policy files with.

    In a file of policies the first line
    `# yaml-language-server: $schema=PATH` makes an editor use it.
    """
    from router.resources import resource

    file: Path = resource("schemas/router.schema.json")
    if path:
        out.document({"path": str(file)}) if out.json else out.line(str(file))
        return
    text = file.read_text(encoding="utf-8")
    out.document(json.loads(text)) if out.json else out.line(text.rstrip())
