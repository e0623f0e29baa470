"""The HTTP side: what a well-behaved and a not so well-behaved client gets."""

import socket

import pytest

from router.testing import FakeProvider
from tests.testing.raw_http import PATHS, Client, body_for

PATH = PATHS["openai"]


def test_one_connection_serves_many_requests(fake_provider):
    with Client(fake_provider.url) as client:
        assert [client.call(PATH, body_for("openai")).status for _ in range(3)] == [200, 200, 200]
    assert {request.connection for request in fake_provider.requests} == {1}


def test_requests_sent_ahead_are_answered_in_order(fake_provider):
    with Client(fake_provider.url) as client:
        for number in range(5):
            client.send(PATH, body_for("openai", f"question number {number}"))
        for number in range(5):
            assert f"question number {number}" in client.receive().body.decode()


def test_a_request_may_come_byte_by_byte(fake_provider):
    with Client(fake_provider.url) as client:
        client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        data = b'{"model": "m", "messages": []}'
        head = f"POST {PATH} HTTP/1.1\r\nContent-Length: {len(data)}\r\n\r\n".encode()
        for byte in head + data:
            client.socket.sendall(bytes([byte]))
        assert client.receive().status == 200


def test_connection_close_is_honoured(fake_provider):
    with Client(fake_provider.url) as client:
        assert client.call(PATH, body_for("openai"), headers={"connection": "close"}).status == 200
        assert client.socket.recv(1) == b""


def test_a_client_that_waits_for_100_continue_gets_it(fake_provider):
    data = b'{"model": "m", "messages": []}'
    with Client(fake_provider.url) as client:
        head = f"POST {PATH} HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: {len(data)}\r\n\r\n"
        client.socket.sendall(head.encode())
        assert client.receive().status == 100
        client.socket.sendall(data)
        assert client.receive().status == 200


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (
            b"POST /v1/chat/completions HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
            411,
        ),
        (b"POST /v1/chat/completions HTTP/1.1\r\ncontent-length: 99999\r\n\r\n", 413),
        (b"POST /v1/chat/completions HTTP/1.1\r\ncontent-length: " + b"9" * 5000 + b"\r\n\r\n", 413),
        (b"POST /v1/chat/completions HTTP/1.1\r\ncontent-length: -1\r\n\r\n", 400),
        (b"POST /v1/chat/completions HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"POST /v1/chat/completions HTTP/1.1\r\nspace : x\r\n\r\n", 400),
        (b"POST /v1/chat/completions HTTP/1.0\r\n\r\n", 505),
        (b"POST http://elsewhere/ HTTP/1.1\r\n\r\n", 400),
        (b"\x16\x03\x01 a TLS client\r\n\r\n", 400),
        (b"POST /v1/chat/completions HTTP/1.1\r\nx: " + b"y" * 70_000, 431),
    ],
)
def test_what_is_no_request_is_refused_and_the_connection_closed(sent, status):
    with FakeProvider(max_body_bytes=1000) as provider, Client(provider.url) as client:
        client.socket.sendall(sent)
        response = client.receive()
        assert response.status == status
        assert response.headers["connection"] == "close"
        assert response.json()["error"]["message"]
        assert client.socket.recv(1) == b""
        assert [(request.status, request.format) for request in provider.requests] == [(status, None)]


def test_a_body_up_to_the_bound_is_taken():
    data = b'{"model": "m", "messages": []}'
    with FakeProvider(max_body_bytes=len(data)) as provider, Client(provider.url) as client:
        assert client.call(PATH, data).status == 200
        assert client.call(PATH, data + b" ").status == 413


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/nowhere", 404),
        ("GET", "/v1/models", 404),
        ("GET", PATH, 405),
        ("POST", "/v1beta/models/gemini-2.5-flash:countTokens", 404),
    ],
)
def test_other_paths_and_methods_are_named_in_the_refusal(fake_provider, method, path, status):
    with Client(fake_provider.url) as client:
        response = client.call(path, {}, method=method)
        assert response.status == status
        assert f"`{method}" in response.json()["error"]["message"]
        assert client.call(PATH, body_for("openai")).status == 200  # and the connection goes on


@pytest.mark.parametrize("format", ["openai", "anthropic", "gemini"])
@pytest.mark.parametrize(
    "body", [b"{", b"[]", b"{}", b'{"messages": 3}', b'{"messages": ["x"], "contents": ["x"]}']
)
def test_an_unreadable_body_is_a_400_in_the_providers_shape(fake_provider, format, body):
    with Client(fake_provider.url) as client:
        response = client.call(PATHS[format], body)
    assert response.status == 400
    assert response.json()["error"]["message"]


@pytest.mark.parametrize(
    "field", [{"tools": 3}, {"tools": ["x"]}, {"response_format": "json"}, {"stream_options": []}]
)
def test_a_field_of_the_wrong_type_is_a_400_not_a_crash(fake_provider, field):
    with Client(fake_provider.url) as client:
        found = client.call(PATH, body_for("openai", **field))
        assert found.status in (200, 400)
        assert client.call(PATH, body_for("openai")).status == 200
    assert found.status == (200 if field == {"stream_options": []} else 400)


def test_every_prefix_serves_every_format(fake_provider):
    paths = [
        "/chat/completions",
        "/v1/chat/completions",
        "/api/paas/v4/chat/completions",
        "/groq/openai/v1/chat/completions",
        "/openai/deployments/gpt-5-nano/chat/completions?api-version=2024-12-01-preview",
    ]
    with Client(fake_provider.url) as client:
        for path in paths:
            assert client.call(path, body_for("openai")).json()["model"] == "gpt-5-nano"
        assert client.call("/proxy/v1/messages?beta=true", body_for("anthropic")).json()["type"] == "message"
        vertex = "/v1/projects/p/locations/eu/publishers/google/models/gemini-2.5-flash:generateContent"
        assert client.call(vertex, body_for("gemini")).json()["modelVersion"] == "gemini-2.5-flash"
    assert [request.format for request in fake_provider.requests] == ["openai"] * 5 + ["anthropic", "gemini"]
