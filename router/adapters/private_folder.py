"""Folders that only their owner may enter, and that no version control should carry."""

from contextlib import suppress
from pathlib import Path

STATE_FOLDER = ".router"


def make_private(folder: Path) -> None:
    """The folder and those above it that are not there yet. A fresh `.router` tells git to leave it alone: rows and
    answers lie there. Raises OSError."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    for each in reversed(missing):
        each.mkdir(mode=0o700, exist_ok=True)
        each.chmod(0o700)  # whatever the umask took
        if each.name == STATE_FOLDER:
            with suppress(OSError):  # a convenience: state is kept all the same
                (each / ".gitignore").write_text("*\n", encoding="utf-8")
