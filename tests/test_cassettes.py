"""The cassettes of this repository, replayed through policies: what each brings, and what the router does about it."""

import asyncio
import json
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest
import yaml
from click.testing import CliRunner

from router import AsyncRouter, Kind, Router, TargetsExhausted
from router import events as ev
from router.adapters.cassette_transport import CassetteTransport
from router.adapters.clocks import ManualClock
from router.cli.app import app
from router.testing import FAKE_KEY
from router.values import Reply
from tests.record_cassettes import (
    ANSWERS,
    CASSETTES,
    FAILURES,
    POLICIES,
    PROMPT,
    TARGETS,
    TEXT,
    Take,
    record,
    takes,
)
from tests.recorded_reader import Answer, Counts, read

TAKES = {take.path: take for take in takes()}
BEHIND = {"openai": "anthropic", "anthropic": "gemini", "gemini": "openai"}
"""Whose target is the second one of each format's policy."""


class Failing(NamedTuple):
    """`then`: what comes next. `statuses` of openai, anthropic and gemini; `kinds` where a provider's own differs."""

    kind: Kind
    statuses: tuple[int, int, int]
    then: str
    kinds: Mapping[str, Kind] = MappingProxyType({})


EXPECTED: Mapping[str, Failing] = {
    "rate-limited": Failing(Kind.RATE_LIMITED, (429, 429, 429), "again, as told"),
    "server-error": Failing(Kind.SERVER_ERROR, (500, 500, 500), "again"),
    "overloaded": Failing(Kind.OVERLOADED, (503, 529, 503), "again"),
    "malformed": Failing(Kind.SERVER_ERROR, (200, 200, 200), "again"),
    "unauthorized": Failing(Kind.AUTH, (401, 401, 400), "next"),
    # Gemini's daily quota is a rate limit that ends tomorrow: longer than any policy waits, so the next target is asked
    "quota": Failing(Kind.QUOTA, (429, 400, 429), "next", {"gemini": Kind.RATE_LIMITED}),
    "not-found": Failing(Kind.NOT_FOUND, (404, 404, 404), "next"),
    "context-too-long": Failing(Kind.CONTEXT_WINDOW, (400, 400, 400), "next"),
    "content-filter": Failing(Kind.CONTENT_FILTER, (400, 400, 200), "end"),
}


def failing() -> list[Any]:
    """The cassettes of failures."""
    return [path for path, take in TAKES.items() if take.name in FAILURES]


def replayed(take: Take) -> tuple[Reply | None, tuple[ev.Event, ...], int]:
    """The reply (None: an error), the events, and how many recorded exchanges nobody asked for."""
    seen: list[ev.Event] = []
    transport = CassetteTransport.replay(CASSETTES / take.path, suspends=False)
    with Router.open(
        POLICIES,
        transport=transport,
        state="memory",
        cache="memory",
        clock=ManualClock(),
        sinks=[seen.append],
    ) as router:
        try:
            reply = router.complete(PROMPT, policy=f"{take.format}-first", **take.params)
        except TargetsExhausted:
            reply = None
    return reply, tuple(seen), transport.tape.unplayed


def exchanges(path: str) -> list[tuple[str, int, bytes]]:
    """Path, status and body of each response, from the file's bytes."""
    document = yaml.safe_load((CASSETTES / path).read_text(encoding="utf-8"))
    return [
        (
            urlsplit(one["request"]["uri"]).path,
            one["response"]["status"]["code"],
            one["response"]["body"]["string"].encode(),
        )
        for one in document["interactions"]
    ]


def last_answer(path: str) -> Answer:
    where, status, body = exchanges(path)[-1]
    answer = read(where, status, body, {})
    assert isinstance(answer, Answer)
    return answer


def only(events: tuple[ev.Event, ...], kind: type[ev.Event]) -> Any:
    (found,) = (event for event in events if isinstance(event, kind))
    return found


def test_there_is_one_for_each_wire_format_and_kind_of_answer_and_failure() -> None:
    assert sorted(TAKES) == sorted(
        each.relative_to(CASSETTES).as_posix() for each in CASSETTES.rglob("*.yaml")
    )
    assert len(TAKES) == len(TARGETS) * (len(ANSWERS) + len(FAILURES))
    assert set(EXPECTED) == set(FAILURES)


@pytest.mark.parametrize("path", [path for path, take in TAKES.items() if take.name in ANSWERS])
def test_an_answer_is_what_was_recorded(path: str) -> None:
    reply, events, unplayed = replayed(TAKES[path])
    recorded = last_answer(path)
    assert reply is not None
    (choice,) = recorded.choices
    assert reply.text == choice.text
    called = [
        (call["function"]["name"], json.loads(call["function"]["arguments"])) for call in reply.tool_calls
    ]
    assert tuple(called) == choice.tools
    usage = reply.usage
    assert recorded.usage == Counts(usage.input_tokens, usage.output_tokens)
    assert usage.reported
    assert reply.target == TARGETS[TAKES[path].format]
    assert not [event for event in events if isinstance(event, ev.AttemptFailed)]
    assert reply.cost_nusd == only(events, ev.Settled).cost_nusd > 0
    assert unplayed == 0


def test_answers_are_of_their_kinds() -> None:
    """So that a recorder that records the same thing under three names is noticed."""
    for spoken in TARGETS:
        assert [choice.text for choice in last_answer(f"{spoken}/answer.yaml").choices] == [TEXT]
        ((name, arguments),) = last_answer(f"{spoken}/tool-call.yaml").choices[0].tools
        assert name == "find_bakery"
        assert isinstance(arguments["city"], str)
        (shaped,) = last_answer(f"{spoken}/json.yaml").choices
        assert json.loads(shaped.text) == {"breads": ["rye", "spelt"]}


@pytest.mark.parametrize("path", [path for path, take in TAKES.items() if take.name in ANSWERS])
def test_an_answer_is_the_same_in_an_event_loop(path: str) -> None:
    take = TAKES[path]

    async def replay() -> Reply:
        transport = CassetteTransport.replay(CASSETTES / path, suspends=True)
        async with AsyncRouter.open(POLICIES, transport=transport, state="memory", cache="memory") as router:
            return await router.complete(PROMPT, policy=f"{take.format}-first", **take.params)

    reply, (sync, *_) = asyncio.run(replay()), replayed(take)
    assert sync is not None
    assert (reply.text, reply.usage, reply.cost_nusd) == (sync.text, sync.usage, sync.cost_nusd)
    # Gemini's calls have no ids of their own, so each answer gets fresh ones.
    called, sync_called = ([call["function"] for call in each.tool_calls] for each in (reply, sync))
    assert called == sync_called


@pytest.mark.parametrize("path", failing())
def test_a_failure_is_of_the_right_kind_and_so_is_what_follows(path: str) -> None:
    take = TAKES[path]
    expected = EXPECTED[take.name]
    reply, events, unplayed = replayed(take)
    assert unplayed == 0
    if path == "gemini/content-filter.yaml":  # Gemini blocks a prompt in a 200: an answer without words
        assert reply is not None
        assert (reply.text, reply.finish_reason) == ("", "content_filter")
        return
    failed = only(events, ev.AttemptFailed)
    first = TARGETS[take.format]
    status = expected.statuses[list(TARGETS).index(take.format)]
    kind = expected.kinds.get(take.format, expected.kind)
    assert (failed.target, failed.kind, failed.status) == (first, kind, status)
    assert failed.status == exchanges(path)[0][1]
    match expected.then:
        case "end":
            assert reply is None
            assert only(events, ev.RequestFailed).error == "TargetsExhausted"
        case "next":
            assert reply is not None
            fell = only(events, ev.FellBack)
            assert (fell.from_target, fell.to_target) == (first, TARGETS[BEHIND[take.format]])
            assert (reply.target, reply.text) == (fell.to_target, TEXT)
        case _:
            assert reply is not None
            waited = only(events, ev.RetryScheduled)
            assert (reply.target, reply.text) == (first, TEXT)
            told = expected.then == "again, as told"
            assert waited.why == ("retry_after" if told else "backoff")
            assert waited.delay_s == 1.0 if told else waited.delay_s <= 1.0


@pytest.mark.parametrize("spoken", TARGETS)
def test_a_broken_200_may_have_been_billed_and_an_error_was_not(spoken: str) -> None:
    charged = {}
    for name in FAILURES:
        _, events, _ = replayed(TAKES[f"{spoken}/{name}.yaml"])
        settled = [event for event in events if isinstance(event, ev.Settled)]
        charged[name] = settled[0].how
    assert charged.pop("malformed") == "worst_case"
    if spoken == "gemini":
        assert charged.pop("content-filter") == "reported"  # with its answer
    assert set(charged.values()) == {"nothing"}


def test_nothing_else_is_answered() -> None:
    transport = CassetteTransport.replay(CASSETTES / "openai/answer.yaml", suspends=False)
    with (
        Router.open(POLICIES, transport=transport, state="memory", cache="memory") as router,
        pytest.raises(TargetsExhausted, match="no recording answers"),
    ):
        router.complete("Something else.", policy="openai-first")


@pytest.mark.parametrize("path", TAKES)
def test_each_is_small_marked_and_holds_no_key(path: str) -> None:
    text = (CASSETTES / path).read_text(encoding="utf-8")
    document = yaml.safe_load(text)
    assert len(text) < 6_000
    assert document["metadata"] == {"recorded_by": "router", "synthetic": True}
    assert FAKE_KEY not in text
    for one in document["interactions"]:
        assert set(one["request"]["headers"]) <= {"accept", "anthropic-version", "content-type"}
        assert one["request"]["uri"].startswith("http://localhost/")
        assert "?" not in one["request"]["uri"]


@pytest.mark.parametrize("path", TAKES)
def test_recording_anew_changes_nothing(path: str, tmp_path: Path) -> None:
    """If this fails, the fake provider or litellm changed what is sent: `python -m tests.record_cassettes`."""
    record(TAKES[path], tmp_path)
    anew = yaml.safe_load((tmp_path / path).read_text(encoding="utf-8"))
    assert anew == yaml.safe_load((CASSETTES / path).read_text(encoding="utf-8"))


def test_the_commands_of_the_readme_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(CASSETTES.parent)
    readme = (CASSETTES / "README.md").read_text(encoding="utf-8")
    commands = re.findall(r"^router complete .*$", readme, re.MULTILINE)
    assert len(commands) == 2
    for command in commands:
        ran = CliRunner().invoke(app, shlex.split(command)[1:], prog_name="router")
        assert (ran.exit_code, ran.stdout) == (0, f"{TEXT}\n"), ran.output


def test_the_readme_tells_of_each_kind() -> None:
    readme = (CASSETTES / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `([a-z-]+)` \|", readme, re.MULTILINE) == [
        *ANSWERS,
        "rate-limited",
        "server-error",
        "overloaded",
        "malformed",
        *list(FAILURES)[3:8],
    ]
