"""What models thought aloud in recorded exchanges: all of it is in the reply, whole or streamed, and none of it is
text. Thoughts are taken from the recorded bytes by a reader of these tests' own."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from router import Reply, Router
from router.adapters.cassette_transport import CassetteTransport
from router.client.assembly import load_plan
from router.plan import Plan
from tests.recorded_calls import expected, read_table
from tests.recorded_reader import Answer
from tests.recorded_routing import Routed, document, routed


def thoughts(body: bytes) -> str:
    """Of the first choice, in the formats of OpenAI, Anthropic and Gemini."""
    if body.lstrip()[:1] in (b"{", b"["):
        return "".join(_thoughts_in(json.loads(body)))
    events = (line[5:].strip() for line in body.splitlines() if line.startswith(b"data:"))
    return "".join(
        piece for event in events if event[:1] == b"{" for piece in _thoughts_in(json.loads(event))
    )


def _thoughts_in(said: Mapping[str, Any]) -> Iterator[str]:
    for choice in said.get("choices") or ():
        message = choice.get("message") or choice.get("delta") or {}
        yield message.get("reasoning_content") or message.get("reasoning") or ""
    for block in said.get("content") or ():
        yield block.get("thinking", "")
    if said.get("type") == "content_block_delta":
        yield said["delta"].get("thinking", "")
    for candidate in said.get("candidates") or ():
        yield from (part["text"] for part in candidate["content"].get("parts", ()) if part.get("thought"))


def asked(plan: Plan, each: Routed) -> tuple[Reply, str | None]:
    """(the reply, what the pieces of its stream thought)."""
    wire = CassetteTransport.play(each.only, suspends=False)
    with Router.open(plan, transport=wire, state="memory", cache="memory") as router:
        if not each.call.stream:
            return router.complete(**each.question), None
        with router.stream(**each.question) as stream:
            pieces = "".join(chunk.reasoning for chunk in stream)
            return stream.reply(), pieces


@pytest.fixture(scope="module")
def thinking(recordings: Path) -> list[tuple[Routed, str]]:
    passes = {key for key, outcome in read_table().items() if set(outcome[-2:]) == {"pass"}}
    answered = [each for each in routed(recordings) if each.row.status == 200 and each.row.key in passes]
    # The others have formats of their own; and an answer that breaks has no reply.
    known = [
        each
        for each in answered
        if each.row.provider not in ("bedrock", "ollama", "cohere")
        and isinstance(expected(each.row, each.recorded), Answer)
    ]
    found = [(each, thoughts(each.recorded.response["body"]["string"])) for each in known]
    return [(each, thought) for each, thought in found if thought]


def test_a_reply_holds_all_that_was_thought_whole_or_streamed(thinking: list[tuple[Routed, str]]) -> None:
    plan = load_plan(document([each for each, _ in thinking]))[0]
    wrong = []
    for each, thought in thinking:
        reply, pieces = asked(plan, each)
        if (reply.reasoning, pieces or thought) != (thought, thought) or thought in reply.text:
            wrong.append((each.row.file, thought[:40], reply.reasoning[:40], (pieces or "")[:40]))
    assert wrong == []
    assert len(thinking) >= 20
    assert {each.call.stream for each, _ in thinking} == {True, False}
