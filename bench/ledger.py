"""Reserving, marking as sent and settling: on every store, in one process and in four, in short files and long ones."""

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from bench.ledger_worker import AT_ONCE, BUDGETS, LIMITS
from bench.processes import Speaking
from bench.sections import Row, Run, Table
from bench.timing import Block, Series, interleave, quantile, ratios
from bench.timing import Path as Calls

PROCESSES = 4
FEW = 10


def ledger(run: Run) -> Table:
    """A block is calls of all the processes of a path together."""
    with ExitStack() as closing_, TemporaryDirectory(prefix="bench-ledger-") as name:
        folder = Path(name)
        url = closing_.enter_context(server(folder / "server"))
        paths: dict[str, Calls] = {}
        for title, kind, mode, processes in (
            ("memory", "memory", "sync", 1),
            ("sqlite", "sqlite", "sync", 1),
            ("sqlite, synchronous FULL", "sqlite-full", "sync", 1),
            (f"sqlite, {PROCESSES} processes", "sqlite", "sync", PROCESSES),
            (f"sqlite, FULL, {PROCESSES} processes", "sqlite-full", "sync", PROCESSES),
            ("valkey", "valkey", "sync", 1),
            ("valkey, asyncio", "valkey", "async", 1),
            (f"valkey, asyncio, {AT_ONCE} at once", "valkey", "at_once", 1),
            (f"valkey, {PROCESSES} processes", "valkey", "sync", PROCESSES),
        ):
            place = url if kind == "valkey" else str(folder / f"{len(paths)}.db")
            paths[title] = _together(closing_, run, [kind, place, mode], processes)
        found = interleave(paths, calls=run.calls, seconds=run.seconds)
    return Table(
        name="ledger",
        title=f"reserve, sent and settle over {BUDGETS} budgets and {LIMITS} token limits",
        rows=_rows(found),
        notes=(
            "ratio: of p50 to the first row's; calls_per_s: of all processes together",
            "valkey: one server beside them, on a unix socket, without a file of its own",
        ),
    )


def long_files(run: Run) -> Table:
    """The same steps in a file of few rows and in one of many."""
    with ExitStack() as closing_, TemporaryDirectory(prefix="bench-ledger-") as name:
        paths: dict[str, Calls] = {}
        for rows in (FEW, run.rows):
            file = Path(name) / f"{rows}.db"
            fill(run, file, rows)
            paths[f"sqlite, {rows:,} rows"] = _together(closing_, run, ["sqlite", str(file), "sync"], 1)
        found = interleave(paths, calls=run.calls, seconds=run.seconds / 2)
    return Table(
        name="long_files",
        title="reserve, sent and settle in a SQLite file of few rows and of many",
        rows=_rows(found),
        notes=("ratio: of p50 to the first row's",),
    )


def _rows(found: dict[str, Series]) -> list[Row]:
    baseline = next(iter(found.values()))
    return [
        {
            "path": name,
            "calls": len(series.durations_s),
            "p50_us": 1e6 * quantile(series.durations_s, 0.5),
            "p99_us": 1e6 * quantile(series.durations_s, 0.99),
            "cpu_us": 1e6 * series.cpu_s,
            "calls_per_s": median(block.calls_per_s for block in series.blocks),
            "ratio": ratios(series, baseline),
        }
        for name, series in found.items()
    ]


def _together(closing_: ExitStack, run: Run, arguments: Sequence[str], processes: int) -> Calls:
    """So many processes at the same state, each making its share of a block's calls, all at the same time."""
    started = [Speaking(["-m", "bench.ledger_worker", *arguments], run.environment) for _ in range(processes)]
    for each in started:
        closing_.callback(each.end)
    for each in started:
        each.hear()

    def make(calls: int) -> Block:
        began_s = time.perf_counter()
        for each in started:
            each.say({"calls": -(-calls // processes)})
        answers: list[dict[str, Any]] = [each.hear() for each in started]
        wall_s = time.perf_counter() - began_s if processes > 1 else answers[0]["wall_s"]
        durations_s = [duration for answer in answers for duration in answer["durations_s"]]
        return Block(durations_s=durations_s, cpu_s=sum(answer["cpu_s"] for answer in answers), wall_s=wall_s)

    return make


def fill(run: Run, file: Path, rows: int) -> None:
    """A state file with `rows` rows: one that the ledger wrote, and copies of it under ids as random as its own."""
    with ExitStack() as one:
        _together(one, run, ["sqlite", str(file), "sync"], 1)(1)
    with closing(sqlite3.connect(file)) as connection:
        columns = [each[1] for each in connection.execute("PRAGMA table_info(attempts)")]
        rest = ", ".join(column for column in columns if column not in ("seq", "id"))
        for pragma in ("journal_mode = OFF", "synchronous = OFF"):  # a file that is of no use half made
            connection.execute(f"PRAGMA {pragma}")
        connection.execute(
            f"""
            WITH RECURSIVE numbers(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM numbers WHERE n < ?),
            ids(id) AS (SELECT lower(hex(randomblob(16))) FROM numbers ORDER BY 1)
            INSERT INTO attempts (id, {rest})
            SELECT ids.id, {rest} FROM ids, (SELECT {rest} FROM attempts LIMIT 1)
            """,
            (rows - 1,),
        )
        connection.commit()


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """The URL of a Valkey server of its own, from the wheel that the tests use."""
    from tests.adapters.valkey import ValkeyServer

    with ValkeyServer(folder) as running:
        yield running.url
