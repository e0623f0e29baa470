"""`router demo`: the story it tells, that every figure in it is the ledger's, and that nothing of it stays running."""

import io
import json
import os
import shlex
import socket
import subprocess
import sys
import threading
import time
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from click.testing import CliRunner

from router import events as ev
from router.cli.app import app
from router.cli.demo_rows import Row
from router.cli.demo_rows import told as told_row
from router.cli.demo_story import Call, Scene
from router.cli.demo_table import Widths, cost, remarks, row_line, widths_for
from router.errors import BudgetExceeded, TargetsExhausted
from router.values import Kind

CHECKOUT = Path(__file__).resolve().parents[2]
NANO, HAIKU, FLASH = "openai/gpt-5-nano", "anthropic/claude-haiku-4-5", "gemini/gemini-2.5-flash-lite"
SONNET, GPT_5 = "anthropic/claude-sonnet-4-6", "openai/gpt-5"

SEARCH, LEGAL, INTERN = "acme/search", "acme/legal", "acme/intern"
STORY = [
    # an ordinary morning
    (SEARCH, "cheap-fast", "answered", NANO, []),
    (SEARCH, "cheap-fast", "answered", NANO, []),
    (LEGAL, "smart", "answered", GPT_5, []),
    (LEGAL, "smart", "answered", GPT_5, []),
    (INTERN, "cheap-fast", "answered", NANO, []),
    # asked again
    (SEARCH, "cheap-fast", "cached", NANO, []),
    (SEARCH, "cheap-fast", "cached", NANO, []),
    (LEGAL, "cheap-fast", "answered", NANO, []),
    # rate limits, server errors, providers down
    (SEARCH, "cheap-fast", "answered", NANO, [(NANO, "rate_limited", 429)]),
    (SEARCH, "cheap-fast", "answered", HAIKU, [(NANO, "rate_limited", 429)]),
    (SEARCH, "cheap-fast", "answered", NANO, [(NANO, "server_error", 500)]),
    (SEARCH, "cheap-fast", "answered", HAIKU, [(NANO, "server_error", 500), (NANO, "server_error", 502)]),
    (
        SEARCH,
        "cheap-fast",
        "answered",
        FLASH,
        [(NANO, "overloaded", 503)] * 2 + [(HAIKU, "overloaded", 529)] * 2,
    ),
    (
        SEARCH,
        "cheap-fast",
        "answered",
        "groq/openai/gpt-oss-20b",
        [(NANO, "server_error", 500)] * 2
        + [(HAIKU, "overloaded", 529)] * 2
        + [(FLASH, "overloaded", 503)] * 2,
    ),
    # keys, connections, time
    (SEARCH, "cheap-fast", "answered", HAIKU, [(NANO, "auth", 401)]),
    (SEARCH, "cheap-fast", "answered", HAIKU, [(NANO, "quota", 429)]),
    (SEARCH, "cheap-fast", "answered", NANO, [(NANO, "connection", None)]),
    (SEARCH, "cheap-fast", "answered", NANO, [(NANO, "connection", None)]),
    (SEARCH, "cheap-fast", "failed", "DeadlineExceeded", [(NANO, "timeout", None)]),
    # content and length
    (LEGAL, "smart", "answered", SONNET, [(GPT_5, "content_filter", 400)]),
    (SEARCH, "cheap-fast", "failed", "TargetsExhausted", [(NANO, "content_filter", 400)]),
    (LEGAL, "smart", "answered", SONNET, [(GPT_5, "context_window", 400)]),
    (LEGAL, "smart", "answered", "gemini/gemini-2.5-pro", []),
    # money and rights
    *[(INTERN, "cheap-fast", "answered", NANO, [])] * 5,
    (
        INTERN,
        "cheap-fast",
        "refused",
        "BudgetExceeded",
        None,
    ),  # how many targets were too dear is the prices' matter
    (INTERN, "cheap-fast", "cached", NANO, []),
    (INTERN, "smart", "refused", "NoRoute", []),
    (LEGAL, "smart", "refused", "NoRoute", []),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One run of the command as a person starts it, away from a terminal. Lines with the seconds they came after."""

    folder: Path
    lines: tuple[tuple[float, str], ...]
    errors: str
    code: int

    @property
    def text(self) -> str:
        return "\n".join(line for _, line in self.lines)

    @property
    def commands(self) -> list[str]:
        found = [line.strip() for _, line in self.lines if "--policies" in line]
        assert len(found) == 4, self.text
        return found


def environment(**more: str) -> dict[str, str]:
    """A user's: no settings, no keys, and a proxy that leads nowhere."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    nowhere = dict.fromkeys(("HTTP_PROXY", "http_proxy", "ALL_PROXY"), "http://127.0.0.1:9")
    return {**kept, **nowhere, "PYTHONPATH": str(CHECKOUT), **more}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    folder = tmp_path_factory.mktemp("empty")
    began_s = time.monotonic()
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "router", "demo"],
        cwd=folder,
        env=environment(COLUMNS="80"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        lines = tuple((time.monotonic() - began_s, line.rstrip("\n")) for line in running.stdout)
        errors = running.stderr.read()
    return Told(folder=folder, lines=lines, errors=errors, code=running.returncode)


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One run with `--json`, in this process."""

    folder: Path
    value: Any
    errors: str
    threads: tuple[set[threading.Thread], set[threading.Thread]]  # before, after
    environ: tuple[dict[str, str], dict[str, str]]


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> Document:
    folder = tmp_path_factory.mktemp("empty")
    before, environ = set(threading.enumerate()), dict(os.environ)
    with chdir(folder):
        result = CliRunner().invoke(app, ["demo", "--json"], prog_name="router")
    assert result.exit_code == 0, result.output
    return Document(
        folder=folder,
        value=json.loads(result.stdout),
        errors=result.stderr,
        threads=(before, set(threading.enumerate())),
        environ=(environ, dict(os.environ)),
    )


# --- The story --------------------------------------------------------------------------------------------------------


def test_who_asked_who_answered_and_what_failed_before(document: Document) -> None:
    rows = document.value["rows"]
    assert len(rows) == len(STORY)
    for row, (tenant, policy, outcome, end, setbacks) in zip(rows, STORY, strict=True):
        assert (row["tenant"], row["policy"], row["outcome"]) == (tenant, policy, outcome), row
        assert (row["target"] or row["error"]) == end, row
        if setbacks is not None:
            assert [(each["target"], each["why"], each["status"]) for each in row["setbacks"]] == setbacks, (
                row
            )


def test_it_names_what_came_next(document: Document) -> None:
    thens = {row["number"]: [each["then"] for each in row["setbacks"]] for row in document.value["rows"]}
    assert thens[9] == ["retried after 400ms, as told"]
    assert thens[10] == ["asked to wait 30s: next target"]
    retried, fell_back = thens[12]
    assert retried.startswith("retried after ")
    assert fell_back == "next target"
    assert thens[19] == ["that was the end"]


def test_a_deadline_of_one_second_ends_after_one(document: Document) -> None:
    row = document.value["rows"][18]
    assert row["error"] == "DeadlineExceeded"
    assert 0.99 <= row["duration_s"] < 2  # to 50 ms: tests of the transport


def test_what_was_sent_and_not_answered_is_charged_at_its_worst_case(document: Document) -> None:
    for number in (17, 18, 19):
        row = document.value["rows"][number - 1]
        assert row["setbacks"][0]["charged_nusd"] > 0
        assert row["cost_nusd"] >= row["setbacks"][0]["charged_nusd"]


def test_the_rule_that_chose_is_told(document: Document) -> None:
    rules = [row["rule"] for row in document.value["rows"] if row["rule"]]
    assert rules == ["long-document"]


def test_three_teams_make_a_few_dozen_calls(document: Document) -> None:
    assert {row["tenant"] for row in document.value["rows"]} == {SEARCH, LEGAL, INTERN}
    assert len(document.value["rows"]) > 24


# --- Money ------------------------------------------------------------------------------------------------------------


def test_the_rows_add_up_to_what_the_ledger_holds(document: Document) -> None:
    rows = document.value["rows"]
    for budget in document.value["budgets"]:
        own = [row for row in rows if f"{row['tenant']}/".startswith(f"{budget['tenant']}/")]
        assert budget["calls"] == len(own)
        assert budget["now"]["settled"] == sum(row["cost_nusd"] for row in own)
        assert budget["now"]["reserved"] == 0
        assert budget["now"]["left"] >= 0
    assert [each["tenant"] for each in document.value["budgets"]] == ["acme", INTERN, LEGAL, SEARCH]


def test_the_intern_is_stopped_with_less_left_than_one_more_may_cost(document: Document) -> None:
    intern = next(each for each in document.value["budgets"] if each["tenant"] == INTERN)
    stopped = next(row for row in document.value["rows"] if row["error"] == "BudgetExceeded")
    assert stopped["cost_nusd"] == 0
    assert "tenants.yaml:" in stopped["message"]
    assert f"{intern['now']['left'] / 1e9:.9f}".rstrip("0") in stopped["message"]


def test_a_cached_answer_costs_nothing(document: Document) -> None:
    cached = [row for row in document.value["rows"] if row["outcome"] == "cached"]
    assert len(cached) == 3
    assert {row["cost_nusd"] for row in cached} == {0}


# --- As a person sees it ----------------------------------------------------------------------------------------------


def test_it_ends_well_and_says_nothing_beside(told: Told) -> None:
    assert told.code == 0, told.errors
    assert told.errors == ""


def test_something_is_told_long_before_litellm_is_there(told: Told) -> None:
    first_s, last_s = told.lines[0][0], told.lines[-1][0]
    assert "router demo" in told.lines[0][1]
    assert first_s < last_s / 4


def test_plain_text_of_eighty_columns(told: Told) -> None:
    assert "\x1b" not in told.text
    assert "\r" not in told.text
    wide = [line for _, line in told.lines if len(line) > 80 and line.strip() not in told.commands]
    assert wide == []


def test_the_table_tells_the_story(told: Told) -> None:
    for words in (
        "who asked    policy      answered by",
        "after gpt-5-nano: rate_limited 429, retried after 400ms, as told",
        "$0 cached",
        "no answer: DeadlineExceeded",
        "no answer: BudgetExceeded",
        "by the rule `long-document`",
        "acme/intern",
    ):
        assert words in told.text, told.text


def test_progress_goes_beside_a_document(document: Document) -> None:
    assert "litellm was there after" in document.errors
    assert "a rate limit that ends soon is waited for" in document.errors


# --- The commands that follow -----------------------------------------------------------------------------------------


def follow(told: Told, command: str, *more: str) -> subprocess.CompletedProcess[str]:
    """Paste `command` into a shell where the demo ran."""
    python = Path(sys.executable)
    path = f"{python.parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["sh", "-c", " ".join((command, *more))],
        cwd=told.folder,
        env=environment(PATH=path),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_usage_as_printed_shows_the_same_money(told: Told) -> None:
    usage = told.commands[0]
    assert " usage " in usage
    shown = follow(told, usage)
    assert shown.returncode == 0, shown.stderr
    assert "acme/intern" in shown.stdout
    report = json.loads(follow(told, usage, "--json").stdout)
    spent = {group["values"][0]: group["spend"]["spent_nusd"] for group in report["tables"][0]["groups"]}
    assert set(spent) == {SEARCH, LEGAL, INTERN}
    for tenant, nusd in spent.items():
        assert f"{nusd / 1e9:.6f}" in told.text, tenant


@pytest.mark.parametrize(
    ("at", "code", "words"),
    [(1, 0, "tried in this order"), (2, 0, "long-document"), (3, 1, "what to change")],
    ids=["a policy for a team", "the rules", "why the intern is stopped"],
)
def test_explain_as_printed_works(told: Told, at: int, code: int, words: str) -> None:
    command = told.commands[at]
    assert " explain " in command
    shown = follow(told, command)
    assert (shown.returncode, "Traceback" in shown.stderr) == (code, False), shown.stderr
    assert words in shown.stdout
    assert "acme" in shown.stdout


def test_a_shell_with_another_state_is_told_which(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from router.cli.demo_next import next_commands

    policies = tmp_path / "a b" / "policies"
    monkeypatch.setattr(sys, "argv", ["some-test-runner"])
    assert next_commands(policies)[0].command == f"router usage --policies '{policies}'"
    monkeypatch.setenv("ROUTER_STATE", "sqlite:///elsewhere.db")
    assignment, *_ = shlex.split(next_commands(policies)[0].command)
    assert assignment == f"ROUTER_STATE=sqlite:///{tmp_path}/a b/.router/state.db"


def test_a_command_is_named_as_it_was_called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from router.cli.demo_next import next_commands

    program = tmp_path / "bin" / "router"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "argv", [str(program)])
    monkeypatch.setenv("PATH", "/nowhere")
    assert next_commands(Path("p"))[0].command == f"{program} usage --policies p"
    monkeypatch.setenv("PATH", str(program.parent))
    assert next_commands(Path("p"))[0].command == "router usage --policies p"


# --- What it leaves ---------------------------------------------------------------------------------------------------


def test_no_thread_stays(document: Document) -> None:
    before, after = document.threads
    own = {thread.name for thread in after - before if thread.is_alive()}
    assert own == set()


def test_the_environment_is_as_it_was(document: Document) -> None:
    before, after = document.environ
    assert {**after, "PYTEST_CURRENT_TEST": ""} == {**before, "PYTEST_CURRENT_TEST": ""}


def test_nobody_listens_any_more(told: Told) -> None:
    address = next(line for _, line in told.lines if "http://127.0.0.1:" in line).rpartition(" ")[2]
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", urlsplit(address).port or 0)) != 0


def test_it_leaves_one_private_folder_that_git_ignores(told: Told) -> None:
    assert [each.name for each in told.folder.iterdir()] == [".router-demo"]
    folder = told.folder / ".router-demo"
    assert folder.stat().st_mode & 0o077 == 0
    assert {each.name for each in folder.iterdir()} == {".gitignore", "policies", ".router"}
    assert (folder / ".gitignore").read_text(encoding="utf-8").splitlines()[-1] == "*"
    shipped = {each.name: each.read_bytes() for each in (CHECKOUT / "policies").iterdir()}
    assert {each.name: each.read_bytes() for each in (folder / "policies").iterdir()} == shipped


def test_a_second_run_starts_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from router.cli.demo_stage import copied_policies, fresh_folder

    monkeypatch.chdir(tmp_path)
    folder = fresh_folder()
    copied_policies(folder)
    (folder / "policies" / "mine.yaml").write_text("version: 1\n")
    assert fresh_folder() == folder
    assert [each.name for each in folder.iterdir()] == [".gitignore"]


@pytest.mark.parametrize("what", ["folder", "file", "link"])
def test_what_it_did_not_make_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    from router.cli.demo_stage import FOLDER, fresh_folder

    monkeypatch.chdir(tmp_path)
    theirs, elsewhere = tmp_path / FOLDER, tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "keep").write_text("me")
    if what == "folder":
        theirs.mkdir()
        (theirs / "keep").write_text("me")
    elif what == "file":
        theirs.write_text("keep me")
    else:
        theirs.symlink_to(elsewhere)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    made = fresh_folder()
    assert made.parent == tmp_path
    assert made.name.startswith("router-demo-")
    assert (elsewhere / "keep").read_text() == "me"
    assert theirs.is_symlink() or theirs.is_file() or (theirs / "keep").read_text() == "me"


# --- On a terminal ----------------------------------------------------------------------------------------------------


class Terminal(io.StringIO):
    """A stream that a person looks at."""

    def isatty(self) -> bool:
        return True


def test_a_terminal_sees_one_line_written_over(monkeypatch: pytest.MonkeyPatch) -> None:
    from router.cli.demo_progress import CLEAR, LiveLine

    monkeypatch.setenv("COLUMNS", "20")
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    with LiveLine(stream) as live:
        live.show("loading")
        live.show("a line that is wider than the screen")
    assert stream.getvalue() == f"{CLEAR}loading{CLEAR}a line that is wide{CLEAR}"


@pytest.mark.parametrize(("stream", "term"), [(io.StringIO(), "xterm"), (Terminal(), "dumb")])
def test_elsewhere_nothing_is_written_over(
    stream: io.StringIO, term: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from router.cli.demo_progress import LiveLine

    monkeypatch.setenv("TERM", term)
    with LiveLine(stream) as live:
        live.show("loading")
    assert stream.getvalue() == ""


# --- Rows from events -------------------------------------------------------------------------------------------------

NEW = {"number": 1, "scene": "a scene", "tenant": "acme", "user": None, "policy": "fast"}
FACT = {"request_id": "r", "at_s": 0.0}


def attempt_failed(id: str, target: str = NANO, **fields: Any) -> ev.AttemptFailed:
    values = {"key": None, "kind": Kind.OVERLOADED, "status": 503, "retry_after_s": None, "duration_s": 0.1}
    return ev.AttemptFailed(**FACT, attempt=id, target=target, message="", **{**values, **fields})


def settled(id: str, cost_nusd: int | None) -> ev.Settled:
    return ev.Settled(
        **FACT, attempt=id, cost_nusd=cost_nusd, worst_nusd=9, how="reported", bound_exceeded=False
    )


def test_each_failure_is_charged_what_its_own_attempt_was() -> None:
    events = [
        attempt_failed("a"),
        settled("a", 0),
        attempt_failed("b", kind=Kind.TIMEOUT, status=None),
        settled("b", 7),
        settled("c", 5),
        ev.RequestAnswered(**FACT, target=HAIKU, cached=False, cost_nusd=5, attempts=3, duration_s=0.3),
    ]
    row = told_row(Row(**NEW), events, None)
    assert [each.charged_nusd for each in row.setbacks] == [0, 7]
    assert (row.cost_nusd, row.outcome, row.target, row.duration_s) == (12, "answered", HAIKU, 0.3)


def test_a_model_without_a_price_costs_nothing_in_the_table() -> None:
    assert told_row(Row(**NEW), [settled("a", None)], None).cost_nusd == 0


def test_what_did_not_fit_a_budget_is_a_setback_before_an_answer_and_the_message_of_a_refusal() -> None:
    refused = ev.ReserveRefused(
        **FACT, target=NANO, kind=Kind.OVER_BUDGET, worst_nusd=9, shortfalls=("too dear",), seq=1
    )
    fell = ev.FellBack(**FACT, from_target=NANO, to_target=HAIKU, kind=Kind.OVER_BUDGET)
    sent = ev.AttemptSent(**FACT, attempt="a", target=HAIKU, key=None, timeout_s=1.0)
    answered = ev.RequestAnswered(**FACT, target=HAIKU, cached=False, cost_nusd=5, attempts=1, duration_s=0.3)
    row = told_row(Row(**NEW), [refused, fell, sent, answered], None)
    assert list(remarks(row, WIDTHS)) == ["          after gpt-5-nano: over_budget, not sent: next target"]
    error = BudgetExceeded("over budget", budget="tenant:acme", needed=9, available=1, resets_at_s=None)
    stopped = told_row(Row(**NEW), [refused], error)
    assert stopped.outcome == "refused"
    assert list(remarks(stopped, WIDTHS)) == ["          over budget"]


# --- Lines of the table -----------------------------------------------------------------------------------------------

WIDTHS = Widths(tenant=6, policy=6, target=30, screen=80)


def test_costs_are_as_fine_as_the_eye_needs() -> None:
    assert [cost(nusd) for nusd in (0, 15_400, 999_999_999, 1_500_000_000, -2_000)] == [
        "$0",
        "$0.000015",
        "$1.000000",
        "$1.50",
        "$-0.000002",
    ]


def test_a_narrow_screen_wraps_what_failed_and_no_row_is_cut() -> None:
    story = [Scene(title="", calls=(Call(tenant="acme", asks="?", policy="fast"),))]
    narrow = widths_for(story, [HAIKU], screen=20)
    sent = ev.AttemptSent(**FACT, attempt="a", target=NANO, key=None, timeout_s=1.0)
    failures = [sent, attempt_failed("a", retry_after_s=30.0)] * 3
    row = told_row(Row(**NEW), failures, TargetsExhausted("no", attempts=()))
    lines = list(remarks(row, narrow))
    assert max(map(len, lines)) <= 60
    assert " ".join(lines[0].split()) == "after gpt-5-nano: overloaded 503, asked to wait"
    assert len(lines) == 6
    assert "no answer: TargetsExhausted" in row_line(row, narrow)
