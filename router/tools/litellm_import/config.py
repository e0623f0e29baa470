"""Reading a config as the proxy reads it: the file, and the files that it includes."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from router.errors import Problem
from router.policy.lenient import Written, read_lenient
from router.policy.load import file_text
from router.policy.traps import shown
from router.tools.litellm_import.outcomes import Account, Danger
from router.values import Place

MOST_FILES = 200
_MOST = Decimal(10) ** 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """`roots` are the files as they stand, `sections` what is left of them after includes: section -> its values,
    several where lists of several files add up."""

    path: Path
    roots: tuple[Written, ...]
    sections: Mapping[str, tuple[Written, ...]]

    def section(self, name: str) -> Written | None:
        """A section that is one map."""
        found = self.sections.get(name, ())
        return found[-1] if found and isinstance(found[-1].value, Mapping) else None

    def items(self, name: str) -> tuple[Written, ...]:
        """The items of a section that is a list, over all files."""
        return tuple(item for part in self.sections.get(name, ()) for item in part.items())


class ConfigRefused(Exception):
    """The config can't be read, for the one reason that `problem` says."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


def read_config(path: Path, account: Account) -> Config:
    """Read a config and what it includes. Raises ConfigRefused.

    Of lists in several files the items add up; of anything else the file that is included later goes before, and what
    it replaces is told to `account`.
    """
    root = _root(path)
    sections: dict[str, tuple[Written, ...]] = {
        name: (value,) for name, value in root.fields() if name != "include"
    }
    roots, loaded = [root], {path.resolve()}
    pending = [(item, path) for item in _entries(root)]
    while pending:
        entry, declared_in = pending.pop(0)
        file = _included(entry, declared_in, path)
        if file.resolve() in loaded:
            account.no_effect(entry, "this file is included already")
            continue
        if len(roots) >= MOST_FILES:
            raise ConfigRefused(_problem(entry.place, f"more than {MOST_FILES} files are included"))
        account.imported(entry, "its keys are told with their own places")
        below = _root(file)
        roots.append(below)
        loaded.add(file.resolve())
        _merge(sections, below, account)
        pending.extend((item, file) for item in _entries(below))
    return Config(path=path, roots=tuple(roots), sections=sections)


def _merge(sections: dict[str, tuple[Written, ...]], root: Written, account: Account) -> None:
    for name, value in root.fields():
        if name == "include":
            continue
        before = sections.get(name, ())
        if before and isinstance(value.value, tuple) and isinstance(before[-1].value, tuple):
            sections[name] = (*before, value)
            continue
        for replaced in before:
            account.no_effect(
                replaced,
                f"the section of that name at {account.cited(value.place)}, which is included, takes its whole place",
                help="litellm adds up lists of several files, and replaces the rest: keep this section in one file",
                danger=Danger.RELIABILITY,
            )
        sections[name] = (value,)


def _root(path: Path) -> Written:
    if path.is_dir():
        advice = f"name the file in it: `router import litellm {path / 'config.yaml'}`"
        message = "this is a folder, and a config is one file"
        raise ConfigRefused(Problem(code="unreadable", message=message, place=_start(path), help=advice))
    text = file_text(path)
    if not isinstance(text, str):
        raise ConfigRefused(text.problems[0])
    read = read_lenient(text, path.as_posix())
    if read.problem is not None or read.root is None:
        raise ConfigRefused(read.problem or _problem(_start(path), "the file is empty"))
    if not isinstance(read.root.value, Mapping):
        raise ConfigRefused(_problem(read.root.place, "a config is a map of sections, like `model_list:`"))
    return read.root


def _entries(root: Written) -> tuple[Written, ...]:
    include = root.get("include")
    if include is None:
        return ()
    odd = next((item for item in include.items() if not isinstance(item.value, str)), None)
    if not isinstance(include.value, tuple) or odd is not None:
        place = (odd or include).place
        raise ConfigRefused(_problem(place, "`include` is a list of files: litellm does not start with this"))
    return include.items()


def _included(entry: Written, declared_in: Path, root: Path) -> Path:
    """Beside the file that names it, else beside the first one."""
    for folder in (declared_in.parent, root.parent):
        file = folder / entry.text
        if file.is_file():
            return file
    message = f"the file {shown(entry.text)} is included, and it is not there"
    raise ConfigRefused(_problem(entry.place, message, "it is looked for beside the file that includes it"))


def _start(path: Path) -> Place:
    return Place(file=path.as_posix(), line=1, column=1)


def _problem(place: Place, message: str, help: str = "") -> Problem:
    return Problem(code="unreadable", message=message, place=place, help=help)


def number(key: Written | None) -> float | None:
    """A number, also where it is written as text (`3e-6` and `"3"` are text to YAML 1.1)."""
    if key is None or isinstance(key.value, bool) or not isinstance(key.value, int | float | str):
        return None
    try:
        found = float(key.value)
    except ValueError:
        return None
    return found if abs(found) < float("inf") else None


def exact(key: Written | None) -> Decimal | None:
    """A number above or at nothing as it is written, every digit of it."""
    if number(key) is None or key is None:
        return None
    try:
        found = Decimal(key.text.replace("_", ""))
    except InvalidOperation:  # hexadecimal, sexagesimal: nobody writes money so
        return None
    return found if found.is_finite() and 0 <= found < _MOST else None


def plain_value(key: Written) -> Any:
    """The value as plain lists, maps and scalars."""
    if isinstance(key.value, Mapping):
        return {name: plain_value(below) for name, below in key.fields()}
    if isinstance(key.value, tuple):
        return [plain_value(item) for item in key.items()]
    return key.value
