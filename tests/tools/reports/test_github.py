"""Workflow commands, read back as GitHub's runner reads them."""

import re

from router.tools.reports.github import as_github
from tests.tools.reports.cases import AWKWARD, CLASH, EVERY, NOTE, TYPO, WARNING, WHOLE_FILE, report

COMMAND = re.compile(r"::(error|warning|notice) ([^:]*)::(.*)")
UNESCAPED = (("%3A", ":"), ("%2C", ","), ("%0D", "\r"), ("%0A", "\n"), ("%25", "%"))


def unescaped(text: str, *, value: bool) -> str:
    for escape, character in UNESCAPED if value else UNESCAPED[2:]:
        text = text.replace(escape, character)
    return text


def read(line: str) -> tuple[str, dict[str, str], str]:
    found = COMMAND.fullmatch(line)
    assert found is not None, line
    properties = dict(each.split("=", 1) for each in found[2].split(","))
    return (
        found[1],
        {name: unescaped(value, value=True) for name, value in properties.items()},
        unescaped(found[3], value=False),
    )


def test_a_problem_is_one_line_with_its_place_and_code():
    assert as_github(report(TYPO)).splitlines() == [
        (
            "::error file=policies/b.yaml,line=6,col=5,title=unknown-key::unknown key `retyr` in a policy"
            "%0Ahelp: did you mean `retry`?"
        ),
        "1 error in 2 files",
    ]


def test_severities_are_the_runners_own():
    assert [read(line)[0] for line in as_github(report(TYPO, WARNING, NOTE)).splitlines()[:-1]] == [
        "error",
        "warning",
        "notice",
    ]


def test_whatever_a_name_or_message_holds_is_read_back():
    (line, _) = as_github(report(AWKWARD)).split("\n")
    _, properties, text = read(line)
    assert properties == {"file": AWKWARD.place.file, "line": "1", "col": "2", "title": "wrong-form"}
    assert text == AWKWARD.message


def test_a_whole_file_has_no_line():
    assert read(as_github(report(WHOLE_FILE)).splitlines()[0])[1] == {
        "file": "policies/c.yaml",
        "title": "encoding",
    }


def test_the_other_place_is_named():
    assert "policies/a.yaml:4:3" in read(as_github(report(CLASH)).splitlines()[0])[2]


def test_files_are_named_from_the_workspace():
    line = as_github(report(TYPO, cwd="/repo/service", root="/repo")).splitlines()[0]
    assert read(line)[1]["file"] == "service/policies/b.yaml"


def test_every_problem_is_a_command_and_nothing_else_is():
    lines = as_github(report(*EVERY)).split("\n")
    assert sum(line.startswith("::") for line in lines) == len(EVERY) == len(lines) - 1
