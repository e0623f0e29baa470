"""The benchmark runs and reports in its shape. No duration is asserted: this machine may be busy."""

import json
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from bench.ledger import fill
from bench.report import aims, as_text
from bench.sections import SECTIONS, Run, Table
from bench.timing import Block, interleave, quantile, ratios

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict:
    file = tmp_path_factory.mktemp("bench") / "figures.json"
    arguments = ["--quick", "--seconds", "0.1", "--calls", "2", "--json", str(file)]
    run = subprocess.run(
        [sys.executable, "-m", "bench", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr[-2000:]
    written = json.loads(file.read_text())
    return {**written, "printed": run.stdout}


def test_every_section_reports_rows(report: dict) -> None:
    assert list(report["tables"]) == list(SECTIONS)
    assert all(table["rows"] for table in report["tables"].values())
    assert all(table["title"] in report["printed"] for table in report["tables"].values())


def test_the_machine_and_the_counts_are_stated(report: dict) -> None:
    assert {"cores", "processor", "python", "litellm"} <= set(report["machine"])
    assert report["calls_a_block"] == 2
    for name in ("async", "at_once", "sync", "cache", "decision"):
        assert all(row["calls"] >= 4 for row in report["tables"][name]["rows"])


def test_every_path_is_held_against_litellm(report: dict) -> None:
    for name in ("async", "at_once", "sync"):
        first, *others = report["tables"][name]["rows"]
        assert first["path"].startswith("litellm.")
        assert first["ratio"] == {"min": 1.0, "median": 1.0, "max": 1.0}
        assert all(0 < row["ratio"]["min"] <= row["ratio"]["median"] <= row["ratio"]["max"] for row in others)


def test_shares_of_the_stages_are_shares_of_everything(report: dict) -> None:
    for share in ("memory_share", "sqlite_share"):
        assert sum(row[share] for row in report["tables"]["stages"]["rows"]) == pytest.approx(1.0)


def test_aims_say_whether_they_were_met(report: dict) -> None:
    assert len(report["aims"]) == 6
    assert all(row["met"] is (row["p50_us"] < row["aim_us"]) for row in report["aims"])


def test_rounds_take_turns_and_every_path_makes_the_same_calls() -> None:
    made: list[tuple[str, int]] = []

    def path(name: str):
        def make(calls: int) -> Block:
            made.append((name, calls))
            return Block(durations_s=[1.0] * calls, cpu_s=1.0, wall_s=2.0)

        return make

    series = interleave({"a": path("a"), "b": path("b")}, calls=10, seconds=0.0)
    assert made == [("a", 2), ("b", 2), ("a", 10), ("b", 10), ("b", 10), ("a", 10)]
    assert len(series["a"].durations_s) == len(series["b"].durations_s) == 20
    assert series["a"].cpu_s == pytest.approx(0.1)


def test_a_ratio_is_taken_round_by_round() -> None:
    def series(*p50s: float):
        blocks = [Block(durations_s=[p50], cpu_s=0.0, wall_s=1.0) for p50 in p50s]
        return type("Series", (), {"blocks": blocks})

    assert ratios(series(2.0, 9.0, 4.0), series(1.0, 3.0, 4.0)) == {"min": 1.0, "median": 2.0, "max": 3.0}


def test_a_quantile_is_one_of_the_values() -> None:
    values = [5.0, 1.0, 4.0, 2.0, 3.0]
    assert [quantile(values, share) for share in (0.0, 0.5, 0.95, 1.0)] == [1.0, 3.0, 5.0, 5.0]


def test_a_table_prints_units_in_its_heading_and_aligns_its_columns() -> None:
    rows = [
        {"path": "short", "p50_us": 1234.5, "ratio": {"min": 0.5, "median": 1.0, "max": 2.0}},
        {"path": "a longer path", "p50_us": 7.25, "ratio": None},
    ]
    table = Table(name="t", title="A table", rows=rows, notes=("a note",))
    about = {"machine": {"cores": 2}, "took_s": 1.0}
    *_, heading, first, second, note = as_text(about, [table]).splitlines()
    assert heading.split() == ["path", "p50", "us", "ratio"]
    assert first.split() == ["short", "1,234", "1.00", "(0.50", "to", "2.00)"]
    assert second.split() == ["a", "longer", "path", "7.2", "-"]
    assert first.index("1,234") + 5 == second.index("7.2") + 3
    assert note == "  (a note)"
    assert aims([table]) == []


@pytest.fixture(scope="module")
def money(tmp_path_factory: pytest.TempPathFactory) -> dict:
    file = tmp_path_factory.mktemp("bench") / "money.json"
    sections = ["--sections", "ledger", "long_files", "burst", "streams"]
    arguments = [
        "--quick",
        "--seconds",
        "0.1",
        "--calls",
        "4",
        "--rows",
        "300",
        "--json",
        str(file),
        *sections,
    ]
    run = subprocess.run(
        [sys.executable, "-m", "bench", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr[-2000:]
    tables: dict = json.loads(file.read_text())["tables"]
    return tables


def test_the_ledger_is_measured_on_every_store_alone_and_with_neighbours(money: dict) -> None:
    rows = {row["path"]: row for row in money["ledger"]["rows"]}
    assert {"memory", "sqlite", "valkey"} <= set(rows)
    assert {name for name in rows if "4 processes" in name} == {
        "sqlite, 4 processes",
        "sqlite, FULL, 4 processes",
        "valkey, 4 processes",
    }
    assert all(0 < row["p50_us"] <= row["p99_us"] and row["calls_per_s"] > 0 for row in rows.values())


def test_a_long_file_has_the_rows_it_says(money: dict) -> None:
    assert [row["path"] for row in money["long_files"]["rows"]] == ["sqlite, 10 rows", "sqlite, 300 rows"]


def test_a_burst_is_made_with_real_calls_and_ours_spends_the_budget_and_no_more(money: dict) -> None:
    theirs, *ours = money["burst"]["rows"]
    assert theirs["path"].startswith("litellm.")
    assert theirs["answered"]["min"] > 0  # what it lets through is its own affair, but it was called
    assert {row["path"] for row in ours} == {
        f"AsyncRouter, {state} state" for state in ("memory", "sqlite", "valkey")
    }
    assert {row["answered"]["max"] for row in ours} == {row["answered"]["min"] for row in ours} == {17}
    assert {row["ratio"]["max"] for row in ours} == {1.0}


def test_streams_are_read_to_their_end_beside_litellm_s_own(money: dict) -> None:
    theirs, ours = money["streams"]["rows"]
    assert (theirs["path"], ours["path"]) == ("litellm.acompletion", "AsyncRouter")
    assert theirs["streams"] == ours["streams"] >= 4
    assert theirs["first_ratio"] == {"min": 1.0, "median": 1.0, "max": 1.0}
    assert ours["first_us"] > 0
    assert ours["first_ratio"]["median"] > 0


def test_a_file_is_filled_with_copies_under_fresh_ids(tmp_path: Path) -> None:
    import sqlite3

    file = tmp_path / "state.db"
    run = Run(workers={}, environment=dict(os.environ), seconds=0, calls=1, repeats=1, rows=50)
    fill(run, file, 50)
    with closing(sqlite3.connect(file)) as connection:
        found = connection.execute("SELECT count(*), count(DISTINCT id), max(seq) FROM attempts").fetchone()
    assert found == (50, 50, 50)
