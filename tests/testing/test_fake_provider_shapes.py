"""JSON by schema: what comes out fits what was asked for."""

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.testing.fake_provider_shapes import fitting

NAMES = st.sampled_from(["city", "count", "tags", "when"])
BOUNDS = st.integers(-50, 50)
LEAVES = st.one_of(
    st.just({"type": "string"}),
    st.builds(
        lambda low, more: {"type": "string", "minLength": low, "maxLength": low + more},
        st.integers(0, 9),
        st.integers(0, 9),
    ),
    st.just({"type": ["null", "boolean"]}),
    st.builds(
        lambda low, more: {"type": "integer", "minimum": low, "maximum": low + more},
        BOUNDS,
        st.integers(0, 60),
    ),
    st.builds(
        lambda low, more: {"type": "number", "exclusiveMinimum": low, "exclusiveMaximum": low + more},
        BOUNDS,
        st.integers(1, 60),
    ),
    st.builds(lambda step: {"type": "integer", "multipleOf": step, "minimum": 1}, st.integers(1, 20)),
    st.builds(lambda values: {"enum": values}, st.lists(st.one_of(st.integers(), st.text()), min_size=1)),
    st.builds(lambda value: {"const": value}, st.one_of(st.none(), st.integers())),
)


def _grown(inner):
    objects = st.dictionaries(NAMES, inner).map(
        lambda parts: {
            "type": "object",
            "properties": parts,
            "required": list(parts),
            "additionalProperties": False,
        }
    )
    arrays = st.builds(
        lambda items, least, more: {"type": "array", "items": items, "minItems": least, "maxItems": least + more},
        inner, st.integers(0, 3), st.integers(0, 2),
    )  # fmt: skip
    optional = inner.map(lambda schema: {"anyOf": [{"type": "null"}, schema]})
    return st.one_of(objects, arrays, optional)


@settings(max_examples=300)
@given(schema=st.recursive(LEAVES, _grown, max_leaves=8))
def test_the_value_fits_the_schema(schema):
    jsonschema.validate(fitting(schema, words="salt and the sea"), schema)


def test_references_alternatives_and_merged_parts_are_followed():
    schema = {
        "$defs": {
            "Place": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
        },
        "type": "object",
        "properties": {
            "at": {"$ref": "#/$defs/Place"},
            "size": {"oneOf": [{"type": "null"}, {"type": "integer", "minimum": 3}]},
            "both": {"allOf": [{"$ref": "#/$defs/Place"}, {"properties": {"age": {"type": "integer"}}}]},
            "pair": {"type": "array", "prefixItems": [{"type": "string"}, {"type": "boolean"}]},
            "day": {"type": "string", "format": "date"},
        },
    }
    value = fitting(schema, words="Rome")
    jsonschema.validate(value, schema)
    assert value["at"] == {"name": "name: Rome"}
    assert value["size"] == 3
    assert set(value["both"]) == {"name", "age"}
    assert value["pair"] == ["pair: Rome", True]
    assert value["day"] == "2026-01-15"


def test_types_in_capitals_are_understood():
    schema = {
        "type": "OBJECT",
        "properties": {"n": {"type": "INTEGER"}, "l": {"type": "ARRAY", "items": {"type": "STRING"}}},
    }
    assert fitting(schema, words="x") == {"n": 1, "l": ["l: x"]}


def test_a_schema_that_holds_itself_comes_to_an_end():
    schema = {"$ref": "#/$defs/Node", "$defs": {"Node": {
        "type": "object",
        "properties": {"value": {"type": "integer"}, "next": {"$ref": "#/$defs/Node"}},
        "required": ["value"],
    }}}  # fmt: skip
    value = fitting(schema, words="x")
    jsonschema.validate(value, schema)
    assert value["next"]["value"] == 1


@pytest.mark.parametrize(
    "schema", [{}, {"type": "object"}, {"type": "array"}, {"type": []}, {"anyOf": [True]}]
)
def test_a_schema_that_says_little_still_gets_a_value(schema):
    jsonschema.validate(fitting(schema, words="x"), {} if schema == {"type": []} else schema)
