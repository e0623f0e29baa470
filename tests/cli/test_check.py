"""`router check`."""

import os
import sys
from pathlib import Path

import pytest

from router.tools.reports import FORMATS
from tests.cli.terminal import on_a_terminal

CHECKOUT = Path(__file__).resolve().parents[2]

BROKEN = """\
version: 1
providers: {openai: {}}
policies:
  a:
    targets: [openai/gpt-5-nanoo, nope/x]
    retyr: {}
"""


def test_fine_policies_are_counted(run, folder):
    assert run("check").stdout.endswith("\nfine: 2 policies, 2 targets, 3 tenants in 1 file; 1 warning\n")
    file = folder / "policies" / "main.yaml"
    file.write_text(file.read_text().replace("$0.0001", "$1"))
    assert run("check").stdout == "fine: 2 policies, 2 targets, 3 tenants in 1 file\n"


def test_every_problem_of_every_file_in_one_run(run, folder):
    (folder / "policies" / "b.yaml").write_text(BROKEN)
    (folder / "policies" / "a.yaml").write_text(
        "version: 1\npolicies: {x: {targets: [openai/gpt-5-nano]}}\nmore: 1\n"
    )
    lines = run("check", code=1).stdout.splitlines()
    problems = [line for line in lines if not line.startswith(" ") and ": error: " in line]
    places = [line.partition(": error: ")[0] for line in problems]
    assert places == sorted(places, key=lambda place: (place.split(":")[0], *map(int, place.split(":")[1:])))
    assert {place.split(":")[0] for place in places} >= {"policies/a.yaml", "policies/b.yaml"}
    assert "policies/b.yaml:6:5: error: unknown key `retyr` in a policy [unknown-key]" in problems
    assert "    help: did you mean `retry`?" in lines
    assert lines[-1] == f"{len(problems)} errors in 3 files"


def test_one_file_may_be_checked_alone(run, folder):
    file = folder / "one.yaml"
    file.write_text(BROKEN)
    assert "one.yaml:5:" in run("check", str(file), code=1).stdout


def test_where_policies_are(run, folder, monkeypatch):
    (folder / "there").mkdir()
    (folder / "there" / "b.yaml").write_text(BROKEN)
    monkeypatch.setenv("ROUTER_POLICIES", "there")
    assert "there/b.yaml" in run("check", code=1).stdout
    assert "fine" in run("check", "--policies", "policies").stdout


def test_nothing_there_says_what_to_do(run, folder):
    (folder / "policies" / "main.yaml").unlink()
    (folder / "policies").rmdir()
    told = run("check", code=2).stderr
    assert told.startswith("error: there are no policies at `policies`\nhelp: ")
    assert "router init" in told
    assert "router init" in run("check", "nowhere", code=1).stdout


def test_a_warning_is_a_problem_only_when_strict(run, folder, document):
    file = folder / "policies" / "main.yaml"
    file.write_text(file.read_text().replace("ceiling: {input_tokens: 10k, output_tokens: 400}", "", 1))
    assert run("check").stdout.splitlines()[-1].endswith(" in 1 file; 1 warning")
    assert "with --strict a warning is a problem" in run("check", "--strict", code=1).stdout
    told = document("check", "--strict", code=1)
    assert (told["ok"], told["errors"], told["warnings"]) == (False, 0, 1)
    assert document("check")["ok"] is True


def test_the_document_has_a_place_for_every_problem(document, folder):
    (folder / "policies" / "main.yaml").write_text(BROKEN)
    told = document("check", code=1)
    assert list(told) == ["ok", "files", "errors", "warnings", "notes", "problems", "plan"]
    assert told["plan"] is None
    assert told["files"] == ["policies/main.yaml"]
    (typo,) = [each for each in told["problems"] if each["code"] == "unknown-key"]
    assert list(typo) == ["code", "message", "place", "help", "severity", "also"]
    assert typo["place"] == {"file": "policies/main.yaml", "line": 6, "column": 5}


def test_the_document_of_fine_policies_names_them(document):
    plan = document("check")["plan"]
    assert plan["policies"] == ["fast", "night"]
    assert plan["tenants"] == ["acme", "acme/intern", "acme/search"]
    assert len(plan["digest"]) == 64


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_has_the_same_exit_codes(run, folder, format):
    assert run("check", "--format", format).stdout
    file = folder / "policies" / "main.yaml"
    file.write_text(file.read_text().replace("ceiling: {input_tokens: 10k, output_tokens: 400}", "", 1))
    assert run("check", "--format", format).stdout
    assert "no-output-ceiling" in run("check", "--strict", "--format", format, code=1).stdout
    file.write_text(BROKEN)
    assert "unknown-key" in run("check", "--format", format, code=1).stdout
    file.unlink()
    assert "no-policies" in run("check", "--format", format, code=1).stdout
    assert run("check", "--format", format, "--nope", code=2).stdout == "" or format == "json"


def test_json_has_two_names(run):
    assert run("check", "--format", "json").stdout == run("check", "--json").stdout
    told = run("check", "--json", "--format", "sarif", code=2)
    assert "choose one" in told.output


def test_an_unknown_format_names_the_known_ones(run):
    told = run("check", "--format", "xml", code=2).stderr
    assert "'sarif'" in told


def test_a_report_may_go_into_a_file(run, folder):
    (folder / "policies" / "main.yaml").write_text(BROKEN)
    told = run("check", "--format", "sarif", "--output", "router.sarif", code=1)
    assert told.stdout == f"{run('check', code=1).stdout.splitlines()[-1]}\n"
    printed = run("check", "--format", "sarif", code=1).stdout
    assert (folder / "router.sarif").read_text(encoding="utf-8") == printed


def test_a_file_that_cannot_be_written_is_wrong_usage(run):
    told = run("check", "--output", "nowhere/report.txt", code=2).stderr
    assert "`nowhere/report.txt` can't be written: no such file or directory" in told


def test_files_are_named_from_the_workspace_on_github(run, folder, monkeypatch):
    (folder / "policies" / "main.yaml").write_text(BROKEN)
    monkeypatch.setenv("GITHUB_WORKSPACE", str(folder.parent))
    told = run("check", "--format", "github", code=1).stdout
    assert f"file={folder.name}/policies/main.yaml," in told
    monkeypatch.setenv("GITHUB_WORKSPACE", "/home/runner/work/app")
    assert "file=policies/main.yaml," in run("check", "--format", "github", code=1).stdout


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere file names are characters, not bytes")
@pytest.mark.parametrize("format", FORMATS)
def test_a_file_name_that_is_no_text_is_told_all_the_same(run, folder, format):
    with open(os.fsencode(folder) + b"/policies/\xff.yaml", "w") as file:  # noqa: PTH123 - a path of bytes
        file.write("version: 2\n")
    shown = "%FF.yaml" if format == "sarif" else r"\udcff.yaml"
    assert shown in run("check", "--format", format, code=1).stdout
    run("check", "--format", format, "--output", "report", code=1)
    assert shown in (folder / "report").read_text(encoding="utf-8")


@pytest.mark.parametrize("output", ["policies/main.yaml", "link"])
def test_a_report_never_takes_the_place_of_policies(run, folder, output):
    main = folder / "policies" / "main.yaml"
    (folder / "link").symlink_to(main)
    before = main.read_bytes()
    told = run("check", "--format", "json", "--output", output, code=2)
    assert "may hold policies" in told.stdout + told.stderr
    assert main.read_bytes() == before


def test_colours_are_for_a_terminal(folder, monkeypatch):
    (folder / "policies" / "main.yaml").write_text(BROKEN)
    monkeypatch.delenv("NO_COLOR", raising=False)
    status, told = on_a_terminal("check")
    assert status == 1
    assert "\x1b[31m\x1b[1merror:\x1b[0m unknown key `retyr` in a policy \x1b[2m[unknown-key]\x1b[0m" in told
