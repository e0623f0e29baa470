"""Randomness: the real one, and one that a seed repeats."""

import time
from random import Random, SystemRandom


class SystemDraw:
    """From the operating system, so forked processes never draw alike."""

    def __init__(self) -> None:
        self._random = SystemRandom()

    def fraction(self) -> float:
        return self._random.random()

    def id(self) -> str:
        """Sortable by time (milliseconds, then 80 random bits): stores append such ids instead of scattering them."""
        return f"{time.time_ns() // 1_000_000:012x}-{self._random.getrandbits(80):020x}"


class SeededDraw:
    """The same seed draws the same fractions and ids. For tests and simulations: its ids repeat between runs."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)  # noqa: S311 - repeating is its purpose

    def fraction(self) -> float:
        return self._random.random()

    def id(self) -> str:
        return f"{self._random.getrandbits(128):032x}"
