"""Policy files as a git revision has them: read out of its objects, with the working tree left alone.

git is started without a shell and with fixed arguments: of what a user writes only a revision reaches it, and what
looks like an option is none. Everything after that is asked for by the commit's hash.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import MappingProxyType

from router.errors import RequestError
from router.policy.load import LARGEST_FILE, is_policy_file, read_bytes, too_large, unread
from router.policy.source import Read

TIME_LIMIT_S = 60.0
COMMIT = re.compile(r"[0-9a-f]{40,64}")
REGULAR = ("100644", "100755")
SUBMODULE = "160000"

_SETTINGS: Mapping[str, str] = MappingProxyType(
    {
        "LC_ALL": "C",
        "GIT_LITERAL_PATHSPECS": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_NO_LAZY_FETCH": "1",  # else what a partial clone lacks is fetched, by a command of that clone's settings
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """One commit of the repository whose working tree has its top at `top`; `name` is what the user calls it."""

    top: Path
    name: str
    commit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Blob:
    mode: str
    id: str
    size: int
    path: str


def revision(folder: Path, name: str) -> Revision:
    """The commit that `name` stands for in the repository around `folder`. Raises RequestError for one not there."""
    if not name or name.startswith("-") or not name.isprintable() or ":" in name:
        raise RequestError(
            f"`{name!a}` is no revision", help="write one as git names it: `HEAD~1`, `main`, `v2.1`"
        )
    asked = _git(folder, "rev-parse", "--show-toplevel")
    if asked.returncode:
        raise RequestError(
            f"there is no file or folder `{name}`, and no git repository at `{folder}` that could have such a "
            f"revision: {_complaint(asked)}",
            help="give two folders, or run this inside the repository",
        )
    top = Path(os.fsdecode(asked.stdout.removesuffix(b"\n")))
    found = _git(top, "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
    commit = found.stdout.decode("ascii").strip()
    if found.returncode or not COMMIT.fullmatch(commit):  # `^main` names what is not wanted
        raise RequestError(
            f"there is no revision `{name}` in the repository at `{top}`", help=_how_to_get(top)
        )
    return Revision(top=top, name=name, commit=commit)


def read_revision(of: Revision, path: str) -> tuple[Read, ...]:
    """The policy files at or below `path`, from the top of the repository, as the revision has them; a path of "" is
    the top. Places call them `REVISION:PATH`. Raises RequestError where there is nothing."""
    blobs = [each for each in _listed(of, path) if _holds_policies(each, path)]
    wanted = [each for each in blobs if each.mode in REGULAR and each.size <= LARGEST_FILE]
    contents = dict(zip((each.id for each in wanted), _contents(of, wanted), strict=True))
    return tuple(_read(each, f"{of.name}:{each.path}", contents.get(each.id)) for each in blobs)


def _read(blob: _Blob, file: str, content: bytes | None) -> Read:
    if content is not None:
        return read_bytes(content, file)
    if blob.mode in REGULAR:
        return too_large(file)
    what = "a submodule" if blob.mode == SUBMODULE else "a link"
    return unread(file, f"{what}, which is not followed in a revision", "diff two folders instead")


def _holds_policies(blob: _Blob, path: str) -> bool:
    """As in a folder: hidden files and folders below the one that was asked for hold none."""
    if blob.path == path:
        return True
    below = PurePosixPath(blob.path).relative_to(path or ".")
    hidden = any(part.startswith(".") for part in below.parts)
    return not hidden and (blob.mode == SUBMODULE or is_policy_file(below.name))


def _listed(of: Revision, path: str) -> Iterator[_Blob]:
    found = _asked(
        of.top, "ls-tree", "-r", "-z", "--long", "--full-tree", of.commit, "--", *([path] if path else [])
    )
    entries = [entry for entry in found.split(b"\0") if entry]
    if not entries:
        raise RequestError(
            f"there is nothing at `{path or '.'}` in revision `{of.name}`",
            help=f"name the path that it had there: `{of.name}:PATH`, from the top of the repository",
        )
    for entry in entries:
        about, _, name = entry.partition(b"\t")
        mode, _, blob, size = about.split()
        yield _Blob(
            mode=mode.decode("ascii"),
            id=blob.decode("ascii"),
            size=int(size) if size != b"-" else 0,
            path=os.fsdecode(name),
        )


def _contents(of: Revision, blobs: Sequence[_Blob]) -> Iterator[bytes]:
    asked = "".join(f"{each.id}\n" for each in blobs).encode("ascii")
    answer = _asked(of.top, "cat-file", "--batch", input=asked)
    at = 0
    for each in blobs:
        start = answer.index(b"\n", at) + 1
        at = start + each.size + 1  # a line break ends each content
        yield answer[start : start + each.size]


def _asked(top: Path, *arguments: str, input: bytes = b"") -> bytes:
    found = _git(top, *arguments, input=input)
    if found.returncode:
        raise RequestError(f"git could not read the repository at `{top}`: {_complaint(found)}")
    return found.stdout


def _git(folder: Path, *arguments: str, input: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    git = shutil.which("git")
    if git is None:
        raise RequestError("there is no `git` here, and revisions are read with it", help="give two folders")
    try:
        return subprocess.run(  # noqa: S603 - no shell, and fixed arguments
            [git, "-C", os.fspath(folder), *arguments],
            input=input,
            capture_output=True,
            timeout=TIME_LIMIT_S,
            check=False,
            env={**os.environ, **_SETTINGS},
        )
    except subprocess.TimeoutExpired as error:
        raise RequestError(
            f"git did not answer within {TIME_LIMIT_S:.0f}s", help="give two folders"
        ) from error


def _complaint(found: subprocess.CompletedProcess[bytes]) -> str:
    first = found.stderr.decode("utf-8", "replace").strip().partition("\n")[0]
    return first.removeprefix("fatal: ") or f"it ended with code {found.returncode}"


def _how_to_get(top: Path) -> str:
    shallow = _git(top, "rev-parse", "--is-shallow-repository").stdout.strip() == b"true"
    if shallow:
        return (
            "this clone is shallow: fetch more of the history (`git fetch --unshallow`, or `fetch-depth: 0`)"
        )
    return "`git log` and `git branch --all` show what there is; files and folders are named by their paths"
