"""Rows that leave the store by age, into files. What they had settled stays in the balances.

First a file is whole and on the disk, then its rows leave the store, and a run begins with the files that an earlier
one left behind. So a run may be killed between any two of its steps: a row is then in the store, or in a file, or in
both until the next run, and what reads both counts it once, by its number.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

from router.books.aside import aside
from router.books.row_files import (
    RowFile,
    alone_in,
    each_row,
    files_in,
    path_for,
    read_rows,
    require_bound,
    require_own,
    write_rows,
)
from router.books.since import Since, since_of
from router.decide.windows import window_start
from router.engine import Ports
from router.errors import RequestError, StoreError
from router.plan import Plan, Window
from router.policy.scalars import duration_ms
from router.ports import Balance, Counter, Row

ROWS_A_FILE = 10_000
ROWS_A_LOOK = 1_000
DAY_S = 86_400.0
MARGIN_S = 2 * 86_400.0
"""A window counts as over this long after its end: the clock of another machine, or an edited time zone, may differ."""

CALENDAR: tuple[Window, ...] = ("hour", "day", "week", "month")


@dataclass(frozen=True, slots=True, kw_only=True)
class Archived:
    """What one run did: rows that left the store, the files that they are in, and counters that nothing is left of."""

    rows: int
    files: tuple[str, ...]
    counters: int


async def archive(
    plan: Plan,
    ports: Ports,
    *,
    before: Since,
    folder: Path,
    compressed: bool = False,
    rows_a_file: int = ROWS_A_FILE,
) -> Archived:
    """Move rows that ended before then. Those under way stay, whatever their age. Raises RequestError, StoreError.

    What a person writes must be a day ago or more; the seconds and the datetime of a program are taken as they are."""
    now_s = ports.clock.now_s()
    before_s = since_of(before, now_s=now_s, time_zone=plan.settings.time_zone)
    if isinstance(before, str) and before_s > now_s - DAY_S:
        raise _too_late(before, before_s, now_s)
    await ports.ledger.reconcile(now_s=now_s)
    moved, files = 0, []
    with alone_in(folder):
        identity = await ports.ledger.identity()
        await aside(ports, require_bound, folder, identity)
        for file in await aside(ports, files_in, folder):
            gone = await _finished(ports, file)
            files += [str(file.path)] if gone else []
            moved += gone
        await aside(ports, require_bound, folder, identity, bind=True)
        after = 0
        while True:
            rows, after = await _next_rows(ports, after, before_s, rows_a_file)
            if not rows:
                break
            file = await aside(ports, _written, folder, rows, compressed)
            files.append(str(file.path))
            moved += await _emptied(ports, file, rows)
    forgotten = await ports.ledger.forget(await _over(plan, ports, now_s))
    return Archived(rows=moved, files=tuple(files), counters=forgotten)


def _too_late(before: str, before_s: float, now_s: float) -> RequestError:
    """No command brings rows back, and what is moved is in no `usage`, `forecast` or `advise` any more."""
    ago = duration_ms(before)
    if before_s > now_s:
        what = f"`{before}` is still to come"
    elif ago is not None and before.endswith("m"):
        what = f"`{before}` is {ago // 60_000} minute{'' if ago == 60_000 else 's'} ago"
    else:
        what = f"`{before}` is less than a day ago"
    return RequestError(
        f"{what}: rows leave that are a day old or older",
        help="write days, as in `90d` (three months), or a day that is over, as in `2026-08-01`",
    )


async def rows_with(ports: Ports, folder: Path | None, *, since_s: float = 0.0) -> Sequence[Row]:
    """The rows of the store with those that were moved to a folder, oldest first. Raises RequestError, StoreError."""
    kept = await ports.ledger.rows(since_s=since_s)
    if folder is None:
        return sorted(kept, key=lambda row: row.seq)
    await aside(ports, require_bound, folder, await ports.ledger.identity())
    numbers = {row.seq: row.id for row in (kept if not since_s else await ports.ledger.rows())}
    moved = await aside(ports, _since, folder, since_s, numbers)
    return sorted((*kept, *(row for row in moved if row.seq not in numbers)), key=lambda row: row.seq)


def _since(folder: Path, since_s: float, in_store: Mapping[int, str]) -> list[Row]:
    found = []
    for row in each_row(folder):
        require_own(folder, row, in_store)
        if row.reserved_at_s >= since_s:
            found.append(row)
    return found


async def _next_rows(ports: Ports, after: int, before_s: float, at_most: int) -> tuple[Sequence[Row], int]:
    """The next rows to move, and up to which number the store has been looked through. It is looked through to where
    rows were reserved too late to have ended before then."""
    found: list[Row] = []
    while len(found) < at_most:
        seen = await ports.ledger.rows(after=after, limit=min(ROWS_A_LOOK, at_most - len(found)))
        found += [row for row in seen if row.ended_at_s is not None and row.ended_at_s < before_s]
        if not seen or all(row.reserved_at_s >= before_s for row in seen):
            break
        after = seen[-1].seq
    return found, after


def _written(folder: Path, rows: Sequence[Row], compressed: bool) -> RowFile:
    path = path_for(folder, rows, compressed=compressed)
    if path.exists():  # of rows of this ledger nothing would be left in the store
        raise RequestError(
            f"`{path}` holds the rows of another ledger", help="name a folder of its own for each"
        )
    write_rows(path, rows)
    return RowFile(path=path, first=rows[0].seq, last=rows[-1].seq)


async def _finished(ports: Ports, file: RowFile) -> int:
    """Take out of the store what is in a file of an earlier run. Most have nothing there any more."""
    kept = {row.seq: row.id for row in await _between(ports, file)}
    if not kept:
        return 0
    rows = await aside(ports, read_rows, file)
    for row in rows:
        require_own(file.path.parent, row, kept)
    return await _emptied(ports, file, rows)


async def _emptied(ports: Ports, file: RowFile, rows: Sequence[Row]) -> int:
    """Take the rows of a file out of the store. One that was corrected since it was read is written anew first."""
    written, gone = _by_id(rows), 0
    kept = await _left(ports, file, written)
    while kept:
        corrected = [row for row in kept if (row.state, row.how) != _end_of(written[row.id])]
        if corrected:
            written |= _by_id(corrected)
            await aside(ports, write_rows, file.path, list(written.values()))
        await ports.ledger.move_out(kept)
        # How many left is seen, not told: an answer may have been lost, and it was asked again.
        left = await _left(ports, file, written)
        if left == kept and not corrected:
            raise StoreError(
                f"row `{kept[0].id}` is in `{file.path}` and does not leave the store",
                port="ledger",
                help="see what `router audit` says of it",
            )
        gone, kept = gone + len(kept) - len(left), left
    return gone


async def _left(ports: Ports, file: RowFile, written: Mapping[str, Row]) -> Sequence[Row]:
    """The rows of a file that are in the store still."""
    return [row for row in await _between(ports, file) if row.id in written]


def _end_of(row: Row) -> tuple[str, str | None]:
    return row.state, row.how


def _by_id(rows: Iterable[Row]) -> dict[str, Row]:
    return {row.id: row for row in rows}


async def _between(ports: Ports, file: RowFile) -> Sequence[Row]:
    """The rows of the store with numbers as those of the file."""
    found: list[Row] = []
    after = file.first - 1
    while after < file.last:
        seen = await ports.ledger.rows(after=after, limit=min(ROWS_A_LOOK, file.last - after))
        found += [row for row in seen if row.seq <= file.last]
        if not seen or seen[-1].seq >= file.last:
            break
        after = seen[-1].seq
    return found


async def _over(plan: Plan, ports: Ports, now_s: float) -> Sequence[Counter]:
    """The counters of windows that are over, with nothing in them but what was moved."""
    zone = ZoneInfo(plan.settings.time_zone)
    starts = {window: window_start(window, now_s - MARGIN_S, zone)[0] for window in CALENDAR}
    kept: Mapping[Counter, Balance] = await ports.ledger.all_balances()
    return [
        counter
        for counter, balance in kept.items()
        if counter.window in starts  # starts of one kind of window are in the order of their texts
        and "" < counter.start < starts[counter.window]
        and balance.settled == balance.moved
    ]
