"""The schema of one repository: what it accepts is what its names allow, and it is as flat as the shipped one."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from router.policy.document import Document
from router.policy.forms import Block, ListOf, MapOf, Scalar, blocks
from router.policy.json_schema import inlined, json_schema
from router.policy.load import policy_files, read_file
from router.policy.local_schema import local_schema, names_in
from router.policy.source import read_text
from router.policy.table.root import ROOT
from router.policy.words import NAME_PATTERN
from router.resources import resource
from tests.policy.test_schema import nodes

TEXT = """\
version: 1
settings: {default_policy: fast}
providers:
  openai: {budget: {per_month: $9}, labels: [us]}
  vllm.eu: {kind: hosted_vllm, base_url: "http://x", models: {llama: {context: 8k, labels: [eu]}}}
budgets: {canary: {per_day: $5}}
policies:
  base: {abstract: true, retry: {attempts: 2}}
  fast:
    extends: base
    allow: [openai/*, vllm.eu/llama]
    budget: {pool: canary, per_day: $1}
    targets: [openai/small, {model: openai/large, params: {n: 1}}, {policy: last-resort}]
    rules:
      - name: spent
        when: {budget_used: {of: provider, name: openai, window: per_month, over: 80%}, tenant: [acme]}
        policy: last-resort
  last-resort: {targets: [vllm.eu/llama]}
tenants:
  acme: {policies: all, require: [eu]}
  acme/search: {policies: [fast]}
"""


def document(text: str) -> Document:
    found = read_text(text, "a.yaml").document
    assert found is not None
    return found


def schema_of(*texts: str) -> dict[str, Any]:
    return local_schema(names_in([document(text) for text in texts]), ROOT)


def accepts(text: str, schema: dict[str, Any] | None = None) -> bool:
    return bool(Draft7Validator(schema or schema_of(TEXT)).is_valid(document(text).value))


def test_every_name_of_the_files_is_found() -> None:
    assert names_in([document(TEXT)]) == {
        "providers": ["openai", "vllm.eu"],
        "policies": ["base", "fast", "last-resort"],
        "tenants": ["acme", "acme/search"],
        "budgets": ["canary"],
        "labels": ["eu", "us"],
        "targets": ["openai/large", "openai/small", "vllm.eu/llama"],
        "patterns": ["openai/*", "vllm.eu/*", "openai/large", "openai/small", "vllm.eu/llama"],
    }


def test_shipped_policies_are_valid_to_their_own_schema() -> None:
    documents = [read_file(path).document for path in policy_files(resource("policies"))]
    found = [each for each in documents if each is not None]
    schema = local_schema(names_in(found), ROOT)
    assert len(found) >= 4
    for each in found:
        Draft7Validator(schema).validate(each.value)


def test_its_own_files_are_valid() -> None:
    assert accepts(TEXT)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("default_policy: fast", "default_policy: fsat"),
        ("{policy: last-resort}", "{policy: last-resrot}"),
        ("policy: last-resort\n", "policy: last-resrot\n"),
        ("policies: [fast]", "policies: [fast, slow]"),
        ("policies: all", "policies: al"),
        ("name: openai", "name: opnai"),
        ("openai/small", "opnai/small"),
        ("model: openai/large", "model: vllm-eu/large"),
        ("vllm.eu/llama", "vllmxeu/llama"),
        ("extends: base", "extends: bas"),
        ("pool: canary", "pool: canaries"),
        ("require: [eu]", "require: [ue]"),
        ("openai/*", "opnai/*"),
    ],
)
def test_a_misspelt_name_is_not_valid(right: str, wrong: str) -> None:
    assert right in TEXT
    assert not accepts(TEXT.replace(right, wrong))


@pytest.mark.parametrize(
    ("right", "other"),
    [
        ("openai/small", "openai/of-the-price-file"),
        ("openai/*", "openai/gpt-5/*"),
        ("labels: [us]", "labels: [brand-new, us]"),
        ("tenant: [acme]", "tenant: [acme/child-in-no-file]"),
        ("  acme/search:", "  acme/new:"),
        ("  last-resort: {targets", "  brand-new: {targets"),
    ],
)
def test_what_the_files_need_not_declare_is_valid(right: str, other: str) -> None:
    assert right in TEXT
    assert accepts(TEXT.replace(right, other))


def test_it_is_a_flat_schema_of_draft_07() -> None:
    schema = schema_of(TEXT)
    Draft7Validator.check_schema(schema)
    for node in nodes(schema):
        assert not {"oneOf", "anyOf", "allOf", "not", "patternProperties"} & node.keys()
        assert "$ref" not in node or set(node) == {"$ref"}


def test_examples_fit_and_are_the_names() -> None:
    schema = inlined(schema_of(TEXT))
    for node in nodes(schema):
        for example in node.get("examples", ()):
            assert Draft7Validator(node).is_valid(example), example
    target = schema_of(TEXT)["definitions"]["target"]
    assert target["examples"] == ["openai/large", "openai/small", "vllm.eu/llama"]
    assert target["properties"]["policy"]["enum"] == ["base", "fast", "last-resort"]


def test_no_pattern_is_refused_by_editors() -> None:
    """They read patterns as Unicode ones, in which only special characters may be escaped."""
    for node in nodes(schema_of(TEXT.replace("vllm.eu", "vllm-eu"))):
        assert "\\-" not in node.get("pattern", "")


def test_the_order_of_files_means_nothing() -> None:
    other = "version: 1\npolicies: {another: {targets: [openai/small]}}\nproviders: {groq: {}}\n"
    assert json.dumps(schema_of(TEXT, other)) == json.dumps(schema_of(other, TEXT))


def test_without_names_it_is_the_shipped_one() -> None:
    renamed = {**json_schema(ROOT), "$id": "router.local.schema.json"}
    assert schema_of("version: 1\n") == {
        **renamed,
        "title": f"{renamed['title']}, with the names of this repository",
    }


def test_files_with_mistakes_still_have_names() -> None:
    broken = """\
version: 2
policies:
  fast: {targets: [nope/x, {policy: 3}, 7, openai/small, no-target], unknown: 1}
  "Bad Name": {}
  text: nothing
  sk-proj-aa0bb1cc2dd3ee4ff5gg6: {}
providers: {openai: {models: [a, b]}}
tenants: {sk-proj-aa0bb1cc2dd3ee4ff5gg6: {}}
"""
    assert names_in([document(broken)]) == {
        "providers": ["openai"],
        "policies": ["fast", "text"],
        "tenants": [],
        "budgets": [],
        "labels": [],
        "targets": ["openai/small"],
        "patterns": ["openai/*", "openai/small"],
    }


@pytest.mark.parametrize(
    "path", sorted((Path(__file__).parent / "fixtures").glob("*.yaml")), ids=lambda path: path.name
)
def test_whatever_the_files_hold_it_is_a_schema(path: Path) -> None:
    found = read_file(path).document
    schema = local_schema(names_in([found] if found else []), ROOT)
    Draft7Validator.check_schema(schema)
    if found and path.name.endswith(".good.yaml"):
        Draft7Validator(schema).validate(found.value)


def test_every_name_in_the_table_says_what_it_refers_to() -> None:
    """`refers_to` of a scalar: `words.POLICY`, not `words.NAME`, where a policy is meant."""
    free = {("rule", "name"), ("provider", "labels"), ("model", "labels")}
    free |= {(ref, "was") for ref in ("provider", "policy", "pool")}  # what nothing is called any more
    for block in blocks(ROOT):
        for name, key in block.keys.items():
            form = key.form.item if isinstance(key.form, ListOf) else key.form
            if isinstance(form, Scalar) and form.pattern == NAME_PATTERN and (block.ref, name) not in free:
                assert form.refers_to, f"`{name}` of {block.name}"
            assert not isinstance(form, MapOf) or isinstance(form.value, Block)
