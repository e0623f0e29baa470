"""A plain HTTP client over one socket, so that no client library stands between a test and the bytes."""

import json
import socket
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlsplit

PATHS = {
    "openai": "/v1/chat/completions",
    "anthropic": "/v1/messages",
    "gemini": "/v1beta/models/gemini-2.5-flash:generateContent",
}
STREAM_PATHS = PATHS | {"gemini": "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse"}
MODELS = {"openai": "gpt-5-nano", "anthropic": "claude-haiku-4-5", "gemini": "gemini-2.5-flash"}


def body_for(format: str, text: str = "Why is the sea salty?", **more: Any) -> dict[str, Any]:
    """The smallest request of a format."""
    if format == "gemini":
        return {"contents": [{"role": "user", "parts": [{"text": text}]}], **more}
    body = {"model": MODELS[format], "messages": [{"role": "user", "content": text}], **more}
    return {"max_tokens": 1000, **body} if format == "anthropic" else body


@dataclass(frozen=True)
class Response:
    status: int
    headers: dict[str, str]
    body: bytes
    whole: bool

    def json(self) -> Any:
        return json.loads(self.body)

    def events(self) -> list[Any]:
        """The data of the server-sent events, parsed where it is JSON."""
        lines = [line[6:] for line in self.body.decode().split("\n") if line.startswith("data: ")]
        return [line if line == "[DONE]" else json.loads(line) for line in lines]


class Client:
    """One connection. `timeout_s` bounds every read."""

    def __init__(self, url: str, timeout_s: float = 5.0) -> None:
        parts = urlsplit(url)
        self.socket = socket.create_connection((parts.hostname, parts.port), timeout=timeout_s)
        self._read = self.socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._read.close()
        self.socket.close()

    def send(
        self, path: str, body: Any = None, *, method: str = "POST", headers: dict[str, str] | None = None
    ) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        shown = {"host": "localhost", "content-length": str(len(data))} | (headers or {})
        head = "".join(f"{name}: {value}\r\n" for name, value in shown.items())
        self.socket.sendall(f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + data)

    def receive(self) -> Response:
        """The next response; `whole` is false when the connection ended inside it."""
        status_line = self._read.readline()
        if not status_line.endswith(b"\n"):
            raise ConnectionError(f"no answer, only {status_line!r}")
        headers: dict[str, str] = {}
        while (line := self._read.readline()) not in (b"\r\n", b""):
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
        body, whole = self._chunks() if "transfer-encoding" in headers else self._length(headers)
        return Response(int(status_line.split()[1]), headers, body, whole)

    def _length(self, headers: dict[str, str]) -> tuple[bytes, bool]:
        told = int(headers.get("content-length", 0))
        body = self._read.read(told)
        return body, len(body) == told

    def _chunks(self) -> tuple[bytes, bool]:
        body = b""
        while size := self._read.readline().strip():
            data = self._read.read(int(size, 16) + 2)
            if size == b"0":
                return body, True
            body += data[:-2]
        return body, False

    def call(self, path: str, body: Any = None, **options: Any) -> Response:
        self.send(path, body, **options)
        return self.receive()


def ask(url: str, format: str = "openai", *, headers: dict[str, str] | None = None, **more: Any) -> Response:
    """One request of a format on a connection of its own."""
    streams = more.get("stream") is True
    path = (STREAM_PATHS if streams else PATHS)[format]
    if format == "gemini":
        more.pop("stream", None)
    with Client(url) as client:
        return client.call(path, body_for(format, **more), headers=headers)


def text_of(format: str, body: dict[str, Any]) -> str:
    """The text of a good answer."""
    match format:
        case "openai":
            return body["choices"][0]["message"]["content"]
        case "anthropic":
            return "".join(block.get("text", "") for block in body["content"])
        case _:
            return "".join(part.get("text", "") for part in body["candidates"][0]["content"]["parts"])


def streamed_text(format: str, events: list[Any]) -> str:
    """The text of a stream."""
    found = []
    for event in events:
        match format:
            case "openai" if event != "[DONE]" and event.get("choices"):
                found.append(event["choices"][0]["delta"].get("content") or "")
            case "anthropic" if event["type"] == "content_block_delta":
                found.append(event["delta"].get("text", ""))
            case "gemini":
                found.append(text_of("gemini", event))
    return "".join(found)
