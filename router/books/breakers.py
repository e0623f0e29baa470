"""The breakers of the targets that policies write, as they stand now; and closing one by hand."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from router.decide.breaker import Breaker, Phase, Reset, phase_of, tally_of
from router.engine import Ports
from router.errors import RequestError
from router.plan import BreakerRule, Plan, Target
from router.policy.phrases import suggestion


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerNow:
    """The breaker of one target. Of one that is closed, the failures are those that it remembers; else those that
    opened it. `until_s` (Unix seconds): when it may be tried again; None: it may be now. `openings`: how often it has
    opened since it was closed. `probes`: how many try it now."""

    target: str
    phase: Phase
    in_a_row: int
    failures: int
    attempts: int
    openings: int
    until_s: float | None
    probes: int
    rule: BreakerRule


async def breakers(plan: Plan, ports: Ports) -> tuple[BreakerNow, ...]:
    """Of every target that has one, in the order of the plan. Raises StoreError."""
    targets = {(each.provider, each.model): rule for each, rule in _watched(plan)}
    found = await ports.health.read(targets=list(targets)) if targets else None
    known = found.breakers if found else {}
    now_s = ports.clock.now_s()
    return tuple(
        _now("/".join(name), known.get(name, Breaker()), rule, now_s) for name, rule in targets.items()
    )


async def reset_breakers(plan: Plan, ports: Ports, targets: Iterable[str]) -> tuple[BreakerNow, ...]:
    """Close them, for every process that shares the state; none where one of them is of no target. Raises RequestError
    then, and StoreError."""
    rules = {each.name: (each, rule) for each, rule in _watched(plan)}
    named = dict.fromkeys(targets)
    for target in named:
        if target not in rules:
            advice = suggestion(target, rules, what="targets with a breaker:")
            raise RequestError(
                f"`{target}` has no breaker", help=advice or "no target of these policies has one"
            )
    return tuple([await _reset(ports, *rules[target]) for target in named])


async def _reset(ports: Ports, target: Target, rule: BreakerRule) -> BreakerNow:
    now_s = ports.clock.now_s()
    turn = await ports.health.turn((target.provider, target.model), Reset(now_s=now_s))
    return _now(target.name, turn.after, rule, now_s)


def _watched(plan: Plan) -> Iterator[tuple[Target, BreakerRule]]:
    for target in plan.targets.values():
        if target.breaker is not None:
            yield target, target.breaker


def _now(target: str, breaker: Breaker, rule: BreakerRule, now_s: float) -> BreakerNow:
    phase = phase_of(breaker, now_s)
    tally = breaker.tripped if breaker.openings else tally_of(breaker)
    return BreakerNow(
        target=target,
        phase=phase,
        in_a_row=tally.in_a_row,
        failures=tally.failures,
        attempts=tally.attempts,
        openings=breaker.openings,
        until_s=breaker.until_s if phase == "open" else None,
        probes=sum(probe.until_s > now_s for probe in breaker.probes),
        rule=rule,
    )
