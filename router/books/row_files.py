"""Rows in files: JSON lines, one row each, in files that are named by their first and last number.

A file is whole or not there: it is written beside its place, synced, and then given its name. It is its owner's alone.
"""

import gzip
import json
import os
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from router.adapters.accounts import counter_key, counter_of
from router.adapters.private_folder import make_private
from router.errors import RequestError
from router.ports import Row
from router.values import Usage

NAME = re.compile(r"rows-(\d{12,})-(\d{12,})\.jsonl(\.gz)?")
LOCK = ".lock"
LEDGER = ".ledger"
"""Says which ledger a folder belongs to. One that was made by an earlier router has none until the next run."""
_FIELDS = tuple(field.name for field in fields(Row))


@dataclass(frozen=True, slots=True, kw_only=True)
class RowFile:
    """A file of rows, oldest first, and what its name says. Rows between may be missing: those were open then."""

    path: Path
    first: int
    last: int


def path_for(folder: Path, rows: Sequence[Row], *, compressed: bool) -> Path:
    name = f"rows-{rows[0].seq:012d}-{rows[-1].seq:012d}.jsonl{'.gz' if compressed else ''}"
    return folder / name


def files_in(folder: Path) -> list[RowFile]:
    """In the order of their first numbers; what has another name is none of them. Raises RequestError."""
    try:
        names = sorted(each.name for each in folder.iterdir())
    except OSError as error:
        raise _unreadable(folder, error) from None
    found = [(name, match) for name in names if (match := NAME.fullmatch(name))]
    files = [RowFile(path=folder / name, first=int(match[1]), last=int(match[2])) for name, match in found]
    return sorted(files, key=lambda file: (file.first, file.last))


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """Make or replace the file. What was there before stays until the new one is on the disk. Raises RequestError."""
    text = "".join(f"{json.dumps(_values(row), ensure_ascii=False, separators=(',', ':'))}\n" for row in rows)
    body = text.encode()
    fresh = path.with_name(f".{path.name}.fresh")
    try:
        fresh.touch(mode=0o600)
        with fresh.open("wb") as file:
            file.write(gzip.compress(body, mtime=0) if path.suffix == ".gz" else body)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise RequestError(
            f"`{path}` can't be written: {error}", help="nothing of it has left the ledger"
        ) from None


def read_rows(file: RowFile) -> list[Row]:
    """Raises RequestError for a file that is cut short or damaged."""
    try:
        body = file.path.read_bytes()
        text = (gzip.decompress(body) if file.path.suffix == ".gz" else body).decode()
        rows = [
            _row(json.loads(line)) for line in text.split("\n") if line
        ]  # texts may hold other ends of lines
    except gzip.BadGzipFile as error:
        raise _damaged(file.path, str(error)) from None
    except OSError as error:
        raise _unreadable(file.path, error) from None
    except (zlib.error, EOFError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damaged(file.path, str(error)) from None
    numbers = [row.seq for row in rows]
    if not numbers or (numbers[0], numbers[-1]) != (file.first, file.last) or numbers != sorted(set(numbers)):
        raise _damaged(file.path, "its rows are not those that its name says")
    return rows


def each_row(folder: Path) -> Iterator[Row]:
    """Every row in the files of a folder, file by file. One that is in two of them, as somebody copied files together,
    counts once. Raises RequestError."""
    files = files_in(folder)
    seen: set[int] = set()
    for file, overlaps in zip(files, _overlaps(files), strict=True):
        for row in read_rows(file):
            if not overlaps:
                yield row
            elif row.seq not in seen:
                seen.add(row.seq)
                yield row


def require_own(folder: Path, row: Row, in_store: Mapping[int, str]) -> None:
    """Raises RequestError where the store has another row (ids by number) under the number of one in a file: no ledger
    gives a number twice."""
    kept = in_store.get(row.seq)
    if kept is not None and kept != row.id:
        raise RequestError(
            f"`{folder}` holds the rows of another ledger: its row {row.seq} is `{row.id}`, and that of this ledger "
            f"`{kept}`",
            help="name the folder that the rows of this ledger were moved to, or the ledger that is meant",
        )


def require_bound(folder: Path, identity: str, *, bind: bool = False) -> None:
    """Raises RequestError for the folder of another ledger. `bind`: one that belongs to none yet is this one's."""
    mark = folder / LEDGER
    try:
        if mark.exists() and (said := mark.read_text(encoding="utf-8").strip()):
            if said != identity:
                raise RequestError(
                    f"`{folder}` holds the rows of another ledger",
                    help="name the folder that the rows of this ledger were moved to, or the ledger that is meant",
                )
        elif bind:
            mark.touch(mode=0o600)
            mark.write_text(f"{identity}\n", encoding="utf-8")
    except OSError as error:
        raise _unreadable(mark, error) from None


def _overlaps(files: Sequence[RowFile]) -> list[bool]:
    """For each file whether another one has numbers between its own; most have not, and need not be remembered."""
    found = [False] * len(files)
    furthest = -1
    for at, file in enumerate(files):
        if furthest >= 0 and file.first <= files[furthest].last:
            found[at] = found[furthest] = True
        if furthest < 0 or file.last > files[furthest].last:
            furthest = at
    return found


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Keep other runs out of a folder, which is made where there is none. Raises RequestError.

    The lock is an open transaction of SQLite's: it works on every system, and ends with the process that holds it.
    """
    import sqlite3

    try:
        make_private(folder)
        lock = sqlite3.connect(folder / LOCK, timeout=0, isolation_level=None, check_same_thread=False)
    except (OSError, sqlite3.Error) as error:
        raise RequestError(f"`{folder}` can't be used: {error}", help="name another folder") from None
    with closing(lock):
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.Error as error:
            raise RequestError(
                f"`{folder}` can't be used now: {error}",
                help="another run is moving rows into it: let it end first",
            ) from None
        (folder / LOCK).chmod(0o600)
        for left in folder.glob(".rows-*.fresh"):  # of a run that was killed while it wrote
            left.unlink(missing_ok=True)
        yield


def _values(row: Row) -> Mapping[str, Any]:
    values = {name: getattr(row, name) for name in _FIELDS}
    values["usage"] = None if row.usage is None else asdict(row.usage)
    for name in ("counters", "rolling"):
        values[name] = [[counter_key(counter), amount] for counter, amount in getattr(row, name)]
    return values


def _row(values: Mapping[str, Any]) -> Row:
    """What a later router added to rows is passed over; what an earlier one did not know is as if nobody had said."""
    usage = values["usage"]
    read: dict[str, Any] = {name: _frozen(values[name]) for name in _FIELDS if name in values}
    read["usage"] = None if usage is None else Usage(**usage)
    for name in ("counters", "rolling"):
        read[name] = tuple((counter_of(key), int(amount)) for key, amount in values.get(name) or ())
    return Row(**read)


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _sync_folder(folder: Path) -> None:
    """Have the name on the disk as well; not every system can do that with a folder."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    except OSError:
        return
    finally:
        os.close(handle)


def _unreadable(path: Path, error: OSError) -> RequestError:
    return RequestError(f"`{path}` can't be read: {error}", help="name the folder that rows were moved to")


def _damaged(path: Path, what: str) -> RequestError:
    return RequestError(f"`{path}` is damaged: {what}", help="restore a copy of it")
