"""A rule is only called hidden where the earlier one holds on every request on which it holds."""

from datetime import datetime

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from router.decide.conditions import Snapshot, first_match
from router.plan import BudgetUse, Condition, LocalTime, Rule
from router.policy.order_checks import _hides
from router.values import Place, Request

HERE = Place(file="a.yaml", line=1, column=1)
USE = BudgetUse(of="tenant", name=None, window="day")
TENANTS = ("acme", "acme/search", "acme/search/eu", "other")
NAMES = ("a", "b", "c")
SPANS = st.builds(
    LocalTime,
    from_min=st.sampled_from([0, 600, 1320]),
    to_min=st.sampled_from([360, 720]),
    days=st.frozensets(st.sampled_from([0, 4]), max_size=2),
)


def bounds(field: str, numbers: list[int], budget: BudgetUse | None = None) -> st.SearchStrategy[Condition]:
    number = st.none() | st.sampled_from(numbers)
    made = st.builds(
        lambda over, up_to: Condition(field=field, over=over, up_to=up_to, budget=budget), number, number
    )
    return made.filter(lambda each: each.over is not None or each.up_to is not None)


def any_of(field: str, names: tuple[str, ...]) -> st.SearchStrategy[Condition]:
    chosen = st.lists(st.sampled_from(names), min_size=1, max_size=2, unique=True)
    return st.builds(lambda names: Condition(field=field, any_of=tuple(sorted(names))), chosen)


CONDITIONS = st.builds(
    lambda condition, negated: Condition(
        **{
            name: getattr(condition, name)
            for name in ("field", "any_of", "is_true", "over", "up_to", "local_time", "budget")
        },
        negated=negated,
    ),
    st.one_of(
        any_of("tenant", TENANTS),
        any_of("user", NAMES),
        any_of("tag", NAMES),
        any_of("needs", ("tools", "vision")),
        bounds("input_tokens", [10, 20, 30]),
        bounds("output_tokens", [10, 20]),
        bounds("budget_used", [50_000, 80_000], USE),
        st.booleans().map(lambda value: Condition(field="stream", is_true=value)),
        SPANS.map(lambda span: Condition(field="local_time", local_time=span)),
    ),
    st.booleans(),
)
WHENS = st.lists(CONDITIONS, min_size=1, max_size=3, unique_by=lambda each: (each.field, each.negated)).map(
    tuple
)
REQUESTS = st.builds(
    Request,
    id=st.just("1"),
    policy=st.just("p"),
    messages=st.just(()),
    tenant=st.none() | st.sampled_from(TENANTS),
    user=st.none() | st.sampled_from(NAMES),
    tags=st.lists(st.sampled_from(NAMES), max_size=2).map(tuple),
    stream=st.booleans(),
)
SNAPSHOTS = st.builds(
    Snapshot,
    request=REQUESTS,
    needs=st.frozensets(st.sampled_from(["tools", "vision"])),
    input_tokens=st.sampled_from([5, 15, 20, 25, 35]),
    output_tokens=st.none() | st.sampled_from([5, 15, 25]),
    local=st.datetimes(min_value=datetime(2026, 1, 5), max_value=datetime(2026, 1, 12)),
    used=st.just({}) | st.sampled_from([40, 60, 90]).map(lambda used: {USE: (used, 100)}),
)


def rule(name: str, when: tuple[Condition, ...]) -> Rule:
    return Rule(name=name, when=when, place=HERE)


@settings(max_examples=400)
@given(st.data(), WHENS, SNAPSHOTS)
def test_hidden_rules_never_win(
    data: st.DataObject, earlier: tuple[Condition, ...], snapshot: Snapshot
) -> None:
    # half of the time a rule that has a fair chance to be narrower: the earlier one's conditions and some more
    more = data.draw(st.lists(CONDITIONS, max_size=2))
    written = {
        (each.field, each.negated): each for each in (*more, *(earlier if data.draw(st.booleans()) else ()))
    }
    later = tuple(written.values())
    assume(later)
    if _hides(rule("earlier", earlier), rule("later", later)):
        found = first_match((rule("earlier", earlier), rule("later", later)), snapshot).rule
        assert found is None or found.name == "earlier"


def not_tenant(*paths: str) -> tuple[Condition, ...]:
    return (Condition(field="tenant", any_of=paths, negated=True),)


HIDES = {
    "the same": (not_tenant("acme"), not_tenant("acme"), True),
    "not acme lies within not acme/search": (not_tenant("acme/search"), not_tenant("acme"), True),
    "not acme/search reaches beyond not acme": (not_tenant("acme"), not_tenant("acme/search"), False),
    "not a or b lies within not a": (not_tenant("a"), not_tenant("a", "b"), True),
    "not a reaches beyond not a or b": (not_tenant("a", "b"), not_tenant("a"), False),
    "a lies within a or b": (
        (Condition(field="tag", any_of=("a", "b")),),
        (Condition(field="tag", any_of=("a",)),),
        True,
    ),
    "a prefix of a name is no ancestor": (
        (Condition(field="tenant", any_of=("acme",)),),
        (Condition(field="tenant", any_of=("acme-labs",)),),
        False,
    ),
    "not over 30 reaches beyond not over 20": (
        (Condition(field="input_tokens", over=20, negated=True),),
        (Condition(field="input_tokens", over=30, negated=True),),
        False,
    ),
    "every day reaches beyond mondays": (
        (Condition(field="local_time", local_time=LocalTime(from_min=0, to_min=60, days=frozenset({0}))),),
        (Condition(field="local_time", local_time=LocalTime(from_min=0, to_min=60, days=frozenset())),),
        False,
    ),
}


@pytest.mark.parametrize("case", HIDES)
def test_what_hides_what(case: str) -> None:
    earlier, later, hidden = HIDES[case]
    assert _hides(rule("earlier", earlier), rule("later", later)) is hidden
