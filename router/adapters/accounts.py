"""What a reservation holds of its counters and windows, state by state: the arithmetic every ledger shares."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import inf
from typing import Generic, Literal, NamedTuple, TypeVar, get_args

from router.decide.sliding import Room
from router.errors import StoreError
from router.plan import ROLLING_S, Budget, Sliding, Unit, Window
from router.ports import (
    Admission,
    Charge,
    Counter,
    Granted,
    Hold,
    LimitFull,
    Refused,
    Settlement,
    Shortfall,
    Take,
    Watch,
)

State = Literal["reserved", "sent", "settled", "released", "expired"]
OPEN: frozenset[State] = frozenset({"reserved", "sent"})
UNSETTLED: frozenset[State] = frozenset({"reserved", "sent", "expired"})
TRUTHS = frozenset({"reported", "counted"})
"""How a settlement says what an attempt really cost."""

LAPSED: Mapping[State, State] = {"reserved": "released", "sent": "expired"}
"""How a row ends when its lease does: never sent, it costs nothing; sent, the worst is assumed."""

_UNITS: Mapping[str, Unit] = {unit: unit for unit in get_args(Unit)}
_WINDOWS: Mapping[str, Window] = {window: window for window in get_args(Window)}

MOST = 2**62
"""What a row may cost, and spend or grants may add up to: half of what a counter can hold in any store, so that no sum
of spend, grants and reservations leaves it."""

LAPSES_A_STEP = 16
"""Lapsed leases that one `reserve` resolves at most, so that no call pays for a crowd that died."""

LAPSES_AN_OPENING = 128
"""Lapsed leases that the opening of a store resolves at most: some 10 ms of it. The others are left to later openings
and to reservations."""


T = TypeVar("T")
K = TypeVar("K")
"""What an adapter names its counters and windows by: their text, or a number that stands for it."""


class Part(NamedTuple, Generic[K]):
    """What one reservation needs of one counter."""

    key: K
    unit: str
    needed: int


class Taken(NamedTuple, Generic[K]):
    """What one reservation took of one sliding window, in bucket `at`."""

    key: K
    unit: str
    at: int
    amount: int


def counter_key(counter: Counter) -> str:
    """One text per counter. The owner comes last because only owners may hold spaces, and after the window so that
    what is spent from today lies together."""
    return f"{counter.window} {counter.start} {counter.unit} {counter.owner}"


def counter_of(key: str) -> Counter:
    window, start, unit, owner = key.split(" ", 3)
    return Counter(owner=owner, unit=_UNITS[unit], window=_WINDOWS[window], start=start)


def limit_key(limit: Sliding) -> str:
    """One text per sliding window: its amount may be edited without losing the count. That of a rolling budget is no
    limit's, whatever they are called."""
    rolling = ":rolling" if isinstance(limit, Budget) else ""
    return f"{limit.owner} {limit.unit}{rolling} {limit.window_s:g}"


def in_steps(things: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Runs of at most `size`, so that no atomic step keeps others waiting for long."""
    return (things[at : at + size] for at in range(0, len(things), size))


def watch_key(watch: Watch) -> str:
    """The text of the counter or of the sliding window."""
    return limit_key(watch.of) if isinstance(watch.of, Budget) else counter_key(watch.of)


def parts_of(keys: Iterable[K], charges: Iterable[Charge]) -> list[Part[K]]:
    """One part per counter: two budgets on one counter (a pool met twice) are the same money, not twice the money."""
    parts: dict[K, Part[K]] = {}
    for key, charge in zip(keys, charges, strict=True):
        known = parts.get(key)
        if known is None or charge.needed > known.needed:
            parts[key] = Part(key, charge.counter.unit, charge.needed)
    return list(parts.values())


def takes_of(keys: Iterable[K], takes: Iterable[Take], rooms: Iterable[Room]) -> list[Taken[K]]:
    """One per window."""
    by_key: dict[K, Taken[K]] = {}
    for key, take, found in zip(keys, takes, rooms, strict=True):
        known = by_key.get(key)
        if known is None or take.amount > known.amount:
            by_key[key] = Taken(key, take.limit.unit, found.at, take.amount)
    return list(by_key.values())


def verdict(hold: Hold, seq: int, used: Iterable[int], rooms: Iterable[Room]) -> Granted | Refused:
    """Refused where a budget or token limit that is not in shadow has no room for `hold`. `used` (settled + reserved)
    and `rooms` are in the order of its charges and takes. Raises StoreError for more than a counter can hold."""
    amounts = tuple(used)
    short = _shortfalls(hold, amounts, rooms)
    hard = tuple(each for each in short if not in_shadow(each))
    if hard:
        return Refused(seq=seq, shortfalls=hard)
    for charge, amount in zip(hold.charges, amounts, strict=True):
        if charge.needed > 0 and amount + charge.needed >= 2 * MOST:  # in shadow, which refuses nothing
            raise too_much_held(hold.id, charge.needed)
    return Granted(seq=seq, shadow=short)


def in_shadow(short: Shortfall) -> bool:
    return (short.budget is not None and short.budget.shadow) or (
        short.limit is not None and short.limit.shadow
    )


def _shortfalls(hold: Hold, used: Iterable[int], rooms: Iterable[Room]) -> tuple[Shortfall, ...]:
    """Every budget and token limit that `hold` does not fit, in order: first calendar windows."""
    money = (_short_budget(charge, amount) for charge, amount in zip(hold.charges, used, strict=True))
    tokens = (_short_limit(take, found, hold.now_s) for take, found in zip(hold.takes, rooms, strict=True))
    return tuple(short for short in (*money, *tokens) if short is not None)


def admission(seq: int, waits: Iterable[tuple[Sliding, float | None]]) -> Admission:
    """From each limit with the time after which it would pass: 0, it does now; None, never."""
    full = [
        LimitFull(limit=limit, retry_after_s=inf if wait_s is None else wait_s)
        for limit, wait_s in waits
        if wait_s != 0.0
    ]
    hard = [each for each in full if not each.limit.shadow]
    if hard:
        return Admission(seq=seq, full=max(hard, key=lambda each: each.retry_after_s))
    return Admission(seq=seq, shadow=tuple(full))


def _short_budget(charge: Charge, used: int) -> Shortfall | None:
    available = charge.budget.amount - used
    if charge.needed == 0 or charge.needed <= available:
        return None
    return Shortfall(
        needed=charge.needed,
        available=max(0, available),
        resets_at_s=charge.resets_at_s,
        budget=charge.budget,
    )


def _short_limit(take: Take, room: Room, now_s: float) -> Shortfall | None:
    if room.retry_after_s == 0.0:
        return None
    limit = take.limit
    return Shortfall(
        needed=take.amount,
        available=max(0, limit.at_most - room.held),
        resets_at_s=None if room.retry_after_s is None else now_s + room.retry_after_s,
        budget=limit if isinstance(limit, Budget) else None,
        limit=None if isinstance(limit, Budget) else limit,
    )


def held(state: State, unit: str, needed: int, ending: Settlement | None) -> tuple[int, int]:
    """(settled, reserved) that a row in `state` holds of a counter; `ending` is needed where it is settled."""
    if state in OPEN:
        return 0, needed
    if state == "expired":
        return needed, 0
    if state == "released" or ending is None:
        return 0, 0
    return settled_amount(unit, needed, ending), 0


def settled_amount(unit: str, needed: int, ending: Settlement) -> int:
    """The truth of a settlement in `unit`; where no usage is known, what was reserved stands in for tokens.
    What never left holds nothing."""
    if ending.how == "unsent":
        return 0
    if unit == "nusd":
        return ending.cost_nusd
    if unit == "requests":
        return needed
    if ending.usage is None:
        return 0 if ending.how == "nothing" else needed
    if unit == "input_tokens":
        return ending.usage.input_tokens
    if unit == "output_tokens":
        return ending.usage.output_tokens
    return ending.usage.total_tokens


def in_window(take: Taken[K], state: State, ending: Settlement | None) -> int:
    """What a row in `state` holds of a sliding window."""
    if state == "released":
        return 0
    if state == "settled" and ending is not None:
        return settled_amount(take.unit, take.amount, ending)
    return take.amount


def row_cost_nusd(state: State, worst_nusd: int, ending: Settlement | None) -> int:
    """What a row counts in money now."""
    if state == "released":
        return 0
    return ending.cost_nusd if state == "settled" and ending is not None else worst_nusd


def at_worst_case(state: State, how: str | None) -> bool:
    """Whether a row is charged at its worst case because nobody knew better when it ended."""
    return state == "expired" or (state == "settled" and how == "worst_case")


def may_settle(state: State, how: str | None, ending: Settlement) -> bool:
    """Whether `ending` ends a row, or corrects one that had ended at its worst case."""
    return state in UNSETTLED or (at_worst_case(state, how) and ending.how in TRUTHS)


def change(
    part: Part[K], before: State, after: State, ending: Settlement | None, known: Settlement | None = None
) -> tuple[int, int]:
    """By how much (settled, reserved) of a counter change when a row goes from `before` to `after`; `known` is how it
    had ended where it was settled before."""
    settled, reserved = held(before, part.unit, part.needed, known)
    now_settled, now_reserved = held(after, part.unit, part.needed, ending)
    return now_settled - settled, now_reserved - reserved


def held_now(
    parts: Iterable[Part[Counter]], state: State, ending: Settlement | None
) -> tuple[tuple[Counter, int], ...]:
    """What each counter holds for a row, settled or reserved."""
    return tuple((part.key, sum(held(state, part.unit, part.needed, ending))) for part in parts)


def rolling_now(
    takes: Iterable[Taken[str]], state: State, ending: Settlement | None
) -> tuple[tuple[Counter, int], ...]:
    """What each window of a rolling budget holds for a row; those of limits are left out."""
    named = ((rolling_counter(take.key), take) for take in takes)
    return tuple((counter, in_window(take, state, ending)) for counter, take in named if counter is not None)


def rolling_counter(key: str) -> Counter | None:
    """Whose window a key of `limit_key` names; None: a limit's."""
    owner, unit, window_s = key.rsplit(" ", 2)
    if not unit.endswith(":rolling"):
        return None
    window = next(window for window, length_s in ROLLING_S.items() if f"{length_s:g}" == window_s)
    return Counter(owner=owner, unit=_UNITS[unit.removesuffix(":rolling")], window=window, start="")


# --- Amounts that no store can hold ---------------------------------------------------------------------------------


def check_cost(id: str, ending: Settlement) -> None:
    """Raises StoreError for a cost that no row can hold."""
    if ending.cost_nusd > MOST:
        raise too_costly(id, ending)


# --- Grants -----------------------------------------------------------------------------------------------------------


def granted_after(granted: int, amount: int) -> int:
    """The sum of the grants of a counter. Raises StoreError where that is more than it can hold."""
    total = granted + amount
    if not -MOST <= total <= MOST:
        raise too_much(amount)
    return total


# --- Errors -----------------------------------------------------------------------------------------------------------


def unknown_row(id: str) -> StoreError:
    return StoreError(
        f"the ledger has no row `{id}`",
        port="ledger",
        help="its store was replaced or emptied while the attempt was under way; what it cost is not recorded",
    )


def known_row(id: str) -> StoreError:
    return StoreError(
        f"the ledger has a row `{id}` already", port="ledger", help="give every attempt a fresh id"
    )


def too_costly(id: str, ending: Settlement | None) -> StoreError:
    tokens = ending.usage.total_tokens if ending and ending.usage else 0
    said = f"{ending.cost_nusd} nano-USD, {tokens} tokens" if ending else "its worst case"
    return StoreError(
        f"the ledger can't hold what `{id}` is said to cost: {said}",
        port="ledger",
        help="its provider reported a usage that can't be; the row ends at its worst case",
    )


def too_much_held(id: str, needed: int) -> StoreError:
    return StoreError(
        f"the ledger can't hold a reservation of {needed} for `{id}` on top of the others",
        port="ledger",
        help="nothing is sent: see whether the price of its model can be right",
    )


def ended_before_sent(id: str, state: str) -> StoreError:
    return StoreError(
        f"the reservation `{id}` was {state} before it was sent",
        port="ledger",
        help="its process stood still for longer than the lease; nothing was sent, so try again",
    )


def too_much(amount: int) -> StoreError:
    return StoreError(
        f"the ledger can't hold a grant of {amount} on top of the others",
        port="ledger",
        help="grant less, or raise the amount in the policies",
    )
