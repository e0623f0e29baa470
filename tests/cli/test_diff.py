"""`router diff`."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.adapters.test_git_tree import commit, git


@pytest.fixture
def edited(folder: Path) -> Path:
    """`old` beside `policies`, which has one budget more than it and one ceiling less."""
    (folder / "old").mkdir()
    main = folder / "policies" / "main.yaml"
    (folder / "old" / "main.yaml").write_text(main.read_text())
    text = main.read_text().replace("per_day: $50", "per_day: $80", 1)
    main.write_text(
        text.replace("timeout: {total: 30s, attempt: 8s}", "timeout: {total: 30s, attempt: 9s}", 1)
    )
    return folder


@pytest.fixture
def repository(edited: Path) -> Path:
    """The old policies are committed as `policies`, and those of the working tree are not."""
    new = (edited / "policies" / "main.yaml").read_text()
    (edited / "policies" / "main.yaml").write_text((edited / "old" / "main.yaml").read_text())
    git(edited, "init", "--quiet", "--initial-branch=main")
    commit(edited)
    (edited / "policies" / "main.yaml").write_text(new)
    return edited


TOLD = """\
old -> policies

budgets and limits
  LOOSENS   tenant acme/search: budget.per_day $50 -> $80  policies/main.yaml:23, was old/main.yaml:23

settings
            policy fast: timeout.attempt 8s -> 9s  policies/main.yaml:10, was old/main.yaml:10

2 changed values; 1 of them loosens
"""


def test_a_change_is_told_and_ends_in_1(run, edited):
    assert run("diff", "old", "policies", code=1).stdout == TOLD
    assert run("diff", "old", code=1).stdout == TOLD


def test_files_are_compared_as_folders_are(run, edited):
    told = run("diff", "old/main.yaml", "policies/main.yaml", code=1).stdout
    assert told.partition("\n")[2] == TOLD.partition("\n")[2]


def test_no_change_in_meaning_ends_in_0(run, edited):
    main = edited / "policies" / "main.yaml"
    main.write_text(f"# the same\n{(edited / 'old' / 'main.yaml').read_text()}")
    assert run("diff", "old").stdout == "old -> policies\nno change in meaning\n"


@pytest.mark.parametrize(("when", "code"), [("changed", 1), ("loosened", 1), ("never", 0)])
def test_when_to_fail(run, edited, when, code):
    run("diff", "old", "--fail-on", when, code=code)


def test_what_only_tightens_may_pass(run, edited):
    run("diff", "policies", "old", "--fail-on", "loosened", code=0)
    run("diff", "policies", "old", code=1)


HANDED_OVER = """\
version: 1
providers: {{openai: {{}}}}
policies:
  chat:
    targets: [openai/gpt-5]
    ceiling: {{output_tokens: 400}}
    budget: {{per_day: {{at_most: $25, when_spent: {spent}}}}}
  cheap: {{targets: [openai/gpt-5-nano], ceiling: {{output_tokens: 400}}}}
tenants: {{{tenants}, beta: {{policies: all}}}}
"""


@pytest.mark.parametrize("tenants", ["company: {was: acme, policies: all}", "acme: {policies: [cheap]}", ""])
def test_what_takes_over_is_told_whatever_became_of_who_asked(run, document, folder, tenants):
    old, new = folder / "old.yaml", folder / "new.yaml"
    old.write_text(HANDED_OVER.format(spent="{policy: cheap}", tenants="acme: {policies: all}"))
    text = HANDED_OVER.format(spent="reject", tenants=tenants)
    new.write_text(text.replace("{, ", "{"))
    told = run("diff", str(old), str(new), "--fail-on", "never", code=0).stdout
    assert "policy chat: budget.per_day.when_spent policy cheap -> reject; a call of chat, tenant " in told
    assert "budget.per_day.when_spent" in {
        each["what"] for each in document("diff", str(old), str(new), code=1)["changes"]
    }


RENAMED = """\
version: 1
providers: {openai: {}}
policies: {chat: {targets: [openai/gpt-5], ceiling: {output_tokens: 400}}}
tenants: {%s}
"""


def test_a_rename_hides_nothing_that_loosens(run, folder):
    old, new = folder / "old.yaml", folder / "new.yaml"
    old.write_text(RENAMED % "acme: {policies: all, ceiling: {attempts: 1}, content: {log: never}}")
    new.write_text(
        RENAMED % "company: {was: acme, policies: all, ceiling: {attempts: 1}, content: {log: never}}"
    )
    run("diff", str(old), str(new), "--fail-on", "loosened", code=0)
    new.write_text(RENAMED % "company: {was: acme, policies: all}")
    told = run("diff", str(old), str(new), "--fail-on", "loosened", code=1).stdout
    assert "LOOSENS   tenant company: ceiling.attempts 1 -> none" in told
    assert told.endswith("3 changed values; 2 of them loosen\n")


def test_the_document(document, edited):
    told = document("diff", "old", code=1)
    assert list(told) == [
        "same",
        "loosened",
        "old",
        "new",
        "routes",
        "changes",
        "bounds",
        "new_findings",
        "gone_findings",
        "unfinished",
    ]
    assert (told["same"], told["loosened"], told["old"]["source"]) == (False, 1, "old")
    assert told["old"]["digest"] != told["new"]["digest"]
    assert told["changes"][0] == {
        "area": "budgets",
        "subjects": ["tenant acme/search"],
        "what": "budget.per_day",
        "before": "$50",
        "after": "$80",
        "text": "budget.per_day $50 -> $80",
        "effect": "loosens",
        "old_place": {"file": "old/main.yaml", "line": 23, "column": 14},
        "new_place": {"file": "policies/main.yaml", "line": 23, "column": 14},
    }


def test_a_route_in_the_document_has_its_witness(document, edited):
    main = edited / "policies" / "main.yaml"
    main.write_text(main.read_text().replace("over: 5k", "over: 4k", 1))
    (route,) = document("diff", "old", code=1)["routes"]
    assert list(route) == ["asked", "before", "after", "settings", "effect", "also"]
    assert route["asked"]["text"] == "tenant acme, no tag, 4001 tokens of input"
    assert route["asked"]["witness"]["input_tokens"] == 4001
    assert route["before"]["targets"] == ["anthropic/claude-haiku-4-5"]
    assert (route["after"]["targets"], route["after"]["reject"]) == ([], "too long for us")
    assert route["effect"] == "tightens"


def test_new_has_one_name(run, edited):
    assert "choose one" in run("diff", "old", "policies", "--policies", "old", code=2).stderr
    assert run("diff", "old", "--policies", "old").stdout == "old -> old\nno change in meaning\n"


def test_json_has_two_names(run, edited):
    told = run("diff", "old", "--json", code=1).stdout
    assert told == run("diff", "old", "--format", "json", code=1).stdout
    assert "choose one" in run("diff", "old", "--json", "--format", "github", code=2).output


def test_annotations_stand_on_the_lines_of_the_new_side(run, edited, monkeypatch):
    monkeypatch.setenv("GITHUB_WORKSPACE", str(edited.parent))
    lines = run("diff", "old", "--format", "github", code=1).stdout.splitlines()
    file = f"{edited.name}/policies/main.yaml"
    budget = "loosens: tenant acme/search: budget.per_day $50 -> $80"
    assert lines == [
        f"::warning file={file},line=23,col=14,title=changed-budgets::{budget}",
        f"::notice file={file},line=10,col=27,title=changed-settings::policy fast: timeout.attempt 8s -> 9s",
        "2 changed values; 1 of them loosens",
    ]


def test_what_was_taken_out_and_permits_more_is_annotated_too(run, edited):
    """It stands on no line any more, and is what a reviewer must not miss."""
    policies = edited / "policies" / "main.yaml"
    policies.write_text(policies.read_text().replace("{per_day: $80}", "{per_month: $80}"))
    lines = run("diff", "old", "--format", "github", code=1).stdout.splitlines()
    gone = [line for line in lines if "budget.per_day $50 -> none" in line]
    assert gone == [
        "::warning title=changed-budgets::loosens: tenant acme/search: budget.per_day $50 -> none"
    ]


@pytest.mark.parametrize("side", ["old", "policies"])
def test_a_side_with_errors_is_not_compared(run, edited, document, side):
    (edited / side / "main.yaml").write_text(
        "version: 1\nproviders: {openai: {}}\npolicies: {a: {target: []}}\n"
    )
    told = run("diff", "old", code=2)
    assert told.stdout == ""
    assert f"{side}/main.yaml:3:16: error: unknown key `target` in a policy [unknown-key]" in told.stderr
    assert f"error: `{side}` has 1 error: nothing is compared" in told.stderr
    found = document("diff", "old", code=2)["error"]
    assert (found["type"], len(found["problems"])) == ("PolicyError", 1)


def test_a_side_that_is_nowhere(run, edited):
    told = run("diff", "nowhere", code=2).stderr
    assert told.startswith("error: there is no file or folder `nowhere`, and no git repository at `policies`")
    assert run("diff", code=2).stderr.startswith("error: missing argument")


# --- Revisions --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sides", "name"),
    [
        (("HEAD",), "HEAD"),
        (("main",), "main"),
        (("HEAD", "policies"), "HEAD"),
        (("main:policies", "policies"), "main"),
        (("main:./policies",), "main"),
        (("main:other/.././policies//",), "main"),
        (("HEAD:old", "policies"), "HEAD"),
    ],
)
def test_a_revision_against_the_working_tree(run, repository, sides, name):
    path = "old" if ":old" in sides[0] else "policies"
    expected = TOLD.replace("old -> ", f"{name}:{path} -> ").replace("was old/", f"was {name}:{path}/")
    assert run("diff", *sides, code=1).stdout == expected


def test_two_revisions(run, repository):
    commit(repository)
    assert "2 changed values" in run("diff", "HEAD~1", "HEAD", code=1).stdout
    assert run("diff", "HEAD", "HEAD").stdout.endswith("no change in meaning\n")
    assert run("diff", "HEAD").stdout.endswith("no change in meaning\n")


def test_from_a_folder_below_and_from_elsewhere(run, repository, monkeypatch, tmp_path):
    monkeypatch.chdir(repository / "policies")
    assert "2 changed values" in run("diff", "HEAD", ".", code=1).stdout
    assert "2 changed values" in run("diff", "HEAD:./", ".", code=1).stdout
    monkeypatch.chdir("/")
    assert "2 changed values" in run("diff", "HEAD", str(repository / "policies"), code=1).stdout
    assert (
        "2 changed values" in run("diff", "HEAD", "--policies", str(repository / "policies"), code=1).stdout
    )


def test_the_file_of_a_revision_that_has_errors(run, repository):
    (repository / "policies" / "main.yaml").write_text("version: 1\nmore: 1\n")
    commit(repository)
    told = run("diff", "HEAD~1", "HEAD", code=2).stderr
    assert "HEAD:policies/main.yaml:2:1: error: " in told


@pytest.mark.parametrize(
    ("side", "told"),
    [
        ("nope", "there is no revision `nope`"),
        ("HEAD~9", "there is no revision `HEAD~9`"),
        ("HEAD:nowhere", "there is nothing at `nowhere` in revision `HEAD`"),
        ("HEAD:../outside", "is not in the repository"),
        ("HEAD:policies/../../outside", "leads out of the repository"),
        (":policies", "`''` is no revision"),
        ("x" * 5_000, "there is no revision `xxx"),
    ],
)
def test_what_git_does_not_have(run, repository, side, told):
    assert told in run("diff", side, code=2).stderr


def test_a_revision_is_no_option(run, repository):
    assert "`'--output=x'` is no revision" in run("diff", "--", "--output=x", code=2).stderr
    assert not (repository / "x").exists()


def test_nothing_in_the_repository_is_touched(run, repository):
    def state() -> str:
        return subprocess.run(
            ["git", "-C", str(repository), "status", "--porcelain=v2", "--branch"],
            check=True,
            capture_output=True,
            text=True,
            timeout=60,
        ).stdout

    before = state()
    json.loads(run("diff", "HEAD", "--json", code=1).stdout)
    assert state() == before
