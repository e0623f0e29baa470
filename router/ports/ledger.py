"""Reservations of money and tokens: one durable row per attempt."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Literal, Protocol, runtime_checkable

from router.plan import Budget, Limit, Sliding
from router.ports.acts import Act, Note
from router.ports.counters import Balance, Counter
from router.values import Kind, Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """What one reservation needs of one budget."""

    counter: Counter
    needed: int
    budget: Budget
    resets_at_s: float | None  # None: never refills


@dataclass(frozen=True, slots=True, kw_only=True)
class Take:
    """What one reservation or admission takes of one sliding window (or of a concurrency limit: amount 1)."""

    limit: Sliding
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """A reservation for one attempt."""

    id: str
    request_id: str
    attempt: int  # 1-based, over the whole request
    policy: str
    tenant: str | None
    user: str | None
    target: str
    plan_digest: str
    prices_digest: str
    worst_nusd: int
    worst_tokens: int
    charges: tuple[Charge, ...]
    takes: tuple[Take, ...]  # rolling budgets and token limits
    now_s: float
    lease_s: float
    key: str | None = None  # the name of the provider's key it is sent with
    tags: tuple[str, ...] = ()  # the caller's own words


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortfall:
    """One budget or limit that did not fit. Exactly one of `budget`, `limit`."""

    needed: int
    available: int
    resets_at_s: float | None
    budget: Budget | None = None
    limit: Limit | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """`seq` was taken inside the store's atomic step. `shadow`: the budgets and limits in shadow that did not fit, as
    they stood in that step."""

    seq: int
    shadow: tuple[Shortfall, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """`shortfalls`: what did not fit, without what is in shadow."""

    seq: int
    shortfalls: tuple[Shortfall, ...]


How = Literal["reported", "counted", "nothing", "worst_case", "unsent"]
"""Where the figures of a settlement come from. `nothing`: it was sent and is not billed, so a request it was all the
same; `unsent`: it is certain that nothing left, so it holds nothing of any counter or window."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """How an attempt ended. `cost_nusd` is the whole truth, above the reservation too; tokens correct the windows."""

    cost_nusd: int
    usage: Usage | None
    how: How
    kind: Kind | None  # None: it was answered
    now_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """Told of it is that it has come to one of the shares of `warn_at` (thousandths of a percent, rising): of a counter
    what is settled, against `amount` and what was granted; of a rolling budget what its window holds. `until_s`: when
    it is forgotten what was told; None: never."""

    of: Counter | Budget
    amount: int
    warn_at: tuple[int, ...]
    until_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossed:
    """A share that was reached, and that nobody was told of before. `settled` is without grants taken off."""

    watch: Watch
    share: int
    settled: int
    granted: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One attempt as the ledger keeps it, for ever; balances are derivable from the rows alone."""

    id: str
    request_id: str
    attempt: int
    policy: str
    tenant: str | None
    user: str | None
    target: str
    plan_digest: str
    prices_digest: str
    state: Literal["reserved", "sent", "settled", "released", "expired"]
    worst_nusd: int
    worst_tokens: int
    cost_nusd: int  # what counts now: worst case while reserved, sent or expired
    usage: Usage | None
    how: str | None
    kind: str | None
    counters: tuple[tuple[Counter, int], ...]  # with what each counter holds for this row now
    reserved_at_s: float
    ended_at_s: float | None
    lease_until_s: float
    seq: int
    rolling: tuple[tuple[Counter, int], ...] = ()  # the same of rolling budgets; they have no `start`
    key: str | None = None
    tags: tuple[str, ...] = ()
    ended_seq: int | None = None  # of the step that ended it as it stands; None: open


class Ledger(Protocol):
    """Money and token reservations: one durable row per attempt.

    Every reservation, refusal and ending takes the next number of one sequence inside its step, so that the order in
    which they were decided can be told afterwards.

    Atomicity: `reserve` is one step over all charges and takes, all or none, also between processes; the other
    writes are one step each and idempotent by id. Durability: what a call returned from survives `kill -9` (not
    necessarily power loss; see the adapter). Failure mode: StoreError(port="ledger"), and the caller must not send.
    Suspends: says the adapter; an adapter that suspends must shield `settle` and `release` from cancellation.
    Time: a step that takes `wait_s` waits no longer than that for a store that is busy or does not answer.
    """

    @property
    def suspends(self) -> bool: ...

    async def reserve(self, hold: Hold, *, wait_s: float = inf) -> Granted | Refused:
        """Reserve every charge and take, or none. For each charge: settled + reserved + needed <= amount + granted.

        An expired lease met on the way is resolved first (see `reconcile`). A charge with needed 0 always fits. A
        budget or limit in shadow refuses nothing: what it holds may come to more than its amount. A rolling budget is
        a take: no window of its length ever holds more than its amount, and a refusal is early by at most 1/60 of it.
        """
        ...

    async def mark_sent(self, id: str, *, now_s: float, wait_s: float = inf) -> None:
        """Durable before the first byte leaves."""
        ...

    async def renew(self, id: str, *, lease_until_s: float, wait_s: float = inf) -> None:
        """Extend the lease of a row that is reserved or sent; no effect on one that has ended."""
        ...

    async def settle(
        self, id: str, settlement: Settlement, watches: Sequence[Watch] = (), *, wait_s: float = inf
    ) -> Sequence[Crossed]:
        """End a row in the windows of its reservation. A second call has no effect, except that the truth (`reported`,
        `counted`) corrects a row that was charged at its worst case: one that `reconcile` had expired, or that was
        settled as `worst_case`.

        In the same step: of each watch the shares that it has come to by now, by whichever rows, and that no
        step of any process has returned before. What is returned is marked as told, until the watch says."""
        ...

    async def release(self, id: str, *, now_s: float, wait_s: float = inf) -> None:
        """End a row that was never sent: it costs nothing. No effect on an ended row; a sent row must be settled."""
        ...

    async def reconcile(self, *, now_s: float) -> int:
        """Resolve every lapsed lease: reserved rows are released, sent rows expire at worst case. Returns how many."""
        ...

    async def balances(
        self, counters: Sequence[Counter], *, wait_s: float = inf
    ) -> Mapping[Counter, Balance]:
        """One consistent read; a counter never written has Balance()."""
        ...

    async def held(
        self, budgets: Sequence[Budget], *, now_s: float, wait_s: float = inf
    ) -> Mapping[Budget, int]:
        """What the windows of rolling budgets hold now, settled and reserved alike; one consistent read."""
        ...

    async def all_balances(self) -> Mapping[Counter, Balance]:
        """Every counter that was ever written and is still kept; one consistent read. For audits."""
        ...

    async def rows(self, *, since_s: float = 0.0, after: int = 0, limit: int | None = None) -> Sequence[Row]:
        """Rows reserved at or after `since_s` with a number above `after`, oldest first."""
        ...

    async def row(self, id: str) -> Row | None: ...

    async def grant(self, counter: Counter, amount: int, note: Note) -> Balance:
        """Let a budget spend `amount` more in one window, or less where it is below 0. It is one step, and holds for
        every reservation after it. Returns the balance then. Raises StoreError, and does nothing, for what no store
        can hold."""
        ...

    async def correct(self, id: str, settlement: Settlement, note: Note) -> bool:
        """As a `settle` that comes late, in somebody's name. False, and nothing is done, unless the row is charged at
        its worst case."""
        ...

    async def acts(self) -> Sequence[Act]:
        """Everything that people did, oldest first."""
        ...

    async def identity(self) -> str:
        """A name of these rows that no other ledger has, for ever the same: whoever asks first makes it."""
        ...

    async def move_out(self, rows: Sequence[Row]) -> int:
        """Remove rows that are kept elsewhere, in several steps; each adds what its rows had settled to what was moved,
        so balances stay. Left alone is one that is open, or that was corrected since it was read. Returns how many
        are gone. What was moved is never given out again: numbers do not go back."""
        ...

    async def forget(self, counters: Sequence[Counter]) -> int:
        """Drop counters of windows that are over, with what was granted and moved in them; left alone is one that still
        has rows which hold anything of it. Returns how many are gone."""
        ...

    async def aclose(self) -> None: ...


@runtime_checkable
class MayLose(Protocol):
    """A ledger whose store may come back with fewer rows than it had, and then stays closed."""

    async def accept_loss(self, *, who: str, why: str) -> None:
        """Go on with what is left; who decided so, and why, is kept in the store. Raises StoreError."""
        ...
