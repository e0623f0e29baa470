"""The price book of the worlds: few models, with every difference that a book can make."""

from collections.abc import Mapping
from typing import Any

Row = Mapping[str, Any]


def _row(
    cost: str, context: int, most: int, supports: str, tokens: str | int = 60, **more: Any
) -> dict[str, Any]:
    """`cost`: dollars a million of input and output, and perhaps of input written to a cache and read from one."""
    facts = {"context": context, "max_output": most, "supports": supports.split(), "tokens": tokens}
    return {**_tier(cost), **facts, **more}


def _tier(cost: str) -> dict[str, str]:
    return dict(zip(("input", "output", "write", "cached"), cost.split(), strict=False))


BOOK: Mapping[str, Mapping[str, Row]] = {
    "openai": {
        "nano": _row("0.05 0.4", 8_000, 2_000, "tools json", "exact"),
        "large": _row(
            "1.25 10 1.25 0.125", 16_000, 4_000, "tools json vision", "exact", tiers={1_000: _tier("2.5 15")}
        ),
        "plain": _row("0.0375 0.1501", 4_000, 1_000, "", 20),
    },
    "anthropic": {
        "haiku": _row("1 5 1.25 0.1", 12_000, 3_000, "tools json", 40, refuses=("n", "temperature")),
        "opus": _row(
            "5 25 6.25 0.5",
            20_000,
            6_000,
            "tools json vision",
            110,
            tiers={500: _tier("7.5 30 9 0.75"), 2_000: _tier("10 40")},
        ),
    },
    "groq": {
        "oss": _row("0.1 0.5", 3_000, 1_000, "json", 10, fee="0.0001", refuses=("temperature",)),
        "open/large": _row("0.6 2", 9_000, 3_000, "tools json", "exact"),
    },
    "gemini": {
        "flash": _row("0.3 2.5", 100_000, 8_000, "tools json vision", "window"),
        "trial": _row("", 10_000, 1_000, "tools json"),
    },
}
