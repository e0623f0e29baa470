"""For GitHub Actions: an annotation on each line of a pull request that means something else now."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType

from router.errors import Problem
from router.tools.diff.change import Difference, Effect
from router.tools.diff.told.text import bound_text, change_text, route_title, summary, way_text
from router.tools.reports.github import annotation
from router.tools.reports.report import Report
from router.values import Place

SEVERITIES: Mapping[Effect, str] = MappingProxyType(
    {"loosens": "warning", "both": "warning", "tightens": "note", "neither": "note"}
)

NOWHERE = Place(file="", line=0, column=0)
"""What was taken out stands on no line any more, and may be the most that a change permits."""


def as_github(found: Difference, *, cwd: str, root: str) -> str:
    """Files of the new side are named from `root`. What stands nowhere in it is told above all files where it permits
    more, else in the log alone."""
    report = Report(problems=(), files=(), plan=None, cwd=cwd, root=root)
    lines = [annotation(report, each) for each in _annotations(found)]
    lines += _without_line(found)
    return "\n".join([*lines, summary(found)])


def _annotations(found: Difference) -> Iterator[Problem]:
    for route in found.routes:
        message = f"{route_title(route)}\nbefore: {way_text(route.before)}\nafter: {way_text(route.after)}"
        yield _problem("changed-route", message, route.after.place, route.effect)
    for change in found.changes:
        if change.new_place is not None or SEVERITIES[change.effect] == "warning":
            place = change.new_place or NOWHERE
            yield _problem(f"changed-{change.area}", change_text(change), place, change.effect)
    yield from (replace(each, code=f"new {each.code}") for each in found.new_findings)


def _problem(code: str, message: str, place: Place, effect: Effect) -> Problem:
    marked = f"loosens: {message}" if SEVERITIES[effect] == "warning" else message
    return Problem(code=code, message=marked, place=place, severity=SEVERITIES[effect])


def _without_line(found: Difference) -> Iterator[str]:
    gone = (each for each in found.changes if each.new_place is None)
    yield from (change_text(each) for each in gone if SEVERITIES[each.effect] != "warning")
    yield from (f"at most: {bound_text(each)}" for each in found.bounds)
    yield from (f"gone: {each}" for each in found.gone_findings)
