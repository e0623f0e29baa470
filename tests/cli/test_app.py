"""What every command shares: help, wrong usage, failures in words, and how little is imported."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import click
import pytest

from router.cli import main
from router.cli.app import COMMANDS
from router.cli.out import Out, harmless
from router.errors import BudgetExceeded, StoreError
from tests.cli.terminal import on_a_terminal

CHECKOUT = Path(__file__).resolve().parents[2]


def shell(code: str, *, folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Python code in a process of its own, started in `folder`."""

    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT), **env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def failing(monkeypatch):
    """`failing(error)`: a command `check` that raises it."""

    def install(error: BaseException) -> None:
        @click.command("check")
        def command() -> None:
            raise error

        module = ModuleType("router.cli.check")
        module.command = command  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "router.cli.check", module)

    return install


def test_help_names_every_command(run):
    told = run("--help").stdout
    for name, (_, short) in COMMANDS.items():
        assert name in told
        assert short in told


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "demo"])
def test_every_command_has_help(run, name):
    assert run(name, "--help").stdout.startswith(f"Usage: router {name}")


def test_without_a_command_help_is_told_and_usage_is_wrong(run):
    assert "Commands:" in run(code=2).stderr


def test_an_unknown_command_is_answered_with_the_closest(run):
    told = run("chekc", code=2)
    assert told.stderr.splitlines() == [
        "error: unknown command `chekc` (did you mean `check`?)",
        "help: `router --help` shows how it is called",
    ]
    assert told.stdout == ""


def test_a_wrong_option_is_wrong_usage(run):
    assert "`router check --help`" in run("check", "--nope", code=2).stderr


def test_version(run):
    assert run("--version").stdout.startswith("router")


def test_an_error_of_the_router_becomes_two_lines(run, failing):
    failing(StoreError("the ledger is busy", port="ledger", help="try again"))
    assert run("check", code=1).stderr == "error: the ledger is busy\nhelp: try again\n"


def test_a_budget_says_when_it_refills(run, failing):
    error = BudgetExceeded(
        "over budget", budget="tenant:a", needed=2, available=1, resets_at_s=99_999_999_999
    )
    failing(error)
    assert "it refills in" in run("check", code=1).stderr


def test_a_missing_file_is_told_with_its_path(run, failing):
    failing(FileNotFoundError(2, "No such file or directory", "calls.yaml"))
    assert run("check", code=1).stderr == "error: `calls.yaml`: no such file or directory\n"


def test_a_bug_is_one_line_and_a_way_to_see_more(run, failing):
    failing(ValueError("boom\nsecond line"))
    told = run("check", code=1).stderr
    assert told.splitlines() == [
        "error: this is a bug in router: ValueError: boom",
        "help: run it again with ROUTER_DEBUG=1 to see where, and report it",
    ]


def test_the_debug_switch_shows_the_trace(failing, monkeypatch, capsys):
    failing(ValueError("boom"))
    monkeypatch.setenv("ROUTER_DEBUG", "1")
    assert main(["check"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_an_interrupt_is_quiet_and_130(failing, capsys):
    failing(KeyboardInterrupt())
    assert main(["check"]) == 130
    told = capsys.readouterr()
    assert (told.out.strip(), told.err.strip()) == ("", "")


def test_with_json_a_failure_is_a_document(document):
    told = document("explain", "fsat", code=2)
    assert told["error"]["type"] == "RequestError"
    assert told["error"]["message"] == "unknown policy `fsat` (did you mean `fast`?)"
    assert "fast, night" in told["error"]["help"]


def test_with_json_wrong_usage_is_a_document(run):
    told = json.loads(run("check", "--json", "--nope", code=2).stdout)
    assert told["error"]["type"] == "UsageError"


def test_a_reader_that_has_read_enough_is_no_failure(folder):
    code = """
import os, subprocess, sys
read, write = os.pipe()
os.close(read)
ran = subprocess.run([sys.executable, "-m", "router", "schema"], stdout=write, stderr=subprocess.PIPE, text=True)
print(ran.returncode, repr(ran.stderr))
"""
    assert shell(code, folder=folder).stdout == "141 ''\n"


NEVER = ("litellm", "vcr", "diskcache", "aiohttp", "httpx", "openai")
"""Libraries of calls: no command that only looks needs them."""


@pytest.mark.parametrize(
    "arguments",
    [
        ["check"],
        ["explain", "fast"],
        ["explain", "fast", "--tenant", "acme/search", "--user", "ann", "--prompt", "Hello", "--assume-keys"],
        ["usage"],
        ["schema"],
        ["schema", "--local"],
        ["lock"],
        ["init", "elsewhere"],
    ],
    ids=" ".join,
)
def test_what_only_looks_never_imports_what_calls(folder, arguments):
    code = f"""
import sys
from router.cli import main
code = main({arguments!r})
found = sorted({{name.partition(".")[0] for name in sys.modules}} & set({NEVER!r}))
print(code, found, file=sys.stderr)
"""
    ran = shell(code, folder=folder)
    assert ran.stderr.splitlines()[-1] == "0 []", ran.stderr


def test_a_failing_check_never_imports_rich(folder):
    (folder / "policies" / "main.yaml").write_text("version: 2\n")
    code = "import sys; from router.cli import main; print(main(['check']), 'rich' in sys.modules, file=sys.stderr)"
    assert shell(code, folder=folder).stderr == "1 False\n"


def test_plain_text_has_no_colours_and_no_boxes(run, with_keys):
    told = run("explain", "fast", "--tenant", "acme/search", "--user", "ann", "--prompt", "Hello").stdout
    assert "\x1b" not in told
    assert set(told) - {chr(code) for code in range(32, 127)} == {"\n"}
    assert all(line == line.rstrip() for line in told.splitlines())


def test_a_terminal_gets_colours_unless_it_asks_for_none(monkeypatch):
    class Terminal:
        def isatty(self) -> bool:
            return True

    from router.cli.out import colored

    assert colored(Terminal())  # type: ignore[arg-type]
    monkeypatch.setenv("NO_COLOR", "1")
    assert not colored(Terminal())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("\x1b]0;title\x07 \x1b[2J \x1b[8mhidden", r"\u001b]0;title\u0007 \u001b[2J \u001b[8mhidden"),
        ("\x9b2J \u202eold", r"\u009b2J \u202eold"),
        ("over\rwritten", r"over\u000dwritten"),
        ("two\nlines\r\n\tand שלום", "two\nlines\r\n\tand שלום"),
        (
            click.style("styled", fg="red", bold=True, dim=True),
            click.style("styled", fg="red", bold=True, dim=True),
        ),
    ],
)
def test_a_terminal_shows_what_would_command_it(written, shown):
    assert harmless(written) == shown


def test_no_policy_commands_a_terminal(folder, monkeypatch):
    policies = folder / "policies" / "main.yaml"
    policies.write_text(policies.read_text().replace("Short answers.", '"Short\\e[2J answers."'))
    status, told = on_a_terminal("explain", "fast")
    assert status == 0
    assert r"Short\u001b[2J answers." in told
    assert "\x1b[2J" not in told


def test_columns_bound_a_table(run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    told = run("explain", "fast").stdout
    table = told.partition("for any caller")[0]
    assert max(len(line) for line in table.splitlines()) <= 80
    assert "policies/main.yaml:8" in table


def test_no_figure_is_cut_however_narrow_the_terminal(run, monkeypatch):
    wide = run("usage").stdout.split()
    monkeypatch.setenv("COLUMNS", "30")
    assert run("usage").stdout.split() == wide


def test_out_starts_without_json():
    assert Out().json is False


@pytest.mark.parametrize("closed", [">&-", ">&- 2>&-"])
def test_a_closed_standard_output_is_no_failure(tmp_path, closed):
    command = f"{sys.executable} -m router check {closed}"
    (tmp_path / "policies").mkdir()
    text = "version: 1\nproviders: {openai: {}}\npolicies: {fast: {targets: [openai/gpt-5-nano]}}\n"
    (tmp_path / "policies" / "a.yaml").write_text(text)
    code = f"import subprocess; r = subprocess.run({command!r}, shell=True, stderr=-1); print(r.returncode, r.stderr)"
    assert shell(code, folder=tmp_path).stdout == "0 b''\n"
