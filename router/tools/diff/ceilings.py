"""Ceilings and demands that became tighter or looser."""

from collections.abc import Iterator
from dataclasses import fields

from router.plan import Ceiling
from router.policy.scalars import count_text, duration_text, money_text
from router.tools.diff.amounts import Figure, bounds_changed, related
from router.tools.diff.change import Change, combined
from router.tools.diff.side import Moved, Scope, Side, place_of, scopes

AUSD_PER_MILLION = 1_000
"""Atto-USD per token in a nano-USD per million tokens."""


def ceiling_changes(old: Side, new: Side, among: Moved) -> Iterator[Change]:
    in_both = frozenset(old.plan.targets) & frozenset(new.plan.targets)
    sides = (scopes(side, among.policies, among.tenants) for side in (old, new))
    for was, now in zip(*sides, strict=True):
        yield from bounds_changed("ceilings", now.subject, _figures(was), _figures(now))
        yield from _allowed(was, now, in_both)
        for name in ("require", "needs", "content"):
            yield from _asked(name, was, now)


def _figures(scope: Scope) -> dict[str, Figure]:
    found = {}
    for name, amount, text in (*_of_ceiling(scope.ceiling), *_of_price(scope), *_of_time(scope)):
        if amount is not None:
            found[name] = Figure(amount=amount, text=text, place=place_of(scope.spot, name))
    return found


def _of_ceiling(ceiling: Ceiling) -> Iterator[tuple[str, int | None, str]]:
    for each in fields(ceiling):
        amount, name = getattr(ceiling, each.name), each.name.removesuffix("_nusd")
        text = "" if amount is None else money_text(amount) if name != each.name else count_text(amount)
        yield f"ceiling.{name}", amount, text


def _of_price(scope: Scope) -> Iterator[tuple[str, int | None, str]]:
    most = scope.demand.max_price if scope.demand else None
    figures = (("input", most.input_ausd), ("output", most.output_ausd)) if most else ()
    for name, ausd in figures:
        text = "" if ausd is None else money_text(ausd // AUSD_PER_MILLION)
        yield f"max_price.{name}_per_million", ausd, text


def _of_time(scope: Scope) -> Iterator[tuple[str, float | None, str]]:
    for name, time_s in (("total", scope.total_s), ("stream", scope.stream_s)):
        if time_s is not None:
            yield f"timeout.{name}", time_s, duration_text(round(time_s * 1000))


def _allowed(was: Scope, now: Scope, in_both: frozenset[str]) -> Iterator[Change]:
    """By the targets that both sides have: what a pattern means beyond them follows from targets that come and go."""
    before, after = was.demand.allow if was.demand else None, now.demand.allow if now.demand else None
    if before is None and after is None:
        return
    had, has = (in_both if each is None else each & in_both for each in (before, after))
    if had == has and (before is None) == (after is None):
        return
    more, fewer = sorted(has - had), sorted(had - has)
    words = [f"{word} {', '.join(names)}" for word, names in (("with", more), ("without", fewer)) if names]
    detail = f": {'; '.join(words)}" if words else ", the same targets today"
    yield Change(
        area="ceilings",
        subjects=(now.subject,),
        what="allow",
        before="all" if before is None else _listed(before),
        after="all" if after is None else _listed(after),
        text=f"allow{detail}",
        effect=combined(loosens=bool(more) or after is None, tightens=bool(fewer) or before is None),
        old_place=place_of(was.spot, "allow"),
        new_place=place_of(now.spot, "allow"),
    )


def _asked(name: str, was: Scope, now: Scope) -> Iterator[Change]:
    """Every word more is one demand more."""
    before, after = _words(name, was), _words(name, now)
    if before != after:
        texts = (_listed(before) if before else None, _listed(after) if after else None)
        yield Change(
            area="ceilings",
            subjects=(now.subject,),
            what=name,
            before=texts[0],
            after=texts[1],
            text=related(name, *texts),
            effect=combined(loosens=bool(before - after), tightens=bool(after - before)),
            old_place=place_of(was.spot, name),
            new_place=place_of(now.spot, name),
        )


def _words(name: str, scope: Scope) -> frozenset[str]:
    if name == "content":
        return frozenset(f"{each}: never" for each in scope.never)
    asked: frozenset[str] = getattr(scope.demand, name) if scope.demand else frozenset()
    return asked


def _listed(words: frozenset[str]) -> str:
    return f"[{', '.join(sorted(words))}]"
