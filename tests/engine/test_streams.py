"""Streams through the real engine, on a manual clock: when they commit, how they break, what they cost."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router import events as ev
from router.adapters.memory_state import MemoryState
from router.adapters.scripted_transport import Fails, NeverAnswers, Says
from router.decide.classify import DEFAULT_FALL_BACK_ON, TRANSIENT
from router.decide.streams import MOST_CHUNKS, is_too_much
from router.engine.assembly import Assembly
from router.errors import DeadlineExceeded, StreamBroken, TargetsExhausted
from router.plan import CacheRule, Limit, RetryRule
from router.ports import WireChunk
from router.values import Kind, Usage
from tests.build import PLACE, lexical, plan, policy, tenant
from tests.world import World

ONCE = RetryRule(attempts=1, base_s=0.2, max_s=2.0, on=TRANSIENT)
TWO = plan(policy("main", "openai/a", "groq/b", lexical=lexical(retry=ONCE)))
SMALL = Usage(input_tokens=10, output_tokens=20)
SPOKEN = Says("one two three", usage=SMALL)


def cut(after: int, kind: Kind = Kind.CONNECTION, **fields: Any) -> Fails:
    """A stream of `SPOKEN` that breaks after so many pieces."""
    return Fails(kind, says=SPOKEN, chunks=after, **fields)


def test_a_stream_is_passed_on_piece_by_piece_and_paid_from_its_usage() -> None:
    world = World(TWO, SPOKEN)
    stream = world.stream()
    assert stream.target == "openai/a"
    assert (stream.usage, stream.cost_usd) == (None, None)
    assert [chunk.text for chunk in stream] == ["one ", "two ", "three", ""]
    reply = stream.reply()
    assert (reply.text, reply.finish_reason, reply.usage, stream.usage) == (
        "one two three",
        "stop",
        SMALL,
        SMALL,
    )
    assert reply.cost_nusd == 10 * 50 + 20 * 400
    assert [(row.state, row.how, row.cost_nusd) for row in world.rows()] == [
        ("settled", "reported", reply.cost_nusd)
    ]
    assert [type(event) for event in reply.trace] == [
        ev.RequestStarted, ev.Routed, ev.Reserved, ev.AttemptSent, ev.FirstContent, ev.AttemptAnswered, ev.Settled,
        ev.RequestAnswered,
    ]  # fmt: skip


def test_a_stream_and_a_whole_answer_are_the_same_reply() -> None:
    said = Says(
        "one two", tool_calls=({"id": "c1", "function": {"name": "f", "arguments": "{}"}},), usage=SMALL
    )
    whole, streamed = World(TWO, said).call(), World(TWO, said).stream().reply()
    same = {"trace": (), "request_id": "", "choices": (), "message": {}}
    assert replace(whole, **same) == replace(streamed, **same)
    assert whole.text == streamed.text
    assert streamed.tool_calls == (
        {"type": "function", "id": "c1", "function": {"name": "f", "arguments": "{}"}},
    )


@pytest.mark.parametrize(
    "fault",
    [
        Fails(Kind.OVERLOADED, status=503),
        cut(0),
        cut(0, Kind.SERVER_ERROR),
        Says("", usage=SMALL),
        NeverAnswers(),
        Fails(Kind.RATE_LIMITED, status=429),
    ],
    ids=["refused", "cut", "error-event", "empty", "silent", "limited"],
)
def test_whatever_fails_before_the_first_content_is_followed_by_the_next_target(fault: Any) -> None:
    patient = lexical(retry=ONCE, first_content_s=3.0)
    world = World(
        plan(policy("main", "openai/a", "groq/b", lexical=patient)), {"openai/a": fault, "groq/b": SPOKEN}
    )
    assert world.stream().reply().target == "groq/b"
    assert [row.state for row in world.rows()] == ["settled", "settled"]


@pytest.mark.parametrize("pieces", [1, 2, 3])
@pytest.mark.parametrize(
    "kind", [Kind.CONNECTION, Kind.SERVER_ERROR, Kind.TIMEOUT, Kind.OVERLOADED, Kind.CONTENT_FILTER]
)
def test_after_the_first_content_a_broken_stream_is_never_continued(pieces: int, kind: Kind) -> None:
    world = World(TWO, {"openai/a": cut(pieces, kind), "groq/b": SPOKEN})
    stream, read = world.stream(), []
    with pytest.raises(StreamBroken) as broken:
        read.extend(chunk.text for chunk in iter(stream.__next__, None))
    assert world.targets() == ["openai/a"]
    assert broken.value.received[0]["message"]["content"] == "".join(["one ", "two ", "three"][:pieces])
    assert "one" not in str(broken.value) + repr(broken.value)
    for again in (lambda: next(stream), lambda: list(stream), stream.reply):
        with pytest.raises(StreamBroken, match="broke after its first content") as once_more:
            again()
        assert once_more.value.received == broken.value.received
    (row,) = world.rows()
    assert row.state == "settled"
    assert (row.how, row.cost_nusd) == ("worst_case", row.worst_nusd)
    assert world.facts(ev.RequestFailed)[0].error == "StreamBroken"


def test_a_stream_that_said_why_it_ended_but_has_no_end_mark_is_broken_and_costs_what_came() -> None:
    world = World(TWO, Fails(Kind.CONNECTION, says=SPOKEN, chunks=4))
    with pytest.raises(StreamBroken):
        list(world.stream())
    (row,) = world.rows()
    assert (row.state, row.how) == ("settled", "counted")
    assert 0 < row.cost_nusd < row.worst_nusd


def test_a_closed_stream_is_settled_at_what_may_be_billed_and_ends() -> None:
    world = World(TWO, SPOKEN)
    stream = world.stream()
    assert next(stream).text == "one "
    stream.close()
    stream.close()
    for again in (lambda: list(stream), stream.reply):
        with pytest.raises(StreamBroken, match="`openai/a` was closed before its end") as closed:
            again()
        assert closed.value.received[0]["message"]["content"] == "one "
        assert closed.value.request_id == world.rows()[0].request_id
    assert [(row.state, row.how, row.cost_nusd == row.worst_nusd) for row in world.rows()] == [
        ("settled", "worst_case", True)
    ]
    assert len(world.facts(ev.StreamClosed)) == 1


def test_a_stored_answer_that_is_closed_before_its_end_does_not_look_whole_either() -> None:
    rule = CacheRule(ttl_s=60.0, scope="shared", sampled=True)
    world = World(plan(policy("main", "openai/a", cache=rule)), SPOKEN)
    list(world.stream())
    stream = world.stream()
    assert (next(stream).text, stream.usage, stream.cost_usd) == ("one two three", None, None)
    stream.close()
    with pytest.raises(StreamBroken, match="was closed before its end"):
        list(stream)
    with world.stream() as read:
        assert len(list(read)) == 2
        assert read.usage == SMALL
    assert list(read) == []
    assert read.reply().cached


def test_a_stream_whose_reader_was_interrupted_does_not_come_to_an_end_either() -> None:
    world = World(TWO, SPOKEN)
    stream = world.stream()

    def interrupted(_: object) -> None:
        raise KeyboardInterrupt

    assert next(stream).text == "one "
    world.transport.next = interrupted  # type: ignore[method-assign, assignment]
    with pytest.raises(KeyboardInterrupt):
        next(stream)
    with pytest.raises(StreamBroken, match="was closed before its end"):
        list(stream)


def test_a_stream_closed_after_its_last_words_costs_what_it_said() -> None:
    world = World(TWO, SPOKEN)
    with world.stream() as stream:
        while not next(stream).finish_reason:
            pass
    (row,) = world.rows()
    assert (row.how, row.cost_nusd < row.worst_nusd) == ("counted", True)


def test_an_error_in_a_stream_that_had_said_why_it_ended_costs_what_came() -> None:
    world = World(TWO, cut(4, Kind.OVERLOADED, status=529))
    with pytest.raises(StreamBroken):
        list(world.stream())
    (row,) = world.rows()
    assert row.how == "counted"
    assert 0 < row.cost_nusd < row.worst_nusd


def test_the_permit_is_held_until_the_stream_ends() -> None:
    one = Limit(
        owner="tenant:acme", unit="concurrent_requests", window_s=0, at_most=1, place=PLACE, text="one"
    )
    acme = tenant("acme", limits=(one,))
    world = World(plan(policy("main", "openai/a"), tenants=(acme,)), SPOKEN)
    stream = world.stream(tenant="acme")
    with pytest.raises(Exception, match="over limit"):
        world.call(tenant="acme")
    list(stream)
    assert world.call(tenant="acme").text == "one two three"


def test_the_gap_between_two_pieces_is_bounded() -> None:
    patient = lexical(retry=ONCE, idle_s=2.0)
    slow = Says("one two three", chunk_s=5.0)
    world = World(plan(policy("main", "openai/a", lexical=patient)), slow)
    stream = world.stream()
    assert next(stream).text == "one "
    with pytest.raises(StreamBroken, match="nothing more came within 2 s"):
        next(stream)
    assert world.clock.mono_s() == pytest.approx(7.0)


def test_the_whole_stream_is_bounded_from_its_first_content() -> None:
    world = World(
        plan(replace(policy("main", "openai/a", lexical=lexical(retry=ONCE)), stream_s=7.0)),
        Says("a b c d", chunk_s=3.0),
    )
    stream = world.stream()
    with pytest.raises(StreamBroken, match="longer than its 7 s"):
        list(stream)
    assert world.clock.mono_s() == pytest.approx(10.0)


def test_the_first_content_comes_within_the_deadline() -> None:
    world = World(
        plan(policy("main", "openai/a", lexical=lexical(retry=ONCE), total_s=4.0)), Says("a b", chunk_s=9.0)
    )
    with pytest.raises(DeadlineExceeded):
        world.stream()
    assert world.clock.mono_s() == pytest.approx(4.0)


def test_the_lease_is_renewed_while_a_stream_is_read() -> None:
    world = World(
        plan(policy("main", "openai/a", lexical=lexical(retry=ONCE, attempt_s=60.0))),
        Says("a b c d e f", chunk_s=25.0),
    )
    assert world.stream().reply().text == "a b c d e f"
    assert [row.state for row in world.rows()] == ["settled"]
    assert len(world.facts(ev.LeaseRenewed)) >= 6


@pytest.mark.parametrize("piece", ["hm", "思" * 3_000, "\ud800"], ids=["short", "wide", "half"])
def test_what_is_held_back_is_bounded_in_pieces_and_in_bytes(piece: str) -> None:
    held = next(number for number in range(1, 99) if is_too_much([{"reasoning_content": piece}] * number))
    assert held == (MOST_CHUNKS if len(piece) < 3 else 30)


def test_reasoning_is_held_back_and_comes_before_the_content() -> None:
    assembly = Assembly()
    for delta in ({"reasoning_content": "hm "}, {"reasoning_content": "so"}, {"content": "yes"}):
        assembly.add(WireChunk(delta=delta))
    (choice,) = assembly.choices()
    assert choice["message"] == {"role": "assistant", "content": "yes", "reasoning_content": "hm so"}


def test_the_pieces_of_an_old_style_function_call_are_put_together() -> None:
    assembly = Assembly()
    for piece in ({"name": "f", "arguments": ""}, {"arguments": '{"a"'}, {"arguments": ": 1}"}):
        assembly.add(WireChunk(delta={"function_call": piece}))
    (choice,) = assembly.choices()
    assert choice["message"]["function_call"] == {"name": "f", "arguments": '{"a": 1}'}


def test_a_provider_that_has_begun_to_think_is_charged_for_whatever_breaks_it() -> None:
    thinking = Fails(Kind.OVERLOADED, status=529, says=Says("no", reasoning="hm"), chunks=1)
    world = World(TWO, {"openai/a": thinking, "groq/b": Says("yes", reasoning="so")})
    reply = world.stream().reply()
    assert (reply.target, reply.text, reply.message["reasoning_content"]) == ("groq/b", "yes", "so")
    first, _ = world.rows()
    assert (first.how, first.cost_nusd) == ("worst_case", first.worst_nusd)
    refused = World(TWO, {"openai/a": Fails(Kind.OVERLOADED, status=529), "groq/b": SPOKEN})
    refused.stream().reply()
    assert refused.rows()[0].cost_nusd == 0


def test_a_stored_answer_is_replayed_as_a_stream_and_a_stream_is_stored_when_whole() -> None:
    stored = replace(
        policy("main", "openai/a", lexical=lexical(retry=ONCE)), cache=CacheRule(ttl_s=60, sampled=True)
    )
    world = World(plan(stored), [cut(2), SPOKEN, Says("never")])
    with pytest.raises(StreamBroken):
        list(world.stream())
    first = world.stream().reply()
    assert (first.cached, first.text) == (False, "one two three")
    again = world.stream()
    assert [chunk.text for chunk in again] == ["one two three", ""]
    assert (again.reply().cached, again.reply().cost_nusd) == (True, 0)
    assert world.call().cached


def test_a_filtered_stream_without_content_falls_back_where_the_policy_says_so() -> None:
    falls = lexical(retry=ONCE, fall_back_on=DEFAULT_FALL_BACK_ON | {Kind.CONTENT_FILTER})
    script = {"openai/a": Says("", finish_reason="content_filter"), "groq/b": SPOKEN}
    assert (
        World(plan(policy("main", "openai/a", "groq/b", lexical=falls)), script).stream().reply().target
        == "groq/b"
    )
    assert World(TWO, script).stream().reply().finish_reason == "content_filter"


def test_when_everything_fails_before_content_the_error_is_that_of_a_whole_call() -> None:
    world = World(TWO, cut(0))
    with pytest.raises(TargetsExhausted) as caught:
        world.stream()
    assert [each.target for each in caught.value.attempts] == ["openai/a", "groq/b"]


@settings(max_examples=60)
@given(
    texts=st.lists(st.text(min_size=1), min_size=1, max_size=6),
    arguments=st.lists(st.text(), min_size=1, max_size=6),
    choices=st.integers(1, 3),
)
def test_an_assembly_is_what_was_taken_apart(texts: list[str], arguments: list[str], choices: int) -> None:
    assembly = Assembly()
    for at in range(max(len(texts), len(arguments))):
        for index in range(choices):
            if at < len(texts):
                assembly.add(WireChunk(delta={"content": texts[at]}, index=index))
            if at < len(arguments):
                head = {"id": "c", "type": "function"} if at == 0 else {}
                name = {"name": "f"} if at == 0 else {}
                call = {"index": 0, **head, "function": {**name, "arguments": arguments[at]}}
                assembly.add(WireChunk(delta={"tool_calls": [call]}, index=index))
    whole = assembly.reply("m")
    assert [choice["index"] for choice in whole.choices] == list(range(choices))
    for choice in whole.choices:
        assert choice["message"]["content"] == "".join(texts)
        (call,) = choice["message"]["tool_calls"]
        assert call["function"] == {"name": "f", "arguments": "".join(arguments)}


def test_law_nothing_is_held_however_a_stream_ends() -> None:
    for after in range(6):
        for stop in range(5):
            world = World(TWO, [Fails(Kind.CONNECTION, says=SPOKEN, chunks=after)] if after else SPOKEN)
            stream = world.stream()
            try:
                for _ in range(stop):
                    next(stream, None)
            except StreamBroken:
                pass
            stream.close()
            assert isinstance(world.state, MemoryState)
            assert all(row.state == "settled" for row in world.rows())
