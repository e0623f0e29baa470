"""The buckets in which budgets are counted."""

from dataclasses import dataclass

from router.plan import Unit, Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Counter:
    """One bucket of spend: never keyed by amount or file, so an edit keeps it. `start` is the local date and hour at
    which its calendar window began (`2026-11-21`, `2026-11-21T14`, `2026-11`, `2026-W47`), "" for `total`."""

    owner: str
    unit: Unit
    window: Window
    start: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """What a counter holds. Left of an amount is amount + granted - settled - reserved.

    `granted` is what people added in this window (below 0: took from it). `moved` is the part of `settled` whose rows
    were moved out of the store.
    """

    settled: int = 0
    reserved: int = 0
    granted: int = 0
    moved: int = 0
