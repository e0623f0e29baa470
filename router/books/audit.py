"""An audit of the ledger: balances recomputed from rows, and the laws that every row must keep.

It runs beside traffic: what changes while it looks is looked at again, and what never stands still is told as such.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, cast, get_args

from router.adapters.accounts import settled_amount
from router.books.aside import aside
from router.books.row_files import each_row, require_bound, require_own
from router.decide.outcome import dollars
from router.decide.sliding import MOST
from router.engine import Ports
from router.plan import ROLLING_S, Budget
from router.ports import Act, Balance, Counter, Row, Settlement
from router.ports.ledger import How
from router.values import Place

ROUNDS = 3
LAPSED_GRACE_S = 60.0
"""Leases are renewed well before they end; one that lapsed this long ago belongs to nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """`law` is a stable word: balance, moved, figure, granted, told, sequence, orphan, ended, overrun. Only an overrun
    is no fault of the ledger's: a provider billed above its bound, which is recorded in full."""

    law: str
    subject: str  # a counter or the id of a row
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """`rows` of the store, `moved` rows in the files of a folder, `acts` of people. `resolved` leases, of processes
    that had died, were ended first. `under_way`: counters that never stood still. `unchecked`: counters with a part
    whose rows were moved out, which nothing was held against, as no folder was named."""

    rows: int
    moved: int
    acts: int
    counters: int
    resolved: int
    findings: tuple[Finding, ...]
    under_way: tuple[str, ...]
    unchecked: int = 0

    @property
    def sound(self) -> bool:
        return all(finding.law == "overrun" for finding in self.findings)


async def audit(ports: Ports, *, archive: Path | None = None) -> Audit:
    """A counter holds what its rows do, and those that were moved out, less what people granted. `archive`: the folder
    with the rows that were moved out, which are then counted too. Raises StoreError, RequestError."""
    now_s = ports.clock.now_s()
    resolved = await ports.ledger.reconcile(now_s=now_s)
    seen = await _compared(ports)
    files = await _in_files(ports, archive) if archive is not None else _Files()
    acts, granted = await _granted(ports)
    findings = (
        *_differences(seen.differing),
        *await _forgotten(ports),
        *files.findings,
        *_of_grants(acts, granted),
        *_of_truths(acts, {each.id: each for each in seen.rows}),
        *_of_rows(seen.rows, now_s),
        *(finding for row in seen.rows for finding in _of_figures(row)),
    )
    return Audit(
        rows=len(seen.rows),
        moved=files.rows,
        acts=len(acts),
        counters=seen.counters,
        resolved=resolved,
        findings=findings,
        under_way=tuple(sorted(map(name_of, seen.moving))),
        unchecked=seen.partly_moved if archive is None else 0,
    )


async def _forgotten(ports: Ports) -> Sequence[Finding]:
    """Rolling budgets whose window holds less than the rows do that were reserved within it. That it may hold more, of
    rows that were moved out and in steps that are leaving, is none."""
    since_s = ports.clock.now_s() - max(ROLLING_S.values())
    known = {counter for row in await ports.ledger.rows(since_s=since_s) for counter, _ in row.rolling}
    budgets, kept = {counter: _rolling(counter) for counter in known}, dict[Counter, tuple[int, int]]()
    for _ in range(ROUNDS if budgets else 0):
        now_s = ports.clock.now_s()
        held = await ports.ledger.held(list(budgets.values()), now_s=now_s)
        rows = await ports.ledger.rows(
            since_s=since_s
        )  # after that: what was settled meanwhile is less there
        sums = rolling_sums(rows, now_s)
        kept = {counter: (held[budget], sums.get(counter, 0)) for counter, budget in budgets.items()}
        budgets = {
            counter: budgets[counter] for counter, (is_, must) in kept.items() if is_ < min(must, MOST)
        }
    return [
        Finding(
            law="balance",
            subject=name_of(counter),
            detail=f"its window holds {_amount(kept[counter][0], counter)}, and the rows reserved within it come to "
            f"{_amount(kept[counter][1], counter)}",
        )
        for counter in sorted(budgets, key=name_of)
    ]


def rolling_sums(rows: Sequence[Row], now_s: float) -> Mapping[Counter, int]:
    """What the window of every rolling budget must hold now at least, from the rows alone."""
    sums: dict[Counter, int] = {}
    for row in rows:
        for counter, amount in row.rolling:
            if now_s - ROLLING_S[counter.window] < row.reserved_at_s <= now_s:
                sums[counter] = sums.get(counter, 0) + amount
    return sums


def _rolling(counter: Counter) -> Budget:
    """A budget by whose name the window is read; what it may hold is not asked."""
    return Budget(
        owner=counter.owner,
        unit=counter.unit,
        window=counter.window,
        amount=0,
        rolling=True,
        place=Place(file="", line=0, column=0),
        text=name_of(counter),
    )


Differences = Mapping[Counter, tuple[Balance, Balance]]
"""By counter: (kept, recomputed)."""


class _Seen(NamedTuple):
    """The rows, the counters that differ while nothing moved them, those that moved every time; how many there are, and
    how many of them hold something of rows that were moved out."""

    rows: Sequence[Row]
    differing: Differences
    moving: frozenset[Counter]
    counters: int
    partly_moved: int


async def _compared(ports: Ports) -> _Seen:
    moving: frozenset[Counter] = frozenset()
    differing: Differences = {}
    known: frozenset[Counter] = frozenset()
    partly_moved = 0
    rows: Sequence[Row] = await ports.ledger.rows()
    for _ in range(ROUNDS):
        balances = await ports.ledger.all_balances()
        before, kept = sums_of(rows), _in_rows(balances)
        rows = await ports.ledger.rows()
        after = sums_of(rows)
        moving = frozenset(each for each in {*before, *after} if before.get(each) != after.get(each))
        differing = {
            counter: (kept.get(counter, Balance()), after.get(counter, Balance()))
            for counter in {*kept, *after}
            if counter not in moving and kept.get(counter, Balance()) != after.get(counter, Balance())
        }
        known, partly_moved = frozenset({*kept, *after}), sum(each.moved != 0 for each in balances.values())
        if not moving:
            break
    return _Seen(rows, differing, moving, len(known), partly_moved)


class _Files(NamedTuple):
    """What the files of rows that were moved out tell."""

    rows: int = 0
    findings: Sequence[Finding] = ()


async def _in_files(ports: Ports, folder: Path) -> _Files:
    """Whether the files hold what every counter says was moved out. Counters that are forgotten are not judged, nor
    those that a run under way is changing."""
    await aside(ports, require_bound, folder, await ports.ledger.identity())
    before = await ports.ledger.all_balances()
    in_store = {row.seq: row.id for row in await ports.ledger.rows()}
    rows, told, figures = await aside(ports, _told, folder, in_store)
    after = await ports.ledger.all_balances()
    findings = [
        Finding(
            law="moved",
            subject=name_of(counter),
            detail=f"{_amount(kept.moved, counter)} of it was moved out, and the files hold "
            f"{_amount(told.get(counter, 0), counter)}",
        )
        for counter, kept in sorted(before.items(), key=lambda item: name_of(item[0]))
        if kept.moved != told.get(counter, 0) and counter in after and after[counter].moved == kept.moved
    ]
    return _Files(rows, [*findings, *figures])


def _told(folder: Path, in_store: Mapping[int, str]) -> tuple[int, Mapping[Counter, int], Sequence[Finding]]:
    """How many rows are in the files, what they sum up to, and what is wrong with them. A run that was cut short left
    some in the store too. Raises RequestError for the rows of another ledger."""
    rows, sums, figures = 0, dict[Counter, int](), list[Finding]()
    for row in each_row(folder):
        require_own(folder, row, in_store)
        rows += 1
        figures += _of_figures(row)
        for counter, amount in row.counters if row.seq not in in_store else ():
            sums[counter] = sums.get(counter, 0) + amount
    return rows, sums, figures


async def _granted(ports: Ports) -> tuple[Sequence[Act], Mapping[Counter, int]]:
    """What people did, and what is granted by counter: of those that no grant is changing."""
    before = await ports.ledger.all_balances()
    acts = await ports.ledger.acts()
    after = await ports.ledger.all_balances()
    still = {
        counter for counter, each in before.items() if after.get(counter, Balance()).granted == each.granted
    }
    return acts, {counter: each.granted for counter, each in after.items() if counter in still}


def _of_grants(acts: Sequence[Act], granted: Mapping[Counter, int]) -> Iterator[Finding]:
    """A grant is the sum of its acts, as long as its counter is kept."""
    sums: dict[Counter, int] = {}
    for act in acts:
        if act.counter is not None:
            sums[act.counter] = sums.get(act.counter, 0) + act.amount
    for counter, kept in sorted(granted.items(), key=lambda item: name_of(item[0])):
        if kept != sums.get(counter, 0):
            yield Finding(
                law="granted",
                subject=name_of(counter),
                detail=f"{_amount(kept, counter)} is granted, and people granted "
                f"{_amount(sums.get(counter, 0), counter)}",
            )


def _of_truths(acts: Sequence[Act], rows: Mapping[str, Row]) -> Iterator[Finding]:
    """A row costs what somebody said it did: after that it is final."""
    for act in acts:
        row = rows.get(act.row or "")
        if row is not None and row.cost_nusd != act.amount:
            detail = f"{act.who} told a cost of {dollars(act.amount)}, and it is at {dollars(row.cost_nusd)}"
            yield Finding(law="told", subject=row.id, detail=detail)


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
        numbers = {number for number in (row.seq, row.ended_seq) if number is not None}
        for number in sorted(numbers & seen)[:1]:
            yield Finding(law="sequence", subject=row.id, detail=f"its number {number} is another row's too")
        seen |= numbers
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


def _of_figures(row: Row) -> Iterator[Finding]:
    """What a row that has ended cost is what its counters hold of it, its worst case, or nothing, by its state."""
    by_state = {"released": 0, "expired": row.worst_nusd}
    must = by_state.get(row.state)
    if must is not None and row.cost_nusd != must:
        detail = f"it is {row.state} at {dollars(row.cost_nusd)}, and must be at {dollars(must)}"
        yield Finding(law="figure", subject=row.id, detail=detail)
    if row.state != "settled" or row.how not in get_args(How):
        return
    ending = Settlement(
        cost_nusd=row.cost_nusd, usage=row.usage, how=cast(How, row.how), kind=None, now_s=0.0
    )
    for counter, amount in (*row.counters, *row.rolling):
        says = settled_amount(counter.unit, amount, ending)
        if says != amount:
            held = f"{name_of(counter)} holds {_amount(amount, counter)} of it"
            yield Finding(
                law="figure", subject=row.id, detail=f"it says {_amount(says, counter)}, and {held}"
            )
            return  # the others say the same
