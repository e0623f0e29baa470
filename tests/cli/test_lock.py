"""`router lock`, and `--frozen`."""

import re
import shlex
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
FACT = "    input_per_million: $0.05\n"


@pytest.fixture
def drifted(run, folder):
    """The lock of a day on which `gpt-5-nano` was cheaper."""
    run("lock")
    file = folder / "policies" / "router.lock"
    text = file.read_text(encoding="utf-8")
    assert FACT in text
    file.write_text(text.replace(FACT, FACT.replace("0.05", "0.04")), encoding="utf-8")
    return file


def test_it_writes_once_and_then_holds(run, folder):
    assert run("lock").stdout == "wrote policies/router.lock: 2 targets\n"
    assert run("lock").stdout == "policies/router.lock holds: 2 targets\n"
    assert run("lock", "--check").stdout == "policies/router.lock holds: 2 targets\n"
    told = run("check", "--frozen").stdout
    assert "fine: 2 policies" in told
    assert "lock-drift" not in told


@pytest.mark.parametrize("command", ["lock", "check"])
def test_the_folder_is_the_argument_or_an_option_and_never_two(run, folder, command):
    here, there = folder / "policies", folder / "elsewhere"
    here.rename(there)
    for named in (["elsewhere"], ["--policies", "elsewhere"], ["elsewhere", "--policies", "elsewhere"]):
        run(command, *named)
    told = run(command, "elsewhere", "--policies", "policies", code=2).stderr
    assert "`elsewhere` and --policies `policies` are two places: name one" in told


def test_a_check_without_a_lock_fails_and_writes_nothing(run, folder):
    told = run("lock", "--check", code=1).stdout
    assert told.startswith("policies/router.lock: error: there is no lock file to hold on to [lock-drift]\n")
    assert not (folder / "policies" / "router.lock").exists()


def test_drift_is_a_warning_and_fails_what_is_strict_or_frozen(run, drifted):
    message = "`openai/gpt-5-nano`: input_per_million was `$0.04` when locked, and is `$0.05` now"
    assert f"warning: {message} [lock-drift]" in run("check").stdout
    assert message in run("check", "--strict", code=1).stdout
    for arguments in (("check", "--frozen"), ("lock", "--check")):
        told = run(*arguments, code=1).stdout
        assert re.search(
            rf"^policies/router.lock:\d+:5: error: {re.escape(message)} \[lock-drift\]$", told, re.MULTILINE
        )


def test_a_new_lock_says_what_it_changes(run, drifted):
    told = run("lock")
    assert told.stdout == "wrote policies/router.lock: 2 targets\n"
    assert "input_per_million was `$0.04` when locked, and is `$0.05` now" in told.stderr
    assert FACT in drifted.read_text(encoding="utf-8")


def test_as_a_document(document, drifted):
    told = document("lock", "--check", code=1)
    assert (told["path"], told["written"], told["targets"]) == ("policies/router.lock", False, 2)
    assert [problem["code"] for problem in told["problems"]] == ["lock-drift"]
    assert document("lock")["written"] is True
    assert document("lock") == {
        "path": "policies/router.lock",
        "written": False,
        "targets": 2,
        "problems": [],
    }


def test_a_frozen_call_is_refused_where_anything_drifted(run, drifted):
    call = ("complete", "fast", "Hello", "--tenant", "acme/search", "--user", "ann", "--fake")
    assert run(*call).exit_code == 0
    told = run(*call, "--frozen", code=1).stderr
    assert "input_per_million was `$0.04` when locked, and is `$0.05` now" in told
    assert "help: `router check --frozen` shows the same" in told
    told = run(*call, "--frozen", "--policies", "policies", code=1).stderr
    assert "help: `router check --frozen --policies policies` shows the same" in told
    run("lock")
    assert run(*call, "--frozen").stdout


def test_policies_with_mistakes_are_told_instead(run, folder):
    (folder / "policies" / "main.yaml").write_text("version: 1\nnope: 1\n")
    assert "unknown key `nope`" in run("lock", code=1).stderr
    assert "one file" in run("lock", "--policies", "policies/main.yaml", code=2).stderr


def test_what_the_page_shows_is_what_happens(run, folder):
    page = (CHECKOUT / "docs" / "lock.md").read_text(encoding="utf-8")
    (session,) = re.findall(r"^```console\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    for line, expected in re.findall(r"^\$ (.+)\n((?:(?!\$ ).+\n)*)", session, re.MULTILINE):
        assert run(*shlex.split(line)[1:]).stdout == expected
    (shown,) = re.findall(r"^```text\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    assert shown in (folder / "policies" / "router.lock").read_text(encoding="utf-8")
