"""HTTP/1.1 as bytes: reading a request's head, writing a response's. Pure, and strict about what it takes."""

from __future__ import annotations

import http
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote, urlsplit

from router.testing.wire_types import Headers

MAX_HEAD_BYTES = 64 * 1024
_SPECIAL_REASONS = {529: "Overloaded"}
_REASONS = {status.value: status.phrase for status in http.HTTPStatus} | _SPECIAL_REASONS


class Refused(Exception):
    """A request this server does not take. The connection is closed after the answer."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status
        self.why = why


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The head of a request. Header names are lower case; a repeated header's values are joined by a comma."""

    method: str
    target: str
    headers: Mapping[str, str]
    body_bytes: int
    keep_alive: bool
    expects_continue: bool

    @property
    def path(self) -> str:
        return unquote(self.target.partition("?")[0])

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))


def read_head(raw: bytes, *, max_body_bytes: int) -> Head:
    """`raw` without the blank line that ends it. Raises `Refused`."""
    lines = raw.decode("latin-1").split("\r\n")
    method, target = _request_line(lines[0])
    headers = _headers(lines[1:])
    if "transfer-encoding" in headers:
        raise Refused(411, "chunked request bodies are not taken; send content-length")
    size = _body_bytes(headers, max_body_bytes)
    return Head(
        method=method,
        target=target,
        headers=headers,
        body_bytes=size,
        keep_alive=headers.get("connection", "").lower() != "close",
        expects_continue=headers.get("expect", "").lower() == "100-continue",
    )


def _request_line(line: str) -> tuple[str, str]:
    parts = line.split(" ")
    if len(parts) != 3 or not parts[0].isalpha() or not parts[1].startswith("/"):
        raise Refused(400, "this is not an HTTP request line")
    if parts[2] != "HTTP/1.1":
        raise Refused(505, "only HTTP/1.1 is spoken here")
    return parts[0], parts[1]


def _headers(lines: list[str]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise Refused(400, "a header line is malformed")
        key, value = name.lower(), value.strip()
        headers[key] = f"{headers[key]}, {value}" if key in headers else value
    return headers


def _body_bytes(headers: Mapping[str, str], most: int) -> int:
    told = headers.get("content-length", "0")
    if not (told.isascii() and told.isdigit()):
        raise Refused(400, "content-length is not a number")
    if len(told) > 15 or int(told) > most:
        raise Refused(413, f"the request body is larger than {most} bytes")
    return int(told)


def head_bytes(status: int, headers: Headers) -> bytes:
    """A response's head, with the blank line that ends it."""
    shown = "".join(f"{name}: {value}\r\n" for name, value in headers)
    return f"HTTP/1.1 {status} {_REASONS.get(status, 'Unknown')}\r\n{shown}\r\n".encode("latin-1")


def chunk(data: bytes) -> bytes:
    """One chunk of a chunked body."""
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


LAST_CHUNK = b"0\r\n\r\n"
