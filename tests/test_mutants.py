"""The tests of the laws can fail: each breakage of `mutants.toml` is applied to a copy, and its law's tests must fail.

`tests` names the one of them that meets the mutant, so that a run takes seconds.
A mutant whose `find` no longer occurs exactly once is an error, so the list can't rot.
"""

import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
LISTED = tomllib.loads((ROOT / "tests" / "mutants.toml").read_text())
MUTANTS: list[dict[str, Any]] = LISTED["mutant"]
LAWS = {path.name.split("_")[2]: path.name for path in (ROOT / "tests" / "laws").glob("test_law_*.py")}


Run = subprocess.CompletedProcess[str]


def _name(mutant: dict[str, Any]) -> str:
    return f"law-{mutant['law']}-{mutant['breaks']}"


def test_every_law_under_test_has_two_mutants() -> None:
    listed = [mutant["law"] for mutant in MUTANTS]
    assert {law: listed.count(int(law)) >= 2 for law in LAWS} == dict.fromkeys(LAWS, True)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[Run]]]:
    """Every mutant's run, two at a time."""
    with ThreadPoolExecutor(max_workers=2) as pool:
        yield {_name(each): pool.submit(_trial, each, tmp_path_factory.mktemp("mutant")) for each in MUTANTS}


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: _name(mutant))
def test_a_broken_copy_fails_its_laws_tests(mutant: dict[str, Any], runs: dict[str, Future[Run]]) -> None:
    run = runs[_name(mutant)].result()
    assert run.returncode == 1, (
        f"the tests of law {mutant['law']} pass on a broken copy:\n{run.stdout[-2000:]}"
    )
    assert "failed" in run.stdout


def _trial(mutant: dict[str, Any], folder: Path) -> Run:
    _copy(folder)
    _break(folder / mutant["file"], mutant["find"], mutant["replace"])
    return _run_law(folder, mutant.get("tests", LAWS[str(mutant["law"])]))


def _copy(folder: Path) -> None:
    for name in ("router", "tests", "policies", "schemas"):
        # What is compiled is kept: it goes by the time of its source.
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns(".hypothesis"))
    shutil.copy(ROOT / "pyproject.toml", folder)


def _break(path: Path, find: str, replace: str) -> None:
    text = path.read_text()
    assert text.count(find) == 1, f"`{find}` occurs {text.count(find)} times in {path.name}, not once"
    path.write_text(text.replace(find, replace))


def _run_law(folder: Path, name: str) -> Run:
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", f"tests/laws/{name}"]
    environment = {
        **os.environ,
        "PYTHONPATH": str(folder),
        "PYTEST_DEBUG_TEMPROOT": str(folder),  # in a common one, runs clear away each other's leftovers
        "PYTHONDONTWRITEBYTECODE": "1",
        "HYPOTHESIS_PROFILE": "mutants",  # a failure is enough; the smallest one is not wanted
    }
    return subprocess.run(
        command, check=False, cwd=folder, env=environment, capture_output=True, text=True, timeout=120
    )
