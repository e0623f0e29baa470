"""The contract of Health, for every implementation."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from router.decide.breaker import Asked, Breaker, Ended, Probe, Reset, Said, Turn, phase_of
from router.plan import BreakerRule
from router.ports import KeyHealth, Outcome
from router.values import Kind
from tests.adapters.states import NOW_S, PLACE, STATES, State, do, opened

KEY = ("openai", "OPENAI_API_KEY")
TARGET = ("openai", "gpt-5-nano")
RULE = BreakerRule(failures=2, place=PLACE)
RATED = BreakerRule(failures=None, failure_rate=50_000, of_at_least=4, place=PLACE)


@pytest.fixture(params=sorted(STATES))
def state(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[State]:
    with opened(request.param, tmp_path) as state:
        yield state


def ended(said: Said, at_s: float = NOW_S, *, rule: BreakerRule = RULE, probe: str | None = None) -> Ended:
    return Ended(rule=rule, said=said, sent_s=at_s, now_s=at_s, draw=0.5, probe=probe)


def note(
    state: State,
    kind: Kind | None,
    *,
    named_s: float | None = None,
    now_s: float = NOW_S,
    key: str | None = KEY[1],
    ended: Ended | None = None,
) -> Turn | None:
    outcome = Outcome(
        provider="openai",
        model="gpt-5-nano",
        key=key,
        kind=kind,
        named_s=named_s,
        now_s=now_s,
        ended=ended,
    )
    return do(state.health.note(outcome))


def key(state: State, name: tuple[str, str] = KEY) -> KeyHealth | None:
    return do(state.health.read(keys=[name])).keys.get(name)


def breaker(state: State, name: tuple[str, str] = TARGET) -> Breaker | None:
    return do(state.health.read(targets=[name])).breakers.get(name)


# --- Keys -------------------------------------------------------------------------------------------------------------


def test_what_was_never_noted_is_absent(state: State) -> None:
    assert (key(state), breaker(state)) == (None, None)
    note(state, None, ended=ended("answered"))
    assert (key(state), breaker(state)) == (None, None)
    assert do(state.health.breakers()) == {}


def test_an_answer_clears_the_key(state: State) -> None:
    note(state, Kind.RATE_LIMITED, named_s=30)
    assert key(state) == KeyHealth(cooling_until_s=NOW_S + 30)
    note(state, None)
    assert key(state) is None


def test_the_end_of_cooling_only_grows_until_an_answer(state: State) -> None:
    note(state, Kind.RATE_LIMITED, named_s=60)
    note(state, Kind.RATE_LIMITED, named_s=5)
    assert key(state) == KeyHealth(cooling_until_s=NOW_S + 60)
    note(state, Kind.RATE_LIMITED, named_s=61)
    assert key(state) == KeyHealth(cooling_until_s=NOW_S + 61)
    note(state, None)
    note(state, Kind.AUTH, named_s=5)
    assert key(state) == KeyHealth(cooling_until_s=NOW_S + 5)


def test_keys_are_apart_from_each_other_and_from_targets(state: State) -> None:
    note(state, Kind.QUOTA, named_s=60)
    note(state, Kind.QUOTA, named_s=30, key="OTHER_KEY")
    note(state, None, key="OTHER_KEY")
    assert key(state) == KeyHealth(cooling_until_s=NOW_S + 60)
    assert key(state, ("openai", "OTHER_KEY")) is None
    assert key(state, ("azure", KEY[1])) is None
    assert breaker(state, KEY) is None


def test_a_key_whose_provider_names_no_time_rests_longer_each_time(state: State) -> None:
    at_s, ends = NOW_S, []
    for _ in range(7):
        note(state, Kind.AUTH, now_s=at_s)
        note(state, Kind.AUTH, now_s=at_s + 1)  # it was under way when the key was sent to rest
        rest = key(state)
        assert rest is not None
        ends.append(rest.cooling_until_s - at_s)
        at_s = rest.cooling_until_s
    assert ends == [30, 60, 120, 240, 480, 600, 600]
    note(state, None)
    note(state, Kind.AUTH, now_s=at_s)
    assert key(state) == KeyHealth(cooling_until_s=at_s + 30, rests=1)


# --- Breakers ---------------------------------------------------------------------------------------------------------


def test_a_breaker_turns_as_it_is_decided_and_is_read_as_it_was_written(state: State) -> None:
    first = note(state, Kind.TIMEOUT, ended=ended("failed"))
    assert first == Turn(before=Breaker(), after=Breaker(failed_s=(NOW_S,)))
    assert breaker(state) == first.after
    second = note(state, Kind.TIMEOUT, ended=ended("failed", NOW_S + 1))
    assert second is not None
    assert (second.before, second.after.openings, second.after.until_s) == (first.after, 1, NOW_S + 1 + 28.5)
    assert do(state.health.breakers()) == {TARGET: second.after}
    assert breaker(state, ("openai", "gpt-5-mini")) is None


def test_every_field_of_a_breaker_is_kept(state: State) -> None:
    for at, said in enumerate(("failed", "answered", "answered", "failed")):
        last = note(state, None, ended=ended(said, NOW_S + at, rule=RATED))
    assert last is not None
    assert breaker(state) == last.after
    assert (last.after.tripped.attempts, last.after.tripped.failures, last.after.openings) == (4, 2, 1)
    asked = do(state.health.turn(TARGET, ask("a", NOW_S + 60)))
    assert breaker(state) == asked.after
    assert asked.after.probes == (Probe(id="a", until_s=NOW_S + 70),)


def ask(id: str, now_s: float, *, rule: BreakerRule = RULE) -> Asked:
    return Asked(rule=rule, probe=Probe(id=id, until_s=now_s + 10), now_s=now_s)


def test_what_changes_nothing_is_told_as_nothing(state: State) -> None:
    note(state, Kind.TIMEOUT, ended=ended("failed"))
    before = breaker(state)
    assert note(state, Kind.BAD_REQUEST, ended=ended("neither", NOW_S + 1)) is None
    assert breaker(state) == before
    turn = do(state.health.turn(TARGET, ask("a", NOW_S + 1)))
    assert (turn.before, turn.after) == (before, before)


def test_of_many_who_ask_for_a_place_one_gets_it(state: State) -> None:
    for at in range(2):
        note(state, Kind.TIMEOUT, ended=ended("failed", NOW_S + at))
    later_s = NOW_S + 60
    turns = [do(state.health.turn(TARGET, ask(name, later_s))) for name in "abc"]
    assert [probe.id for turn in turns for probe in turn.after.probes] == ["a", "a", "a"]
    note(state, None, ended=ended("answered", later_s + 1, probe="a"))
    assert breaker(state) == Breaker(closed_s=later_s + 1)


def test_a_breaker_that_is_reset_is_closed(state: State) -> None:
    for at in range(2):
        note(state, Kind.TIMEOUT, ended=ended("failed", NOW_S + at))
    turn = do(state.health.turn(TARGET, Reset(now_s=NOW_S + 3)))
    assert (phase_of(turn.before, NOW_S + 3), phase_of(turn.after, NOW_S + 3)) == ("open", "closed")
    assert breaker(state) == Breaker(closed_s=NOW_S + 3)


def test_an_answer_of_a_healthy_target_is_not_written_to_the_file(tmp_path: Path) -> None:
    with opened("sqlite", tmp_path) as state:
        note(state, Kind.TIMEOUT, ended=ended("failed"))
        note(state, None, ended=ended("answered", NOW_S + 1))  # there was something to forget
        log = tmp_path / "state" / "state.db-wal"
        before = (log.stat().st_mtime_ns, log.stat().st_size)
        for at in range(20):
            note(state, None, ended=ended("answered", NOW_S + 2 + at))
        assert (log.stat().st_mtime_ns, log.stat().st_size) == before


def test_keys_and_breakers_are_read_at_once(state: State) -> None:
    note(state, Kind.RATE_LIMITED, named_s=9, ended=ended("failed"))
    found = do(state.health.read(keys=[KEY], targets=[TARGET]))
    assert found.keys == {KEY: KeyHealth(cooling_until_s=NOW_S + 9)}
    assert found.breakers == {TARGET: Breaker(failed_s=(NOW_S,))}
