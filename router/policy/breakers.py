"""Breakers as providers and models write them, and what is pointless in one."""

from collections.abc import Iterator
from typing import Literal

from router.errors import Problem
from router.plan import BreakerRule
from router.policy import scalars
from router.policy.document import Spot
from router.policy.draft import Draft, problem
from router.policy.traps import shown

OwnBreaker = BreakerRule | Literal["off"]

FAILURES = 5
"""In a row, where neither they nor a rate are written."""

CAP = 10
"""How many times its first time it is open at most, where nothing is written."""


def own_breaker(spot: Spot | None) -> OwnBreaker | None:
    """What a block says; None where it says nothing, or what has been refused."""
    if spot is None:
        return None
    if not isinstance(spot.value, dict):
        return "off" if spot.value == "off" else None
    rate = _share(spot.get("failure_rate"))
    default = BreakerRule(place=spot.key_place)
    open_for_s = _seconds(spot.get("open_for")) or default.open_for_s
    return BreakerRule(
        failures=_number(spot.get("failures")) or (None if rate else FAILURES),
        failure_rate=rate,
        of_at_least=_number(spot.get("of_at_least")) or default.of_at_least,
        within_s=_seconds(spot.get("within")) or default.within_s,
        slower_than_s=_seconds(spot.get("slower_than")),
        open_for_s=open_for_s,
        open_at_most_s=_seconds(spot.get("open_at_most")) or CAP * open_for_s,
        probes=_number(spot.get("probes")) or default.probes,
        success_threshold=_number(spot.get("success_threshold")) or default.success_threshold,
        place=spot.key_place,
    )


def rule_of(own: OwnBreaker | None, shared: OwnBreaker | None) -> BreakerRule | None:
    """A model's own, else its provider's."""
    chosen = shared if own is None else own
    return chosen if isinstance(chosen, BreakerRule) else None


def breaker_texts(rule: BreakerRule) -> dict[str, str]:
    """Each value as an author writes it, the defaults among them."""
    found = {"failures": str(rule.failures)} if rule.failures else {}
    if rule.failure_rate:
        found["failure_rate"] = scalars.share_text(rule.failure_rate)
        found["of_at_least"] = scalars.count_text(rule.of_at_least)
    found["within"] = _text(rule.within_s)
    if rule.slower_than_s is not None:
        found["slower_than"] = _text(rule.slower_than_s)
    return {
        **found,
        "open_for": _text(rule.open_for_s),
        "open_at_most": _text(rule.open_at_most_s),
        "probes": str(rule.probes),
        "success_threshold": str(rule.success_threshold),
    }


def breaker_text(rule: BreakerRule) -> str:
    """`{failures: 5, within: 1m, ...}`."""
    return f"{{{', '.join(f'{name}: {text}' for name, text in breaker_texts(rule).items())}}}"


def pointless_breakers(draft: Draft) -> Iterator[Problem]:
    """A least number of attempts where no rate is taken, and a longest time below the first one."""
    for spot in _written(draft):
        least, rate = spot.get("of_at_least"), spot.get("failure_rate")
        if least is not None and rate is None and not spot.is_unsure_of("failure_rate"):
            message = "`of_at_least` says nothing without a `failure_rate`"
            advice = "write a `failure_rate`, or take it out: `failures` are counted in a row"
            yield problem("breaker-pointless", message, least.key_place, help=advice)
        longest, first = spot.get("open_at_most"), spot.get("open_for")
        longest_s, first_s = _seconds(longest), _seconds(first) or BreakerRule(place=spot.place).open_for_s
        if longest is not None and longest_s is not None and longest_s < first_s:
            written = shown(first.value) if first else "`30s`, which it is where nothing is written"
            message = f"`open_at_most` {shown(longest.value)} is less than `open_for` {written}"
            advice = "it is open for `open_for` at first, and longer each time that it fails again"
            yield problem("breaker-pointless", message, longest.place, help=advice)


def _written(draft: Draft) -> Iterator[Spot]:
    for provider in draft.written.providers.values():
        models = provider.get("models")
        for block in (provider, *(below for _, below in (models.fields() if models else ()))):
            spot = block.get("breaker")
            if spot is not None and isinstance(spot.value, dict):
                yield spot


def _seconds(spot: Spot | None) -> float | None:
    ms = scalars.duration_ms(spot.value) if spot else None
    return None if ms is None else ms / 1000


def _number(spot: Spot | None) -> int | None:
    return scalars.count(spot.value) if spot else None


def _share(spot: Spot | None) -> int | None:
    return scalars.share(spot.value) if spot else None


def _text(seconds: float) -> str:
    return scalars.duration_text(round(seconds * 1000))
