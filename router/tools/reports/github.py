"""For GitHub Actions: workflow commands, which the runner shows as annotations on the lines of a pull request."""

from collections.abc import Mapping
from types import MappingProxyType

from router.errors import Problem
from router.tools.reports.report import Report
from router.tools.reports.text import summary

COMMANDS: Mapping[str, str] = MappingProxyType({"error": "error", "warning": "warning", "note": "notice"})


def as_github(report: Report) -> str:
    return "\n".join([*(annotation(report, problem) for problem in report.problems), summary(report)])


def annotation(report: Report, problem: Problem) -> str:
    """One workflow command: the title is the code. Without a file it stands above all files."""
    place = problem.place
    properties = {"file": report.within(place.file)} if place.file else {}
    properties["title"] = problem.code
    if place.line:
        properties = {
            "file": properties["file"],
            "line": str(place.line),
            "col": str(place.column),
            "title": problem.code,
        }
    written = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
    text = f"{problem.told}\nhelp: {problem.help}" if problem.help else problem.told
    return f"::{COMMANDS[problem.severity]} {written}::{_data(text)}"


def _data(text: str) -> str:
    """The runner splits its input into lines first, and then undoes these; `%` goes first, or it would undo more."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(value: str) -> str:
    """Commas part properties, and a colon may end them."""
    return _data(value).replace(":", "%3A").replace(",", "%2C")
