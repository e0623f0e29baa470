"""What the real litellm puts on the wire for a call: every request it makes is kept, and answered with a refusal."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import httpx
import pytest

from router.adapters.litellm_transport import AsyncLitellm
from router.errors import ProviderError
from router.ports import WireCall

MODELS: Mapping[str, tuple[str, str]] = {
    "openai": ("openai", "gpt-4o"),
    "azure": ("azure", "gpt-4o"),
    "anthropic": ("anthropic", "claude-haiku-4-5"),
    "gemini": ("gemini", "gemini-2.5-flash"),
    "vertex": ("vertex_ai", "gemini-2.5-flash"),
    "bedrock": ("bedrock", "anthropic.claude-haiku-4-5-20251001-v1:0"),
    "mistral": ("mistral", "mistral-large-latest"),
    "groq": ("groq", "openai/gpt-oss-120b"),
    "cohere": ("cohere", "command-a-03-2025"),
    "ollama": ("ollama", "llama3.2-vision"),
    "xai": ("xai", "grok-4.20"),
    "openrouter": ("openrouter", "openai/gpt-4o"),
}
"""A model of each wire format: (kind, model)."""

_ADDRESSES = {"azure": "http://azure.test", "ollama": "http://ollama.test"}
WIRES = {
    "azure": {"api_version": "2024-10-21"},
    "vertex": {"vertex_project": "p", "vertex_location": "us-central1"},
    "bedrock": {
        "aws_region_name": "us-east-1",
        "aws_access_key_id": "AKIAIOSFODNN7EXAMPLE",
        "aws_secret_access_key": "not-a-secret",
    },
}


@dataclass(frozen=True)
class Sent:
    """`posts` are the bodies of the requests, `others` what was asked besides; `refused` says why nothing was sent."""

    posts: Sequence[Mapping[str, Any]]
    others: Sequence[str]
    refused: str | None

    @property
    def post(self) -> Mapping[str, Any]:
        assert len(self.posts) == 1, self.refused
        return self.posts[0]


class CaptureWire(httpx.AsyncBaseTransport):
    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        self.requests.append(request)
        return httpx.Response(418, json={"error": {"message": "enough seen", "type": "teapot"}})


def call_of(
    wire: str, messages: Sequence[Mapping[str, Any]], params: Mapping[str, Any] | None = None
) -> WireCall:
    kind, model = MODELS[wire]
    return WireCall(
        attempt="a1",
        target=f"{wire}/{model}",
        kind=kind,
        model=model,
        messages=tuple(messages),
        params=params or {},
        timeout_s=10.0,
        base_url=_ADDRESSES.get(wire),
        wire=WIRES.get(wire, {}),
    )


class Capture:
    """One transport on one loop, for many calls."""

    def __init__(self) -> None:
        self._wire = CaptureWire()
        self._transport = AsyncLitellm(wire=lambda: self._wire, stand_in_key="k")

    async def __aenter__(self) -> Self:
        import router.adapters.litellm_env  # noqa: F401 - here, where no deadline waits for it

        return self

    async def __aexit__(self, *_: object) -> None:
        await self._transport.aclose()

    async def sent(self, call: WireCall) -> Sent:
        self._wire.requests.clear()
        pending = self._transport.start(call)
        assert await self._transport.wait([pending], 30.0) is pending
        with pytest.raises(ProviderError) as caught:
            self._transport.result(pending)
        seen = self._wire.requests
        return Sent(
            posts=[json.loads(each.content) for each in seen if each.method == "POST"],
            others=[str(each.url) for each in seen if each.method != "POST"],
            refused=None if seen else caught.value.message,
        )


def all_sent(calls: Sequence[WireCall]) -> list[Sent]:
    """What leaves for each of `calls`."""

    async def each() -> list[Sent]:
        async with Capture() as capture:
            return [await capture.sent(call) for call in calls]

    return asyncio.run(each())
