"""Every error a caller can meet.

    RouterError
    +-- PolicyError             the files are wrong                .problems
    +-- RequestError            the call itself is wrong           (also a ValueError)
    +-- Rejected                refused before anything was spent
    |   +-- LimitExceeded       a rate or concurrency limit        .limit .retry_after_s
    |   +-- BudgetExceeded      a budget would be exceeded         .budget .needed_nusd .available_nusd .resets_at_s
    |   +-- NoRoute             no target may serve this request   .dropped .retry_after_s
    +-- ProviderError           one attempt failed                 .kind .target .status .retry_after_s
    +-- TargetsExhausted        every target that may was tried    .attempts .retry_after_s
    +-- DeadlineExceeded        the time of the request ran out    .attempts
    +-- StreamBroken            a stream ended without its end     .received
    +-- StoreError              a store could not answer           .port

Messages are lower case, one line, with the user's own values in backticks; `help` says what to do. No message holds
content of a request or an answer, or a secret.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from router.values import Kind, Place, Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One finding about the files: an error unless `severity` says otherwise. `also` is the other place of a clash."""

    code: str
    message: str
    place: Place
    help: str = ""
    severity: str = "error"  # "error" | "warning" | "note"
    also: Place | None = None

    def __str__(self) -> str:
        text = f"{self.place}: {self.severity}: {self.told} [{self.code}]"
        return f"{text}\n    help: {self.help}" if self.help else text

    @property
    def told(self) -> str:
        """The message, with the other place of a clash where it does not say that itself."""
        also = str(self.also) if self.also else ""
        return self.message if also in self.message else f"{self.message} (also {also})"


DropReason = Literal[
    "duplicate",
    "disabled",
    "not_allowed",
    "label",
    "capability",
    "parameter",
    "max_price",
    "not_in_only",
    "missing_key",
    "context",
    "input_ceiling",
    "unknown_price",
    "unbounded_input",
    "unbounded_output",
    "breaker_open",
    "rejected",
]
"""Why a candidate is not tried, in a stable word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """A candidate that was not tried, and why. `reason` is a stable word, `detail` a sentence for people."""

    target: str
    policy: str
    reason: DropReason
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One attempt that failed: what was tried, why it failed, what it cost, and how long it took."""

    target: str
    key: str | None
    kind: Kind
    message: str
    status: int | None = None
    retry_after_s: float | None = None
    cost_nusd: int = 0
    duration_s: float = 0.0
    sent: bool = True

    def __str__(self) -> str:
        status = f" {self.status}" if self.status else ""
        key = f" (key {self.key})" if self.key and self.kind in (Kind.AUTH, Kind.QUOTA) else ""
        return f"{self.target}{key}: {self.kind}{status}: {self.message}"


class RouterError(Exception):
    """The root. `help` is a sentence of what to do, or empty.

    An error of a call also carries `request_id`, which events and ledger rows have, and `trace`, its events.
    """

    help: str = ""
    request_id: str | None = None
    trace: tuple[object, ...] = ()

    def __init__(self, message: str, *, help: str = "") -> None:
        super().__init__(message)
        self.help = help

    def __str__(self) -> str:
        message = str(self.args[0])
        return f"{message}\nhelp: {self.help}" if self.help else message

    def __reduce__(self) -> tuple[object, ...]:
        # Errors cross process boundaries (multiprocessing, task queues); constructors take more than args.
        return (_rebuild, (type(self), self.args, self._portable_state()))

    def _portable_state(self) -> dict[str, object]:
        return dict(self.__dict__)

    @property
    def message(self) -> str:
        return str(self.args[0])


def _rebuild(cls: type["RouterError"], args: tuple[object, ...], state: dict[str, object]) -> "RouterError":
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class PolicyError(RouterError):
    """The files do not make a plan. `problems` holds all of them, sorted by place."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        count = sum(problem.severity == "error" for problem in self.problems)
        lines = "\n".join(str(problem) for problem in self.problems)
        super().__init__(f"{count} {'problem' if count == 1 else 'problems'} in the policies\n{lines}")


class RequestError(RouterError, ValueError):
    """The call does not have the form of a call: an unknown policy, no messages, an argument this version refuses."""


class Rejected(RouterError):
    """Refused before anything was spent."""


class LimitExceeded(Rejected):
    """A limit is full. Waiting `retry_after_s` is enough for this limit."""

    def __init__(self, message: str, *, limit: str, retry_after_s: float, help: str = "") -> None:
        super().__init__(message, help=help)
        self.limit = limit
        self.retry_after_s = retry_after_s


class BudgetExceeded(Rejected):
    """No target fits what is left of a budget. `resets_at_s` is None for a budget that never refills."""

    def __init__(
        self,
        message: str,
        *,
        budget: str,
        needed: int,
        available: int,
        resets_at_s: float | None,
        dropped: Sequence[Dropped] = (),
        help: str = "",
    ) -> None:
        super().__init__(message, help=help)
        self.budget = budget
        self.needed = needed
        self.available = available
        self.resets_at_s = resets_at_s
        self.dropped = tuple(dropped)


class NoRoute(Rejected):
    """No target may serve this request; `dropped` says why for each one. `retry_after_s`: when a breaker may let the
    first of them pass; None: waiting does not help."""

    def __init__(
        self,
        message: str,
        *,
        dropped: Sequence[Dropped] = (),
        retry_after_s: float | None = None,
        help: str = "",
    ) -> None:
        super().__init__(message, help=help)
        self.dropped = tuple(dropped)
        self.retry_after_s = retry_after_s


class ProviderError(RouterError):
    """One attempt failed at a provider.

    `sent` is False only when it is certain that no byte of the request left (a refused connection): such an attempt
    is never charged. `usage` is what the provider reported with its failure, if it did. `began`: some of an answer had
    come before it, so that the provider has worked.
    """

    began = False

    def __init__(
        self,
        message: str,
        *,
        kind: Kind,
        target: str = "",
        status: int | None = None,
        retry_after_s: float | None = None,
        sent: bool = True,
        usage: Usage | None = None,
        provider_request_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.target = target
        self.status = status
        self.retry_after_s = retry_after_s
        self.sent = sent
        self.usage = usage
        self.provider_request_id = provider_request_id


class TargetsExhausted(RouterError):
    """Every target that may serve was tried and failed; `attempts` keeps each failure, in order. `retry_after_s`: when
    the first may be tried again that a breaker refused; None: none did."""

    def __init__(
        self,
        message: str,
        *,
        attempts: Sequence[Attempt],
        dropped: Sequence[Dropped] = (),
        retry_after_s: float | None = None,
        help: str = "",
    ) -> None:
        super().__init__(message, help=help)
        self.retry_after_s = retry_after_s
        self.attempts = tuple(attempts)
        self.dropped = tuple(dropped)


class DeadlineExceeded(TargetsExhausted):
    """The time of the request ran out; `attempts` keeps what had failed by then."""


class StreamBroken(RouterError):
    """A stream ended without its end mark. `received` is kept out of str, repr and pickle."""

    def __init__(self, message: str, *, received: object = None, help: str = "") -> None:
        super().__init__(message, help=help)
        self.received = received

    def _portable_state(self) -> dict[str, object]:
        return {**self.__dict__, "received": None}


class StoreError(RouterError):
    """A store could not answer in time or is damaged. `port` names which: ledger, limiter, cache, health."""

    def __init__(self, message: str, *, port: str, help: str = "") -> None:
        super().__init__(message, help=help)
        self.port = port
