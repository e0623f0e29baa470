"""The fake provider's brain: takes a request, picks the step of the script, says what to send. No sockets."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from router.testing import wire_anthropic, wire_gemini, wire_openai
from router.testing.fake_provider_play import Outgoing, failed, play, unreadable
from router.testing.fake_provider_records import Exchange, Log
from router.testing.fake_provider_routes import route
from router.testing.fake_provider_script import Answer, Script, Step
from router.testing.wire_http import Head, Refused
from router.testing.wire_types import Ask, Failure, Route, Stamp, Unreadable, WireFormat, dump

_WIRES: dict[str, WireFormat] = {"openai": wire_openai, "anthropic": wire_anthropic, "gemini": wire_gemini}


class Desk:
    """One for each server; called on the server's thread only."""

    def __init__(self, script: Script, log: Log, wall_clock: Callable[[], float]) -> None:
        self._script = script
        self._log = log
        self._wall_clock = wall_clock
        self._rendered: dict[tuple[object, ...], tuple[Step, Outgoing]] = {}

    def receive(self, head: Head, body: bytes, connection: int) -> tuple[Exchange, Outgoing]:
        """The record of the request and its answer."""
        exchange = self._log.open(connection, head)
        outgoing = self._outgoing(exchange, head, body)
        self._log.answering(exchange, outgoing.status)
        return exchange, outgoing

    def refuse(self, head: Head | None, refused: Refused, connection: int) -> tuple[Exchange, Outgoing]:
        """For what is not even a request: an answer after which the connection is closed."""
        exchange = self._log.open(connection, head)
        self._log.answering(exchange, refused.status)
        return exchange, failed(_plain(refused.status, refused.why), self._stamp(exchange), close=True)

    def _outgoing(self, exchange: Exchange, head: Head, body: bytes) -> Outgoing:
        found = route(head.target)
        stamp = self._stamp(exchange)
        if found is None:
            return failed(_plain(404, f"no model is served at `{head.method} {head.path}`"), stamp)
        if head.method != "POST":
            return failed(_plain(405, f"`{head.method}` is not taken here; use POST"), stamp)
        exchange.route = found
        wire = _WIRES[found.format]
        try:
            parsed = _parsed(body)
            exchange.body = parsed
            exchange.model = found.model or str(parsed.get("model") or "")
            return self._played(wire, found, exchange, stamp)
        except Unreadable as why:
            return unreadable(wire, found.kind, str(why), stamp)

    def _played(self, wire: WireFormat, found: Route, exchange: Exchange, stamp: Stamp) -> Outgoing:
        step = self._script.next(_names(found, exchange))
        exchange.step = step
        if isinstance(step, Answer) and step.instant:
            return self._instant(wire, found, exchange, step, stamp)
        return play(wire, _ask(wire, found, exchange.body), step, stamp)

    def _instant(
        self, wire: WireFormat, found: Route, exchange: Exchange, step: Answer, stamp: Stamp
    ) -> Outgoing:
        """The bytes rendered for the first such request: same model, same stream options, same step."""
        body = exchange.body
        key = (found, exchange.model, body.get("stream"), str(body.get("stream_options")), id(step))
        kept = self._rendered.get(key)
        if kept is None:
            kept = (step, play(wire, _ask(wire, found, body), step, stamp))
            self._rendered[key] = kept
        return kept[1]

    def _stamp(self, exchange: Exchange) -> Stamp:
        return Stamp(serial=exchange.number, now_s=self._wall_clock())

    def sent(self, exchange: Exchange) -> None:
        self._log.finished(exchange)

    def abandoned(self, exchange: Exchange) -> None:
        self._log.abandoned(exchange)


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(body)
    except ValueError:
        raise Unreadable("We could not parse the JSON body of your request.") from None
    if not isinstance(parsed, dict):
        raise Unreadable("The request body must be a JSON object.")
    return parsed


def _ask(wire: WireFormat, found: Route, body: dict[str, Any]) -> Ask:
    """Raises `Unreadable` also where a field has a type the format does not know."""
    try:
        return wire.read(found, body)
    except (AttributeError, KeyError, TypeError) as error:
        raise Unreadable(f"Invalid type for a field of the request: {error}") from None


def _names(found: Route, exchange: Exchange) -> Iterator[str]:
    """Whose script applies, the most particular first."""
    if exchange.key is not None:
        yield exchange.key
    yield f"{found.name}/{exchange.model}"
    yield exchange.model
    yield f"{found.name}/*"
    yield "*"


def _plain(status: int, why: str) -> Failure:
    return Failure(
        status=status, body=dump({"error": {"message": why, "type": "invalid_request_error", "code": None}})
    )
