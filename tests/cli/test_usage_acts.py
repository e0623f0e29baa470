"""`router usage grant`, `settle` and `acts`."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

BY = ("--who", "ann", "--why", "launch week")


@pytest.fixture(autouse=True)
def fake(folder, monkeypatch):
    monkeypatch.setenv("ROUTER_TRANSPORT", "fake")


@pytest.fixture
def timed_out(run, folder) -> str:
    """The id of an attempt that was charged at its worst case, as one that times out is."""
    run("complete", "fast", "Hello", "--tenant", "acme/search", "--user", "ann")
    file: Path = folder / ".router" / "fake" / "state.db"
    with closing(sqlite3.connect(file)) as connection, connection:
        (found,) = connection.execute("SELECT id FROM attempts").fetchone()
        connection.execute("UPDATE attempts SET how = 'worst_case', kind = 'timeout'")
    return str(found)


def test_a_grant_says_what_is_left_and_is_listed(run, folder, document):
    told = run("usage", "grant", "--tenant", "acme", "--window", "per_month", "--amount", "$500", *BY)
    assert told.stdout.startswith("granted $500.00: tenant:acme, `per_month: $5000`, in 20")
    assert told.stdout.endswith("$5000.00 and $500.00 granted, $0.00 used: $5500.00 left\n")
    less = ("--tenant", "acme/search", "--user", "bo", "--window", "per_day", "--amount", "-$0.25")
    told = run("usage", "grant", *less, *BY)
    assert told.stdout.startswith("took away $0.25: user:acme/search:bo, `per_day: $1`")
    assert told.stdout.endswith("$1.00 less $0.25, $0.00 used: $0.75 left\n")
    assert "$5000 ($500.00 granted)" in run("usage").stdout
    assert "granted $500.00: tenant:acme month 20" in run("usage", "acts").stdout
    acts = document("usage", "acts")["acts"]
    assert [(each["kind"], each["amount"], each["who"], each["why"]) for each in acts] == [
        ("grant", 500 * 10**9, "ann", "launch week"),
        ("grant", -25 * 10**7, "ann", "launch week"),
    ]


def test_a_grant_as_a_document_has_the_budget_after_it(run, folder, document):
    found = document("usage", "grant", "--policy", "fast", "--window", "per_day", "--amount", "$1", *BY)
    assert (found["amount"], found["budget"]["granted"], found["budget"]["left"]) == (
        10**9,
        10**9,
        26 * 10**9,
    )


def test_half_an_amount_is_what_a_shell_leaves_of_one(run, folder, timed_out):
    """`$500` and `$0.02` without quotes, as bash hands them on."""
    grant = ("usage", "grant", "--tenant", "acme", "--window", "per_month")
    for given in ("--amount=00", "--amount="):
        told = run(*grant, given, *BY, code=2)
        assert "in a shell in quotes: '$0.02'; it reads an unquoted `$` itself" in told.stderr
    told = run("usage", "settle", timed_out, "--cost", "bash.02", *BY, code=2)
    assert "in a shell in quotes: '$0.02'; it reads an unquoted `$` itself" in told.stderr
    assert "'$500', 200k; '-$50' takes as much away." in run("usage", "grant", "--help").stdout
    assert "'$0.02'" in run("usage", "settle", "--help").stdout


def test_slips_are_one_line_and_a_hint(run, folder):
    told = run("usage", "grant", "--tenant", "acne", "--window", "per_month", "--amount", "$5", *BY, code=2)
    assert told.stderr.startswith(
        "error: unknown tenant `acne` (did you mean `acme`?)\nhelp: known here: acme"
    )
    told = run("usage", "grant", "--tenant", "acme", "--window", "per_month", "--amount", "$5", code=2)
    assert "--who" in told.stderr
    assert run("usage", "acts").stdout == "nobody did anything by hand\n"


def test_a_state_in_memory_takes_no_grant(run, folder, monkeypatch):
    monkeypatch.setenv("ROUTER_STATE", "memory")
    told = run("usage", "grant", "--tenant", "acme", "--window", "per_month", "--amount", "$5", *BY, code=2)
    assert "another process can't reach it" in told.stderr


def test_what_is_charged_at_worst_case_is_listed_and_takes_its_truth(run, timed_out, document):
    assert [each["id"] for each in document("usage", "settle")["rows"]] == [timed_out]
    told = run("usage", "settle")
    assert told.stdout.startswith("1 attempt charged at worst case, $0.0000")
    assert timed_out in told.stdout
    assert "timeout" in told.stdout
    told = run("usage", "settle", timed_out, "--cost", "$0.02", *BY, code=2)
    assert f"$0.02 is above what row `{timed_out}` could cost at most, $0.0" in told.stderr
    assert "--above-bound" in told.stderr
    tokens = ("--input-tokens", "9999999", "--output-tokens", "1")
    told = run("usage", "settle", timed_out, "--cost", "$0.00001", *tokens, *BY, code=2)
    assert "10000000 tokens are above what row" in told.stderr
    told = run("usage", "settle", timed_out, "--cost", "$0.02", "--above-bound", *BY)
    assert told.stdout.startswith(f"{timed_out} cost $0.02, and not $0.0000")
    assert told.stdout.endswith(" above its bound\n")
    assert run("usage", "settle", timed_out, "--cost", "$0.02", *BY).stdout.endswith("was at $0.02 already\n")
    assert (
        "is known: $0.02, reported" in run("usage", "settle", timed_out, "--cost", "$1", *BY, code=2).stderr
    )
    assert run("usage", "settle").stdout == "no attempt is charged at its worst case\n"
    assert f"{timed_out} cost $0.02, not $0.0000" in run("usage", "acts").stdout


@pytest.mark.parametrize("arguments", [("x", "--cost", "$1"), ("x",), ("--cost", "$1", *BY)])
def test_half_a_truth_is_wrong_usage(run, folder, arguments):
    assert "say" in run("usage", "settle", *arguments, code=2).stderr


def test_without_any_state_there_is_nothing(run, folder):
    assert run("usage", "settle").stdout == "no attempt is charged at its worst case\n"
    assert "the ledger has no row `x`" in run("usage", "settle", "x", "--cost", "$1", *BY, code=2).stderr
    assert not (folder / ".router").exists()


# --- Rows moved out ---------------------------------------------------------------------------------------------------


@pytest.fixture
def old(run, folder) -> Path:
    """Three attempts of long ago, and one of today."""
    for number in range(4):
        run("complete", "fast", f"Hello {number}", "--tenant", "acme")
    with closing(sqlite3.connect(folder / ".router" / "fake" / "state.db")) as connection, connection:
        connection.execute(
            "UPDATE attempts SET ended_at_s = ended_at_s - 8e6, reserved_at_s = reserved_at_s - 8e6 "
            "WHERE seq IN (SELECT seq FROM attempts ORDER BY seq LIMIT 3)"
        )
    return folder / "old"


def test_old_rows_go_into_files_and_what_they_cost_stays(run, old, document):
    before = document("usage")["budgets"]
    assert (
        run("usage", "archive", "--before", "90d", "--to", "old").stdout
        == "moved 3 rows into 1 file in old\n"
    )
    assert [each.name for each in sorted(old.iterdir())] == [
        ".ledger",
        ".lock",
        "rows-000000000001-000000000005.jsonl",
    ]
    assert [each["settled"] for each in document("usage")["budgets"]] == [each["settled"] for each in before]
    assert run("audit").stdout.startswith("1 row and ")
    assert run("audit", "--archive", "old").stdout.startswith("1 row, 3 moved out, and ")
    assert document("audit", "--archive", "old")["moved"] == 3
    assert run("usage", "archive", "--before", "90d", "--to", "old").stdout == "moved 0 rows\n"


def test_what_was_moved_is_exported_where_its_folder_is_named(run, old):
    whole = run("usage", "export", "--since", "365d").stdout
    run("usage", "archive", "--before", "90d", "--to", "old", "--gzip")
    assert len(run("usage", "export", "--since", "365d").stdout.splitlines()) == 2
    assert run("usage", "export", "--since", "365d", "--archive", "old").stdout == whole
    assert len(run("usage", "export", "--since", "30d", "--archive", "old").stdout.splitlines()) == 2


def test_slips_of_an_archive_are_one_line_and_a_hint(run, old, folder):
    (folder / "file").write_text("")
    assert "neither a duration" in run("usage", "archive", "--before", "soon", "--to", "old", code=2).stderr
    assert "--to" in run("usage", "archive", "--before", "90d", code=2).stderr
    for before, why in (
        ("3m", "`3m` is 3 minutes ago"),
        ("23h", "`23h` is less than a day ago"),
        ("2999-01-01", "`2999-01-01` is still to come"),
    ):
        told = run("usage", "archive", "--before", before, "--to", "old", code=2).stderr
        assert f"{why}: rows leave that are a day old or older" in told
        assert not old.exists()
    assert "file" in run("usage", "archive", "--before", "90d", "--to", "file", code=2).stderr
    assert "can't be read" in run("audit", "--archive", "nowhere", code=2).stderr
    run("usage", "archive", "--before", "90d", "--to", "old")
    (old / "rows-000000000001-000000000005.jsonl").write_text("{}\n")
    assert "is damaged" in run("audit", "--archive", "old", code=2).stderr


def test_a_cost_that_was_changed_in_a_file_is_found(run, old):
    run("usage", "archive", "--before", "90d", "--to", "old")
    (file,) = old.glob("rows-*.jsonl")
    changed = re.sub(r'"cost_nusd":\d+', '"cost_nusd":999999999', file.read_text(), count=1)
    file.write_text(changed)
    told = run("audit", "--archive", "old", code=1).stdout
    assert "figure" in told
    assert re.search(r"it says \$0\.999999999, and \S+ nusd month \S+ holds", told)
    assert "add up" in run("audit").stdout


def test_rows_that_were_moved_into_two_folders_are_told_as_such(run, old, folder):
    run("usage", "archive", "--before", "90d", "--to", "old")
    made_old(folder)
    run("usage", "archive", "--before", "90d", "--to", "new")
    for name in ("old", "new"):
        told = run("audit", "--archive", name, code=1).stdout
        assert "copy all files into one and name that" in told
        assert "a bug" not in told
    for file in old.glob("rows-*.jsonl"):
        file.rename(folder / "new" / file.name)
    assert (
        run("audit", "--archive", "new")
        .stdout.splitlines()[-1]
        .startswith("0 rows, 4 moved out, and 2 counters add up")
    )


def test_counters_are_counted_when_no_row_is_left_and_what_was_not_checked_is_told(
    run, old, folder, document
):
    made_old(folder)
    run("usage", "archive", "--before", "90d", "--to", "old")
    verdict, unchecked = run("audit").stdout.splitlines()
    assert verdict == "0 rows and 2 counters add up"
    assert re.fullmatch(
        r"  not checked: what rows that were moved out hold of 2 counters; --archive names .*", unchecked
    )
    assert document("audit")["unchecked"] == 2
    assert document("audit", "--archive", "old")["unchecked"] == 0


def test_the_folder_of_another_ledger_is_refused(run, old, folder, monkeypatch):
    monkeypatch.setenv("ROUTER_STATE", "sqlite:///other.db")
    for number in range(3):
        run("complete", "fast", f"Hello {number}", "--tenant", "acme")
    monkeypatch.delenv("ROUTER_STATE")
    run("usage", "archive", "--before", "90d", "--to", "old")
    monkeypatch.setenv("ROUTER_STATE", "sqlite:///other.db")
    for command in (("audit",), ("usage", "export")):
        told = run(*command, "--archive", "old", code=2).stderr
        assert "`old` holds the rows of another ledger" in told
    mark = (old / ".ledger").read_text()
    (old / ".ledger").unlink()  # as earlier folders have none
    for command in (("audit",), ("usage", "export")):
        told = run(*command, "--archive", "old", code=2).stderr
        assert "`old` holds the rows of another ledger: its row 1 is `" in told
    made_old(folder, "other.db")
    assert "another ledger" in run("usage", "archive", "--before", "90d", "--to", "old", code=2).stderr
    (old / ".ledger").write_text(mark)
    run("usage", "archive", "--before", "90d", "--to", "others")
    told = run("usage", "export", "--archive", "old", code=2).stderr
    assert "`old` holds the rows of another ledger" in told, "although nothing is left to compare"
    run("complete", "fast", "Hello", "--tenant", "acme")
    before = sorted(each.name for each in old.iterdir())
    made_old(folder, "other.db")
    assert "another ledger" in run("usage", "archive", "--before", "90d", "--to", "old", code=2).stderr
    assert sorted(each.name for each in old.iterdir()) == before


def made_old(folder: Path, name: str = "state.db") -> None:
    """Make all rows old."""
    file = next(folder.rglob(name))
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(
            "UPDATE attempts SET ended_at_s = ended_at_s - 8e6, reserved_at_s = reserved_at_s - 8e6"
        )
