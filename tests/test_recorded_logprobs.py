"""Recorded log probabilities: those of a stream come as those of a whole answer do."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.recorded_routing import Came, Routed, document, load_plan, played_sync, routed

pytestmark = [
    pytest.mark.recordings,
    pytest.mark.filterwarnings("ignore:Pydantic serializer warnings:UserWarning"),  # litellm's own models
]


def said(each: Routed) -> Iterator[Any]:
    """The choices of the recorded bytes, or of their events."""
    body = each.recorded.response["body"]["string"].decode()
    events = [line.removeprefix("data: ") for line in body.splitlines() if line.startswith("data: {")]
    for event in events or [body]:
        yield from json.loads(event)["choices"]


def test_every_recorded_log_probability_is_in_the_reply(recordings: Path) -> None:
    every = [each for each in routed(recordings) if "logprobs" in each.row.behaviour]
    plan = load_plan(document(every))[0]
    met = set()
    for each in every:
        recorded = [
            found for choice in said(each) for found in (choice.get("logprobs") or {}).get("content") or ()
        ]
        came = played_sync(plan, each)
        assert isinstance(came, Came)
        (choice,) = came.reply.choices
        found = (choice.get("logprobs") or {}).get("content", [])
        assert [(one["token"], one["logprob"]) for one in found] == [
            (one["token"], one["logprob"]) for one in recorded
        ]
        met |= {each.call.stream} if recorded else set()
    assert met == {False, True}
