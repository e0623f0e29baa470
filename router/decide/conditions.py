"""Rules: three-valued conditions over one snapshot of a request."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from router.decide.parts import Form
from router.plan import BudgetUse, Condition, LocalTime, Rule
from router.values import Request

FULL_SHARE = 100_000  # shares are thousandths of a percent


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """All that rules may look at, read once. `input_tokens` is None where no rule asks for it. `used` maps a budget use
    to (used, amount with what was granted); absent: no such budget."""

    request: Request
    needs: frozenset[str]
    forms: frozenset[Form] = frozenset()  # of the parts of its messages; no rule looks at these
    input_tokens: int | None
    output_tokens: int | None
    local: datetime
    used: Mapping[BudgetUse, tuple[int, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The first rule that holds, and the rules before it that could not be decided, each with the field it lacks."""

    rule: Rule | None
    unknown: tuple[tuple[str, str], ...]


def first_match(rules: tuple[Rule, ...], snapshot: Snapshot) -> Verdict:
    unknown: list[tuple[str, str]] = []
    for rule in rules:
        results = [(condition, holds(condition, snapshot)) for condition in rule.when]
        if all(result for _, result in results):
            return Verdict(rule=rule, unknown=tuple(unknown))
        if not any(result is False for _, result in results):
            lacking = next(condition.field for condition, result in results if result is None)
            unknown.append((rule.name, lacking))
    return Verdict(rule=None, unknown=tuple(unknown))


def holds(condition: Condition, snapshot: Snapshot) -> bool | None:
    """True, False, or None where the request lacks what the condition asks about. Not unknown is unknown."""
    result = _positive(condition, snapshot)
    return result if result is None or not condition.negated else not result


def _positive(condition: Condition, snapshot: Snapshot) -> bool | None:
    if condition.local_time is not None:
        return within(condition.local_time, snapshot.local)
    if condition.budget is not None:
        used = snapshot.used.get(condition.budget)
        return None if used is None else _share_holds(condition, *used)
    if condition.is_true is not None:
        return snapshot.request.stream is condition.is_true
    if condition.over is not None or condition.up_to is not None:
        return _between(_number(condition.field, snapshot), condition)
    return _any_of(condition, snapshot)


def _number(field: str, snapshot: Snapshot) -> int | None:
    return snapshot.input_tokens if field == "input_tokens" else snapshot.output_tokens


def _between(value: int | None, condition: Condition) -> bool | None:
    if value is None:
        return None
    return (condition.over is None or value > condition.over) and (
        condition.up_to is None or value <= condition.up_to
    )


def _share_holds(condition: Condition, used: int, amount: int) -> bool:
    if amount <= 0:  # people took back all that was left of it
        used, amount = max(used, 1), 1
    scaled = used * FULL_SHARE
    return (condition.over is None or scaled > condition.over * amount) and (
        condition.up_to is None or scaled <= condition.up_to * amount
    )


def _any_of(condition: Condition, snapshot: Snapshot) -> bool | None:
    request, wanted = snapshot.request, set(condition.any_of)
    match condition.field:
        case "tag":
            return None if not request.tags else not wanted.isdisjoint(request.tags)
        case "needs":
            return not wanted.isdisjoint(snapshot.needs)
        case "tenant":  # a path stands for everything below it
            return None if request.tenant is None else any(_below(request.tenant, path) for path in wanted)
        case field:
            value = {"user": request.user, "session": request.session}[field]
            return None if value is None else value in wanted


def _below(path: str, ancestor: str) -> bool:
    return path == ancestor or path.startswith(f"{ancestor}/")


def within(span: LocalTime, local: datetime) -> bool:
    """Whether `local` lies in the half-open span; the hours after midnight belong to the day the span started on."""
    minute, day = local.hour * 60 + local.minute, local.weekday()
    wraps = span.to_min <= span.from_min
    if not wraps:
        return span.from_min <= minute < span.to_min and _on(span, day)
    if minute >= span.from_min:
        return _on(span, day)
    return minute < span.to_min and _on(span, (day - 1) % 7)


def _on(span: LocalTime, day: int) -> bool:
    return not span.days or day in span.days
