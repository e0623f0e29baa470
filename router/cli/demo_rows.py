"""What became of one call, read from its events: the rows of `router demo`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from router import events as ev
from router.errors import RouterError
from router.tools.figures import seconds

END = "that was the end"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setback:
    """What did not work before the end. `why` is a kind of failure; `then` says what came next.

    `charged_nusd` is above 0 where the provider may have billed: the worst case, until a later truth corrects it.
    """

    target: str
    why: str
    status: int | None = None
    then: str = END
    charged_nusd: int = 0
    duration_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """`outcome`: answered, cached, refused (nothing was sent) or failed; `error` and `message` only without an answer.

    `cost_nusd` is what the whole call was charged, its failed attempts included.
    """

    number: int
    scene: str
    tenant: str
    user: str | None
    policy: str
    outcome: str = ""
    target: str | None = None
    rule: str | None = None
    setbacks: tuple[Setback, ...] = ()
    error: str | None = None
    message: str = ""
    cost_nusd: int = 0
    duration_s: float = 0.0


def told(row: Row, events: Sequence[ev.Event], error: RouterError | None) -> Row:
    """`row` with what `events` tell of its call, which ended in `error` or in an answer."""
    costs = {event.attempt: event.cost_nusd or 0 for event in events if isinstance(event, ev.Settled)}
    for event in events:
        row = _with(row, event, costs)
    row = replace(row, cost_nusd=sum(costs.values()))
    if error is None:
        return row
    outcome = "failed" if any(isinstance(event, ev.AttemptSent) for event in events) else "refused"
    return replace(row, outcome=outcome, error=type(error).__name__, message=error.message)


def _with(row: Row, event: ev.Event, costs: Mapping[str, int]) -> Row:
    match event:
        case ev.RuleMatched():
            return replace(row, rule=row.rule or event.rule)
        case ev.ReserveRefused():
            return _set_back(row, Setback(target=event.target, why="over_budget", then="not sent"))
        case ev.AttemptFailed():
            return _set_back(row, _failed(event, costs.get(event.attempt, 0)))
        case ev.RetryScheduled():
            as_told = ", as told" if event.why == "retry_after" else ""
            return _then(row, f"retried after {seconds(event.delay_s)}{as_told}")
        case ev.FellBack():
            return _then(row, _and_next(row.setbacks[-1].then))
        case ev.RequestAnswered():
            outcome = "cached" if event.cached else "answered"
            return replace(row, outcome=outcome, target=event.target, duration_s=event.duration_s)
        case ev.RequestFailed():
            return replace(row, duration_s=event.duration_s)
    return row


def _failed(event: ev.AttemptFailed, charged_nusd: int) -> Setback:
    after_s = event.retry_after_s
    return Setback(
        target=event.target,
        why=str(event.kind),
        status=event.status,
        then=END if after_s is None else f"asked to wait {seconds(after_s)}",
        charged_nusd=charged_nusd,
        duration_s=event.duration_s,
    )


def _and_next(then: str) -> str:
    return "next target" if then == END else f"{then}: next target"


def _set_back(row: Row, setback: Setback) -> Row:
    return replace(row, setbacks=(*row.setbacks, setback))


def _then(row: Row, then: str) -> Row:
    *before, last = row.setbacks
    return replace(row, setbacks=(*before, replace(last, then=then)))
