"""Plays a case: the real engine, memory state and cache, on a clock and a wire that do what the case says."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast
from zoneinfo import ZoneInfo

from router.adapters.clocks import ManualClock
from router.adapters.draws import SeededDraw
from router.adapters.flights import ThreadFlight
from router.adapters.memory_cache import MemoryCache
from router.adapters.memory_state import MemoryState
from router.adapters.retry_counts import MemoryRetries
from router.adapters.scripted_transport import ScriptedTransport, made_up
from router.adapters.scripted_transport import Step as Does
from router.client.inline import run_inline
from router.decide.breaker import Ended
from router.decide.scopes import called_policy, caller
from router.decide.windows import window_start
from router.engine import Ports, execute
from router.errors import RouterError
from router.events import Event
from router.plan import Limit, Plan, StorePort
from router.ports import Charge, Counter, Draw, Hold, Settlement, Take, Tokens, WireCall
from router.testing.cases.case import Call, Case, Faults, Spent
from router.testing.cases.seen import Seen
from router.testing.down import ALL, MayBeDown
from router.values import Request, SecretRef, Usage

SEED = 0
FOR_EVER_S = 1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """One call as it was made. `number` counts the repeats of its step, from 1."""

    step: int  # from 1
    number: int
    call: Call
    seen: Seen


class Desk:
    """A fresh world for one case: nothing is left of the case before. `tokens` may be shared: it only counts."""

    def __init__(
        self,
        plan: Plan,
        tokens: Tokens,
        *,
        begins_s: float,
        unset: frozenset[str] = frozenset(),
        draw: Draw | None = None,
    ) -> None:
        self.clock = ManualClock(begins_s)
        self._plan = plan
        self._wire = _Wire(self.clock)
        state = MemoryState()
        self._limiter = state.limiter
        self._stores: dict[StorePort, Any] = {
            "ledger": MayBeDown(state.ledger, "ledger"),
            "limiter": MayBeDown(state.limiter, "limiter"),
            "health": MayBeDown(state.health, "health"),
            "cache": MayBeDown(MemoryCache(), "cache"),
        }
        self.ports = Ports(
            transport=self._wire,
            ledger=self._stores["ledger"],
            limiter=self._stores["limiter"],
            health=self._stores["health"],
            cache=self._stores["cache"],
            flight=ThreadFlight(),
            retries=MemoryRetries(),
            clock=self.clock,
            draw=draw or SeededDraw(SEED),
            tokens=tokens,
            secrets=_Secrets(unset),
        )

    def spend(self, spent: Spent) -> None:
        """Put `spent` into its budget, in the window of now, as a settled row."""
        run_inline(self._settled(spent))

    def open_breaker(self, name: str) -> None:
        """As if the target had failed once too often just now."""
        target, now_s = self._plan.targets[name], self.clock.now_s()
        assert target.breaker is not None  # noqa: S101 - the reader saw to it
        rule = replace(target.breaker, failures=1)
        ended = Ended(rule=rule, said="failed", sent_s=now_s, now_s=now_s, draw=self.ports.draw.fraction())
        run_inline(self.ports.health.turn((target.provider, target.model), ended))

    def ask(
        self,
        request: Request,
        faults: Faults,
        *,
        in_flight: int = 0,
        down: frozenset[StorePort] = frozenset(),
    ) -> Seen:
        """Make one call, with so many others of its caller under way and these stores down. Attempts are counted from
        here."""
        others = [f"{request.id}-{number}" for number in range(in_flight)]
        run_inline(self._begin(others, request))
        for name, store in self._stores.items():
            store.down = ALL if name in down else ()
        try:
            return self._asked(request, faults)
        finally:
            run_inline(self._end(others))

    def _asked(self, request: Request, faults: Faults) -> Seen:
        self._wire.begin(faults)
        try:
            reply = run_inline(execute(self._plan, self.ports, request))
        except RouterError as error:
            trace = cast(tuple[Event, ...], error.trace)
            return Seen(request=request, reply=None, error=error, trace=trace)
        return Seen(request=request, reply=reply, error=None, trace=reply.trace)

    async def _begin(self, others: Sequence[str], request: Request) -> None:
        """Others take what concurrency there is, and do nothing; those that get none are not under way."""
        limits = concurrency(self._plan, request) if others else ()
        takes = [Take(limit=limit, amount=1) for limit in limits]
        for other in others if takes else ():
            await self._limiter.admit(other, takes, now_s=self.clock.now_s(), lease_s=FOR_EVER_S)

    async def _end(self, others: Sequence[str]) -> None:
        for other in others:
            await self._limiter.release(other)

    async def _settled(self, spent: Spent) -> None:
        budget, now_s = spent.budget, self.clock.now_s()
        start, resets_at_s = window_start(budget.window, now_s, ZoneInfo(self._plan.settings.time_zone))
        counter = Counter(owner=budget.owner, unit=budget.unit, window=budget.window, start=start)
        needed = spent.amount if budget.unit == "requests" else 0
        open_ = replace(budget, amount=2**62)  # what is spent may be above the budget
        charge = Charge(counter=counter, needed=needed, budget=open_, resets_at_s=resets_at_s)
        hold = Hold(
            id=self.ports.draw.id(),
            request_id="before",
            attempt=1,
            policy="",
            tenant=None,
            user=None,
            target="",
            plan_digest=self._plan.digest,
            prices_digest=self._plan.prices_digest,
            worst_nusd=0,
            worst_tokens=0,
            charges=() if budget.rolling else (charge,),
            takes=(Take(limit=open_, amount=needed),) if budget.rolling else (),
            now_s=now_s,
            lease_s=60.0,
        )
        money = budget.unit == "nusd"
        await self.ports.ledger.reserve(hold)
        await self.ports.ledger.settle(
            hold.id,
            Settlement(
                cost_nusd=spent.amount if money else 0,
                usage=None if money else Usage(input_tokens=spent.amount),
                how="reported",
                kind=None,
                now_s=now_s,
            ),
        )


def play(plan: Plan, case: Case, tokens: Tokens) -> Iterator[Played]:
    """Every call of a case, in order. The same case always plays the same."""
    desk = Desk(plan, tokens, begins_s=case.begins_s, unset=case.unset)
    for spent in case.spent:
        desk.spend(spent)
    for target in case.open:
        desk.open_breaker(target)
    for step, call in enumerate(case.calls, start=1):
        desk.clock.advance(call.after_s)
        for number in range(1, call.times + 1):
            request = replace(call.request, id=desk.ports.draw.id())
            seen = desk.ask(request, call.faults, in_flight=call.in_flight, down=call.down)
            yield Played(step=step, number=number, call=call, seen=seen)


def concurrency(plan: Plan, request: Request) -> tuple[Limit, ...]:
    """The limits on calls at one time that are taken once for a request: of the caller and the called policy; none
    where it may not call at all."""
    try:
        limits = (*caller(plan, request).limits, *called_policy(plan, request).limits)
    except RouterError:  # the call itself will say so
        return ()
    return tuple(limit for limit in limits if limit.unit == "concurrent_requests")


class _Wire(ScriptedTransport):
    """Does what the faults of the call under way say; targets that they do not name answer."""

    needs_keys = True

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(self._do, clock=clock)
        self._faults: Mapping[str, tuple[Does, ...]] = {}
        self._attempts: dict[str, int] = {}

    def begin(self, faults: Faults) -> None:
        self._faults = faults
        self._attempts = {}

    def _do(self, call: WireCall) -> Does:
        does = self._faults.get(call.target)
        if does is None:
            return made_up(call)
        attempt = self._attempts.get(call.target, 0)
        self._attempts[call.target] = attempt + 1
        return does[min(attempt, len(does) - 1)]


class _Secrets:
    """Every secret is there but those that a case leaves out. None is real."""

    def __init__(self, unset: frozenset[str]) -> None:
        self._unset = unset

    def get(self, ref: SecretRef) -> str | None:
        return None if ref.name in self._unset else "a secret of the case"
