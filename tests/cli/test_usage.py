"""`router usage`: what it prints. That its figures are the ledger's is tested in tests/tools/test_usage.py."""

import json
import os
import signal
import time

import pytest

from router.adapters.clocks import SystemClock
from router.adapters.sqlite_state import SqliteState
from tests.adapters.states import budget, charge, do, hold
from tests.laws.stores import ended, in_child

SEARCH = ("--tenant", "acme/search", "--user", "ann")


@pytest.fixture
def used(run, monkeypatch):
    """Two calls that were made up, and their ledger."""
    monkeypatch.setenv("ROUTER_TRANSPORT", "fake")
    run("complete", "fast", "Hello", *SEARCH)
    run("complete", "night", "Hello again", "--tenant", "acme")


def test_nothing_was_spent(run, folder):
    told = run("usage").stdout
    assert told.startswith("nothing was spent in the last 7d\n\nbudgets\n")
    assert "tenant:acme/search  per_day: $50" in told
    assert [each.name for each in folder.iterdir()] == ["policies"]


def test_spend_by_tenant_policy_and_model_with_what_is_left(run, used):
    told = run("usage").stdout
    lines = told.splitlines()
    assert lines[0].endswith(" for 2 requests in the last 7d")
    assert [line for line in lines if line.startswith("by ")] == ["by tenant", "by policy", "by model"]
    assert any(line.split()[:2] == ["anthropic/claude-haiku-4-5", "1"] for line in lines)
    assert any(
        line.split()[0] == "user:acme/search:ann" and "per_day: $1" in line for line in lines if line.strip()
    )
    assert "limits, right now" in lines


def test_one_table_by_several_words(run, used):
    told = run("usage", "--by", "window", "--by", "tenant", "--window", "month").stdout
    assert "\nby window and tenant\n" in told
    assert "\nby policy\n" not in told


def test_one_tenant(run, used):
    told = run("usage", "--tenant", "acme/search").stdout
    assert " for 1 request in the last 7d" in told.splitlines()[0]
    assert "policy:fast" not in told


def test_since_a_day_or_a_duration(run, used):
    assert " for 2 requests in the last 12h" in run("usage", "--since", "12h").stdout
    assert "for 2 requests" in run("usage", "--since", "2020-01-01").stdout
    assert "neither a duration like 7d" in run("usage", "--since", "yesterday", code=2).stderr
    told = run("usage", "--since", "2099-01-01", code=2)
    assert told.stderr.startswith("error: `since` is in the future: `2099-01-01`\nhelp: a day that has begun")


def test_a_tag_that_looks_like_none_is_told_apart(run, folder, monkeypatch):
    monkeypatch.setenv("ROUTER_TRANSPORT", "fake")
    for tag in (("--tag", "-"), ()):
        run("complete", "fast", "Hello", "--tenant", "acme/search", "--user", "ann", *tag)
    lines = run("usage", "--by", "tag").stdout.splitlines()
    firsts = [line.split()[0] for line in lines if line.split()]
    assert '"-"' in firsts
    assert "-" in firsts


def test_the_document(document, used):
    told = document("usage", "--by", "model")
    head = ["since_s", "now_s", "time_zone", "total", "step", "steps"]
    assert list(told) == [*head, "tables", "budgets", "limits"]
    (table,) = told["tables"]
    assert table["by"] == ["model"]
    assert sum(group["spend"]["spent_nusd"] for group in table["groups"]) == told["total"]["spent_nusd"] > 0
    assert list(told["budgets"][0]) == [
        "owner",
        "text",
        "place",
        "unit",
        "window",
        "amount",
        "granted",
        "shadow",
        "rolling",
        "warn_at",
        "reached",
        "settled",
        "reserved",
        "left",
        "resets_at_s",
    ]


def test_rows_are_exported_without_content(run, folder, monkeypatch):
    monkeypatch.setenv("ROUTER_TRANSPORT", "fake")
    run("complete", "fast", "A private question", "--tenant", "acme")
    told = run("usage", "export").stdout.splitlines()
    assert told[0].startswith("seq,id,request_id,attempt,reserved_at")
    assert len(told) == 2
    assert "private" not in told[1]
    wrote = run("usage", "export", "--format", "jsonl", "--output", "rows.jsonl")
    assert wrote.stderr.strip() == "wrote rows.jsonl: 1 row"
    assert json.loads((folder / "rows.jsonl").read_text())["tenant"] == "acme"


def test_a_forecast_names_each_budget_and_what_it_is_judged_by(run, document, monkeypatch):
    assert run("usage", "forecast").stdout == "nothing was spent in a calendar window yet\n"
    monkeypatch.setenv("ROUTER_TRANSPORT", "fake")
    run("complete", "fast", "Hello", "--tenant", "acme")
    told = run("usage", "forecast").stdout
    assert "policy:fast" in told
    assert "the pace of this window" in told
    assert document("usage", "forecast")["forecasts"][0]["past"] == 0


def test_what_ran_out_says_so_and_a_window_that_no_table_is_by_is_refused(run, monkeypatch):
    monkeypatch.setenv("ROUTER_TRANSPORT", "fake")
    run("complete", "fast", "Hello", "--tenant", "acme")
    less = ("--window", "per_month", "--amount", "-$5000", "--who", "ann", "--why", "too much")
    run("usage", "grant", "--tenant", "acme", *less)
    first = run("usage", "forecast").stdout.splitlines()[1]
    assert "tenant:acme" in first
    assert "ran out" in first
    told = run("usage", "--window", "hour", code=2).stderr
    assert "no table is by that: `hour`" in told
    assert run("usage", "--by", "window", "--window", "hour").stdout


def test_who_was_renamed_is_told_by_the_present_name(run, folder, monkeypatch):
    monkeypatch.setenv("ROUTER_TRANSPORT", "fake")
    run("complete", "fast", "Hello", "--tenant", "acme")
    main = folder / "policies" / "main.yaml"
    text = main.read_text().replace("  acme/", "  company/").replace("  acme: {", "  company: {was: acme, ")
    text = text.replace("  fast:\n", "  quick:\n    was: fast\n").replace("policy: fast", "policy: quick")
    main.write_text(text.replace("policies: [fast]", "policies: [quick]"))
    assert "tenant `acme` is `company` now" in run("usage", "--tenant", "acme", code=2).stderr
    assert (
        "tenant `acme/search` is `company/search` now"
        in run("usage", "--tenant", "acme/search", code=2).stderr
    )
    assert "company" in run("usage", "--tenant", "company").stdout
    grant = ("--amount", "$1", "--who", "ann", "--why", "x")
    for owner, window, told in (
        (("--tenant", "acme"), "per_month", "tenant `acme` is `company` now"),
        (
            ("--tenant", "acme/search", "--user", "bo"),
            "per_day",
            "tenant `acme/search` is `company/search` now",
        ),
        (("--policy", "fast"), "per_day", "policy `fast` is `quick` now"),
    ):
        assert told in run("usage", "grant", *owner, "--window", window, *grant, code=2).stderr


def test_advice_is_given_where_it_saves_something(run, monkeypatch):
    monkeypatch.setenv("ROUTER_TRANSPORT", "fake")
    run("complete", "fast", "Hello", "--tenant", "acme")
    assert run("usage", "advise").stdout == "nothing that would have saved money\n"


def test_spend_over_time_is_drawn_and_in_ascii_where_that_is_asked_for(run, used):
    lines = run("usage").stdout.splitlines()
    assert any(line.endswith("·······█") for line in lines)
    plain = run("usage", "--ascii").stdout
    assert "█" not in plain
    assert any(line.endswith(".......@") for line in plain.splitlines())
    assert "█" not in run("usage", "--by", "day").stdout  # each row is one day


def test_by_tag_says_that_an_attempt_counts_under_each(run, monkeypatch):
    monkeypatch.setenv("ROUTER_TRANSPORT", "fake")
    run("complete", "fast", "Hello", "--tenant", "acme", "--tag", "a", "--tag", "b")
    told = run("usage", "--by", "tag", "--by", "key").stdout
    assert "\nby tag and key\n" in told
    assert "an attempt with several tags counts under each of them" in told
    assert "several tags" not in run("usage", "--by", "key").stdout


def test_one_table_as_csv(run, used):
    lines = run("usage", "--by", "model", "--csv").stdout.splitlines()
    figures = "requests,attempts,failed,input_tokens,output_tokens,spent_nusd,assumed_nusd,held_nusd"
    assert lines[0] == f"model,{figures},overruns,overrun_nusd"
    assert {line.split(",")[0] for line in lines[1:]} == {"openai/gpt-5-nano", "anthropic/claude-haiku-4-5"}
    assert "say at least one word" in run("usage", "--csv", code=2).stderr
    assert "choose one" in run("usage", "--csv", "--json", "--by", "model", code=2).stdout


def test_what_nobody_knows_and_what_is_held_has_a_column(run, folder):
    from router import Router
    from router.adapters.clocks import SystemClock
    from router.adapters.scripted_transport import Fails, ScriptedTransport
    from router.errors import RouterError
    from router.values import Kind

    transport = ScriptedTransport(lambda _: Fails(Kind.TIMEOUT), clock=SystemClock())
    state = "sqlite:///policies/../.router/state.db"
    opened = Router.open("policies", state=state, cache="memory", transport=transport)
    with opened as router, pytest.raises(RouterError):
        router.complete("Hello", policy="fast", tenant="acme")
    told = run("usage", "--by", "model").stdout
    heading = next(line for line in told.splitlines() if "requests" in line)
    assert "at worst case" in heading
    assert "over bound" not in heading


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_usage_ends_what_a_killed_process_left_open(run, folder, document, monkeypatch):
    monkeypatch.setenv("ROUTER_TRANSPORT", "fake")
    run("complete", "fast", "Hello", "--tenant", "acme")
    spent_before = document("usage")["total"]["spent_nusd"]

    def dies() -> None:
        state = SqliteState(folder / ".router" / "fake" / "state.db", SystemClock())
        now_s = time.time() - 60
        do(state.ledger.reserve(hold("dead", charge(budget(), 70), now_s=now_s)))
        do(state.ledger.mark_sent("dead", now_s=now_s))
        os.kill(os.getpid(), signal.SIGKILL)

    assert ended(in_child(dies)) == -signal.SIGKILL
    total = document("usage")["total"]
    assert (total["held_nusd"], total["assumed_nusd"]) == (0, 70)
    assert total["spent_nusd"] == spent_before + 70
