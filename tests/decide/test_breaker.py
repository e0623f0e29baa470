"""Breakers: each rule by example, and any history against a naive reading of the rules."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from router.decide.breaker import (
    Asked,
    Breaker,
    Ended,
    Event,
    Probe,
    Reset,
    Said,
    open_for_s,
    phase_of,
    shut_until_s,
    tally_of,
    turned,
)
from router.plan import BreakerRule
from tests.build import PLACE

RULE = BreakerRule(failures=3, within_s=10.0, open_for_s=30.0, open_at_most_s=100.0, place=PLACE)
RATED = BreakerRule(failures=None, failure_rate=50_000, of_at_least=4, within_s=10.0, place=PLACE)


def ended(
    said: Said,
    at_s: float,
    *,
    rule: BreakerRule = RULE,
    sent_s: float | None = None,
    probe: str | None = None,
) -> Ended:
    sent = at_s if sent_s is None else sent_s
    return Ended(rule=rule, said=said, sent_s=sent, now_s=at_s, draw=1.0, probe=probe)


def asked(id: str, at_s: float, *, rule: BreakerRule = RULE, lease_s: float = 5.0) -> Asked:
    return Asked(rule=rule, probe=Probe(id=id, until_s=at_s + lease_s), now_s=at_s)


def after(*events: Event, breaker: Breaker | None = None) -> Breaker:
    breaker = breaker or Breaker()
    for event in events:
        breaker = turned(breaker, event)
    return breaker


def failed(*times_s: float, rule: BreakerRule = RULE) -> Breaker:
    return after(*(ended("failed", at_s, rule=rule) for at_s in times_s))


OPEN = failed(1, 2, 3)


# --- Closed -----------------------------------------------------------------------------------------------------------


def test_an_answer_of_a_healthy_target_changes_nothing() -> None:
    for rule in (RULE, RATED):
        pristine = Breaker()
        assert turned(pristine, ended("answered", 5, rule=rule)) is pristine
        closed = Breaker(closed_s=4)
        assert turned(closed, ended("answered", 5, rule=rule)) is closed


def test_so_many_failures_in_a_row_open_it() -> None:
    assert not failed(1, 2).openings
    assert (OPEN.openings, OPEN.until_s, OPEN.tripped.in_a_row) == (1, 33, 3)
    assert not after(ended("answered", 2.5), ended("failed", 3), breaker=failed(1, 2)).openings


def test_a_failure_that_is_older_than_the_window_counts_no_more() -> None:
    assert not failed(1, 10, 11).openings
    assert failed(1, 2, 10.9).openings


def test_what_says_nothing_of_the_target_changes_nothing() -> None:
    before = failed(1, 2)
    assert turned(before, ended("neither", 3)) is before


def test_a_share_of_failures_opens_it_once_there_are_enough_attempts() -> None:
    rate = [("failed", 1), ("answered", 2), ("answered", 3)]
    three = after(*(ended(said, at_s, rule=RATED) for said, at_s in rate))  # type: ignore[arg-type]
    assert (tally_of(three).failures, tally_of(three).attempts, three.openings) == (1, 3, 0)
    assert turned(three, ended("failed", 4, rule=RATED)).openings
    assert not after(ended("answered", 4, rule=RATED), ended("failed", 5, rule=RATED), breaker=three).openings


def test_answers_before_the_first_failure_of_the_window_are_not_counted() -> None:
    quiet = after(*(ended("answered", at_s, rule=RATED) for at_s in range(5)), ended("failed", 6, rule=RATED))
    assert (tally_of(quiet).failures, tally_of(quiet).attempts) == (1, 1)


def test_an_answer_after_the_window_forgets_it() -> None:
    assert after(ended("failed", 1, rule=RATED), ended("answered", 20, rule=RATED)) == Breaker()


def test_what_was_sent_before_it_was_closed_counts_no_more() -> None:
    closed = Breaker(closed_s=50)
    assert turned(closed, ended("failed", 60, sent_s=49)) is closed
    assert turned(closed, ended("failed", 60, sent_s=51)).failed_s == (60,)


# --- Open and half open -----------------------------------------------------------------------------------------------


def test_it_is_open_for_its_time_and_then_half_open() -> None:
    assert [phase_of(OPEN, at_s) for at_s in (3, 32.9, 33)] == ["open", "open", "half_open"]
    assert (shut_until_s(OPEN, RULE, 10), shut_until_s(OPEN, RULE, 33)) == (33, None)


def test_a_clock_that_was_set_back_hides_no_failures_from_a_closed_breaker() -> None:
    closed = after(Reset(now_s=5000))
    assert after(ended("failed", 4999, sent_s=4998), breaker=closed) is closed, "sent before it was closed"
    assert after(*(ended("failed", 1000 + at_s) for at_s in range(3)), breaker=closed).openings == 1


def test_a_clock_that_was_set_back_makes_no_row_of_failures_that_were_far_apart() -> None:
    breaker = after(*(ended("failed", at_s) for at_s in (5000, 5001, 4000)))
    assert (breaker.openings, tally_of(breaker).in_a_row) == (0, 1)


def test_a_clock_that_was_set_back_keeps_nobody_out_for_long() -> None:
    assert phase_of(OPEN, 3 - 31) == "half_open"


def test_what_ends_while_it_is_open_says_nothing_unless_it_was_a_probe() -> None:
    for said in ("answered", "failed"):
        assert turned(OPEN, ended(said, 40)) is OPEN


def test_only_so_many_may_probe_at_once_and_a_lease_gives_the_place_back() -> None:
    two = replace(RULE, probes=2)
    full = after(asked("a", 40, rule=two), asked("b", 41, rule=two), asked("c", 42, rule=two), breaker=OPEN)
    assert [probe.id for probe in full.probes] == ["a", "b"]
    assert shut_until_s(full, two, 42) == 45
    assert shut_until_s(full, two, 45) is None
    assert [probe.id for probe in turned(full, asked("c", 45, rule=two)).probes] == ["b", "c"]


def test_nobody_is_a_probe_before_its_time_or_of_a_closed_one() -> None:
    assert turned(OPEN, asked("a", 20)) is OPEN
    closed = Breaker()
    assert turned(closed, asked("a", 20)) is closed


def test_who_asks_again_has_one_place() -> None:
    once = turned(OPEN, asked("a", 40))
    assert turned(once, asked("a", 40)) is once


def test_an_answered_probe_closes_it() -> None:
    assert after(asked("a", 40), ended("answered", 41, probe="a"), breaker=OPEN) == Breaker(closed_s=41)


def test_it_may_take_several_answers_in_a_row() -> None:
    careful = replace(RULE, success_threshold=2)
    one = after(asked("a", 40, rule=careful), ended("answered", 41, rule=careful, probe="a"), breaker=OPEN)
    assert (one.openings, one.answered, one.probes) == (1, 1, ())
    assert after(
        asked("b", 42, rule=careful), ended("answered", 43, rule=careful, probe="b"), breaker=one
    ) == Breaker(closed_s=43)


def test_a_failed_probe_opens_it_for_longer_up_to_its_cap() -> None:
    breaker, at_s, lengths = OPEN, 40.0, []
    for _ in range(4):
        breaker = after(asked("a", at_s), ended("failed", at_s + 1, probe="a"), breaker=breaker)
        lengths.append(breaker.open_for_s)
        at_s = breaker.until_s
    assert (lengths, breaker.openings) == ([60, 100, 100, 100], 5)
    assert open_for_s(RULE, 0, 0.0) == pytest.approx(27)


def test_a_probe_that_says_nothing_gives_its_place_back() -> None:
    assert after(asked("a", 40), ended("neither", 41, probe="a"), breaker=OPEN) == OPEN


def test_a_probe_of_an_earlier_opening_says_nothing() -> None:
    two = replace(RULE, probes=2)
    again = after(
        asked("a", 40, rule=two),
        asked("b", 40, rule=two),
        ended("failed", 41, rule=two, probe="a"),
        breaker=OPEN,
    )
    assert turned(again, ended("answered", 42, rule=two, probe="b")) is again


def test_a_reset_closes_it() -> None:
    assert turned(OPEN, Reset(now_s=9)) == Breaker(closed_s=9)


# --- Any history ------------------------------------------------------------------------------------------------------


@dataclass
class Naive:
    """The rules read aloud, over everything that has happened since it was closed."""

    rule: BreakerRule
    closed_s: float = 0.0
    log: list[tuple[float, bool]] = field(default_factory=list)  # when, whether it failed
    openings: int = 0
    until_s: float = 0.0
    open_s: float = 0.0
    probes: dict[str, float] = field(default_factory=dict)
    answered: int = 0

    def phase(self, now_s: float) -> str:
        if not self.openings:
            return "closed"
        return "open" if now_s < self.until_s else "half_open"

    def ask(self, id: str, now_s: float, until_s: float) -> None:
        live = {name: end_s for name, end_s in self.probes.items() if end_s > now_s}
        if self.phase(now_s) == "half_open" and len(live) < self.rule.probes and id not in live:
            self.probes = {**live, id: until_s}

    def end(self, said: Said, sent_s: float, now_s: float, probe: str | None) -> None:
        if self.openings:
            if self.probes.pop(probe or "", None) is None or said == "neither":
                return
            self.answered += said == "answered"
            if said == "failed":
                self.open(now_s)
            elif self.answered >= self.rule.success_threshold:
                self.close(now_s)
        elif said != "neither" and sent_s >= self.closed_s:
            self.count(said, now_s)

    def count(self, said: Said, now_s: float) -> None:
        if said == "failed" or any(bad for _, bad in self.young(now_s)):
            self.log.append((now_s, said == "failed"))
        if said == "failed" and (self.many_in_a_row(now_s) or self.large_share(now_s)):
            self.open(now_s)

    def young(self, now_s: float) -> Sequence[tuple[float, bool]]:
        """Of the last ten tenths of the window."""
        tenth_s = self.rule.within_s / 10
        return [each for each in self.log if each[0] // tenth_s > now_s // tenth_s - 10]

    def many_in_a_row(self, now_s: float) -> bool:
        last_answer = max((at for at, (_, bad) in enumerate(self.log) if not bad), default=-1)
        run = [at_s for at_s, _ in self.log[last_answer + 1 :] if at_s > now_s - self.rule.within_s]
        return self.rule.failures is not None and len(run) >= self.rule.failures

    def large_share(self, now_s: float) -> bool:
        if self.rule.failure_rate is None:
            return False
        tenth_s = self.rule.within_s / 10
        young = self.young(now_s)
        first_s = min(at_s // tenth_s for at_s, bad in young if bad)
        counted = [bad for at_s, bad in young if at_s // tenth_s >= first_s]
        enough = len(counted) >= self.rule.of_at_least
        return enough and 100_000 * sum(counted) >= self.rule.failure_rate * len(counted)

    def open(self, now_s: float) -> None:
        self.open_s = min(self.rule.open_at_most_s, self.rule.open_for_s * 2**self.openings)
        self.openings, self.until_s = self.openings + 1, now_s + self.open_s
        self.probes, self.answered, self.log = {}, 0, []

    def close(self, now_s: float) -> None:
        self.openings, self.answered, self.probes, self.log, self.closed_s = 0, 0, {}, [], now_s


RULES = st.builds(
    BreakerRule,
    failures=st.none() | st.integers(1, 4),
    failure_rate=st.sampled_from([None, 25_000, 50_000, 100_000]),
    of_at_least=st.integers(1, 5),
    within_s=st.sampled_from([5.0, 10.0]),
    open_for_s=st.sampled_from([2.0, 4.0]),
    open_at_most_s=st.sampled_from([4.0, 8.0]),
    probes=st.integers(1, 2),
    success_threshold=st.integers(1, 2),
    place=st.just(PLACE),
).filter(lambda rule: rule.failures is not None or rule.failure_rate is not None)
GAPS = st.sampled_from([0.0, 0.25, 0.5, 1.0, 2.0, 3.5, 6.0])
STEPS = st.tuples(
    st.sampled_from(["answered", "failed", "failed", "neither", "ask", "ask", "reset"]),
    GAPS,
    st.sampled_from([0.0, 0.5, 4.0]),  # how long it took, or its lease
    st.sampled_from(["a", "b", "c", None]),
)


@settings(max_examples=150, deadline=None)
@given(rule=RULES, steps=st.lists(STEPS, max_size=40))
@example(rule=RATED, steps=[("failed", 0.5, 0.0, None), ("answered", 0.5, 0.0, None)] * 4)
def test_any_history_comes_to_what_the_rules_say(
    rule: BreakerRule, steps: Sequence[tuple[str, float, float, str | None]]
) -> None:
    breaker, naive, now_s = Breaker(), Naive(rule), 1000.0
    for what, gap_s, length_s, name in steps:
        now_s += gap_s
        if what == "reset":
            breaker = turned(breaker, Reset(now_s=now_s))
            naive.close(now_s)
        elif what == "ask":
            breaker = turned(breaker, asked(name or "d", now_s, rule=rule, lease_s=length_s + 0.5))
            naive.ask(name or "d", now_s, now_s + length_s + 0.5)
        else:
            said: Said = what  # type: ignore[assignment]
            breaker = turned(breaker, ended(said, now_s, rule=rule, sent_s=now_s - length_s, probe=name))
            naive.end(said, now_s - length_s, now_s, name)
        assert phase_of(breaker, now_s) == naive.phase(now_s)
        assert breaker.openings == naive.openings
        assert not naive.openings or (breaker.until_s, breaker.open_for_s) == (naive.until_s, naive.open_s)
        assert {probe.id for probe in breaker.probes} == set(naive.probes)
        assert len([probe for probe in breaker.probes if probe.until_s > now_s]) <= rule.probes
