"""`was`: the names that what is spent and taken is counted under, where they are not today's."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

from router.plan import Budget, Limit
from router.policy.document import Spot, text_of

A = TypeVar("A", Budget, Limit)


def counted_name(name: str, spot: Spot) -> str:
    """Of a provider, a policy or a pool."""
    return text_of(spot.get("was")) or name


def counted_path(path: str, tenants: Mapping[str, Spot]) -> str:
    """Of a tenant: its own `was`, else it follows its parent."""
    own = tenants.get(path)
    was = text_of(own.get("was")) if own else None
    above, _, segment = path.rpartition("/")
    if was is not None or not above:
        return was or path
    return f"{counted_path(above, tenants)}/{segment}"


def counted_as(amount: A, owner: str | None) -> A:
    """The same amount, counted under `owner`; its present owner stays the one that is shown."""
    if owner is None or owner == amount.owner:
        return amount
    return replace(amount, owner=owner, present=amount.owner)
