"""Amounts over time as a line of small bars."""

from collections.abc import Sequence
from typing import IO

BLOCKS = "\u00b7\u2581\u2582\u2583\u2584\u2585\u2586\u2587\u2588"
ASCII = ".:-=+*#%@"
"""Nothing, then from the least to the most."""


def spark(amounts: Sequence[int], marks: str = BLOCKS) -> str:
    """One mark for each amount, the most of them at full height; what is above nothing is seen as such."""
    most, heights = max(amounts, default=0), len(marks) - 1
    return "".join(marks[0 if amount <= 0 else -(-amount * heights // most)] for amount in amounts)


def sparks_for(stream: IO[str], *, plain: bool) -> str:
    """ASCII where that is asked for, and where blocks can't be written."""
    try:
        BLOCKS.encode(getattr(stream, "encoding", None) or "ascii")
    except UnicodeEncodeError:
        return ASCII
    return ASCII if plain else BLOCKS
