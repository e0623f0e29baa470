"""An answer as the cache keeps it: JSON bytes, nothing of who asked."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from router.values import Reply, Usage

FORMAT = 1
KEPT = frozenset({"stop", "tool_calls", "function_call"})
"""Finish reasons of whole answers; a cut or filtered one is never stored."""


def to_bytes(reply: Reply) -> bytes:
    record = {
        "format": FORMAT,
        "target": reply.target,
        "model": reply.model,
        "choices": [dict(choice) for choice in reply.choices],
        "finish_reason": reply.finish_reason,
        "usage": asdict(reply.usage),
        "created_s": reply.created_s,
    }
    return json.dumps(record, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")


def from_bytes(body: bytes, *, request_id: str, policy: str) -> Reply | None:
    """None where the bytes are not an answer of this format: the entry is then absent."""
    try:
        record = json.loads(body.decode("utf-8", "surrogatepass"))
        return _reply(record, request_id, policy) if record["format"] == FORMAT else None
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError):
        return None


def _reply(record: Mapping[str, Any], request_id: str, policy: str) -> Reply:
    choices = tuple(record["choices"])
    return Reply(
        request_id=request_id,
        policy=policy,
        target=record["target"],
        model=record["model"],
        message=choices[0]["message"],
        choices=choices,
        finish_reason=record["finish_reason"],
        usage=Usage(**record["usage"]),
        cost_nusd=0,
        cached=True,
        created_s=int(record["created_s"]),
    )
