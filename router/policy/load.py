"""From a folder, a file or a dict to a plan, with every problem of every file in one run."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import Any

from router.errors import Problem
from router.plan import Plan
from router.policy.catalog import Catalog
from router.policy.collecting import no_collecting
from router.policy.compile import compile_draft
from router.policy.document import Document
from router.policy.drift import lock_problems, no_lock
from router.policy.lock import LOCK_FILE
from router.policy.schema import formed
from router.policy.source import Read, read_dict, read_text
from router.policy.stumbles import position_of
from router.values import Place

LARGEST_FILE = 4 * 1024 * 1024
SUFFIXES = (".yaml", ".yml")
CASES = (".cases.yaml", ".cases.yml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """`plan` is None where any problem is an error. Problems are sorted by place; `documents` still have places."""

    plan: Plan | None
    problems: tuple[Problem, ...]
    documents: tuple[Document, ...] = ()

    @property
    def errors(self) -> tuple[Problem, ...]:
        return tuple(found for found in self.problems if found.severity == "error")

    @property
    def warnings(self) -> tuple[Problem, ...]:
        return tuple(found for found in self.problems if found.severity == "warning")

    def with_problems(self, found: Iterable[Problem]) -> "Loaded":
        """With more problems, in their places."""
        problems = _sorted((*self.problems, *found))
        broken = any(each.severity == "error" for each in problems)
        return replace(self, plan=None if broken else self.plan, problems=problems)


Source = str | os.PathLike[str] | Mapping[str, Any]


def load(source: Source, prices: Catalog, *, today: date | None = None, frozen: bool = False) -> Loaded:
    """Never raises for what an author wrote: whatever is wrong becomes a problem. With `today`, models that their
    provider retires soon are warned of.

    A folder may hold a lock file. What drifted from it is told, and is an error where `frozen`; so is its absence.
    """
    loaded = load_unlocked(source, prices, today=today)
    path = Path("<dict>" if isinstance(source, Mapping) else source)
    is_folder = path.is_dir()
    if is_folder and os.access(path / LOCK_FILE, os.F_OK):
        read = read_file(path / LOCK_FILE)
        found = lock_problems(read, loaded.plan, loaded.documents, prices, frozen=frozen)
    else:
        found = (no_lock(path / LOCK_FILE if is_folder else path),) if frozen else ()
    return loaded.with_problems(found) if found else loaded


@no_collecting()
def load_unlocked(source: Source, prices: Catalog, *, today: date | None = None) -> Loaded:
    """As `load`, whatever a lock file says."""
    if isinstance(source, Mapping):
        return _compiled((read_dict(dict(source)),), prices, folder="", today=today)
    path = Path(source)
    if path.is_dir():
        files = tuple(policy_files(path))
        if not files:
            return _nothing(
                path, "no policy files here", "files are found by their names: `*.yaml` and `*.yml`"
            )
        return _compiled(tuple(read_file(file) for file in files), prices, folder=str(path), today=today)
    if not path.exists():
        return _nothing(path, "there is no file or folder here", "`router init` writes a first one")
    return _compiled((read_file(path),), prices, folder=str(path.parent), today=today)


@no_collecting()
def load_text(text: str, prices: Catalog, *, file: str = "<text>", today: date | None = None) -> Loaded:
    """One document from memory, with lines and columns."""
    return _compiled((read_text(text, file),), prices, folder="", today=today)


def load_reads(reads: Iterable[Read], prices: Catalog, *, today: date | None = None) -> Loaded:
    """Files that are in no folder: what was read of each."""
    return _compiled(tuple(reads), prices, folder="", today=today)


def policy_files(folder: Path) -> Iterator[Path]:
    """Every policy file below a folder, and every link to a folder: reading it says that it isn't followed."""
    return files_below(folder, is_policy_file)


def files_below(folder: Path, wanted: Callable[[str], bool]) -> Iterator[Path]:
    """Files by their names, in a fixed order; hidden folders are passed over. A link to a folder is named, and what is
    behind it isn't looked at."""
    for where, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (path for path in (Path(where) / name for name in folders) if path.is_symlink())
        yield from (Path(where) / name for name in sorted(files) if wanted(name))


def is_policy_file(name: str) -> bool:
    """Whether a file of this name, without its folders, holds policies."""
    return name.endswith(SUFFIXES) and not name.endswith(CASES) and not name.startswith(".")


def read_file(path: Path) -> Read:
    """One policy file; what can't be read is a problem."""
    text = file_text(path)
    return text if isinstance(text, Read) else read_text(text, path.as_posix())


def file_text(path: Path) -> str | Read:
    """The text of a file of at most 4 MB, or a Read that says why there is none. A pipe or a device might never end."""
    file = path.as_posix()
    try:
        found = path.stat()
        if S_ISDIR(found.st_mode):
            advice = "links to folders are not followed, for they may lead round: move its files here"
            return unread(file, "a link to a folder", advice)
        if not S_ISREG(found.st_mode):
            return unread(file, "not a regular file", "policies are read from files and folders")
        with path.open("rb") as opened:
            body = opened.read(LARGEST_FILE + 1)  # it may have grown since
    except OSError as error:
        return unread(file, f"can't be read: {error.strerror or error}", "")
    return _decoded(body, file)


def read_bytes(body: bytes, file: str) -> Read:
    """A policy file that stands elsewhere than in the file system; places call it `file`."""
    text = _decoded(body, file)
    return text if isinstance(text, Read) else read_text(text, file)


def _decoded(body: bytes, file: str) -> str | Read:
    if len(body) > LARGEST_FILE:
        return too_large(file)
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        line, column = _end_of(body[: error.start].decode("utf-8").removeprefix("\ufeff"))
        message = f"not UTF-8 text (byte {error.start})"
        return _refused(file, "encoding", message, "save it as UTF-8", line=line, column=column)


def _compiled(reads: tuple[Read, ...], prices: Catalog, *, folder: str, today: date | None = None) -> Loaded:
    forms = [formed(read.document) for read in reads if read.document is not None]
    found = [
        *(each for read in reads for each in read.problems),
        *(each for form in forms for each in form.problems),
    ]
    documents = tuple(form.document for form in forms)
    draft = compile_draft(
        documents, prices, folder=folder, problems=found, today=today, unread_files=len(forms) < len(reads)
    )
    broken = any(found.severity == "error" for found in draft.problems)
    return Loaded(plan=None if broken else draft.plan, problems=_sorted(draft.problems), documents=documents)


def _sorted(problems: Any) -> tuple[Problem, ...]:
    def place(found: Problem) -> tuple[str, int, int, str, str]:
        return (found.place.file, found.place.line, found.place.column, found.severity, found.message)

    return tuple(sorted(dict.fromkeys(problems), key=place))


def _nothing(path: Path, message: str, help: str) -> Loaded:
    place = Place(file=path.as_posix(), line=0, column=0)
    return Loaded(plan=None, problems=(Problem(code="no-policies", message=message, help=help, place=place),))


def _end_of(text: str) -> tuple[int, int]:
    return position_of(len(text), text)


def too_large(file: str) -> Read:
    return unread(file, "a file of more than 4 MB", "split it")


def unread(file: str, message: str, help: str) -> Read:
    """A file that can't be read, and why."""
    return _refused(file, "unreadable", message, help)


def _refused(file: str, code: str, message: str, help: str, *, line: int = 0, column: int = 0) -> Read:
    place = Place(file=file, line=line, column=column)
    return Read(document=None, problems=(Problem(code=code, message=message, help=help, place=place),))
