"""What is accepted has the value that the YAML 1.2 core schema gives it, and stands where it is said to stand."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from router.policy.source import read_text
from tests.policy.second_reader import compare, same

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
