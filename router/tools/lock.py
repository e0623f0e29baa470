"""Writing a lock file, and knowing what that changes."""

import os
from dataclasses import dataclass
from pathlib import Path

from router.errors import PolicyError, Problem, RequestError
from router.policy.catalog import Catalog
from router.policy.drift import lock_problems, no_lock
from router.policy.load import load_unlocked, read_file
from router.policy.lock import LOCK_FILE, Lock, lock_of, lock_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Locking:
    """The lock that holds for a folder now, and where its file differs: what `--frozen` refuses, in order of place.

    `is_new`: there is no file yet, which is then the one problem.
    """

    path: Path
    lock: Lock
    problems: tuple[Problem, ...]
    is_new: bool

    @property
    def text(self) -> str:
        return lock_text(self.lock)


def locking(folder: Path, prices: Catalog) -> Locking:
    """Raises PolicyError where the policies make no plan, RequestError for a single file."""
    if folder.is_file():
        raise RequestError(
            f"`{folder}` is one file", help="a lock is of a whole folder of policies: name that"
        )
    loaded, path = load_unlocked(folder, prices), folder / LOCK_FILE
    if loaded.plan is None:
        raise PolicyError(loaded.problems)
    lock = lock_of(loaded.plan, loaded.documents, prices)
    if not path.exists():
        return Locking(path=path, lock=lock, problems=(no_lock(path),), is_new=True)
    found = lock_problems(read_file(path), loaded.plan, loaded.documents, prices, frozen=True)
    in_order = sorted(found, key=lambda each: (each.place.line, each.place.column, each.message))
    return Locking(path=path, lock=lock, problems=tuple(in_order), is_new=False)


def write_lock(locking: Locking) -> bool:
    """Whether there was anything to write. The file is there whole or not at all, whatever ends this early."""
    text = locking.text.encode("utf-8")
    if locking.path.is_file() and locking.path.read_bytes() == text:
        return False
    aside = locking.path.with_name(f".{LOCK_FILE}.{os.getpid()}")
    aside.unlink(missing_ok=True)  # left by one that was killed and had this number
    with aside.open("xb") as opened:  # never through a link that somebody put there
        try:
            opened.write(text)
            opened.close()
            aside.replace(locking.path)
        finally:
            aside.unlink(missing_ok=True)
    return True
