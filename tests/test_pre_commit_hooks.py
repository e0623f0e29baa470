"""The hook that other repositories use: its shape, when it runs, and that what it runs is there."""

import re
import shlex
import tomllib
from pathlib import Path

import pytest
import yaml

from router.cli import main
from router.cli.app import COMMANDS

CHECKOUT = Path(__file__).resolve().parent.parent
HOOKS = yaml.safe_load((CHECKOUT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
KEYS = {
    "id": str,
    "name": str,
    "description": str,
    "entry": str,
    "language": str,
    "files": str,
    "pass_filenames": bool,
    "minimum_pre_commit_version": str,
}
"""Of those that pre-commit knows, the ones in use."""


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: hook["id"])
def test_a_hook_has_the_shape_that_pre_commit_reads(hook):
    assert {key: type(value) for key, value in hook.items()} == KEYS
    assert hook["language"] == "python"
    assert re.fullmatch(r"\d+\.\d+\.\d+", hook["minimum_pre_commit_version"])


def test_the_hook_runs_a_command_of_the_package():
    scripts = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
    program, command, *options = shlex.split(HOOKS[0]["entry"])
    assert program in scripts
    assert command in COMMANDS
    assert options == ["--strict"]


@pytest.mark.parametrize(
    ("file", "runs"),
    [
        ("policies/cheap-fast.yaml", True),
        ("policies/eu/base.yml", True),
        ("policies/a.cases.yaml", True),
        ("policies/router.lock", True),
        ("other/policies/a.yaml", False),
        ("policies/readme.md", False),
        ("policies.yaml", False),
    ],
)
def test_it_runs_when_a_policy_file_changes(file, runs):
    assert bool(re.search(HOOKS[0]["files"], file)) is runs


def test_what_it_runs_fails_on_a_warning(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ROUTER_POLICIES", raising=False)
    (tmp_path / "policies").mkdir()
    text = "version: 1\nproviders: {openai: {}}\npolicies: {a: {targets: [openai/gpt-5-nano]}}\n"
    (tmp_path / "policies" / "a.yaml").write_text(text)
    command = shlex.split(HOOKS[0]["entry"])[1:]
    assert main(command) == 0
    (tmp_path / "policies" / "a.yaml").write_text(text.replace("]}", "], budget: {per_day: $25}}"))
    assert main(command) == 1
    assert "no-output-ceiling" in capsys.readouterr().out


def test_the_page_shows_the_hook_by_its_id():
    page = (CHECKOUT / "docs" / "lint.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"^```yaml hook\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    (repository,) = yaml.safe_load(shown)["repos"]
    assert [hook["id"] for hook in repository["hooks"]] == [hook["id"] for hook in HOOKS]
