"""Budgets and limits as written, into the plan's."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Literal, cast

from router.errors import Problem
from router.plan import ROLLING_S, Budget, Limit, PolicyEntry, Unit, Window
from router.policy import scalars
from router.policy.counted import counted_as, counted_name
from router.policy.document import Spot, text_of
from router.policy.draft import problem
from router.policy.table.amounts import DEFAULTS, LIMIT_UNITS, LIMIT_WINDOWS, ROLLING
from router.policy.traps import written
from router.policy.words import CALENDAR_WINDOWS

LimitUnit = Literal["requests", "tokens", "input_tokens", "output_tokens", "concurrent_requests"]

WINDOWLESS = ("pool", "was")
"""Keys of budgets that are no amount, and of which none is said."""

WINDOWS: Mapping[str, Window] = MappingProxyType(
    {
        "per_request": "request",
        "per_hour": "hour",
        "per_day": "day",
        "per_week": "week",
        "per_month": "month",
        "in_total": "total",
    }
)
_BUDGETS: Mapping[str, tuple[Unit, Window]] = MappingProxyType(
    {
        **{key: ("nusd", window) for key, window in WINDOWS.items()},
        **{f"tokens_{key}": ("tokens", window) for key, window in WINDOWS.items()},
        **{f"requests_{key}": ("requests", WINDOWS[key]) for key in CALENDAR_WINDOWS},
    }
)
_SECONDS = dict(zip(LIMIT_WINDOWS, (1.0, 60.0, 3600.0), strict=True))
_LIMITS: Mapping[str, tuple[LimitUnit, float]] = MappingProxyType(
    {
        "concurrent_requests": ("concurrent_requests", 0.0),
        **{
            f"{unit}_{window}": (cast(LimitUnit, unit), _SECONDS[window])
            for unit in LIMIT_UNITS
            for window in LIMIT_WINDOWS
        },
    }
)


def budgets(
    spot: Spot | None, owner: str, pools: Mapping[str, Spot], *, counted: str | None = None
) -> tuple[Budget, ...]:
    """One Budget for each window, money first, shortest first, then those of its pool, which is their owner. `counted`
    is the owner by the name of its `was`. Amounts of the wrong form and pools that are not there are reported
    elsewhere."""
    if spot is None:
        return ()
    named = text_of(spot.get("pool")) or ""
    pool = pools.get(named)
    was = counted_name(named, pool) if pool else named
    shared = budgets(pool, f"pool:{named}", {}, counted=f"pool:{was}")
    own = (_budget(spot, key, owner) for key in spot.keys(_BUDGETS))
    return (*(counted_as(found, counted) for found in own if found), *shared)


def limits(spot: Spot | None, owner: str, *, counted: str | None = None) -> tuple[Limit, ...]:
    """One Limit for each rate, in the order of the table of keys."""
    if spot is None:
        return ()
    found = (_limit(spot, key, owner) for key in spot.keys(_LIMITS))
    return tuple(counted_as(each, counted) for each in found if each)


def _budget(block: Spot, key: str, owner: str) -> Budget | None:
    window = block.get(key)
    if window is None:
        return None
    unit, span = _BUDGETS[key]
    amount = scalars.money_nusd(_amount(window)) if unit == "nusd" else scalars.count(_amount(window))
    if amount is None:
        return None
    return Budget(
        owner=owner,
        unit=unit,
        window=span,
        amount=amount,
        shadow=_says(block, window, "enforce") == "shadow",
        rolling=span in ROLLING_S and _says(block, window, "rolling") is True,
        place=window.key_place,
        text=_text(key, window),
        when_spent=_taking_over(block, window),
        warn_at=_warn_at(block, window, span),
    )


def _taking_over(block: Spot, window: Spot) -> PolicyEntry | None:
    """By the window itself, or by the default that stands beside it."""
    said = window.get("when_spent")
    if said is None and not (isinstance(window.value, dict) and window.is_unsure_of("when_spent")):
        said = block.get("when_spent")
    name = said.get("policy") if said else None
    return PolicyEntry(policy=name.text, place=name.place) if name and name.text is not None else None


def _warn_at(block: Spot, window: Spot, span: Window) -> tuple[int, ...]:
    """What stands beside the windows is not of `per_request`, which never fills up."""
    spot = window.get("warn_at") or (None if span == "request" else block.get("warn_at"))
    shares = (scalars.share(item.value) for item in spot.items()) if spot else ()
    return tuple(share for share in shares if share)


def _limit(block: Spot, key: str, owner: str) -> Limit | None:
    window = block.get(key)
    at_most = scalars.count(_amount(window)) if window else None
    if window is None or at_most is None:
        return None
    unit, window_s = _LIMITS[key]
    return Limit(
        owner=owner,
        unit=unit,
        window_s=window_s,
        at_most=at_most,
        shadow=_says(block, window, "enforce") == "shadow",
        place=window.key_place,
        text=_text(key, window),
    )


def _text(key: str, window: Spot) -> str:
    return f"{key}: {written(window.value)}"


def _says(block: Spot, window: Spot, key: str) -> object:
    """What a window's long form says, or else what stands beside the windows."""
    spot = window.get(key) or block.get(key)
    return spot.value if spot else None


def _amount(window: Spot) -> object:
    long_form = window.get("at_most")
    return long_form.value if long_form else window.value


def windowless(block: Spot) -> Problem | None:
    """A block that says something of its windows, and has none that it could be of."""
    keys = [key for key, _ in block.fields()]
    beside = [key for key in keys if key in DEFAULTS]
    if not block.is_whole or any(key not in (*DEFAULTS, *WINDOWLESS) for key in keys):
        return _nothing_rolls(block, keys)
    if not beside and keys != ["was"]:
        return None
    message = f"`{block.key}` names no window{f' for `{beside[0]}` to hold for' if beside else ''}"
    of_limits = block.key == "limits" and block.path[:-1] != ("budgets",)
    advice = f"write {'a rate: `requests_per_minute: 600`' if of_limits else 'an amount for a window: `per_day: $25`'}"
    return problem("missing-key", message, block.key_place, help=advice)


def _nothing_rolls(block: Spot, keys: Sequence[str]) -> Problem | None:
    beside = block.get("rolling")
    if beside is None or not block.is_whole or any(key in ROLLING for key in keys):
        return None
    message = "`rolling` has no hour, day or week beside it to hold for"
    advice = "a request, a month and a total have no window that slides: take it out"
    return problem("cannot-roll", message, beside.key_place, help=advice)
