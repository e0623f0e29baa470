"""Breakers: section 7.8 of the language, over everything that a target did since it was closed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from tests.reference.interpreter.units import count, seconds, share

ILL = {"overloaded", "server_error", "timeout", "connection"}
"""The failures that speak against a target."""


@dataclass(frozen=True)
class Rule:
    failures: int | None
    rate: Decimal | None
    of_at_least: int
    within_s: float
    slower_s: float | None
    open_s: float
    longest_s: float
    threshold: int
    probes: int


def rule_of(written: Any) -> Rule | None:
    """None: nothing is written, or `off`."""
    if not isinstance(written, Mapping):
        return None
    rate = share(written["failure_rate"]) if "failure_rate" in written else None
    open_s = seconds(written.get("open_for", "30s"))
    return Rule(
        failures=written.get("failures", None if rate else 5),
        rate=rate,
        of_at_least=count(written.get("of_at_least", 20)),
        within_s=seconds(written.get("within", "1m")),
        slower_s=seconds(written["slower_than"]) if "slower_than" in written else None,
        open_s=open_s,
        longest_s=seconds(written["open_at_most"]) if "open_at_most" in written else 10 * open_s,
        threshold=written.get("success_threshold", 1),
        probes=written.get("probes", 1),
    )


def rule_for(document: Mapping[str, Any], target: str) -> Rule | None:
    """A model's own, else its provider's."""
    provider, _, model = target.partition("/")
    block = document["providers"][provider] or {}
    own = ((block.get("models") or {}).get(model) or {}).get("breaker")
    return rule_of(block.get("breaker") if own is None else own)


@dataclass
class Breaker:
    """Of one target. One call at a time: there is always a place for a probe."""

    rule: Rule
    log: list[tuple[float, bool]] = field(default_factory=list)  # when, whether it failed
    openings: int = 0
    until_s: float = 0.0
    closed_s: float = 0.0
    answered: int = 0

    def is_open(self, now_s: float) -> bool:
        return bool(self.openings) and now_s < self.until_s

    def note(self, said: str, *, sent_s: float, now_s: float, is_probe: bool, draw: float) -> None:
        """`said`: "answered", "failed", or "neither"."""
        if said == "neither" or (self.openings and not is_probe):
            return
        if not self.openings:
            if sent_s >= self.closed_s and self.counted(said == "failed", now_s):
                self.open(now_s, draw)
        elif said == "failed":
            self.open(now_s, draw)
        else:
            self.answered += 1
            if self.answered >= self.rule.threshold:
                self.openings, self.answered, self.closed_s = 0, 0, now_s

    def counted(self, failed: bool, now_s: float) -> bool:
        """Whether it is to open. Answers count from the first failure in the window on."""
        if failed or any(bad for _, bad in self.young(now_s)):
            self.log.append((now_s, failed))
        return failed and (self.many_in_a_row(now_s) or self.large_share(now_s))

    def young(self, now_s: float) -> list[tuple[float, bool]]:
        tenth_s = self.rule.within_s / 10
        return [each for each in self.log if each[0] // tenth_s > now_s // tenth_s - 10]

    def many_in_a_row(self, now_s: float) -> bool:
        last = max((at for at, (_, bad) in enumerate(self.log) if not bad), default=-1)
        run = [at_s for at_s, _ in self.log[last + 1 :] if at_s > now_s - self.rule.within_s]
        return self.rule.failures is not None and len(run) >= self.rule.failures

    def large_share(self, now_s: float) -> bool:
        if self.rule.rate is None:
            return False
        tenth_s = self.rule.within_s / 10
        young = self.young(now_s)
        first = min(at_s // tenth_s for at_s, bad in young if bad)
        counted = [bad for at_s, bad in young if at_s // tenth_s >= first]
        return len(counted) >= self.rule.of_at_least and sum(counted) >= self.rule.rate * len(counted)

    def open(self, now_s: float, draw: float) -> None:
        """The last tenth of the time is drawn."""
        longest_s = min(self.rule.longest_s, self.rule.open_s * 2**self.openings)
        self.until_s = now_s + longest_s * (0.9 + 0.1 * draw)
        self.openings, self.answered, self.log = self.openings + 1, 0, []
