"""Reservations on a Redis or Valkey server: one hash per attempt, and counters that are always the sum of the rows."""

import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from math import ceil, inf
from typing import Any

from router.adapters import accounts
from router.adapters.accounts import Part, Taken, counter_key, counter_of, in_steps, limit_key
from router.adapters.act_texts import act_from, what_text
from router.adapters.redis_store import RedisStore
from router.adapters.sqlite_rows import row_from, usage_text
from router.decide.sliding import Room, bucket_of, moved, room, slide_of
from router.plan import Budget, Sliding
from router.ports import (
    Act,
    Balance,
    Counter,
    Crossed,
    Granted,
    Hold,
    Note,
    Refused,
    Row,
    Settlement,
    Take,
    Watch,
)

ROWS_A_STEP = 500
RECONCILED_A_STEP = 64
MOVED_A_STEP = 100
FORGOTTEN_A_STEP = 500
MARKS_MS = 3_600_000
"""For how long a server keeps a mark that no longer holds: clocks need not agree."""
_FIXED = (
    "request_id",
    "attempt",
    "policy",
    "tenant",
    "user",
    "target",
    "plan_digest",
    "prices_digest",
    "worst_tokens",
)
_OFTEN_EMPTY = ("key", "tags")


class RedisLedger:
    """A Ledger in a RedisStore."""

    def __init__(self, store: RedisStore) -> None:
        self._store = store

    @property
    def suspends(self) -> bool:
        return self._store.suspends

    async def reserve(self, hold: Hold, *, wait_s: float = inf) -> Granted | Refused:
        at_s = hold.now_s

        def reservation(again: bool) -> list[str]:
            nonlocal at_s
            at_s = self._store.server_s(hold.now_s)
            return self._reservation(hold, at_s, again)

        answer = await self._store.run("ledger", "reserve", reservation, wait_s=wait_s)
        match answer:
            case ["granted", seq]:
                return Granted(seq=int(seq))
            case ["granted" | "refused", seq, used, windows]:  # granted: what it has in shadow did not fit
                # At the time that the script was told: another call may have asked for the server's since.
                rooms = [room_from(take, flat, at_s) for take, flat in zip(hold.takes, windows, strict=True)]
                sums = [int(used[at]) + int(used[at + 1]) for at in range(0, len(used), 2)]
                return accounts.verdict(hold, int(seq), sums, rooms)
            case ["too much", needed]:
                raise accounts.too_much_held(hold.id, int(needed))
            case _:
                raise accounts.known_row(hold.id)

    def _reservation(self, hold: Hold, now_s: float, again: bool) -> list[str]:
        lasting = {name: getattr(hold, name) for name in _FIXED}
        lasting |= {name: value for name in _OFTEN_EMPTY if (value := getattr(hold, name))}
        fixed = json.dumps(lasting, separators=(",", ":"))
        until_s = now_s + hold.lease_s
        values = [hold.id, repr(now_s), repr(until_s), str(int(again)), str(hold.worst_nusd), fixed]
        values.append(str(len(hold.charges)))
        for charge in hold.charges:
            values += [
                counter_key(charge.counter),
                charge.counter.unit,
                str(charge.needed),
                str(charge.budget.amount),
                "shadow" if charge.budget.shadow else "",
            ]
        values.append(str(len(hold.takes)))
        for take in hold.takes:
            values += take_values(take, now_s)
        values.append(str(accounts.LAPSES_A_STEP))
        return values

    async def mark_sent(self, id: str, *, now_s: float, wait_s: float = inf) -> None:
        _, state = await self._store.run("ledger", "mark_sent", lambda again: [id], wait_s=wait_s)
        if not state:
            raise accounts.unknown_row(id)
        if state != "sent":
            raise accounts.ended_before_sent(id, state)

    async def renew(self, id: str, *, lease_until_s: float, wait_s: float = inf) -> None:
        await self._store.run(
            "ledger", "renew", lambda again: [id, self._stamp(lease_until_s)], wait_s=wait_s
        )

    async def settle(
        self, id: str, settlement: Settlement, watches: Sequence[Watch] = (), *, wait_s: float = inf
    ) -> Sequence[Crossed]:
        def rest(again: bool) -> list[str]:
            watched = (each for watch in watches for each in self._watched(watch, settlement.now_s))
            return ["", "", str(int(again)), *watched]

        _, found = await self._settle(id, settlement, rest, wait_s)
        return tuple(_crossed(watches[int(at)], *map(int, values)) for at, *values in found)

    def _watched(self, watch: Watch, now_s: float) -> list[str]:
        """A watch as the script reads it."""
        until = ["", ""]
        if watch.until_s is not None:
            until = [self._stamp(watch.until_s), str(ceil(max(watch.until_s - now_s, 0.0) * 1000 + MARKS_MS))]
        window = ["", ""]
        if isinstance(watch.of, Budget):
            length_s = watch.of.window_s
            window = [str(bucket_of(self._store.server_s(now_s), length_s)), repr(length_s)]
        shares = ",".join(map(str, watch.warn_at))
        return [accounts.watch_key(watch), str(watch.amount), *until, shares, *window]

    async def correct(self, id: str, settlement: Settlement, note: Note) -> bool:
        row = await self.row(id)
        if row is None:
            raise accounts.unknown_row(id)
        what = what_text(amount=settlement.cost_nusd, row=id, before=row.cost_nusd)
        act = _act_text("settle", note, what)
        changed, _ = await self._settle(id, settlement, lambda again: [act, note.id, str(int(again))], inf)
        return changed

    async def _settle(
        self, id: str, settlement: Settlement, rest: Callable[[bool], list[str]], wait_s: float
    ) -> tuple[bool, Sequence[Sequence[str]]]:
        """Whether it changed the row, and what was crossed."""
        usage = settlement.usage
        tokens = ["", "", ""]
        if usage is not None:
            tokens = [str(usage.total_tokens), str(usage.input_tokens), str(usage.output_tokens)]
        ending = [str(settlement.cost_nusd), *tokens]
        ending += [usage_text(usage) or "", settlement.how, str(settlement.kind or "")]
        _, state, changed, crossed = await self._store.run(
            "ledger",
            "settle",
            lambda again: [id, self._stamp(settlement.now_s), *ending, *rest(again)],
            wait_s=wait_s,
        )
        if not state:
            raise accounts.unknown_row(id)
        if state == "too much":
            raise accounts.too_costly(id, settlement)
        return changed == "1", crossed

    async def release(self, id: str, *, now_s: float, wait_s: float = inf) -> None:
        await self._store.run("ledger", "release", lambda again: [id, self._stamp(now_s)], wait_s=wait_s)

    async def reconcile(self, *, now_s: float) -> int:
        resolved = count = RECONCILED_A_STEP
        while count == RECONCILED_A_STEP:
            answer = await self._store.run(
                "ledger", "reconcile", lambda again: [self._stamp(now_s), str(RECONCILED_A_STEP)]
            )
            count = int(answer[1])
            resolved += count
        return resolved - RECONCILED_A_STEP

    async def balances(
        self, counters: Sequence[Counter], *, wait_s: float = inf
    ) -> Mapping[Counter, Balance]:
        keys = [counter_key(counter) for counter in counters]
        found = (await self._store.run("ledger", "balances", lambda again: keys, wait_s=wait_s))[1]
        return {
            counter: _balance(*map(int, found[4 * at : 4 * at + 4])) for at, counter in enumerate(counters)
        }

    async def held(
        self, budgets: Sequence[Budget], *, now_s: float, wait_s: float = inf
    ) -> Mapping[Budget, int]:
        found = await self._store.run(
            "ledger",
            "used",
            lambda again: used_values(budgets, self._store.server_s(now_s)),
            wait_s=wait_s,
        )
        return {budget: int(held) for budget, held in zip(budgets, found[1], strict=True)}

    async def identity(self) -> str:
        fresh = uuid.uuid4().hex
        return str((await self._store.run("ledger", "identity", lambda again: [fresh]))[1])

    async def all_balances(self) -> Mapping[Counter, Balance]:
        _, *found = await self._store.run("ledger", "all_balances", lambda again: [])
        sums = [dict(zip(flat[::2], map(int, flat[1::2]), strict=True)) for flat in found]
        keys = {key: None for each in sums for key in each}
        return {counter_of(key): _balance(*[each.get(key, 0) for each in sums]) for key in keys}

    async def rows(self, *, since_s: float = 0.0, after: int = 0, limit: int | None = None) -> Sequence[Row]:
        rows: list[Row] = []
        step = ROWS_A_STEP if limit is None else min(limit, ROWS_A_STEP)
        last, count = after, step
        while count == step and (limit is None or len(rows) < limit):
            beyond = str(last)
            found = (await self._store.run("ledger", "rows", lambda again: [beyond, str(step)]))[1]  # noqa: B023
            count = len(found)
            read = [self._row(each, flat) for each, flat in found]
            last = read[-1].seq if read else last
            rows += [row for row in read if row.reserved_at_s >= since_s]
        return rows[:limit]

    async def row(self, id: str) -> Row | None:
        found = (await self._store.run("ledger", "row", lambda again: [id]))[1]
        return self._row(id, found) if found else None

    async def grant(self, counter: Counter, amount: int, note: Note) -> Balance:
        act = _act_text("grant", note, what_text(amount=amount, counter=counter))
        values = [counter_key(counter), str(amount), act, note.id]
        _, refused, *found = await self._store.run(
            "ledger", "grant", lambda again: [*values, str(int(again))]
        )
        if refused:
            raise accounts.too_much(amount)
        return _balance(*map(int, found[0]))

    async def acts(self) -> Sequence[Act]:
        _, written, losses = await self._store.run("ledger", "acts", lambda again: [])
        found = [*map(_act, written), *map(_loss, losses)]
        return sorted(found, key=lambda each: each.at_s)

    async def move_out(self, rows: Sequence[Row]) -> int:
        gone = 0
        for some in in_steps(rows, MOVED_A_STEP):
            values = [value for row in some for value in (row.id, row.state, row.how or "")]
            gone += int((await self._store.run("ledger", "move_out", lambda again: values))[1])  # noqa: B023
        return gone

    async def forget(self, counters: Sequence[Counter]) -> int:
        gone = 0
        for some in in_steps([counter_key(each) for each in counters], FORGOTTEN_A_STEP):
            gone += int((await self._store.run("ledger", "forget", lambda again: list(some)))[1])  # noqa: B023
        return gone

    async def accept_loss(self, *, who: str, why: str) -> None:
        await self._store.accept_loss(who=who, why=why)

    async def aclose(self) -> None:
        await self._store.aclose()

    def _stamp(self, now_s: float) -> str:
        """A time of this machine in the server's clock: to be asked for inside a step, when the server was met."""
        return repr(self._store.server_s(now_s))

    def _row(self, id: str, flat: Sequence[str]) -> Row:
        line: dict[str, Any] = dict(zip(flat[::2], flat[1::2], strict=True))
        ended_at_s = line.get("ended_at_s")
        fixed = json.loads(line["fixed"])
        values = {
            **fixed,
            "tags": json.dumps(fixed.get("tags", ())),
            "id": id,
            "seq": int(line["seq"]),
            "state": line["state"],
            "worst_nusd": int(line["worst_nusd"]),
            "cost_nusd": int(line["cost_nusd"]),
            "usage": line.get("usage") or None,
            "how": line.get("how"),
            "kind": line.get("kind") or None,
            "parts": None,
            "takes": None,
            "reserved_at_s": self._store.own_s(float(line["reserved_at_s"])),
            "ended_at_s": None if ended_at_s is None else self._store.own_s(float(ended_at_s)),
            "ended_seq": int(line["ended_seq"]) if line.get("ended_seq") else None,
            "lease_until_s": self._store.own_s(float(line["lease_until_s"])),
        }
        return row_from(values, _parts(line["parts"]), _takes(line["takes"]))


def _crossed(watch: Watch, share: int, net: int, granted: int) -> Crossed:
    return Crossed(watch=watch, share=share, settled=net + granted, granted=granted)


def take_values(take: Take, now_s: float) -> list[str]:
    """A take as the scripts read it: window, unit, amount, at most, bucket, length, shadow, rolling."""
    limit = take.limit
    bucket = bucket_of(now_s, limit.window_s) if limit.window_s else 0
    return [
        limit_key(limit),
        limit.unit,
        str(take.amount),
        str(limit.at_most),
        str(bucket),
        repr(limit.window_s),
        "shadow" if limit.shadow else "",
        "rolling" if isinstance(limit, Budget) else "",
    ]


def used_values(limits: Sequence[Sliding], now_s: float) -> list[str]:
    """Windows as the script `used` reads them."""
    values = [repr(now_s)]
    for limit in limits:
        bucket = bucket_of(now_s, limit.window_s) if limit.window_s else 0
        values += [limit_key(limit), str(bucket), repr(limit.window_s)]
    return values


def room_from(take: Take, flat: Sequence[str], now_s: float) -> Room:
    """What a window has for `take`, from its buckets and their counts."""
    counts = [(int(flat[at]), int(flat[at + 1])) for at in range(0, len(flat), 2)]
    limit = take.limit
    slide = moved(slide_of(counts), limit.window_s, now_s=now_s)
    return room(slide, limit.window_s, limit.at_most, take.amount, now_s=now_s)


def _parts(text: str) -> list[Part[Counter]]:
    lines = (line.split("\t") for line in text.split("\n") if line)
    return [Part(counter_of(counter), unit, int(needed)) for counter, unit, needed in lines]


def _balance(net: int, reserved: int, granted: int, moved: int) -> Balance:
    return Balance(settled=net + granted, reserved=reserved, granted=granted, moved=moved)


def _act_text(kind: str, note: Note, what: str) -> str:
    values = {"at_s": note.at_s, "who": note.who, "why": note.why, "kind": kind, "what": what}
    return json.dumps(values)


def _act(text: str) -> Act:
    seq, _, rest = text.partition("\n")
    return act_from(int(seq), **json.loads(rest))


def _loss(text: str) -> Act:
    found = json.loads(text)
    return Act(
        seq=0,
        at_s=found["at_s"],
        who=found["who"],
        why=found["why"],
        kind="accept_loss",
        amount=int(found["seq"]),
    )


def _takes(text: str) -> list[Taken[str]]:
    lines = (line.split("\t") for line in text.split("\n") if line)
    return [Taken(key, unit, int(at), int(amount)) for key, unit, at, amount in lines]
