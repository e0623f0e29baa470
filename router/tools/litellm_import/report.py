"""The report of an import: how many keys of each class, what is dangerous first, then every key with its places."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from router.policy.traps import SECRET, shown
from router.tools.litellm_import.outcomes import Danger, Finding, Outcome, pattern
from router.tools.litellm_import.run import Imported
from router.values import Place

MOST_NAMED = 6
"""Keys below one that are named; of more, how many there are."""

IN_SHORT: Mapping[Outcome, str] = {
    Outcome.IMPORTED: "imported",
    Outcome.CHANGED: "changed meaning",
    Outcome.NO_EFFECT: "no effect in litellm",
    Outcome.NEEDS_DATABASE: "needs a database there",
    Outcome.NOT_SUPPORTED: "not supported",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Findings that say the same of the same key in several places."""

    key: str
    places: tuple[Place, ...]
    outcome: Outcome
    message: str
    help: str
    danger: Danger | None
    below: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """The key, with those below it where it has some."""
        if all(name.startswith("[]") for name in self.below):
            return self.key
        few = len(self.below) <= MOST_NAMED
        return f"{self.key} ({', '.join(self.below) if few else f'{len(self.below)} keys'})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of text; `heading` stands out on a terminal."""

    text: str = ""
    heading: bool = False


def counts(found: Iterable[Finding]) -> Counter[Outcome]:
    """Keys without further ones, by outcome."""
    total: Counter[Outcome] = Counter()
    for finding in found:
        total[finding.outcome] += len(finding.keys)
    return total


def summary(imported: Imported) -> str:
    total = counts(imported.findings)
    parts = [f"{told} {total[outcome]}" for outcome, told in IN_SHORT.items() if total[outcome]]
    keys = sum(total.values())
    return f"{keys} {'key' if keys == 1 else 'keys'}: {', '.join(parts)}" if parts else "nothing was read"


class _Said(NamedTuple):
    """What findings of one row have in common."""

    key: str
    outcome: Outcome
    message: str
    help: str
    danger: Danger | None
    below: tuple[str, ...]


def rows(found: Iterable[Finding]) -> tuple[Row, ...]:
    """The same of the same key in one row, in the order in which they are first met."""
    places: dict[_Said, list[Place]] = {}
    for finding in found:
        places.setdefault(_said(finding), []).append(finding.place)
    return tuple(Row(places=tuple(where), **said._asdict()) for said, where in places.items())


def _said(finding: Finding) -> _Said:
    verdict, depth = finding.verdict, len(finding.path)
    below = (pattern(path[depth : depth + 1]) for path, _ in finding.keys if path != finding.path)
    return _Said(
        key=pattern(finding.path),
        outcome=verdict.outcome,
        message=verdict.message,
        help=verdict.help,
        danger=verdict.danger,
        below=tuple(dict.fromkeys(below)),
    )


def text(imported: Imported) -> Iterator[Line]:
    """The whole report."""
    every, cited = rows(imported.findings), _Cited(imported.config)
    if imported.problem is not None:
        problem = imported.problem
        yield Line(text=f"{problem.place}: error: {problem.message} [{problem.code}]")
        if problem.help:
            yield Line(text=f"    help: {problem.help}")
    if every:
        yield Line(text=f"{imported.config}: {summary(imported)}", heading=True)
    yield from _dangers(every, cited)
    yield from _names(imported)
    yield from _notes(imported)
    for outcome in Outcome:
        of_it = [row for row in every if row.outcome is outcome]
        if of_it:
            yield Line()
            yield Line(text=f"{outcome} ({counts(imported.findings)[outcome]})", heading=True)
            for row in of_it:
                yield from _row(row, cited)


def _names(imported: Imported) -> Iterator[Line]:
    """Policies that are not called as their groups were."""
    renamed = {old: new for old, new in imported.policies.items() if old != new}
    if renamed:
        yield Line()
        yield Line(text=f"calls name another policy ({len(renamed)})", heading=True)
        yield from (Line(text=f"  {_plain(old)} -> {new}") for old, new in renamed.items())


def _plain(name: str) -> str:
    return shown(name) if SECRET.search(name) or not name.isprintable() else name


def _notes(imported: Imported) -> Iterator[Line]:
    if imported.notes:
        yield Line()
        yield Line(text="in no key, and different all the same", heading=True)
        yield from (Line(text=f"  {note}") for note in imported.notes)


def _dangers(every: tuple[Row, ...], cited: "_Cited") -> Iterator[Line]:
    dangerous = [row for danger in Danger for row in every if row.danger is danger]
    if not dangerous:
        return
    yield Line()
    yield Line(text="look at these first", heading=True)
    for danger in Danger:
        of_it = sorted((row for row in dangerous if row.danger is danger), key=lambda row: _RANK[row.outcome])
        if of_it:
            yield Line(text=f"  {danger}")
        for row in of_it:
            yield Line(text=f"    {row.title}: {cited(row.places)}")
            yield Line(text=f"        {_phrase(row)}{row.message}")
            if row.help:
                yield Line(text=f"        help: {row.help}")


_RANK: Mapping[Outcome, int] = {outcome: rank for rank, outcome in enumerate(Outcome)}
_PHRASES: Mapping[Outcome, str] = {
    Outcome.NO_EFFECT: "had no effect in litellm: ",
    Outcome.NEEDS_DATABASE: "needs a database in litellm: ",
    Outcome.NOT_SUPPORTED: "not imported: ",
}


def _phrase(row: Row) -> str:
    return _PHRASES.get(row.outcome, "")


def _row(row: Row, cited: "_Cited") -> Iterator[Line]:
    yield Line(text=f"  {row.title}: {cited(row.places)}")
    yield Line(text=f"      {row.message}")
    if row.help:
        yield Line(text=f"      help: {row.help}")


@dataclass(frozen=True, slots=True)
class _Cited:
    """`config.yaml:8, 15; models/x.yaml:3`: places by file, seen from the folder of the config."""

    config: Path

    def __call__(self, places: tuple[Place, ...]) -> str:
        lines: dict[str, list[int]] = {}
        for place in places:
            file = os.path.relpath(place.file, self.config.parent)
            lines.setdefault(file, []).append(place.line)
        return "; ".join(
            f"{file}:{', '.join(map(str, dict.fromkeys(found)))}" for file, found in lines.items()
        )


def document(imported: Imported) -> dict[str, Any]:
    """The report as plain JSON values: every key without further ones stands in `keys` of exactly one finding."""
    total = counts(imported.findings)
    return {
        "config": str(imported.config),
        "counts": {outcome.name.lower(): total[outcome] for outcome in IN_SHORT},
        "problem": imported.problem
        and {
            "code": imported.problem.code,
            "message": imported.problem.message,
            "help": imported.problem.help,
            **_at(imported.problem.place),
        },
        "policies": dict(imported.policies),
        "notes": list(imported.notes),
        "findings": [
            {
                "key": pattern(finding.path),
                **_at(finding.place),
                "outcome": finding.outcome.name.lower(),
                "message": finding.verdict.message,
                "help": finding.verdict.help,
                "danger": finding.verdict.danger and finding.verdict.danger.name.lower(),
                "keys": [{"key": pattern(path), **_at(place)} for path, place in finding.keys],
            }
            for finding in imported.findings
        ],
    }


def _at(place: Place) -> dict[str, Any]:
    return {"file": place.file, "line": place.line, "column": place.column}
