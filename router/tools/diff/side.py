"""One of the two sets of policies that are compared: its plan, and where everything in it was written."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from router.plan import Ceiling, Demand, Each, Plan
from router.policy.digest import canonical
from router.policy.document import Spot
from router.policy.draft import Written
from router.policy.extends import woven_policies
from router.policy.load import Loaded
from router.policy.merge import written_in
from router.values import Place

EACHES = ("user", "session", "child")


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """`name` is how its user called it. `written` holds policies with what they inherit."""

    name: str
    loaded: Loaded = field(repr=False)
    plan: Plan = field(repr=False)
    written: Written = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What holds ceilings and demands: a policy, a tenant, or each of its users, sessions or children. `spot` None:
    not written."""

    subject: str
    spot: Spot | None
    ceiling: Ceiling
    demand: Demand | None
    total_s: float | None = None
    stream_s: float | None = None
    never: frozenset[str] = frozenset()


def side_of(name: str, loaded: Loaded) -> Side:
    """Raises ValueError where the files make no plan."""
    if loaded.plan is None:
        raise ValueError("these policies have errors, so there is nothing to compare")
    written = written_in(loaded.documents)
    woven = Written(
        providers=written.providers,
        policies=woven_policies(written.policies),
        tenants=written.tenants,
        budgets=written.budgets,
        settings=written.settings,
    )
    return Side(name=name, loaded=loaded, plan=loaded.plan, written=woven)


def meaning(value: Any) -> str:
    """Equal where the digest sees no difference."""
    return json.dumps(canonical(value), sort_keys=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """Names on both sides whose entries mean something else: nothing else is looked at closely."""

    policies: tuple[str, ...]
    tenants: tuple[str, ...]
    providers: tuple[str, ...]


def moved(old: Side, new: Side) -> Moved:
    return Moved(
        policies=_otherwise(old.plan.policies, new.plan.policies),
        tenants=_otherwise(old.plan.tenants, new.plan.tenants),
        providers=_otherwise(old.plan.providers, new.plan.providers),
    )


def _otherwise(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(name for name in before if name in after and meaning(before[name]) != meaning(after[name]))


def place_of(spot: Spot | None, name: str) -> Place | None:
    """Where the value of a dotted name was written; for a block that is `off`, where that stands. None: nowhere."""
    for key in name.split("."):
        if spot is None or not isinstance(spot.value, dict):
            break
        spot = spot.get(key)
    else:
        return spot.key_place if spot else None
    return spot.key_place if spot else None


def scopes(side: Side, policies: Iterable[str], tenants: Iterable[str]) -> Iterator[Scope]:
    """Of these policies and tenants, and each of a tenant whether it is written or not."""
    for name in policies:
        policy = side.plan.policies[name]
        yield Scope(
            subject=f"policy {name}",
            spot=side.written.policies[name],
            ceiling=policy.ceiling,
            demand=policy.demand,
            total_s=policy.total_s,
            stream_s=policy.stream_s,
        )
    for path in tenants:
        tenant = side.plan.tenants[path]
        spot = side.written.tenants[path]
        yield Scope(
            subject=f"tenant {path}",
            spot=spot,
            ceiling=tenant.ceiling,
            demand=tenant.demand,
            never=tenant.never,
        )
        for of, each in eaches(tenant.each):
            ceiling, demand = (each.ceiling, each.demand) if each else (Ceiling(), None)
            subject = f"each {of} of {path}"
            yield Scope(subject=subject, spot=spot.at("each", of), ceiling=ceiling, demand=demand)


def eaches(written: tuple[Each, ...]) -> Iterator[tuple[str, Each | None]]:
    """Every sort of bucket, with what is written of it."""
    known = {each.of: each for each in written}
    yield from ((of, known.get(of)) for of in EACHES)  # type: ignore[call-overload]
