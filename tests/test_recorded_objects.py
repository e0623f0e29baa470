"""Recorded answers of a given form through `response_model`: by a provider's own schema, by a tool that had to be
called, and in plain JSON. What is expected is the recorded JSON, read by the tests' own reader."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from router import Router, TargetsExhausted
from router.adapters.cassette_transport import CassetteTransport
from router.client.assembly import load_plan
from router.client.inline import run_inline
from router.values import Kind
from tests.recorded_calls import PASS, expected, read_table
from tests.recorded_reader import Answer
from tests.recorded_routing import Routed, document, routed

pytestmark = [
    pytest.mark.recordings,
    pytest.mark.filterwarnings("ignore:Pydantic serializer warnings:UserWarning"),  # litellm's own models
    pytest.mark.filterwarnings("ignore:.*`ReadOnly` qualifier:UserWarning"),  # litellm's own models
]

ANY = {"type": "object"}
SUPPORTS = {"schema": ["json", "tools"], "tool": ["tools"], "prompt": []}


def asked(each: Routed) -> Any:
    try:
        found = json.loads(each.recorded.request.body or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def schema_of(request: Mapping[str, Any]) -> Any:
    """The JSON Schema that a provider was sent as such, in its own place."""
    if "json_schema" in (request.get("response_format") or {}):
        return request["response_format"]["json_schema"].get("schema")
    if "schema" in (request.get("response_format") or {}):
        return request["response_format"]["schema"]
    config = request.get("output_config") or {}
    own = config.get("format") or request.get("output_format") or {}
    return own.get("schema") or (request.get("generationConfig") or {}).get("responseJsonSchema")


def forced_tool(request: Mapping[str, Any]) -> Any:
    """The parameters of the one tool that had to be called."""
    choice = request.get("tool_choice")
    name = (choice.get("function") or {}).get("name") if isinstance(choice, dict) else None
    functions = [tool.get("function") or {} for tool in request.get("tools") or ()]
    return next((each.get("parameters") for each in functions if name and each.get("name") == name), None)


def is_plain_json(request: Mapping[str, Any]) -> bool:
    config = request.get("generationConfig") or {}
    return (request.get("response_format") or {}).get("type") == "json_object" or (
        config.get("responseMimeType") == "application/json"
    )


def form_of(each: Routed, way: str) -> Any:
    request = asked(each)
    schema = schema_of(request)
    if way == "prompt":
        return ANY if schema is None and is_plain_json(request) else None
    return schema if way == "schema" else forced_tool(request)


def recorded_object(answer: Answer, way: str) -> Any:
    if way == "tool":
        return answer.choices[0].tools[0][1]
    return json.loads(answer.choices[0].text)


def chosen(folder: Path, way: str) -> list[tuple[Routed, Any, Answer]]:
    table, found = read_table(), []
    for each in routed(folder):
        form = form_of(each, way)
        if form is None or each.call.stream or each.row.status != 200 or table[each.row.key][-2] != PASS:
            continue
        answer = expected(each.row, each.recorded)
        if isinstance(answer, Answer) and (answer.choices[0].tools if way == "tool" else True):
            found.append((each, form, answer))
    return found


def opened(each: Routed, exchanges: Sequence[Routed], way: str) -> Router:
    written = document(exchanges)
    for block in written["providers"].values():
        for model in block["models"].values():
            model["supports"] = SUPPORTS[way]
    wire = CassetteTransport.play(each.only, suspends=False)
    return Router.open(load_plan(written)[0], transport=wire, state="memory", cache="memory")


LEAST = {"schema": (20, 11), "tool": (4, 3), "prompt": (9, 7)}
"""Exchanges, and the providers they are of."""


@pytest.mark.parametrize("way", SUPPORTS)
def test_a_recorded_answer_is_the_object_that_was_asked_for(recordings: Path, way: str) -> None:
    providers, read = set(), 0
    for each, form, answer in chosen(recordings, way):
        if not answer.choices[0].text and not answer.choices[0].tools:
            continue  # a refusal
        with opened(each, [each], way) as router:
            reply = router.complete(each.call.messages, policy=each.policy, response_model=form)
            (row,) = run_inline(router.ports.ledger.rows())
        assert reply.object == recorded_object(answer, way), each.row.file
        assert json.loads(reply.text) == reply.object
        assert (row.state, row.cost_nusd) == ("settled", reply.cost_nusd)
        providers.add(each.row.provider)
        read += 1
    assert read >= LEAST[way][0]
    assert len(providers) >= LEAST[way][1], sorted(providers)


def test_a_recorded_refusal_is_no_object(recordings: Path) -> None:
    refused = [each for each in chosen(recordings, "schema") if not each[2].choices[0].text]
    assert len(refused) >= 2
    for each, form, _ in refused:
        with opened(each, [each], "schema") as router:
            with pytest.raises(TargetsExhausted) as caught:
                router.complete(each.call.messages, policy=each.policy, response_model=form)
            (row,) = run_inline(router.ports.ledger.rows())
        assert caught.value.attempts[0].kind is Kind.INVALID_OUTPUT
        assert (row.state, row.how) == ("settled", "reported")
        assert row.cost_nusd > 0
