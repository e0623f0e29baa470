"""What happened in a call, in sentences: only what decided how it went."""

from collections.abc import Callable, Mapping
from typing import Any

from router import events as ev
from router.decide.judge import soft_kind
from router.decide.outcome import dollars
from router.testing.cases.expect import length, milliseconds
from router.testing.cases.seen import Seen


def story(seen: Seen) -> tuple[str, ...]:
    """One line for each decisive event, in order."""
    lines = (TOLD[type(event)](event) for event in seen.trace if type(event) in TOLD)
    return tuple(line for line in lines if line)


def _unknown(event: ev.RuleUnknown) -> str:
    return f"rule {event.rule} of {event.policy} can't be decided: the call names no {event.field}"


def _dropped(event: ev.CandidateDropped) -> str:
    return f"{event.target} is passed over ({event.reason}): {event.detail}"


def _shadowed(event: ev.ShadowExceeded) -> str:
    return f"{event.owner} has no room in `{event.rule}`, which is in shadow and lets it pass"


def _answered(event: ev.AttemptAnswered) -> str:
    soft = soft_kind(event.finish_reason)
    return f"{event.target} answers{f' ({soft})' if soft else ''} after {_length(event.duration_s)}"


def _failed(event: ev.AttemptFailed) -> str:
    status = f" {event.status}" if event.status else ""
    after = "" if event.retry_after_s is None else f", Retry-After {_length(event.retry_after_s)}"
    return f"{event.target} fails ({event.kind}{status}{after}) after {_length(event.duration_s)}"


def _settled(event: ev.Settled) -> str:
    how = event.how.replace("_", " ")
    return f"  charged {dollars(event.cost_nusd)} ({how})" if event.cost_nusd else ""


def _waited(event: ev.RetryScheduled) -> str:
    why = "as its Retry-After says" if event.why == "retry_after" else "before it is asked again"
    return f"a wait of {_length(event.delay_s)}, {why}"


def _ended(event: ev.RequestAnswered) -> str:
    kept = "a stale one, of" if event.stale else "a cached one, of"
    return f"the answer is {kept if event.cached else 'that of'} {event.target}"


def _length(seconds: float) -> str:
    return length(milliseconds(seconds))


def _warned(event: ev.BudgetWarning) -> str:
    return f"  {event.owner} has come to {event.percent:g}% of `{event.rule}`"


def _jumped(event: ev.Jumped) -> str:
    why = f"{event.budget} has no room in `{event.rule}`"
    return f"policy {event.to_policy} takes over from {event.from_policy}: {why}"


def _passed_over(event: ev.TargetPassedOver) -> str:
    return f"{event.target} is passed over: its breaker is open"


def _opened(event: ev.BreakerOpened) -> str:
    return f"  the breaker of {event.target} opens for {_length(event.open_for_s)}"


TOLD: Mapping[type[ev.Event], Callable[[Any], str]] = {
    ev.RuleMatched: lambda event: f"rule {event.rule} of {event.policy} holds",
    ev.RuleUnknown: _unknown,
    ev.CandidateDropped: _dropped,
    ev.ParamsLeftOut: lambda event: (
        f"{event.target} is called without {', '.join(event.params)}, which it does not take here"
    ),
    ev.CacheHit: lambda event: f"the cache has an answer that is {_length(event.age_s)} old",
    ev.CacheMissed: lambda event: f"the cache has no answer ({event.why})",
    ev.StaleServed: lambda event: (
        f"every target failed, and an answer that is {_length(event.age_s)} old stands in"
    ),
    ev.CacheSkipped: lambda event: f"the cache is passed by ({event.why})",
    ev.CacheStored: lambda event: f"the answer is kept for {_length(event.ttl_s)}",
    ev.StoreBypassed: lambda event: f"the {event.port} is down: the call goes on without its {event.step}",
    ev.LimitRefused: lambda event: f"the limit `{event.limit}` is full",
    ev.ReserveRefused: lambda event: f"{event.target} is not asked: {'; '.join(event.shortfalls)}",
    ev.ShadowExceeded: _shadowed,
    ev.Jumped: _jumped,
    ev.KeyPassedOver: lambda event: (
        f"{event.target} is asked with another key: {'; '.join(event.shortfalls)}"
    ),
    ev.AttemptAnswered: _answered,
    ev.AttemptFailed: _failed,
    ev.Settled: _settled,
    ev.BudgetWarning: _warned,
    ev.TargetPassedOver: _passed_over,
    ev.ProbeAdmitted: lambda event: f"{event.target} is tried again: its breaker is half open",
    ev.BreakerOpened: _opened,
    ev.BreakerClosed: lambda event: f"  the breaker of {event.target} closes",
    ev.RetryScheduled: _waited,
    ev.RetryRefused: lambda event: (
        f"{event.target} is not asked again: its retry budget of {event.percent:g}% is used up"
    ),
    ev.FellBack: lambda event: f"{event.to_target} is next",
    ev.RequestAnswered: _ended,
    ev.RequestFailed: lambda event: f"the call ends in {event.error}: {event.message}",
}
"""The events that decide, each as a sentence; the others are bookkeeping."""
