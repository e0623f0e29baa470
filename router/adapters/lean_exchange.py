"""What crosses the lean wire during one call: one request, then the head of its response or its failure."""

from collections.abc import Mapping
from contextlib import suppress
from urllib.parse import urljoin, urlsplit

from router.adapters.lean_pool import LeanAnswer, LeanPool
from router.adapters.litellm_exchange import MOVED, WireRefusal
from router.values import Kind

_AGAIN_AS_IT_WAS = (307, 308)
_ELSEWHERE = (301, 302, 303, *_AGAIN_AS_IT_WAS)
_MOST_HOPS = 5


class LeanExchange:
    """The Traffic of one lean call."""

    __slots__ = ("__weakref__", "answer", "body", "failure", "sends", "stopped")

    def __init__(self) -> None:
        self.sends = 0
        self.answer: LeanAnswer | None = None
        self.failure: Exception | None = None
        self.stopped = False
        self.body = ""
        """The body of an error, or of a success that can't be read."""

    @property
    def status(self) -> int | None:
        return None if self.answer is None or self.failure is not None else self.answer.status

    @property
    def headers(self) -> Mapping[str, str]:
        return {} if self.answer is None else self.answer.headers

    def stop(self) -> None:
        self.stopped = True

    def look_up(self, request: object) -> None:
        """In place of what an `Exchange` lets litellm look up beside a call: nothing."""
        raise WireRefusal("look-up beside a call")

    async def post(
        self, pool: LeanPool, url: str, body: bytes, *, headers: Mapping[str, str], timeout_s: float
    ) -> LeanAnswer:
        """The response to one request. A redirect that asks for the same again, within the origin of `url`, is
        followed; any other is refused. Raises what the pool raises, and WireRefusal."""
        for _ in range(_MOST_HOPS):
            answer = await self._send(pool, url, body, headers=headers, timeout_s=timeout_s)
            location = answer.headers.get("location")
            if answer.status not in _ELSEWHERE or not location:
                return answer
            await answer.close()
            there = urljoin(url, location)
            if answer.status not in _AGAIN_AS_IT_WAS or _origin(there) != _origin(url):
                break
            url = there
        self.failure = WireRefusal(MOVED, kind=Kind.NOT_FOUND)
        raise self.failure

    async def _send(
        self, pool: LeanPool, url: str, body: bytes, *, headers: Mapping[str, str], timeout_s: float
    ) -> LeanAnswer:
        if self.stopped:
            raise WireRefusal("the call was given up before it was sent", kind=Kind.TIMEOUT)
        self.sends += 1
        try:
            self.answer = await pool.post(url, body, headers=headers, timeout_s=timeout_s)
        except Exception as error:
            self.failure = error
            self.sends -= isinstance(error, WireRefusal)  # then nothing left
            raise
        return self.answer

    async def close(self) -> None:
        """Close the socket of the response, if one is open. Idempotent."""
        self.stop()
        if self.answer is not None:
            with suppress(Exception):  # a socket that is already broken is closed
                await self.answer.close()


def _origin(url: str) -> tuple[str, str | None, int | None]:
    at = urlsplit(url)
    return at.scheme, at.hostname, at.port
