"""The story that `router demo` tells: who asks what, and what the fake provider does about it.

Teams and policies are those that ship; every fault is scripted, so each run tells the same story.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from router.testing import (
    Answer,
    ContentFilter,
    ContextTooLong,
    Drip,
    DropConnection,
    Overloaded,
    QuotaExceeded,
    RateLimited,
    ServerError,
    Step,
    Unauthorized,
)

NANO, HAIKU, FLASH = "openai/gpt-5-nano", "anthropic/claude-haiku-4-5", "gemini/gemini-2.5-flash-lite"
GPT_5 = "openai/gpt-5"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of a team. `timeout_s` is the caller's own, which can only shorten the policy's."""

    tenant: str
    asks: str
    policy: str = "cheap-fast"
    user: str | None = None
    timeout_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """`faults`: what each target does at its next requests, before it answers well again."""

    title: str
    calls: tuple[Call, ...]
    faults: Mapping[str, Sequence[Step]] = field(default_factory=lambda: MappingProxyType({}))


def _search(asks: str, *, timeout_s: float | None = None) -> Call:
    return Call(tenant="acme/search", asks=asks, timeout_s=timeout_s)


def _legal(asks: str, *, policy: str = "smart", user: str | None = "ann") -> Call:
    return Call(tenant="acme/legal", asks=asks, policy=policy, user=user)


def _intern(asks: str, *, policy: str = "cheap-fast") -> Call:
    return Call(tenant="acme/intern", asks=asks, policy=policy)


def _document(clause: str, words: int) -> str:
    """A long text: `clause` again and again, numbered like a contract."""
    size = len(clause.split()) + 1
    return " ".join(f"{number}. {clause}" for number in range(1, words // size + 1))


LOG_EXCERPT = _document("worker restarted after the queue had been empty for a while", 32_000)
CONTRACT = _document("the parties agree that the annex is binding and may be changed in writing only", 60_000)

STORY: tuple[Scene, ...] = (
    Scene(
        title="an ordinary morning: the first target of each policy answers",
        calls=(
            _search("Three names for a bakery, please."),
            _search("What is a sourdough starter?"),
            _legal("Is a handshake a contract?"),
            _legal("Summarise our travel policy in one line.", user="ben"),
            _intern("How do I undo my last commit?"),
        ),
    ),
    Scene(
        title="asked again: from the cache, but only for the team that paid for the answer",
        calls=(
            _search("Three names for a bakery, please."),
            _search("What is a sourdough starter?"),
            _legal("Three names for a bakery, please.", policy="cheap-fast"),
        ),
    ),
    Scene(
        title="a rate limit that ends soon is waited for",
        faults={NANO: [RateLimited(retry_after=0.4)]},
        calls=(_search("A slogan for rye bread?"),),
    ),
    Scene(
        title="one that takes longer than the policy waits is not",
        faults={NANO: [RateLimited(retry_after=30)]},
        calls=(_search("A slogan for bagels?"),),
    ),
    Scene(
        title="a server error is tried again once, then the next provider is asked",
        faults={NANO: [ServerError(), Answer(), ServerError(), ServerError(status=502)]},
        calls=(_search("How long do croissants keep?"), _search("How long does brioche keep?")),
    ),
    Scene(
        title="two providers down: the third one answers, in its own wire format",
        faults={NANO: [Overloaded()] * 2, HAIKU: [Overloaded()] * 2},
        calls=(_search("Which flour is strong flour?"),),
    ),
    Scene(
        title="three down: the policy's last resort",
        faults={NANO: [ServerError()] * 2, HAIKU: [Overloaded()] * 2, FLASH: [Overloaded()] * 2},
        calls=(_search("Which oven is best for pizza?"),),
    ),
    Scene(
        title="a revoked key and a used-up quota: nothing to wait for",
        faults={NANO: [Unauthorized(), QuotaExceeded()]},
        calls=(_search("Can dough be frozen?"), _search("Can yeast be frozen?")),
    ),
    Scene(
        title="connections that break: before the answer, and in the middle of it",
        faults={NANO: [DropConnection(), Answer(), DropConnection(after_bytes=400, reset=True)]},
        calls=(_search("Why knead dough?"), _search("Why rest dough?")),
    ),
    Scene(
        title="an answer that drips: the caller's deadline of one second holds",
        faults={NANO: [Drip(body_chunk_s=0.1, piece_bytes=4)]},
        calls=(_search("What is autolyse?", timeout_s=1.0),),
    ),
    Scene(
        title="a content filter: smart falls back on that, cheap-fast does not",
        faults={GPT_5: [ContentFilter()], NANO: [ContentFilter()]},
        calls=(_legal("Quote the threat in exhibit 7."), _search("How do poisonous mushrooms taste?")),
    ),
    Scene(
        title="too long for the model: one with a larger context answers",
        faults={GPT_5: [ContextTooLong(limit_tokens=272_000)]},
        calls=(_legal("Compare these two leases, clause by clause."),),
    ),
    Scene(
        title="a rule sends long documents to another model, before anything is tried",
        calls=(_legal(f"What may change without a signature? {CONTRACT}", user="ben"),),
    ),
    Scene(
        title="an intern spends the day's budget on log files; a cached answer still comes",
        calls=(
            *(_intern(f"What happened on host {host}? {LOG_EXCERPT}") for host in range(1, 7)),
            _intern("How do I undo my last commit?"),
        ),
    ),
    Scene(
        title="not for everyone: a policy the team may not call, and a call that names no user",
        calls=(_intern("Draft a contract.", policy="smart"), _legal("Draft a contract.", user=None)),
    ),
)
