"""One server that hears whatever a wire sends, and answers every wire format with a fixed valid answer."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from tests.wires.answers import answer_to


@dataclass(frozen=True, kw_only=True)
class Heard:
    """One request as it came. `headers` in lower case, in no order; `body` as JSON values where it is JSON."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    body: Any


class Ear:
    """The server: `url`, and what it `heard`, which whoever asks takes away. Answers are varied by `seed`."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.seed = ""
        self._heard: list[Heard] = []

    def take(self) -> list[Heard]:
        taken, self._heard = self._heard, []
        return taken

    def hear(self, heard: Heard) -> bytes:
        self._heard.append(heard)
        return answer_to(heard.path, heard.body, self.seed)


class _Connection(asyncio.Protocol):
    """Requests one after another, of known length."""

    def __init__(self, ear: Ear) -> None:
        self._ear = ear
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (found := _whole(self._buffer)) is not None:
            heard, self._buffer = found
            self._transport.write(self._ear.hear(heard))  # type: ignore[attr-defined]


def _whole(buffer: bytes) -> tuple[Heard, bytes] | None:
    """The first request in `buffer`, and the rest; None where it is not whole yet."""
    head, blank, rest = buffer.partition(b"\r\n\r\n")
    if not blank:
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    assert "chunked" not in headers.get("transfer-encoding", ""), "a wire sends bodies of unknown length"
    size = int(headers.get("content-length", "0"))
    if len(rest) < size:
        return None
    method, target, _ = first.split(" ")
    path, _, query = target.partition("?")
    heard = Heard(
        method=method,
        path=path,
        query=tuple(sorted(parse_qsl(query, keep_blank_values=True))),
        headers=headers,
        body=_read(rest[:size]),
    )
    return heard, rest[size:]


def _read(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body


@asynccontextmanager
async def listening() -> AsyncIterator[Ear]:
    """On the running loop."""
    loop, ears = asyncio.get_running_loop(), []
    server = await loop.create_server(lambda: _Connection(ears[0]), "127.0.0.1", 0)
    ears.append(Ear(server.sockets[0].getsockname()[1]))
    try:
        yield ears[0]
    finally:
        server.close()
