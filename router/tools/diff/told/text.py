"""For the person who reviews the change: what matters first, each change once, with the lines to look at."""

from collections.abc import Iterator, Sequence

from router.errors import Problem
from router.tools.diff.callers import shortly
from router.tools.diff.change import Asked, BoundChange, Change, Difference, Effect, RouteChange, Way, Worst
from router.tools.figures import count, money, seconds
from router.tools.reports.text import Paint, problem_text, unpainted
from router.values import Place

AREAS = {
    "policies": "policies",
    "callers": "who may call what",
    "ceilings": "ceilings and demands",
    "budgets": "budgets and limits",
    "settings": "settings",
    "catalog": "providers and models",
}
EFFECTS: dict[Effect, str] = {"loosens": "LOOSENS", "both": "LOOSENS", "tightens": "tightens", "neither": ""}
COLORS: dict[Effect, str | None] = {"loosens": "red", "both": "red", "tightens": "green", "neither": None}
PLURALS = {"policy": "policies", "tenant": "tenants", "provider": "providers", "model": "models"}
NOTHING = "no change in meaning"
WIDTH = max(map(len, EFFECTS.values()))


def as_text(found: Difference, paint: Paint = unpainted) -> str:
    lines = [paint(f"{found.old.source} -> {found.new.source}", bold=True)]
    for title, part in _parts(found, paint):
        told = list(part)
        if told:
            lines += ["", paint(title, bold=True), *told]
    lines += ["", *_unfinished(found)] if lines[1:] or found.unfinished else []
    return "\n".join([*lines, paint(summary(found), bold=True, fg="red" if found.loosened else None)])


def summary(found: Difference) -> str:
    """One line: how much is different, and how much of it permits more."""
    parts = [
        NOTHING if found.same else "",
        count(len(found.routes), "changed route") if found.routes else "",
        count(len(found.changes), "changed value") if found.changes else "",
        f"bounds of {count(sum(len(each.policies) for each in found.bounds), 'policy', 'policies')}"
        if found.bounds
        else "",
        count(len(found.new_findings), "new finding") if found.new_findings else "",
        f"{count(len(found.gone_findings), 'finding')} gone" if found.gone_findings else "",
    ]
    loosened = (
        f"; {found.loosened} of them {'loosen' if found.loosened != 1 else 'loosens'}"
        if found.loosened
        else ""
    )
    return f"{', '.join(filter(None, parts))}{loosened}"


def _parts(found: Difference, paint: Paint) -> Iterator[tuple[str, Iterator[str]]]:
    yield "routes", (line for each in found.routes for line in route_lines(each, paint))
    for area, title in AREAS.items():
        of_area = [each for each in found.changes if each.area == area]
        yield (
            title,
            (
                _line(each.effect, change_text(each), where(each.old_place, each.new_place), paint)
                for each in of_area
            ),
        )
    yield "at most", (f"  {bound_text(each)}" for each in found.bounds)
    yield "new findings", _findings(found.new_findings, paint)
    yield "findings gone", _findings(found.gone_findings, paint)


def _line(effect: Effect, text: str, place: str, paint: Paint) -> str:
    mark = paint(EFFECTS[effect].ljust(WIDTH), bold=True, fg=COLORS[effect])
    return f"  {mark}  {text}{paint(f'  {place}', dim=True) if place else ''}"


def change_text(change: Change) -> str:
    return f"{named(change.subjects)}: {change.text}"


def named(subjects: Sequence[str]) -> str:
    """`policy a`, `tenants acme, zoo and 4 more`."""
    kinds = {subject.partition(" ")[0] for subject in subjects}
    many = PLURALS.get(next(iter(kinds))) if len(kinds) == 1 and len(subjects) > 1 else None
    if many is None:
        return shortly(subjects)
    return f"{many} {shortly([subject.partition(' ')[2] for subject in subjects])}"


def where(old: Place | None, new: Place | None) -> str:
    """`policies/a.yaml:9, was main:policies/a.yaml:8`."""
    if new is None:
        return f"was {_short(old)}" if old else ""
    return f"{_short(new)}, was {_short(old)}" if old else _short(new)


def _short(place: Place) -> str:
    return f"{place.file}:{place.line}" if place.line else place.file


# --- Routes -----------------------------------------------------------------------------------------------------------


def route_lines(change: RouteChange, paint: Paint = unpainted) -> Iterator[str]:
    place = where(change.before.place, change.after.place)
    yield _line(change.effect, route_title(change), place, paint)
    indent = " " * (WIDTH + 6)
    if way_text(change.before) == way_text(change.after):
        yield f"{indent}list    {way_text(change.after)}"
    else:
        yield f"{indent}before  {way_text(change.before)}"
        yield f"{indent}after   {way_text(change.after)}"
    for text in change.settings:
        yield f"{indent}        {text}"
    for target, why in left_out(change):
        yield f"{indent}without {target}: {why}"
    if change.also:
        yield f"{indent}also    {_others(change.also)}"


def route_title(change: RouteChange) -> str:
    return f"policy {change.asked.policy}: {change.asked.text}"


def way_text(way: Way) -> str:
    by = f" (rule {way.rule})" if way.rule else ""
    if way.reject is not None:
        return f"refused: {' '.join(way.reject.split())}{by}"
    return f"{' -> '.join(turns(way.targets)) or 'refused: no target is left'}{by}"


def turns(targets: Sequence[str]) -> Iterator[str]:
    """With other ceilings on the way a target may have a second turn, for requests that do not fit its first."""
    for at, name in enumerate(targets):
        yield f"{name} again" if name in targets[:at] else name


def left_out(change: RouteChange) -> Iterator[tuple[str, str]]:
    """Targets that are served no more though they are still written, with the reason; duplicates are none."""
    for target, why in dict(change.after.dropped).items():
        if target not in change.after.targets and target in (*change.before.targets, *_all(change)):
            yield target, why


def _all(change: RouteChange) -> tuple[str, ...]:
    """Where nothing is left, every reason counts."""
    return () if change.after.targets else tuple(target for target, _ in change.after.dropped)


def _others(also: Sequence[Asked]) -> str:
    by_policy: dict[str, list[str]] = {}
    for each in also:
        by_policy.setdefault(each.policy, []).append(each.text)
    return shortly([f"{name} ({shortly(texts[:1])}{_more(texts)})" for name, texts in by_policy.items()])


def _more(texts: Sequence[str]) -> str:
    return f", and {len(texts) - 1} more" if len(texts) > 1 else ""


# --- Bounds and findings ----------------------------------------------------------------------------------------------


def bound_text(change: BoundChange) -> str:
    names = named([f"policy {name}" for name in change.policies])
    return f"{names}: {', '.join(_bounds(change.before, change.after))}"


def _bounds(before: Worst, after: Worst) -> Iterator[str]:
    if before.cost_nusd != after.cost_nusd:
        yield f"cost {money(before.cost_nusd, 'unbounded')} -> {money(after.cost_nusd, 'unbounded')}"
    if before.seconds != after.seconds:
        yield f"time {seconds(before.seconds)} -> {seconds(after.seconds)}"
    if before.sends != after.sends:
        yield f"sends {before.sends} -> {after.sends}"


def _findings(problems: Sequence[Problem], paint: Paint) -> Iterator[str]:
    return (f"  {line}" for each in problems for line in problem_text(each, paint).splitlines())


def _unfinished(found: Difference) -> Iterator[str]:
    if found.unfinished:
        yield f"not every kind of request was looked at: {shortly(found.unfinished)}"
