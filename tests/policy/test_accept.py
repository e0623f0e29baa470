"""What is accepted without a validator is what a validator accepts."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from router.policy.accept import NotUnderstood, acceptor
from router.policy.json_schema import inlined, json_schema
from router.policy.schema import strict_validator
from router.policy.source import read_text
from router.policy.table.root import ROOT

ACCEPTS = acceptor(inlined(json_schema(ROOT)))
VALIDATOR = strict_validator(ROOT)
GOOD = [
    read.document.value
    for path in sorted((Path(__file__).parent / "fixtures").glob("*.good.yaml"))
    if (read := read_text(path.read_text(encoding="utf-8"), path.name)).document is not None
]

ODD = st.sampled_from(
    [
        *(
            "",
            "off",
            "all",
            "free",
            "$1",
            "$0.123456789",
            "$1.",
            "8s",
            "0s",
            "1h30m",
            "200k",
            "1M",
            "1e3",
            "80%",
        ),
        *(
            "101%",
            "24:00",
            "22:00",
            "a",
            "A",
            "a b",
            "a/b",
            "a//b",
            "a/b/c",
            "null",
            "a\n",
            "$1\n",
            "x" * 300,
        ),
        *(0, 1, 2, 20, 21, 10**12, -1, 1.0, 0.5, True, False, [], {}, [[]], [1, True], [1.0, 1], ["a", "a"]),
        *(
            {"a": 1},
            {"env": "A"},
            {"env": "A", "file": "b"},
            {"policy": "a"},
            {"model": "a/b"},
            {"at_most": "$1"},
        ),
    ]
).map(deepcopy)  # what is drawn may be changed further


def changed(value: Any, data: st.DataObject) -> Any:
    """One value, key or item of it is another, or gone, or new."""
    if isinstance(value, dict) and value and data.draw(st.integers(0, 5)):
        key = data.draw(st.sampled_from(sorted(value)))
        value[key] = changed(value[key], data)
    elif isinstance(value, list) and value and data.draw(st.integers(0, 3)):
        index = data.draw(st.integers(0, len(value) - 1))
        value[index] = changed(value[index], data)
    elif isinstance(value, dict) and value and data.draw(st.booleans()):
        del value[data.draw(st.sampled_from(sorted(value)))]
    elif isinstance(value, dict) and data.draw(st.booleans()):
        value[data.draw(st.sampled_from(["a", "A", "policy", "model", "name", "1"]))] = deepcopy(
            data.draw(ODD)
        )
    elif isinstance(value, list) and data.draw(st.booleans()):
        value.append(deepcopy(value[0]) if value and data.draw(st.booleans()) else deepcopy(data.draw(ODD)))
    else:
        return deepcopy(data.draw(ODD))
    return value


@settings(max_examples=400)
@given(st.data())
def test_it_says_what_the_validator_says(data: st.DataObject) -> None:
    value = deepcopy(data.draw(st.sampled_from(GOOD)))
    for _ in range(data.draw(st.integers(0, 3))):
        value = changed(value, data)
    assert ACCEPTS(value) is VALIDATOR.is_valid(value)


def test_good_documents_need_no_validator() -> None:
    assert all(map(ACCEPTS, GOOD))


def test_what_only_a_validator_can_tell_is_left_to_it() -> None:
    class Text(str):
        """Text, and not exactly `str`."""

        __slots__ = ()

    assert not acceptor({"type": "string"})(Text("a"))
    assert not acceptor({"type": "array", "uniqueItems": True})([1, 2])


RULES: list[dict[str, Any]] = [
    {"type": "string", "pattern": "^a+$"},
    {
        "type": ["string", "object"],
        "pattern": "b",
        "properties": {"a": {"type": "integer"}},
        "required": ["a"],
    },
    {"type": "object", "additionalProperties": {"type": "number", "minimum": 1, "maximum": 2}},
    {"type": "object", "propertyNames": {"pattern": "^a"}, "additionalProperties": {"type": "boolean"}},
    {"enum": [1, "a", True]},
    {"enum": ["a"]},
    {"type": "array", "items": {"type": "string"}, "minItems": 1, "uniqueItems": True},
    {"minProperties": 1, "maxProperties": 1},
    {"if": {"required": ["a"]}, "then": {"maxProperties": 1}, "else": {"required": ["b"]}},
    {"if": {"type": "object", "required": ["a"]}, "then": {}, "else": {"type": "string"}},
]
VALUES = st.recursive(
    st.sampled_from(["a", "aa", "b", "", 0, 1, 2, 3, 1.5, True, False]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize("schema", RULES, ids=str)
@settings(max_examples=60)
@given(value=VALUES)
def test_each_rule_is_the_validators(schema: dict[str, Any], value: Any) -> None:
    if acceptor(schema)(value):
        assert Draft7Validator(schema).is_valid(value)


@pytest.mark.parametrize(
    "schema",
    [
        {"anyOf": []},
        {"properties": {"a": {"format": "uri"}}},
        {"if": {"properties": {}}},
        {"properties": {"a": {}}, "propertyNames": {}},
        {"$ref": "#"},
    ],
    ids=str,
)
def test_a_rule_it_does_not_know_is_not_passed_over(schema: dict[str, Any]) -> None:
    with pytest.raises(NotUnderstood):
        acceptor(schema)
