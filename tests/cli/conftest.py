"""The command line in this process: a working directory of its own, policies in it, no keys but those a test sets."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from router.cli.app import app
from router.policy.kinds import KINDS

POLICIES = """\
version: 1
providers:
  openai: {}
  anthropic: {}
policies:
  fast:
    description: Short answers.
    targets: [openai/gpt-5-nano, anthropic/claude-haiku-4-5]
    retry: {attempts: 2}
    timeout: {total: 30s, attempt: 8s}
    ceiling: {input_tokens: 10k, output_tokens: 400}
    budget: {per_request: $0.20, per_day: $25}
  night:
    rules:
      - {name: tagged, when: {tag: [slow], input_tokens: {up_to: 5k}}, policy: fast}
      - {name: long, when: {input_tokens: {over: 5k}}, reject: too long for us}
    targets: [anthropic/claude-haiku-4-5]
    ceiling: {input_tokens: 10k, output_tokens: 400}
tenants:
  acme: {policies: all, budget: {per_month: $5000}}
  acme/search:
    policies: [fast]
    budget: {per_day: $50}
    limits: {requests_per_minute: 600, tokens_per_minute: 200k}
    each: {user: {budget: {per_day: $1}}}
  acme/intern: {policies: [fast], budget: {per_day: $0.0001}}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory of the test, with `policies/main.yaml` in it."""
    for kind in KINDS.values():
        if kind.key:
            monkeypatch.delenv(kind.key, raising=False)
    for name in (
        "NO_COLOR",
        "COLUMNS",
        "ROUTER_POLICIES",
        "ROUTER_STATE",
        "ROUTER_TRANSPORT",
        "ROUTER_DEBUG",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "main.yaml").write_text(POLICIES, encoding="utf-8")
    return tmp_path


@pytest.fixture
def with_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-openai-secret")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-anthropic-secret")


Run = Callable[..., Result]


@pytest.fixture
def run(folder: Path) -> Run:
    """`run("check", "--strict")`. A test that expects a code says so: `run(..., code=1)`."""

    def run(*arguments: str, code: int = 0, input: str | None = None) -> Result:
        result = CliRunner().invoke(app, list(arguments), input=input, prog_name="router")
        assert isinstance(result.exception, SystemExit | None), result.exc_info
        assert "Traceback" not in result.output
        assert result.exit_code == code, result.output
        return result

    return run


@pytest.fixture
def document(run: Run) -> Callable[..., Any]:
    """The JSON document that a command prints with `--json`."""

    def document(*arguments: str, code: int = 0) -> Any:
        return json.loads(run(*arguments, "--json", code=code).stdout)

    return document
