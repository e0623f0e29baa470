"""What litellm posts of a conversation that several providers took part in, to each kind of provider, and how it comes
back: thoughts with their signatures, log probabilities."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any

import httpx
import pytest

from router.adapters.litellm_transport import AsyncLitellm
from router.decide.transcript import params_for, transcript
from router.engine.assembly import Assembly
from router.ports import WireReply
from tests.adapters.posted import MODELS, posted
from tests.adapters.wire_parts import answer_once, call
from tests.wire_rules import Broken, Turn, read

pytestmark = [
    pytest.mark.filterwarnings("ignore:Pydantic serializer warnings:UserWarning"),  # litellm's own models
    pytest.mark.filterwarnings("ignore:.*`ReadOnly` qualifier:UserWarning"),
]

SIGNATURE = "CmMBDDnWx5C7A+v6lK4KXnx4BJZC/BPRktQb+wRaq=="
GEMINI = f"call_b5ded9c9742f4078ba7a2ebe3729__thought__{SIGNATURE}"
THOUGHT = {"type": "thinking", "thinking": "hmm", "signature": "EsIDabc="}
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": name,
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
        },
    }
    for name in ("weather", "time")
]


@pytest.fixture(scope="module", autouse=True)
def loaded() -> None:
    asyncio.run(AsyncLitellm().ready(120.0))


def asked(id: str, name: str = "weather", arguments: str = '{"city":"Rome"}', **more: Any) -> dict[str, Any]:
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}, **more}


def said(id: str, content: Any) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": id, "content": content}


OSLO = '{"city": "Oslo"}'
CONVERSATION: list[dict[str, Any]] = [
    {"role": "user", "content": "Weather and time in Rome?"},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            asked(GEMINI, provider_specific_fields={"thought_signature": SIGNATURE}, index=0),
            asked("call_b5ded9c9742f4078ba7a2ebe3730", "time", "", index=1),
        ],
        "images": [],
        "thinking_blocks": [],
    },
    said(GEMINI, "sunny"),
    said(
        "call_b5ded9c9742f4078ba7a2ebe3730", [{"type": "text", "text": "10:"}, {"type": "text", "text": "00"}]
    ),
    {
        "role": "assistant",
        "content": "Again.",
        "reasoning_content": "hmm",
        "thinking_blocks": [THOUGHT],
        "tool_calls": [asked("toolu_01AoUFM2koNLsFscK6xjnLPo", caller={"type": "direct"})],
    },
    said("toolu_01AoUFM2koNLsFscK6xjnLPo", "rain"),
    {
        "role": "assistant",
        "content": "",
        "tool_calls": [asked("functions.weather:0"), asked("functions.weather.0", arguments=OSLO)],
    },
    said("functions.weather.0", "fog"),
    said("functions.weather:0", "snow"),
]
ROME = ("weather", '{"city": "Rome"}')
TOLD = [
    Turn("user", "Weather and time in Rome?"),
    Turn("assistant", calls=(ROME, ("time", "{}"))),
    Turn("user", results=(("weather", "sunny"), ("time", "10:00"))),
    Turn("assistant", "Again.", calls=(ROME,)),
    Turn("user", results=(("weather", "rain"),)),
    Turn("assistant", calls=(ROME, ("weather", OSLO))),
    Turn("user", results=(("weather", "snow"), ("weather", "fog"))),
]


@pytest.mark.parametrize("kind", MODELS)
def test_every_kind_is_told_the_whole_conversation_by_its_own_rules(kind: str) -> None:
    messages = transcript(CONVERSATION, kind=kind, model=MODELS[kind])
    body = posted(kind, messages, tools=TOOLS)
    turns = read(kind, body)
    told = [Turn(turn.role, turn.text, turn.calls, turn.results) for turn in turns]
    assert told == TOLD
    text = json.dumps(body)
    assert ("EsIDabc=" in text) == (kind in ("anthropic", "bedrock"))
    assert (SIGNATURE in text) == (kind == "gemini")
    assert "hmm" in text if kind in ("anthropic", "bedrock", "deepseek") else "hmm" not in text


@pytest.mark.parametrize("kind", sorted(MODELS.keys() - {"bedrock"}))
def test_litellm_alone_would_break_a_rule_of_each(kind: str) -> None:
    """So the reading above can fail; Bedrock is what litellm takes most care of."""
    body = posted(kind, CONVERSATION, tools=TOOLS)
    with pytest.raises((Broken, ValueError)):  # an argument that is no JSON is a ValueError
        read(kind, body)


def test_claude_thinks_aloud_only_where_it_may() -> None:
    def thinks(messages: Sequence[Mapping[str, Any]]) -> bool:
        given = {"reasoning_effort": "low", "tools": TOOLS}
        params = params_for(given, messages, kind="anthropic", model=MODELS["anthropic"])
        return "thinking" in posted("anthropic", messages, **params)

    assert thinks(CONVERSATION[:1])
    assert not thinks(CONVERSATION[:4])  # another provider's calls: refused with a thought asked for
    assert thinks(CONVERSATION[:6])


# --- Streams ----------------------------------------------------------------------------------------------------------


def streamed(kind: str, events: Sequence[Mapping[str, Any]], **params: Any) -> WireReply:
    """The pieces of an answer, put together."""
    named = [f"event: {event['type']}\n" if "type" in event else "" for event in events]
    text = "".join(f"{name}data: {json.dumps(event)}\n\n" for name, event in zip(named, events, strict=True))

    async def send(_: httpx.Request) -> httpx.Response:
        kind_of = {"content-type": "text/event-stream"}
        return httpx.Response(
            200, headers=kind_of, stream=httpx.ByteStream(text.encode() + b"data: [DONE]\n\n")
        )

    transport = AsyncLitellm(wire=lambda: httpx.MockTransport(send))
    chunks = asyncio.run(answer_once(transport, call(kind, model=MODELS[kind], stream=True, params=params)))
    assembly = Assembly()
    for chunk in chunks:
        assembly.add(chunk)
    return assembly.reply("m")


def block(at: int, start: Mapping[str, Any], *deltas: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {"type": "content_block_start", "index": at, "content_block": start},
        *({"type": "content_block_delta", "index": at, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": at},
    ]


def test_a_streamed_thought_comes_whole_with_its_signature_and_goes_back_as_it_came() -> None:
    counts = {"input_tokens": 9, "output_tokens": 1}
    head = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [],
        "usage": counts,
    }
    thought = {"type": "thinking", "thinking": "", "signature": ""}
    used = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {}}
    events = [
        {"type": "message_start", "message": head},
        *block(0, thought, *({"type": "thinking_delta", "thinking": each} for each in ("Rome", " is", " warm.")),
               {"type": "signature_delta", "signature": "EsID"}),
        *block(1, {"type": "redacted_thinking", "data": "secret"}),
        *block(2, used, {"type": "input_json_delta", "partial_json": '{"city": "Rome"}'}),
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 9}},
        {"type": "message_stop"},
    ]  # fmt: skip
    (choice,) = streamed("anthropic", events, tools=TOOLS).choices
    thoughts = [
        {"type": "thinking", "thinking": "Rome is warm.", "signature": "EsID"},
        {"type": "redacted_thinking", "data": "secret"},
    ]
    assert choice["message"]["thinking_blocks"] == thoughts
    messages = [CONVERSATION[0], choice["message"], said("toolu_1", "sunny")]
    told = transcript(messages, kind="anthropic", model=MODELS["anthropic"])
    blocks = posted("anthropic", told, tools=TOOLS)["messages"][1]["content"]
    assert blocks[:2] == thoughts
    assert blocks[2] == {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Rome"}}


def called(index: int, id: str | None, name: str | None, arguments: str) -> dict[str, Any]:
    function = {"name": name, "arguments": arguments} if name else {"arguments": arguments}
    told = {"index": index, "function": function} | ({"id": id, "type": "function"} if id else {})
    choice = {"index": 0, "delta": {"tool_calls": [told]}, "finish_reason": None}
    return {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": "m", "choices": [choice]}


@pytest.mark.parametrize("numbers", [(0, 0, 1), (0, 1, 2), (2, 1, 0), (0, 1, 0)])
def test_calls_that_share_a_number_are_told_apart_by_their_ids(numbers: tuple[int, ...]) -> None:
    """One service numbers every call 0. Each comes with its name, then in pieces without one."""
    events = []
    for at, number in enumerate(numbers):
        events += [called(number, f"call_{at}", "dice", '{"a":'), called(number, None, None, f"{at}}}")]
    (choice,) = streamed("openai", [*events, piece(0, "", "tool_calls")], tools=TOOLS).choices
    calls = [(call["id"], call["function"]["arguments"]) for call in choice["message"]["tool_calls"]]
    assert sorted(calls) == [(f"call_{at}", f'{{"a":{at}}}') for at in range(3)]


def probable(token: str, logprob: float) -> dict[str, Any]:
    return {"token": token, "logprob": logprob, "bytes": list(token.encode()), "top_logprobs": []}


def piece(index: int, text: str, finish: str | None = None) -> dict[str, Any]:
    delta, logprobs = ({"content": text}, {"content": [probable(text, -0.25)]}) if text else ({}, None)
    choice = {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": finish}
    return {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": "m", "choices": [choice]}


def test_the_log_probabilities_of_every_choice_come_with_a_stream() -> None:
    events = [
        piece(0, "a"),
        piece(1, "x"),
        piece(0, "b"),
        piece(0, "", "stop"),
        piece(1, "y"),
        piece(1, "", "stop"),
    ]
    reply = streamed("openai", events, n=2, logprobs=True)
    told = [[each["token"] for each in choice["logprobs"]["content"]] for choice in reply.choices]
    assert told == [["a", "b"], ["x", "y"]]
    assert reply.choices[0]["logprobs"]["content"][0] == probable("a", -0.25)


def test_one_choice_has_them_too_and_one_without_them_has_no_such_field() -> None:
    (choice,) = streamed("openai", [piece(0, "a"), piece(0, "b"), piece(0, "", "stop")]).choices
    assert [each["token"] for each in choice["logprobs"]["content"]] == ["a", "b"]
    events = [piece(0, "a"), piece(0, "", "stop")]
    for event in events:
        event["choices"][0]["logprobs"] = None
    assert "logprobs" not in streamed("openai", events).choices[0]
