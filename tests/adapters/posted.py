"""What litellm posts for a conversation, to each kind of provider."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any

import httpx
import pytest

from router.adapters.litellm_transport import AsyncLitellm
from router.errors import ProviderError
from tests.adapters.wire_parts import answer_once, call

MODELS = {
    "openai": "gpt-4o-mini",
    "azure": "gpt-4o",
    "anthropic": "claude-haiku-4-5",
    "gemini": "gemini-2.5-flash",
    "mistral": "mistral-small-latest",
    "groq": "openai/gpt-oss-20b",
    "deepseek": "deepseek-chat",
    "cohere": "command-a-03-2025",
    "bedrock": "converse/anthropic.claude-haiku-4-5-20251001-v1:0",
}
AWS = {"aws_region_name": "us-east-1", "aws_access_key_id": "a", "aws_secret_access_key": "b"}


def posted(kind: str, messages: Sequence[Mapping[str, Any]], **params: Any) -> dict[str, Any]:
    """The body of the request that litellm sends."""
    bodies: list[dict[str, Any]] = []

    async def send(request: httpx.Request) -> httpx.Response:
        bodies.append(json.loads(request.content))
        return httpx.Response(500, json={"error": {"message": "no"}})

    transport = AsyncLitellm(wire=lambda: httpx.MockTransport(send))
    wanted = call(
        kind,
        model=MODELS[kind],
        messages=messages,
        params=params,
        base_url="https://x.openai.azure.com" if kind == "azure" else None,
        wire={"bedrock": AWS, "azure": {"api_version": "2024-10-21"}}.get(kind, {}),
    )
    with pytest.raises(ProviderError) as refused:
        asyncio.run(answer_once(transport, wanted))
    assert len(bodies) == 1, refused.value
    return bodies[0]
