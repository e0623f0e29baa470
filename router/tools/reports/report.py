"""One run of `router check` as data: what was found, what was read, and whether that fails."""

from collections import Counter
from dataclasses import dataclass
from pathlib import PurePosixPath
from posixpath import join, normpath
from typing import TYPE_CHECKING, Any

from router.errors import Problem
from router.plan import Plan

if TYPE_CHECKING:
    from router.policy.load import Loaded

SEVERITIES = ("error", "warning", "note")


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """`problems` are sorted by place; `files` are those read, in order. `plan` is None where there are errors.

    `alone`: one file was read of a folder that may hold more. Names of files start at the working directory `cwd`;
    formats for other programs name them from `root`, the top of the repository. `version` is the router's own, ""
    where that is not known.
    """

    problems: tuple[Problem, ...]
    files: tuple[str, ...]
    plan: Plan | None
    strict: bool = False
    alone: bool = False
    cwd: str = "/"
    root: str = "/"
    version: str = ""

    @property
    def counts(self) -> Counter[str]:
        """Problems by severity."""
        return Counter(problem.severity for problem in self.problems)

    @property
    def fails(self) -> bool:
        """Errors fail; warnings do where the check is strict; notes never."""
        return self.plan is None or (self.strict and self.counts["warning"] > 0)

    def is_failure(self, problem: Problem) -> bool:
        return problem.severity == "error" or (self.strict and problem.severity == "warning")

    @property
    def named(self) -> tuple[str, ...]:
        """Every file that was read or that a problem is about, sorted."""
        return tuple(sorted({*self.files, *(problem.place.file for problem in self.problems)}))

    def within(self, file: str) -> str:
        """`file` as other programs of the repository name it: from `root`, where it lies below that. A link is not
        followed: it is named where it stands."""
        path = PurePosixPath(normpath(join(self.cwd, file)))
        return path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else path.as_posix()


def report_of(loaded: "Loaded", **about: Any) -> Report:
    """`about`: the other fields of a Report."""
    files = tuple(document.file for document in loaded.documents)
    return Report(problems=loaded.problems, files=files, plan=loaded.plan, **about)
