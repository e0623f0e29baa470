"""Ways through a policy as written, for passes that look at the same parts of it."""

from collections.abc import Iterator

from router.policy.document import Spot


def rules_of(policy: Spot) -> Iterator[Spot]:
    rules = policy.get("rules")
    if rules is not None:
        yield from rules.items()


def target_items(policy: Spot) -> Iterator[Spot]:
    """The items of its targets, and of the targets of its rules."""
    for targets in (policy.get("targets"), *(rule.get("targets") for rule in rules_of(policy))):
        if targets is not None:
            yield from targets.items()


def conditions_of(policy: Spot) -> Iterator[Spot]:
    """Every `when`, and every `not` in one."""
    for rule in rules_of(policy):
        for when in (rule.get("when"), rule.at("when", "not")):
            if when is not None:
                yield when
