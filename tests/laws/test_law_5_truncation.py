"""Law 5: no silent truncation. Before its first content a stream may fail over; after it, it ends with its end mark, or
in StreamBroken."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router import events as ev
from router.adapters.scripted_transport import Fails, NeverAnswers, Says, Step
from router.decide.classify import TRANSIENT
from router.errors import RouterError, StreamBroken
from router.plan import CacheRule, RetryRule
from router.values import Kind, Usage
from tests.build import lexical, plan, policy
from tests.world import World

WORDS = ("alpha", "beta", "gamma", "delta")
WHOLE = " ".join(WORDS)
BREAKS = st.sampled_from(
    [Kind.CONNECTION, Kind.SERVER_ERROR, Kind.TIMEOUT, Kind.OVERLOADED, Kind.RATE_LIMITED]
)


def says(target: str, **fields: Any) -> Says:
    return Says(f"{target} {WHOLE}", usage=Usage(input_tokens=3, output_tokens=9), **fields)


def steps(target: str) -> st.SearchStrategy[Step]:
    good = st.sampled_from([says(target), says(target, chunk_s=1.0), says(target, finish_reason="length")])
    return st.one_of(
        good,
        st.builds(Fails, BREAKS, says=good, chunks=st.integers(0, 6)),
        st.builds(Fails, BREAKS, status=st.sampled_from([429, 500, 503])),
        st.just(Says("")),
        st.just(NeverAnswers()),
        st.just(says(target, chunk_s=40.0)),
    )


@given(
    first=st.lists(steps("a"), min_size=4, max_size=4),
    second=st.lists(steps("b"), min_size=4, max_size=4),
    attempts=st.integers(1, 2),
    stop_after=st.integers(1, 12),
)
def test_what_is_read_is_whole_or_told_as_broken(
    first: Sequence[Step], second: Sequence[Step], attempts: int, stop_after: int
) -> None:
    retry = RetryRule(attempts=attempts, base_s=0.1, max_s=1.0, on=TRANSIENT)
    settings = lexical(retry=retry, attempt_s=5.0, idle_s=5.0)
    cached = policy("main", "openai/a", "groq/b", lexical=settings, cache=CacheRule(ttl_s=60, sampled=True))
    world = World(plan(cached), {"openai/a": first, "groq/b": second})
    read: list[str] = []
    try:
        stream = world.stream()
        name = stream.target.split("/")[1]
        sent = len(world.transport.calls)
        for chunk in stream:
            read.append(chunk.text)
            if len(read) == stop_after:
                break
        else:
            reply = stream.reply()
            assert "".join(read) == reply.text == f"{name} {WHOLE}"
            assert reply.truncated == (reply.finish_reason == "length")
        stream.close()
        assert len(world.transport.calls) == sent, "another target was asked after the first content"
        assert f"{name} {WHOLE}".startswith("".join(read))
    except StreamBroken as error:
        received: Any = error.received
        told = received[0]["message"]["content"]
        assert f"{name} {WHOLE}".startswith(told) and told.startswith("".join(read))  # noqa: PT018
        assert len(world.transport.calls) == sent
        assert not world.facts(ev.CacheStored)
    except RouterError:
        assert read == []
    assert {row.state for row in world.rows()} <= {"settled"}
    assert not {event.attempt for event in world.facts(ev.FirstContent)} - {row.id for row in world.rows()}


@given(step=steps("a"), read=st.integers(0, 8))
def test_only_a_stream_that_came_to_its_end_mark_is_stored(step: Step, read: int) -> None:
    once = lexical(
        retry=RetryRule(attempts=1, base_s=0.1, max_s=1.0, on=TRANSIENT), attempt_s=5.0, idle_s=5.0
    )
    kept = policy("main", "openai/a", lexical=once, cache=CacheRule(ttl_s=60, sampled=True))
    world = World(plan(kept), step)
    whole = False
    try:
        with world.stream() as stream:
            for _ in range(read):
                whole = whole or next(stream, None) is None
    except RouterError:
        whole = False
    if whole and stream.reply().finish_reason == "stop":
        assert len(world.facts(ev.CacheStored)) == 1
    else:
        assert not world.facts(ev.CacheStored)


def test_a_stream_that_says_why_it_ended_and_has_no_end_mark_is_broken() -> None:
    once = lexical(retry=RetryRule(attempts=1, base_s=0.1, max_s=1.0, on=TRANSIENT))
    kept = policy("main", "openai/a", lexical=once, cache=CacheRule(ttl_s=60, sampled=True))
    world = World(plan(kept), Fails(Kind.CONNECTION, says=says("a"), chunks=6))
    with pytest.raises(StreamBroken):
        list(world.stream())
    assert not world.facts(ev.CacheStored)
