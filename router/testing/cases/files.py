"""Case files: where they are, and from their text to cases, with every problem of every file in one run."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from router.errors import Problem
from router.plan import Plan
from router.policy.load import CASES, file_text, files_below
from router.policy.schema import formed
from router.policy.source import Read, read_text
from router.testing.cases.case import Case
from router.testing.cases.reading import Reading
from router.testing.cases.table import ROOT


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseFile:
    """`cases` is empty where there are problems: a file is played as it is written, or not at all."""

    file: str
    cases: tuple[Case, ...]
    problems: tuple[Problem, ...]


def case_files(path: Path) -> tuple[Path, ...]:
    """Every `*.cases.yaml` below a folder, in a fixed order, hidden folders passed over; a case file itself; of a file
    of policies the cases of its name beside it."""
    if path.is_dir():
        found = files_below(path, _is_case_file)
        return tuple(each for each in found if not each.is_dir())  # a link to one is told with the policies
    if path.name.endswith(CASES):
        return (path,)
    beside = (path.with_suffix(suffix) for suffix in CASES)
    return tuple(each for each in beside if each.exists())


def _is_case_file(name: str) -> bool:
    return name.endswith(CASES) and not name.startswith(".")


def read_cases(paths: Sequence[Path], plan: Plan) -> tuple[CaseFile, ...]:
    return tuple(_read(file_text(path), path.as_posix(), plan) for path in paths)


def read_case_text(text: str, plan: Plan, *, file: str = "<text>") -> CaseFile:
    """One file from memory."""
    return _read(text, file, plan)


def _read(text: str | Read, file: str, plan: Plan) -> CaseFile:
    read = text if isinstance(text, Read) else read_text(text, file)
    if read.document is None:
        return CaseFile(file=file, cases=(), problems=_sorted(read.problems))
    form = formed(read.document, ROOT)
    reading = Reading(plan)
    cases = reading.file(form.document)
    problems = _sorted((*read.problems, *form.problems, *reading.problems))
    return CaseFile(file=file, cases=() if problems else cases, problems=problems)


def _sorted(problems: Sequence[Problem]) -> tuple[Problem, ...]:
    once = dict.fromkeys(problems)
    return tuple(sorted(once, key=lambda each: (each.place.line, each.place.column, each.message)))
