"""Events as lines of JSON, and as a list."""

import io
import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from router import events
from router.adapters.sinks import Collected, JsonLines, event_json, event_name
from router.values import Kind, Usage

FAILED = events.AttemptFailed(
    request_id="r1",
    at_s=12.5,
    attempt="r1-1",
    target="openai/gpt-5-nano",
    key="OPENAI_API_KEY",
    kind=Kind.RATE_LIMITED,
    status=429,
    retry_after_s=None,
    duration_s=0.25,
    message="slow down \ud83d",
)
ROUTED = events.Routed(request_id="r1", at_s=12.0, targets=("a/b", "c/d"))
ANSWERED = events.AttemptAnswered(
    request_id="r1",
    at_s=13.0,
    attempt="r1-2",
    target="a/b",
    key=None,
    usage=Usage(input_tokens=3, output_tokens=4),
    finish_reason="stop",
    duration_s=float("inf"),
)
KINDS = [kind for kind in vars(events).values() if isinstance(kind, type) and issubclass(kind, events.Event)]


def lines(file: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.getvalue().splitlines()]


def test_an_event_is_plain_json_values_under_its_name():
    assert event_json(FAILED) == {
        "event": "attempt_failed",
        "request_id": "r1",
        "at_s": 12.5,
        "attempt": "r1-1",
        "target": "openai/gpt-5-nano",
        "key": "OPENAI_API_KEY",
        "kind": "rate_limited",
        "status": 429,
        "retry_after_s": None,
        "duration_s": 0.25,
        "message": "slow down \ud83d",
    }
    assert type(event_json(FAILED)["kind"]) is str
    assert event_json(ROUTED)["targets"] == ["a/b", "c/d"]
    assert event_json(ANSWERED)["usage"]["input_tokens"] == 3


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_kind_of_event_can_be_written(kind: type[events.Event]):
    event = kind(**dict.fromkeys([each.name for each in fields(kind)], "x"))
    assert json.loads(json.dumps(event_json(event), allow_nan=False))["event"] == event_name(kind)


def test_names_are_unique():
    assert len({event_name(kind) for kind in KINDS}) == len(KINDS)


def test_each_event_is_one_line_of_strict_json():
    file = io.StringIO()
    sink = JsonLines(file)
    for event in (ROUTED, FAILED, ANSWERED):
        sink(event)
    assert [line["event"] for line in lines(file)] == ["routed", "attempt_failed", "attempt_answered"]
    assert lines(file)[1]["message"] == "slow down \ud83d"
    assert lines(file)[2]["duration_s"] == "inf"
    assert sink.lost == 0


def test_a_line_that_can_not_be_written_is_counted_and_raises_nothing(tmp_path: Path):
    file = (tmp_path / "events.jsonl").open("w")
    sink = JsonLines(file)
    sink(ROUTED)
    file.close()
    sink(FAILED)
    assert sink.lost == 1
    assert len((tmp_path / "events.jsonl").read_text().splitlines()) == 1


def test_a_full_disk_is_counted_too():
    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(28, "No space left on device")

    sink = JsonLines(Full())
    sink(ROUTED)
    assert sink.lost == 1


def test_collected_keeps_the_order_and_finds_by_kind():
    sink = Collected()
    for event in (ROUTED, FAILED, ROUTED):
        sink(event)
    assert sink.events == (ROUTED, FAILED, ROUTED)
    assert sink.of(events.AttemptFailed) == (FAILED,)
    sink.clear()
    assert sink.events == ()
