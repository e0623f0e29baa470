"""One call and one stream against a canned answer, before the first real one.

litellm imports and compiles much of itself during its first call (0.3 s and more, holding the interpreter), which would
otherwise come out of that call's deadline.
"""

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from router.errors import ProviderError
from router.ports import WireCall

if TYPE_CHECKING:
    import httpx

    from router.adapters.litellm_transport import AsyncLitellm

_USAGE = b'"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}'
_HEAD = b'{"id":"0","object":"chat.completion","created":0,"model":"gpt-4o",'
_WHOLE = (
    _HEAD
    + b'"choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"."}}],'
    + _USAGE
    + b"}"
)
_PIECE = _HEAD.replace(b"completion", b"completion.chunk")
_STREAM = (
    b"data: "
    + _PIECE
    + b'"choices":[{"index":0,"delta":{"role":"assistant","content":"."},"finish_reason":null}]}\n\n'
    b"data: " + _PIECE + b'"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
    b"data: " + _PIECE + b'"choices":[],' + _USAGE + b"}\n\ndata: [DONE]\n\n"
)


def rehearse() -> None:
    """Blocks for a fraction of a second. Not to be called on a thread that runs an event loop."""
    asyncio.run(_rehearse())


async def _rehearse() -> None:
    from router.adapters.litellm_env import open_wire
    from router.adapters.litellm_transport import AsyncLitellm

    await open_wire().aclose()  # reads the certificates
    transport = AsyncLitellm(wire=_canned_wire, stand_in_key="rehearsal")
    with suppress(ProviderError):  # what is wrong will be wrong in the first real call too, and be told there
        await _play(transport, _call(stream=False))
        await _play(transport, _call(stream=True))
    await transport.aclose()


async def _play(transport: "AsyncLitellm", call: WireCall) -> None:
    pending = transport.start(call)
    await transport.wait([pending], call.timeout_s)
    if call.stream:
        stream = transport.result(pending)
        await transport.wait([transport.next(stream)], call.timeout_s)
        await transport.close(stream)


def _call(*, stream: bool) -> WireCall:
    return WireCall(
        attempt="rehearsal",
        target="openai/gpt-4o",
        kind="openai",
        model="gpt-4o",
        messages=({"role": "user", "content": "."},),
        params={},
        timeout_s=120.0,  # as long as it takes on a busy machine: whoever waits for it has a bound of their own
        stream=stream,
    )


def _canned_wire() -> "httpx.AsyncBaseTransport":
    import httpx

    class CannedWire(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            streamed = b'"stream":true' in request.content.replace(b" ", b"")
            kind = "text/event-stream" if streamed else "application/json"
            return httpx.Response(
                200, headers={"content-type": kind}, content=_STREAM if streamed else _WHOLE
            )

    return CannedWire()
