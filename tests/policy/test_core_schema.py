"""What is accepted has the value that the YAML 1.2 core schema gives it, and stands where it is said to stand.

The other reader here is PyYAML's composer with the tag table of YAML 1.2.2, section 10.3.2, written down anew.
"""

import re
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from router.policy.document import Document
from router.policy.source import read_text

TABLE = (
    (r"null|Null|NULL|~|", lambda text: None),
    (r"true|True|TRUE", lambda text: True),
    (r"false|False|FALSE", lambda text: False),
    (r"[-+]?[0-9]+", int),
    (r"0o[0-7]+", lambda text: int(text, 0)),
    (r"0x[0-9a-fA-F]+", lambda text: int(text, 0)),
    (r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", float),
    (r"[-+]?(\.inf|\.Inf|\.INF)", lambda text: float(text.replace(".", "").lower())),
    (r"\.nan|\.NaN|\.NAN", lambda text: float("nan")),
)


def core(text: str) -> Any:
    return next((make(text) for pattern, make in TABLE if re.fullmatch(pattern, text)), text)


def strict(node: yaml.Node | None) -> Any:
    """The value of a node; a repeated key keeps both, so that it equals nothing."""
    if node is None:
        return {}
    if isinstance(node, yaml.ScalarNode):
        return core(node.value) if not node.style else node.value
    if isinstance(node, yaml.SequenceNode):
        return [strict(item) for item in node.value]
    entries = [(strict(key), strict(value)) for key, value in node.value]
    keys = [key for key, _ in entries if isinstance(key, str)]
    return dict(entries) if len(keys) == len(set(keys)) == len(entries) else entries


def same(one: Any, other: Any) -> bool:
    """Equal, and of equal types: 1 is neither true nor 1.0."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


def places(node: yaml.Node | None, document: Document, path: tuple[Any, ...] = ()) -> None:
    if node is None:
        return
    assert document.values[path] == (node.start_mark.line + 1, node.start_mark.column + 1)
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            places(item, document, (*path, index))
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            below = (*path, key.value)
            assert document.keys[below] == (key.start_mark.line + 1, key.start_mark.column + 1)
            places(value, document, below)


def compare(text: str) -> bool:
    """False where the text was refused."""
    read = read_text(text, "a.yaml")
    if read.problems or read.document is None:
        return False
    node = yaml.compose(text, Loader=yaml.CSafeLoader)
    assert same(read.document.value, strict(node)), (text, read.document.value, strict(node))
    places(node, read.document)
    return True


SCALARS = [
    *("null", "Null", "NULL", "nUll", "~", "true", "True", "TRUE", "tRUE", "false", "False", "FALSE"),
    *("0", "7", "-3", "+12", "00", "0755", "-07", "0o7", "0O7", "0o8", "0x1F", "0X1F", "0xG", "-0x1", "0b11"),
    *(
        "1.5",
        ".5",
        "1.",
        "-.5",
        "+1.5e3",
        "1e3",
        "1E-2",
        "1e",
        ".e1",
        "1.5.2",
        "e3",
        ".",
        "-",
        "+",
        "-.",
        "1__0",
    ),
    *(".inf", "-.Inf", "+.INF", ".iNF", ".nan", ".NaN", ".NAN", "-.nan", "inf", "nan", "1e999", "-1e999"),
    *(
        "on",
        "off",
        "yes",
        "no",
        "y",
        "n",
        "On",
        "NO",
        "=",
        "<<",
        "1_000",
        "0x_1",
        "1:30",
        "22:00",
        "190:20:30",
    ),
    *("2026-11-30", "2026-1-3", "2001-12-14t21:59:43.10-05:00", "$25", "80%", "1.5m", "a b", "a  b", "4.10"),
    *(
        "1" * 40,
        "1" * 41,
        "0x" + "f" * 41,
        "1" * 60 + ".5",
        "llama3:8b",
        "http://x/y",
        "a#b",
        "a:b",
        "🙂",
        "é",
    ),
    *('"12"', "'null'", '""', "''", '"a\\tb"', '"\\x41"', "'it''s'", '"<<"', '"\\U0001F642"'),
]


@pytest.mark.parametrize("scalar", SCALARS)
def test_a_scalar_is_read_exactly_or_refused(scalar: str) -> None:
    for text in (
        f"a: {scalar}\n",
        f"- {scalar}\n",
        f"[x, {scalar}]\n",
        f"{{k: {scalar}}}\n",
        f"{scalar}: v\n",
    ):
        compare(text)


ACCEPTED = {
    "0": 0,
    "0o7": 7,
    "0x1F": 31,
    "+12": 12,
    ".5": 0.5,
    "1.": 1.0,
    "TRUE": True,
    "-.5": -0.5,
    "0b11": "0b11",
}


@pytest.mark.parametrize("scalar", ACCEPTED)
def test_what_is_accepted_is_this(scalar: str) -> None:
    assert compare(f"a: {scalar}\n")
    document = read_text(f"a: {scalar}\n", "a.yaml").document
    assert document is not None
    assert same(document.value, {"a": ACCEPTED[scalar]})


@settings(max_examples=300)
@given(st.text("-+.0123456789eExXoO_:abfINnTt~ ", min_size=1, max_size=8))
def test_any_number_like_text(scalar: str) -> None:
    compare(f"a: {scalar}\n")


GOOD = [scalar for scalar in SCALARS if not read_text(f"a: {scalar}\n", "a.yaml").problems]
NODES = st.recursive(
    st.sampled_from(GOOD),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]")
        | st.lists(st.tuples(st.sampled_from(["a", "b", '"c"', "d e", "🙂"]), inner), max_size=3).map(
            lambda entries: "{" + ", ".join(f"{key}: {value}" for key, value in entries) + "}"
        )
        | inner.map(lambda value: f"\n  - {value}\n  -   {value}" if "\n" not in value else value)
        | inner.map(lambda value: f"\n  k: {value}\n  l : {value}  # said" if "\n" not in value else value)
    ),
    max_leaves=8,
)


@settings(max_examples=300)
@given(st.lists(NODES, min_size=1, max_size=4), st.sampled_from(["\n", "\r\n", "\r"]), st.booleans())
def test_any_document(values: list[str], line_break: str, marked: bool) -> None:
    lines = "\n".join(f"key-{index}: {value}" for index, value in enumerate(values))
    text = f"%YAML 1.2\n---\n{lines}\n...\n" if marked else f"{lines}\n"
    compare(text.replace("\n", line_break))


@settings(max_examples=500)
@given(st.text("ab:{}[],|>'\"%?- \n\t~$1.#\r🙂", max_size=30))
@example("a:\tb\n")
@example("? a\n: b\n")
@example("a: b\n  c\n\n  d\n")
@example("a: >\n  b\n\n  c\n")
@example("a: |-\n  b\r\n  c\n")
@example("'a\n  b': c\n")
@example('a: "b\\\n  c"\n')
def test_any_punctuation(text: str) -> None:
    compare(text)


FILES = {
    "": {},
    "# nothing yet": {},
    "---": {},
    "--- # nothing\n...\n": {},
    "\ufeffa: 1\n": {"a": 1},
    "a: 1\n...\n": {"a": 1},
    "%YAML 1.2\n---\na: 1\n": {"a": 1},
    "a: b\n  c\r\n  d\n": {"a": "b c d"},
    "a: |\n  b\n  c\nd: >-\n  e\n  f\n": {"a": "b\nc\n", "d": "e f"},
    "? " + "k" * 1100 + "\n: 1\n": {"k" * 1100: 1},
    "a: " + "x" * 100_000: {"a": "x" * 100_000},
    "\"a\": 1\n'b': 2\n": {"a": 1, "b": 2},
}


@pytest.mark.parametrize("text", FILES, ids=lambda text: repr(text[:20]))
def test_good_files(text: str) -> None:
    read = read_text(text, "a.yaml")
    assert read.problems == ()
    assert read.document is not None
    assert same(read.document.value, FILES[text])
