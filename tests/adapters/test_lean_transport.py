"""The lean wire over real HTTP on this machine: what litellm's own wire says, in one request and within its bounds."""

import asyncio
import gzip
import itertools
import json
import time
from collections.abc import AsyncIterator, Iterator
from importlib import import_module
from typing import Any

import httpx
import pytest

from router.adapters.lean_pool import LONGEST_ANSWER, AiohttpPool
from router.adapters.lean_requests import Requests
from router.adapters.lean_transport import AsyncLean
from router.adapters.litellm_transport import AsyncLitellm
from router.adapters.loop_thread import EitherTransport
from router.errors import ProviderError
from router.ports import WireReply
from router.testing import Answer, Drip, FakeProvider, NeverAnswer, ToolCall
from router.values import Kind, Usage
from tests.adapters.wire_parts import (
    KEY,
    MODELS,
    STREAMED,
    WHOLE,
    LeanOnly,
    answer,
    answer_once,
    call,
    completion,
    failure_of,
    finish,
    run,
    until_deadline,
)

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*`ReadOnly` qualifier:UserWarning"),  # litellm's own models
    pytest.mark.filterwarnings("ignore:Pydantic serializer warnings:UserWarning"),
    pytest.mark.filterwarnings("ignore:Accessing the 'model_"),
]

FORMS = pytest.mark.parametrize("suspends", [True, False], ids=["async", "sync"])
LEAN = ("openai", "groq", "anthropic", "gemini")


@pytest.fixture(scope="module")
def provider() -> Iterator[FakeProvider]:
    with FakeProvider() as running:
        yield running


@pytest.fixture(scope="module", autouse=True)
def loaded() -> None:
    assert asyncio.run(AsyncLean().ready(60.0))


@pytest.fixture(autouse=True)
def fresh(provider: FakeProvider) -> None:
    provider.reset()


class Wire(httpx.AsyncBaseTransport):
    """Answers each request with the next of `responses`, and keeps what it was asked."""

    def __init__(self, *responses: httpx.Response) -> None:
        self.responses = list(responses)
        self.asked: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        return self.responses.pop(0)


def either(suspends: bool) -> EitherTransport:
    return EitherTransport(LeanOnly, suspends=suspends)


def canned(body: bytes, status: int = 200, **headers: str) -> LeanOnly:
    response = httpx.Response(status, headers={"content-type": "application/json", **headers}, content=body)
    return LeanOnly(wire=lambda: Wire(response))


# --- answers


@FORMS
@pytest.mark.parametrize("kind", LEAN)
def test_an_answer_is_plain_openai_json_with_the_usage_of_the_provider(provider, kind, suspends):
    provider.script("*", Answer("Because of the rivers.", input_tokens=70, output_tokens=9, cached_tokens=30))
    reply = run(suspends)(answer_once(either(suspends), call(kind, provider=provider)))
    assert isinstance(reply, WireReply)
    assert json.loads(json.dumps(reply.choices)) == list(reply.choices)
    assert reply.choices[0]["message"]["content"] == "Because of the rivers."
    assert (reply.choices[0]["message"]["role"], reply.finish_reason) == ("assistant", "stop")
    cached = 0 if kind == "groq" else 30  # Groq does not say
    assert reply.usage == Usage(input_tokens=70, output_tokens=9, cached_input_tokens=cached)
    assert provider.request_count == 1


PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}}
TOOLS = [{"type": "function", "function": {"name": "get_weather", "parameters": PARAMETERS}}]


@FORMS
@pytest.mark.parametrize("kind", LEAN)
def test_a_stream_has_deltas_then_a_finish_then_its_own_end_with_the_usage(provider, kind, suspends):
    provider.script("*", Answer("Because of the rivers.", input_tokens=70, output_tokens=9))
    chunks = run(suspends)(answer_once(either(suspends), call(kind, provider=provider, stream=True)))
    assert "".join(chunk.delta.get("content") or "" for chunk in chunks) == "Because of the rivers."
    assert [chunk.finish_reason for chunk in chunks if chunk.finish_reason] == ["stop"]
    assert [chunk.done for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    assert chunks[-1].usage == Usage(input_tokens=70, output_tokens=9)


TOOL_CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
LOGPROBS = {"content": [{"token": "a", "logprob": -0.1, "bytes": [97], "top_logprobs": []}], "refusal": None}


@pytest.mark.parametrize(
    "changes",
    [
        {"message": {"content": "<think>Hm.</think>Rivers."}},
        {"message": {"content": "Rivers.", "reasoning_content": "Hm."}},
        {"message": {"content": "Rivers.", "reasoning": "Hm."}},
        {"message": {"content": None, "refusal": "No."}},
        {"message": {"content": "", "tool_calls": []}},
        {"message": {"content": None, "tool_calls": [TOOL_CALL]}, "finish_reason": "tool_calls"},
        {"message": {"content": None, "tool_calls": [{**TOOL_CALL, "index": 0}]}, "finish_reason": "stop"},
        {"message": {"content": None, "tool_calls": [{**TOOL_CALL, "id": "srvtoolu_1"}]}},
        {"message": {"content": None, "function_call": {"name": "f", "arguments": "{}"}}},
        {"message": {"content": "a", "annotations": []}},
        {"message": {"content": "a"}, "logprobs": LOGPROBS},
        {"message": {"content": "a"}, "finish_reason": "eos"},
        {"message": {"content": "a"}, "finish_reason": None},
        {"message": {"content": "a"}, "finish_reason": "tool_calls"},
        {"message": {"content": "a", "words_of_tomorrow": 7}, "words_of_tomorrow": 7},
        {"message": {"content": 7}},
    ],
)
@pytest.mark.parametrize("kind", ["openai", "groq", "cerebras", "mistral"])
def test_whatever_an_answer_says_both_wires_say_of_it(kind, changes):
    message = {"role": "assistant", **changes["message"]}
    choice = {"index": 0, "finish_reason": "stop", **changes, "message": message}
    body = completion(choices=[choice], usage=counts(), service_tier="default")
    assert told(canned(body), kind) == told(AsyncLitellm(wire=lambda: wire_of(body)), kind)


def counts(**more: Any) -> dict[str, Any]:
    return {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13, **more}


@pytest.mark.parametrize(
    "usage",
    [
        None,
        {},
        counts(),
        counts(total_tokens=18, completion_tokens_details={"reasoning_tokens": 5}),
        counts(prompt_cache_hit_tokens=8),
        counts(cache_read_input_tokens=5, cache_creation_input_tokens=2),
        counts(prompt_tokens_details={"cached_tokens": 5, "cache_write_tokens": 2}),
        counts(prompt_tokens_details={"cache_creation_tokens": 2, "cache_creation_input_tokens": 3}),
        counts(prompt_tokens_details={"cache_creation_token_details": {"ephemeral_1h_input_tokens": 2}}),
        counts(prompt_tokens_details={"audio_tokens": 5, "image_tokens": None}),
        counts(prompt_tokens=9.0),
        counts(prompt_tokens=-9),
        counts(reasoning_tokens=3),
    ],
)
def test_whatever_an_answer_cost_both_wires_say_the_same(usage):
    body = completion(usage=usage)
    assert told(canned(body), "openai") == told(AsyncLitellm(wire=lambda: wire_of(body)), "openai")


def wire_of(body: bytes) -> Wire:
    return Wire(httpx.Response(200, headers={"content-type": "application/json"}, content=body))


def told(transport: Any, kind: str, **changes: Any) -> Any:
    """The reply or the chunks, or the kind of the failure."""
    try:
        return asyncio.run(answer_once(transport, call(kind, **changes)))
    except ProviderError as error:
        return error.kind


def event(delta: Any, finish: str | None = None, **more: Any) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish, **more.pop("choice", {})}
    whole = {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": "m", "choices": [choice]}
    return b"data: " + json.dumps({**whole, **more}).encode() + b"\n\n"


A_CALL = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "f", "arguments": ""}}
MORE_OF_IT = {"index": 0, "function": {"arguments": "{}"}}
STOP, DONE, COUNTS = event({}, "stop"), b"data: [DONE]\n\n", event({}, choices=[], usage=counts())
SOME = event({"role": "assistant", "content": "a"})


@pytest.mark.parametrize(
    "events",
    [
        [event({"role": "assistant", "content": ""}), event({"content": "a"}), STOP, COUNTS, DONE],
        [SOME, event({"content": "b"}, "length"), COUNTS, DONE],
        [SOME, event({"content": "b"}, "length", usage=counts()), DONE],
        [SOME, event({"content": "b"}, "eos"), DONE],
        [b": a comment\n\n", SOME, b": another\n\n", STOP, COUNTS, DONE],
        [SOME, STOP],
        [SOME, DONE],
        [SOME],
        [SOME, COUNTS, DONE],
        [DONE],
        [],
        [SOME, STOP, event({"content": "behind the end"}), STOP, COUNTS, DONE],
        [event({"role": "assistant", "tool_calls": [A_CALL]}), event({"tool_calls": [MORE_OF_IT]}),
         event({}, "tool_calls"), COUNTS, DONE],
        [event({"tool_calls": [{**A_CALL, "index": None, "type": None}]}), event({}, "tool_calls"), DONE],
        [event({"role": "assistant", "reasoning_content": "Hm."}), SOME, STOP, DONE],
        [event({"role": "assistant", "reasoning": "Hm."}), SOME, STOP, DONE],
        [event({"role": "assistant", "reasoning": "", "content": "a"}), STOP, DONE],
        [event({"content": None, "refusal": "No."}), STOP, DONE],
        [event({"content": "a"}, choice={"logprobs": LOGPROBS}), STOP, DONE],
        [event({"content": "a", "words_of_tomorrow": {"a": 1}}), STOP, DONE],
        [event({"function_call": {"name": "f", "arguments": "{}"}}), event({}, "function_call"), DONE],
        [SOME, event({}, "error"), DONE],
        [SOME, event({}, error={"message": "Overloaded", "code": 503}), DONE],
        [SOME, STOP, event({}, error={"message": "Overloaded", "code": 503}), DONE],
        [SOME.replace(b"\n\n", b"\r\n\r\n"), STOP[:-1], b"\n", DONE],
        [event(None), SOME, event({"content": 7}), STOP, DONE],
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["openai", "groq", "mistral", "deepseek"])
def test_whatever_a_stream_says_both_wires_say_of_it(kind, events):
    def wire() -> Wire:
        headers = {"content-type": "text/event-stream"}
        return Wire(httpx.Response(200, headers=headers, stream=httpx.ByteStream(b"".join(events))))

    assert told(LeanOnly(wire=wire), kind, stream=True) == told(AsyncLitellm(wire=wire), kind, stream=True)


# --- failures


@pytest.mark.parametrize("kind", LEAN)
@pytest.mark.parametrize(("step", "expected", "status"), WHOLE, ids=lambda value: type(value).__name__)
def test_a_failure_is_one_request_of_one_kind(provider, kind, step, expected, status):
    provider.script("*", step)
    error = asyncio.run(failure_of(LeanOnly(), call(kind, provider=provider)))
    assert (error.kind, error.status, error.sent) == (expected, status, True)
    assert error.target == f"{kind}/{MODELS[kind]}"
    assert KEY not in f"{error!s} {error!r} {error.__dict__}"
    assert provider.request_count == 1


@pytest.mark.parametrize("kind", LEAN)
@pytest.mark.parametrize(("step", "expected", "status"), STREAMED, ids=lambda value: type(value).__name__)
def test_a_stream_that_fails_is_one_request_of_one_kind(provider, kind, step, expected, status):
    provider.script("*", step)
    error = asyncio.run(failure_of(LeanOnly(), call(kind, provider=provider, stream=True)))
    assert error.kind == expected
    assert status is None or error.status == status
    assert KEY not in f"{error!s} {error!r} {error.__dict__}"
    assert provider.request_count == 1


def test_a_refused_connection_is_certain_not_to_have_been_sent():
    error = asyncio.run(failure_of(LeanOnly(), call(base_url="http://127.0.0.1:9/v1")))
    assert (error.kind, error.sent) == (Kind.CONNECTION, False)


@pytest.mark.parametrize("wire", [LeanOnly, AsyncLitellm])
@pytest.mark.parametrize(
    "changes",
    [
        {"api_key": "sk-x\r\nX-Other: 1"},
        {"wire": {"organization": "a\nb"}},
        {"base_url": "ftp://127.0.0.1/v1"},
        {"base_url": "127.0.0.1:9/v1"},
    ],
    ids=["key", "header", "scheme", "no scheme"],
)
def test_what_cannot_be_put_into_a_request_is_certain_not_to_have_been_sent(provider, wire, changes):
    error = asyncio.run(failure_of(wire(), call(provider=provider, **changes)))
    assert (error.kind, error.sent, provider.request_count) == (Kind.CONNECTION, False, 0)
    assert "sk-x" not in str(error)


def test_a_request_that_is_made_up_shows_no_key_of_its_own():
    draft = Requests(import_module("router.adapters.litellm_pieces"), stand_in_key=None).draft(call())
    assert draft.headers["Authorization"] == f"Bearer {KEY}"
    assert KEY not in repr(draft) + repr(draft.route)


def test_a_call_that_cannot_be_built_fails_as_litellm_says(provider):
    wanted = call(provider=provider, params={"temperature": 0.5})  # which gpt-5-nano does not take
    error = asyncio.run(failure_of(AsyncLean(serves=lambda _: True), wanted))
    assert (error.kind, error.sent) == (Kind.BAD_REQUEST, False)
    assert "`UnsupportedParamsError`" in error.message


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "packed"])
def test_an_answer_longer_than_any_answer_is_a_failure_of_its_own(packed):
    body = b" " * (LONGEST_ANSWER + 1)
    encoding = {"content-encoding": "gzip"} if packed else {}
    transport = canned(gzip.compress(body, 1) if packed else body, **encoding)
    error = asyncio.run(failure_of(transport, call()))
    assert (error.kind, error.sent) == (Kind.SERVER_ERROR, True)
    assert "longer than 64 MiB" in error.message


def streamed(pieces: Iterator[bytes]) -> LeanOnly:
    async def body() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece

    return LeanOnly(wire=lambda: Wire(httpx.Response(200, content=body())))


def test_a_line_of_a_stream_costs_its_length_however_many_pieces_it_comes_in():
    choice = b'"choices": [{"index": 0, "delta": {"content": "Rivers."}, "finish_reason": "stop"}]}\n\n'
    pieces = (b"data: {", *[b" " * 1024] * 2**14, choice, b"data: [DONE]\n\n")
    began_s = time.monotonic()
    chunks = asyncio.run(answer_once(streamed(iter(pieces)), call(stream=True)))
    assert chunks[-1].done
    assert time.monotonic() - began_s < 5, "copying all that came before for each piece takes minutes"


@pytest.mark.parametrize("line", [b"data: " + b"x" * 2**20 + b"\n", b" " * 2**20], ids=["event", "line"])
def test_an_event_that_does_not_end_is_no_answer_either(line):
    transport = streamed(itertools.repeat(line, LONGEST_ANSWER // 2**20 + 64))
    error = asyncio.run(failure_of(transport, call(stream=True)))
    assert "longer than 64 MiB" in error.message


# --- redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_to_another_host_is_followed_with_neither_key_nor_request(status):
    wire = Wire(httpx.Response(status, headers={"location": "https://elsewhere.example/v1"}))
    error = asyncio.run(failure_of(LeanOnly(wire=lambda: wire), call(base_url="https://provider.example/v1")))
    assert (error.kind, [request.url.host for request in wire.asked]) == (
        Kind.NOT_FOUND,
        ["provider.example"],
    )
    assert "`base_url`" in error.message


def test_a_redirect_within_the_provider_is_followed():
    moved = httpx.Response(307, headers={"location": "/v2/chat/completions"})
    wire = Wire(moved, httpx.Response(200, content=completion()))
    reply = asyncio.run(
        answer_once(LeanOnly(wire=lambda: wire), call(base_url="https://provider.example/v1"))
    )
    assert reply.choices[0]["message"]["content"] == "Rivers."
    assert [request.url.path for request in wire.asked] == ["/v1/chat/completions", "/v2/chat/completions"]
    assert wire.asked[0].content == wire.asked[1].content


# --- deadlines and closing


@FORMS
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(
    "step", [Drip(body_chunk_s=0.02, piece_bytes=4), NeverAnswer()], ids=["body", "never"]
)
def test_a_deadline_ends_the_call_and_closes_the_socket_within_50_ms(provider, step, stream, suspends):
    """The best of three: a busy machine may hold back any process for longer than that."""
    provider.script("*", step)
    lates = [lateness(provider, stream=stream, suspends=suspends) for _ in range(3)]
    assert min(max(late) for late in lates) < 0.05, lates


def lateness(provider: FakeProvider, *, stream: bool, suspends: bool) -> tuple[float, float]:
    transport = either(suspends)
    count = provider.request_count

    async def give_up() -> tuple[float, float]:
        try:
            return await until_deadline(transport, call(provider=provider, stream=stream), 0.1)
        finally:
            await transport.aclose()

    took_s, ended_s = run(suspends)(give_up())
    request = provider.wait_for(lambda all_: len(all_) > count and all_[-1].closed_by_client)[-1]
    assert request.closed_at_s is not None
    return took_s - 0.1, request.closed_at_s - ended_s


def test_a_call_given_up_before_it_was_sent_never_is(provider):
    async def begin_and_stop() -> bool:
        transport = LeanOnly()
        pending = transport.start(call(provider=provider))
        await transport.cancel(pending)
        sent = transport.sent(pending)
        await transport.aclose()
        return sent

    assert asyncio.run(begin_and_stop()) is False
    assert provider.request_count == 0


@FORMS
def test_closing_gives_up_what_is_under_way(provider, suspends):
    provider.script("*", NeverAnswer())
    transport = either(suspends)

    async def begin_and_close() -> None:
        pending = transport.start(call(provider=provider))
        assert await transport.wait([pending], 0.15) is None
        await transport.aclose()

    run(suspends)(begin_and_close())
    assert provider.wait_for(lambda requests: bool(requests) and requests[0].closed_by_client)


# --- what is shared


def test_calls_one_after_another_share_one_connection_and_one_transport_many_loops(provider):
    transport = LeanOnly()

    async def three() -> None:
        for _ in range(3):
            await answer(transport, call(provider=provider))
        await transport.aclose()

    asyncio.run(three())
    asyncio.run(three())
    assert provider.request_count == 6
    assert len({request.connection for request in provider.requests}) == 2


def test_many_calls_at_once_each_get_their_own_answer(provider):
    names = [f"m{n}" for n in range(20)]
    for name in names:
        provider.script(name, Answer(f"I am {name}", delay_s=0.05))

    async def all_at_once() -> list[str]:
        transport = LeanOnly()
        pendings = [transport.start(call(provider=provider, model=name)) for name in names]
        replies = [await finish(transport, pending) for pending in pendings]
        await transport.aclose()
        return [reply.choices[0]["message"]["content"] for reply in replies]

    assert asyncio.run(all_at_once()) == [f"I am {name}" for name in names]


def test_what_one_call_made_of_its_parameters_is_nothing_to_the_next():
    wire = Wire(*(httpx.Response(200, content=completion()) for _ in range(4)))

    async def ask() -> None:
        transport = LeanOnly(wire=lambda: wire)
        for _ in range(2):
            for params in ({"tools": TOOLS, "max_completion_tokens": 7}, {"max_completion_tokens": 8}):
                await answer(transport, call(params=params))
        await transport.aclose()

    asyncio.run(ask())
    bodies = [json.loads(request.content) for request in wire.asked]
    assert [("tools" in body, body["max_completion_tokens"]) for body in bodies] == [
        (True, 7),
        (False, 8),
    ] * 2
    assert bodies[0] == bodies[2]


def test_a_proxy_is_asked_of_the_environment_unless_the_host_is_left_out(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "127.0.0.1:8080")
    monkeypatch.setenv("NO_PROXY", "left.example")

    async def proxies() -> list[str | None]:
        pool = AiohttpPool(None)
        found = [pool._proxy(f"https://{host}/v1/x") for host in ("provider.example", "left.example")]
        await pool.aclose()
        return found

    assert asyncio.run(proxies()) == ["http://127.0.0.1:8080", None]


def test_tool_calls_arrive_as_openai_writes_them(provider):
    provider.script("*", Answer(tool_calls=[ToolCall("get_weather", arguments={"city": "Kyoto"})]))
    wanted = call(provider=provider, params={"tools": TOOLS})
    reply = asyncio.run(answer_once(LeanOnly(), wanted))
    assert reply.finish_reason == "tool_calls"
    (made,) = reply.choices[0]["message"]["tool_calls"]
    assert (made["function"]["name"], json.loads(made["function"]["arguments"])) == (
        "get_weather",
        {"city": "Kyoto"},
    )
