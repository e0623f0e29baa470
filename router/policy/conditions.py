"""`when` as written, into the plan's conditions: one for each field, those under `not` negated."""

from collections.abc import Iterator
from dataclasses import replace

from router.plan import BudgetUse, Condition, LocalTime
from router.policy import scalars
from router.policy.document import Spot, text_of
from router.policy.table.conditions import NOT
from router.policy.windows import WINDOWS
from router.policy.words import WEEKDAYS


def conditions(spot: Spot | None, policy: str) -> tuple[Condition, ...]:
    """In the order of the table of keys, whatever the order written. What is wrong in form is left out. `policy` is the
    one whose rules these are: `of: policy` speaks of its budget."""
    if spot is None:
        return ()
    negated = (replace(condition, negated=True) for condition in _fields(spot.get("not"), policy))
    return (*_fields(spot, policy), *negated)


def _fields(spot: Spot | None, policy: str) -> Iterator[Condition]:
    for key in NOT.keys:
        field = spot.get(key) if spot else None
        condition = _condition(key, field, policy) if field else None
        if condition is not None:
            yield condition


def _condition(key: str, field: Spot, policy: str) -> Condition | None:
    match key:
        case "tenant" | "user" | "session" | "tag" | "needs":
            names = tuple(sorted(item.text for item in field.items() if item.text is not None))
            return Condition(field=key, any_of=names) if names else None
        case "input_tokens" | "output_tokens":
            return Condition(field=key, over=_bound(field, "over"), up_to=_bound(field, "up_to"))
        case "stream":
            return Condition(field=key, is_true=field.value is True)
        case "local_time":
            span = _span(field)
            return Condition(field=key, local_time=span) if span else None
        case "budget_used":
            use = _use(field, policy)
            over, up_to = field.get("over"), field.get("up_to")
            return Condition(
                field=key,
                budget=use,
                over=scalars.share(over.value) if over else None,
                up_to=scalars.share(up_to.value) if up_to else None,
            )
    return None


def _bound(field: Spot, key: str) -> int | None:
    bound = field.get(key)
    return scalars.count(bound.value) if bound else None


def _span(field: Spot) -> LocalTime | None:
    start, end, days = field.get("from"), field.get("to"), field.get("days")
    from_min = scalars.clock_min(start.value) if start else None
    to_min = scalars.clock_min(end.value) if end else None
    if from_min is None or to_min is None:
        return None
    names = [item.value for item in days.items()] if days else []
    chosen = frozenset(WEEKDAYS.index(name) for name in names if name in WEEKDAYS)
    return LocalTime(from_min=from_min, to_min=to_min, days=chosen)


def _use(field: Spot, policy: str) -> BudgetUse | None:
    of, window, name = field.get("of"), field.get("window"), field.get("name")
    length = WINDOWS.get(text_of(window) or "")
    if of is None or length is None:
        return None
    return BudgetUse(of=of.value, name=policy if of.value == "policy" else text_of(name), window=length)
