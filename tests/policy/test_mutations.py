"""Good policies, broken at random: nothing raises, no unknown key passes, and every problem has a place in the file."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.adapters.price_file import PriceFile
from router.policy.catalog import Catalog
from router.policy.document import Path as Way
from router.policy.forms import Block, form_at
from router.policy.load import load, load_reads, load_text, policy_files
from router.policy.source import read_text
from router.policy.table.root import ROOT
from router.values import Place
from tests.policy.books import Book
from tests.policy.promises import check_load, check_places

HERE = Path(__file__).parent
TOP = HERE.parent.parent


def shown_in(page: Path) -> Iterator[str]:
    yield from re.findall(
        r"^```yaml\n(.*?)^```", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE
    )


SHIPPED = [path.read_text(encoding="utf-8") for path in policy_files(TOP / "policies")]
SHOWN = [text for page in (TOP / "README.md", TOP / "docs" / "language.md") for text in shown_in(page)]
FIXTURES = [path.read_text(encoding="utf-8") for path in sorted((HERE / "fixtures").glob("*.good.yaml"))]
GOOD = [text for text in (*SHIPPED, *SHOWN, *FIXTURES) if "version: 1" in text]


@cache
def catalog(text: str) -> Catalog:
    return Book() if text in FIXTURES else prices()


@cache
def prices() -> PriceFile:
    return PriceFile.load()


# --- How a text is broken ---------------------------------------------------------------------------------------------

NOISE = st.text("ab:{}[],&*!|>'\"%@`#-? \n\t~<$1.\r\\é🙂", min_size=1, max_size=4)


def scalars(text: str) -> list[re.Match[str]]:
    return list(re.finditer(r"[^\s:,{}\[\]]+", text))


def other_word(text: str, data: st.DataObject) -> str:
    """A letter of some word is another, missing, doubled or swapped."""
    word = data.draw(st.sampled_from(scalars(text)))
    at = data.draw(st.integers(word.start(), word.end() - 1))
    put = data.draw(st.sampled_from(["", text[at] * 2, "x", text[at].swapcase(), "_", "-"]))
    return text[:at] + put + text[at + 1 :]


def swapped_words(text: str, data: st.DataObject) -> str:
    one, other = sorted(
        data.draw(st.lists(st.sampled_from(scalars(text)), min_size=2, max_size=2)),
        key=lambda found: found.start(),
    )
    if one.end() > other.start():
        return text
    return text[: one.start()] + other[0] + text[one.end() : other.start()] + one[0] + text[other.end() :]


def moved_lines(text: str, data: st.DataObject) -> str:
    lines = text.splitlines(keepends=True)
    start = data.draw(st.integers(0, len(lines) - 1))
    taken = lines[start : start + data.draw(st.integers(1, 4))]
    rest = lines[:start] + lines[start + len(taken) :]
    at = data.draw(st.integers(0, len(rest)))
    indent = " " * data.draw(st.integers(0, 4))
    return "".join([*rest[:at], *(indent + line for line in taken), *rest[at:]])


def without_lines(text: str, data: st.DataObject) -> str:
    lines = text.splitlines(keepends=True)
    start = data.draw(st.integers(0, len(lines) - 1))
    return "".join(lines[:start] + lines[start + data.draw(st.integers(1, 3)) :])


def doubled_lines(text: str, data: st.DataObject) -> str:
    lines = text.splitlines(keepends=True)
    start = data.draw(st.integers(0, len(lines) - 1))
    taken = lines[start : start + data.draw(st.integers(1, 3))]
    return "".join([*lines[:start], *taken, *lines[start:]])


def noise(text: str, data: st.DataObject) -> str:
    at = data.draw(st.integers(0, len(text)))
    return text[:at] + data.draw(NOISE) + text[at + data.draw(st.integers(0, 3)) :]


WAYS = (other_word, swapped_words, moved_lines, without_lines, doubled_lines, noise)


@st.composite
def broken(draw: st.DrawFn) -> tuple[str, Catalog]:
    good = draw(st.sampled_from(GOOD))
    text, data = good, draw(st.data())
    for _ in range(draw(st.integers(1, 3))):
        if scalars(text):
            text = draw(st.sampled_from(WAYS))(text, data)
    return text, catalog(good)


# --- What holds whatever was broken -----------------------------------------------------------------------------------


@settings(max_examples=300)
@given(broken())
def test_whatever_is_broken_is_told_in_its_place(made: tuple[str, Catalog]) -> None:
    text, book = made
    loaded = load_text(text, book, file="a.yaml")
    check_load(loaded, text, read_text(text, "a.yaml").document)
    assert load_text(text, book, file="a.yaml").problems == loaded.problems


@settings(max_examples=150)
@given(st.integers(0, len(SHIPPED) - 1), st.data())
def test_a_file_that_is_no_yaml_is_no_mistake_of_another_file(which: int, data: st.DataObject) -> None:
    texts = {f"{number}.yaml": text for number, text in enumerate(SHIPPED)}
    name = f"{which}.yaml"
    for _ in range(data.draw(st.integers(1, 3))):
        texts[name] = data.draw(st.sampled_from(WAYS))(texts[name], data)
    reads = {file: read_text(text, file) for file, text in texts.items()}
    loaded = load_reads(reads.values(), prices())
    for file, text in texts.items():
        check_places(
            tuple(found for found in loaded.problems if found.place.file == file and not found.also), text
        )
    if reads[name].document is None:
        assert {found.place.file for found in loaded.errors} == {name}


@settings(max_examples=100)
@given(st.sampled_from(GOOD), st.data())
def test_bytes_that_are_no_text_are_told_where_they_stand(
    tmp_path_factory: pytest.TempPathFactory, good: str, data: st.DataObject
) -> None:
    body = good.encode()
    at = data.draw(st.integers(0, len(body)))
    body = body[:at] + data.draw(st.binary(min_size=1, max_size=3)) + body[at:]
    file = tmp_path_factory.getbasetemp() / "noise.yaml"
    file.write_bytes(body)
    loaded = load(file, catalog(good))
    assert loaded.plan is not None or loaded.errors
    check_places(loaded.problems, body.decode(errors="replace"))


def ways(value: Any, way: Way = ()) -> Iterator[Way]:
    for step, below in (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    ):
        if isinstance(step, str):
            yield (*way, step)
        yield from ways(below, (*way, step))


@pytest.mark.parametrize("good", GOOD, ids=range(len(GOOD)))
def test_no_misspelt_key_passes(good: str) -> None:
    """Every key of the language in every good text, one after the other, with one letter too many."""
    document = read_text(good, "a.yaml").document
    assert document is not None
    lines = good.splitlines(keepends=True)
    # what the other files of a folder declare
    elsewhere = {(each.code, each.message) for each in load_text(good, catalog(good), file="a.yaml").errors}
    for way in ways(document.value):
        if not isinstance(form_at(ROOT, way[:-1]), Block):
            continue
        line, column = document.keys[way]
        place = Place(file="a.yaml", line=line, column=column)
        written = lines[line - 1]
        end = column - 1 + len(str(way[-1]))
        changed = [*lines[: line - 1], f"{written[:end]}x{written[end:]}", *lines[line:]]
        found = load_text("".join(changed), catalog(good), file="a.yaml").errors
        told = [(each.code, each.place) for each in found if (each.code, each.message) not in elsewhere]
        assert told == [("unknown-key", place)], way
