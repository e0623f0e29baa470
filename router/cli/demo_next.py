"""The commands that look further into what `router demo` left, as they can be pasted where it ran."""

import os
import shlex
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from router.cli.demo_stage import state_of

FURTHER = (
    ("what each team spent, on which model, and what is left", "usage"),
    (
        "what cheap-fast does for a team, line by line, and its worst cost",
        "explain cheap-fast --team acme/search",
    ),
    ("the rules of smart, and who is asked in which order", "explain smart --team acme/legal --user ann"),
    ("why the intern is stopped, and what would help (exit code 1)", "explain cheap-fast --team acme/intern"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Next:
    """`command` is one line for a shell; `shows` says what it is good for."""

    shows: str
    command: str


def next_commands(policies: Path) -> tuple[Next, ...]:
    """They find the demo's policies and its state, however the demo was called."""
    router, where = _called_as(sys.argv[0]), f"--policies {shlex.quote(str(policies))}"
    prefix = _prefix(policies, os.environ)
    return tuple(
        Next(shows=shows, command=f"{prefix}{router} {command} {where}") for shows, command in FURTHER
    )


def _called_as(program: str) -> str:
    """`router`, where that is the same program; else how this one was called."""
    path = Path(program)
    if path.name == "__main__.py":
        return f"{_short(sys.executable)} -m router"
    return _short(program) if path.stem == "router" else "router"  # else run from other code, as a test does


def _short(program: str) -> str:
    """The bare name, where the shell finds this very path by it: a link to the same file may be another environment."""
    path = Path(program)
    found = shutil.which(path.name)
    same = found is not None and Path(found).absolute() == path.absolute()
    return path.name if same else shlex.quote(program)


def _prefix(policies: Path, environ: Mapping[str, str]) -> str:
    """State is beside the policies, unless this shell says otherwise."""
    if "ROUTER_STATE" not in environ:
        return ""
    return f"ROUTER_STATE={shlex.quote(f'sqlite:///{state_of(policies)}')} "
