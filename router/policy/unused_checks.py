"""Checks of what is declared to be named elsewhere, and is not."""

from collections.abc import Iterator

from router.errors import Problem
from router.policy.document import text_of
from router.policy.draft import Draft, problem
from router.policy.extends import parent_of
from router.policy.names import amount_blocks


def unused_pools(draft: Draft) -> Iterator[Problem]:
    named = {text_of(block.get("pool")) for block in amount_blocks(draft)}
    for name, spot in draft.written.budgets.items():
        if name not in named:
            message = f"no budget spends from the pool `{name}`, so it bounds nothing"
            advice = f"write `budget: {{pool: {name}}}` where it is to hold, or take it out"
            yield problem("never-used", message, spot.key_place, help=advice, severity="warning")


def unused_parents(draft: Draft) -> Iterator[Problem]:
    """Abstract policies without a child; nothing is said where one of them could not be read."""
    if not draft.abstract.keys() <= draft.written.policies.keys():
        return
    parents = {parent_of(spot) for spot in draft.written.policies.values()}
    for name, policy in draft.abstract.items():
        if name not in parents:
            message = f"no policy extends `{name}`, and an abstract policy does nothing else"
            advice = f"write `extends: {name}` in those that should, or take it out"
            yield problem("never-used", message, policy.place, help=advice, severity="warning")
