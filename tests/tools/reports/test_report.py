"""What fails, and how files are named."""

import json

import pytest

from router.tools.reports import FORMATS, reporter
from router.tools.reports.document import as_json
from router.tools.reports.text import as_text
from tests.tools.reports.cases import AWKWARD, CLASH, EVERY, NOTE, TYPO, WARNING, WHOLE_FILE, report


@pytest.mark.parametrize(
    ("problems", "strict", "fails"),
    [
        ((), True, False),
        ((NOTE,), True, False),
        ((WARNING,), False, False),
        ((WARNING,), True, True),
        ((TYPO,), False, True),
    ],
)
def test_errors_fail_warnings_when_strict_and_notes_never(problems, strict, fails):
    assert report(*problems, strict=strict).fails is fails


@pytest.mark.parametrize(
    ("cwd", "root", "file", "within"),
    [
        ("/repo", "/repo", "policies/a.yaml", "policies/a.yaml"),
        ("/repo/app", "/repo", "policies/a.yaml", "app/policies/a.yaml"),
        ("/repo/app", "/repo", "../policies/a.yaml", "policies/a.yaml"),
        ("/repo", "/repo", "/repo/policies/./a.yaml", "policies/a.yaml"),
        ("/repo", "/repo", "/repository/a.yaml", "/repository/a.yaml"),
        ("/repo", "/repo", "../a.yaml", "/a.yaml"),
    ],
)
def test_files_are_named_from_the_root_of_the_repository(cwd, root, file, within):
    assert report(cwd=cwd, root=root).within(file) == within


@pytest.mark.parametrize("format", FORMATS)
def test_a_format_is_a_pure_function(format):
    assert reporter(format)(report(*EVERY)) == reporter(format)(report(*EVERY))
    assert not reporter(format)(report(*EVERY)).endswith("\n")


def test_text_is_one_line_a_problem_with_its_help_and_the_other_place():
    assert as_text(report(TYPO, CLASH, WHOLE_FILE)).splitlines() == [
        "policies/b.yaml:6:5: error: unknown key `retyr` in a policy [unknown-key]",
        "    help: did you mean `retry`?",
        "policies/b.yaml:9:3: error: policy `fast` is declared twice (also policies/a.yaml:4:3) [duplicate-name]",
        "    help: keep one, or write `{env: NAME}` or `{0}`",
        "policies/c.yaml: error: not UTF-8 text (byte 3) [encoding]",
        "",
        "3 errors in 3 files",
    ]


def test_text_without_paint_is_the_problem_as_it_prints_itself():
    assert [as_text(report(each)).partition("\n\n")[0] for each in EVERY] == [str(each) for each in EVERY]


def test_text_of_fine_files_is_one_line():
    assert as_text(report()) == "fine: 0 policies, 0 targets, 0 tenants in 2 files"
    assert as_text(report(WARNING)).endswith("fine: 0 policies, 0 targets, 0 tenants in 2 files; 1 warning")
    assert as_text(report(WARNING, NOTE, strict=True)).endswith(
        "\n\n1 warning, 1 note in 2 files (with --strict a warning is a problem)"
    )


def test_json_holds_everything():
    told = json.loads(as_json(report(*EVERY, strict=True)))
    assert [each["code"] for each in told["problems"]] == [each.code for each in EVERY]
    assert told["problems"][3]["also"] == {"file": "policies/a.yaml", "line": 4, "column": 3}
    assert told["problems"][5]["message"] == AWKWARD.message
    assert (told["ok"], told["errors"], told["warnings"], told["notes"]) == (False, 4, 1, 1)
