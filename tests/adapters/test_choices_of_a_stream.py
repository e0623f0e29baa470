"""Streams of several choices, and of refusals: nothing of them is lost behind the end of the first choice."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import httpx
import pytest

from router.adapters.litellm_transport import AsyncLitellm
from router.errors import ProviderError
from router.ports import WireChunk
from router.values import Kind
from tests.adapters.wire_parts import LeanOnly, answer_once, call

pytestmark = pytest.mark.filterwarnings("ignore:Pydantic serializer warnings:UserWarning")


@pytest.fixture(scope="module", autouse=True)
def loaded() -> None:
    asyncio.run(AsyncLitellm().ready(120.0))


@pytest.fixture(params=[AsyncLitellm, LeanOnly], ids=["litellm", "lean"])
def make(request: pytest.FixtureRequest) -> Any:
    return request.param


def event(index: int, delta: dict[str, Any], finish: str | None = None, **more: Any) -> bytes:
    choice = {"index": index, "delta": delta, "finish_reason": finish}
    whole = {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": "m", "choices": [choice]}
    return b"data: " + json.dumps({**whole, **more}).encode() + b"\n\n"


COUNTED = {"prompt_tokens": 3, "completion_tokens": 9, "total_tokens": 12}
COUNTS = event(0, {}, choices=[], usage=COUNTED)
DONE = b"data: [DONE]\n\n"


def read(make: Any, events: Sequence[bytes], n: int) -> list[WireChunk]:
    async def send(_: httpx.Request) -> httpx.Response:
        headers = {"content-type": "text/event-stream"}
        return httpx.Response(200, headers=headers, stream=httpx.ByteStream(b"".join(events)))

    transport = make(wire=lambda: httpx.MockTransport(send))
    wanted = call(stream=True, base_url="http://127.0.0.1:9/v1", params={"n": n} if n > 1 else {})
    found: list[WireChunk] = asyncio.run(answer_once(transport, wanted))
    return found


def told(chunks: Sequence[WireChunk]) -> dict[int, tuple[str, list[str | None]]]:
    found: dict[int, tuple[str, list[str | None]]] = {}
    for chunk in chunks[:-1]:
        text, ends = found.get(chunk.index, ("", []))
        more = [chunk.finish_reason] if chunk.finish_reason else []
        found[chunk.index] = (text + (chunk.delta.get("content") or ""), ends + more)
    return found


FIRST_ENDS_EARLY = [
    event(0, {"role": "assistant", "content": "a "}),
    event(1, {"role": "assistant", "content": "x "}),
    event(0, {"content": "b"}),
    event(0, {}, "length"),
    event(1, {"content": "y "}),
    event(1, {"content": "z"}),
    event(1, {}, "stop"),
]


def test_what_comes_behind_the_end_of_the_first_choice_is_kept(make):
    chunks = read(make, [*FIRST_ENDS_EARLY, COUNTS, DONE], 2)
    assert told(chunks) == {0: ("a b", ["length"]), 1: ("x y z", ["stop"])}
    assert chunks[-1].usage is not None
    assert (chunks[-1].usage.input_tokens, chunks[-1].usage.output_tokens) == (3, 9)


@pytest.mark.parametrize("kept", range(1, len(FIRST_ENDS_EARLY)))
def test_a_stream_that_stops_before_every_choice_has_ended_is_cut(make, kept):
    with pytest.raises(ProviderError) as cut:
        read(make, FIRST_ENDS_EARLY[:kept], 2)
    assert cut.value.kind is Kind.CONNECTION


def test_an_end_that_comes_with_the_last_words_is_one(make):
    events = [event(0, {"content": "a"}, "stop"), event(1, {"content": "x"}, "stop"), DONE]
    assert told(read(make, events, 2)) == {0: ("a", ["stop"]), 1: ("x", ["stop"])}


def test_a_refusal_comes_piece_by_piece_and_is_content(make):
    pieces = ["I", " am", " sorry"]
    events = [event(0, {"role": "assistant", "content": None, "refusal": ""})]
    events += [event(0, {"refusal": piece}) for piece in pieces]
    chunks = read(make, [*events, event(0, {}, "stop"), COUNTS, DONE], 1)
    assert [chunk.delta["refusal"] for chunk in chunks if "refusal" in chunk.delta] == pieces
    assert [chunk.finish_reason for chunk in chunks if chunk.finish_reason] == ["stop"]


def test_a_word_for_the_end_that_more_calls_follow_marks_no_end(make):
    """One service says `tool_calls` with every call; then it said that the next one was malformed."""
    calls = [
        {"index": 0, "id": f"call_{at}", "type": "function", "function": {"name": "f", "arguments": "{}"}}
        for at in range(2)
    ]
    events = [event(0, {"tool_calls": [one]}, "tool_calls") for one in calls]
    error = b'data: {"error": {"message": "Malformed function call", "code": 502}}\n\n'
    with pytest.raises(ProviderError):
        read(make, [*events, error], 1)
