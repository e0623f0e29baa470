"""Every fault as it looks on the wire."""

import time
from email.utils import parsedate_to_datetime

import pytest

from router.testing import (
    Answer,
    BadRequest,
    ContentFilter,
    ContextTooLong,
    CutStream,
    Drip,
    DropConnection,
    EmptyStream,
    ErrorInStream,
    FakeProvider,
    Malformed,
    NeverAnswer,
    NotFound,
    Overloaded,
    QuotaExceeded,
    RateLimited,
    ServerError,
    Unauthorized,
)
from tests.testing.raw_http import PATHS, Client, ask, body_for, streamed_text

FORMATS = ["openai", "anthropic", "gemini"]

# The words of each family's error bodies; test_fake_provider_recordings holds their shapes against real ones.
ERRORS = [
    (RateLimited(), {"openai": 429, "anthropic": 429, "gemini": 429},
     {"openai": "rate_limit_exceeded", "anthropic": "rate_limit_error", "gemini": "RESOURCE_EXHAUSTED"}),
    (ServerError(), {"openai": 500, "anthropic": 500, "gemini": 500},
     {"openai": "server_error", "anthropic": "api_error", "gemini": "INTERNAL"}),
    (ServerError(status=502), {"openai": 502, "anthropic": 502, "gemini": 502},
     {"openai": "server_error", "anthropic": "api_error", "gemini": "502"}),
    (Overloaded(), {"openai": 503, "anthropic": 529, "gemini": 503},
     {"openai": "overloaded", "anthropic": "overloaded_error", "gemini": "UNAVAILABLE"}),
    (Overloaded(status=529), {"openai": 529, "anthropic": 529, "gemini": 529},
     {"openai": "overloaded", "anthropic": "overloaded_error", "gemini": "overloaded"}),
    (Unauthorized(), {"openai": 401, "anthropic": 401, "gemini": 400},
     {"openai": "invalid_api_key", "anthropic": "authentication_error", "gemini": "API_KEY_INVALID"}),
    (Unauthorized(status=403), {"openai": 403, "anthropic": 403, "gemini": 403},
     {"openai": "not allowed", "anthropic": "permission_error", "gemini": "PERMISSION_DENIED"}),
    (QuotaExceeded(), {"openai": 429, "anthropic": 400, "gemini": 429},
     {"openai": "insufficient_quota", "anthropic": "credit balance is too low", "gemini": "exceeded your current"}),
    (QuotaExceeded(status=402), {"openai": 402, "anthropic": 402, "gemini": 402},
     {"openai": "Insufficient Balance", "anthropic": "billing_error", "gemini": "quota"}),
    (NotFound(), {"openai": 404, "anthropic": 404, "gemini": 404},
     {"openai": "model_not_found", "anthropic": "not_found_error", "gemini": "NOT_FOUND"}),
    (BadRequest(param="top_k"), {"openai": 400, "anthropic": 400, "gemini": 400},
     {"openai": "'top_k'", "anthropic": "top_k", "gemini": "top_k"}),
    (BadRequest(message="no such thing"), {"openai": 400, "anthropic": 400, "gemini": 400},
     dict.fromkeys(FORMATS, "no such thing")),
    (ContextTooLong(limit_tokens=200_000), {"openai": 400, "anthropic": 400, "gemini": 400},
     {"openai": "context_length_exceeded", "anthropic": "200001 tokens > 200000", "gemini": "(200001)"}),
    (ContentFilter(), {"openai": 400, "anthropic": 400, "gemini": 200},
     {"openai": "content_policy_violation", "anthropic": "content filtering policy", "gemini": "blockReason"}),
]  # fmt: skip


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("fault", "statuses", "words"), ERRORS, ids=lambda value: type(value).__name__)
def test_an_error_has_its_providers_status_and_words(fake_provider, format, stream, fault, statuses, words):
    fake_provider.script("*", fault)
    response = ask(fake_provider.url, format, stream=stream)
    assert response.status == statuses[format]
    assert words[format] in response.body.decode()
    assert fake_provider.requests[-1].status == statuses[format]
    assert fake_provider.requests[-1].step == fault


@pytest.mark.parametrize(
    ("fault", "header", "value"),
    [
        (RateLimited(retry_after=7), "retry-after", "7"),
        (RateLimited(retry_after=0.5), "retry-after", "0.5"),
        (RateLimited(retry_after="0.5"), "retry-after", "0.5"),
        (RateLimited(retry_after="soon"), "retry-after", "soon"),
        (RateLimited(retry_after=1.5, style="ms"), "retry-after-ms", "1500"),
        (Overloaded(retry_after=3), "retry-after", "3"),
    ],
)
@pytest.mark.parametrize("format", FORMATS)
def test_the_wait_is_told_in_the_header_asked_for(fake_provider, format, fault, header, value):
    fake_provider.script("*", fault)
    headers = ask(fake_provider.url, format).headers
    assert headers[header] == value
    assert {"retry-after", "retry-after-ms"} & set(headers) == {header}


@pytest.mark.parametrize("fault", [RateLimited(retry_after="date"), RateLimited(retry_after=7, style="date")])
def test_a_date_lies_as_far_ahead_as_it_says(fault):
    with FakeProvider(wall_clock=lambda: 1_700_000_000.0) as provider:
        provider.script("*", fault)
        told = parsedate_to_datetime(ask(provider.url).headers["retry-after"])
    assert told.timestamp() == 1_700_000_007


@pytest.mark.parametrize("fault", [RateLimited(retry_after=None), RateLimited(retry_after=7, style="body")])
@pytest.mark.parametrize("format", FORMATS)
def test_without_a_header_there_is_none(fake_provider, format, fault):
    fake_provider.script("*", fault)
    assert not {"retry-after", "retry-after-ms"} & set(ask(fake_provider.url, format).headers)


def test_gemini_says_the_wait_in_its_details(fake_provider):
    fake_provider.script("*", RateLimited(retry_after=7, style="body"))
    details = ask(fake_provider.url, "gemini").json()["error"]["details"]
    assert details[-1]["retryDelay"] == "7s"


DIALECTS = {
    "azure": {
        Unauthorized(): (401, {"error": {"code": "401"}}),
        ContentFilter(): (400, {"error": {"code": "content_filter"}}),
    },
    "groq": {Unauthorized(): (401, {"error": {"message": "Invalid API Key", "code": "invalid_api_key"}})},
    "mistral": {
        Unauthorized(): (401, {"detail": "Invalid API Key"}),
        RateLimited(): (429, {"object": "error", "type": "rate_limited", "code": "1300"}),
        ServerError(): (500, {"object": "error", "code": "1000"}),
    },
    "xai": {
        Unauthorized(): (400, {"code": "Client specified an invalid argument"}),
        Overloaded(): (503, {"code": "The service is currently unavailable"}),
        NotFound(): (404, {"code": "Some requested entity was not found"}),
    },
    "openrouter": {
        Unauthorized(): (401, {"error": {"message": "No auth credentials found", "code": 401}}),
        QuotaExceeded(): (402, {"error": {"code": 402}}),
    },
    "deepseek": {
        QuotaExceeded(): (402, {"error": {"message": "Insufficient Balance"}}),
        Unauthorized(): (401, {"error": {"type": "authentication_error"}}),
    },
}  # fmt: skip


def _within(part, whole):
    return all(
        _within(value, whole[key]) if isinstance(value, dict) else whole[key] == value
        for key, value in part.items()
    )


@pytest.mark.parametrize("kind", DIALECTS)
def test_a_provider_that_speaks_openai_has_errors_of_its_own(fake_provider, kind):
    path = "/openai/deployments/m/chat/completions" if kind == "azure" else "/v1/chat/completions"
    with Client(fake_provider.url) as client:
        for fault, (status, shape) in DIALECTS[kind].items():
            fake_provider.script("*", fault)
            response = client.call(f"/{kind}{path}", body_for("openai"))
            assert response.status == status
            assert _within(shape, response.json())


@pytest.mark.parametrize("format", FORMATS)
def test_a_dropped_connection_answers_nothing(fake_provider, format):
    fake_provider.script("*", [DropConnection(), Answer()])
    with Client(fake_provider.url) as client:
        client.send(PATHS[format], body_for(format))
        assert client.socket.recv(1) == b""
    assert fake_provider.requests[0].status is None
    assert ask(fake_provider.url, format).status == 200


def test_a_connection_may_drop_inside_the_head_or_the_body(fake_provider):
    fake_provider.script(
        "*", [DropConnection(after_bytes=5), DropConnection(after_bytes=2000, answer=Answer("x" * 5000))]
    )
    with Client(fake_provider.url) as client:
        client.send(PATHS["openai"], body_for("openai"))
        with pytest.raises(ConnectionError, match="only b'HTTP/'"):
            client.receive()
    response = ask(fake_provider.url)
    assert not response.whole
    assert 0 < len(response.body) < 2000
    assert [request.status for request in fake_provider.requests] == [None, 200]


def test_a_reset_is_a_reset(fake_provider):
    fake_provider.script("*", DropConnection(reset=True))
    with Client(fake_provider.url) as client:
        client.send(PATHS["openai"], body_for("openai"))
        with pytest.raises(ConnectionResetError):
            client.socket.recv(1)
    [request] = fake_provider.requests
    assert not request.closed_by_client


def test_no_answer_comes_until_the_client_goes_and_that_is_seen(fake_provider):
    fake_provider.script("*", NeverAnswer())
    with Client(fake_provider.url, timeout_s=0.1) as client:
        client.send(PATHS["openai"], body_for("openai"))
        with pytest.raises(TimeoutError):
            client.socket.recv(1)
        gone_at_s = time.monotonic()
    [request] = fake_provider.wait_for(lambda requests: requests[0].closed_by_client)
    assert request.status is None
    assert request.finished_at_s is None
    assert request.closed_at_s is not None
    assert abs(request.closed_at_s - gone_at_s) < 0.05


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_leaves_a_slow_answer_is_seen(fake_provider, stream):
    fake_provider.script("*", Answer(delay_s=5))
    with Client(fake_provider.url) as client:
        client.send(PATHS["openai"], body_for("openai", stream=stream))
        fake_provider.wait_for(lambda requests: len(requests) == 1)
    [request] = fake_provider.wait_for(lambda requests: requests[0].closed_by_client)
    assert request.closed_at_s - request.received_at_s < 1


def test_a_client_that_leaves_after_its_answer_did_not_leave_early(fake_provider):
    ask(fake_provider.url)
    ask(fake_provider.url)
    assert [request.closed_by_client for request in fake_provider.requests] == [False, False]
    assert all(request.finished_at_s is not None for request in fake_provider.requests)


def test_a_head_drips(fake_provider):
    fake_provider.script("*", Drip(head_s=0.005, piece_bytes=16))
    with Client(fake_provider.url) as client:
        began_s = time.monotonic()
        client.send(PATHS["openai"], body_for("openai"))
        assert len(client.socket.recv(4096)) <= 32
        while b'"usage"' not in client.socket.recv(4096):
            pass
    assert time.monotonic() - began_s >= 0.05  # a head of over 160 bytes


@pytest.mark.parametrize("stream", [False, True])
def test_a_body_drips_to_its_end_and_is_whole(fake_provider, stream):
    fake_provider.script("*", Drip(body_chunk_s=0.002, piece_bytes=64, answer=Answer("one two")))
    began_s = time.monotonic()
    response = ask(fake_provider.url, stream=stream)
    assert response.whole
    assert time.monotonic() - began_s >= 0.002 * len(response.body) // 64
    assert streamed_text("openai", response.events()) if stream else response.json()


def test_a_drip_leaves_when_the_client_does(fake_provider):
    fake_provider.script("*", Drip(head_s=0.01, piece_bytes=1))
    with Client(fake_provider.url) as client:
        client.send(PATHS["openai"], body_for("openai"))
        client.socket.recv(1)
    [request] = fake_provider.wait_for(lambda requests: requests[0].closed_by_client)
    assert request.status == 200


def test_an_answer_keeps_its_pace(fake_provider):
    fake_provider.script("*", Answer("one two three", delay_s=0.02, first_chunk_s=0.03, chunk_s=0.01))
    with Client(fake_provider.url) as client:
        began_s = time.monotonic()
        client.send(PATHS["openai"], body_for("openai", stream=True))
        head = client.socket.recv(65536)
        head_at_s = time.monotonic() - began_s
        assert b"200 OK" in head
        assert b"one" not in head
        assert 0.02 <= head_at_s < 0.05
        data = b""
        while b"one" not in data:
            data += client.socket.recv(65536)
        assert time.monotonic() - began_s >= 0.05
        while b"[DONE]" not in data:
            data += client.socket.recv(65536)
        assert time.monotonic() - began_s >= 0.05 + 0.02


def test_a_fault_may_come_late(fake_provider):
    fake_provider.script("*", ServerError(delay_s=0.03))
    began_s = time.monotonic()
    assert ask(fake_provider.url).status == 500
    assert time.monotonic() - began_s >= 0.03


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    ("body", "shown"),
    [("json", b'{"id": "cut'), ("html", b"<!DOCTYPE"), ("empty", b""), ("not_an_object", b"[")],
)
def test_a_malformed_answer_is_a_200_of_nonsense(fake_provider, format, body, shown):
    fake_provider.script("*", Malformed(body=body))
    response = ask(fake_provider.url, format)
    assert response.status == 200
    assert response.whole
    assert response.body.startswith(shown)
    assert not shown or ask(fake_provider.url, format, stream=True).body.removeprefix(b"data: ").startswith(
        shown
    )


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("clean", [False, True])
def test_a_cut_stream_has_content_and_no_end_mark(fake_provider, format, clean):
    fake_provider.script("*", CutStream(after_chunks=2, clean=clean))
    response = ask(fake_provider.url, format, stream=True)
    assert response.whole is clean
    text = streamed_text(format, response.events())
    assert text
    assert text != streamed_text(format, _good(fake_provider, format))
    assert not any(mark in response.body for mark in (b"[DONE]", b"message_stop", b"finishReason"))


def _good(provider, format):
    provider.script("*", Answer())
    return ask(provider.url, format, stream=True).events()


def test_a_cut_stream_asked_for_whole_is_half_a_body(fake_provider):
    fake_provider.script("*", CutStream())
    response = ask(fake_provider.url)
    assert (response.status, response.whole) == (200, False)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("after", [0, 2])
def test_an_error_inside_a_stream(fake_provider, format, after):
    fake_provider.script("*", ErrorInStream(after_chunks=after))
    response = ask(fake_provider.url, format, stream=True)
    assert response.status == 200
    events = [event for event in response.events() if event != "[DONE]"]
    assert "overloaded" in str(events[-1]["error"])
    assert bool(streamed_text(format, events[:-1])) is (after > 0)
    assert after > 0 or len(events) == 1


def test_an_error_inside_a_stream_is_an_answer_where_no_stream_was_asked(fake_provider):
    fake_provider.script("*", ErrorInStream(error=RateLimited()))
    assert ask(fake_provider.url).status == 429


@pytest.mark.parametrize("format", FORMATS)
def test_an_empty_stream(fake_provider, format):
    fake_provider.script("*", [EmptyStream(), EmptyStream(end_mark=False)])
    marked, bare = (ask(fake_provider.url, format, stream=True) for _ in range(2))
    assert streamed_text(format, marked.events()) == ""
    assert any(mark in marked.body for mark in (b"[DONE]", b"message_stop", b"finishReason"))
    assert (bare.status, bare.body, bare.whole) == (200, b"", True)
