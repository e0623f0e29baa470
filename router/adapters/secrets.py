"""Secrets by reference: environment variables and small private files, read each time they are asked for."""

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from router.values import SecretRef

MAX_BYTES = 64 * 1024


class EnvSecrets:
    """Resolves `{env: NAME}` and `{file: PATH}`; a relative path starts at `folder`. Nothing is kept: a rotated
    secret is met at the next call. Blanks and line ends around a value are not part of it.

    `get` is None for whatever can't be used; `fault` says why, in one line that holds no secret.
    """

    def __init__(self, environ: Mapping[str, str] = os.environ, *, folder: str = "") -> None:
        self._environ = environ
        self._folder = Path(folder)

    def __repr__(self) -> str:
        return f"EnvSecrets(folder={str(self._folder)!r})"

    def get(self, ref: SecretRef) -> str | None:
        return self._read(ref)[0]

    def fault(self, ref: SecretRef) -> str | None:
        """Why `get` gives None; None where it gives a value."""
        return self._read(ref)[1]

    def _read(self, ref: SecretRef) -> tuple[str | None, str | None]:
        """The value, or the fault."""
        if ref.source == "env":
            value = self._environ.get(ref.name)
            if value is None:
                return None, f"the variable `{ref.name}` is not set"
            return _filled(value, f"the variable `{ref.name}`")
        if ref.source == "file":
            return _from_file(self._folder / ref.name)
        return None, f"`{ref.source}` is no source of secrets"


def _from_file(path: Path) -> tuple[str | None, str | None]:
    what = f"the file `{path}`"
    try:
        raw, fault = _private_bytes(path)
    except FileNotFoundError:
        return None, f"{what} does not exist"
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        return None, f"{what} can't be read: {getattr(error, 'strerror', None) or 'not a path'}"
    if fault:
        return None, f"{what} {fault}"
    try:
        return _filled(raw.decode("utf-8-sig"), what)
    except UnicodeDecodeError:
        return None, f"{what} is not UTF-8 text"


def _private_bytes(path: Path) -> tuple[bytes, str | None]:
    # Non-blocking: opening a named pipe must not wait for its writer.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
    try:
        status = os.fstat(descriptor)
        fault = _not_private(status)
        raw = b"" if fault else os.read(descriptor, MAX_BYTES + 1)
    finally:
        os.close(descriptor)
    return raw, f"is larger than {MAX_BYTES // 1024} KiB" if len(raw) > MAX_BYTES else fault


def _not_private(status: os.stat_result) -> str | None:
    """Whoever can write the file chooses the key, and with it who is paid and who reads the prompts."""
    if not stat.S_ISREG(status.st_mode):
        return "is not a regular file"
    if os.name == "nt":  # its modes say nothing
        return None
    others = status.st_mode & stat.S_IWOTH
    # A group of one's own is common (umask 002); any other group is other people.
    group = status.st_mode & stat.S_IWGRP and status.st_gid != os.getegid()
    return "can be written by others: run `chmod go-w` on it" if others or group else None


def _filled(value: str, what: str) -> tuple[str | None, str | None]:
    stripped = value.strip()
    return (stripped, None) if stripped else (None, f"{what} is empty")
