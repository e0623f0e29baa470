"""`router breaker`, and what `explain` and `complete` say of one."""

from pathlib import Path

import pytest

from router.adapters.clocks import SystemClock
from router.adapters.sqlite_state import SqliteState
from router.decide.breaker import Ended
from router.plan import BreakerRule
from tests.adapters.states import PLACE, do

WRITTEN = "openai: {breaker: {failures: 2, open_for: 60s}}"


@pytest.fixture(autouse=True)
def fake(folder, monkeypatch):
    monkeypatch.setenv("ROUTER_TRANSPORT", "fake")
    file = folder / "policies" / "main.yaml"
    file.write_text(file.read_text().replace("openai: {}", WRITTEN))


@pytest.fixture
def opened(folder) -> None:
    """gpt-5-nano has just failed once too often, in another process."""
    path: Path = folder / ".router" / "fake" / "state.db"
    clock = SystemClock()
    state = SqliteState(path, clock)
    now_s = clock.now_s()
    rule = BreakerRule(failures=1, open_for_s=60.0, place=PLACE)
    ended = Ended(rule=rule, said="failed", sent_s=now_s, now_s=now_s, draw=1.0)
    do(state.health.turn(("openai", "gpt-5-nano"), ended))
    do(state.aclose())


def test_where_nothing_failed_all_are_closed(run, folder):
    told = run("breaker").stdout
    assert told.startswith("all closed\n")
    assert "openai/gpt-5-nano" in told
    assert "claude" not in told
    assert not (folder / ".router").exists()


def test_one_that_is_open_says_why_and_for_how_long(run, opened, document):
    told = run("breaker").stdout
    assert told.startswith("1 of 1 not closed\n")
    assert "open" in told
    assert "1 in a row" in told
    assert "{failures: 2, within: 1m, open_for: 1m" in told
    (found,) = document("breaker")["breakers"]
    assert (found["target"], found["phase"], found["openings"]) == ("openai/gpt-5-nano", "open", 1)


def test_a_reset_closes_it_for_everybody(run, opened, document):
    assert (
        run("breaker", "reset", "openai/gpt-5-nano").stdout == "the breaker of openai/gpt-5-nano is closed\n"
    )
    assert document("breaker")["breakers"][0]["phase"] == "closed"


def test_a_target_without_one_can_not_be_reset(run, folder):
    told = run("breaker", "reset", "anthropic/claude-haiku-4-5", code=2).stderr
    assert "`anthropic/claude-haiku-4-5` has no breaker" in told


def test_of_several_none_is_reset_where_one_has_no_breaker(run, opened, document):
    run("breaker", "reset", "openai/gpt-5-nano", "anthropic/claude-haiku-4-5", code=2)
    assert document("breaker")["breakers"][0]["phase"] == "open"


def test_explain_shows_the_rule_and_leaves_out_what_is_open(run, opened, document):
    told = run("explain", "fast").stdout
    assert "left out\n  openai/gpt-5-nano  its breaker is open, for " in told
    assert [each["target"] for each in document("explain", "fast")["offers"]] == [
        "anthropic/claude-haiku-4-5"
    ]
    run("breaker", "reset", "openai/gpt-5-nano")
    told = run("explain", "fast").stdout
    assert "left alone after failures\n  openai/gpt-5-nano  {failures: 2, within: 1m, open_for: 1m" in told
    assert "policies/main.yaml:3" in told


def test_complete_tells_who_was_left_out(run, opened):
    told = run("complete", "fast", "Hello", "--tenant", "acme/search", "--user", "ann")
    assert "openai/gpt-5-nano was left out: its breaker is open" in told.stderr
