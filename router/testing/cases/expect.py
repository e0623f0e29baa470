"""What must be so after a call: each expectation tells what it wants, and what it got instead where that differs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from router.decide.outcome import dollars
from router.policy.scalars import duration_text
from router.policy.traps import shown
from router.testing.cases.seen import Seen
from router.values import Place

NOTHING = "nothing"


class Expectation(Protocol):
    """One line of `expect`. `place` is where its author wrote it."""

    @property
    def name(self) -> str: ...

    @property
    def place(self) -> Place: ...

    @property
    def wanted(self) -> str: ...

    def missed(self, seen: Seen) -> str | None:
        """What there was instead, in words; None where it is met."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Same:
    """A text that must be the same: who answered, which rule, which error, what it says."""

    name: str
    place: Place
    wanted: str

    def missed(self, seen: Seen) -> str | None:
        got = TEXTS[self.name](seen)
        if got == self.wanted:
            return None
        return NOTHING if got is None else got


def _served_by(seen: Seen) -> str | None:
    return seen.reply.target if seen.reply else None


def _error(seen: Seen) -> str | None:
    return None if seen.error is None else type(seen.error).__name__


def _text(seen: Seen) -> str | None:
    return seen.reply.text if seen.reply else None


def _cached(seen: Seen) -> str | None:
    return str(seen.reply.cached).lower() if seen.reply else None


def _stale(seen: Seen) -> str | None:
    return str(seen.reply.stale).lower() if seen.reply else None


TEXTS: Mapping[str, Callable[[Seen], str | None]] = {
    "served_by": _served_by,
    "rule": lambda seen: seen.rule,
    "jumps_to": lambda seen: seen.jumps_to,
    "error": _error,
    "text": _text,
    "cached": _cached,
    "stale": _stale,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Both ends included; None: open. An exact amount has equal ends."""

    at_least: int | None
    at_most: int | None

    def hold(self, amount: int) -> bool:
        low, high = self.at_least, self.at_most
        return (low is None or amount >= low) and (high is None or amount <= high)

    def told(self, show: Callable[[int], str]) -> str:
        if self.at_least is not None and self.at_least == self.at_most:
            return show(self.at_least)
        low = f"at least {show(self.at_least)}" if self.at_least is not None else ""
        high = f"at most {show(self.at_most)}" if self.at_most is not None else ""
        return ", ".join(part for part in (low, high) if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """In nano-USD, over all attempts."""

    place: Place
    bounds: Bounds
    name: str = "cost"

    @property
    def wanted(self) -> str:
        return self.bounds.told(dollars)

    def missed(self, seen: Seen) -> str | None:
        cost = seen.cost_nusd
        if cost is None:
            return "a cost that is unknown: the model has no price"
        return None if self.bounds.hold(cost) else dollars(cost)


@dataclass(frozen=True, slots=True, kw_only=True)
class Took:
    """In milliseconds, of the request as a whole."""

    place: Place
    bounds: Bounds
    name: str = "time"

    @property
    def wanted(self) -> str:
        return self.bounds.told(length)

    def missed(self, seen: Seen) -> str | None:
        took_ms = milliseconds(seen.took_s)
        return None if self.bounds.hold(took_ms) else length(took_ms)


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    place: Place
    bounds: tuple[Bounds, ...]
    name: str = "waits"

    @property
    def wanted(self) -> str:
        return listed([bounds.told(length) for bounds in self.bounds])

    def missed(self, seen: Seen) -> str | None:
        waits = [milliseconds(wait_s) for wait_s in seen.waits_s]
        if len(waits) == len(self.bounds) and all(map(Bounds.hold, self.bounds, waits)):
            return None
        return listed([length(wait) for wait in waits])


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempts:
    place: Place
    attempts: tuple[tuple[str, str], ...]
    name: str = "attempts"

    @property
    def wanted(self) -> str:
        return listed([f"{target}: {ended}" for target, ended in self.attempts])

    def missed(self, seen: Seen) -> str | None:
        if seen.attempts == self.attempts:
            return None
        return listed([f"{target}: {ended}" for target, ended in seen.attempts])


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """One target that must be passed over for a reason."""

    place: Place
    target: str
    reason: str
    name: str = "dropped"

    @property
    def wanted(self) -> str:
        return f"{self.target}: {self.reason}"

    def missed(self, seen: Seen) -> str | None:
        if (self.target, self.reason) in seen.dropped:
            return None
        reasons = [reason for target, reason in seen.dropped if target == self.target]
        return f"{self.target}: {', '.join(reasons)}" if reasons else f"{self.target} was not passed over"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A part of what the error says."""

    place: Place
    part: str
    name: str = "message"

    @property
    def wanted(self) -> str:
        return f"an error that says {shown(self.part)}"

    def missed(self, seen: Seen) -> str | None:
        if seen.error is None:
            return "no error"
        return None if self.part in seen.error.message else seen.error.message


@dataclass(frozen=True, slots=True, kw_only=True)
class InOrder:
    """Events that must occur in this order, whatever comes between them."""

    place: Place
    names: tuple[str, ...]
    name: str = "events"

    @property
    def wanted(self) -> str:
        return f"{listed(self.names)} in this order"

    def missed(self, seen: Seen) -> str | None:
        rest = iter(seen.names)
        return None if all(name in rest for name in self.names) else listed(seen.names)


@dataclass(frozen=True, slots=True, kw_only=True)
class Without:
    """Events that must not occur."""

    place: Place
    names: tuple[str, ...]
    name: str = "no_events"

    @property
    def wanted(self) -> str:
        return f"no {' and no '.join(self.names)}"

    def missed(self, seen: Seen) -> str | None:
        found = [name for name in seen.names if name in self.names]
        return listed(list(dict.fromkeys(found))) if found else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A target for which a fault is written must be asked, or its case tests something else than it says. Met where
    one call of those that the fault is for sends to it."""

    place: Place
    target: str
    name: str = "faults"

    @property
    def wanted(self) -> str:
        return f"{self.target} is asked, and does this"

    def missed(self, seen: Seen) -> str | None:
        return None if self.target in seen.asked else "it is never asked"


def listed(parts: Sequence[str]) -> str:
    return ", ".join(parts) if parts else NOTHING


def length(milliseconds_: int) -> str:
    return duration_text(milliseconds_) if milliseconds_ else "0s"


def milliseconds(seconds: float) -> int:
    """Nearest: sums of floats are not exact, and files say milliseconds."""
    return round(seconds * 1_000)
