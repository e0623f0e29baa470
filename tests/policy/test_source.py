"""YAML 1.2 core, strictly, with the place of every key and value."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.policy.source import DEEPEST, read_dict, read_text


def value_of(text: str) -> object:
    read = read_text(text, "a.yaml")
    assert not read.problems
    assert read.document is not None
    return read.document.value


CORE = {
    "true": True,
    "FALSE": False,
    "12": 12,
    "+12": 12,
    "-3": -3,
    "0x1F": 31,
    "0o17": 15,
    "1.5": 1.5,
    ".5": 0.5,
    "1e3": 1000.0,
    "on": "on",
    "no": "no",
    "yes": "yes",
    "off": "off",
    "y": "y",
    "$25": "$25",
    "80%": "80%",
    "1.5m": "1.5m",
    "gpt-4o-2024-08-06": "gpt-4o-2024-08-06",
    "llama3:8b": "llama3:8b",
    "1.2.3": "1.2.3",
    "0b11": "0b11",
    '"12"': "12",
    "'null'": "null",
    "~x": "~x",
    "=": "=",
}


@pytest.mark.parametrize(("text", "value"), CORE.items())
def test_plain_scalars_are_those_of_the_core_schema(text: str, value: object) -> None:
    found = value_of(f"a: {text}\n")
    assert found == {"a": value}
    assert type(found["a"]) is type(value)


def test_places_of_keys_and_values() -> None:
    read = read_text("# first\na:\n  b: [x, {c: 1}]\n  é: 2\n", "dir/a.yaml")
    assert read.document is not None
    document = read.document
    assert str(document.key_place(("a", "b"))) == "dir/a.yaml:3:3"
    assert str(document.place(("a", "b", 0))) == "dir/a.yaml:3:7"
    assert str(document.place(("a", "b", 1, "c"))) == "dir/a.yaml:3:14"
    assert str(document.key_place(("a", "é"))) == "dir/a.yaml:4:3"
    assert str(document.place(("a", "é"))) == "dir/a.yaml:4:6"
    assert str(document.place(("a", "nothing", "there"))) == "dir/a.yaml:3:3"


def test_an_empty_file_is_an_empty_map() -> None:
    assert value_of("") == {}
    assert value_of("# nothing yet\n") == {}


def test_a_byte_order_mark_is_no_content() -> None:
    assert value_of("\ufeffa: 1\n") == {"a": 1}


SYNTAX = {
    "models: *\n": "a.yaml:1:9: error: `*` is an alias, and policies have none [anchor]",
    "a: >60k\n": "a.yaml:1:4: error: `>` and `|` start a text of several lines [yaml]",
    "a: b: c\n": "a.yaml:1:5: error: a second `key: value` on one line, or a wrong indentation [yaml]",
    "per_day:$25\nb: 1\n": "a.yaml:1:1: error: `per_day:$25` is one word to YAML [space-after-colon]",
    "a: {b: >60k}\n": "a.yaml:1:8: error: `>` and `|` start a text of several lines [yaml]",
    "a: [{b: ${B_KEY}}]\n": "a.yaml:1:5: error: `${B_KEY}` is the start of a map to YAML [yaml]",
    "a: @x\n": "a.yaml:1:4: error: a value can't begin with `@` [yaml]",
    "a: 'x\n": "a.yaml:1:4: error: a quote that is never closed [yaml]",
    "a: [1, 2\nb: 3\n": "a.yaml:1:4: error: a `[` that is never closed, or a missing comma [yaml]",
    "a: {b: 1\n": "a.yaml:1:4: error: a `{` that is never closed, or a missing comma [yaml]",
    "a: \x07\n": "a.yaml:1:4: error: a character no policy needs (U+0007) [yaml]",
    "%YAML 1.1\n---\na: 1\n": "a.yaml:1:1: error: `%YAML 1.1`: policies are YAML 1.2 [yaml]",
    "a: .inf\n": "a.yaml:1:4: error: `.inf` is not a number a policy can hold [wrong-form]",
    "a: 1e999\n": "a.yaml:1:4: error: `1e999` is not a number a policy can hold [wrong-form]",
    "? [a]\n: b\n": "a.yaml:1:3: error: a key must be text [key-not-text]",
    "? {a: 1}\n: {b: [c, {d: e}]}\n": "a.yaml:1:3: error: a key must be text [key-not-text]",
    "&k a: 1\n": "a.yaml:1:1: error: `&k` is an anchor, and policies have none [anchor]",
    "!!str a: 1\n": "a.yaml:1:1: error: `!!str` is a YAML tag, and policies have none [tag]",
    "null: 1\n": "a.yaml:1:1: error: the key `null` reads as nothing [key-not-text]",
    "a: {limit: 1,500}\n": "a.yaml:1:14: error: `1,500` reads as the number `1` and a key `500` [comma-in-amount]",
}


@pytest.mark.parametrize("text", SYNTAX)
def test_what_is_not_yaml_says_where_and_why(text: str) -> None:
    first = read_text(text, "a.yaml").problems[0]
    assert str(first).splitlines()[0] == SYNTAX[text]
    assert first.help


def test_every_problem_of_a_text_is_found_at_once() -> None:
    read = read_text("a: &x 1\nb: *x\nc: 1_000\nc: 2\nd:\n<<: {e: 1}\n", "a.yaml")
    assert [problem.code for problem in read.problems] == [
        "anchor",
        "anchor",
        "ambiguous-scalar",
        "duplicate-key",
        "empty-value",
        "merge-key",
    ]


def test_what_was_refused_is_marked_and_left_out() -> None:
    read = read_text("a: &x 1\nb: [1, ~, 3]\nc: 2\n", "a.yaml")
    assert read.document is not None
    assert read.document.value == {"b": [1, 3], "c": 2}
    assert read.document.damaged == {("a",), ("b", 1)}


def test_depth_is_bounded() -> None:
    fits = "[" * (DEEPEST - 1) + "]" * (DEEPEST - 1)
    assert not read_text(f"a: {fits}\n", "a.yaml").problems
    read = read_text("a: " + "[" * 5000 + "]" * 5000, "a.yaml")
    assert [problem.code for problem in read.problems] == ["too-deep"]
    loop: dict[str, object] = {}
    loop["a"] = loop
    assert read_dict(loop).document is None


DICTS = {
    "a set": ({"a": {"b": [{1, 2}]}}, "<dict>.a.b[0]: error: a value of type `set`: policies hold text"),
    "a key": ({"a": {1: 2}}, "<dict>.a: error: the key `1` is not text [key-not-text]"),
    "none": ({"a": None}, "<dict>.a: error: an empty value [empty-value]"),
    "nan": (
        {"a-b": {"c/d": float("nan")}},
        "<dict>.a-b['c/d']: error: `nan` is not a number a policy can hold",
    ),
}


@pytest.mark.parametrize("name", DICTS)
def test_dicts_say_the_path(name: str) -> None:
    value, message = DICTS[name]
    read = read_dict({**value, "rest": ["kept"]})
    assert read.document is not None
    assert read.document.value["rest"] == ["kept"]
    assert [str(problem).startswith(message) for problem in read.problems] == [True]


def test_every_problem_of_a_dict_is_found_at_once() -> None:
    read = read_dict({"a": None, "b": [1, None, {2: 3}], "c": object()})
    assert [str(problem.place) for problem in read.problems] == [
        "<dict>.a",
        "<dict>.b[1]",
        "<dict>.b[2]",
        "<dict>.c",
    ]


PLAIN = st.recursive(
    st.booleans()
    | st.integers(-(10**6), 10**6)
    | st.text(st.characters(codec="ascii", exclude_categories=["Cc"])),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text("abcxyz", min_size=1), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=60)
@given(st.dictionaries(st.text("abcxyz", min_size=1), PLAIN, max_size=4))
def test_reads_what_a_yaml_writer_writes(value: dict[str, object]) -> None:
    """JSON is YAML: what any writer of JSON wrote is read back."""
    assert value_of(json.dumps(value)) == value


@settings(max_examples=300)
@given(st.text())
def test_any_text_becomes_a_document_or_problems(text: str) -> None:
    read = read_text(text, "a.yaml")
    assert (read.document is not None) or read.problems
    assert all(problem.place.line >= 1 and problem.place.column >= 1 for problem in read.problems)


@settings(max_examples=300)
@given(st.text("ab:{}[],&*!|>'\"%@`#-? \n\t~<$1.", max_size=40))
def test_any_punctuation_becomes_a_document_or_problems(text: str) -> None:
    read = read_text(text, "a.yaml")
    assert (read.document is not None) or read.problems
