"""The JSON Schema: printed from the table of keys, flat, and the same in both of its forms.

That the committed one is the printed one is in tests/pages.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from router.policy.forms import blocks
from router.policy.json_schema import inlined, json_schema
from router.policy.schema import check_form
from router.policy.source import read_dict, read_text
from router.policy.table.root import ROOT

FIXTURES = Path(__file__).parent / "fixtures"
SCHEMA = json_schema(ROOT)


def nodes(schema: dict[str, Any]) -> list[dict[str, Any]]:
    """The schema and every schema inside it."""
    named = [below for key in ("properties", "definitions") for below in schema.get(key, {}).values()]
    single = [
        schema.get(key) for key in ("items", "additionalProperties", "propertyNames", "if", "then", "else")
    ]
    inner = [*named, *(each for each in single if isinstance(each, dict))]
    return [schema, *(found for each in inner for found in nodes(each))]


def test_it_is_a_schema_of_draft_07() -> None:
    Draft7Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "http://json-schema.org/draft-07/schema#"


def test_it_is_flat() -> None:
    """What editors serve best: no unions but by type, and `$ref` alone."""
    for node in nodes(SCHEMA):
        assert not {"oneOf", "anyOf", "allOf", "not", "patternProperties"} & node.keys()
        assert "$ref" not in node or set(node) == {"$ref"}


def test_every_map_is_closed() -> None:
    for node in nodes(SCHEMA):
        if "properties" in node:
            assert node["additionalProperties"] is False


def test_every_definition_is_described_and_used() -> None:
    text = json.dumps(SCHEMA)
    for name, definition in SCHEMA["definitions"].items():
        assert definition["description"]
        assert f'"#/definitions/{name}"' in text


def test_every_key_is_described() -> None:
    for block in blocks(ROOT):
        assert block.description.endswith((".", "`"))
        for key in block.keys.values():
            assert key.description.endswith(".")


def test_names_of_definitions_are_unique() -> None:
    assert len({block.ref for block in blocks(ROOT)}) == len({id(block) for block in blocks(ROOT)})


def test_no_example_is_a_map() -> None:
    """Editors offer it as `[object Object]`; it stands in the description instead."""
    offered = [example for node in nodes(SCHEMA) for example in node.get("examples", ())]
    assert offered
    assert not [example for example in offered if isinstance(example, dict)]
    assert "For example `{attempts: 2," in SCHEMA["definitions"]["retry"]["description"]
    assert (
        "For example `{temperature: 0}`."
        in SCHEMA["definitions"]["policy"]["properties"]["params"]["description"]
    )


def test_examples_fit_their_own_schema() -> None:
    flat = inlined(SCHEMA)
    for node in nodes(flat):
        for example in node.get("examples", ()):
            assert Draft7Validator(node).is_valid(example), example


@pytest.mark.parametrize("path", sorted(FIXTURES.glob("*.yaml")), ids=lambda path: path.name)
def test_both_forms_say_the_same(path: Path) -> None:
    read = read_text(path.read_text(encoding="utf-8"), path.name)
    if read.document is not None:
        plain = [error.message for error in Draft7Validator(SCHEMA).iter_errors(read.document.value)]
        flat = [error.message for error in Draft7Validator(inlined(SCHEMA)).iter_errors(read.document.value)]
        assert plain == flat


@pytest.mark.parametrize("path", sorted(FIXTURES.glob("*.good.yaml")), ids=lambda path: path.name)
def test_good_documents_are_valid_to_any_validator(path: Path) -> None:
    read = read_text(path.read_text(encoding="utf-8"), path.name)
    assert read.document is not None
    assert Draft7Validator(SCHEMA).is_valid(read.document.value)


def problems(value: dict[str, Any]) -> list[str]:
    document = read_dict({"version": 1, **value}).document
    assert document is not None
    return [f"{found.place.file} [{found.code}]" for found in check_form(document)]


def test_a_line_break_at_the_end_is_not_overlooked() -> None:
    """In Python `$` also matches before a last line break; in JSON Schema it does not."""
    policy = {"targets": ["openai/small"], "timeout": {"total": "8s\n"}}
    assert problems({"policies": {"fast": policy}}) == ["<dict>.policies.fast.timeout.total [wrong-form]"]


@pytest.mark.parametrize("path", ["/run/a\tb", "/run/a\nb", "\x00", " "])
def test_a_key_is_in_no_file_whose_name_is_not_one_line(path: str) -> None:
    """Its limits are counted under that name, and a server keeps names apart by tabs and ends of lines."""
    keys = {"openai": {"keys": [{"file": path}]}}
    assert problems({"providers": keys}) == ["<dict>.providers.openai.keys[0].file [wrong-form]"]


def test_a_float_is_no_integer() -> None:
    policy = {"targets": ["openai/small"], "retry": {"attempts": 2.0}, "ceiling": {"input_tokens": 500.0}}
    assert problems({"policies": {"fast": policy}}) == [
        "<dict>.policies.fast.retry.attempts [wrong-form]",
        "<dict>.policies.fast.ceiling.input_tokens [wrong-form]",
    ]
    assert problems({"version": True}) == ["<dict>.version [version]"]


def test_what_was_refused_while_reading_is_not_reported_again() -> None:
    document = read_text("version: 1\npolicies:\n  fast:\n    targets:\n", "a.yaml").document
    assert document is not None
    assert check_form(document) == ()


SECRET = "sk-proj-Aa0Bb1Cc2Dd3Ee4Ff5Gg6"
PLACES = {
    "a key": {"providers": {"openai": {"keys": [SECRET]}}},
    "a key's variable": {"providers": {"openai": {"keys": [{"env": SECRET}]}}},
    "a key as a map": {"providers": {"openai": {"keys": {"env": SECRET}}}},
    "a key of its own name": {"providers": {"openai": {"api_key": SECRET}}},
    "an address": {"providers": {"openai": {"base_url": f"https://x/v1?key={SECRET}"}}},
    "credentials": {"providers": {"openai": {"base_url": f"https://me:{SECRET}@x/v1"}}},
    "argument": {"providers": {"openai": {"base_url": "https://x/v1?api-version=1&api_key=plain"}}},
    "a wrong address": {"providers": {"openai": {"base_url": [SECRET]}}},
    "a description": {"policies": {"a": {"targets": ["openai/small"], "description": SECRET}}},
    "a parameter": {"policies": {"a": {"targets": ["openai/small"], "params": {"api_key": SECRET}}}},
    "a name": {"policies": {SECRET: {"targets": ["openai/small"]}}},
    "a nested policy": {"policies": {"a": {"targets": [{"policy": SECRET}]}}},
    "an unknown word": {"policies": {"a": {"targets": ["openai/small"], "retry": SECRET}}},
}


@pytest.mark.parametrize("where", PLACES)
def test_no_message_holds_a_secret(where: str) -> None:
    from router.policy.load import load
    from tests.policy.books import Book

    loaded = load({"version": 1, "providers": {"openai": {}}, **PLACES[where]}, Book())
    assert loaded.plan is None
    assert loaded.problems
    assert SECRET not in "".join(str(problem) for problem in loaded.problems)


@pytest.mark.parametrize(
    ("files", "where"),
    [
        ({"providers": {"openai": {"models": {SECRET: {"price": "free", "context": "1k"}}}}}, "models"),
        ({"tenants": {SECRET: {"policies": "all"}}}, "tenants"),
        (
            {"policies": {"b": {"targets": ["openai/small"], "params": {"logit_bias": {SECRET: 1}}}}},
            "logit_bias",
        ),
        (
            {"policies": {"b": {"targets": ["openai/small"], "params": {"tools": [{SECRET: {}}]}}}},
            "item 1 of `tools`",
        ),
    ],
)
def test_a_secret_is_no_name_either(files: dict[str, Any], where: str) -> None:
    from router.policy.load import load
    from tests.policy.books import Book

    usual = {"version": 1, "providers": {"openai": {}}, "policies": {"a": {"targets": ["openai/small"]}}}
    problems = [each for each in load({**usual, **files}, Book()).problems if each.code == "literal-secret"]
    shown = where if " " in where else f"`{where}`"
    assert [each.message for each in problems] == [f"{shown} has a key that looks like a secret"]
    assert SECRET not in "".join(map(str, problems))


def test_a_name_that_ends_in_letters_of_a_key_is_no_secret() -> None:
    from router.policy.load import load
    from tests.policy.books import Book

    nesting = {"targets": [{"policy": "risk-assessment-europe"}]}
    (found,) = load({"version": 1, "providers": {"openai": {}}, "policies": {"a": nesting}}, Book()).problems
    assert found.message == "there is no policy `risk-assessment-europe`"
