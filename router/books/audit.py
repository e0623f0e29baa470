"""An audit of the ledger: balances recomputed from rows, and the laws that every row must keep.

It runs beside traffic: what changes while it looks is looked at again, and what never stands still is told as such.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from router.decide.outcome import dollars
from router.engine import Ports
from router.ports import Balance, Counter, Row

ROUNDS = 3
LAPSED_GRACE_S = 60.0
"""Leases are renewed well before they end; one that lapsed this long ago belongs to nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """`law` is a stable word: balance, sequence, orphan, ended, overrun. Only an overrun is no fault of the
    ledger's: a provider billed above its bound, which is recorded in full."""

    law: str
    subject: str  # a counter or the id of a row
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """`resolved` leases, of processes that had died, were ended first. `under_way`: counters that never stood still."""

    rows: int
    counters: int
    resolved: int
    findings: tuple[Finding, ...]
    under_way: tuple[str, ...]

    @property
    def sound(self) -> bool:
        return all(finding.law == "overrun" for finding in self.findings)


async def audit(ports: Ports) -> Audit:
    """Raises StoreError."""
    now_s = ports.clock.now_s()
    resolved = await ports.ledger.reconcile(now_s=now_s)
    rows, differing, moving = await _compared(ports)
    findings = (*_differences(differing), *_of_rows(rows, now_s))
    return Audit(
        rows=len(rows),
        counters=len(sums_of(rows)),
        resolved=resolved,
        findings=tuple(findings),
        under_way=tuple(sorted(map(name_of, moving))),
    )


Differences = Mapping[Counter, tuple[Balance, Balance]]
"""By counter: (kept, recomputed)."""


async def _compared(ports: Ports) -> tuple[Sequence[Row], Differences, frozenset[Counter]]:
    """The rows, the counters that differ while nothing moved them, and those that moved every time."""
    moving: frozenset[Counter] = frozenset()
    differing: Differences = {}
    rows: Sequence[Row] = await ports.ledger.rows()
    for _ in range(ROUNDS):
        before, kept = sums_of(rows), _in_rows(await ports.ledger.all_balances())
        rows = await ports.ledger.rows()
        after = sums_of(rows)
        moving = frozenset(each for each in {*before, *after} if before.get(each) != after.get(each))
        differing = {
            counter: (kept.get(counter, Balance()), after.get(counter, Balance()))
            for counter in {*kept, *after}
            if counter not in moving and kept.get(counter, Balance()) != after.get(counter, Balance())
        }
        if not moving:
            break
    return rows, differing, moving


def _in_rows(kept: Mapping[Counter, Balance]) -> Mapping[Counter, Balance]:
    """The part of each balance that rows in the store must add up to."""
    return {
        counter: Balance(settled=each.settled - each.moved, reserved=each.reserved)
        for counter, each in kept.items()
    }


def sums_of(rows: Sequence[Row]) -> Mapping[Counter, Balance]:
    """What every counter must hold, from the rows alone."""
    settled: dict[Counter, int] = {}
    reserved: dict[Counter, int] = {}
    for row in rows:
        sums, other = (reserved, settled) if row.state in ("reserved", "sent") else (settled, reserved)
        for counter, amount in row.counters:
            sums[counter] = sums.get(counter, 0) + amount
            other.setdefault(counter, 0)
    return {each: Balance(settled=settled[each], reserved=reserved[each]) for each in settled}


def name_of(counter: Counter) -> str:
    """`tenant:acme nusd day 2026-11-28`."""
    return f"{counter.owner} {counter.unit} {counter.window} {counter.start}".rstrip()


def _differences(found: Differences) -> Iterator[Finding]:
    for counter, (kept, summed) in sorted(found.items(), key=lambda item: name_of(item[0])):
        yield Finding(
            law="balance",
            subject=name_of(counter),
            detail=f"kept {_amount(kept.settled, counter)} settled and {_amount(kept.reserved, counter)} reserved, and "
            f"its rows add up to {_amount(summed.settled, counter)} and {_amount(summed.reserved, counter)}",
        )


def _amount(number: int, counter: Counter) -> str:
    return dollars(number) if counter.unit == "nusd" else f"{number} {counter.unit}"


def _of_rows(rows: Sequence[Row], now_s: float) -> Iterator[Finding]:
    seen: set[int] = set()
    for row in rows:
        if row.seq in seen:
            yield Finding(law="sequence", subject=row.id, detail=f"its number {row.seq} is another row's too")
        seen.add(row.seq)
        if row.state in ("reserved", "sent") and row.lease_until_s + LAPSED_GRACE_S < now_s:
            ago = now_s - row.lease_until_s
            yield Finding(
                law="orphan", subject=row.id, detail=f"it is {row.state}, and its lease ended {ago:.0f} s ago"
            )
        if row.state == "settled" and row.cost_nusd > row.worst_nusd:
            over = row.cost_nusd - row.worst_nusd
            yield Finding(
                law="overrun",
                subject=row.id,
                detail=f"{row.target} billed {dollars(over)} above its bound of {dollars(row.worst_nusd)}",
            )
        if row.state in ("settled", "released", "expired") and row.ended_at_s is None:
            yield Finding(
                law="ended", subject=row.id, detail=f"it is {row.state}, but has no time of its end"
            )
