"""One call after another: route, admit, and the loop of attempts."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from math import floor, inf
from typing import Any
from zoneinfo import ZoneInfo

from tests.reference.interpreter.breakers import ILL, Breaker, rule_for
from tests.reference.interpreter.conditions import Snapshot
from tests.reference.interpreter.models import Price
from tests.reference.interpreter.policies import (
    Budget,
    Caller,
    Refused,
    Retry,
    Scope,
    budgets_of,
    caller_of,
    policy_scope,
    provider_scope,
    written_out,
)
from tests.reference.interpreter.routing import (
    Flat,
    Place,
    adds_input,
    estimate,
    flatten,
    keys_here,
    needs_of,
    total_of,
)
from tests.reference.interpreter.state import Counter, State
from tests.reference.interpreter.stores import looked_at, without
from tests.reference.interpreter.units import seconds
from tests.reference.interpreter.world import Call, Result, Step, World

PER_KEY = {"rate_limited", "quota", "auth"}
REST_S = 30.0  # of a key that failed and named no time; twice as long each time until it is answered
LONGEST_REST_S = 600.0
WORST_CASE = {"timeout", "connection"}
REFUSED = {"bad_request", "context_window", "content_filter", "answered"}  # by no fault of the target
REPORTED = {"server_error", "content_filter", "invalid_output", "truncated"}
CUT = {"length": "truncated", "content_filter": "content_filter"}


def _in_order(budget: Budget) -> tuple[int, int]:
    """Money, tokens, requests; the shortest window first."""
    units, windows = ("nusd", "tokens", "requests"), ("request", "hour", "day", "week", "month", "total")
    return units.index(budget.unit), windows.index(budget.window)


def run(world: World) -> list[Result]:
    """Every call of a world, in order."""
    zone = ZoneInfo((world.document.get("settings") or {}).get("time_zone", "UTC"))
    state = State(zone)
    for spent in world.spent:
        budget = Budget(spent.owner, spent.unit, spent.window, 0)
        state.charge(state.counter(budget, world.start_s), spent.amount)
    policies = written_out(world.document)
    now_s, results = world.start_s, []
    for call in world.calls:
        now_s += call.gap_s
        one = Run(world, policies, state, call, began_s=now_s)
        one.go()
        results.append(one.result)
        now_s += one.result.seconds
    return results


@dataclass
class Run:
    """One call under way."""

    world: World
    policies: Mapping[str, Any]
    state: State
    call: Call
    began_s: float
    result: Result = field(default_factory=Result)
    spent_here: dict[str, int] = field(default_factory=dict)  # by owner, for `per_request`
    keys: dict[str, list[str]] = field(default_factory=dict)  # the healthy ones of each provider
    key: str | None = None  # the one in use
    bad_keys: set[tuple[str, str]] = field(default_factory=set)
    whole: bool = False  # the answer is neither cut nor filtered
    reserved_s: float = 0.0  # when the attempt under way was
    cut: Place | None = None  # a cut answer, kept for when no other target answers
    counted: set[str] = field(default_factory=set)  # owners of budgets in which this request is one already
    price: Price | None = None  # of the moment of the last reservation
    short: list[str] = field(default_factory=list)  # what did not fit: "budget" or "limit"
    unfit: list[tuple[Place, list[Budget]]] = field(
        default_factory=list
    )  # and the budgets, what a request may cost first
    refusing: list[Budget] = field(default_factory=list)  # those of the last attempt
    blind: bool = False  # it is not known which breakers are open
    passed: bool = False  # a target was left alone
    unheld: bool = False  # the last attempt stands in no ledger
    admitted: bool = False

    @property
    def elapsed_s(self) -> float:
        return self.result.seconds

    @property
    def total_s(self) -> float:
        """Of the whole request: the called policy's, or the caller's where that is less."""
        total_s = total_of(self.policies[self.call.policy])
        return total_s if self.call.timeout_s is None else min(total_s, self.call.timeout_s)

    @property
    def now_s(self) -> float:
        return self.began_s + self.result.seconds

    def go(self) -> None:
        try:
            if self.policies.get(self.call.policy, {"abstract": True}).get("abstract"):
                raise Refused("RequestError")
            caller = caller_of(self.world.document, self.call)
            if caller.policies is not None and self.call.policy not in caller.policies:
                raise Refused("NoRoute")
            seen = self.snapshot(caller)
            flat = self.route(self.call.policy, caller.scopes, seen)
            self.result.rule = flat.rule
            self.result.error = self.tried(caller, flat, "")
            landing = self.landing(caller, flat)
            if landing is not None:
                self.short, self.result.error = [], None
                self.result.jumped = landing[0]
                self.result.error = self.tried(caller, self.route(*landing, seen), landing[0])
        except Refused as refused:
            self.result.error = refused.error

    def tried(self, caller: Caller, flat: Flat, over: str) -> str | None:
        """The error that a list ends in; `over` is the policy that it is of after a jump."""
        if not flat.possible:
            return "NoRoute"
        key = self.cache_key(caller, flat.possible, over)
        if not self.answered_before(key):
            if not flat.listed:
                return "NoRoute"
            self.admit([*caller.scopes, self.called])
            self.attempt_all(flat.listed)
            self.keep(key)
            self.stand_in(key)
        return self.result.error

    def landing(self, caller: Caller, flat: Flat) -> tuple[str, list[Scope]] | None:
        """Where nothing was sent, and one budget refused all that was come to: the policy that it names, with what
        holds before that. The first such budget counts: tenants, each of theirs, policies on the way down."""
        met = [*flat.unpromised, *self.unfit]
        if not met or self.result.attempts or self.result.error not in ("NoRoute", "BudgetExceeded"):
            return None
        above, way = caller.scopes, met[0][0].way
        policies = [policy_scope(name, self.policies[name]) for name in way]
        for scope in (*self.outside_in(above), *policies):
            for budget in sorted(budgets_of(scope, self.world.document), key=_in_order):
                if budget.when_spent is not None and all(budget in refusing for _, refusing in met):
                    if scope not in policies:
                        return budget.when_spent, [*above, policies[0]]
                    at = policies.index(scope)
                    rest = {key: value for key, value in scope.block.items() if key != "budget"}
                    return budget.when_spent, [
                        *above,
                        *policies[:at],
                        Scope(scope.owner, rest, scope.present),
                    ]
        return None

    @staticmethod
    def outside_in(scopes: list[Scope]) -> list[Scope]:
        """Tenants from the root down, then each of theirs: of each tenant its users, sessions, children."""
        tenants, each = [], []
        for scope in scopes:
            kind = scope.owner.partition(":")[0]
            if kind == "tenant":
                tenants.append(scope)
            else:
                each.append((len(tenants), ("user", "session", "child").index(kind), scope))
        return [*tenants, *(scope for _, _, scope in sorted(each, key=lambda found: found[:2]))]

    def snapshot(self, caller: Caller) -> Snapshot:
        call = self.call
        looked = looked_at(self.policies, call.policy, [scope.block for scope in caller.scopes])
        unread = any(self.used(caller, *each) is not None for each in looked) and self.without("ledger")
        return Snapshot(
            call=call,
            input_tokens=estimate(call),
            output_tokens=call.params.get("max_tokens"),
            needs=needs_of(call),
            now_s=self.now_s,
            zone=self.state.zone,
            used=lambda written, policy: None if unread else self.used(caller, written, policy),
        )

    def route(self, name: str, above: list[Scope], seen: Snapshot) -> Flat:
        result = self.result
        flat = flatten(self.world, self.policies, name, above, self.call, seen)
        result.dropped += flat.dropped
        result.listed = [place.model.name for place in flat.listed] or result.listed
        result.served_by |= flat.served_by
        return flat

    def without(self, store: str) -> bool:
        return without(self.world.document, self.call, store)

    # -- the cache

    def cache_key(self, caller: Caller, possible: list[Place], over: str) -> Any:
        """An answer is for those who ask the same, within the same ceilings. None: neither served nor kept."""
        rule, call = self.policies[self.call.policy].get("cache", "off"), self.call
        never = any(scope.block.get("content", {}).get("cache") == "never" for scope in caller.scopes)
        if rule == "off" or never or (rule.get("scope") == "user" and call.user is None):
            return None
        if not rule.get("sampled") and any(place.params.get("temperature") != 0 for place in possible):
            return None
        scope = rule.get("scope", "tenant")
        whose = {"tenant": call.tenant, "user": (call.tenant, call.user), "shared": None}[scope]
        asked = [(each.model.name, each.input_ceiling, each.output, dict(each.params)) for each in possible]
        return repr(
            (call.policy, over, call.size, sorted(call.params.items()), call.image, scope, whose, asked)
        )

    def answered_before(self, key: Any) -> bool:
        if key is None or self.without("cache") or key not in self.state.answers:
            return False
        target, at_s = self.state.answers[key]
        fresh = self.now_s - at_s < seconds(self.policies[self.call.policy]["cache"]["ttl"])
        self.result.served, self.result.cached = (target, True) if fresh else (None, False)
        return fresh

    def keep(self, key: Any) -> None:
        if (
            key is not None
            and self.whole
            and self.result.served is not None
            and "cache" not in self.call.down
        ):
            self.state.answers[key] = self.result.served, self.now_s

    def stand_in(self, key: Any) -> None:
        """An older answer, where targets failed by no fault of the request, and its policy has one served then."""
        shut_out = self.result.error == "NoRoute"  # every target that is left is open
        failed = self.result.error in ("TargetsExhausted", "DeadlineExceeded")
        if not (failed or shut_out) or key not in self.state.answers:
            return
        rule, (target, at_s) = self.policies[self.call.policy]["cache"], self.state.answers[key]
        useful_s = seconds(rule["ttl"]) + seconds(rule.get("serve_stale_on_error", "0s"))
        outage = shut_out or any(kind not in REFUSED for _, kind in self.result.attempts)
        if outage and "cache" not in self.call.down and self.now_s - at_s < useful_s:
            self.result.error, self.result.served = None, target
            self.result.cached = self.result.stale = True

    # -- the rules and limits of the caller

    def used(self, caller: Caller, written: Mapping[str, Any], policy: str) -> Decimal | None:
        """The used share of the nearest budget of that owner and window; None where there is none."""
        window = written["window"].removeprefix("per_").removeprefix("in_")
        scopes = {
            "tenant": [scope for scope in caller.scopes if scope.owner.startswith("tenant:")],
            "user": [scope for scope in caller.scopes if scope.owner.startswith("user:")],
            "policy": [policy_scope(policy, self.policies[policy])],
            "provider": [self.provider(written["name"])] if "name" in written else [],
        }[written["of"]]
        budgets = [budget for scope in reversed(scopes) for budget in budgets_of(scope, self.world.document)]
        shares = [
            self.state.used(each, self.now_s)
            for each in budgets
            if each.window == window and each.unit == "nusd"
        ]
        return next(iter(shares), None)

    def provider(self, name: str) -> Scope:
        return provider_scope(name, self.world.document)

    @property
    def called(self) -> Scope:
        return policy_scope(self.call.policy, self.policies[self.call.policy])

    def admit(self, scopes: list[Scope]) -> None:
        """Requests and concurrency of the caller and the called policy: once a request, all or none."""
        if self.admitted:
            return
        self.admitted = True
        limits = [limit for scope in scopes for limit in scope.limits() if "requests" in limit.unit]
        if limits and self.without("limiter"):
            return
        full = [limit for limit in limits if not self.state.has_room(limit, 1, self.now_s)]
        if not all(limit.shadow for limit in full):
            raise Refused("LimitExceeded")
        self.result.shadowed += [(limit.present, 1) for limit in full]
        for limit in limits:
            self.state.take(limit, 1, self.now_s)

    def attempt_all(self, listed: list[Place]) -> None:
        self.keys = {place.model.provider: self.healthy_keys(place.model.provider) for place in listed}
        watched = any(self.breaker(place) for place in listed)
        self.blind = watched and self.without("health")
        for place in listed:
            if self.is_shut(place):
                self.passed = True
                self.unfit.append((place, []))
                continue
            self.key = self.another_key(place) or next(iter(self.keys[place.model.provider]), None)
            ended = self.attempt_target(place)
            if ended:
                break
        if self.result.served is None and self.cut is not None:
            self.result.served = self.cut.model.name
        if self.result.served is None:
            self.result.error = self.failure()

    def failure(self) -> str:
        if self.elapsed_s >= self.total_s:
            return "DeadlineExceeded"
        if self.result.attempts:
            return "TargetsExhausted"
        if not self.short and self.passed:
            return "NoRoute"
        return "BudgetExceeded" if "budget" in self.short else "LimitExceeded"

    def attempt_target(self, place: Place) -> bool:
        """All sends to one target. True: the request ends here."""
        sends = 0
        while self.may_send(place):
            left_s = place.total_s - self.elapsed_s
            if left_s <= 0:
                return False
            if sends == 0:
                self.lately(place).append((self.uptime_s, False))
            worst = self.reserve(place)
            if worst is None:
                return self.failed_reservation not in place.fall_back_on
            step = self.send(place, worst, min(left_s, place.attempt_s or left_s))
            sends += 1
            kind = self.kind_of(place, step)
            if kind is None:
                self.result.served, self.whole = place.model.name, step.finish == "stop"
                return True
            if not self.goes_on(place, step, kind, sends):
                return kind not in place.fall_back_on
        return False

    def healthy_keys(self, provider: str) -> list[str]:
        """Those that do not rest; where all do, the first is tried all the same."""
        names = keys_here(self.world, provider)
        if len(names) > 1 and self.without("health"):
            return list(names)
        return [
            name for name in names if self.state.resting.get((provider, name), (0.0, 0))[0] <= self.now_s
        ] or names[:1]

    def breaker(self, place: Place) -> Breaker | None:
        """What may keep calls from it; None: nothing does, or its policy does not care."""
        return self.kept_breaker(place) if place.heeds_breakers else None

    def kept_breaker(self, place: Place) -> Breaker | None:
        name = place.model.name
        rule = rule_for(self.world.document, name)
        return None if rule is None else self.state.breakers.setdefault(name, Breaker(rule))

    def is_shut(self, place: Place) -> bool:
        breaker = self.breaker(place)
        return breaker is not None and not self.blind and breaker.is_open(self.now_s)

    def may_send(self, place: Place) -> bool:
        return place.sends is None or len(self.result.attempts) < place.sends

    @property
    def failed_reservation(self) -> str:
        return "over_budget" if self.short[-1] == "budget" else "over_limit"

    # -- money and tokens

    def budgets(self, place: Place) -> Iterator[Budget]:
        for scope in (*place.scopes, self.provider(place.model.provider)):
            yield from budgets_of(scope, self.world.document)

    def taken_each_time(self, place: Place) -> list[Scope]:
        """What every attempt passes through again: nested policies, the provider, the model."""
        nested = [scope for scope in place.scopes if scope.owner.startswith("policy:")][1:]
        provider = self.provider(place.model.provider)
        model = place.model.name.partition("/")[2]
        block = (provider.block.get("models") or {}).get(model) or {}
        return [*nested, provider, Scope(f"model:{self.counted_name(place)}/{model}", block)]

    def counted_name(self, place: Place) -> str:
        """Of its provider: what it is and what is within it is counted under its first name."""
        return self.provider(place.model.provider).owner.partition(":")[2]

    def key_scope(self, place: Place, key: str | None) -> Scope:
        keys = self.provider(place.model.provider).block.get("keys", [])
        block = next((each for each in keys if each["env"] == key), {})
        return Scope(f"key:{self.counted_name(place)}/{key}", block)

    def reserve(self, place: Place) -> tuple[int, int] | None:
        """The worst case of an attempt, which counts from here on; None: no room. A key that is at a limit of its own
        gives way to the next healthy one that has not failed in this request."""
        provider = place.model.provider
        others = [key for key in self.keys[provider] if (provider, key) not in self.bad_keys]
        for key in [self.key, *(other for other in others if other != self.key)]:
            found = self.reserve_with(place, key)
            if found != "key":
                break
        if isinstance(found, str):
            self.short.append("limit" if found == "key" else found)
            self.unfit.append((place, self.refusing))
            self.result.refused.append(place.model.name)
            return None
        self.key = key
        return found

    def reserve_with(self, place: Place, key: str | None) -> tuple[int, int] | str:
        """In nano-USD and output tokens; or what had no room: "budget", "limit", or nothing but the "key"."""
        output = place.choices * (place.output or 0)
        price = self.price = place.model.price(datetime.fromtimestamp(self.now_s, self.state.zone).date())
        added = (place.added_cost or 0) if adds_input(self.call) and not place.model.is_free else 0
        worst = 0 if price is None else price.worst(place.input_bound, output) + added
        needs = {"nusd": worst, "tokens": place.input_bound + output}
        of_budget = {
            budget: self.one_more(budget.owner) if budget.unit == "requests" else needs[budget.unit]
            for budget in self.budgets(place)
        }
        budgets = [each for each in self.budgets(place) if not self.fits(each, of_budget[each])]
        refusing = [budget for budget in budgets if not budget.shadow]
        of_request = [each for each in refusing if each.window == "request"]  # kept by the call itself
        self.refusing = of_request or refusing
        if of_request:
            return "budget"
        takes = {"tokens": needs["tokens"], "input_tokens": place.input_bound, "output_tokens": output}
        each_time = self.taken_each_time(place)
        if self.goes_unheld([*each_time, self.key_scope(place, key)]):
            return worst, output
        tokens = [*place.scopes, *[scope for scope in each_time if not scope.owner.startswith("policy:")]]
        limits = [
            *(limit for scope in tokens for limit in scope.limits() if limit.unit in takes),
            *(limit for scope in each_time for limit in scope.limits() if limit.unit == "requests"),
        ]
        of_key = [
            limit for limit in self.key_scope(place, key).limits() if limit.unit != "concurrent_requests"
        ]
        wanted = {
            limit: self.one_more(limit.owner) if limit.unit == "requests" else takes[limit.unit]
            for limit in [*limits, *of_key]
        }
        full = [limit for limit in wanted if not self.state.has_room(limit, wanted[limit], self.now_s)]
        if refusing:
            return "budget"
        if not all(limit.shadow for limit in full if limit not in of_key):
            return "limit"
        if not all(limit.shadow for limit in full):
            return "key"
        self.result.shadowed += [(each.present, of_budget[each]) for each in budgets]
        self.result.shadowed += [(each.present, wanted[each]) for each in full]
        self.result.reserved.append(worst)
        self.reserved_s = self.now_s
        self.held = {
            counter: self.one_more(counter[0]) if counter[1] == "requests" else needs[counter[1]]
            for counter in self.counters(place)
        }
        rolling = {budget.sliding: amount for budget, amount in of_budget.items() if budget.rolling}
        every = [*rolling.items(), *wanted.items()]
        self.entries = [(limit, self.state.take(limit, amount, self.now_s)) for limit, amount in every]
        for counter, amount in self.held.items():
            self.state.charge(counter, amount)
        return worst, output

    def goes_unheld(self, each_time: list[Scope]) -> bool:
        """Whether an attempt holds nothing, for the ledger is down. There is always room for the one call at a time."""
        limits = [limit for scope in each_time for limit in scope.limits()]
        if any(limit.unit == "concurrent_requests" for limit in limits):
            self.without("limiter")
        unheld = self.without("ledger")
        self.unheld = unheld
        if unheld:
            self.held, self.entries = {}, []
        return unheld

    def one_more(self, owner: str) -> int:
        """A request is one, however often it is sent; to a provider, a model and a key every send is."""
        return int(owner.partition(":")[0] in ("provider", "model", "key") or owner not in self.counted)

    def fits(self, budget: Budget, amount: int) -> bool:
        if budget.window == "request":
            return (
                self.spent_here.get(f"{budget.owner} {budget.unit}", 0) + amount <= budget.amount
                or amount == 0
            )
        return self.state.fits(budget, amount, self.now_s)

    def counters(self, place: Place) -> set[Counter]:
        return {
            self.state.counter(budget, self.now_s)
            for budget in self.budgets(place)
            if budget.window != "request" and not budget.rolling
        }

    def settle(self, place: Place, cost: int, input: int, output: int, *, sent: bool = True) -> None:
        """What was really used takes the place of what was reserved, in the windows of its reservation. A send that
        never left is no request."""
        really = {"nusd": cost, "tokens": input + output, "input_tokens": input, "output_tokens": output}
        for counter, amount in self.held.items():
            if counter[1] == "requests":
                self.state.charge(counter, 0 if sent else -amount)
                self.counted |= {counter[0]} if sent else set()
            else:
                self.state.charge(counter, really[counter[1]] - amount)
        for limit, entry in self.entries:
            unit = limit.unit.removesuffix(" rolling")
            if unit != "requests":
                entry[1] = really[unit]
            elif sent:
                self.counted.add(limit.owner)
            else:
                entry[1] = 0
        for owner in {budget.owner for budget in self.budgets(place)}:
            for unit in ("nusd", "tokens"):
                key = f"{owner} {unit}"
                self.spent_here[key] = self.spent_here.get(key, 0) + really[unit]
        self.result.costs.append(cost)
        self.warn(place)

    def warn(self, place: Place) -> None:
        """Of the windows that this attempt was reserved in."""
        for budget in self.budgets(place):
            if budget.window != "request" and not self.unheld:
                for share in self.state.warnings(budget, self.reserved_s, self.now_s):
                    told = budget.present, budget.unit, float(100 * share), budget.amount
                    self.result.warned.append(told)

    # -- the wire

    def send(self, place: Place, worst: tuple[int, int], timeout_s: float) -> Step:
        """The step that this send met, with the time it took passed."""
        name = place.model.name
        steps = self.world.script[name]
        at = self.state.asked.get(name, 0)
        self.state.asked[name] = at + 1
        step = steps[min(at, len(steps) - 1)]
        if step.says == "never" or step.after_s > timeout_s:
            step = Step(says="timeout", after_s=timeout_s, sent=step.sent)
        breaker = self.breaker(place)
        is_probe = breaker is not None and bool(breaker.openings)
        sent_s = self.now_s
        self.result.seconds += step.after_s
        self.pay(place, step, worst)
        self.note_key(place, step)
        self.note_breaker(place, step, timeout_s, sent_s, is_probe=is_probe)
        return step

    def note_breaker(
        self, place: Place, step: Step, timeout_s: float, sent_s: float, *, is_probe: bool
    ) -> None:
        breaker = self.kept_breaker(place)
        if breaker is None or "health" in self.call.down:
            return
        draws = self.world.draws
        draw = draws[sum(self.state.asked.values()) % len(draws)]
        said = self.said(place, step, timeout_s, breaker.rule.slower_s)
        breaker.note(said, sent_s=sent_s, now_s=self.now_s, is_probe=is_probe, draw=draw)

    def said(self, place: Place, step: Step, timeout_s: float, slower_s: float | None) -> str:
        """A timeout that the caller made shorter than the policies have it says nothing."""
        if step.says == "answer":
            return "failed" if slower_s is not None and step.after_s > slower_s else "answered"
        totals = [total_of(self.policies[name]) for name in place.way]
        hurried = self.call.timeout_s is not None and timeout_s < min([*totals, place.attempt_s or inf])
        return "failed" if step.says in ILL and not (step.says == "timeout" and hurried) else "neither"

    def pay(self, place: Place, step: Step, worst: tuple[int, int]) -> None:
        price, cost, output = self.price, worst[0], worst[1]
        used = step.used
        unread = step.says == "server_error" and (step.status or 200) < 300  # a success that can't be read
        if used and step.sent and (step.says == "answer" or step.says in REPORTED | WORST_CASE):
            self.settle(place, price.cost(used) if price else 0, used.input, used.output)
        elif (unread or step.says in WORST_CASE) and step.sent:
            self.settle(place, cost, place.input_bound, output)
        else:
            self.settle(place, 0, 0, 0, sent=step.sent)

    def kind_of(self, place: Place, step: Step) -> str | None:
        """None: this is the answer."""
        kind = CUT.get(step.finish) if step.says == "answer" else step.says
        if step.says == "answer" and kind is not None:
            if kind not in place.fall_back_on:
                kind = None
            else:
                self.cut = self.cut or place
        self.result.attempts.append((place.model.name, "answered" if step.says == "answer" else step.says))
        return kind

    # -- what comes next

    def goes_on(self, place: Place, step: Step, kind: str, sends: int) -> bool:
        """Whether the same target is sent to once more; if so the wait is over when this returns."""
        if sends >= place.retry.attempts or not self.may_send(place) or self.is_shut(place):
            return False
        if kind in PER_KEY and self.another_key(place) is not None:
            self.key = self.another_key(place)
            return True
        if kind not in place.retry.on:
            return False
        wait_s, left_s = self.wait(place.retry, step, sends), place.total_s - self.elapsed_s
        if left_s <= 0 or wait_s > min(place.retry.max_s, left_s):
            return False
        if wait_s == left_s and step.retry_after_s is None:
            return False
        if not self.may_retry(place):
            return False
        self.result.waits.append(wait_s)
        self.result.seconds += wait_s
        return True

    @property
    def uptime_s(self) -> float:
        return self.now_s - self.world.start_s

    def lately(self, place: Place) -> list[tuple[float, bool]]:
        """Requests that came to a target under a retry budget, and retries."""
        return self.state.retried.setdefault(place.model.name, []) if place.retry.budget is not None else []

    def may_retry(self, place: Place) -> bool:
        """At most that share of the requests of ten seconds, and three at least; what may be is counted."""
        if place.retry.budget is None:
            return True
        known = [again for at_s, again in self.lately(place) if floor(at_s) > self.uptime_s - 10]
        allowed = max(3, floor(place.retry.budget * known.count(False)))
        if known.count(True) >= allowed:
            return False
        self.lately(place).append((self.uptime_s, True))
        return True

    def another_key(self, place: Place) -> str | None:
        """A healthy key that has not failed in this request."""
        provider = place.model.provider
        keys = self.keys[provider]
        return next((key for key in keys if (provider, key) not in self.bad_keys), None)

    def note_key(self, place: Place, step: Step) -> None:
        """A key that failed for itself rests, over requests too, until it is answered or its time is over."""
        name = (place.model.provider, self.key or "")
        if step.says in PER_KEY:
            self.bad_keys.add(name)
        if "health" in self.call.down:
            return
        if step.says == "answer":
            self.state.resting.pop(name, None)
        elif step.says in PER_KEY:
            until_s, times = self.state.resting.get(name, (0.0, 0))
            if step.retry_after_s is not None:
                self.state.resting[name] = max(until_s, self.now_s + step.retry_after_s), times
            elif self.now_s >= until_s:
                self.state.resting[name] = self.now_s + min(REST_S * 2**times, LONGEST_REST_S), times + 1

    def wait(self, retry: Retry, step: Step, sends: int) -> float:
        if step.retry_after_s is not None:
            return step.retry_after_s
        growth = {
            "constant": 1,
            "linear": sends,
            "exponential": 2 ** (sends - 1),
            "fibonacci": fibonacci(sends),
        }
        draws = self.world.draws
        fraction = draws[sum(self.state.asked.values()) % len(draws)]
        return (0.5 + fraction / 2) * min(retry.max_s, retry.base_s * growth[retry.backoff])


def fibonacci(n: int) -> int:
    """1, 1, 2, 3, 5, ..."""
    before, at = 0, 1
    for _ in range(n - 1):
        before, at = at, before + at
    return at
