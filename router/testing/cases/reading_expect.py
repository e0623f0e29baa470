"""From an `expect` block to expectations, each with the place where it is written."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from router import events
from router.plan import Plan
from router.policy import scalars
from router.policy.document import Spot
from router.policy.phrases import suggestion
from router.policy.traps import Fault, shown, written
from router.testing.cases import expect as ex
from router.testing.cases.words import NO_RULE
from router.values import Place, Request

Blame = tuple[Place, Fault]

EVENTS = tuple(
    name
    for name, found in vars(events).items()
    if isinstance(found, type) and issubclass(found, events.Event) and found is not events.Event
)
"""The names of all events."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    expectations: tuple[ex.Expectation, ...]
    faults: tuple[Blame, ...]


def expectations(block: Spot, plan: Plan, request: Request) -> Read:
    """`faults`: what this plan and this request can never meet, because a name is none of theirs."""
    found = [each for key, spot in block.fields() for each in READERS[key](spot)]
    return Read(expectations=tuple(found), faults=tuple(_faults(block, plan, request)))


# --- Reading ----------------------------------------------------------------------------------------------------------


def _same(spot: Spot) -> Iterator[ex.Expectation]:
    text = spot.value if isinstance(spot.value, str) else written(spot.value)
    yield ex.Same(name=spot.key, place=spot.place, wanted=text)


def _cost(spot: Spot) -> Iterator[ex.Expectation]:
    yield ex.Cost(place=spot.place, bounds=_bounds(spot, scalars.money_nusd))


def _took(spot: Spot) -> Iterator[ex.Expectation]:
    yield ex.Took(place=spot.place, bounds=_bounds(spot, _length_ms))


def _waits(spot: Spot) -> Iterator[ex.Expectation]:
    yield ex.Waits(place=spot.place, bounds=tuple(_bounds(each, _length_ms) for each in spot.items()))


def _attempts(spot: Spot) -> Iterator[ex.Expectation]:
    pairs = [(target, str(ended.value)) for each in spot.items() for target, ended in each.fields()]
    yield ex.Attempts(place=spot.place, attempts=tuple(pairs))


def _dropped(spot: Spot) -> Iterator[ex.Expectation]:
    for target, reason in spot.fields():
        yield ex.Dropped(place=reason.place, target=target, reason=str(reason.value))


def _message(spot: Spot) -> Iterator[ex.Expectation]:
    yield ex.Message(place=spot.place, part=str(spot.value))


def _in_order(spot: Spot) -> Iterator[ex.Expectation]:
    yield ex.InOrder(place=spot.place, names=tuple(str(each.value) for each in spot.items()))


def _without(spot: Spot) -> Iterator[ex.Expectation]:
    yield ex.Without(place=spot.place, names=tuple(str(each.value) for each in spot.items()))


def _length_ms(value: object) -> int | None:
    return 0 if value == "0s" else scalars.duration_ms(value)


def _bounds(spot: Spot, number: Callable[[object], int | None]) -> ex.Bounds:
    exact = number(spot.value)
    if exact is not None:
        return ex.Bounds(at_least=exact, at_most=exact)
    low, high = spot.get("at_least"), spot.get("at_most")
    return ex.Bounds(
        at_least=number(low.value) if low else None, at_most=number(high.value) if high else None
    )


READERS: Mapping[str, Callable[[Spot], Iterator[ex.Expectation]]] = {
    **dict.fromkeys(("served_by", "rule", "jumps_to", "error", "text", "cached", "stale"), _same),
    "cost": _cost,
    "time": _took,
    "waits": _waits,
    "attempts": _attempts,
    "dropped": _dropped,
    "message": _message,
    "events": _in_order,
    "no_events": _without,
}


# --- Names ------------------------------------------------------------------------------------------------------------


def _faults(block: Spot, plan: Plan, request: Request) -> Iterator[Blame]:
    for name, place in _targets(block):
        if name not in plan.targets:
            advice = suggestion(name, plan.targets, what="targets here:")
            yield place, Fault("dangling-name", f"no policy has the target {shown(name)}", advice)
    for spot in (*_items(block.get("events")), *_items(block.get("no_events"))):
        if spot.value not in EVENTS:
            advice = suggestion(str(spot.value), EVENTS, what="events:")
            yield spot.place, Fault("dangling-name", f"there is no event {shown(spot.value)}", advice)
    yield from _odd_attempts(block.get("attempts"))
    yield from _unknown_rule(block.get("rule"), plan, request)
    yield from _unknown_landing(block.get("jumps_to"), plan)
    yield from _empty_map(block.get("dropped"))
    yield from _against(block)


def _targets(block: Spot) -> Iterator[tuple[str, Place]]:
    served_by, dropped = block.get("served_by"), block.get("dropped")
    if served_by is not None:
        yield str(served_by.value), served_by.place
    for spot in _items(block.get("attempts")):
        yield from ((target, ended.key_place) for target, ended in spot.fields())
    yield from ((target, reason.key_place) for target, reason in (dropped.fields() if dropped else ()))


def _odd_attempts(block: Spot | None) -> Iterator[Blame]:
    for spot in _items(block):
        if len(spot.value) != 1:
            message = f"an attempt is one target and how it ended, not {shown(spot.value)}"
            yield spot.place, Fault("wrong-form", message, "one `- target: how it ended` for each attempt")


def _unknown_rule(spot: Spot | None, plan: Plan, request: Request) -> Iterator[Blame]:
    rules = [rule.name for rule in plan.policies[request.policy].rules]
    if spot is not None and spot.value not in (NO_RULE, *rules):
        advice = suggestion(str(spot.value), (NO_RULE, *rules), what="rules here:")
        message = f"policy {shown(request.policy)} has no rule {shown(spot.value)}"
        yield spot.place, Fault("dangling-name", message, advice)


def _unknown_landing(spot: Spot | None, plan: Plan) -> Iterator[Blame]:
    if spot is not None and spot.value not in (NO_RULE, *plan.policies):
        advice = suggestion(str(spot.value), (NO_RULE, *plan.policies), what="policies here:")
        yield spot.place, Fault("dangling-name", f"there is no policy {shown(spot.value)}", advice)


def _empty_map(spot: Spot | None) -> Iterator[Blame]:
    if spot is not None and not spot.value:
        yield spot.place, Fault("wrong-form", "`dropped` says nothing", "name a target and the reason")


def _against(block: Spot) -> Iterator[Blame]:
    """An answer and an error at once: no call can meet both."""
    error = block.get("error") or block.get("message")
    for key in ("served_by", "text", "cached", "stale"):
        spot = block.get(key)
        if error is not None and spot is not None:
            message = f"`{key}` speaks of an answer, and `{error.key}` of an error"
            yield spot.key_place, Fault("wrong-form", message, "a call ends in one of them")


def _items(spot: Spot | None) -> Iterator[Spot]:
    if spot is not None:
        yield from spot.items()
