"""The key of a cached answer: equal for equal requests at equal targets, and for nothing else."""

import json
from dataclasses import replace
from enum import Enum, IntEnum, StrEnum
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.decide.cachekey import cache_key, partition
from router.plan import CacheRule, Candidate, Lexical, Provider, RetryRule, Target, TokenClass
from router.values import Place, SecretRef

HERE = Place(file="policies/a.yaml", line=3, column=5)
LEXICAL = Lexical(retry=RetryRule(on=frozenset()), attempt_s=None, fall_back_on=frozenset(), params={})
OPENAI = Provider(name="openai", kind="openai", base_url=None, keys=(), budgets=(), place=HERE)


def candidate(model: str = "gpt-5-nano", **changes: Any) -> Candidate:
    target = Target(
        provider="openai",
        model=model,
        kind="openai",
        wire_model=changes.pop("wire_model", model),
        prices=None,
        context_tokens=None,
        max_output_tokens=None,
        supports=None,
        tokens=TokenClass(method="exact"),
        place=HERE,
    )
    plain = Candidate(
        target=target,
        policy="cheap-fast",
        lexical=LEXICAL,
        total_s=60.0,
        input_ceiling=None,
        output_tokens=400,
        attempts_ceiling=None,
        added_cost_nusd=None,
        budgets=(),
        per_request=(),
        params={"temperature": 0},
    )
    return replace(plain, **changes)


def key(**changes: Any) -> str:
    request: dict[str, Any] = {
        "policy": "cheap-fast",
        "candidates": (candidate(),),
        "providers": {"openai": OPENAI},
        "messages": ({"role": "user", "content": "hello"},),
        "params": {},
        "partition": "tenant 4 acme",
    }
    return cache_key(**{**request, **changes})


def with_provider(**changes: Any) -> dict[str, Provider]:
    return {"openai": replace(OPENAI, **changes)}


def test_a_key_is_sha256_in_hex_and_stable_over_processes():
    # The value itself: a change of the hashed text must raise FORMAT, and then this line.
    assert key() == "dc9cdc7239b247a2f65a320a3bed89cec133cf4833caa0c304b546df33357595"


@pytest.mark.parametrize(
    "changes",
    [
        {"policy": "cheap"},
        {"partition": "tenant 4 acm2"},
        {"candidates": (replace(candidate(), input_ceiling=1),)},
        {"candidates": (candidate("gpt-5-mini"),)},
        {"candidates": (candidate(wire_model="deployment-7"),)},
        {"candidates": (candidate(params={"temperature": 0.0}),)},
        {"candidates": (candidate(params={}),)},
        {"candidates": (candidate(output_tokens=4000),)},
        {"candidates": (candidate(), candidate("gpt-5-mini"))},
        {"candidates": ()},
        {"providers": with_provider(base_url="https://other.example/v1")},
        {"providers": with_provider(base_url=SecretRef(source="env", name="OTHER_URL", place=HERE))},
        {"providers": with_provider(wire={"api_version": "2026-01-01"})},
        {"messages": ({"role": "user", "content": "hello "},)},
        {"messages": ({"role": "user", "content": "hello", "name": "a"},)},
        {"messages": ({"role": "user", "content": "hello"}, {"role": "user", "content": ""})},
        {"params": {"max_tokens": 5}},
        {"params": {"seed": None}},
    ],
)
def test_whatever_decides_an_answer_is_in_the_key(changes: dict[str, Any]):
    assert key(**changes) != key()


def test_the_order_of_targets_counts_and_the_order_of_keys_does_not():
    one, two = candidate("gpt-5-nano"), candidate("gpt-5-mini")
    assert key(candidates=(one, two)) != key(candidates=(two, one))
    assert key(params={"seed": 1, "top_p": 0.5}) == key(params={"top_p": 0.5, "seed": 1})
    turned = ({"content": "hello", "role": "user"},)
    assert key(messages=turned) == key()


def test_what_does_not_change_an_answer_is_not_in_the_key():
    other_file = Place(file="policies/b.yaml", line=9, column=1)
    moved = replace(candidate(), target=replace(candidate().target, place=other_file), total_s=5.0)
    assert key(candidates=(moved,)) == key()


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (1, 1.0),
        (1, True),
        (0, False),
        (1, "1"),
        (1.0, "1.0"),
        (None, "null"),
        (None, "None"),
        (None, False),
        ([], {}),
        ([], ""),
        ([1, [2]], [[1], 2]),
        ([["a", "b"]], {"a": "b"}),
        ({"a": ["b"]}, {"a": "b"}),
        ({"a": "b1:c"}, {"a": "b", "c": ""}),
        ("\u00e9", "e\u0301"),  # one look, two texts
        ("\U0001f600", "\ud83d\ude00"),  # json.dumps writes both alike
        ("a\ud83d", "a\ud83e"),  # halves of characters, which UTF-8 has no bytes for
        ("a", "a\x00"),
        (10**20, 1e20),
        (0.0, -0.0),
    ],
)
def test_types_and_texts_that_look_alike_stay_apart(left: object, right: object):
    assert key(params={"x": left}) != key(params={"x": right})


def test_a_tuple_is_a_list_and_any_mapping_a_map():
    assert key(params={"stop": ("a", "b")}) == key(params={"stop": ["a", "b"]})
    assert key(params=MappingProxyType({"seed": 1})) == key(params={"seed": 1})


def test_subclasses_of_plain_values_count_as_the_value():
    class Words(StrEnum):
        LOW = "low"

    class Mixed(str, Enum):  # noqa: UP042 -- formats itself as `Mixed.LOW`, which must not reach the key
        LOW = "low"

    class Number(IntEnum):
        ONE = 1

    class Half(float):
        def __repr__(self) -> str:
            return "1"

    assert key(params={"x": Words.LOW}) == key(params={"x": Mixed.LOW}) == key(params={"x": "low"})
    assert key(params={"x": Number.ONE}) == key(params={"x": 1})
    assert key(params={"x": Half(0.5)}) == key(params={"x": 0.5})
    assert key(params={"x": {Words.LOW: 1}}) == key(params={"x": {"low": 1}})
    assert key(params={"x": {Mixed.LOW: 1}}) == key(params={"x": {"low": 1}})


def test_a_number_of_any_length_has_a_key():
    assert key(params={"seed": 10**6000}) != key(params={"seed": 10**6000 + 1})


def deep() -> list[Any]:
    nested: list[Any] = []
    for _ in range(100_000):
        nested = [nested]
    return nested


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"params": {"seed": {1, 2}}}, "`params.seed` is of type `set`, which is not a JSON value"),
        ({"params": {"logit_bias": {50256: -1}}}, "`params.logit_bias` has a key of type `int`"),
        ({"params": {"x": {None: 1}}}, "`params.x` has a key of type `NoneType`"),
        ({"params": {"x": {"a": 1, 2: 3}}}, "`params.x` has a key of type `int`"),
        ({"params": {"temperature": float("nan")}}, "`params.temperature` is `nan`"),
        ({"params": {"temperature": float("-inf")}}, "`params.temperature` is `-inf`"),
        ({"params": {"x": deep()}}, "nested too deep"),
        (
            {"messages": ({"role": "user", "content": [{"type": "text", "text": b"secret"}]},)},
            "`messages[0].content[0].text` is of type `bytes`",
        ),
        ({"messages": (object(),)}, "`messages[0]` is of type `object`"),
    ],
)
def test_what_is_not_json_is_refused_by_its_place(changes: dict[str, Any], said: str):
    with pytest.raises(TypeError) as refused:
        key(**changes)
    assert said in str(refused.value)
    assert "secret" not in str(refused.value)


def test_a_fault_in_the_policy_is_not_blamed_on_the_caller():
    with pytest.raises(TypeError, match="a parameter of the policy"):
        key(candidates=(candidate(params={"x": object()}),))


# --- laws ---------------------------------------------------------------------------------------------------------

TEXT = st.text(st.characters() | st.sampled_from("\ud83d\ude00\ude01"), max_size=8)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


def said_by_json(value: object) -> str:
    """Another canonical form of the same: json's own, with non-ASCII left as it is."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


@given(JSON, JSON)
def test_two_values_share_a_key_exactly_when_json_writes_them_alike(left: object, right: object):
    same = said_by_json(left) == said_by_json(right)
    assert (key(params={"x": left}) == key(params={"x": right})) is same


# Small alphabets, so that separators, lengths and nesting collide where they can.
CLOSE = st.recursive(
    st.sampled_from(["", "s", "1", "1:", ":", "s1:", "l1:", "d1:", "i1;", "None;", 1, 0, None, True, 1.0]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["", "1", "s1:"]), inner),
    max_leaves=6,
)


@given(CLOSE, CLOSE)
def test_no_value_imitates_the_text_of_another(left: object, right: object):
    same = said_by_json(left) == said_by_json(right)
    assert (key(params={"x": left}) == key(params={"x": right})) is same


@given(st.lists(CLOSE, max_size=3), st.lists(CLOSE, max_size=3), CLOSE, CLOSE)
def test_messages_and_params_do_not_run_into_each_other(first: list[Any], second: list[Any], a: Any, b: Any):
    one = key(messages=first, params={"x": a})
    two = key(messages=second, params={"x": b})
    assert (one == two) is (said_by_json([first, a]) == said_by_json([second, b]))


@given(JSON)
def test_a_key_survives_a_round_trip_through_json(value: object):
    assert key(params={"x": value}) == key(params={"x": json.loads(json.dumps(value))}) or _has_pairs(value)


def _has_pairs(value: object) -> bool:
    """json reads two lone surrogates that stand side by side as one character."""
    return json.loads(json.dumps(value)) != value


# --- partitions ---------------------------------------------------------------------------------------------------

NAMES = st.none() | st.text(st.sampled_from("a 1/:-\n4"), max_size=5) | TEXT
SCOPES = st.sampled_from(["tenant", "user", "shared"])


def in_scope(scope: Any, tenant: str | None, user: str | None) -> str | None:
    return partition(CacheRule(ttl_s=60, scope=scope), tenant, user)


def meant(scope: str, tenant: str | None, user: str | None) -> tuple[Any, ...]:
    return {"shared": (scope,), "tenant": (scope, tenant), "user": (scope, tenant, user)}[scope]


@given(SCOPES, NAMES, NAMES, SCOPES, NAMES, NAMES)
def test_partitions_meet_only_where_their_scope_says_so(s1: str, t1: Any, u1: Any, s2: str, t2: Any, u2: Any):
    one, two = in_scope(s1, t1, u1), in_scope(s2, t2, u2)
    if one is not None and two is not None:
        assert (one == two) is (meant(s1, t1, u1) == meant(s2, t2, u2))


def test_scope_user_without_a_user_can_not_be_cached():
    assert in_scope("user", "acme", None) is None
    assert in_scope("user", "acme", "") is None
    assert in_scope("user", None, "bob") is not None
    assert in_scope("tenant", "acme", None) == in_scope("tenant", "acme", "bob")
    assert in_scope("shared", "acme", "bob") == in_scope("shared", None, None) == "shared"


def test_nobody_can_name_a_tenant_or_user_that_is_someone_else():
    assert in_scope("tenant", None, None) != in_scope("tenant", "anonymous", None)
    assert in_scope("user", "a", "b c") != in_scope("user", "a b", "c")
    assert in_scope("user", None, "x") != in_scope("tenant", "anonymous x", None)
