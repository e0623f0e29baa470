"""What one request carries through its stages: the ports it may touch, and what it has gathered so far."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any
from zoneinfo import ZoneInfo

from router import events as ev
from router.decide.conditions import Snapshot
from router.decide.fit import Short, Worst, worst_for
from router.decide.outcome import Refusal
from router.decide.scopes import Caller
from router.decide.transcript import transcript
from router.errors import Attempt, Dropped
from router.plan import Budget, Candidate, Key, Limit, Plan, TokenClass
from router.ports import (
    Cache,
    Clock,
    Draw,
    Flight,
    Health,
    InputReader,
    Ledger,
    Limiter,
    Retries,
    Secrets,
    Tokens,
    Transport,
)
from router.values import InputEstimate, Message, Request

LEASE_S = 30.0
RENEW_EVERY_S = 10.0
STORE_GRACE_S = 0.5
"""How much later than its deadline a call may end where its stores are busy: the time, in all, to put on record how it
ended and to give back what it held."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Everything the engine may touch."""

    transport: Transport
    ledger: Ledger
    limiter: Limiter
    health: Health
    cache: Cache
    flight: Flight
    retries: Retries
    clock: Clock
    draw: Draw
    tokens: Tokens
    secrets: Secrets
    sinks: tuple[ev.Sink, ...] = ()


Messages = tuple[Message, ...]

Counted = tuple[tuple[TokenClass, int | None, Messages], Mapping[str, Any], InputEstimate]
"""What an estimate depends on besides the messages, and the estimate."""


@dataclass(slots=True, kw_only=True)
class Run:
    """What one request gathers on its way. It belongs to this request alone and ends with it."""

    plan: Plan
    ports: Ports
    request: Request
    caller: Caller
    started_s: float
    zone: ZoneInfo
    input: InputReader
    trace: list[ev.Event] = field(default_factory=list)
    dropped: list[Dropped] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)
    refusals: list[tuple[Refusal, ...]] = field(default_factory=list)  # of one attempt each
    snapshot: Snapshot | None = None  # what rules look at, read once
    short: list[Short] = field(default_factory=list)  # what this list was come to and not sent for, in order
    estimates: list[Counted] = field(default_factory=list)
    readers: list[tuple[Messages, InputReader]] = field(
        default_factory=list
    )  # of what is not told as it came
    conversations: list[tuple[str, Messages, Messages]] = field(
        default_factory=list
    )  # by target and what was added: as told
    repairs: dict[str, Messages] = field(
        default_factory=dict
    )  # by target: its misfit answers, and what it was told
    spent: dict[tuple[str, str], int] = field(
        default_factory=dict
    )  # by owner and unit of a per_request budget
    counted: set[str] = field(default_factory=set)  # owners whose requests it is one of already
    landings: int = 0  # answers that had landed when this request looked at the cache
    sends: int = 0
    rowless: set[str] = field(default_factory=set)  # attempts that an open ledger could not take
    admitted: bool = False  # whether the limiter was asked: once a request
    permits: set[str] = field(default_factory=set)  # ids under which the limiter holds concurrency for it
    probes: set[str] = field(
        default_factory=set
    )  # places at half-open breakers that it has not spoken for yet
    passed_over: dict[str, float] = field(default_factory=dict)  # targets that breakers refuse: until when
    in_ledger: dict[str, tuple[Budget, ...]] = field(default_factory=dict)  # by provider: see `budgets`
    ends_s: float = inf  # monotonic: its deadline, once that is known; of an open stream, that of the stream
    leased_s: float = 0.0  # monotonic: no lease of what it holds began, or was renewed, before that

    def emit(self, fact: type[ev.Event], /, **fields: object) -> None:
        event = fact(request_id=self.request.id, at_s=self.ports.clock.now_s(), **fields)
        self.trace.append(event)
        for sink in self.ports.sinks:
            try:
                sink(event)
            except Exception:
                logging.getLogger("router").exception("sink %r failed on %s", sink, fact.__name__)

    def elapsed_s(self) -> float:
        return self.ports.clock.mono_s() - self.started_s

    def may_pass_in_s(self) -> float | None:
        """After how many seconds the first target may be tried again that a breaker refuses; None: none is refused."""
        now_s = self.ports.clock.now_s()
        return max(0.0, min(self.passed_over.values()) - now_s) if self.passed_over else None

    def left_s(self) -> float:
        """How long it may wait for a store before it has an answer."""
        return max(0.0, self.ends_s - self.ports.clock.mono_s())

    def closing_s(self) -> float:
        """How long it may wait for a store to end what it has begun."""
        return max(0.0, self.ends_s + STORE_GRACE_S - self.ports.clock.mono_s())

    def renew_in_s(self) -> float:
        """After how many seconds what it holds is to be renewed; not above 0: now."""
        return self.leased_s + RENEW_EVERY_S - self.ports.clock.mono_s()

    def estimate(self, candidate: Candidate) -> InputEstimate:
        """The input of this request for one candidate: counted once for all that count it alike."""
        told = self.told(candidate)
        key = (candidate.target.tokens, candidate.target.context_tokens, told)
        for counted, params, estimate in self.estimates:
            if counted == key and params == candidate.params:
                return estimate
        tokens, context, _ = key
        estimate = self._reader(told).estimate(candidate.params, tokens, context_tokens=context)
        self.estimates.append((key, candidate.params, estimate))
        return estimate

    def added(self, candidate: Candidate) -> Messages:
        """What this candidate is sent after the caller's messages."""
        if not candidate.added and not self.repairs:
            return ()
        return (*candidate.added, *self.repairs.get(candidate.target.name, ()))

    def told(self, candidate: Candidate) -> Messages:
        """The conversation in the words in which this candidate is sent it: those are what it is billed for."""
        target, added = candidate.target, self.added(candidate)
        for name, known, told in self.conversations:
            if name == target.name and known == added:
                return told
        asked = (*self.request.messages, *added) if added else self.request.messages
        told = tuple(transcript(asked, kind=target.kind, model=target.wire_model))
        self.conversations.append((target.name, added, told))
        return told

    def _reader(self, told: Messages) -> InputReader:
        if told is self.request.messages:
            return self.input
        for known, reader in self.readers:
            if known == told:
                return reader
        reader = self.ports.tokens.reader(told)
        self.readers.append((told, reader))
        return reader

    def worst(self, candidate: Candidate, *, at_s: float | None = None) -> Worst:
        """What one attempt of this request at `candidate` may need, at the price of `at_s`, or of its dearest day."""
        return worst_for(candidate, self.estimate(candidate), at_s=at_s)

    def drop(self, dropped: Sequence[Dropped]) -> None:
        for drop in dropped:
            self.dropped.append(drop)
            self.emit(
                ev.CandidateDropped,
                target=drop.target,
                policy=drop.policy,
                reason=drop.reason,
                detail=drop.detail,
            )

    def budgets(self, provider: str) -> tuple[Budget, ...]:
        """The budgets of the caller and of the provider that the ledger keeps; those of policies, and those of one
        request, stand in the candidate."""
        known = self.in_ledger.get(provider)
        if known is None:
            both = (*self.caller.budgets, *self.plan.providers[provider].budgets)
            known = self.in_ledger[provider] = tuple(each for each in both if each.window != "request")
        return known

    def key_limits(self, provider: str, key: str | None) -> tuple[Limit, ...]:
        """What is taken for each attempt with this key."""
        return next((each.limits for each in self.plan.providers[provider].keys if each.name == key), ())

    def has_key(self, key: Key) -> bool:
        """Whether this key can be used now; a transport that reaches no provider needs none."""
        needed = self.ports.transport.needs_keys and key.secret is not None
        return not needed or self.ports.secrets.get(key.secret) is not None  # type: ignore[arg-type]
