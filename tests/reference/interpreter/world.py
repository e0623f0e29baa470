"""What a world is made of: plain data that both the engine and the interpreter can be given."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Used:
    """Tokens that a provider reports; `cached` and `written` are parts of the input."""

    input: int
    output: int
    cached: int = 0
    written: int = 0


@dataclass(frozen=True, kw_only=True)
class Step:
    """What one send meets: `says` answer, or a kind of failure, or `never`. `after_s` passes before it comes."""

    says: str  # "answer" | "never" | a kind of failure
    after_s: float = 0.0
    finish: str = "stop"
    used: Used | None = None
    retry_after_s: float | None = None
    sent: bool = True  # False: it is certain that nothing left this machine
    status: int | None = None


@dataclass(frozen=True, kw_only=True)
class Call:
    """One request; it is made `gap_s` after the one before it has ended."""

    policy: str
    size: int = 40  # bytes of its one message
    image: bool = False  # whether it shows one too
    kept: bool = False  # whether the provider is asked to keep it for an hour
    gap_s: float = 0.0
    tenant: str | None = None
    user: str | None = None
    session: str | None = None
    tags: tuple[str, ...] = ()
    prefer: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    timeout_s: float | None = None
    down: frozenset[str] = frozenset()  # stores that can't be asked: ledger, limiter, health, cache
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Spent:
    """What a budget had spent before the first call: `owner` as in `tenant:acme`, `user:acme:ann`, `policy:fast`."""

    owner: str
    unit: str  # "nusd" | "tokens" | "requests"
    window: str  # "hour" | "day" | "week" | "month" | "total"
    amount: int


@dataclass(frozen=True, kw_only=True)
class World:
    """A document, the facts of its models, and everything that happens to its calls.

    `book`: by kind and model: `input`, `output` (dollars a million, as decimal text), perhaps `cached`, `tiers`
    ({above: {input, output}}), `fee` (dollars), `context`, `max_output`, `supports`, `tokens` (`exact`, `window`, or
    percent of margin). A script gives the steps of each target in order; its last one repeats.
    """

    document: Mapping[str, Any]
    book: Mapping[str, Mapping[str, Mapping[str, Any]]]
    calls: Sequence[Call]
    script: Mapping[str, Sequence[Step]]
    draws: Sequence[float] = (0.5,)
    start_s: float = 1_767_225_600.0
    env: frozenset[str] | None = None  # the variables that are set; None: no target needs a key
    spent: Sequence[Spent] = ()


@dataclass(kw_only=True)
class Result:
    """What one call came to. Money in nano-USD, time in seconds."""

    served: str | None = None
    cached: bool = False
    stale: bool = False  # a cached one beyond its time, as everything failed
    error: str | None = None  # the class of the error
    rule: str | None = None  # of the called policy, where one held
    jumped: str | None = None  # the policy that took over from a spent budget
    listed: list[str] = field(default_factory=list)  # the flat list
    served_by: set[tuple[str, str]] = field(default_factory=set)  # of the flat list: target, policy
    dropped: list[tuple[str, str, frozenset[str]]] = field(
        default_factory=list
    )  # target, policy, every reason
    attempts: list[tuple[str, str]] = field(default_factory=list)  # target, kind or `answered`
    waits: list[float] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)  # targets whose reservation did not fit, in order
    shadowed: list[tuple[str, int]] = field(
        default_factory=list
    )  # owner and need of what had no room, and was in shadow
    reserved: list[int] = field(default_factory=list)
    costs: list[int] = field(default_factory=list)  # of each attempt
    warned: list[tuple[str, str, float, int]] = field(
        default_factory=list
    )  # owner, unit, percent and amount of each budget
    seconds: float = 0.0
