"""What is recorded of a request: everything a test may ask about, and no secret."""

import threading
import time

import pytest

from router.testing import Answer, FakeProvider, RateLimited, fingerprint
from tests.testing.raw_http import PATHS, Client, ask, body_for

SECRET = "sk-very-secret-0123456789"


def test_a_request_is_recorded_whole(fake_provider):
    fault = RateLimited()
    fake_provider.script("*", fault)
    before_s = time.monotonic()
    with Client(fake_provider.url) as client:
        client.call(
            "/groq@east/v1/chat/completions?x=1&y=a%20b", body_for("openai"), headers={"X-Trace": "t-1"}
        )
    [request] = fake_provider.requests
    assert (request.number, request.connection) == (1, 1)
    assert (request.format, request.kind, request.name) == ("openai", "groq", "east")
    assert (request.method, request.path) == ("POST", "/groq@east/v1/chat/completions")
    assert request.query == {"x": "1", "y": "a b"}
    assert request.headers["x-trace"] == "t-1"
    assert request.model == "gpt-5-nano"
    assert request.body == body_for("openai")
    assert (request.step, request.status) == (fault, 429)
    assert before_s <= request.received_at_s <= request.finished_at_s <= time.monotonic()
    assert (request.closed_by_client, request.closed_at_s) == (False, None)


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        ({"authorization": f"Bearer {SECRET}"}, ""),
        ({"Authorization": SECRET}, ""),
        ({"x-api-key": SECRET}, ""),
        ({"api-key": SECRET}, ""),
        ({"x-goog-api-key": SECRET}, ""),
        ({}, f"?key={SECRET}"),
    ],
)
def test_a_key_is_masked_and_told_apart_by_its_fingerprint(fake_provider, headers, query):
    with Client(fake_provider.url) as client:
        client.call(PATHS["gemini"] + query, body_for("gemini"), headers=headers)
        client.call(PATHS["gemini"], body_for("gemini"), headers={"x-api-key": "another", "cookie": SECRET})
    first, second = fake_provider.requests
    assert first.key_fingerprint == fingerprint(SECRET)
    assert second.key_fingerprint == fingerprint("another")
    assert SECRET not in repr(fake_provider.requests)
    assert "***" in repr(first)


def test_a_request_without_a_key_has_no_fingerprint(fake_provider):
    ask(fake_provider.url)
    assert fake_provider.requests[0].key_fingerprint is None


def test_a_record_does_not_change(fake_provider):
    ask(fake_provider.url)
    [request] = fake_provider.requests
    with pytest.raises(AttributeError):
        request.status = 500
    with pytest.raises(TypeError):
        request.headers["x"] = "y"


def test_only_the_latest_are_kept_but_all_are_counted():
    with FakeProvider(keep_requests=3) as provider:
        for _ in range(5):
            ask(provider.url)
        assert [request.number for request in provider.requests] == [3, 4, 5]
        assert provider.request_count == 5


def test_waiting_ends_when_the_condition_holds_and_not_before(fake_provider):
    fake_provider.script("*", Answer(delay_s=0.05))
    thread = threading.Thread(target=ask, args=(fake_provider.url,))
    thread.start()
    [request] = fake_provider.wait_for(lambda requests: any(request.finished_at_s for request in requests))
    thread.join()
    assert request.finished_at_s - request.received_at_s >= 0.05
    with pytest.raises(TimeoutError, match="the 1 requests received"):
        fake_provider.wait_for(lambda requests: len(requests) > 1, timeout_s=0.01)


def test_requests_of_many_threads_are_all_there(fake_provider):
    threads = [threading.Thread(target=lambda: [ask(fake_provider.url) for _ in range(5)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(request.number for request in fake_provider.requests) == list(range(1, 41))
    assert all(request.status == 200 for request in fake_provider.requests)
