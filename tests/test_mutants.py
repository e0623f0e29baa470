"""The tests of the laws can fail: each breakage of `mutants.toml` is applied to a copy, and its law's tests must fail.

A mutant whose `find` no longer occurs exactly once is an error, so the list can't rot.
"""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
LISTED = tomllib.loads((ROOT / "tests" / "mutants.toml").read_text())
MUTANTS: list[dict[str, Any]] = LISTED["mutant"]
LAWS = {path.name.split("_")[2]: path.name for path in (ROOT / "tests" / "laws").glob("test_law_*.py")}


def test_every_law_under_test_has_two_mutants() -> None:
    listed = [mutant["law"] for mutant in MUTANTS]
    assert {law: listed.count(int(law)) >= 2 for law in LAWS} == dict.fromkeys(LAWS, True)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: f"law-{mutant['law']}-{mutant['breaks']}")
def test_a_broken_copy_fails_its_laws_tests(mutant: dict[str, Any], tmp_path: Path) -> None:
    _copy(tmp_path)
    _break(tmp_path / mutant["file"], mutant["find"], mutant["replace"])
    run = _run_law(tmp_path, LAWS[str(mutant["law"])])
    assert run.returncode == 1, (
        f"the tests of law {mutant['law']} pass on a broken copy:\n{run.stdout[-2000:]}"
    )
    assert "failed" in run.stdout


def _copy(folder: Path) -> None:
    for name in ("router", "tests", "policies", "schemas"):
        ignored = shutil.ignore_patterns("__pycache__", ".hypothesis")
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", folder)


def _break(path: Path, find: str, replace: str) -> None:
    text = path.read_text()
    assert text.count(find) == 1, f"`{find}` occurs {text.count(find)} times in {path.name}, not once"
    path.write_text(text.replace(find, replace))


def _run_law(folder: Path, name: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", f"tests/laws/{name}"]
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)
