"""What came of one call, read from its reply or error and its trace."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from router import events as ev
from router.decide.judge import soft_kind
from router.errors import RouterError
from router.testing.cases.words import ANSWERED, NO_RULE
from router.values import Reply, Request

E = TypeVar("E", bound=ev.Event)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Exactly one of `reply`, `error`."""

    request: Request
    reply: Reply | None
    error: RouterError | None
    trace: Sequence[ev.Event]

    def facts(self, kind: type[E]) -> Iterator[E]:
        return (event for event in self.trace if isinstance(event, kind))

    @property
    def outcome(self) -> str:
        """Who answered, or the class of the error."""
        return self.reply.target if self.reply is not None else type(self.error).__name__

    @property
    def rule(self) -> str:
        """The rule of the called policy that held."""
        held = (fact.rule for fact in self.facts(ev.RuleMatched) if fact.policy == self.request.policy)
        return next(held, NO_RULE)

    @property
    def jumps_to(self) -> str:
        """The policy that took over from a spent budget."""
        return next((fact.to_policy for fact in self.facts(ev.Jumped)), NO_RULE)

    @property
    def attempts(self) -> tuple[tuple[str, str], ...]:
        """(target, how it ended) of every attempt; one that did not fit a budget or limit was not sent."""
        return tuple(found for event in self.trace if (found := _attempt(event)) is not None)

    @property
    def waits_s(self) -> tuple[float, ...]:
        return tuple(fact.delay_s for fact in self.facts(ev.RetryScheduled))

    @property
    def asked(self) -> tuple[str, ...]:
        """The target of every send, in order."""
        return tuple(fact.target for fact in self.facts(ev.AttemptSent))

    @property
    def dropped(self) -> tuple[tuple[str, str], ...]:
        """(target, reason) of every candidate that was passed over."""
        refused = ((fact.target, "breaker_open") for fact in self.facts(ev.TargetPassedOver))
        return (*((fact.target, fact.reason) for fact in self.facts(ev.CandidateDropped)), *refused)

    @property
    def cost_nusd(self) -> int | None:
        """What all attempts are charged together; None where a price is unknown."""
        costs = [fact.cost_nusd for fact in self.facts(ev.Settled)]
        return None if None in costs else sum(cost for cost in costs if cost is not None)

    @property
    def took_s(self) -> float:
        ends = (each for each in self.trace if isinstance(each, ev.RequestAnswered | ev.RequestFailed))
        return next((fact.duration_s for fact in ends), 0.0)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all events, in order."""
        return tuple(type(event).__name__ for event in self.trace)


def _attempt(event: ev.Event) -> tuple[str, str] | None:
    match event:
        case ev.AttemptAnswered():
            return event.target, str(soft_kind(event.finish_reason) or ANSWERED)
        case ev.AttemptFailed() | ev.ReserveRefused():
            return event.target, str(event.kind)
    return None
