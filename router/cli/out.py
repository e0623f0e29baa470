"""Where a command writes: answers to standard output, remarks to standard error, plain text unless a person looks on.

Colour only on a terminal, never with NO_COLOR; no boxes anywhere; rich is imported when a table is drawn.
"""

import json
import os
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import click

UNBOUNDED = 10_000
"""Columns of output that nobody's screen limits: a line stays a line, for `grep` and friends."""

INDENT = "  "

GAP = 2
"""Columns between columns."""

_COMMANDS = re.compile(
    r"(?P<style>\x1b\[(?:[0-2]|3[1-7]|9[0-7])m)|\r(?!\n)"
    r"|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]"
)
"""What a terminal obeys instead of showing it: escape sequences, and marks that turn the direction of text. Only the
styles that commands write themselves (`click.style`, rich) are told apart."""

POLICIES = (".yaml", ".yml", ".lock")
"""How files end that people wrote or review."""

LEGIBLE = 20
"""Columns that wrapped text keeps, however narrow the terminal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """`style` in rich's words (`dim`, `bold`, `green`); `fixed` columns are never wrapped."""

    title: str
    right: bool = False
    style: str = ""
    fixed: bool = True


class Out:
    """The two streams of one command. `json` says that the caller asked for a JSON document instead of text, `policies`
    which policies `--policies` names, for advice."""

    def __init__(self) -> None:
        self.json = False
        self.policies: Path | None = None

    def line(self, text: str = "", **style: Any) -> None:
        """One line of the answer. `style` as in `click.style`."""
        _write(text, sys.stdout, style)

    def piece(self, text: str) -> None:
        """A part of a line of the answer, shown at once."""
        if text:
            _write(text, sys.stdout, {}, nl=False)

    def remark(self, text: str = "", **style: Any) -> None:
        """One line beside the answer."""
        _write(text, sys.stderr, style)

    def heading(self, text: str) -> None:
        self.line()
        self.line(text, bold=True)

    def document(self, value: Any) -> None:
        """The whole answer as JSON: one document, keys in the order given."""
        self.line(json.dumps(value, indent=2, ensure_ascii=False))

    def table(
        self, columns: Sequence[Column], rows: Iterable[Sequence[str]], *, indent: str = INDENT
    ) -> None:
        """Rows under their titles; columns without content are left out. On a terminal those not `fixed` wrap."""
        kept = [list(map(str, row)) for row in rows]
        used = [index for index in range(len(columns)) if any(row[index] for row in kept)]
        if kept:
            text = _drawn(
                [columns[index] for index in used], [[row[index] for index in used] for row in kept], indent
            )
            for each in text.splitlines():
                self.line(each.rstrip())


def written_to(file: Path, text: str) -> None:
    """A whole answer into a file of its own, as UTF-8. Raises BadParameter where that can't be, and for a file that is
    there and holds policies by its name: that is a slip, and there would be no way back."""
    if file.resolve().suffix in POLICIES and file.exists():
        raise click.BadParameter(
            f"`{file}` is there, and may hold policies: an answer takes another name", param_hint="--output"
        )
    try:
        file.write_text(legible(f"{text}\n"), encoding="utf-8", newline="\n")
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise click.BadParameter(f"`{file}` can't be written: {why}", param_hint="--output") from error


def colored(stream: IO[str]) -> bool:
    """Whether a person looks at `stream` who did not ask for plain text."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def width_of(stream: IO[str]) -> int:
    """Columns of the terminal; COLUMNS goes first; UNBOUNDED where there is no terminal."""
    asked = os.environ.get("COLUMNS", "")
    if asked.isdecimal() and int(asked) > 0:
        return int(asked)
    if not stream.isatty():
        return UNBOUNDED
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except OSError:
        return 80


def _write(text: str, stream: IO[str], style: dict[str, Any], *, nl: bool = True) -> None:
    color = colored(stream)
    text = legible(text, getattr(stream, "encoding", None) or "utf-8")
    text = harmless(text) if stream.isatty() else text  # what a file or a pipe gets is data
    click.echo(click.style(text, **style) if color and style else text, file=stream, color=color, nl=nl)


def legible(text: str, encoding: str = "utf-8") -> str:
    """With what `encoding` can't write, such as a byte of a file name that is no character, as `\\udcff`."""
    return text.encode(encoding, "backslashreplace").decode(encoding)


def harmless(text: str) -> str:
    """With what would command a terminal as `\\u001b`, whoever wrote it: an author, a file's name, a model."""
    return _COMMANDS.sub(lambda found: found["style"] or f"\\u{ord(found[0]):04x}", text)


def _drawn(columns: Sequence[Column], rows: Sequence[Sequence[str]], indent: str) -> str:
    from rich.console import Console
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    color = colored(sys.stdout)
    titled = any(column.title for column in columns)
    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="dim", show_header=titled)
    least = [_least_width(column, [row[index] for row in rows]) for index, column in enumerate(columns)]
    for column, narrowest in zip(columns, least, strict=True):
        table.add_column(
            Text(column.title),
            justify="right" if column.right else "left",
            no_wrap=column.fixed,
            style=column.style,
            overflow="fold",
            min_width=narrowest,
        )
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console = Console(
        width=max(width_of(sys.stdout), len(indent) + sum(least) + GAP * len(least)),
        force_terminal=color,
        no_color=not color,
        color_system="standard" if color else None,
    )
    with console.capture() as drawn:
        console.print(Padding(table, (0, 0, 0, len(indent)), expand=False))
    return drawn.get()


def _least_width(column: Column, cells: Sequence[str]) -> int:
    """A figure that is cut is another figure: rather a line too long for the terminal."""
    widest = max(len(cell) for cell in (column.title, *cells))
    return widest if column.fixed else min(widest, LEGIBLE)
