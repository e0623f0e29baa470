"""`router import`: policies from another program's config."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from router.cli.failures import PROBLEMS, problems
from router.cli.options import json_option
from router.cli.out import Out

if TYPE_CHECKING:
    from router.tools.litellm_import.report import Line
    from router.tools.litellm_import.run import Imported
    from router.tools.litellm_import.written import Written


@click.group("import", no_args_is_help=False)
def command() -> None:
    """Make policies of another program's config."""


def _pairs(_: click.Context, __: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    pairs = [text.partition("=") for text in given]
    wrong = next((name for name, equals, value in pairs if not (name and equals and value)), None)
    if wrong is not None:
        raise click.BadParameter(f"`{wrong}` is no NAME=VALUE")
    return {name: value for name, _, value in pairs}


@command.command("litellm")
@click.argument("config", type=click.Path(path_type=Path))
@click.option(
    "--output",
    "folder",
    type=click.Path(path_type=Path),
    default=Path("policies"),
    metavar="FOLDER",
    help="Where the policies are written (default: policies).",
)
@click.option(
    "--report", type=click.Path(path_type=Path), metavar="FILE", help="Write the report there as well."
)
@click.option(
    "--format", "format", type=click.Choice(("text", "json")), help="The form of the report (default: text)."
)
@click.option(
    "--set",
    "given",
    multiple=True,
    metavar="NAME=VALUE",
    callback=_pairs,
    help="The value of a variable that chooses a model, a region or a version; may be repeated.",
)
@click.option("--force", is_flag=True, help="Replace what is in FOLDER already.")
@json_option
@click.pass_obj
def litellm(
    out: Out,
    config: Path,
    folder: Path,
    report: Path | None,
    format: str | None,
    given: dict[str, str],
    force: bool,
) -> int:
    """Make policies of a LiteLLM proxy config, and tell what became of each of its keys.

    CONFIG is the proxy's YAML file; the files that it includes are read too. No secret is copied. Exit codes: 0
    imported, 1 refused or in need of care, 2 wrong usage.
    """
    from router.tools.litellm_import.models import Book
    from router.tools.litellm_import.run import import_config
    from router.tools.litellm_import.written import write_policies

    if out.json and format == "text":
        raise click.UsageError("--json and --format text are two answers to one question: choose one")
    out.json = out.json or format == "json"
    book = Book.load()
    imported = import_config(config, book, given)
    written = write_policies(imported, folder, book, force=force) if imported.files else None
    lines = _lines(imported)
    if report is not None:
        report.write_text(_text(imported, lines, json_form=out.json), encoding="utf-8")
    if out.json:
        out.document(_document(imported, written, folder))
    else:
        for line in lines:
            out.line(line.text, bold=line.heading)
        if written is not None:
            _tell_written(out, folder, written.files, written.variables, report)
    if written is None:
        return PROBLEMS
    problems(out, written.problems, remark=True)
    return PROBLEMS if written.plan is None else 0


def _lines(imported: "Imported") -> "list[Line]":
    from router.tools.litellm_import.report import text

    return list(text(imported))


def _document(imported: "Imported", written: "Written | None", folder: Path) -> dict[str, Any]:
    from router.tools.litellm_import.report import document

    return {
        "ok": written is not None and written.plan is not None,
        "folder": str(folder),
        "files": [str(file) for file in written.files] if written else [],
        **document(imported),
    }


def _text(imported: "Imported", lines: "list[Line]", *, json_form: bool) -> str:
    from router.tools.litellm_import.report import document

    if json_form:
        return json.dumps(document(imported), indent=2, ensure_ascii=False) + "\n"
    return "".join(f"{line.text}\n" for line in lines)


def _tell_written(
    out: Out, folder: Path, files: tuple[Path, ...], variables: tuple[str, ...], report: Path | None
) -> None:
    out.line()
    for file in files:
        out.line(f"wrote {file}", fg="green")
    if report is not None:
        out.line(f"wrote {report}", fg="green")
    if variables:
        out.line(f"variables that they read: {', '.join(variables)}")
    out.line(f"next: `router check {folder}`, and `router explain POLICY --policies {folder}`")
