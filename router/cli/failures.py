"""Failures as people read them: what is wrong, what to do, and never a traceback."""

import os
import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from router.cli.out import Out
from router.errors import BudgetExceeded, Dropped, PolicyError, Problem, RequestError, RouterError
from router.tools.figures import about
from router.tools.plain import plain

PROBLEMS, USAGE, INTERRUPTED, BROKEN_PIPE = 1, 2, 130, 141


def tell(out: Out, error: BaseException) -> int:
    """Say what went wrong, as text or as JSON, and return the exit code."""
    message, advice, details = described(error, out.policies)
    if out.json:
        document = {"type": type(error).__name__, "message": message, "help": advice, **_fields(error)}
        out.document({"error": document})
    else:
        problems(out, getattr(error, "problems", ()), remark=True)
        out.remark(f"error: {message}", fg="red")
        for detail in details:
            out.remark(f"  {detail}")
        if advice:
            out.remark(f"help: {advice}")
    return USAGE if isinstance(error, RequestError) else PROBLEMS


def described(error: BaseException, policies: Path | None = None) -> tuple[str, str, Sequence[str]]:
    """(message, help, details) of any error, each detail on a line of its own. `policies`: as `--policies` says."""
    if isinstance(error, PolicyError):
        return error.message.partition("\n")[0], f"`{_check_of(error, policies)}` shows the same", ()
    if isinstance(error, RouterError):
        return _split(error)
    if isinstance(error, OSError):
        where = f"`{error.filename}`: " if error.filename else ""
        return f"{where}{(error.strerror or str(error)).lower()}", "", ()
    what = f"{type(error).__name__}: {error}".splitlines()[0]
    return (
        f"this is a bug in router: {what}",
        "run it again with ROUTER_DEBUG=1 to see where, and report it",
        (),
    )


def _check_of(error: PolicyError, policies: Path | None) -> str:
    drifted = any(each.code == "lock-drift" and each.severity == "error" for each in error.problems)
    where = f" --policies {shlex.quote(str(policies))}" if policies else ""
    return f"router check{' --frozen' if drifted else ''}{where}"


def problems(out: Out, found: Sequence[Problem], *, remark: bool = False) -> None:
    """Each problem on a line, its help below it."""
    from router.tools.reports.text import problem_text

    write = out.remark if remark else out.line
    for problem in found:
        write(problem_text(problem, click.style))


def debugging() -> bool:
    return bool(os.environ.get("ROUTER_DEBUG"))


def parted(message: str, lines: Sequence[str]) -> tuple[str, Sequence[str]]:
    """A message without the list at its end, and that list, to be told line by line; none where it ends otherwise."""
    tail = f": {'; '.join(lines)}"
    return (message.removesuffix(tail), lines) if lines and message.endswith(tail) else (message, ())


def dropped_line(drop: Dropped) -> str:
    return f"{drop.target}: {drop.detail or drop.reason}"


def on_command_line(help: str) -> str:
    """Help for callers in Python, in the words of the command line."""
    return re.sub(r"\b(tenant|user|session|policy)=\.\.\.", r"--\1 ...", help)


def _split(error: RouterError) -> tuple[str, str, Sequence[str]]:
    attempts = [str(attempt) for attempt in getattr(error, "attempts", ())]
    dropped = [dropped_line(drop) for drop in getattr(error, "dropped", ())]
    for lines in (attempts, dropped):
        message, told = parted(error.message, lines)
        if told:
            return message, on_command_line(error.help), told
    return error.message, on_command_line(error.help), _resets(error)


def _resets(error: RouterError) -> Sequence[str]:
    if not isinstance(error, BudgetExceeded) or error.resets_at_s is None:
        return ()
    from time import time

    return (f"it refills in {about(error.resets_at_s - time())}",)


def _fields(error: BaseException) -> dict[str, Any]:
    """What else the error knows: kind, budget, attempts, problems, ..."""
    known = vars(error) if isinstance(error, RouterError) else {}
    return {name: plain(value) for name, value in known.items() if name not in ("help", "received")}
