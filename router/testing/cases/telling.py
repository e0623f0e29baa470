"""A case that failed, told to people."""

from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Any

from router.testing.cases.report import Miss, Result
from router.testing.cases.story import story

Paint = Callable[..., str]
"""`paint(text, **style)`, styles as in `click.style`."""


def unpainted(text: str, **_: Any) -> str:
    return text


def case_lines(result: Result, paint: Paint = unpainted) -> Iterator[str]:
    """Every expectation that was not met, by call, and what happened there."""
    yield paint(f"{result.case.place}: {result.case.name}", fg="red", bold=True)
    for (step, number), missed in groupby(result.misses, key=_call):
        if len(result.case.calls) > 1 or number > 1:
            yield f"  step {step}{f', call {number}' if number > 1 else ''}"
        misses = list(missed)
        for miss in misses:
            yield from _miss_lines(miss, paint)
        yield "    what happened"
        yield from (paint(f"      {line}", dim=True) for line in story(misses[0].played.seen))


def _call(miss: Miss) -> tuple[int, int]:
    return miss.played.step, miss.played.number


def _miss_lines(miss: Miss, paint: Paint) -> Iterator[str]:
    yield f"    {miss.expectation.place}: {paint(miss.expectation.name, bold=True)}"
    yield f"      expected  {paint(miss.expectation.wanted, fg='green')}"
    yield f"      got       {paint(miss.got, fg='red')}"
