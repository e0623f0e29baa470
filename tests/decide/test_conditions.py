"""Rules: three-valued, on one snapshot, first match."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.decide.conditions import Snapshot, first_match, holds, within
from router.plan import BudgetUse, Condition, LocalTime, Rule
from router.values import Request
from tests.build import PLACE

MONDAY = datetime(2026, 11, 23, 12, 0)
DAY = BudgetUse(of="tenant", name=None, window="day")


def snapshot(**fields: Any) -> Snapshot:
    request_fields = {
        name: fields.pop(name) for name in ("tenant", "user", "session", "tags") if name in fields
    }
    request = Request(id="r", policy="p", messages=(), **request_fields)
    values: dict[str, Any] = {
        "request": request,
        "needs": frozenset(),
        "input_tokens": 100,
        "output_tokens": None,
        "local": MONDAY,
        "used": {},
    }
    return Snapshot(**{**values, **fields})


@pytest.mark.parametrize(
    ("condition", "given_", "expected"),
    [
        (Condition(field="tenant", any_of=("acme",)), {"tenant": "acme/search"}, True),
        (Condition(field="tenant", any_of=("acme",)), {"tenant": "acmex"}, False),
        (Condition(field="tenant", any_of=("acme",)), {}, None),
        (Condition(field="tenant", any_of=("acme",), negated=True), {}, None),
        (Condition(field="user", any_of=("ann", "bob")), {"user": "bob"}, True),
        (Condition(field="tag", any_of=("beta",)), {"tags": ("x", "beta")}, True),
        (Condition(field="tag", any_of=("beta",)), {}, None),
        (Condition(field="needs", any_of=("vision",)), {}, False),
        (Condition(field="needs", any_of=("vision",)), {"needs": frozenset({"vision"})}, True),
        (Condition(field="input_tokens", over=100), {}, False),
        (Condition(field="input_tokens", up_to=100), {}, True),
        (Condition(field="input_tokens", over=100, negated=True), {}, True),
        (Condition(field="output_tokens", up_to=100), {}, None),
        (Condition(field="output_tokens", up_to=100), {"output_tokens": 100}, True),
        (Condition(field="stream", is_true=True), {}, False),
        (Condition(field="budget_used", budget=DAY, over=80_000), {"used": {DAY: (80, 100)}}, False),
        (Condition(field="budget_used", budget=DAY, over=80_000), {"used": {DAY: (81, 100)}}, True),
        (Condition(field="budget_used", budget=DAY, up_to=80_000), {"used": {DAY: (80, 100)}}, True),
        (Condition(field="budget_used", budget=DAY, over=80_000), {}, None),
    ],
)
def test_a_condition_holds_fails_or_is_unknown(
    condition: Condition, given_: dict[str, Any], expected: bool | None
) -> None:
    assert holds(condition, snapshot(**given_)) is expected


def test_unknown_does_not_match_and_is_told() -> None:
    unsure = Rule(name="vip", when=(Condition(field="user", any_of=("ann",)),), reject="no", place=PLACE)
    sure = Rule(name="long", when=(Condition(field="input_tokens", over=10),), reject="no", place=PLACE)
    verdict = first_match((unsure, sure), snapshot())
    assert verdict.rule is sure
    assert verdict.unknown == (("vip", "user"),)


def test_a_false_condition_beside_an_unknown_one_is_false() -> None:
    both = (Condition(field="user", any_of=("ann",)), Condition(field="input_tokens", over=1_000))
    verdict = first_match((Rule(name="both", when=both, reject="no", place=PLACE),), snapshot())
    assert verdict.rule is None
    assert verdict.unknown == ()


@given(over=st.integers(0, 10**6), tokens=st.integers(0, 10**6))
def test_over_and_up_to_are_complements(over: int, tokens: int) -> None:
    shot = snapshot(input_tokens=tokens)
    assert holds(Condition(field="input_tokens", over=over), shot) is not holds(
        Condition(field="input_tokens", up_to=over), shot
    )


NIGHT = LocalTime(from_min=22 * 60, to_min=6 * 60, days=frozenset({0}))


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (datetime(2026, 11, 23, 22, 0), True),  # Monday night begins
        (datetime(2026, 11, 24, 5, 59), True),  # and is still Monday's
        (datetime(2026, 11, 24, 6, 0), False),  # half-open
        (datetime(2026, 11, 23, 5, 0), False),  # Sunday's night
        (datetime(2026, 11, 24, 22, 0), False),  # Tuesday's
    ],
)
def test_a_span_over_midnight_belongs_to_the_day_it_starts_on(at: datetime, expected: bool) -> None:
    assert within(NIGHT, at) is expected


@given(start=st.integers(0, 1439), end=st.integers(0, 1439), minute=st.integers(0, 7 * 1440 - 1))
def test_a_span_and_its_reverse_part_every_day(start: int, end: int, minute: int) -> None:
    at = MONDAY.replace(hour=0) + timedelta(minutes=minute)
    span = LocalTime(from_min=start, to_min=end, days=frozenset())
    rest = LocalTime(from_min=end, to_min=start, days=frozenset())
    if start == end:
        assert within(span, at)
    else:
        assert within(span, at) is not within(rest, at)
