"""The router's side of a world: the real reader, compiler, engine and memory state, on a clock that stands still."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from router import events as ev
from router.adapters.clocks import ManualClock
from router.adapters.flights import ThreadFlight
from router.adapters.memory_cache import MemoryCache
from router.adapters.memory_state import MemoryState
from router.adapters.retry_counts import MemoryRetries
from router.adapters.scripted_transport import Fails, NeverAnswers, Says, ScriptedTransport
from router.adapters.scripted_transport import Step as Scripted
from router.adapters.secrets import EnvSecrets
from router.client.calls import build_request
from router.client.inline import run_inline
from router.engine import Ports, execute
from router.errors import RouterError
from router.plan import AUSD_PER_NUSD, Budget, ModelFacts, Plan, Price, PriceTable, TokenClass
from router.policy.load import load
from router.ports import Charge, Counter, Hold, Settlement, WireCall
from router.testing.down import ALL, MayBeDown
from router.values import InputEstimate, Kind, Message, Place, Request, Usage
from tests.reference.interpreter.state import starts
from tests.reference.interpreter.world import Call, Result, Spent, Step, World

NOWHERE = Place(file="", line=0, column=0)
AUSD_A_MILLION = 1_000 * AUSD_PER_NUSD  # of a dollar a million tokens, per token


class NotAccepted(Exception):
    """The document of a world does not load."""

    def __init__(self, problems: Sequence[object]) -> None:
        super().__init__("\n".join(map(str, problems)))


class Book:
    """The plain book, as compiling asks for it."""

    digest = "0" * 64

    def __init__(self, book: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> None:
        self._book = book

    def facts(self, kind: str, model: str) -> ModelFacts | None:
        row = self._book.get(kind, {}).get(model)
        if row is None:
            return None
        return ModelFacts(
            name=model,
            prices=_prices(row),
            context_tokens=row.get("context"),
            max_output_tokens=row.get("max_output"),
            supports=frozenset(row["supports"]),
            tokens=self.tokens(kind, model),
        )

    def tokens(self, kind: str, model: str) -> TokenClass:
        tokens = self._book.get(kind, {}).get(model, {}).get("tokens", 60)
        if isinstance(tokens, int):
            return TokenClass(method="margin", margin_percent=tokens)
        return TokenClass(method=tokens)

    def refuses(self, kind: str, model: str) -> frozenset[str]:
        return frozenset(self._book.get(kind, {}).get(model, {}).get("refuses", ()))

    def models(self, kind: str) -> Sequence[str]:
        return sorted(self._book.get(kind, {}))


def _prices(row: Mapping[str, Any]) -> PriceTable | None:
    if "input" not in row:
        return None
    tiers = {0: row, **row.get("tiers", {})}
    fee = int(Decimal(row.get("fee", "0")) * 10**9)
    return PriceTable(
        tiers=tuple(_tier(above, tiers[above]) for above in sorted(tiers)),
        per_request_nusd=fee,
        source="price file",
    )


def _tier(above: int, row: Mapping[str, Any]) -> Price:
    names = ("input", "output", "write", "cached")
    each = {name: int(Decimal(row[name]) * AUSD_A_MILLION) for name in names if name in row}
    return Price(
        above_tokens=above,
        input_ausd=each["input"],
        output_ausd=each["output"],
        cached_input_ausd=each.get("cached", each["input"]),
        cache_write_ausd=each.get("write", each["input"]),
        audio_input_ausd=each["input"],
        image_input_ausd=each["input"],
        reasoning_ausd=each["output"],
        audio_output_ausd=each["output"],
    )


class Counted:
    """A Tokens port, and its reader: four bytes a token, bounded as the class says."""

    def __init__(self, messages: Sequence[Message] = ()) -> None:
        self._size = sum(len(text.encode()) for message in messages for text in _texts(message))
        self._kept = "'1h'" in str([message.get("content") for message in messages])

    def reader(self, messages: Sequence[Message]) -> "Counted":
        return Counted(messages)

    def count_text(self, text: str, encoding: str) -> int:
        return len(text.encode()) // 4 + 1

    def estimate(
        self, params: Mapping[str, Any], tokens: TokenClass, *, context_tokens: int | None
    ) -> InputEstimate:
        count = self._size // 4 + 1
        percent = 0 if tokens.method == "exact" else tokens.margin_percent
        bound = -(-count * (100 + percent) // 100)
        if tokens.method == "window" and context_tokens is not None:
            bound = context_tokens
        return InputEstimate(
            tokens=count,
            bound=bound,
            unbounded=("search",) if "web_search_options" in params else (),
            for_an_hour=self._kept,
        )


def _texts(message: Message) -> Iterator[str]:
    content = message.get("content") or ""
    parts = [{"text": content}] if isinstance(content, str) else content
    yield from (part["text"] for part in parts if "text" in part)


class Drawn:
    """A Draw that was drawn beforehand: one fraction for each send so far, however often it is asked for."""

    def __init__(self, draws: Sequence[float], asked: Mapping[str, int]) -> None:
        self._draws = draws
        self._asked = asked
        self._ids = 0

    def fraction(self) -> float:
        return self._draws[sum(self._asked.values()) % len(self._draws)]

    def id(self) -> str:
        self._ids += 1
        return f"id-{self._ids}"


class Keyed(ScriptedTransport):
    """A wire that asks for keys."""

    needs_keys = True


def plan_of(world: World) -> Plan:
    """Raises NotAccepted."""
    loaded = load(dict(world.document), Book(world.book))
    if loaded.plan is None:
        raise NotAccepted(loaded.problems)
    return loaded.plan


class Side:
    """One router with its state, its clock and every event so far."""

    def __init__(self, world: World, plan: Plan) -> None:
        self.world = world
        self.plan = plan
        self.clock = ManualClock(world.start_s)
        self.state = MemoryState()
        self.stores: dict[str, Any] = {
            "ledger": MayBeDown(self.state.ledger, "ledger"),
            "limiter": MayBeDown(self.state.limiter, "limiter"),
            "health": MayBeDown(self.state.health, "health"),
            "cache": MayBeDown(MemoryCache(), "cache"),
        }
        self.seen: list[ev.Event] = []
        kind = ScriptedTransport if world.env is None else Keyed
        self.asked: dict[str, int] = {}
        self.ports = Ports(
            transport=kind(self._step, clock=self.clock),
            ledger=self.stores["ledger"],
            limiter=self.stores["limiter"],
            health=self.stores["health"],
            cache=self.stores["cache"],
            flight=ThreadFlight(),
            retries=MemoryRetries(),
            clock=self.clock,
            draw=Drawn(world.draws, self.asked),
            tokens=Counted(),
            secrets=EnvSecrets(dict.fromkeys(world.env or (), "secret")),
            sinks=(self.seen.append,),
        )
        for number, spent in enumerate(world.spent):
            self._spend(f"before-{number}", spent)

    def run(self) -> list[Result]:
        return [self.call(f"r{number}", call) for number, call in enumerate(self.world.calls)]

    def call(self, id: str, call: Call) -> Result:
        self.clock.advance(call.gap_s)
        return self.call_now(id, call)

    def call_now(self, id: str, call: Call) -> Result:
        del self.seen[:]
        for name, store in self.stores.items():
            store.down = ALL if name in call.down else ()
        began_s, served, error = self.clock.mono_s(), None, None
        try:
            served = run_inline(self._execute(id, call)).target
        except RouterError as failed:
            error = type(failed).__name__
        return result_of(self.seen, call, served, error, self.clock.mono_s() - began_s)

    async def _execute(self, id: str, call: Call) -> Any:
        return await execute(self.plan, self.ports, self.request(id, call))

    def request(self, id: str, call: Call) -> Request:
        return build_request(
            self.plan,
            id,
            [{"role": "user", "content": _content(call)}],
            policy=call.policy,
            tenant=call.tenant,
            user=call.user,
            session=call.session,
            tags=call.tags,
            prefer=call.prefer,
            only=call.only,
            timeout=call.timeout_s,
            params=call.params,
        )

    def _step(self, call: WireCall) -> Scripted:
        return scripted(self.next_step(call.target))

    def next_step(self, target: str) -> Step:
        steps = self.world.script[target]
        at = self.asked.get(target, 0)
        self.asked[target] = at + 1
        return steps[min(at, len(steps) - 1)]

    def _spend(self, id: str, spent: Spent) -> None:
        """A row that was settled before the first call."""
        zone = ZoneInfo(self.plan.settings.time_zone)
        now_s = self.clock.now_s()
        counter = Counter(
            owner=spent.owner,
            unit=spent.unit,
            window=spent.window,
            start=starts(spent.window, now_s, zone),
        )
        budget = Budget(
            owner=spent.owner, unit=spent.unit, window=spent.window, amount=10**18, place=NOWHERE, text=""
        )
        hold = Hold(
            id=id,
            request_id=id,
            attempt=1,
            policy="",
            tenant=None,
            user=None,
            target="",
            plan_digest="",
            prices_digest="",
            worst_nusd=spent.amount,
            worst_tokens=spent.amount,
            charges=(Charge(counter=counter, needed=spent.amount, budget=budget, resets_at_s=None),),
            takes=(),
            now_s=now_s,
            lease_s=60.0,
        )
        run_inline(self.ports.ledger.reserve(hold))
        run_inline(self.ports.ledger.mark_sent(id, now_s=now_s))
        settlement = Settlement(
            cost_nusd=spent.amount,
            usage=Usage(input_tokens=spent.amount),
            how="reported",
            kind=None,
            now_s=now_s,
        )
        run_inline(self.ports.ledger.settle(id, settlement))


def _content(call: Call) -> str | list[dict[str, Any]]:
    text: dict[str, Any] = {"type": "text", "text": "x" * call.size}
    shown = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
    if call.kept:
        text["cache_control"] = {"type": "ephemeral", "ttl": "1h"}
    return [text, *([shown] if call.image else [])] if call.image or call.kept else "x" * call.size


def scripted(step: Step) -> Scripted:
    used, usage = step.used, None
    if used is not None:
        usage = Usage(
            input_tokens=used.input,
            output_tokens=used.output,
            cached_input_tokens=used.cached,
            cache_write_tokens=used.written,
        )
    if step.says == "never":
        return NeverAnswers()
    if step.says == "answer":
        return Says("ok", usage=usage, finish_reason=step.finish, after_s=step.after_s)
    return Fails(
        Kind(step.says),
        status=step.status,
        retry_after_s=step.retry_after_s,
        sent=step.sent,
        usage=usage,
        after_s=step.after_s,
    )


def run(world: World) -> list[Result]:
    """Every call of a world, in order. Raises NotAccepted where its document does not load."""
    return Side(world, plan_of(world)).run()


def result_of(
    seen: Sequence[ev.Event], call: Call, served: str | None, error: str | None, seconds: float
) -> Result:
    """What the events of one call say of it."""
    result = Result(served=served, error=error, seconds=seconds)
    result.jumped = next((each.to_policy for each in seen if isinstance(each, ev.Jumped)), None)
    result.stale = result.cached = any(isinstance(each, ev.StaleServed) for each in seen)
    result.shadowed = [(each.owner, each.needed) for each in seen if isinstance(each, ev.ShadowExceeded)]
    warnings = [each for each in seen if isinstance(each, ev.BudgetWarning)]
    result.warned = [(each.owner, each.unit, each.percent, each.amount) for each in warnings]
    for event in seen:
        match event:
            case ev.RuleMatched() if event.policy == call.policy and result.rule is None:
                result.rule = event.rule
            case ev.CacheHit():
                result.cached = True
            case ev.Routed():
                result.listed = list(event.targets)
            case ev.CandidateDropped():
                result.dropped.append((event.target, event.policy, frozenset({event.reason})))
            case ev.AttemptFailed():
                result.attempts.append((event.target, str(event.kind)))
            case ev.AttemptAnswered():
                result.attempts.append((event.target, "answered"))
            case ev.RetryScheduled():
                result.waits.append(event.delay_s)
            case ev.ReserveRefused():
                result.refused.append(event.target)
            case ev.Reserved():
                result.reserved.append(event.worst_nusd)
            case ev.Settled():
                result.costs.append(event.cost_nusd or 0)
    return result


def disagreements(mine: Result, its: Result) -> Iterator[str]:
    """What the interpreter and the router do not agree on; nothing where they do."""
    same = (
        "served",
        "cached",
        "stale",
        "error",
        "rule",
        "jumped",
        "attempts",
        "refused",
        "reserved",
        "costs",
    )
    for name in same:
        if getattr(mine, name) != getattr(its, name):
            yield f"{name}: the interpreter has {getattr(mine, name)}, the router {getattr(its, name)}"
    if _kinds(mine) != _kinds(its):
        yield f"shadowed: the interpreter has {mine.shadowed}, the router {its.shadowed}"
    if sorted(mine.warned) != sorted(its.warned):
        yield f"warned: the interpreter has {mine.warned}, the router {its.warned}"
    if abs(mine.seconds - its.seconds) > 1e-6 or _differ(mine.waits, its.waits):
        yield f"time: {mine.waits} in {mine.seconds} s, the router {its.waits} in {its.seconds} s"
    if (
        its.stale or not its.cached
    ) and its.error != "StoreError":  # else the input was perhaps not even counted
        yield from _lists_differ(mine, its)


def _kinds(result: Result) -> list[tuple[str, int]]:
    """Whose and how much, without names: the interpreter knows the first one, people are told the present one."""
    return sorted((owner.partition(":")[0], needed) for owner, needed in result.shadowed)


def _lists_differ(mine: Result, its: Result) -> Iterator[str]:
    if mine.listed != its.listed:
        yield f"listed: the interpreter has {mine.listed}, the router {its.listed}"
    known = [(target, policy) for target, policy, _ in its.dropped if target.count("/")]
    # A policy that is come to again and adds up to the same is not gone through again: what it listed is no duplicate.
    told = {each[:2] for each in mine.dropped}
    again = {each[:2] for each in mine.dropped if each[2] == frozenset({"duplicate"})} & mine.served_by
    needed = {each[:2] for each in mine.dropped if each[:2] not in again}
    if not needed <= set(known) <= told:
        yield f"dropped: {mine.dropped}, the router {its.dropped}"
    for target, policy, reason in its.dropped:
        reasons = [each for name, there, each in mine.dropped if (name, there) == (target, policy)]
        if reasons and not any(reason <= each for each in reasons):
            yield f"reason: {target} in {policy} is dropped for {reasons}, the router says {reason}"


def _differ(mine: Sequence[float], its: Sequence[float]) -> bool:
    return len(mine) != len(its) or any(abs(a - b) > 1e-6 for a, b in zip(mine, its, strict=True))
