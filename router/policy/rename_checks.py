"""Checks of `was`: each thing that was renamed keeps the counters of one former name, and shares them with nothing."""

from collections.abc import Iterator, Mapping

from router.errors import Problem
from router.policy.counted import counted_name, counted_path
from router.policy.document import Spot
from router.policy.draft import Draft, problem
from router.policy.extends import is_abstract
from router.policy.traps import shown

BLOCKS = {"providers": "provider", "policies": "policy", "tenants": "tenant", "budgets": "pool"}


def renames(draft: Draft) -> Iterator[Problem]:
    for block, word in BLOCKS.items():
        written: Mapping[str, Spot] = getattr(draft.written, block)
        for name, spot in written.items():
            was = spot.get("was")
            if was is not None and was.text is not None:
                yield from _rename(block, f"{word} {shown(name)}", name, was, draft)
        yield from _counted_twice(block, word, written)


def _rename(block: str, whose: str, name: str, was: Spot, draft: Draft) -> Iterator[Problem]:
    written: Mapping[str, Spot] = getattr(draft.written, block)
    old, place = was.text or "", was.place
    if old == name:
        message = f"{whose} says that it was called {shown(old)}, which is its name"
        advice = "name what its spend is counted under, its first name; or take it out"
        yield problem("was-changes-nothing", message, place, help=advice)
    elif block == "policies" and is_abstract(written[name]):
        message = f"{whose} is abstract: nothing was ever counted under a name of it"
        advice = "take it out; a policy that was called says so itself, it is not inherited"
        yield problem("was-changes-nothing", message, place, help=advice)
    elif old in written or old in draft.written.refused.get(block, ()):
        message = f"{whose} says that it was called {shown(old)}, and {shown(old)} is still there"
        also = written[old].key_place if old in written else None
        advice = "one name has one counter: rename the other one, or take `was` out and begin anew"
        yield problem("was-still-there", message, place, help=advice, also=also)
    elif block == "tenants":
        yield from _of_tenant(whose, was, written)


def _of_tenant(whose: str, was: Spot, tenants: Mapping[str, Spot]) -> Iterator[Problem]:
    old = was.text or ""
    if not old.isprintable():
        message = f"{whose} was called {shown(old)}, which holds characters that do not show"
        yield problem("wrong-form", message, was.place, help="write printable text")
        return
    above = old.rpartition("/")[0]
    while above and above not in tenants:
        above = above.rpartition("/")[0]
    counted = counted_path(above, tenants)
    if above and counted != above:
        first = f"{counted}{old.removeprefix(above)}"
        message = (
            f"what {shown(old)} spent is counted under {shown(first)}, as {shown(above)} was renamed too"
        )
        yield problem("was-never-counted", message, was.place, help=f"write `was: {first}`")


def _counted_twice(block: str, word: str, written: Mapping[str, Spot]) -> Iterator[Problem]:
    """Those that were renamed to it alone: what still has the name is told as such."""
    first: dict[str, str] = {}
    for name, spot in written.items():
        counted = counted_path(name, written) if block == "tenants" else counted_name(name, spot)
        if counted == name or counted in written:
            continue
        if counted in first:
            also = (written[first[counted]].get("was") or written[first[counted]]).place
            place = (spot.get("was") or spot).place
            message = (
                f"{word} {shown(name)} and {shown(first[counted])} would both be counted as {shown(counted)}"
            )
            advice = "one name has one counter: take `was` out of the one that begins anew"
            yield problem("counted-twice", message, place, help=advice, also=also)
        first.setdefault(counted, name)
