"""`router audit`."""

import sqlite3
from contextlib import closing

import pytest

from tests.adapters.valkey import ValkeyServer


@pytest.fixture
def spent(run, folder, monkeypatch):
    """A state that a few calls have used."""
    monkeypatch.setenv("ROUTER_TRANSPORT", "fake")
    for number in range(3):
        run("complete", "fast", f"Hello {number}", "--tenant", "acme")
    return folder / ".router" / "fake" / "state.db"


def test_a_ledger_that_adds_up_is_fine(run, spent, document):
    told = run("audit")
    assert told.stdout == "3 rows and 1 counter add up\n" or told.stdout.startswith("3 rows and ")
    assert told.stdout.endswith(" add up\n")
    assert document("audit")["sound"] is True


def test_one_that_does_not_says_what_and_fails(run, spent):
    with closing(sqlite3.connect(spent)) as connection, connection:
        assert connection.execute("UPDATE counters SET settled = settled + 5").rowcount
    told = run("audit", code=1)
    assert "balance" in told.stdout
    verdict, advice, _ = told.stdout.splitlines()[-3:]
    assert verdict.endswith("do not add up")
    assert "keep a copy of the state and report it" in advice


def test_without_any_state_there_is_nothing_that_could_be_wrong(run, folder):
    assert run("audit").stdout == "0 rows and 0 counters add up\n"


def test_a_server_that_lost_its_rows_is_closed_until_somebody_accepts_it(run, folder, monkeypatch, tmp_path):
    monkeypatch.setenv("ROUTER_TRANSPORT", "fake")
    with ValkeyServer(tmp_path / "server") as server:
        monkeypatch.setenv("ROUTER_STATE", server.url)
        run("complete", "fast", "Hello", "--tenant", "acme")
        assert run("audit").stdout.startswith("1 row and ")
        server.kill()
        server.start()
        refused = run("complete", "fast", "Hello again", "--tenant", "acme", code=1)
        assert "has lost rows" in refused.stderr
        assert "--accept-loss" in refused.stderr
        assert "say --who and --why" in run("audit", "--accept-loss", code=2).stderr
        told = run("audit", "--accept-loss", "--who", "ann", "--why", "no copy is left")
        assert told.stdout == "0 rows and 0 counters add up\n"
        run("complete", "fast", "Hello again", "--tenant", "acme")
        acts = run("usage", "acts").stdout
        assert (
            "accepted a loss of rows: number 1 was the last seen here, and any after it are lost too" in acts
        )
        assert "no copy is left" in acts


def test_a_file_can_not_be_accepted_as_lost(run, spent):
    told = run("audit", "--accept-loss", "--who", "ann", "--why", "x", code=2)
    assert "only the state of a server can be accepted as lost" in told.stderr
