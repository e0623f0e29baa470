"""The form of a call: what is taken, and every refusal with its words."""

from dataclasses import replace
from typing import Any

import pytest

from router.client.calls import build_request, unanswered
from router.errors import RequestError, StoreError
from router.events import Settled
from router.plan import Settings
from router.values import Request
from tests.build import plan, policy

PLAN = plan(policy("main", "openai/a"))


def call(messages: Any = "hello", **fields: Any) -> Request:
    params = fields.pop("params", {})
    return build_request(PLAN, "r1", messages, **{"policy": "main", **fields}, params=params)


def answered(**said: Any) -> dict[str, Any]:
    """The arguments of a call that goes on from an answer."""
    return {"messages": [{"role": "assistant", "content": None, **said}]}


def test_a_text_is_one_message_of_the_user() -> None:
    assert call("hello").messages == ({"role": "user", "content": "hello"},)


def test_messages_are_the_callers_no_more() -> None:
    part = {"type": "text", "text": "hello"}
    given = [{"role": "user", "content": [part]}]
    params = {"stop": ["x"]}
    request = call(given, params=params)
    part["text"] = given[0]["role"] = "changed"
    params["stop"].append("y")
    assert request.messages == ({"role": "user", "content": [{"type": "text", "text": "hello"}]},)
    assert request.params == {"stop": ["x"]}


def test_team_is_another_name_of_tenant() -> None:
    assert call(team="acme").tenant == call(tenant="acme").tenant == "acme"
    with pytest.raises(RequestError, match="`tenant` and `team` are one argument"):
        call(tenant="acme", team="beta")


def test_the_default_policy_is_the_settings() -> None:
    whole = replace(PLAN, settings=Settings(default_policy="main"))
    assert build_request(whole, "r1", "hi", params={}).policy == "main"
    with pytest.raises(RequestError, match="this call names no policy"):
        build_request(PLAN, "r1", "hi", params={})


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"messages": []}, "must be a text or a list of at least one message"),
        ({"messages": []}, "at least one message, not an empty one"),
        ({"messages": {"role": "user"}}, "must be a text or a list of at least one message, not `dict`"),
        ({"messages": iter(())}, "must be a text or a list"),
        ({"messages": b"hello"}, "must be a text or a list of at least one message, not `bytes`"),
        ({"messages": None}, "must be a text or a list of at least one message, not `NoneType`"),
        ({"messages": [{"role": "user"}]}, r"`messages\[0\]` has the role `user` and no `content`"),
        (
            {"messages": [{"role": "system", "content": None}]},
            r"`messages\[0\]` has the role `system` and no",
        ),
        ({"messages": [1]}, r"`messages\[0\]` must be a mapping, not `int`"),
        ({"messages": [{"role": "boss", "content": "x"}]}, r"`messages\[0\]` has role `boss`"),
        ({"messages": [{"role": "user", "content": 3}]}, r"`messages\[0\].content` must be text or a list"),
        (
            {"messages": [{"role": "user", "content": "x", "extra": {1, 2}}]},
            r"`messages\[0\].extra` is of type `set`",
        ),
        ({"tenant": ""}, "`tenant` must be printable text"),
        ({"user": "a\nb"}, "`user` must be printable text"),
        ({"user": 7}, "`user` must be printable text"),
        ({"tags": "beta"}, "`tags` must be a list of texts, not `str`"),
        ({"only": [1]}, "`only` must be printable text"),
        ({"timeout": 0}, "`timeout` must be a number of seconds above 0"),
        ({"timeout": float("nan")}, "`timeout` must be a number of seconds above 0"),
        ({"timeout": "5s"}, "`timeout` must be a number of seconds above 0"),
        ({"timeout": True}, "`timeout` must be a number of seconds above 0"),
        ({"timeout": 10**400}, r"`timeout` must be a number of seconds above 0, not `10{39}\.\.\.`$"),
        ({"timeout": 10**9999}, r"above 0, not `a huge int`$"),
        ({"policy": 3}, "`policy` must be text, not `int`"),
        ({"policy": "a\x1b[31m\nb"}, r"`policy` must be printable text, not empty: `a\\x1b\[31m\\nb` is not"),
        ({"messages": [{"role": "u\n" * 50, "content": "x"}]}, r"has role `(u\\n){13}u\.\.\.`; roles are"),
        (
            {"messages": [{"role": "user", "tool_calls": 5}]},
            r"`messages\[0\].tool_calls` must be a list of map",
        ),
        (answered(tool_calls=[{"id": 5}]), r"`messages\[0\].tool_calls\[0\].id` must be text, not `int`"),
        (answered(tool_calls=[{"function": "f"}]), r"tool_calls\[0\].function` must be a mapping, not `str`"),
        (
            answered(tool_calls=[{}, {"function": {"name": "f", "arguments": {"a": 1}}}]),
            r"`messages\[0\].tool_calls\[1\].function.arguments` must be text, not `dict`\nhelp: arguments are JSON",
        ),
        (answered(tool_calls=[{"custom": [1]}]), r"tool_calls\[0\].custom` must be a mapping, not `list`"),
        (answered(function_call="f"), r"`messages\[0\].function_call` must be a mapping, not `str`"),
        (answered(thinking_blocks="deep"), r"`messages\[0\].thinking_blocks` must be a list of mappings"),
        (answered(thinking_blocks=[1]), r"`messages\[0\].thinking_blocks` must be a list of mappings"),
        (
            {"messages": [{"role": "tool", "tool_call_id": ["a"], "content": "x"}]},
            r"`messages\[0\].tool_call_id` must be text, not `list`",
        ),
        ({"params": {"tools": [5]}}, "`tools` must be a list of mappings"),
        (
            {"params": {"tool_choice": "any"}},
            "`tool_choice` must be one of auto, none, required, or a map, not `any`",
        ),
        ({"params": {"temprature": 1}}, r"unknown parameter `temprature` \(did you mean `temperature`\?\)"),
        ({"stream": "yes"}, "`stream` must be true or false, not `yes`"),
        ({"raise_errors": "no"}, "`raise_errors` must be true or false, not `no`"),
        ({"stream": True, "raise_errors": False}, "`raise_errors=False` tells an error in the reply"),
        (
            {"params": {"stream_options": {}}},
            "unknown parameter `stream_options`\nhelp: a stream always asks",
        ),
        ({"params": {"service_tier": "flex"}}, "`service_tier` is not supported by this version"),
        ({"params": {"temperature": "hot"}}, "`temperature` must be a number, not text"),
        ({"params": {"temperature": True}}, "`temperature` must be a number, not true or false"),
        ({"params": {"temperature": float("inf")}}, "`temperature` is `inf`, which JSON does not know"),
        ({"params": {"max_tokens": 0}}, "`max_tokens` must be at least 1, not `0`"),
        ({"params": {"logit_bias": {5: 1}}}, "`logit_bias` has the key `5`; keys are text"),
        ({"params": {"api_key": "sk-x"}}, "unknown parameter `api_key`"),
    ],
)
def test_what_is_not_a_call_is_refused_by_name(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(RequestError, match=message):
        call(**fields)


def test_what_is_nested_without_end_is_refused() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(RequestError, match="nested deeper than 100 levels"):
        call([{"role": "user", "content": endless}])


def test_none_is_as_good_as_not_given() -> None:
    assert call(params={"temperature": None}).params == {}


def test_a_store_that_failed_after_something_was_paid_hides_no_cost() -> None:
    error = StoreError("the ledger is down", port="ledger")
    paid = Settled(
        request_id="r1",
        at_s=1.0,
        attempt="a1",
        cost_nusd=70,
        worst_nusd=90,
        how="worst_case",
        bound_exceeded=False,
    )
    error.trace = (
        paid,
        replace(paid, attempt="a2", cost_nusd=None),
        replace(paid, attempt="a3", cost_nusd=5),
    )
    assert unanswered(call(), error, now_s=2.0).cost_nusd == 75
