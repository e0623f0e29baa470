"""The real litellm over real HTTP on this machine: answers, failures, deadlines, and what it may not do besides."""

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx
import pytest

from router.adapters.litellm_calls import backstop_s
from router.adapters.litellm_transport import AsyncLitellm, LitellmTransport
from router.errors import ProviderError
from router.ports import WireReply
from router.testing import (
    Answer,
    BadRequest,
    ContentFilter,
    Drip,
    DropConnection,
    ErrorInStream,
    FakeProvider,
    Malformed,
    NeverAnswer,
    NotFound,
    Overloaded,
    QuotaExceeded,
    RateLimited,
    ServerError,
    ToolCall,
    Unauthorized,
)
from router.values import Kind, Usage
from tests.adapters.wire_parts import (
    KEY,
    MODELS,
    QUESTION,
    STREAMED,
    WHOLE,
    answer,
    answer_once,
    call,
    completion,
    failure_of,
    finish,
    run,
    sync,
    until_deadline,
)

# litellm's own models, built by pydantic when the first stream is read.
pytestmark = pytest.mark.filterwarnings("ignore:.*`ReadOnly` qualifier:UserWarning")

CHECKOUT = Path(__file__).resolve().parents[2]
FORMATS = ("openai", "anthropic", "gemini", "groq")
FORMS = pytest.mark.parametrize("suspends", [True, False], ids=["async", "sync"])


@pytest.fixture(scope="module")
def provider() -> Iterator[FakeProvider]:
    with FakeProvider() as running:
        yield running


@pytest.fixture(scope="module", autouse=True)
def loaded() -> None:
    """litellm takes seconds to import: once, before the first deadline is measured."""
    assert asyncio.run(AsyncLitellm().ready(60.0))


@pytest.fixture(autouse=True)
def fresh(provider: FakeProvider) -> None:
    provider.reset()


# --- answers


@FORMS
@pytest.mark.parametrize("kind", FORMATS)
def test_an_answer_is_plain_openai_json_with_the_usage_of_the_provider(provider, kind, suspends):
    provider.script("*", Answer("Because of the rivers.", input_tokens=70, output_tokens=9, cached_tokens=30))
    reply = run(suspends)(answer_once(LitellmTransport(suspends=suspends), call(kind, provider=provider)))
    assert isinstance(reply, WireReply)
    assert json.loads(json.dumps(reply.choices)) == list(reply.choices)
    assert reply.choices[0]["message"]["content"] == "Because of the rivers."
    assert (reply.choices[0]["message"]["role"], reply.finish_reason) == ("assistant", "stop")
    cached = 0 if kind == "groq" else 30  # Groq does not say
    assert reply.usage == Usage(input_tokens=70, output_tokens=9, cached_input_tokens=cached)
    assert provider.request_count == 1


@FORMS
@pytest.mark.parametrize("kind", FORMATS)
def test_a_stream_has_deltas_then_a_finish_then_its_own_end_with_the_usage(provider, kind, suspends):
    provider.script("*", Answer("Because of the rivers.", input_tokens=70, output_tokens=9))
    wanted = call(kind, provider=provider, stream=True)
    chunks = run(suspends)(answer_once(LitellmTransport(suspends=suspends), wanted))
    assert "".join(chunk.delta.get("content") or "" for chunk in chunks) == "Because of the rivers."
    assert [chunk.finish_reason for chunk in chunks if chunk.finish_reason] == ["stop"]
    assert chunks[-1].done
    assert chunks[-1].usage == Usage(input_tokens=70, output_tokens=9)
    assert not any(chunk.done for chunk in chunks[:-1])


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("kind", FORMATS)
def test_tool_calls_arrive_as_openai_writes_them(provider, kind, stream):
    provider.script("*", Answer(tool_calls=[ToolCall("get_weather", arguments={"city": "Kyoto"})]))
    schema = {"type": "object", "properties": {"city": {"type": "string"}}}
    tools = [{"type": "function", "function": {"name": "get_weather", "parameters": schema}}]
    wanted = call(kind, provider=provider, stream=stream, params={"tools": tools})
    got = asyncio.run(answer_once(AsyncLitellm(), wanted))
    if isinstance(got, WireReply):
        message, reason = got.choices[0]["message"], got.finish_reason
        parts = [tool["function"] for tool in message["tool_calls"]]
    else:
        parts = [tool["function"] for chunk in got for tool in chunk.delta.get("tool_calls", ())]
        reason = next(chunk.finish_reason for chunk in got if chunk.finish_reason)
    assert "".join(part.get("name") or "" for part in parts) == "get_weather"
    assert json.loads("".join(part.get("arguments") or "" for part in parts)) == {"city": "Kyoto"}
    assert reason == "tool_calls"


def test_an_answer_that_a_limit_cut_says_so(provider):
    provider.script("*", Answer(finish_reason="length"))
    assert asyncio.run(answer_once(AsyncLitellm(), call(provider=provider))).finish_reason == "length"


def test_an_answer_without_usage_has_none_rather_than_a_guess():
    whole = b'{"id":"1","object":"chat.completion","created":0,"model":"m","choices":[{"index":0,'
    whole += b'"finish_reason":"stop","message":{"role":"assistant","content":"four words of text"}}]}'
    assert asyncio.run(answer_once(canned(whole), call())).usage is None
    stream = (
        b'data: {"id":"1","object":"chat.completion.chunk","created":0,"model":"m","choices":[{"index":0,'
    )
    stream += b'"delta":{"content":"four words of text"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
    assert asyncio.run(answer_once(canned(stream), call(stream=True)))[-1].usage is None


def test_a_tool_that_the_provider_ran_itself_is_no_tool_call():
    blocks = [
        {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "salt"}},
        {"type": "text", "text": "Rivers."},
    ]
    message = {"id": "m", "type": "message", "role": "assistant", "model": "claude", "content": blocks,
               "stop_reason": "end_turn", "usage": {"input_tokens": 5, "output_tokens": 2}}  # fmt: skip
    reply = asyncio.run(answer_once(canned(json.dumps(message).encode()), call("anthropic")))
    assert "tool_calls" not in reply.choices[0]["message"]
    assert reply.finish_reason == "stop"


@pytest.mark.parametrize(("prompt", "answer_"), [(-500, 7), (500, -7), (-5, -7), (10**30, 7), (5, 10**12)])
def test_counts_that_no_answer_can_have_are_no_report(prompt, answer_):
    usage = {"prompt_tokens": prompt, "completion_tokens": answer_, "total_tokens": 7}
    assert asyncio.run(answer_once(canned(completion(usage=usage)), call())).usage is None


def test_a_part_that_no_answer_can_have_is_left_out_of_the_usage():
    usage = {"prompt_tokens": 500, "completion_tokens": 20, "total_tokens": 520}
    usage["prompt_tokens_details"] = {"cached_tokens": -400}
    usage["completion_tokens_details"] = {"reasoning_tokens": 10**12}
    reply = asyncio.run(answer_once(canned(completion(usage=usage)), call()))
    assert reply.usage == Usage(input_tokens=500, output_tokens=20)


def test_what_was_written_for_an_hour_is_told_apart():
    usage = {"prompt_tokens": 500, "completion_tokens": 20, "total_tokens": 520}
    kept = {"ephemeral_5m_input_tokens": 60, "ephemeral_1h_input_tokens": 40}
    usage["prompt_tokens_details"] = {"cache_creation_tokens": 100, "cache_creation_token_details": kept}
    reply = asyncio.run(answer_once(canned(completion(usage=usage)), call()))
    expected = {
        "input_tokens": 500,
        "output_tokens": 20,
        "cache_write_tokens": 100,
        "cache_write_1h_tokens": 40,
    }
    assert reply.usage == Usage(**expected)


def canned(body: bytes, status: int = 200, headers: dict[str, str] | None = None) -> AsyncLitellm:
    kind = {"content-type": "text/event-stream" if body.startswith(b"data:") else "application/json"}

    class Wire(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            return httpx.Response(status, headers={**kind, **(headers or {})}, content=body)

    return AsyncLitellm(wire=Wire)


# --- failures: the kind, one request, no secret


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize(("step", "expected", "status"), WHOLE, ids=lambda value: type(value).__name__)
def test_a_failure_is_one_request_of_one_kind(provider, kind, step, expected, status):
    provider.script("*", step)
    error = asyncio.run(failure_of(AsyncLitellm(), call(kind, provider=provider)))
    assert (error.kind, error.status) == (expected, status)
    assert error.sent
    assert error.target == f"{kind}/{MODELS[kind]}"
    assert provider.request_count == 1


@pytest.mark.parametrize("kind", ["openai", "anthropic", "gemini"])
@pytest.mark.parametrize(("step", "expected", "status"), STREAMED, ids=lambda value: type(value).__name__)
def test_a_stream_that_fails_is_one_request_of_one_kind(provider, kind, step, expected, status):
    provider.script("*", step)
    error = asyncio.run(failure_of(AsyncLitellm(), call(kind, provider=provider, stream=True)))
    assert error.kind == expected
    assert status is None or error.status == status
    assert provider.request_count == 1


@pytest.mark.parametrize(
    ("kind", "step", "expected", "status"),
    [
        ("anthropic", Overloaded(), Kind.OVERLOADED, 529),  # litellm says 500
        ("openai", Overloaded(), Kind.OVERLOADED, 503),
        ("groq", Unauthorized(), Kind.AUTH, 401),  # litellm says bad request
        ("gemini", Unauthorized(), Kind.AUTH, 400),  # Google says bad request
        ("openai", QuotaExceeded(), Kind.QUOTA, 429),
        ("anthropic", QuotaExceeded(), Kind.QUOTA, 400),
        ("openai", ContentFilter(), Kind.CONTENT_FILTER, 400),
    ],
)
def test_the_response_decides_and_not_what_litellm_makes_of_it(provider, kind, step, expected, status):
    provider.script("*", step)
    error = asyncio.run(failure_of(AsyncLitellm(), call(kind, provider=provider)))
    assert (error.kind, error.status) == (expected, status)


@pytest.mark.parametrize(
    ("step", "seconds"),
    [
        (RateLimited(retry_after=2), 2.0),
        (RateLimited(retry_after=1.5, style="ms"), 1.5),
        (RateLimited(retry_after="date"), 7.0),
        (RateLimited(retry_after="soon"), None),
        (RateLimited(retry_after=None), None),
    ],
)
def test_when_to_come_back_is_read_from_the_response(provider, step, seconds):
    provider.script("*", step)
    assert asyncio.run(failure_of(AsyncLitellm(), call(provider=provider))).retry_after_s == seconds


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("kind", ["openai", "anthropic", "gemini"])
def test_no_message_holds_a_secret_or_a_word_of_the_request(provider, kind, stream):
    said = f"Incorrect key {KEY} provided for {QUESTION}"
    for step in (
        Unauthorized(),
        BadRequest(message=said),
        ServerError(message=said),
        ErrorInStream(),
        NotFound(),
    ):
        provider.script("*", step)
        error = asyncio.run(failure_of(AsyncLitellm(), call(kind, provider=provider, stream=stream)))
        shown = f"{error!s} {error!r} {error.__dict__} {error.__cause__!r}"
        assert KEY not in shown
        assert "aardvark" not in shown
        assert error.__suppress_context__ or error.__context__ is None
        assert "\n" not in error.message


def test_a_refused_connection_is_certain_not_to_have_been_sent():
    error = asyncio.run(failure_of(AsyncLitellm(), call(base_url="http://127.0.0.1:9/v1")))
    assert (error.kind, error.sent) == (Kind.CONNECTION, False)


def test_a_parameter_that_steers_litellm_is_refused_before_anything_is_sent(provider):
    for name in ("api_base", "mock_response", "fallbacks", "num_retries", "metadata", "extra_headers"):
        error = asyncio.run(failure_of(AsyncLitellm(), call(provider=provider, params={name: "x"})))
        assert (error.kind, error.sent) == (Kind.BAD_REQUEST, False)
        assert f"`{name}`" in error.message
    assert provider.request_count == 0


@pytest.mark.parametrize("status", [200, 400, 500])
@pytest.mark.parametrize("body", [b"[" * 100_000, b"[" * 20_000 + b"]" * 20_000], ids=["open", "closed"])
def test_a_body_nested_without_end_is_a_failure_like_another(status, body):
    error = asyncio.run(failure_of(canned(body, status), call()))
    assert error.kind == (Kind.BAD_REQUEST if status == 400 else Kind.SERVER_ERROR)


def test_an_answer_without_choices_is_a_failure():
    error = asyncio.run(failure_of(canned(completion(choices=[])), call()))
    assert (error.kind, error.sent) == (Kind.SERVER_ERROR, True)


def test_an_answer_of_another_shape_is_quoted_in_no_warning():
    program = """if True:
        import asyncio
        from router.adapters.litellm_transport import AsyncLitellm
        from router.errors import ProviderError
        from tests.adapters.test_litellm_transport import answer_once, call, canned, completion
        parts = [{"type": "text", "text": "an unmistakable aardvark"}]
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": parts}}
        asyncio.run(AsyncLitellm().ready(60.0))
        try:
            asyncio.run(answer_once(canned(completion(choices=[choice])), call()))
        except ProviderError as error:
            print(error)
    """
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=CHECKOUT, check=True
    )
    assert "aardvark" not in ran.stdout + ran.stderr


# --- redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("kind", ["openai", "anthropic", "gemini"])
def test_a_redirect_to_another_host_is_followed_with_neither_key_nor_request(kind, status):
    asked: list[str] = []

    class Wire(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            asked.append(request.url.host)
            return httpx.Response(status, headers={"location": "https://elsewhere.example/v1"})

    wanted = call(kind, base_url="https://provider.example/v1")
    error = asyncio.run(failure_of(AsyncLitellm(wire=Wire), wanted))
    assert (error.kind, asked) == (Kind.NOT_FOUND, ["provider.example"])
    assert "`base_url`" in error.message


def test_a_redirect_within_the_provider_is_followed():
    asked: list[str] = []

    class Wire(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            asked.append(request.url.path)
            if len(asked) == 1:
                return httpx.Response(307, headers={"location": "/v2/chat/completions"})
            return httpx.Response(200, content=completion(), headers={"content-type": "application/json"})

    reply = asyncio.run(answer_once(AsyncLitellm(wire=Wire), call(base_url="https://provider.example/v1")))
    assert reply.choices[0]["message"]["content"] == "Rivers."
    assert asked == ["/v1/chat/completions", "/v2/chat/completions"]


# --- one request per call: the two re-sends that litellm can't switch off


def test_a_reset_after_the_request_arrived_is_not_sent_again(provider):
    """`AsyncHTTPHandler.post` sends again on ConnectError, which it also takes a reset for: a second bill."""
    provider.script("*", DropConnection(reset=True))
    assert bare_litellm_requests(provider, "anthropic") == 2
    asyncio.run(failure_of(AsyncLitellm(), call("anthropic", provider=provider)))
    assert provider.request_count == 1


def test_a_request_whose_fields_were_refused_is_not_sent_again_with_fewer(provider):
    """`_make_common_async_call` drops what a 422 of Azure AI names and sends again: a setting would be ignored."""
    provider.script("*", BadRequest(message="Extra inputs are not permitted: tools[0].strict", status=422))
    assert bare_litellm_requests(provider, "azure_ai", base_url=provider.url) == 2
    wanted = call("azure_ai", base_url=provider.url)
    error = asyncio.run(failure_of(AsyncLitellm(), wanted))
    assert (error.kind, error.status) == (Kind.BAD_REQUEST, 422)
    assert provider.request_count == 1


def bare_litellm_requests(provider: FakeProvider, kind: str, base_url: str | None = None) -> int:
    """How many requests litellm makes of one call when nothing stands below it. Leaves the count at 0."""
    import litellm
    import openai

    async def ask() -> None:
        with pytest.raises(openai.APIError):
            await litellm.acompletion(
                model=f"{kind}/{MODELS.get(kind, 'model')}",
                messages=[{"role": "user", "content": "hi"}],
                api_key=KEY,
                api_base=base_url or provider.base_url(kind),
                num_retries=0,
                max_retries=0,
            )
        await litellm.close_litellm_async_clients()

    asyncio.run(ask())
    made = provider.request_count
    steps = [request.step for request in provider.requests]
    provider.reset()
    provider.script("*", steps[-1])
    return made


# --- deadlines


@FORMS
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(
    "step",
    [Drip(head_s=0.02, piece_bytes=4), Drip(body_chunk_s=0.02, piece_bytes=4), NeverAnswer()],
    ids=["head", "body", "never"],
)
def test_a_deadline_ends_the_call_and_closes_the_socket_within_50_ms(provider, step, stream, suspends):
    """The best of three: a busy machine may hold back any process for longer than that."""
    provider.script("*", step)
    lates = [lateness(provider, stream=stream, suspends=suspends) for _ in range(3)]
    assert all(ended_s >= 0 for ended_s, _ in lates)
    assert min(max(late) for late in lates) < 0.05, lates


def lateness(provider: FakeProvider, *, stream: bool, suspends: bool) -> tuple[float, float]:
    """Seconds from the deadline to the end of the call, and from there to the end of its socket at the server."""
    transport = LitellmTransport(suspends=suspends)
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


@FORMS
def test_a_call_given_up_before_it_was_sent_never_is(provider, suspends):
    transport = LitellmTransport(suspends=suspends)

    async def begin_and_stop() -> bool:
        pending = transport.start(call(provider=provider))
        await transport.cancel(pending)
        await transport.cancel(pending)
        sent = transport.sent(pending)
        await transport.aclose()
        return sent

    assert run(suspends)(begin_and_stop()) is False
    assert provider.request_count == 0


@FORMS
def test_closing_gives_up_what_is_under_way(provider, suspends):
    provider.script("*", NeverAnswer())
    transport = LitellmTransport(suspends=suspends)

    async def begin_and_close() -> None:
        pending = transport.start(call(provider=provider))
        assert await transport.wait([pending], 0.15) is None
        await transport.aclose()

    run(suspends)(begin_and_close())
    assert provider.wait_for(lambda requests: bool(requests) and requests[0].closed_by_client)


@FORMS
def test_the_first_that_is_done_is_returned_and_the_others_go_on(provider, suspends):
    provider.script("slow/gpt-5-nano", Answer("slow", delay_s=0.2))
    transport = LitellmTransport(suspends=suspends)

    async def race() -> list[str]:
        slow = transport.start(call(base_url=provider.base_url("openai", "slow")))
        fast = transport.start(call(provider=provider))
        first = await transport.wait([slow, fast], 2.0)
        assert first is fast
        with pytest.raises(RuntimeError):
            transport.result(slow)
        reply = await finish(transport, slow)
        await transport.aclose()
        return [choice["message"]["content"] for choice in reply.choices]

    assert run(suspends)(race()) == ["slow"]


# --- many at once, many loops, a fork


@FORMS
def test_many_calls_at_once_each_get_their_own_answer(provider, suspends):
    names = [f"m{n}" for n in range(20)]
    for name in names:
        provider.script(name, Answer(f"I am {name}", delay_s=0.05))
    transport = LitellmTransport(suspends=suspends)

    async def all_at_once() -> list[str]:
        pendings = [transport.start(call(provider=provider, model=name)) for name in names]
        replies = [await finish(transport, pending) for pending in pendings]
        await transport.aclose()
        return [reply.choices[0]["message"]["content"] for reply in replies]

    assert run(suspends)(all_at_once()) == [f"I am {name}" for name in names]


def test_one_transport_serves_one_loop_after_another(provider):
    transport = LitellmTransport(suspends=True)

    replies = [asyncio.run(answer_once(transport, call(provider=provider))) for _ in range(3)]
    assert [type(reply) for reply in replies] == [WireReply] * 3


def test_the_blocking_form_works_inside_a_running_loop_and_from_many_threads(provider):
    transport = LitellmTransport(suspends=False)
    replies: list[Any] = []

    async def notebook() -> None:
        replies.append(sync(answer(transport, call(provider=provider))))

    asyncio.run(notebook())
    threads = [
        threading.Thread(target=lambda: replies.append(sync(answer(transport, call(provider=provider)))))
        for _ in range(5)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sync(transport.aclose())
    assert [type(reply) for reply in replies] == [WireReply] * 6


FORKED = """
import os, sys
from router.adapters.litellm_transport import LitellmTransport
from router.testing import FakeProvider
from tests.adapters.wire_parts import answer, call, sync

with FakeProvider() as provider:
    transport = LitellmTransport(suspends=False)
    assert sync(transport.ready(60.0))
    sync(answer(transport, call(provider=provider)))
    child = os.fork()
    if child == 0:
        sync(answer(transport, call(provider=provider)))
        sync(transport.aclose())
        os._exit(7)
    _, status = os.waitpid(child, 0)
    sync(answer(transport, call(provider=provider)))
    sync(transport.aclose())
    print(os.waitstatus_to_exitcode(status), [request.status for request in provider.requests])
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_after_a_fork_both_processes_go_on(provider):
    assert run_python(FORKED) == "7 [200, 200, 200]"


# --- what litellm may not do besides


SIDE_EFFECTS = """
import asyncio, os, sys
os.environ["TIKTOKEN_CACHE_DIR"] = "/somewhere/else"
before = dict(os.environ)
import router.adapters.litellm_transport
assert "litellm" not in sys.modules and "httpx" not in sys.modules, "importing the adapter is not yet a call"
assert asyncio.run(router.adapters.litellm_transport.AsyncLitellm().ready(60.0))
assert "litellm" in sys.modules
assert dict(os.environ) == before
print("as before")
"""


def test_importing_litellm_leaves_the_environment_as_it_was():
    assert run_python(SIDE_EFFECTS) == "as before"


def test_calls_leave_litellms_globals_and_the_environment_alone(provider):
    before = (litellm_globals(), dict(os.environ), threading.active_count())
    for kind in FORMATS:
        for step in (Answer(), RateLimited(), DropConnection(reset=True), Malformed()):
            for stream in (False, True):
                provider.script("*", step)
                asyncio.run(settle(call(kind, provider=provider, stream=stream)))
    after = (litellm_globals(), dict(os.environ), threading.active_count())
    assert before == after


async def settle(wanted: Any) -> None:
    with suppress(ProviderError):
        await answer_once(AsyncLitellm(), wanted)


def litellm_globals() -> dict[str, str]:
    """Every public setting of litellm's module, as text: switches, numbers, names, and the lists of callbacks."""
    import litellm

    plain = (bool, int, float, str, list, tuple, type(None))
    return {name: repr(value) for name, value in vars(litellm).items() if isinstance(value, plain)}


def test_litellm_logs_nothing_of_a_call(provider, caplog):
    provider.script("*", ErrorInStream())
    for kind in ("openai", "anthropic", "gemini"):
        asyncio.run(settle(call(kind, provider=provider, stream=True)))
    assert [record for record in caplog.records if record.name.startswith("LiteLLM")] == []


def test_where_there_is_no_call_of_ours_the_tapped_classes_do_what_they_did(provider):
    async def ask() -> int:
        async with httpx.AsyncClient() as client:
            return (await client.get(f"{provider.url}/elsewhere")).status_code

    with httpx.Client() as client:
        assert client.get(f"{provider.url}/elsewhere").status_code == asyncio.run(ask())


def run_python(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.skipif(find_spec("mcp") is not None, reason="the package is there")
def test_a_target_for_which_litellm_lacks_a_package_fails_unsent_and_names_it(provider):
    error = asyncio.run(failure_of(AsyncLitellm(), call(provider=provider, model="o3-pro")))
    assert (error.kind, error.sent) == (Kind.NOT_FOUND, False)
    assert "(`mcp`)" in error.message


def test_a_client_that_another_loop_left_behind_is_not_used(provider):
    """litellm keeps clients by the id of their loop; here one that is closed waits under the id of the next."""
    from router.adapters import litellm_env

    clients = litellm_env.litellm.in_memory_llm_clients_cache.cache_dict

    class Closed:
        def __getattr__(self, name):
            raise AssertionError("a client of a loop that is gone was used")

    async def ask():
        loop = asyncio.get_running_loop()
        left = f"left-by-another-{id(loop)}"
        clients[left] = Closed()
        transport = LitellmTransport(suspends=True)
        reply = await answer(transport, call(provider=provider))
        await transport.aclose()
        return reply, left in clients

    reply, is_there = asyncio.run(ask())
    assert reply.choices
    assert not is_there


def test_few_timeouts_reach_litellm_so_that_it_keeps_few_clients():
    seconds = [0.001 * step for step in range(1, 120_000, 7)]
    assert len({backstop_s(each) for each in seconds}) < 10
    assert all(backstop_s(each) >= 2 * each for each in seconds)
