"""What has drifted from a lock file: each fact by name, where the file states it."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from router.errors import Problem
from router.plan import Plan
from router.policy.catalog import Catalog
from router.policy.document import Document, Spot
from router.policy.draft import problem
from router.policy.lock import Facts, Lock, lock_of
from router.policy.schema import check_form
from router.policy.source import Read
from router.policy.table.lock import LOCK
from router.values import Place

ANEW = "`router lock` writes the file anew"
REVIEWED = "if that is meant, `router lock` writes it down"
SHORT = 12
"""Digits of a digest that a message shows."""


def lock_problems(
    read: Read, plan: Plan | None, documents: Sequence[Document], catalog: Catalog, *, frozen: bool
) -> tuple[Problem, ...]:
    """What is wrong with a lock file, which is always an error, and what has drifted from it.

    Drift is an error where the router is frozen. Else a fact of a target is a warning, and what no call meets is a
    note. Without a plan only damage is told.
    """
    damage = [*read.problems, *(check_form(read.document, LOCK) if read.document else ())]
    if damage:
        return tuple(replace(found, help=ANEW) for found in damage)
    if plan is None or read.document is None:
        return ()
    found = drift(read.document.root, lock_of(plan, documents, catalog), frozen=frozen)
    return tuple(replace(each, severity="error") for each in found) if frozen else tuple(found)


def no_lock(path: Path) -> Problem:
    """Where a frozen router finds none."""
    place = Place(file=path.as_posix(), line=0, column=0)
    return problem(
        "lock-drift", "there is no lock file to hold on to", place, help="`router lock` writes one"
    )


def drift(locked: Spot, now: Lock, *, frozen: bool = False) -> Iterator[Problem]:
    """Every difference. Beside edited policies the targets that only one side has are told of a frozen router only."""
    edited = locked.value["policies"] != now.policies
    facts = list(_facts_of_both(locked, now))
    facts += _of_one_side(locked, now) if frozen or not edited else ()
    yield from facts
    if edited:
        yield _digests(locked, "policies", "the policies are not those that were locked", now.policies)
    if locked.value["prices"] != now.prices and (frozen or not facts):
        same = "" if facts else ", and says the same of every target in use"
        yield _digests(locked, "prices", f"the price book is another one{same}", now.prices)


def _facts_of_both(locked: Spot, now: Lock) -> Iterator[Problem]:
    for target, was in _targets(locked):
        if target in now.targets:
            yield from _facts(target, was, now.targets[target])


def _of_one_side(locked: Spot, now: Lock) -> Iterator[Problem]:
    then = dict(_targets(locked))
    for target in sorted(now.targets.keys() - then.keys()):
        yield _found(
            f"`{target}` is in use, and was not when this was locked", locked.at("targets") or locked
        )
    for target in sorted(then.keys() - now.targets.keys()):
        yield _found(f"`{target}` was in use when this was locked, and is not now", then[target])


def _facts(target: str, was: Spot, now: Facts) -> Iterator[Problem]:
    for name, spot in was.fields():
        if name not in now:
            yield _found(f"`{target}`: {name} was `{spot.value}` when locked, and is not stated now", spot)
        elif spot.value != now[name]:
            yield _found(f"`{target}`: {name} was `{spot.value}` when locked, and is `{now[name]}` now", spot)
    for name, value in now.items():
        if name not in was.value:
            yield _found(f"`{target}`: {name} was not stated when locked, and is `{value}` now", was)


def _targets(locked: Spot) -> Iterator[tuple[str, Spot]]:
    targets = locked.get("targets")
    yield from targets.fields() if targets else ()


def _found(message: str, spot: Spot) -> Problem:
    return problem("lock-drift", message, spot.key_place, help=REVIEWED, severity="warning")


def _digests(locked: Spot, key: str, message: str, now: str) -> Problem:
    was, place = locked.value[key], (locked.get(key) or locked).place
    message = f"{message}: `{was[:SHORT]}` then, `{now[:SHORT]}` now"
    return problem("lock-drift", message, place, help=REVIEWED, severity="note")
