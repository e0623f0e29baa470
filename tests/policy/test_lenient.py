"""YAML as PyYAML's safe loader reads it, with places."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from router.policy.lenient import Written, read_lenient


def root(text: str) -> Written:
    read = read_lenient(text, "c.yaml")
    assert read.root is not None, read.problem
    return read.root


def plain(key: Written) -> object:
    if isinstance(key.value, dict):
        return {name: plain(below) for name, below in key.fields()}
    return [plain(item) for item in key.items()] if isinstance(key.value, tuple) else key.value


@pytest.mark.parametrize(
    "text",
    [
        "a: yes\nb: off\nc: 0o17\nd: 017\ne: 1_000\nf: 12:30\n",
        "a: 3e-06\nb: 3.0e-6\nc: .5\nd: ~\ne: null\nf: 2026-11-28\n",
        "a: &x {b: 1, c: 2}\nd: {<<: *x, c: 3}\ne: *x\n",
        "a: &x {b: 1}\ny: &y {b: 2, d: 4}\nz: {<<: [*x, *y], e: 5}\n",
        "a: 1\nb: 2\na: 3\n",
        "- 1\n- [a, {b: c}]\n- >-\n  folded\n  text\n",
        "a: !!str 5\nb: !!int '7'\n",
        "a: {}\nb: []\nc: ''\n",
    ],
)
def test_values_are_those_of_the_safe_loader(text: str) -> None:
    assert plain(root(text)) == yaml.safe_load(text)


def test_every_key_has_its_place() -> None:
    found = root("a:\n  - b: 1\n    c: 2\n  - d\n")
    places = {key.path: (key.place.line, key.place.column) for key in found.leaves()}
    assert places == {("a", 0, "b"): (2, 5), ("a", 0, "c"): (3, 5), ("a", 1): (4, 5)}


def test_what_an_alias_brings_in_has_the_place_of_its_anchor() -> None:
    found = root("base: &b\n  timeout: 5\nuse:\n  <<: *b\n  model: x\n")
    timeout = found.get("use", "timeout")
    assert timeout is not None
    assert (timeout.path, timeout.place.line) == (("use", "timeout"), 2)


def test_a_key_twice_keeps_the_last_and_remembers_the_others() -> None:
    found = root("a: {b: 1}\nc: 2\na: {d: 3}\na: 4\n")
    kept = found.get("a")
    assert kept is not None
    assert kept.value == 4
    assert [each.place.line for each in kept.lost] == [1, 3]
    assert [(leaf.path, leaf.place.line) for leaf in found.leaves()] == [
        (("c",), 2),
        (("a", "b"), 1),
        (("a", "d"), 3),
        (("a",), 4),
    ]


def test_a_merged_key_that_is_written_again_is_not_lost() -> None:
    kept = root("x: &x {a: 1}\ny: {<<: *x, a: 2}\n").get("y", "a")
    assert kept is not None
    assert (kept.value, kept.lost) == (2, ())


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("a:\n - b: 1\n  - c: 2\n", 3, 3),
        ("a: [1\n", 2, 1),
        ("a: *nobody\n", 1, 4),
        ("a: 1\nb: !Ref x\n", 2, 4),
        ("a: !Map {b: 1}\n", 1, 4),
        ("a: 1\n--- \nb: 2\n", 2, 1),
        ("a: \x00\n", 1, 4),
        ("? [a]\n: 1\n", 1, 3),
        ("a: &a [*a]\n", 1, 4),
        ("a: &a {<<: *a}\n", 1, 4),
        ("a: 2026-99-99\n", 1, 4),
        ("", 1, 1),
    ],
)
def test_what_the_safe_loader_refuses_has_a_place(text: str, line: int, column: int) -> None:
    read = read_lenient(text, "c.yaml")
    assert read.root is None
    assert read.problem is not None
    assert (read.problem.place.line, read.problem.place.column) == (line, column)


def test_aliases_that_multiply_end_early() -> None:
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    assert "more values" in str(read_lenient("\n".join(lines), "c.yaml").problem)


@given(st.text(max_size=80))
def test_any_text_is_a_document_or_a_problem_inside_it(text: str) -> None:
    read = read_lenient(text, "c.yaml")
    assert (read.root is None) is (read.problem is not None)
    if read.problem is not None:
        assert 1 <= read.problem.place.line <= text.count("\n") + text.count("\r") + 2
