"""Rules at random, and a grid of requests fine enough to meet every combination of their conditions."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from typing import Any

from hypothesis import strategies as st

from router.decide.axes import Witness
from router.plan import BudgetUse, Condition, Each, LocalTime, Plan, Rule
from tests.build import PLACE, budget, entry, plan, policy, tenant

DAY = BudgetUse(of="tenant", name=None, window="day")
MONTH = BudgetUse(of="policy", name=None, window="month")
TENANTS = ("acme", "acme/search", "acme/search/eu", "acme/any", "other")
NAMES = ("a", "b")
EACH = (Each(of="child", budgets=(), limits=(), place=PLACE),)


def between(
    field: str, numbers: tuple[int, ...], use: BudgetUse | None = None
) -> st.SearchStrategy[Condition]:
    bound = st.none() | st.sampled_from(numbers)
    made = st.builds(
        lambda over, up_to: Condition(field=field, over=over, up_to=up_to, budget=use), bound, bound
    )
    return made.filter(lambda each: each.over is not None or each.up_to is not None)


def any_of(field: str, names: tuple[str, ...]) -> st.SearchStrategy[Condition]:
    chosen = st.lists(st.sampled_from(names), min_size=1, max_size=2, unique=True)
    return chosen.map(lambda found: Condition(field=field, any_of=tuple(sorted(found))))


SPANS = st.builds(
    LocalTime,
    from_min=st.sampled_from([0, 600, 1320]),
    to_min=st.sampled_from([360, 720]),
    days=st.frozensets(st.sampled_from([0, 4]), max_size=2),
)
CONDITIONS = st.builds(
    lambda condition, negated: replace(condition, negated=negated),
    st.one_of(
        any_of("tenant", TENANTS),
        any_of("user", NAMES),
        any_of("tag", NAMES),
        any_of("needs", ("tools", "vision")),
        between("input_tokens", (10, 20)),
        between("output_tokens", (10,)),
        between("budget_used", (50_000, 80_000), DAY),
        between("budget_used", (50_000,), MONTH),
        st.booleans().map(lambda value: Condition(field="stream", is_true=value)),
        SPANS.map(lambda span: Condition(field="local_time", local_time=span)),
    ),
    st.booleans(),
)
WHENS = st.lists(CONDITIONS, min_size=1, max_size=3, unique_by=lambda each: (each.field, each.negated))


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """`main`, with rules that lead to targets, rejections and the policy `below`, which has rules of its own."""
    deep = [
        Rule(name=f"deep{at}", when=tuple(when), entries=(entry("groq/b"),), place=PLACE)
        for at, when in enumerate(draw(st.lists(WHENS, max_size=2)))
    ]
    rules = [
        Rule(name=f"rule{at}", when=tuple(when), place=PLACE, **draw(st.sampled_from(OUTCOMES)))
        for at, when in enumerate(draw(st.lists(WHENS, min_size=1, max_size=4)))
    ]
    return plan(
        policy(
            "main", "openai/a", "below", rules=tuple(rules), budgets=(budget("policy:main", 10**9, "month"),)
        ),
        policy("below", "groq/c", rules=tuple(deep)),
        tenants=(
            tenant("acme", budgets=(budget("tenant:acme", 10**9),), each=EACH),
            tenant("acme/search"),
            tenant("acme/search/eu", budgets=(budget("tenant:acme/search/eu", 2 * 10**9),)),
            tenant("other"),
        ),
    )


OUTCOMES: list[dict[str, Any]] = [
    {"entries": (entry("openai/r"),)},
    {"entries": (entry("below"),)},
    {"entries": (entry("openai/r"), entry("below"))},
    {"reject": "no"},
]
FIELDS: dict[str, tuple[Any, ...]] = {
    "user": (None, "a", "b", "z"),
    "tags": ((), ("a",), ("b",), ("a", "b"), ("z",)),
    "needs": tuple(frozenset(each) for each in ((), ("tools",), ("vision",), ("tools", "vision"))),
    "input_tokens": (1, 10, 11, 20, 21),
    "output_tokens": (None, 10, 11),
    "stream": (False, True),
    "day": (0, 1, 4, 5),
    "minute": (0, 359, 360, 600, 719, 720, 1319, 1320),
}
SPENT = tuple(
    ((DAY, day), (MONTH, month))
    for day, month in product(
        (0, 500_000_000, 500_000_001, 800_000_001, 1_600_000_000, 1_600_000_001), (0, 500_000_001)
    )
)


def grid(whole: Plan) -> Iterator[Witness]:
    """Every combination of the fields that the rules read, and any values of the others."""
    read = {each.field for one in whole.policies.values() for rule in one.rules for each in rule.when}
    names = {"tag": {"tags"}, "local_time": {"day", "minute"}}
    wide = set().union(*(names.get(field, {field}) for field in read))
    options = {field: values if field in wide else values[:1] for field, values in FIELDS.items()}
    spent = SPENT if "budget_used" in read else SPENT[:1]
    for tenant_, used, *rest in product(TENANTS, spent, *options.values()):
        yield Witness(tenant=tenant_, used=used, **dict(zip(options, rest, strict=True)))
