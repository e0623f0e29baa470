"""What crosses the wire during one call: at most one request, then the head of its response or its failure.

litellm is given the task of one call with an Exchange in its context. Every HTTP request it makes there comes through
`Exchange.send`, so the wire, its sockets and the count of requests are the transport's own: a request that litellm
would send a second time is refused here, the real status and headers are known whatever litellm makes of them, and
closing the response closes the socket.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from router.values import Kind

if TYPE_CHECKING:
    import httpx


MOVED = (
    "the provider redirects to another address, which is sent neither the key nor the request; "
    "if it moved, `base_url` says where"
)


class WireRefusal(Exception):
    """The wire refused to send, on purpose. The message is for people: lower case, no secret, no content."""

    def __init__(self, message: str, *, kind: Kind = Kind.BAD_REQUEST) -> None:
        super().__init__(message)
        self.kind = kind


class Exchange:
    """One call's traffic. Used by the one task of that call, and by whoever closes it."""

    __slots__ = ("__weakref__", "_forward", "_posted", "failure", "lookups", "response", "sends", "stopped")

    def __init__(
        self, forward: "Callable[[httpx.Request], Awaitable[httpx.Response]]", *, lookups: bool = True
    ) -> None:
        self._forward = forward
        self._posted: set[tuple[bytes, str]] = set()
        self.lookups = lookups  # may litellm fetch a token for this call with its blocking client?
        self.sends = 0
        self.response: httpx.Response | None = None
        self.failure: Exception | None = None
        self.stopped = False

    @property
    def status(self) -> int | None:
        """The status line of the last response; None where none came."""
        return None if self.response is None or self.failure is not None else self.response.status_code

    @property
    def headers(self) -> Mapping[str, str]:
        return {} if self.response is None else self.response.headers

    @property
    def body(self) -> str:
        """The body of the last response as far as it was read as a whole; "" for one that was streamed."""
        with suppress(Exception):  # not read, or not decodable: then there is no body to speak of
            return "" if self.response is None else self.response.text
        return ""

    def stop(self) -> None:
        """Refuse every request from now on."""
        self.stopped = True

    async def send(self, request: "httpx.Request") -> "httpx.Response":
        """Send `request` on the transport's own wire. Raises what the wire raises, and WireRefusal."""
        from router.adapters.litellm_text import StrictResponse

        self._admit(request)
        self._stay(request)
        self.sends += 1
        self.failure = None
        token = EXCHANGE.set(None)  # the wire below is one of litellm's classes: it must not come back here
        try:
            self.response = StrictResponse.of(await self._forward(request))
        except Exception as error:
            self.failure = error
            self.sends -= isinstance(error, WireRefusal)  # then nothing left
            raise
        finally:
            EXCHANGE.reset(token)
        self.response.request = request
        self.response.headers.pop(
            "set-cookie", None
        )  # the clients of litellm would carry it into other calls
        return self.response

    def look_up(self, request: "httpx.Request") -> None:
        """Refuse what litellm's blocking client looks up beside a call: model cards, tokenizers, an Ollama's models.

        What is left are the POSTs by which some kinds exchange a key for a token.
        """
        is_lookup = request.method != "POST" or request.url.path.endswith("/api/show")
        if self.stopped or not self.lookups or is_lookup:
            raise WireRefusal(f"look-up of `{request.url.host}` beside a call")

    async def close(self) -> None:
        """Close the socket of the response, if one is open. Idempotent."""
        self.stop()
        if self.response is not None and self.response.is_closed:
            return
        if self.response is not None:
            with suppress(Exception):  # a socket that is already broken is closed
                await self.response.aclose()
        for _ in range(2):  # the loop closes a file descriptor in the turn after it was asked to
            await asyncio.sleep(0)

    def _stay(self, request: "httpx.Request") -> None:
        """A redirect is followed within its own origin only: clients drop `Authorization` on the way to another host,
        and carry the keys that Anthropic, Google and Azure read from headers of their own there, with the prompt."""
        before = self.response
        if before is not None and before.is_redirect and _origin(before.request) != _origin(request):
            self.failure = WireRefusal(MOVED, kind=Kind.NOT_FOUND)
            raise self.failure

    def _admit(self, request: "httpx.Request") -> None:
        """One request per call: a second one to the same place is refused, unless the first was a redirect."""
        if self.stopped:
            raise WireRefusal("the call was given up before it was sent", kind=Kind.TIMEOUT)
        place = (request.url.netloc, request.url.path)
        redirected = self.response is not None and self.response.is_redirect
        if request.method != "POST" and not redirected:
            raise WireRefusal(f"look-up of `{request.url.host}` beside a call")
        if place in self._posted and not redirected:
            raise self.failure or WireRefusal("litellm would have sent the request a second time")
        self._posted.add(place)


def _origin(request: "httpx.Request") -> tuple[str, str, int | None]:
    return request.url.scheme, request.url.host, request.url.port


EXCHANGE: ContextVar[Exchange | None] = ContextVar("router_exchange", default=None)
"""The exchange of the call that this task, or a thread it started, is working on."""


def tap(plain: Callable[..., Any], *, asynchronous: bool) -> Callable[..., Any]:
    """`handle_async_request` or `handle_request` of an httpx transport class, with the exchange in between."""
    from functools import wraps

    @wraps(plain)
    async def handle_async(self: object, request: "httpx.Request") -> "httpx.Response":
        exchange = EXCHANGE.get()
        answer: Awaitable[httpx.Response] = (
            plain(self, request) if exchange is None else exchange.send(request)
        )
        return await answer

    @wraps(plain)
    def handle(self: object, request: "httpx.Request") -> "httpx.Response":
        exchange = EXCHANGE.get()
        if exchange is not None:
            exchange.look_up(request)
        return plain(self, request)  # type: ignore[no-any-return]

    return handle_async if asynchronous else handle


def outside_calls(plain: Callable[..., None]) -> Callable[..., None]:
    """`plain`, but nothing within a call of ours: callbacks that others registered would see its content."""
    from functools import wraps

    @wraps(plain)
    def unless_in_a_call(*args: Any, **kwargs: Any) -> None:
        if EXCHANGE.get() is None:
            plain(*args, **kwargs)

    return unless_in_a_call
