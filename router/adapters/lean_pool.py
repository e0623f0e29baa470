"""The sockets of the lean wire: one pool of connections per event loop, and the answers that come out of it.

An answer is never longer than a bound, also when it is a small one that unpacks into a large one. A proxy is taken
from the environment (`HTTPS_PROXY`, `NO_PROXY` and the like), and certificates from where litellm takes them.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from router.adapters.litellm_exchange import EXCHANGE, WireRefusal
from router.values import Kind

if TYPE_CHECKING:
    import aiohttp
    import httpx

LONGEST_ANSWER = 64 * 2**20
"""Bytes, unpacked: of a whole answer, and of what stands between two line ends of a stream."""

_KEEP_ALIVE_S = 60.0
_DNS_S = 300


class LeanAnswer(Protocol):
    """The head of one response, and its body as it comes."""

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> Mapping[str, str]:
        """Names in any case, found in any case."""
        ...

    async def read(self) -> bytes:
        """The whole body; its connection goes back to the pool. Raises WireRefusal for one that is too long."""
        ...

    def pieces(self) -> AsyncIterator[bytes]:
        """The body as it comes, unpacked."""
        ...

    async def close(self) -> None:
        """Close its socket, unless the body was read to its end. Idempotent."""
        ...


class LeanPool(Protocol):
    """Connections of one event loop."""

    async def post(
        self, url: str, body: bytes, *, headers: Mapping[str, str], timeout_s: float
    ) -> LeanAnswer:
        """One request, never repeated. `timeout_s` bounds it by the wall clock, body included."""
        ...

    async def aclose(self) -> None: ...


async def bounded(pieces: AsyncIterator[bytes]) -> bytes:
    """All of `pieces` as one. Raises WireRefusal where they are longer than an answer may be."""
    parts, length = [], 0
    async for piece in pieces:
        length += len(piece)
        if length > LONGEST_ANSWER:
            raise too_long()
        parts.append(piece)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def too_long() -> WireRefusal:
    why = f"the provider's answer is longer than {LONGEST_ANSWER // 2**20} MiB, which no answer is"
    return WireRefusal(why, kind=Kind.SERVER_ERROR)


# --- aiohttp ----------------------------------------------------------------------------------------------------------


class AiohttpPool:
    """The pool for real calls. `tls` is litellm's own setting: a context, or False where its user asked for none."""

    def __init__(self, tls: Any) -> None:
        import aiohttp

        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                ssl=tls, limit=0, keepalive_timeout=_KEEP_ALIVE_S, ttl_dns_cache=_DNS_S
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,  # it would take passwords from ~/.netrc as well, reading that for each request
        )
        self._timeout = aiohttp.ClientTimeout
        self._proxies: dict[str, str | None] = {}

    async def post(
        self, url: str, body: bytes, *, headers: Mapping[str, str], timeout_s: float
    ) -> "AiohttpAnswer":
        response = await self._session.post(
            url,
            data=body,
            headers=headers,
            allow_redirects=False,
            proxy=self._proxy(url),
            timeout=self._timeout(total=timeout_s),
        )
        return AiohttpAnswer(response)

    async def aclose(self) -> None:
        await self._session.close()

    def _proxy(self, url: str) -> str | None:
        """Asked of the environment once per host, which is slow."""
        origin = url[: url.find("/", 8)]
        if origin not in self._proxies:
            self._proxies[origin] = _proxy_for(origin)
        return self._proxies[origin]


class AiohttpAnswer:
    """A LeanAnswer of aiohttp's."""

    __slots__ = ("_response",)

    def __init__(self, response: "aiohttp.ClientResponse") -> None:
        self._response = response

    @property
    def status(self) -> int:
        return self._response.status

    @property
    def headers(self) -> Mapping[str, str]:
        return self._response.headers

    async def read(self) -> bytes:
        return await bounded(self.pieces())

    def pieces(self) -> AsyncIterator[bytes]:
        return self._response.content.iter_any()

    async def close(self) -> None:
        if self._response.connection is not None:
            self._response.close()
            for _ in range(2):  # the loop closes a file descriptor in the turn after it was asked to
                await asyncio.sleep(0)


def _proxy_for(origin: str) -> str | None:
    at = urlsplit(origin)
    if proxy_bypass(at.hostname or ""):
        return None
    proxies = getproxies()
    proxy = proxies.get(at.scheme) or proxies.get("all")
    return f"http://{proxy}" if proxy and "://" not in proxy else proxy


# --- httpx ------------------------------------------------------------------------------------------------------------


class HttpxPool:
    """A pool over a transport of httpx: recordings, and wires that tests make up."""

    def __init__(self, wire: "httpx.AsyncBaseTransport") -> None:
        self._wire = wire

    async def post(
        self, url: str, body: bytes, *, headers: Mapping[str, str], timeout_s: float
    ) -> "HttpxAnswer":
        import httpx

        request = httpx.Request("POST", url, content=body, headers=dict(headers))
        token = EXCHANGE.set(None)  # the wire below may be one of litellm's classes, which would look for it
        try:
            async with asyncio.timeout(timeout_s):
                response = await self._wire.handle_async_request(request)
        finally:
            EXCHANGE.reset(token)
        response.request = request
        return HttpxAnswer(response)

    async def aclose(self) -> None:
        await self._wire.aclose()


class HttpxAnswer:
    """A LeanAnswer of httpx's."""

    __slots__ = ("_response",)

    def __init__(self, response: "httpx.Response") -> None:
        self._response = response

    @property
    def status(self) -> int:
        return self._response.status_code

    @property
    def headers(self) -> Mapping[str, str]:
        return self._response.headers

    async def read(self) -> bytes:
        return await bounded(self.pieces())

    def pieces(self) -> AsyncIterator[bytes]:
        return self._response.aiter_bytes()

    async def close(self) -> None:
        await self._response.aclose()
