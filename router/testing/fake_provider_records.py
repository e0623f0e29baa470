"""What the fake provider received, and how each connection ended."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from router.testing.fake_provider_script import Step
from router.testing.wire_http import Head
from router.testing.wire_types import Format, Route

_MASK = "***"
_SECRET_HEADERS = frozenset(
    {
        "authorization",
        "proxy-authorization",
        "x-api-key",
        "api-key",
        "x-goog-api-key",
        "cookie",
        "x-auth-token",
    }
)
_SECRET_PARAMETERS = frozenset({"key", "api_key", "access_token"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedRequest:
    """One request. Times are `time.monotonic()` of this machine; secrets are masked.

    `status` is None where nothing was answered. `finished_at_s` is when the answer was handed over whole, or
    ended as its step says. `closed_by_client`: the client went away before that, at `closed_at_s`.
    `key_fingerprint` is the same for the same API key, and says nothing about it. `step` is what was played.
    """

    number: int
    connection: int
    format: Format | None
    kind: str
    name: str
    model: str
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    key_fingerprint: str | None
    body: Any
    step: Step | None
    status: int | None
    received_at_s: float
    finished_at_s: float | None
    closed_by_client: bool
    closed_at_s: float | None


class Exchange:
    """A request on its way through the server. Written by the server's thread alone."""

    __slots__ = (
        "body", "closed_at_s", "closed_by_client", "connection", "finished_at_s", "head", "key", "model", "number",
        "received_at_s", "route", "status", "step",
    )  # fmt: skip

    def __init__(self, number: int, connection: int, head: Head | None) -> None:
        self.number = number
        self.connection = connection
        self.head = head
        self.key: str | None = None if head is None else api_key(head)
        self.route: Route | None = None
        self.model = ""
        self.body: Any = None
        self.step: Step | None = None
        self.status: int | None = None
        self.received_at_s = time.monotonic()
        self.finished_at_s: float | None = None
        self.closed_by_client = False
        self.closed_at_s: float | None = None

    def frozen(self) -> ReceivedRequest:
        route, head = self.route, self.head
        return ReceivedRequest(
            number=self.number,
            connection=self.connection,
            format=route.format if route else None,
            kind=route.kind if route else "",
            name=route.name if route else "",
            model=self.model,
            method=head.method if head else "",
            path=head.path if head else "",
            query=_masked(head.query if head else {}, _SECRET_PARAMETERS),
            headers=_masked(head.headers if head else {}, _SECRET_HEADERS),
            key_fingerprint=fingerprint(self.key),
            body=self.body,
            step=self.step,
            status=self.status,
            received_at_s=self.received_at_s,
            finished_at_s=self.finished_at_s,
            closed_by_client=self.closed_by_client,
            closed_at_s=self.closed_at_s,
        )


def api_key(head: Head) -> str | None:
    """The key the request carries, wherever its provider wants it."""
    headers = head.headers
    bearer = headers.get("authorization")
    if bearer is not None:
        return bearer.partition(" ")[2] or bearer
    for name in ("x-api-key", "api-key", "x-goog-api-key"):
        if name in headers:
            return headers[name]
    return head.query.get("key") if "?" in head.target else None


def fingerprint(key: str | None) -> str | None:
    """Ten characters that stand for a key: compare with `fingerprint("the-key")`."""
    return None if key is None else hashlib.sha256(key.encode()).hexdigest()[:10]


def _masked(values: Mapping[str, str], secret: frozenset[str]) -> Mapping[str, str]:
    return MappingProxyType({name: _MASK if name in secret else value for name, value in values.items()})


class Log:
    """The exchanges, oldest first, at most `keep` of them. Any thread may read."""

    def __init__(self, keep: int) -> None:
        self._exchanges: deque[Exchange] = deque(maxlen=keep)
        self._changed = threading.Condition()
        self._count = 0

    @property
    def count(self) -> int:
        return self._count

    def open(self, connection: int, head: Head | None) -> Exchange:
        with self._changed:
            self._count += 1
            exchange = Exchange(self._count, connection, head)
            self._exchanges.append(exchange)
            return exchange

    def answering(self, exchange: Exchange, status: int | None) -> None:
        with self._changed:
            exchange.status = status
            self._changed.notify_all()

    def finished(self, exchange: Exchange) -> None:
        with self._changed:
            exchange.finished_at_s = time.monotonic()
            self._changed.notify_all()

    def abandoned(self, exchange: Exchange) -> None:
        with self._changed:
            exchange.closed_by_client = True
            exchange.closed_at_s = time.monotonic()
            self._changed.notify_all()

    def snapshot(self) -> tuple[ReceivedRequest, ...]:
        with self._changed:
            return tuple(exchange.frozen() for exchange in self._exchanges)

    def clear(self) -> None:
        with self._changed:
            self._exchanges.clear()
            self._count = 0

    def wait_for(
        self, holds: Callable[[tuple[ReceivedRequest, ...]], bool], timeout_s: float
    ) -> tuple[ReceivedRequest, ...]:
        """The requests as soon as `holds` is true of them. Raises `TimeoutError`."""
        with self._changed:
            if not self._changed.wait_for(lambda: holds(self.snapshot()), timeout_s):
                raise TimeoutError(
                    f"the {self._count} requests received do not fulfil the condition after {timeout_s} s"
                )
            return self.snapshot()
