"""Two texts of the same policies have one digest; any change of what they mean changes it.

Documents are drawn with every word of the language. What an edit means is judged by a second reading of the language
that shares no code with the router. DIGEST_DOCUMENTS=2000 in the environment looks at as many documents.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml

from router.policy.load import Loaded, load, load_text
from tests.reference import rewrites
from tests.reference.book import BOOK
from tests.reference.documents import Maker
from tests.reference.interpreter.meaning import meaning_of
from tests.reference.router_side import Book

DOCUMENTS = int(os.environ.get("DIGEST_DOCUMENTS", "40"))
EDITS = 12


def digest(loaded: Loaded) -> str:
    assert loaded.plan is not None, [str(problem) for problem in loaded.problems]
    return loaded.plan.digest


def documents() -> Iterator[tuple[dict[str, Any], str, Random]]:
    """Those that load, with their digest, and chance that repeats."""
    for seed in range(DOCUMENTS):
        document = Maker(seed).document()
        loaded = load(document, Book(BOOK))
        if loaded.plan is not None:
            yield document, loaded.plan.digest, Random(seed)


def test_the_order_of_keys_and_of_sets_means_nothing() -> None:
    for document, whole, random in documents():
        assert digest(load(rewrites.shuffled(document, random), Book(BOOK))) == whole


def test_long_and_short_forms_and_units_mean_the_same() -> None:
    for document, whole, random in documents():
        assert digest(load(rewrites.long_forms(document, random), Book(BOOK))) == whole


def test_what_is_inherited_means_the_same_written_out() -> None:
    inherited = 0
    for document, whole, _ in documents():
        inherited += any("extends" in policy for policy in document["policies"].values())
        assert digest(load(rewrites.written_out_whole(document), Book(BOOK))) == whole
    assert inherited > DOCUMENTS / 10


def test_style_quotes_comments_and_indentation_mean_nothing() -> None:
    for document, whole, random in documents():
        for text in rewrites.texts(document, random):
            assert digest(load_text(text, Book(BOOK))) == whole


def test_files_and_their_order_mean_nothing(tmp_path: Path) -> None:
    for number, (document, whole, random) in enumerate(documents()):
        for name, content in rewrites.split(document, random).items():
            file = tmp_path / str(number) / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(yaml.dump(content, Dumper=rewrites.Plain), encoding="utf-8")
        assert digest(load(tmp_path / str(number), Book(BOOK))) == whole


@pytest.mark.parametrize("batch", range(4))
def test_an_edit_changes_the_digest_just_when_it_changes_the_meaning(batch: int) -> None:
    met = {True: 0, False: 0}
    for number, (document, whole, random) in enumerate(documents()):
        meaning, edits = meaning_of(document), rewrites.edits(document)
        for edit in random.sample(edits, min(len(edits), EDITS)) if number % 4 == batch else ():
            edited = edit()
            loaded = load(edited, Book(BOOK))
            if loaded.plan is not None:  # an edit that the checks refuse changes nothing that runs
                same = meaning_of(edited) == meaning
                met[same] += 1
                assert (loaded.plan.digest == whole) == same, edited
    assert min(met.values()) > 0
