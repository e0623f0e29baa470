"""The benchmark runs and reports in its shape. No duration is asserted: this machine may be busy."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.report import aims, as_text
from bench.sections import SECTIONS, Table
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
