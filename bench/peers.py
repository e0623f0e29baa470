"""Every way to the same upstream in one interleaved run: raw clients, other routers, litellm's, and this one.

The upstream has one core, all callers share another. A peer that is no dependency of the project is installed once,
from its pinned list, into an environment of its own.
"""

import json
import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from statistics import median
from typing import Any

from bench import scene
from bench.environments import python_of
from bench.peer_paths import APART, AT_ONCE, AT_ONCE_KIND, OWN_ENVIRONMENT, PEER_ROLES, STREAM_KIND
from bench.processes import Speaking, Worker, clean
from bench.sections import Row, Run, Table
from bench.timing import Block, Path, Series, interleave, quantile, ratios

UPSTREAM_CORE, CALLER_CORE = (0, 1) if (os.cpu_count() or 1) > 1 else (None, None)

BASES = {"of_aiohttp": "aiohttp", "of_litellm": "litellm.acompletion", "of_its_router": "litellm.Router"}
"""Columns of ratios, and the peer that each is to."""


def peers(run: Run, roles: Sequence[str] = tuple(PEER_ROLES)) -> list[Table]:
    """A table for each prompt, one of calls at once, one of streams."""
    with _blocks(run, roles) as blocks:
        tables = [_one_by_one(run, blocks[prompt], prompt) for prompt in scene.PROMPTS]
        return [*tables, _at_once(run, blocks[AT_ONCE_KIND]), _streams(run, blocks[STREAM_KIND])]


@contextmanager
def _blocks(run: Run, roles: Sequence[str]) -> Iterator[Mapping[str, Mapping[str, Path]]]:
    """What makes a block of calls, by the kind of call and the name of the peer."""
    with ExitStack() as ending:
        upstream = Speaking(["-m", "bench.bare", str(scene.CHUNKS)], clean(), core=UPSTREAM_CORE)
        ending.callback(upstream.end)
        environment = {**run.environment, scene.URLS_VARIABLE: json.dumps(upstream.hear())}
        started = []
        for role in roles:
            own: dict[str, Any] = (
                {"python": python_of(OWN_ENVIRONMENT[role])} if role in OWN_ENVIRONMENT else {}
            )
            worker = Worker(role, environment, core=CALLER_CORE, **own)
            ending.callback(worker.end)
            started.append(worker)
        found: dict[str, dict[str, Path]] = defaultdict(dict)
        for worker in (worker.ready() for worker in started):
            for path in worker.paths:
                name, _, kind = path.partition(APART)
                found[kind][name] = partial(worker.block, path)
        yield found


def _one_by_one(run: Run, blocks: Mapping[str, Path], prompt: str) -> Table:
    found = interleave(blocks, calls=run.calls, seconds=run.seconds)
    return Table(
        name=f"peers: {prompt}",
        title=f"Async calls, one after another: {prompt}",
        rows=[
            {"path": name, "calls": len(series.durations_s), **_times(series), **_ratios(series, found)}
            for name, series in found.items()
        ],
    )


def _at_once(run: Run, blocks: Mapping[str, Path]) -> Table:
    found = interleave(blocks, calls=max(run.calls, 4 * AT_ONCE), seconds=run.seconds)
    return Table(
        name="peers_at_once",
        title=f"Async calls, {AT_ONCE} at once in one event loop on one core",
        rows=[
            {
                "path": name,
                "calls": len(series.durations_s),
                "calls_per_s": median(block.calls_per_s for block in series.blocks),
                **_times(series),
                **_ratios(series, found, lambda block: 1 / block.calls_per_s),
            }
            for name, series in found.items()
        ],
        notes=("ratios: of the time for the same number of calls",),
    )


def _streams(run: Run, blocks: Mapping[str, Path]) -> Table:
    found = interleave(blocks, calls=max(2, run.calls // 5), seconds=run.seconds)
    return Table(
        name="peers_streams",
        title=f"Streams of {scene.CHUNKS} chunks, read to their end",
        rows=[
            {
                "path": name,
                "streams": len(series.durations_s),
                "p50_us": 1e6 * quantile(series.durations_s, 0.5),
                "chunk_cpu_us": 1e6 * series.cpu_s / scene.CHUNKS,
                **_ratios(series, found, lambda block: block.cpu_s),
            }
            for name, series in found.items()
        ],
        notes=("chunk: of the CPU of a whole stream; ratios: of that CPU",),
    )


def _times(series: Series) -> Row:
    return {
        "p50_us": 1e6 * quantile(series.durations_s, 0.5),
        "p95_us": 1e6 * quantile(series.durations_s, 0.95),
        "cpu_us": 1e6 * series.cpu_s,
    }


def _ratios(
    series: Series, found: Mapping[str, Series], figure: Callable[[Block], float] = lambda block: block.p50_s
) -> Row:
    """To each of the bases that were measured, round by round."""
    return {column: ratios(series, found[base], figure) for column, base in BASES.items() if base in found}
