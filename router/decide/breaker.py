"""Breakers: whether a target may be tried, and what each attempt changes. State + event + time -> state.

Closed: everybody passes, and failures are counted. Open: nobody passes, until its time is over. Then it is half open:
a few pass, as probes; enough answers in a row close it, one failure opens it for longer. A breaker only ever takes
attempts away, so no bound of a request depends on one.

What cost a healthy target anything would cost every call: an answer changes nothing while no failure is remembered.
"""

from dataclasses import dataclass, replace
from typing import Literal

from router.plan import BreakerRule

TENTHS = 10
"""The window of a failure rate moves in steps of a tenth."""

SHORTEST = 0.9
"""Of the time that it is open the last tenth is drawn, so that not all come back at once."""

LONGEST_DOUBLINGS = 60

Phase = Literal["closed", "open", "half_open"]
Said = Literal["answered", "failed", "neither"]
"""What an attempt says of its target. Neither: the request was wrong, a key was, or nobody waited for the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """Attempts of a tenth of the window, which began at `at_s`."""

    at_s: float
    attempts: int = 0
    failures: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """A place of a half-open breaker. `until_s` is its lease: who died gives it back."""

    id: str
    until_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What decided: failures in a row, and failures among the attempts of the window."""

    in_a_row: int = 0
    failures: int = 0
    attempts: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """What is remembered of one target; that of one that never failed is `Breaker()`. Times are wall-clock seconds.

    `openings`: how often it has opened since it was last closed, 0: it is closed. `closed_s`: when it was closed last;
    what was sent before that counts no more.
    """

    closed_s: float = 0.0
    failed_s: tuple[float, ...] = ()  # of the failures in a row
    counts: tuple[Count, ...] = ()  # from the first failure of the window on; empty without a failure rate
    openings: int = 0
    opened_s: float = 0.0
    open_for_s: float = 0.0
    tripped: Tally = Tally()  # what opened it
    probes: tuple[Probe, ...] = ()
    answered: int = 0  # probes in a row

    @property
    def until_s(self) -> float:
        """When it may be tried again, where it is open."""
        return self.opened_s + self.open_for_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Somebody asks for a place as a probe, under an id of its own."""

    rule: BreakerRule
    probe: Probe
    now_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """An attempt has ended that was sent at `sent_s`, in the place `probe` where it had one. `draw` is in [0, 1)."""

    rule: BreakerRule
    said: Said
    sent_s: float
    now_s: float
    draw: float
    probe: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reset:
    """Somebody closes it by hand."""

    now_s: float


Event = Asked | Ended | Reset


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What one event made of a breaker."""

    before: Breaker
    after: Breaker


# --- Whether a target may be tried ------------------------------------------------------------------------------------


def phase_of(breaker: Breaker, now_s: float) -> Phase:
    """A clock that was set back keeps nobody out for longer than it would have been."""
    if not breaker.openings:
        return "closed"
    return "open" if 0 < breaker.until_s - now_s <= 2 * breaker.open_for_s else "half_open"


def shut_until_s(breaker: Breaker, rule: BreakerRule, now_s: float) -> float | None:
    """None: it may be tried now, be it as a probe. Else when that may be, at the latest if nothing fails."""
    match phase_of(breaker, now_s):
        case "closed":
            return None
        case "open":
            return breaker.until_s
        case "half_open":
            held = _held(breaker, now_s)
            return None if len(held) < rule.probes else min(probe.until_s for probe in held)


def _held(breaker: Breaker, now_s: float) -> tuple[Probe, ...]:
    return tuple(probe for probe in breaker.probes if probe.until_s > now_s)


# --- What changes it --------------------------------------------------------------------------------------------------


def turned(breaker: Breaker, event: Event) -> Breaker:
    """The breaker after `event`; the very same where nothing changes."""
    match event:
        case Asked():
            return _asked(breaker, event)
        case Ended():
            return _probed(breaker, event) if breaker.openings else _counted(breaker, event)
        case Reset():
            return Breaker(closed_s=event.now_s)


def _asked(breaker: Breaker, event: Asked) -> Breaker:
    if phase_of(breaker, event.now_s) != "half_open":
        return breaker
    held = _held(breaker, event.now_s)
    if len(held) >= event.rule.probes or event.probe in held:  # asked before, unheard
        return breaker
    return replace(breaker, probes=(*held, event.probe))


def _probed(breaker: Breaker, event: Ended) -> Breaker:
    """Only probes speak for an open breaker: the others were sent before it opened, or past it."""
    rest = tuple(probe for probe in breaker.probes if probe.id != event.probe)
    if len(rest) == len(breaker.probes):
        return breaker
    if event.said == "neither":
        return replace(breaker, probes=rest)
    if event.said == "failed":
        return _opened(breaker, event, breaker.tripped)
    if breaker.answered + 1 >= event.rule.success_threshold:
        return Breaker(closed_s=event.now_s)
    return replace(breaker, probes=rest, answered=breaker.answered + 1)


def _counted(breaker: Breaker, event: Ended) -> Breaker:
    """A clock that was set back hides no failure for longer than `within_s`."""
    before_it_closed = event.sent_s < breaker.closed_s < event.now_s + event.rule.within_s
    if event.said == "neither" or before_it_closed:
        return breaker
    counts = _with_one(breaker.counts, event)
    if event.said == "answered":
        changed = breaker.failed_s or breaker.counts
        return replace(breaker, failed_s=(), counts=counts) if changed else breaker
    failed = replace(breaker, failed_s=_in_a_row(breaker, event), counts=counts)
    tally = tally_of(failed)
    return _opened(breaker, event, tally) if _trips(tally, event.rule) else failed


def _in_a_row(breaker: Breaker, event: Ended) -> tuple[float, ...]:
    if event.rule.failures is None:
        return ()
    within_s, now_s = event.rule.within_s, event.now_s
    young = (at_s for at_s in breaker.failed_s if now_s - within_s < at_s < now_s + within_s)
    return (*young, event.now_s)[-event.rule.failures :]


def _with_one(counts: tuple[Count, ...], event: Ended) -> tuple[Count, ...]:
    """The counts of the window, this attempt among them. They begin with a failure: without one there is nothing to
    remember, and answers need not be written down."""
    rule = event.rule
    if rule.failure_rate is None:
        return ()
    tenth_s = rule.within_s / TENTHS
    at_s = event.now_s // tenth_s * tenth_s
    young = [each for each in counts if at_s - (TENTHS - 0.5) * tenth_s < each.at_s <= at_s]
    last = young.pop() if young and young[-1].at_s == at_s else Count(at_s=at_s)
    failures = last.failures + (event.said == "failed")
    return _from_a_failure((*young, replace(last, attempts=last.attempts + 1, failures=failures)))


def _from_a_failure(counts: tuple[Count, ...]) -> tuple[Count, ...]:
    first = next((at for at, count in enumerate(counts) if count.failures), None)
    return () if first is None else counts[first:]


def tally_of(breaker: Breaker) -> Tally:
    return Tally(
        in_a_row=len(breaker.failed_s),
        failures=sum(count.failures for count in breaker.counts),
        attempts=sum(count.attempts for count in breaker.counts),
    )


def _trips(tally: Tally, rule: BreakerRule) -> bool:
    if rule.failures is not None and tally.in_a_row >= rule.failures:
        return True
    if rule.failure_rate is None or tally.attempts < rule.of_at_least:
        return False
    return tally.failures * 100_000 >= rule.failure_rate * tally.attempts


def _opened(breaker: Breaker, event: Ended, tripped: Tally) -> Breaker:
    return Breaker(
        closed_s=breaker.closed_s,
        openings=breaker.openings + 1,
        opened_s=event.now_s,
        open_for_s=open_for_s(event.rule, breaker.openings, event.draw),
        tripped=tripped,
    )


def open_for_s(rule: BreakerRule, openings: int, draw: float) -> float:
    """For how long it opens that has opened `openings` times since it was last closed."""
    longest_s = min(rule.open_at_most_s, rule.open_for_s * 2.0 ** min(openings, LONGEST_DOUBLINGS))
    return longest_s * (SHORTEST + (1 - SHORTEST) * draw)
