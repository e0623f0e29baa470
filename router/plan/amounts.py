"""Budgets and limits: how much, of what, in which window."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from router.values import Place

if TYPE_CHECKING:
    from router.plan.policies import PolicyEntry

Window = Literal["request", "hour", "day", "week", "month", "total"]
Unit = Literal["nusd", "tokens", "requests"]
ROLLING_S: Mapping[Window, float] = MappingProxyType({"hour": 3_600.0, "day": 86_400.0, "week": 604_800.0})
"""The windows that can be rolling, and how long they are then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """An amount per window that spending may not exceed. Counters are keyed by (owner, unit, window, start). One in
    `shadow` is counted like any other and refuses nothing: it is no promise, and only tells. A `rolling` one has no
    calendar window: it slides, as a limit does, and is read as one (`window_s`, `at_most`). `when_spent` is the policy
    that takes over where nothing fits this budget; None: the request is refused."""

    owner: str  # "tenant:acme/search", "user:acme:alice", "child:acme:search", "policy:x", "provider:x", "pool:x"
    unit: Unit
    window: Window
    amount: int
    shadow: bool = False
    rolling: bool = False
    place: Place
    text: str  # the rule as its author wrote it, e.g. "per_day: $25"
    when_spent: "PolicyEntry | None" = None
    warn_at: tuple[int, ...] = ()  # shares of the amount, rising, in thousandths of a percent (80% is 80_000)
    present: str = ""  # the owner by its present name, where `was` has it counted under an old one

    @property
    def whose(self) -> str:
        """The owner as people know it today."""
        return self.present or self.owner

    @property
    def window_s(self) -> float:
        """How long it is, where it may be rolling."""
        return ROLLING_S[self.window]

    @property
    def at_most(self) -> int:
        return self.amount


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A sliding-window or concurrency limit. `window_s` is 0 for concurrent_requests; `shadow` as of a Budget."""

    owner: str  # as of a Budget, or "model:openai/gpt-5", "key:openai/OPENAI_API_KEY"
    unit: Literal["requests", "tokens", "input_tokens", "output_tokens", "concurrent_requests"]
    window_s: float
    at_most: int
    shadow: bool = False
    place: Place
    text: str
    present: str = ""  # as of a Budget

    @property
    def whose(self) -> str:
        """The owner as people know it today."""
        return self.present or self.owner


Sliding = Limit | Budget
"""What has a sliding window: a limit on a rate, and a budget that is rolling."""
