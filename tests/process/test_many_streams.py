"""A thousand streams at once in one process: all of them whole, and what they took is given back."""

import asyncio
import gc
import json
import threading
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from router import AsyncRouter, StreamBroken
from router.adapters.cassette_transport import STAND_IN_KEY
from router.adapters.litellm_transport import AsyncLitellm

pytestmark = [
    pytest.mark.usefixtures("warm"),
    pytest.mark.filterwarnings("ignore:Pydantic serializer warnings:UserWarning"),  # litellm's own models
]

MANY = 1_000
MODEL = {
    "price": {"input_per_million": "$1", "output_per_million": "$10"},
    "context": "1M",
    "max_output": "8k",
}
POLICIES: dict[str, Any] = {
    "version": 1,
    "providers": {"first": {"kind": "openai", "base_url": "http://many.invalid/v1", "models": {"m": MODEL}}},
    "policies": {
        "main": {
            "targets": ["first/m"],
            "retry": "off",
            "ceiling": {"input_tokens": "10k", "output_tokens": "1k"},
            "timeout": {"total": "2m", "attempt": "2m"},
        }
    },
    "tenants": {
        "acme": {"policies": "all", "budget": {"per_day": "$90000"}, "limits": {"concurrent_requests": MANY}}
    },
}


def event(delta: dict[str, Any], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    whole = {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": "m", "choices": [choice]}
    return b"data: " + json.dumps(whole).encode() + b"\n\n"


class Gated(httpx.AsyncByteStream):
    """Its first words, then nothing until the gate opens."""

    def __init__(self, wire: "Crowd") -> None:
        self._wire = wire

    async def __aiter__(self) -> AsyncIterator[bytes]:
        self._wire.open_now += 1
        self._wire.most = max(self._wire.most, self._wire.open_now)
        yield event({"role": "assistant", "content": "one "})
        await self._wire.gate.wait()
        yield event({"content": "two"}) + event({}, "stop") + b"data: [DONE]\n\n"

    async def aclose(self) -> None:
        self._wire.open_now -= 1


class Crowd(httpx.AsyncBaseTransport):
    """Counts the streams that are open at once."""

    def __init__(self) -> None:
        self.open_now = self.most = 0
        self.gate = asyncio.Event()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        return httpx.Response(200, headers={"content-type": "text/event-stream"}, stream=Gated(self))


async def crowd(router: AsyncRouter, wire: Crowd, many: int) -> None:
    """So many at once: a third is read to its end, a third is closed early, a third is cancelled."""
    wire.gate.clear()
    streams = await asyncio.gather(
        *(router.complete("hello", stream=True, policy="main", tenant="acme") for _ in range(many))
    )
    assert wire.open_now == many
    readers = [asyncio.create_task(stream.reply()) for stream in streams[1::3]]
    await asyncio.sleep(0)
    for stream in streams[::3]:
        await stream.close()
    for reader in readers:
        reader.cancel()
    ended = await asyncio.gather(*readers, return_exceptions=True)
    assert all(isinstance(each, asyncio.CancelledError) for each in ended)
    wire.gate.set()
    replies = await asyncio.gather(*(stream.reply() for stream in streams[2::3]))
    assert {reply.text for reply in replies} == {"one two"}
    for stream in streams[1::3]:
        with pytest.raises(StreamBroken):
            await stream.reply()


async def measured() -> Counter[str]:
    """How many more objects of each kind there are after a thousand streams, once their rows have left the ledger."""
    wire = Crowd()
    transport = AsyncLitellm(wire=lambda: wire, stand_in_key=STAND_IN_KEY)
    before = asyncio.all_tasks()
    async with AsyncRouter.open(POLICIES, transport=transport, state="memory", cache="memory") as router:
        await crowd(router, wire, 90)
        await _left(router, before)
        threads, start = threading.active_count(), objects()
        await crowd(router, wire, MANY)
        assert wire.most == MANY
        assert wire.open_now == 0
        assert await _left(router, before) == MANY
        assert threading.active_count() <= threads
        return objects() - start


async def _left(router: AsyncRouter, before: set[Any]) -> int:
    """The rows there were. Nothing is held, and no task runs that did not at the start."""
    for _ in range(3):  # generators that the garbage collector finds are closed by the loop, in its next turn
        gc.collect()
        await asyncio.sleep(0.02)
    assert asyncio.all_tasks() == before
    rows = await router.ports.ledger.rows()
    (limit,) = router.plan.tenants["acme"].limits
    used = await router.ports.limiter.used((limit,), now_s=router.ports.clock.now_s())
    assert {row.state for row in rows} == {"settled"}
    assert {balance.reserved for balance in (await router.ports.ledger.all_balances()).values()} == {0}
    assert used == {limit: 0}
    return await router.ports.ledger.move_out(rows)


def objects() -> Counter[str]:
    gc.collect()
    return Counter(f"{type(each).__module__}.{type(each).__qualname__}" for each in gc.get_objects())


def test_a_thousand_streams_at_once_give_back_all_that_they_took() -> None:
    more = asyncio.run(measured())
    assert {name: count for name, count in more.items() if count >= MANY / 10} == {}
