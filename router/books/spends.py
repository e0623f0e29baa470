"""What rows come to: sums over all of them, by any words, and over the windows of a period."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from itertools import product

from router.decide.scopes import did_you_mean
from router.decide.windows import window_start
from router.errors import RequestError
from router.plan import Window
from router.ports import Row

WINDOWS: tuple[Window, ...] = ("hour", "day", "week", "month")

OVERVIEW = (("tenant",), ("policy",), ("model",))
"""The tables where none is asked for."""

MOST_STEPS = 62
"""Of a spark line."""

STEPS: Mapping[Window, float] = {"hour": 3_600.0, "day": 86_400.0, "week": 604_800.0, "month": 2_678_400.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Spend:
    """What some attempts came to. `held_nusd` is reserved for attempts under way; `assumed_nusd` is the part of
    `spent_nusd` that was charged at worst case because nobody knows better (a timeout, a process that died).
    `overruns` attempts were billed `overrun_nusd` above what was reserved for them."""

    requests: int
    attempts: int
    failed: int
    input_tokens: int
    output_tokens: int
    spent_nusd: int
    assumed_nusd: int
    held_nusd: int
    overruns: int
    overrun_nusd: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The attempts that share these values, one for each word of `Table.by`; None is that of a tenant, user, key or tag
    that a call did not name. `over_time` is what was spent in each of `Report.steps`, in nano-USD."""

    values: tuple[str | None, ...]
    spend: Spend
    over_time: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """`overlaps`: attempts with several tags count under each, so that groups come to more than the total."""

    by: tuple[str, ...]
    groups: tuple[Group, ...]  # dearest first; by rising window where that is the first word
    overlaps: bool


KEYS: Mapping[str, Callable[[Row, Window, tzinfo], Sequence[str | None]]] = {
    "tenant": lambda row, _, __: (row.tenant,),
    "user": lambda row, _, __: (row.user,),
    "policy": lambda row, _, __: (row.policy,),
    "model": lambda row, _, __: (row.target,),
    "provider": lambda row, _, __: (row.target.partition("/")[0],),
    "key": lambda row, _, __: (row.key,),
    "tag": lambda row, _, __: tuple(dict.fromkeys(row.tags)) or (None,),
    "day": lambda row, _, zone: (window_start("day", row.reserved_at_s, zone)[0],),
    "window": lambda row, window, zone: (window_start(window, row.reserved_at_s, zone)[0],),
}
"""By the word that is asked for: the values under which a row counts."""

IN_TIME = ("day", "window")
"""Words that say when."""


def words_of(by: Sequence[str], window: str | None) -> Sequence[Sequence[str]]:
    """The words of each table. `window` None: nobody asked for one. Raises RequestError."""
    words = (by,) if isinstance(by, str) else tuple(dict.fromkeys(by))
    for word in words:
        if word not in KEYS:
            raise RequestError(
                f"`by` knows no `{word}`{did_you_mean(word, KEYS)}", help=f"words: {', '.join(KEYS)}"
            )
    if window is not None and window not in WINDOWS:
        raise RequestError(f"`window` is one of {', '.join(WINDOWS)}, not `{window}`")
    if window is not None and "window" not in words:
        raise RequestError(
            f"`window` says how long the windows of a table by `window` are, and no table is by that: `{window}`",
            help='`--by window --window hour`, or `by=["window"], window="hour"`',
        )
    return (words,) if words else OVERVIEW


def steps_of(since_s: float, now_s: float, zone: tzinfo) -> tuple[Window, tuple[str, ...]]:
    """The shortest windows of which a period has no more than MOST_STEPS, and the keys of the last of them."""
    longest: Window = "month"
    step = next((each for each in WINDOWS if (now_s - since_s) / STEPS[each] < MOST_STEPS - 1), longest)
    at_s = max(since_s, now_s - MOST_STEPS * STEPS[step])
    return step, tuple(_keys(step, at_s, now_s, zone))


def _keys(step: Window, at_s: float, now_s: float, zone: tzinfo) -> Iterator[str]:
    ends_s: float | None = at_s
    while ends_s is not None and ends_s <= now_s:
        key, ends_s = window_start(step, ends_s, zone)
        yield key


def table_of(
    rows: Iterable[Row],
    by: Sequence[str],
    window: Window,
    zone: tzinfo,
    *,
    step: Window,
    steps: Sequence[str],
) -> Table:
    found: dict[tuple[str | None, ...], list[Row]] = {}
    overlaps = False
    for row in rows:
        places = list(product(*(KEYS[word](row, window, zone) for word in by)))
        overlaps = overlaps or len(places) > 1
        for place in places:
            found.setdefault(place, []).append(row)
    groups = [
        Group(values=values, spend=spend_of(each), over_time=_over_time(each, step, steps, zone))
        for values, each in found.items()
    ]
    in_time = bool(by) and by[0] in IN_TIME
    groups.sort(key=lambda each: (0 if in_time else -each.spend.spent_nusd, _ordered(each.values)))
    return Table(by=tuple(by), groups=tuple(groups), overlaps=overlaps)


def _ordered(values: Sequence[str | None]) -> Sequence[tuple[bool, str]]:
    """Nobody comes first."""
    return [(value is not None, value or "") for value in values]


def _over_time(rows: Sequence[Row], step: Window, steps: Sequence[str], zone: tzinfo) -> tuple[int, ...]:
    sums = dict.fromkeys(steps, 0)
    for row in rows:
        key, _ = window_start(step, row.reserved_at_s, zone)
        if key in sums and not _is_open(row):
            sums[key] += row.cost_nusd
    return tuple(sums.values())


def spend_of(rows: Sequence[Row]) -> Spend:
    ended = [row for row in rows if not _is_open(row)]
    known = [row.usage for row in rows if row.usage is not None]
    over = [row.cost_nusd - row.worst_nusd for row in ended if row.cost_nusd > row.worst_nusd]
    return Spend(
        requests=len({row.request_id for row in rows}),
        attempts=sum(row.state != "released" for row in rows),
        failed=sum(row.kind is not None or row.state == "expired" for row in rows),
        input_tokens=sum(each.input_tokens for each in known),
        output_tokens=sum(each.output_tokens for each in known),
        spent_nusd=sum(row.cost_nusd for row in ended),
        assumed_nusd=sum(row.cost_nusd for row in ended if row.state == "expired" or row.how == "worst_case"),
        held_nusd=sum(row.cost_nusd for row in rows if _is_open(row)),
        overruns=len(over),
        overrun_nusd=sum(over),
    )


def _is_open(row: Row) -> bool:
    return row.state in ("reserved", "sent")
