"""For tests: a fake provider that speaks real HTTP, pytest fixtures (in `router.testing.fixtures`), and the parts for
tests without a wire: a transport that plays a script, clocks that move when told, draws that a seed repeats. And the
cases beside the policies, as tests of one's own suite."""

from __future__ import annotations

from router.adapters.clocks import AsyncManualClock, ManualClock
from router.adapters.draws import SeededDraw
from router.adapters.scripted_transport import Fails, NeverAnswers, Says, ScriptedTransport
from router.testing.cases.items import CaseFileError, PlayableCase, case_params
from router.testing.cases.report import CaseReport, run_cases
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
    "AsyncManualClock",
    "BadRequest",
    "CaseFileError",
    "CaseReport",
    "ContentFilter",
    "ContextTooLong",
    "CutStream",
    "Drip",
    "DropConnection",
    "EmptyStream",
    "ErrorInStream",
    "Fails",
    "FakeProvider",
    "Fault",
    "Malformed",
    "ManualClock",
    "NeverAnswer",
    "NeverAnswers",
    "NotFound",
    "Overloaded",
    "PlayableCase",
    "QuotaExceeded",
    "RateLimited",
    "ReceivedRequest",
    "Says",
    "ScriptedTransport",
    "SeededDraw",
    "ServerError",
    "Step",
    "ToolCall",
    "Unauthorized",
    "case_params",
    "fake_secrets",
    "fingerprint",
    "redirected",
    "run_cases",
]
