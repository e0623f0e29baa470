"""Pass: tenant blocks become tenants. Paths are a hierarchy: every ancestor is declared, and grants what it has."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Literal, cast

from router.decide.scopes import owner_of_each
from router.errors import Problem
from router.plan import Each, Tenant
from router.policy.counted import counted_path
from router.policy.demands import ceiling_of, demand_of
from router.policy.document import Spot
from router.policy.draft import Draft, problem
from router.policy.names import abstract_policy
from router.policy.phrases import suggestion
from router.policy.traps import shown
from router.policy.windows import budgets, limits


def resolve_tenants(draft: Draft) -> Draft:
    found = {path: _tenant(path, spot, draft) for path, spot in draft.written.tenants.items()}
    problems = [
        found for path, spot in draft.written.tenants.items() for found in _problems(path, spot, draft)
    ]
    return replace(draft, tenants=found).blaming([*problems, *_withheld(found, draft)])


def granted(tenants: Mapping[str, Tenant], path: str) -> frozenset[str] | None:
    """The policies that a declared tenant may call, all ancestors considered; None: all."""
    sets = [tenants[above].policies for above in chain(path) if above in tenants]
    named = [policies for policies in sets if policies is not None]
    return frozenset.intersection(*named) if named else None


def grants(tenants: Mapping[str, Tenant]) -> Mapping[str, frozenset[str] | None]:
    """What `granted` says of every tenant. Those whose grants are the same share one set."""
    found: dict[str, frozenset[str] | None] = {}
    for path in sorted(tenants, key=lambda path: path.count("/")):
        own, above = tenants[path].policies, found.get(path.rpartition("/")[0])
        found[path] = own if above is None else above if own is None or above <= own else own & above
    return found


@lru_cache(maxsize=32_768)
def chain(path: str) -> tuple[str, ...]:
    """The path and its ancestors, root first."""
    segments = path.split("/")
    return tuple("/".join(segments[: depth + 1]) for depth in range(len(segments)))


def _tenant(path: str, spot: Spot, draft: Draft) -> Tenant:
    policies, owner = spot.get("policies"), f"tenant:{path}"
    counted = counted_path(path, draft.written.tenants)
    listed = policies is not None and isinstance(policies.value, list)
    return Tenant(
        path=path,
        policies=frozenset(item.text for item in policies.items() if item.text)
        if policies and listed
        else None,
        ceiling=ceiling_of(spot),
        demand=demand_of(spot, owner, draft.targets),
        never=_never(spot),
        budgets=budgets(spot.get("budget"), owner, draft.written.budgets, counted=f"tenant:{counted}"),
        limits=limits(spot.get("limits"), owner, counted=f"tenant:{counted}"),
        each=tuple(_each(path, counted, of, below, draft) for of, below in _scopes(spot)),
        was=counted if counted != path else None,
        place=spot.key_place,
    )


def _never(spot: Spot) -> frozenset[str]:
    content = spot.get("content")
    return (
        frozenset(key for key, word in content.fields() if word.value == "never") if content else frozenset()
    )


def _scopes(spot: Spot) -> Iterator[tuple[str, Spot]]:
    each = spot.get("each")
    for of in ("user", "session", "child"):
        below = each.get(of) if each else None
        if below is not None:
            yield of, below


def _each(path: str, counted: str, of: str, spot: Spot, draft: Draft) -> Each:
    owner, was = owner_of_each(of, path), owner_of_each(of, counted)
    return Each(
        of=cast(Literal["user", "session", "child"], of),
        ceiling=ceiling_of(spot),
        demand=demand_of(spot, owner, draft.targets),
        budgets=budgets(spot.get("budget"), owner, draft.written.budgets, counted=was),
        limits=limits(spot.get("limits"), owner, counted=was),
        place=spot.key_place,
    )


def _problems(path: str, spot: Spot, draft: Draft) -> Iterator[Problem]:
    policies = spot.get("policies")
    if "/" not in path and policies is None and not spot.is_unsure_of("policies"):
        message = f"tenant {shown(path)} does not say which policies it may call"
        advice = "write `policies: all`, or a list; tenants below it may have fewer"
        yield problem("no-policies-named", message, spot.key_place, help=advice)
    if not path.isprintable():
        message = f"tenant {shown(path)} holds characters that do not show"
        yield problem("wrong-form", message, spot.key_place, help="write printable text")
    yield from _undeclared_ancestors(path, spot, draft)
    for item in policies.items() if policies else ():
        if item.text in draft.abstract:
            yield abstract_policy(str(item.text), item.place, draft)
        elif item.text is not None and not draft.may_declare("policies", item.text):
            advice = suggestion(item.value, draft.written.policies, what="policies here:")
            yield problem("dangling-name", f"there is no policy {shown(item.value)}", item.place, help=advice)


def _undeclared_ancestors(path: str, spot: Spot, draft: Draft) -> Iterator[Problem]:
    for above in chain(path)[:-1]:
        if not draft.may_declare("tenants", above):
            message = f"tenant {shown(path)} is below {shown(above)}, which is not declared"
            yield problem("undeclared-ancestor", message, spot.key_place, help=f"declare {shown(above)} too")
            return


def _withheld(tenants: Mapping[str, Tenant], draft: Draft) -> Iterator[Problem]:
    """Ceilings only tighten: a policy that the parent withholds can't be given below it."""
    granted_to = grants(tenants)
    for path, tenant in tenants.items():
        parent = path.rpartition("/")[0]
        above = granted_to.get(parent)
        named = draft.written.tenants[path].get("policies")
        if above is None or tenant.policies is None or named is None or not _knows_grants(parent, draft):
            continue
        for item in named.items():
            if item.text in tenant.policies - above and item.text in draft.written.policies:
                whose = f"{shown(parent)} may not call it"
                message = f"tenant {shown(path)} is given policy {shown(item.value)}, but {whose}"
                advice = f"give it to {shown(parent)} too, or take it out here"
                yield problem("policy-not-granted", message, item.place, help=advice)


def _knows_grants(path: str, draft: Draft) -> bool:
    """Whether the grants of a tenant and of all above it could be read."""
    written = [draft.written.tenants.get(above) for above in chain(path)]
    return all(spot is not None and _grants_are_whole(spot) for spot in written)


def _grants_are_whole(spot: Spot) -> bool:
    policies = spot.get("policies")
    return not spot.is_unsure_of("policies") if policies is None else policies.is_whole
