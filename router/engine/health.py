"""What is known of keys and of the breakers of targets, and what each attempt tells them.

A store of health that fails never fails a call, unless the files say `closed`: every key is then as good as another,
and no target is left out.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from router import events as ev
from router.decide import step as steps
from router.decide.breaker import Asked, Breaker, Ended, Probe, Turn, phase_of, shut_until_s
from router.decide.judge import said_of_target
from router.decide.step import Try
from router.engine.run import Run
from router.engine.stores import bypass
from router.errors import ProviderError, StoreError
from router.plan import Candidate, Route
from router.ports import Healths, Hold, Name, Outcome

GRACE_S = 5.0
"""How long the lease of a probe goes on after the time of its attempt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What one request knows at one moment. `turned_away`: candidates that had no place for it as a probe; it does not
    ask them again. `no_retries`: candidates whose retry budget is used up."""

    keys: steps.Keys
    breakers: Mapping[Name, Breaker] = field(default_factory=dict)
    turned_away: Mapping[int, float] = field(default_factory=dict)
    no_retries: frozenset[int] = frozenset()

    def judged(self, route: Route, now_s: float) -> steps.Health:
        """With the candidates that breakers refuse now."""
        if not self.breakers:
            return steps.Health(keys=self.keys, no_retries=self.no_retries)
        until = {
            at: shut_until_s(self.breakers[name], rule, now_s)
            for at, candidate in enumerate(route.candidates)
            if (rule := candidate.breaker) is not None and (name := name_of(candidate)) in self.breakers
        }
        shut = {at: until_s for at, until_s in until.items() if until_s is not None}
        return steps.Health(keys=self.keys, shut={**shut, **self.turned_away}, no_retries=self.no_retries)


def name_of(candidate: Candidate) -> Name:
    return candidate.target.provider, candidate.target.model


# --- Looking ----------------------------------------------------------------------------------------------------------


async def first_look(run: Run, route: Route) -> Known:
    """One read for everything; none where no provider has a choice of keys and no target a breaker."""
    keys, found = await _look(run, {each.target.provider for each in route.candidates}, _watched(route))
    return Known(keys=keys, breakers=found.breakers)


async def usable_keys(run: Run, providers: Iterable[str]) -> steps.Keys:
    return (await _look(run, providers, ()))[0]


async def look_again(run: Run, route: Route, known: Known) -> Known:
    """What breakers have become since: by this request's own failure, or by those of others."""
    watched = _watched(route)
    return replace(known, breakers=(await _read(run, (), watched)).breakers) if watched else known


async def _look(run: Run, providers: Iterable[str], targets: Sequence[Name]) -> tuple[steps.Keys, Healths]:
    keys = {
        name: [key.name for key in run.plan.providers[name].keys if run.has_key(key)] for name in providers
    }
    several = [(provider, key) for provider, held in keys.items() if len(held) > 1 for key in held]
    found = await _read(run, several, targets)
    now_s = run.ports.clock.now_s()
    return {name: _usable(name, held, found, now_s) for name, held in keys.items()}, found


def _watched(route: Route) -> Sequence[Name]:
    return list(dict.fromkeys(name_of(each) for each in route.candidates if each.breaker is not None))


async def _read(run: Run, keys: Sequence[Name], targets: Sequence[Name]) -> Healths:
    if not keys and not targets:
        return Healths()
    try:
        return await run.ports.health.read(keys=keys, targets=targets, wait_s=run.left_s())
    except StoreError as error:
        bypass(run, "health", "read", error)
        return Healths()


def _usable(provider: str, keys: Sequence[str], found: Healths, now_s: float) -> Sequence[str]:
    """Names of the keys that are not cooling, in the order written; where all are, the first."""
    cooling = {
        key for (of, key), each in found.keys.items() if of == provider and each.cooling_until_s > now_s
    }
    return [key for key in keys if key not in cooling] or keys[:1]


# --- Probes -----------------------------------------------------------------------------------------------------------


async def let_in(run: Run, route: Route, known: Known, step: Try, number: int) -> Try | Known:
    """The step, as a probe where its breaker is half open; or what is known now, where that had no place for it.
    `number` tells the steps of a request apart."""
    candidate = route.candidates[step.index]
    rule, breaker = candidate.breaker, known.breakers.get(name_of(candidate))
    now_s = run.ports.clock.now_s()
    if rule is None or breaker is None or phase_of(breaker, now_s) == "closed":
        return step
    probe = Probe(id=f"{run.request.id}-{number}", until_s=now_s + step.timeout_s + GRACE_S)
    try:
        turn = await run.ports.health.turn(
            name_of(candidate), Asked(rule=rule, probe=probe, now_s=now_s), wait_s=run.left_s()
        )
    except StoreError as error:
        bypass(run, "health", "turn", error)
        return step
    if probe.id in {each.id for each in turn.after.probes}:
        run.emit(
            ev.ProbeAdmitted,
            target=candidate.target.name,
            until_s=probe.until_s,
            openings=turn.after.openings,
        )
        run.probes.add(probe.id)
        return replace(step, probe=probe.id)
    until_s = shut_until_s(turn.after, rule, now_s)
    if until_s is None:  # closed meanwhile
        return step
    return replace(known, turned_away={**known.turned_away, step.index: until_s})


async def give_back(run: Run, route: Route, step: Try) -> None:
    """The place of a probe that said nothing of its target: it was not sent, or nobody waited for its end. Idempotent;
    a store that can't be told leaves the place to its lease."""
    candidate = route.candidates[step.index]
    if step.probe is None or step.probe not in run.probes or candidate.breaker is None:
        return
    run.probes.discard(step.probe)
    now_s = run.ports.clock.now_s()
    ended = Ended(
        rule=candidate.breaker, said="neither", sent_s=now_s, now_s=now_s, draw=0.0, probe=step.probe
    )
    try:
        await run.ports.health.turn(name_of(candidate), ended, wait_s=run.closing_s())
    except StoreError as failure:
        run.emit(ev.StoreBypassed, port="health", step="turn", why=failure.message)


# --- Retry budgets ----------------------------------------------------------------------------------------------------


def begin(run: Run, route: Route, progress: steps.Progress, index: int) -> None:
    """This request has come to a target: the first of its sends there is what retries are a share of."""
    candidate = route.candidates[index]
    if candidate.lexical.retry.budget is None or any(each.index == index for each in progress.failures):
        return
    run.ports.retries.begin(name_of(candidate), now_s=run.ports.clock.mono_s())


def may_retry(run: Run, route: Route, progress: steps.Progress, known: Known) -> Known | None:
    """None: the target that failed last may be sent one more; else what is known now: as much was sent again lately as
    may be."""
    last = progress.failures[-1]
    candidate = route.candidates[last.index]
    share = candidate.lexical.retry.budget
    if share is None:
        return None
    counts = run.ports.retries.take(name_of(candidate), share, now_s=run.ports.clock.mono_s())
    if counts is None:
        return None
    run.emit(
        ev.RetryRefused,
        target=candidate.target.name,
        kind=last.kind,
        retries=counts.retries,
        requests=counts.requests,
        percent=share / 1000,
    )
    return replace(known, no_retries=known.no_retries | {last.index})


# --- Telling ----------------------------------------------------------------------------------------------------------


async def note(
    run: Run,
    candidate: Candidate,
    step: Try,
    hold: Hold,
    *,
    took_s: float,
    error: ProviderError | None = None,
    began: bool = False,
) -> None:
    """How an attempt went, closed or open: what was asked of a provider has been, and its answer stands. `began`: a
    stream, after its first content."""
    kind = error.kind if error else None
    outcome = Outcome(
        provider=candidate.target.provider,
        model=candidate.target.model,
        key=step.key,
        kind=kind,
        named_s=error.retry_after_s if error else None,
        now_s=run.ports.clock.now_s(),
        ended=_ended(run, candidate, step, hold, took_s=took_s, error=error, began=began),
    )
    run.probes.discard(step.probe or "")
    try:
        turn = await run.ports.health.note(outcome, wait_s=run.closing_s())
    except StoreError as failure:
        run.emit(ev.StoreBypassed, port="health", step="note", why=failure.message)
        return
    if turn is not None:
        _tell(run, candidate, turn)


async def note_first_content(run: Run, candidate: Candidate, step: Try, hold: Hold, took_s: float) -> None:
    """A probe that streams has said what it can: its place is not held until the last word."""
    if step.probe is None:
        return
    run.probes.discard(step.probe)
    ended = _ended(run, candidate, step, hold, took_s=took_s)
    try:
        turn = await run.ports.health.turn(name_of(candidate), ended, wait_s=run.left_s()) if ended else None
    except StoreError as failure:
        run.emit(ev.StoreBypassed, port="health", step="turn", why=failure.message)
        return
    if turn is not None:
        _tell(run, candidate, turn)


def _ended(
    run: Run,
    candidate: Candidate,
    step: Try,
    hold: Hold,
    *,
    took_s: float,
    error: ProviderError | None = None,
    began: bool = False,
) -> Ended | None:
    rule = candidate.target.breaker
    if rule is None:
        return None
    kind = error.kind if error else None
    hurried = not began and _is_hurried(run, candidate, step)
    return Ended(
        rule=rule,
        said=said_of_target(kind, rule, took_s, hurried=hurried),
        sent_s=hold.now_s,
        now_s=run.ports.clock.now_s(),
        draw=run.ports.draw.fraction(),
        probe=step.probe,
    )


def _is_hurried(run: Run, candidate: Candidate, step: Try) -> bool:
    """Whether the caller's own timeout left this attempt less time than its policy gives it."""
    if run.request.timeout_s is None:
        return False
    lexical = candidate.lexical
    bounds = (lexical.attempt_s, lexical.first_content_s if run.request.stream else None, candidate.total_s)
    return step.timeout_s < min(bound for bound in bounds if bound is not None)


def _tell(run: Run, candidate: Candidate, turn: Turn) -> None:
    before, after, target = turn.before, turn.after, candidate.target.name
    if after.openings > before.openings:
        run.emit(
            ev.BreakerOpened,
            target=target,
            in_a_row=after.tripped.in_a_row,
            failures=after.tripped.failures,
            attempts=after.tripped.attempts,
            openings=after.openings,
            open_for_s=after.open_for_s,
            until_s=after.until_s,
        )
    elif before.openings and not after.openings:
        run.emit(ev.BreakerClosed, target=target, openings=before.openings, probes=before.answered + 1)
