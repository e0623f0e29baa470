"""Checks of budgets that are rolling."""

from collections.abc import Iterator

from router.decide.sliding import MOST
from router.decide.written import budgets_of
from router.errors import Problem
from router.policy.draft import Draft, problem
from router.policy.names import amount_blocks
from router.policy.scalars import count_text, money_text
from router.policy.table.amounts import BUDGET, ROLLING
from router.values import Place

FIXED = frozenset(BUDGET.keys) - frozenset(ROLLING)
"""Windows that can't slide."""

MOST_ROLLING = MOST // 2
"""In nano-USD, tokens or requests: every store counts exactly up to twice that."""


def fixed_windows(draft: Draft) -> Iterator[Problem]:
    """Windows that are told to roll, and can't. Of a key that is no window nothing more is said than that."""
    for block in (*amount_blocks(draft), *draft.written.budgets.values()):
        for key, window in block.fields():
            rolling = window.get("rolling")
            if rolling is not None and rolling.value is True and key in FIXED:
                message = f"`{key}` can't be rolling: only an hour, a day and a week can"
                advice = "take it out; `per_week` is the longest that slides"
                yield problem("cannot-roll", message, rolling.key_place, help=advice)


def large_amounts(draft: Draft) -> Iterator[Problem]:
    """Amounts that not every store could add up exactly, bucket by bucket."""
    seen: set[Place] = set()
    for budget in budgets_of(draft.plan):
        if budget.rolling and budget.amount > MOST_ROLLING and budget.place not in seen:
            seen.add(budget.place)
            most = money_text(MOST_ROLLING) if budget.unit == "nusd" else count_text(MOST_ROLLING)
            message = f"`{budget.text}` is more than a rolling budget can hold exactly: {most}"
            advice = "lower it, or take `rolling` out: a calendar window holds more"
            yield problem("cannot-roll", message, budget.place, help=advice)
