"""Law 9: nothing in a policy is ignored. A key that is written means something, is refused by name, or is an error."""

import json
from functools import cache

import pytest

from router.policy.forms import Block, blocks, form_at
from router.policy.load import load
from router.policy.table.root import ROOT
from tests.policy.books import Book
from tests.policy.everything import at, everything, paths, without


def test_the_document_that_says_everything_is_fine() -> None:
    assert load(everything(), Book()).errors == ()


OVERRIDDEN = ("policies", "base", "cache")  # by the policy that extends it, which says all of it anew
UNUSED = ("providers", "anthropic", "keys", 1)  # a key that is not enabled is as good as none
LEAVES = [
    path
    for path in paths(everything())
    if path[-1] != "description" and path[0] != "version" and path[:3] != OVERRIDDEN and path != UNUSED
]


@pytest.mark.parametrize("path", LEAVES, ids=lambda path: ".".join(map(str, path)))
def test_nothing_written_is_ignored(path: tuple[str | int, ...]) -> None:
    """Without any one value the plan is another, or there is none."""
    less = load(without(everything(), path), Book()).plan
    assert less is None or less.digest != whole_digest()


@cache
def whole_digest() -> str:
    plan = load(everything(), Book()).plan
    assert plan is not None
    return plan.digest


def test_that_document_says_something_about_every_key() -> None:
    """A word that is added to the language is added there, or this fails."""
    said = {
        (form.ref, path[-1])
        for path in paths(everything())
        if isinstance(form := form_at(ROOT, path[:-1]), Block) and path[-1] in form.keys
    }
    known = {(block.ref, key) for block in blocks(ROOT) for key in block.keys}
    assert known - said == UNSAID


UNSAID = {("state", "file"), ("cachePlace", "env"), ("pool", "when_spent")}
"""The other way to refer to a place, and what a pool may say of none but `reject`."""

PLACES = {
    form.ref: path
    for path in [(), *paths(everything())]
    if isinstance(form := form_at(ROOT, path), Block) and isinstance(at(everything(), path), dict)
}


@pytest.mark.parametrize("ref", PLACES)
@pytest.mark.parametrize("key", ["colour", "Targets", "target ", "x-note"])
def test_a_key_that_is_no_word_is_an_error_in_every_block(ref: str, key: str) -> None:
    document = json.loads(json.dumps(everything()))  # what was one object in two places is two now
    block = at(document, PLACES[ref])
    block[key] = {"any": "thing"}
    found = load(document, Book())
    assert found.plan is None
    assert [each.code for each in found.errors] == ["unknown-key"]
    assert f"unknown key `{key}`" in found.errors[0].message


@pytest.mark.parametrize("block", tuple(blocks(ROOT)), ids=lambda block: block.ref)
def test_no_word_is_both_known_and_refused(block: Block) -> None:
    assert not set(block.later) & block.keys.keys()
