"""What docs/diff.md shows is what happens."""

import re
import shlex
from dataclasses import fields
from pathlib import Path

import pytest
import yaml

from router.adapters.price_file import PriceFile
from router.cli import main
from router.policy.load import load
from router.tools.diff.change import BoundChange, Change, Difference, RouteChange
from tests.adapters.test_git_tree import commit, git

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "diff.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    found = re.search(rf"^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    assert found is not None
    return found[1]


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with both sides of the example in it."""
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "policies.yaml").write_text(block(f"yaml diff-{name}"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ROUTER_POLICIES", raising=False)
    return tmp_path


def test_the_example_says_what_it_says(example: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diff", "old", "new"]) == 1
    assert capsys.readouterr().out == block("text diff")


@pytest.mark.parametrize("name", ["old", "new"])
def test_the_policies_of_the_example_are_fine(example: Path, name: str) -> None:
    assert [each for each in load(example / name, PriceFile.load()).problems if each.severity != "note"] == []


@pytest.mark.parametrize("line", block("sh diff").splitlines())
def test_the_commands_work(line: str, example: Path, capsys: pytest.CaptureFixture[str]) -> None:
    git(example, "init", "--quiet", "--initial-branch=main")
    (example / "old").rename(example / "policies")
    commit(example)
    commit(example)
    (example / "policies").rename(example / "last-week")
    (example / "new").rename(example / "policies")
    assert main(shlex.split(line, comments=True)[1:]) == 1
    assert "2 changed routes" in capsys.readouterr().out


def test_the_workflow_is_yaml() -> None:
    steps = yaml.safe_load(block("yaml workflow"))["steps"]
    assert steps[1]["run"].startswith("router diff ")
    assert steps[0]["with"] == {"fetch-depth": 0}


def test_the_keys_of_the_document_are_those_in_the_code() -> None:
    rows = dict(re.findall(r"^\| (`.*?`) \| (.*?) \|$", PAGE, re.MULTILINE))
    named = {name for keys in rows for name in re.findall(r"`(\w+)`", keys)}
    assert named == {"same", "loosened", *(each.name for each in fields(Difference))}
    for key, shape in (("`routes`", RouteChange), ("`changes`", Change), ("`bounds`", BoundChange)):
        assert {each.name for each in fields(shape)} <= set(re.findall(r"`(\w+)`", rows[key]))
