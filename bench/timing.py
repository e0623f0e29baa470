"""Interleaved timing: one block of every path in turn, round by round, so that noise meets all alike."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

MIN_ROUNDS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Calls made one after another, or `at_once`. CPU is that of the whole process, all of its threads."""

    durations_s: Sequence[float]
    cpu_s: float
    wall_s: float

    @property
    def p50_s(self) -> float:
        return quantile(self.durations_s, 0.5)

    @property
    def calls_per_s(self) -> float:
        return len(self.durations_s) / self.wall_s


Path = Callable[[int], Block]
"""Make so many calls and say how long each took."""


@dataclass(frozen=True, slots=True)
class Series:
    """The blocks of one path, one a round."""

    blocks: list[Block] = field(default_factory=list)

    @property
    def durations_s(self) -> list[float]:
        return [duration for block in self.blocks for duration in block.durations_s]

    @property
    def cpu_s(self) -> float:
        """A call."""
        return sum(block.cpu_s for block in self.blocks) / len(self.durations_s)


def interleave(paths: Mapping[str, Path], *, calls: int, seconds: float) -> dict[str, Series]:
    """Rounds of one block of `calls` a path, each round beginning with another path, for about `seconds`.

    A round before them, not counted, warms every path up.
    """
    names = list(paths)
    for name in names:
        paths[name](max(2, calls // 5))
    series = {name: Series() for name in names}
    ends_s, rounds = time.monotonic() + seconds, 0
    while rounds < MIN_ROUNDS or time.monotonic() < ends_s:
        first = rounds % len(names)
        for name in (*names[first:], *names[:first]):
            series[name].blocks.append(paths[name](calls))
        rounds += 1
    return series


def quantile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


def spread(values: Sequence[float]) -> dict[str, float]:
    """The least, the middle and the greatest: what the noise of this run was."""
    return {"min": min(values), "median": median(values), "max": max(values)}


def ratios(
    series: Series, baseline: Series, figure: Callable[[Block], float] = lambda block: block.p50_s
) -> dict[str, float]:
    """How many times the baseline, round by round."""
    pairs = zip(series.blocks, baseline.blocks, strict=True)
    return spread([figure(block) / figure(base) for block, base in pairs])
