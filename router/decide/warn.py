"""When a budget has something to warn of."""

from collections.abc import Iterable

WHOLE = 100_000
"""Of a share in thousandths of a percent."""


def reached(warn_at: Iterable[int], settled: int, amount: int) -> tuple[int, ...]:
    """Those shares of `amount` (with what was granted) that `settled` has come to. Of nothing all are."""
    return tuple(share for share in warn_at if settled * WHOLE >= share * max(amount, 0))


def percent(share: int) -> float:
    """Of thousandths of a percent."""
    return share * 100 / WHOLE
