"""The contract of Health, for every implementation."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from router.decide.classify import FAILURES
from router.ports import KeyHealth, Outcome
from router.values import Kind
from tests.adapters.states import NOW_S, STATES, State, do, opened

KEY = ("openai", "OPENAI_API_KEY")
MODEL = ("openai", "model:gpt-5-nano")


@pytest.fixture(params=sorted(STATES))
def state(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[State]:
    with opened(request.param, tmp_path) as state:
        yield state


def note(
    state: State, kind: Kind | None, *, cooling_s: float = 0.0, now_s: float = NOW_S, key: str | None = KEY[1]
) -> None:
    outcome = Outcome(
        provider="openai", model="gpt-5-nano", key=key, kind=kind, cooling_s=cooling_s, now_s=now_s
    )
    do(state.health.note(outcome))


def read(state: State, name: tuple[str, str]) -> KeyHealth | None:
    return do(state.health.read([name])).get(name)


def test_what_was_never_noted_is_absent(state: State) -> None:
    assert do(state.health.read([KEY, MODEL])) == {}
    note(state, None)
    assert do(state.health.read([KEY, MODEL])) == {}


@pytest.mark.parametrize("kind", list(Kind))
def test_a_model_fails_by_the_kinds_that_speak_against_it(state: State, kind: Kind) -> None:
    note(state, kind)
    note(state, kind)
    assert read(state, MODEL) == (KeyHealth(failures=2) if FAILURES[kind].breaker else None)
    assert read(state, KEY) is None


def test_an_answer_clears_the_count_and_the_key(state: State) -> None:
    note(state, Kind.SERVER_ERROR, cooling_s=30)
    assert read(state, MODEL) == KeyHealth(failures=1)
    assert read(state, KEY) == KeyHealth(cooling_until_s=NOW_S + 30)
    note(state, None)
    assert do(state.health.read([KEY, MODEL])) == {}


def test_the_end_of_cooling_only_grows_until_an_answer(state: State) -> None:
    note(state, Kind.RATE_LIMITED, cooling_s=60)
    note(state, Kind.RATE_LIMITED, cooling_s=5)
    assert read(state, KEY) == KeyHealth(cooling_until_s=NOW_S + 60)
    note(state, Kind.RATE_LIMITED, cooling_s=61)
    assert read(state, KEY) == KeyHealth(cooling_until_s=NOW_S + 61)
    note(state, None)
    note(state, Kind.AUTH, cooling_s=5)
    assert read(state, KEY) == KeyHealth(cooling_until_s=NOW_S + 5)


def test_keys_and_models_are_apart(state: State) -> None:
    note(state, Kind.QUOTA, cooling_s=60)
    note(state, Kind.QUOTA, cooling_s=30, key="OTHER_KEY")
    note(state, None, key="OTHER_KEY")
    assert read(state, KEY) == KeyHealth(cooling_until_s=NOW_S + 60)
    assert read(state, ("openai", "OTHER_KEY")) is None
    assert read(state, ("azure", KEY[1])) is None


def test_a_provider_without_keys_has_models_that_fail(state: State) -> None:
    note(state, Kind.CONNECTION, cooling_s=60, key=None)
    assert read(state, MODEL) == KeyHealth(failures=1)
    note(state, None, key=None)
    assert read(state, MODEL) is None
