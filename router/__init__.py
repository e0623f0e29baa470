"""Declarative LLM routing: policies in YAML, checked, compiled, and run."""

from router.client import AsyncRouter, Router
from router.client.default import acomplete, complete
from router.errors import (
    BudgetExceeded,
    DeadlineExceeded,
    LimitExceeded,
    NoRoute,
    PolicyError,
    ProviderError,
    Rejected,
    RequestError,
    RouterError,
    StoreError,
    StreamBroken,
    TargetsExhausted,
)
from router.values import Kind, Reply, Usage

__all__ = [
    "AsyncRouter",
    "BudgetExceeded",
    "DeadlineExceeded",
    "Kind",
    "LimitExceeded",
    "NoRoute",
    "PolicyError",
    "ProviderError",
    "Rejected",
    "Reply",
    "RequestError",
    "Router",
    "RouterError",
    "StoreError",
    "StreamBroken",
    "TargetsExhausted",
    "Usage",
    "acomplete",
    "complete",
]
