"""Scripted answers and faults, on a clock that jumps and on the real one."""

import asyncio
import time

import pytest

from router.adapters.clocks import AsyncClock, ManualClock, SystemClock
from router.adapters.scripted_transport import Fails, NeverAnswers, Says, ScriptedTransport
from router.errors import ProviderError
from router.ports import WireReply
from router.values import Kind, Usage
from tests.adapters.wire_parts import answer, call, sync


def test_without_a_script_the_answer_says_that_it_is_made_up():
    reply = sync(answer(ScriptedTransport(clock=ManualClock()), call()))
    assert isinstance(reply, WireReply)
    assert "made-up" in reply.choices[0]["message"]["content"]
    assert "openai/gpt-5-nano" in reply.choices[0]["message"]["content"]
    assert reply.usage is not None
    assert reply.usage.reported


def test_steps_come_in_order_and_the_last_repeats():
    transport = ScriptedTransport([Says("one"), Says("two")], clock=ManualClock())
    replies = [sync(answer(transport, call())) for _ in range(3)]
    assert [reply.choices[0]["message"]["content"] for reply in replies] == ["one", "two", "two"]


def test_each_target_has_its_own_steps():
    script = {"openai/gpt-5-nano": [Fails(Kind.RATE_LIMITED, status=429, retry_after_s=2.0), Says("later")]}
    transport = ScriptedTransport(script, clock=ManualClock())
    with pytest.raises(ProviderError) as caught:
        sync(answer(transport, call()))
    assert (caught.value.kind, caught.value.status, caught.value.retry_after_s) == (
        Kind.RATE_LIMITED,
        429,
        2.0,
    )
    assert caught.value.target == "openai/gpt-5-nano"
    with pytest.raises(
        ProviderError, match="the script says nothing of this target; it knows openai/gpt-5-nano"
    ):
        sync(answer(transport, call("groq")))
    assert sync(answer(transport, call())).choices[0]["message"]["content"] == "later"
    assert [made.target for made in transport.calls] == [
        "openai/gpt-5-nano", "groq/openai/gpt-oss-20b", "openai/gpt-5-nano",
    ]  # fmt: skip


def test_a_function_answers_by_the_call():
    transport = ScriptedTransport(lambda asked: Says(asked.model.upper()), clock=ManualClock())
    assert sync(answer(transport, call())).choices[0]["message"]["content"] == "GPT-5-NANO"


def test_a_manual_clock_jumps_to_what_comes_first():
    clock = ManualClock()
    transport = ScriptedTransport({"a": Says("a", after_s=3.0), "b": Says("b", after_s=1.0)}, clock=clock)
    slow, fast = transport.start(call(target="a")), transport.start(call(target="b"))
    assert sync(transport.wait([slow, fast], 10.0)) is fast
    assert clock.mono_s() == pytest.approx(1.0)
    with pytest.raises(RuntimeError):
        transport.result(slow)
    assert sync(transport.wait([slow], 1.5)) is None
    assert clock.mono_s() == pytest.approx(2.5)
    assert sync(transport.wait([slow], 1.5)) is slow
    assert transport.result(slow).choices[0]["message"]["content"] == "a"


def test_of_several_that_are_done_the_first_given_is_returned():
    transport = ScriptedTransport(Says("x"), clock=ManualClock())
    first, second = transport.start(call()), transport.start(call())
    assert sync(transport.wait([second, first], 1.0)) is second


def test_what_never_answers_can_only_be_given_up():
    clock = ManualClock()
    transport = ScriptedTransport(NeverAnswers(), clock=clock)
    pending = transport.start(call())
    assert sync(transport.wait([pending], 60.0)) is None
    assert clock.mono_s() == pytest.approx(60.0)
    sync(transport.cancel(pending))
    sync(transport.cancel(pending))
    assert len(transport.cancelled) == 1
    with pytest.raises(RuntimeError):
        transport.result(pending)


def test_a_stream_has_a_chunk_per_word_and_ends_with_its_usage():
    clock = ManualClock()
    usage = Usage(input_tokens=7, output_tokens=3)
    script = Says("three small words", usage=usage, after_s=1.0, chunk_s=0.5)
    chunks = sync(answer(ScriptedTransport(script, clock=clock), call(stream=True)))
    assert [chunk.delta.get("content") for chunk in chunks] == ["three ", "small ", "words", None, None]
    assert [chunk.finish_reason for chunk in chunks] == [None, None, None, "stop", None]
    assert chunks[-1].done
    assert chunks[-1].usage == usage
    assert clock.mono_s() == pytest.approx(1.0 + 5 * 0.5)


def test_a_stream_may_fail_after_some_chunks():
    script = Fails(Kind.CONNECTION, says=Says("three small words"), chunks=2)
    transport = ScriptedTransport(script, clock=ManualClock())
    pending = transport.start(call(stream=True))
    stream = transport.result(pending)
    assert [transport.result(transport.next(stream)).delta["content"] for _ in range(2)] == [
        "three ",
        "small ",
    ]
    with pytest.raises(ProviderError) as caught:
        transport.result(transport.next(stream))
    assert caught.value.kind == Kind.CONNECTION


def test_a_stream_that_fails_at_once_never_opens():
    transport = ScriptedTransport(Fails(Kind.OVERLOADED, status=529), clock=ManualClock())
    with pytest.raises(ProviderError):
        transport.result(transport.start(call(stream=True)))


def test_tool_calls_and_several_choices():
    tool = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    reply = sync(
        answer(ScriptedTransport(Says(tool_calls=(tool,)), clock=ManualClock()), call(params={"n": 2}))
    )
    assert reply.finish_reason == "tool_calls"
    assert [choice["index"] for choice in reply.choices] == [0, 1]
    assert reply.choices[1]["message"] == {"role": "assistant", "content": None, "tool_calls": [tool]}


def test_made_up_usage_keeps_to_the_allowance():
    transport = ScriptedTransport(Says("word " * 100), clock=ManualClock())
    assert sync(answer(transport, call(params={"max_tokens": 5}))).usage.output_tokens == 5
    assert (
        sync(answer(ScriptedTransport(Says("x", unreported=True), clock=ManualClock()), call())).usage is None
    )


def test_a_failure_that_never_left_says_so():
    transport = ScriptedTransport(Fails(Kind.CONNECTION, sent=False), clock=ManualClock())
    pending = transport.start(call())
    assert transport.sent(pending) is False


def test_on_a_real_clock_it_waits_in_both_forms():
    async def timed(transport: ScriptedTransport) -> float:
        began_s = time.monotonic()
        pending = transport.start(call())
        assert await transport.wait([pending], 0.01) is None
        assert await transport.wait([pending], 5.0) is pending
        return time.monotonic() - began_s

    blocking = ScriptedTransport(Says("x", after_s=0.03), clock=SystemClock())
    suspending = ScriptedTransport(Says("x", after_s=0.03), clock=AsyncClock())
    assert (blocking.suspends, suspending.suspends) == (False, True)
    assert 0.03 <= sync(timed(blocking)) < 0.2
    assert 0.029 <= asyncio.run(timed(suspending)) < 0.2


@pytest.mark.parametrize("script", ["hi", {"openai/a": "hi"}, [Says("x"), None]])
def test_what_is_no_step_is_refused_before_a_call_meets_it(script):
    with pytest.raises(TypeError, match="is no step of a script"):
        ScriptedTransport(script, clock=ManualClock())
