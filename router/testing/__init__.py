"""For tests: a fake provider that speaks real HTTP, and pytest fixtures (in `router.testing.fixtures`)."""

from __future__ import annotations

from router.testing.fake_provider import FakeProvider
from router.testing.fake_provider_records import ReceivedRequest, fingerprint
from router.testing.fake_provider_routes import FAKE_KEY, KINDS
from router.testing.fake_provider_script import (
    Answer,
    BadRequest,
    ContentFilter,
    ContextTooLong,
    CutStream,
    Drip,
    DropConnection,
    EmptyStream,
    ErrorInStream,
    Fault,
    Malformed,
    NeverAnswer,
    NotFound,
    Overloaded,
    QuotaExceeded,
    RateLimited,
    ServerError,
    Step,
    ToolCall,
    Unauthorized,
)
from router.testing.redirect import fake_secrets, redirected

__all__ = [
    "FAKE_KEY",
    "KINDS",
    "Answer",
    "BadRequest",
    "ContentFilter",
    "ContextTooLong",
    "CutStream",
    "Drip",
    "DropConnection",
    "EmptyStream",
    "ErrorInStream",
    "FakeProvider",
    "Fault",
    "Malformed",
    "NeverAnswer",
    "NotFound",
    "Overloaded",
    "QuotaExceeded",
    "RateLimited",
    "ReceivedRequest",
    "ServerError",
    "Step",
    "ToolCall",
    "Unauthorized",
    "fake_secrets",
    "fingerprint",
    "redirected",
]
