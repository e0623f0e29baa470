"""What `router diff` is given, as policies: folders, files, and git revisions."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from posixpath import normpath
from typing import TYPE_CHECKING

from router.errors import RequestError
from router.policy.catalog import Catalog

if TYPE_CHECKING:
    from router.policy.load import Loaded


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A side as its user names it, read."""

    name: str
    loaded: "Loaded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """Where a side is: `path` in the working tree, or that of `revision`, from the top of its repository."""

    revision: str | None
    path: Path | str | None  # None: a revision of whatever the other side is


def named(text: str) -> Named:
    """What exists is a path; `REV:PATH` is a path at a revision, anything else a revision."""
    if _is_there(text):
        return Named(revision=None, path=Path(text))
    revision, colon, path = text.partition(":")
    return Named(revision=revision, path=path if colon else None)


def _is_there(text: str) -> bool:
    try:
        return Path(text).exists()
    except OSError:  # longer than any name of a file
        return False


def sources(
    old: str, new: str | None, default: Callable[[], Path], prices: Catalog, *, today: date | None = None
) -> tuple[Source, Source]:
    """Both sides. Without `new` it is the policies of the working tree, which `default` finds; a revision without a
    path means the path of the other side. Raises RequestError for what can't be found."""
    sides = named(old), Named(revision=None, path=default()) if new is None else named(new)
    paths = [side.path for side in sides if side.revision is None]
    other = paths[0] if paths else None
    here = Path(other) if other is not None else None
    return tuple(_read(side, here, default, prices, today) for side in sides)  # type: ignore[return-value]


def _read(
    side: Named, here: Path | None, default: Callable[[], Path], prices: Catalog, today: date | None
) -> Source:
    from router.policy.load import load_reads, load_unlocked

    if side.revision is None:
        assert side.path is not None  # noqa: S101 - only a revision may go without
        return Source(name=str(side.path), loaded=load_unlocked(side.path, prices, today=today))
    from router.adapters.git_tree import read_revision, revision

    if isinstance(side.path, str):
        found = revision(Path.cwd(), side.revision)
        path = _from_top(found.top, Path(side.path)) if side.path.startswith(("./", "../")) else side.path
    else:
        folder = here if here is not None else default()
        found = revision(folder if folder.is_dir() else folder.parent, side.revision)
        path = _from_top(found.top, folder)
    path = _plain(path, side.revision)
    reads = read_revision(found, path)
    if not reads:
        raise RequestError(
            f"there are no policy files at `{side.revision}:{path}`",
            help="files are found by their names: `*.yaml` and `*.yml`",
        )
    return Source(name=f"{side.revision}:{path}", loaded=load_reads(reads, prices, today=today))


def _plain(path: str, revision: str) -> str:
    """As git lists it: without `.`, `..` and slashes that mean nothing; "" is the top."""
    found = normpath(path.strip("/") or ".")
    if found.startswith(".."):
        raise RequestError(
            f"`{path}` leads out of the repository", help=f"name the path from its top: `{revision}:policies`"
        )
    return "" if found == "." else found


def _from_top(top: Path, path: Path) -> str:
    whole = path.absolute().resolve()
    if not whole.is_relative_to(top.resolve()):
        raise RequestError(
            f"`{path}` is not in the repository at `{top}`",
            help="name the path: `REVISION:PATH`, from its top",
        )
    found = whole.relative_to(top.resolve()).as_posix()
    return "" if found == "." else found
