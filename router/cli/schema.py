"""`router schema`: the JSON Schema of policy files, and of case files."""

import json
from pathlib import Path
from typing import Any

import click

from router.cli.options import json_option, policies_at, policies_option
from router.cli.out import Out, written_to
from router.tools.figures import count


@click.command("schema")
@click.option("--path", is_flag=True, help="Print where the file is instead of what it holds.")
@click.option("--cases", is_flag=True, help="The schema of case files instead.")
@click.option("--local", is_flag=True, help="With the names of these policies, for editors to complete.")
@click.option(
    "--output", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write it there."
)
@policies_option
@json_option
@click.pass_obj
def command(
    out: Out, path: bool, cases: bool, local: bool, output: Path | None, policies: Path | None
) -> None:
    """Print the JSON Schema (draft-07) that editors check and complete policy files with.

    In a file of policies the first line
    `# yaml-language-server: $schema=PATH` makes an editor use it.

    With --local it also knows the providers, targets, policies and tenants of this repository, as far as they can be
    read: print it again when names change.
    """
    from router.resources import resource

    shipped: Path = resource(f"schemas/{'cases' if cases else 'router'}.schema.json")
    if cases and local:
        raise click.UsageError("--local is for the schema of policy files: leave --cases or --local out")
    if path:
        if local or output:
            raise click.UsageError("--path says where the shipped schema is: leave --local and --output out")
        out.document({"path": str(shipped)}) if out.json else out.line(str(shipped))
        return
    schema, told = (
        _local(out, policies_at(policies)) if local else (json.loads(shipped.read_text("utf-8")), "")
    )
    if output is None:
        out.document(schema)
    else:
        written_to(output, json.dumps(schema, indent=2, ensure_ascii=False))
        out.document({"path": str(output)}) if out.json else out.line(f"{output}: the schema{told}")


def _local(out: Out, policies: Path) -> tuple[dict[str, Any], str]:
    """The schema with the names in `policies`, and a few words on those names."""
    from router.policy.load import policy_files, read_file
    from router.policy.local_schema import local_schema, names_in
    from router.policy.table.root import ROOT

    reads = [read_file(file) for file in (policy_files(policies) if policies.is_dir() else (policies,))]
    for read in reads:
        if read.document is None:
            out.remark(f"{read.problems[0].place.file}: not readable, so its names are missing", fg="yellow")
    names = names_in([read.document for read in reads if read.document is not None])
    numbers = (
        count(len(names["policies"]), "policy", "policies"),
        *(count(len(names[each]), each.removesuffix("s")) for each in ("providers", "targets", "tenants")),
    )
    return local_schema(names, ROOT), f" with {', '.join(numbers)}"
