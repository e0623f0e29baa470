"""How a breaker is written in a store, and read from it; and its times in another clock."""

import json
from dataclasses import replace
from typing import Any

from router.decide.breaker import Asked, Breaker, Count, Ended, Event, Probe, Reset, Tally


def text_of(breaker: Breaker) -> str:
    """JSON."""
    tripped = breaker.tripped
    values = {
        "closed_s": breaker.closed_s,
        "failed_s": breaker.failed_s,
        "counts": [(each.at_s, each.attempts, each.failures) for each in breaker.counts],
        "openings": breaker.openings,
        "opened_s": breaker.opened_s,
        "open_for_s": breaker.open_for_s,
        "tripped": (tripped.in_a_row, tripped.failures, tripped.attempts),
        "probes": [(each.id, each.until_s) for each in breaker.probes],
        "answered": breaker.answered,
    }
    return json.dumps({name: value for name, value in values.items() if value}, separators=(",", ":"))


def breaker_of(text: str | None) -> Breaker:
    """None: nothing is remembered of it."""
    values: dict[str, Any] = json.loads(text) if text else {}
    in_a_row, failures, attempts = values.get("tripped", (0, 0, 0))
    return Breaker(
        closed_s=values.get("closed_s", 0.0),
        failed_s=tuple(values.get("failed_s", ())),
        counts=tuple(Count(at_s=at_s, attempts=n, failures=bad) for at_s, n, bad in values.get("counts", ())),
        openings=values.get("openings", 0),
        opened_s=values.get("opened_s", 0.0),
        open_for_s=values.get("open_for_s", 0.0),
        tripped=Tally(in_a_row=in_a_row, failures=failures, attempts=attempts),
        probes=tuple(Probe(id=name, until_s=until_s) for name, until_s in values.get("probes", ())),
        answered=values.get("answered", 0),
    )


def moved(breaker: Breaker, by_s: float) -> Breaker:
    """The same by a clock that is `by_s` ahead."""
    if not by_s:
        return breaker
    return replace(
        breaker,
        closed_s=breaker.closed_s + by_s if breaker.closed_s else 0.0,
        failed_s=tuple(at_s + by_s for at_s in breaker.failed_s),
        counts=tuple(replace(each, at_s=each.at_s + by_s) for each in breaker.counts),
        opened_s=breaker.opened_s + by_s if breaker.openings else 0.0,
        probes=tuple(replace(each, until_s=each.until_s + by_s) for each in breaker.probes),
    )


def moved_event(event: Event, by_s: float) -> Event:
    match event:
        case Asked():
            probe = replace(event.probe, until_s=event.probe.until_s + by_s)
            return replace(event, probe=probe, now_s=event.now_s + by_s)
        case Ended():
            return replace(event, sent_s=event.sent_s + by_s, now_s=event.now_s + by_s)
        case Reset():
            return replace(event, now_s=event.now_s + by_s)
