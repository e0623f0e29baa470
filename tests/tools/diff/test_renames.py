"""What was renamed with `was` is compared with what it was, as if it had kept its name: a rename hides nothing."""

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from functools import cache
from random import Random
from typing import Any

import yaml

from router.policy.load import load_text
from router.tools.diff import Difference, Side, compare, side_of
from router.tools.diff.told.document import document
from tests.reference.book import BOOK
from tests.reference.router_side import Book
from tests.tools.diff.parts import mixed
from tests.tools.diff.test_properties import Plain

MARK = "-today"
"""Ends every new name, and nothing else: without it all is called as before."""

SEEDS = range(120)
BLOCKS = {"policies": "policy", "tenants": "tenant", "providers": "provider", "budgets": "pool"}

Names = Mapping[str, Mapping[str, str]]
"""Old name -> new name, by block."""


def chosen(one: Mapping[str, Any], other: Mapping[str, Any], random: Random) -> Names:
    """New names for some of what both declare; tenants at the top alone, as those below follow."""
    found: dict[str, dict[str, str]] = {}
    for block in BLOCKS:
        before, after = one.get(block, {}), other.get(block, {})
        names = [name for name in before if name in after and _may_have_been(before[name], after[name])]
        found[block] = {name: f"{name}{MARK}" for name in names if "/" not in name and random.random() < 0.6}
    return found


def _may_have_been(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Whether the later one can say so: what is abstract has no `was`, and no thing has two."""
    return not after.get("abstract") and after.get("was") in (None, before.get("was"))


def renamed(document: Mapping[str, Any], names: Names) -> dict[str, Any]:
    """The same document with these names, and `was` where it is due."""
    found = {key: _walked(key, value, names) for key, value in document.items()}
    for block, known in names.items():
        for name, now in known.items():
            kind = {"kind": name} if block == "providers" else {}
            found[block][now] = {**kind, "was": name, **found[block][now]}
    return found


def _walked(key: str, value: Any, names: Names) -> Any:
    if isinstance(value, dict):
        known = _entry_names(key, value, names)
        return {known(name): _walked(name, below, names) for name, below in value.items()}
    if isinstance(value, list):
        return [_walked(key, each, names) for each in value]
    return _word(key, value, names) if isinstance(value, str) and key != "was" else value


def _entry_names(block: str, entries: Mapping[str, Any], names: Names) -> Callable[[str], str]:
    """How the keys of a map are called now: those of a block of the document."""
    if block not in names or any(not isinstance(each, dict) for each in entries.values()):
        return str
    return lambda name: _path(name, names[block])


def _path(path: str, names: Mapping[str, str]) -> str:
    root, slash, below = path.partition("/")
    return f"{names.get(root, root)}{slash}{below}"


def _word(key: str, word: str, names: Names) -> str:
    block = {
        **dict.fromkeys(("policy", "policies", "extends", "default_policy"), "policies"),
        "provider": "providers",
        "pool": "budgets",
        "tenant": "tenants",
    }.get(key)
    if block is not None:
        return _path(word, names[block])
    return _path(word, names["providers"]) if "/" in word and "://" not in word else word


def accepted(document: Mapping[str, Any], name: str) -> Side | None:
    text = yaml.dump(document, Dumper=Plain, width=100_000, sort_keys=False)
    loaded = load_text(text, Book(BOOK), file=f"{name}.yaml")
    return None if loaded.plan is None else side_of(name, loaded)


@cache
def histories() -> tuple[tuple[Side, Side, Side, Names], ...]:
    """(before, after, after by other names, those names); now and then the files are otherwise the same."""
    found = []
    for seed in SEEDS:
        one, other = mixed(seed)
        other = one if seed % 5 == 0 else other
        names = chosen(one, other, Random(seed))
        sides = [accepted(one, "old"), accepted(other, "new"), accepted(renamed(other, names), "new")]
        if None not in sides:
            found.append((*sides, names))
    assert len(found) > len(SEEDS) // 4
    return tuple(found)


def is_rename(change: Mapping[str, Any]) -> bool:
    return change["what"] in ("name", "provider") and any(
        MARK in (change[each] or "") for each in ("before", "after")
    )


def told(found: Difference) -> tuple[Counter[str], ...]:
    """What is told but for the renames and places, by the names of before."""
    whole = document(found)
    parts = (
        [each for each in whole["changes"] if not is_rename(each)],
        whole["routes"],
        whole["bounds"],
        [each["code"] for each in whole["new_findings"]],
        [each["code"] for each in whole["gone_findings"]],
    )
    return tuple(Counter(_plain(each) for each in part) for part in parts)


def _plain(value: Any) -> str:
    return re.sub(r"new\.yaml:\d+:\d+", "", json.dumps(_placeless(value)).replace(MARK, ""))


def _placeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _placeless(below) for key, below in value.items() if not key.endswith("place")}
    return [_placeless(each) for each in value] if isinstance(value, list) else value


def test_a_rename_changes_nothing_else_of_what_is_told() -> None:
    loosened = 0
    for old, new, by_other_names, _ in histories():
        before, after = compare(old, new), compare(old, by_other_names)
        assert told(after) == told(before)
        assert after.loosened == before.loosened
        loosened += before.loosened
    assert loosened > 50


def test_nor_does_the_way_back() -> None:
    for old, new, by_other_names, _ in histories():
        assert told(compare(by_other_names, old)) == told(compare(new, old))


def test_every_rename_is_told_once() -> None:
    for old, _, by_other_names, names in histories():
        changes = document(compare(old, by_other_names))["changes"]
        said = [(each["subjects"][0], each["after"]) for each in changes if is_rename(each)]
        expected = {
            (f"{BLOCKS[block]} {name}", now) for block, known in names.items() for name, now in known.items()
        }
        assert len(said) == len(set(said))
        assert expected <= set(said)
