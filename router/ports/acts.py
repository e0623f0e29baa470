"""What people do to the ledger in their own name: dated, with a reason, and only ever added to."""

from dataclasses import dataclass
from typing import Literal

from router.ports.counters import Counter

ActKind = Literal["grant", "settle", "accept_loss"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Who does something, why, and when. `id` is fresh for each act, so that one that is tried again is done once."""

    id: str
    who: str
    why: str
    at_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """What was done. `amount`: what was granted in the unit of `counter`, or what `row` costs now in nano-USD, where it
    was `before`; of a loss that was accepted, the last number that whoever accepted it had seen: any after it are lost
    too. `seq` 0: it took no number."""

    seq: int
    at_s: float
    who: str
    why: str
    kind: ActKind
    amount: int
    counter: Counter | None = None  # of a grant
    row: str | None = None  # of a settlement: the id
    before: int | None = None
