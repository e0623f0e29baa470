"""The digest: over what the files mean, whatever they look like."""

import json
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from router.plan import Plan
from router.policy.load import load, load_text
from tests.policy.books import Book
from tests.policy.everything import everything

NAMES = ["fast", "slow", "last-resort"]
AMOUNTS = st.sampled_from(["$1", "$2.50", "$30"])


class Plain(yaml.SafeDumper):
    """Writes every value where it holds."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def policies() -> st.SearchStrategy[dict[str, Any]]:
    policy = st.fixed_dictionaries(
        {"targets": st.permutations(["openai/small", "openai/large", "gemini/flash"])},
        optional={
            "description": st.sampled_from(["one", "two"]),
            "ceiling": st.fixed_dictionaries({"output_tokens": st.sampled_from([400, "1k"])}),
            "budget": st.dictionaries(
                st.sampled_from(["per_day", "per_month", "per_request"]), AMOUNTS, min_size=1
            ),
            "retry": st.sampled_from(["off", {"attempts": 3}, {"backoff": "linear", "base": "1s"}]),
            "params": st.dictionaries(st.sampled_from(["temperature", "top_p"]), st.floats(0, 1), min_size=1),
        },
    )
    return st.dictionaries(st.sampled_from(NAMES), policy, min_size=1)


DOCUMENTS = st.builds(
    lambda policies, budget: {
        "version": 1,
        "providers": {"openai": {}, "gemini": {"budget": {"per_month": budget}}},
        "policies": policies,
        "tenants": {"acme": {"policies": "all", "budget": {"per_day": budget}}, "acme/search": {}},
    },
    policies(),
    AMOUNTS,
)


def plan_of(source: Any) -> Plan:
    loaded = load(source, Book())
    assert loaded.plan is not None, [str(problem) for problem in loaded.problems]
    return loaded.plan


def text_digest(text: str) -> str:
    loaded = load_text(text, Book())
    assert loaded.plan is not None, [str(problem) for problem in loaded.problems]
    return loaded.plan.digest


def shuffled(value: Any, draw: Any) -> Any:
    """The same with the keys of every map in another order."""
    if isinstance(value, dict):
        return {key: shuffled(value[key], draw) for key in draw(st.permutations(list(value)))}
    return [shuffled(item, draw) for item in value] if isinstance(value, list) else value


@settings(max_examples=40)
@given(DOCUMENTS, st.data())
def test_the_order_of_keys_means_nothing(document: dict[str, Any], data: st.DataObject) -> None:
    assert plan_of(shuffled(document, data.draw)).digest == plan_of(document).digest


@settings(max_examples=40)
@given(DOCUMENTS, st.booleans(), st.sampled_from([1, 2, 6]))
def test_style_quotes_comments_and_indentation_mean_nothing(
    document: dict[str, Any], flow: bool, indent: int
) -> None:
    block = yaml.dump(
        document, Dumper=Plain, default_flow_style=flow, indent=indent, sort_keys=False, width=60
    )
    commented = "# a comment\n" + block.replace("\n", "\n\n")
    assert text_digest(commented) == text_digest(json.dumps(document)) == plan_of(document).digest


def test_quotes_mean_nothing() -> None:
    head = "version: 1\nproviders: {openai: {}}\npolicies: {fast: {targets: "
    plain, single, double = "[openai/small]}}", "['openai/small']}}", '["openai\\u002fsmall"]}}'
    assert len({text_digest(head + tail) for tail in (plain, single, double)}) == 1


@settings(max_examples=20)
@given(DOCUMENTS, st.data())
def test_where_files_are_split_means_nothing(
    tmp_path_factory: pytest.TempPathFactory, document: dict[str, Any], data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("policies")
    files: dict[str, dict[str, Any]] = {}
    for block in ("providers", "policies", "tenants"):
        for name, value in document[block].items():
            file = data.draw(st.sampled_from(["a.yaml", "z.yml", "deep/er/b.yaml"]))
            files.setdefault(file, {"version": 1}).setdefault(block, {})[name] = value
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(yaml.dump(content, Dumper=Plain), encoding="utf-8")
    assert plan_of(folder).digest == plan_of(document).digest


EQUAL = {
    "units": ({"timeout": {"total": "90s"}}, {"timeout": {"total": "1.5m"}}),
    "counts": ({"ceiling": {"output_tokens": 1000}}, {"ceiling": {"output_tokens": "1k"}}),
    "a default written out": ({}, {"retry": {"attempts": 2}, "timeout": {"total": "60s"}, "cache": "off"}),
    "long and short windows": (
        {"budget": {"per_day": "$1"}, "ceiling": {"output_tokens": 9}},
        {"budget": {"per_day": {"at_most": "$1.00", "enforce": "hard"}}, "ceiling": {"output_tokens": 9}},
    ),
    "sets": ({"fall_back_on": ["auth", "timeout"]}, {"fall_back_on": ["timeout", "auth"]}),
    "a description": ({"description": "one"}, {"description": "two"}),
    "a target as a map": ({}, {"targets": [{"model": "openai/small"}]}),
}


@pytest.mark.parametrize("what", EQUAL)
def test_equal_in_meaning(what: str) -> None:
    one, other = EQUAL[what]
    base = {"version": 1, "providers": {"openai": {}}}
    fast = {"targets": ["openai/small"]}
    first = plan_of({**base, "policies": {"fast": {**fast, **one}}})
    second = plan_of({**base, "policies": {"fast": {**fast, **other}}})
    assert first.digest == second.digest


def test_the_order_of_targets_means_something() -> None:
    document = everything()
    swapped = everything()
    swapped["policies"]["fast"]["targets"].reverse()
    assert plan_of(document).digest != plan_of(swapped).digest


def test_facts_of_the_price_file_have_a_digest_of_their_own() -> None:
    class Dearer(Book):
        digest = "1" * 64

        def facts(self, kind: str, model: str) -> Any:
            return super().facts(kind, "large" if model == "small" else model)

    document = {
        "version": 1,
        "providers": {"openai": {}},
        "policies": {"fast": {"targets": ["openai/small"]}},
    }
    cheap, dear = load(document, Book()).plan, load(document, Dearer()).plan
    assert cheap is not None
    assert dear is not None
    assert cheap.digest == dear.digest
    assert cheap.prices_digest != dear.prices_digest
    assert cheap.targets != dear.targets


def test_equal_digests_are_equal_plans_but_for_their_looks() -> None:
    document = everything()
    reversed_keys = dict(reversed(document.items()))
    reversed_keys["policies"] = dict(reversed(document["policies"].items()))
    one, other = plan_of(document), plan_of(reversed_keys)
    assert one == other
    assert list(one.policies) == list(other.policies)


def test_what_a_store_that_fails_does_is_part_of_the_meaning() -> None:
    base = {"version": 1, "providers": {"openai": {}}, "policies": {"fast": {"targets": ["openai/small"]}}}

    def with_stores(**chosen: str) -> str:
        return plan_of({**base, "settings": {"on_store_error": chosen}}).digest

    assert with_stores(ledger="closed", cache="open") == plan_of(base).digest
    assert (
        len({plan_of(base).digest, *(with_stores(**{name: "open"}) for name in ("ledger", "limiter"))}) == 3
    )
    assert (
        len({plan_of(base).digest, *(with_stores(**{name: "closed"}) for name in ("health", "cache"))}) == 3
    )
