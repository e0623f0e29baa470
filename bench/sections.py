"""The tables of a run: each section measures, and returns its rows."""

import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from bench.folder import POLICIES, TENANTS
from bench.paths import AT_ONCE
from bench.processes import ROOT, Speaking, Worker, answer_of
from bench.timing import Series, interleave, quantile, ratios, spread

Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    name: str
    title: str
    rows: Sequence[Row]
    notes: Sequence[str] = field(default_factory=tuple)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What every section is given. `seconds`: how long one of them measures."""

    workers: Mapping[str, Worker]
    environment: dict[str, str]
    seconds: float
    calls: int
    repeats: int
    rows: int


def measured(run: Run, paths: Sequence[tuple[str, str]], *, calls: int, seconds: float) -> dict[str, Series]:
    """Blocks along (role, path), interleaved."""
    blocks = {path: partial(run.workers[role].block, path) for role, path in paths}
    return interleave(blocks, calls=calls, seconds=seconds)


def _row(name: str, series: Series, baseline: Series | None) -> Row:
    """Microseconds; `ratio`: of p50 to the baseline's, round by round."""
    return {
        "path": name,
        "calls": len(series.durations_s),
        "min_us": 1e6 * min(series.durations_s),
        "p50_us": 1e6 * quantile(series.durations_s, 0.5),
        "p95_us": 1e6 * quantile(series.durations_s, 0.95),
        "cpu_us": 1e6 * series.cpu_s,
        "ratio": ratios(series, baseline) if baseline else None,
    }


# --- On the wire ------------------------------------------------------------------------------------------------------

ASYNC = (
    ("litellm", "litellm.acompletion"),
    ("router", "AsyncRouter, memory state"),
    ("router", "AsyncRouter, sqlite state"),
    ("litellm-router", "litellm.Router.acompletion"),
)
SYNC = (
    ("litellm", "litellm.completion"),
    ("router", "Router, memory state"),
    ("router", "Router, sqlite state"),
    ("litellm-router", "litellm.Router.completion"),
)


def one_at_a_time(run: Run) -> Table:
    return Table(
        name="async",
        title="Async calls, one after another, over litellm to a local upstream",
        rows=_against_the_first(measured(run, ASYNC, calls=run.calls, seconds=run.seconds)),
    )


def sync_calls(run: Run) -> Table:
    return Table(
        name="sync",
        title="Sync calls, one after another, over litellm to a local upstream",
        rows=_against_the_first(measured(run, SYNC, calls=run.calls, seconds=run.seconds)),
    )


def _against_the_first(found: Mapping[str, Series]) -> list[Row]:
    baseline = next(iter(found.values()))
    return [_row(name, series, baseline) for name, series in found.items()]


def at_once(run: Run) -> Table:
    paths = [(role, f"{path}, at once") for role, path in ASYNC]
    found = measured(run, paths, calls=max(run.calls, 2 * AT_ONCE), seconds=run.seconds)
    baseline = next(iter(found.values()))
    rows = [
        {
            "path": name,
            "calls": len(series.durations_s),
            "calls_per_s": median(block.calls_per_s for block in series.blocks),
            "p50_us": 1e6 * quantile(series.durations_s, 0.5),
            "p95_us": 1e6 * quantile(series.durations_s, 0.95),
            "cpu_us": 1e6 * series.cpu_s,
            "ratio": ratios(series, baseline, lambda block: 1 / block.calls_per_s),
        }
        for name, series in found.items()
    ]
    return Table(
        name="at_once",
        title=f"Async calls, {AT_ONCE} at once in one event loop",
        rows=rows,
        notes=("ratio: of the time for the same number of calls",),
    )


# --- From a cache -----------------------------------------------------------------------------------------------------


def cache_hits(run: Run) -> Table:
    kept = run.workers["litellm-cache"].paths
    paths = [
        ("litellm-cache", "litellm.acompletion, memory cache hit"),
        ("router", "AsyncRouter, memory cache hit"),
        ("router", "AsyncRouter, disk cache hit"),
        ("litellm-cache", "litellm.acompletion, disk cache hit"),
        ("litellm-cache", "litellm.completion, memory cache hit"),
        ("router", "Router, memory cache hit"),
        ("router", "Router, disk cache hit"),
        ("litellm-cache", "litellm.completion, disk cache hit"),
    ]
    there = [(role, path) for role, path in paths if role == "router" or path in kept]
    found = measured(run, there, calls=4 * run.calls, seconds=run.seconds)
    rows = [_row(name, series, found[_peer(name)]) for name, series in found.items()]
    notes = ["ratio: to litellm's hit in memory, sync or async alike"]
    if len(there) < len(paths):
        notes.append("this litellm has no cache on disk")
    return Table(name="cache", title="Cache hits", rows=rows, notes=notes)


def _peer(path: str) -> str:
    form = "acompletion" if path.startswith(("Async", "litellm.acompletion")) else "completion"
    return f"litellm.{form}, memory cache hit"


# --- The decision alone -----------------------------------------------------------------------------------------------


def decision(run: Run) -> Table:
    paths = [("router", "decision, memory state"), ("router", "decision, sqlite state")]
    found = measured(run, paths, calls=4 * run.calls, seconds=run.seconds / 2)
    return Table(
        name="decision",
        title="The router's own work for one call: decision, ledger, events; the wire answers at once",
        rows=_against_the_first(found),
    )


def stages(run: Run) -> Table:
    """The shares of a decision's stages, by looking at the stack."""
    with TemporaryDirectory() as folder:
        states = {"memory": "memory", "sqlite": f"sqlite:///{Path(folder) / 'state.db'}"}
        asked = {
            name: answer_of(["-m", "bench.stages", state, str(run.seconds / 4)], run.environment)
            for name, state in states.items()
        }
    names = dict.fromkeys(stage for found in asked.values() for stage in found["met"])
    rows = [
        {
            "stage": stage,
            **{f"{name}_share": found["met"].get(stage, 0) / found["looks"] for name, found in asked.items()},
        }
        for stage in names
    ]
    looks = ", ".join(
        f"{found['looks']} looks, {found['calls']} calls ({name})" for name, found in asked.items()
    )
    return Table(
        name="stages",
        title="Where the router's own work goes",
        rows=sorted(rows, key=lambda row: -row["sqlite_share"]),
        notes=(f"shares of looks at the stack: {looks}",),
    )


# --- Processes --------------------------------------------------------------------------------------------------------


def starts(run: Run) -> Table:
    """Fresh processes, in turn."""
    found: dict[str, list[float]] = {}
    ends_s = time.monotonic() + run.seconds
    for repeat in range(run.repeats):
        if repeat and time.monotonic() > ends_s:
            break
        for what, module in (
            ("router", "router"),
            ("router.Router", "router.client"),
            ("litellm", "litellm"),
        ):
            answer = answer_of(["-m", "bench.probe", "import", module], run.environment)
            found.setdefault(f"import {what}", []).append(answer["import_s"])
        for name, arguments in {
            "python, doing nothing": ["-c", "pass"],
            "router check policies": ["-m", "router", "check", "policies"],
        }.items():
            found.setdefault(f"{name} (start to end)", []).append(_lasted_s(arguments, run.environment))
    rows = [
        {
            "what": name,
            "times": len(values),
            **{f"{key}_ms": 1e3 * value for key, value in spread(values).items()},
        }
        for name, values in found.items()
    ]
    return Table(name="starts", title="Imports and starts, each in a fresh process", rows=rows)


def checks(run: Run) -> Table:
    """The same files in one process, the same command in fresh ones; the first of each is what the rest is held to."""
    large = run.calls >= 50
    size = [str(POLICIES), str(TENANTS)] if large else [str(POLICIES // 20), str(TENANTS // 20)]
    asked: dict[str, Mapping[str, list[float]]] = {
        "folder": answer_of(["-m", "bench.checking", "folder", *size, str(run.seconds)], run.environment),
        "calls": answer_of(["-m", "bench.checking", "calls", *size, str(run.seconds / 2)], run.environment),
        "command": answer_of(["-m", "bench.checking", "command", str(run.seconds / 2)], run.environment),
    }
    rows = [
        {
            "what": name,
            "times": len(values),
            **{f"{key}_ms": 1e3 * value for key, value in spread(values).items()},
            "ratio": spread(
                [value / base for value, base in zip(values, next(iter(found.values())), strict=True)]
            ),
        }
        for found in asked.values()
        for name, values in found.items()
    ]
    return Table(
        name="check",
        title=f"check: a folder of {size[0]} policies and {size[1]} tenants, and the command in fresh processes",
        rows=rows,
        notes=("ratio: to the libraries alone, to calls among few, and to the imports alone",),
    )


def _lasted_s(arguments: Sequence[str], environment: dict[str, str]) -> float:
    began_s = time.perf_counter()
    subprocess.run([sys.executable, *arguments], cwd=ROOT, env=environment, check=True, capture_output=True)
    return time.perf_counter() - began_s


def memory(run: Run) -> Table:
    probes = {
        name: Speaking(["-m", "bench.probe", f"{name}-memory"], run.environment)
        for name in ("router", "litellm")
    }
    try:
        rows = [
            {"process": name, "after": step, "resident_mb": found / 2**20}
            for name, probe in probes.items()
            for step, found in probe.hear().items()
        ]
    finally:
        for probe in probes.values():
            probe.end()
    return Table(name="memory", title="Resident memory, step by step in one process", rows=rows)


SECTIONS = {
    "async": one_at_a_time,
    "at_once": at_once,
    "sync": sync_calls,
    "cache": cache_hits,
    "decision": decision,
    "stages": stages,
    "starts": starts,
    "check": checks,
    "memory": memory,
}
