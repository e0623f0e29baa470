"""The table of keys of case files: its schema is flat, closed and described."""

from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from router.policy.accept import acceptor
from router.policy.forms import blocks
from router.policy.json_schema import inlined, json_schema
from router.policy.source import read_text
from router.resources import resource
from router.testing.cases.reading_expect import EVENTS, READERS
from router.testing.cases.table import EXPECT, ROOT, SCHEMA, TITLE

MADE = json_schema(ROOT, identifier=SCHEMA, title=TITLE)


def test_it_is_a_schema_of_draft_07() -> None:
    Draft7Validator.check_schema(MADE)


def test_every_block_is_closed_and_described() -> None:
    for block in blocks(ROOT):
        assert block.description.endswith((".", "`"))
        assert all(key.description.endswith((".", ")")) for key in block.keys.values())
        if block is not ROOT:
            assert MADE["definitions"][block.ref]["additionalProperties"] is False


def test_examples_fit_their_own_schema() -> None:
    checked = 0
    for node in _nodes(inlined(MADE)):
        for example in node.get("examples", ()):
            assert Draft7Validator(node).is_valid(example), example
            checked += 1
    assert checked > 30


def _nodes(value: Any) -> list[dict[str, Any]]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    own = [value] if isinstance(value, dict) and "type" in value else []
    return [*own, *(found for each in inner for found in _nodes(each))]


def test_whatever_can_be_expected_is_read() -> None:
    assert set(READERS) == set(EXPECT.keys)


@pytest.mark.parametrize("name", ["CacheHit", "RuleMatched", "ReserveRefused", "RequestFailed"])
def test_events_are_known_by_their_names(name: str) -> None:
    assert name in EVENTS


def test_what_is_no_event_is_not_among_them() -> None:
    assert not {"Event", "Sink", "Usage", "Kind"} & set(EVENTS)


FILES = [
    *sorted((Path(__file__).parent / "broken").glob("*.cases.yaml")),
    *sorted(resource("policies").glob("*.cases.yaml")),
]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_validator_says_the_same(path: Path) -> None:
    """The one of an editor, and ours, which is fast."""
    document = read_text(path.read_text(encoding="utf-8"), path.name).document
    if document is not None:
        assert acceptor(inlined(MADE))(document.value) is Draft7Validator(MADE).is_valid(document.value)


def test_the_shipped_files_are_valid() -> None:
    valid = [
        path.name
        for path in FILES
        if (document := read_text(path.read_text(encoding="utf-8"), path.name).document)
        and Draft7Validator(MADE).is_valid(document.value)
    ]
    assert {"cheap-fast.cases.yaml", "smart.cases.yaml", "tenants.cases.yaml"} <= set(valid)
    assert len(valid) < len(FILES)
