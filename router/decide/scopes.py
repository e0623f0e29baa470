"""Who is calling: the tenant's chain of ancestors, and the budgets and limits that hold for this caller."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import reduce
from typing import NamedTuple, TypeVar

from router.errors import NoRoute, RequestError
from router.plan import Budget, Ceiling, Demand, Each, Limit, Plan, Policy, Tenant
from router.values import Request

A = TypeVar("A", Budget, Limit)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """`tenants` from root to leaf; empty where the files declare no tenants."""

    tenants: tuple[Tenant, ...]
    budgets: tuple[Budget, ...]
    limits: tuple[Limit, ...]
    ceiling: Ceiling = field(default_factory=Ceiling)
    demands: tuple[Demand, ...] = ()
    never: frozenset[str] = frozenset()  # what the content of this caller is never in: "cache", "log"


NOBODY = Caller(tenants=(), budgets=(), limits=())
"""The caller where the files declare no tenants."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """` (did you mean `x`?)`, or nothing."""
    close = get_close_matches(name, sorted(known), n=1, cutoff=0.6)
    return f" (did you mean `{close[0]}`?)" if close else ""


def called_policy(plan: Plan, request: Request) -> Policy:
    """Raises RequestError for a policy that does not exist."""
    policy = plan.policies.get(request.policy)
    if request.policy in plan.abstract:
        raise RequestError(
            f"policy `{request.policy}` is abstract: it is only there to be extended",
            help=f"policies that can be called: {', '.join(sorted(plan.policies)) or 'none'}",
        )
    if policy is None:
        raise RequestError(
            f"unknown policy `{request.policy}`{did_you_mean(request.policy, plan.policies)}",
            help=f"policies here: {', '.join(sorted(plan.policies)) or 'none'}",
        )
    return policy


def caller(plan: Plan, request: Request) -> Caller:
    """The scopes of this caller. Raises NoRoute where a tenant, user or session is missing, unknown or not allowed."""
    if not plan.tenants:
        return NOBODY
    if request.tenant is None:
        raise NoRoute(
            "this call names no tenant, and the policies declare tenants",
            help=f"pass tenant=...; declared: {', '.join(sorted(plan.tenants))}",
        )
    chain = _chain(plan, request.tenant)
    _refuse_policy(chain, request)
    each = [found for tenant in chain for found in _each_values(plan, tenant, request)]
    scopes: tuple[Tenant | Each, ...] = (*chain, *(each_ for each_, _ in each))
    return Caller(
        tenants=chain,
        budgets=(
            *(budget for tenant in chain for budget in tenant.budgets),
            *(bucket_of(budget, value) for each_, value in each for budget in each_.budgets),
        ),
        limits=(
            *(limit for tenant in chain for limit in tenant.limits),
            *(bucket_of(limit, value) for each_, value in each for limit in each_.limits),
        ),
        ceiling=reduce(tighter, (scope.ceiling for scope in scopes)),
        demands=tuple(scope.demand for scope in scopes if scope.demand),
        never=never_of(plan, request.tenant),
    )


def never_of(plan: Plan, tenant: str | None) -> frozenset[str]:
    """What the content of a tenant, or of one below it, is never in: "cache", "log"."""
    segments = (tenant or "").split("/")
    above = ("/".join(segments[: depth + 1]) for depth in range(len(segments)))
    return frozenset[str]().union(*(plan.tenants[path].never for path in above if path in plan.tenants))


def tighter(a: Ceiling, b: Ceiling) -> Ceiling:
    """Both of them: the smaller of each figure."""
    return Ceiling(
        input_tokens=least(a.input_tokens, b.input_tokens),
        output_tokens=least(a.output_tokens, b.output_tokens),
        attempts=least(a.attempts, b.attempts),
        added_cost_nusd=least(a.added_cost_nusd, b.added_cost_nusd),
    )


def least(a: int | None, b: int | None) -> int | None:
    """The smaller figure; None is no figure."""
    return b if a is None else a if b is None else min(a, b)


def _chain(plan: Plan, path: str) -> tuple[Tenant, ...]:
    segments = path.split("/")
    paths = ["/".join(segments[: depth + 1]) for depth in range(len(segments))]
    if not all(segments):
        raise RequestError(
            f"`{path}` is not a tenant path", help="write segments separated by one `/`: acme/search"
        )
    declared = [plan.tenants[known] for known in paths if known in plan.tenants]
    if len(declared) == len(paths):
        return tuple(declared)
    parent = plan.tenants.get("/".join(segments[:-1]))
    if len(declared) == len(paths) - 1 and parent and any(each.of == "child" for each in parent.each):
        return tuple(declared)
    raise NoRoute(
        f"unknown tenant `{path}`{did_you_mean(path, plan.tenants)}",
        help="declare it under `tenants:`, or give its parent `each: {child: ...}`",
    )


def _refuse_policy(chain: tuple[Tenant, ...], request: Request) -> None:
    for tenant in chain:
        if tenant.policies is not None and request.policy not in tenant.policies:
            raise NoRoute(
                f"tenant `{request.tenant}` may not call policy `{request.policy}`",
                help=f"`{tenant.path}` allows: {', '.join(sorted(tenant.policies)) or 'none'} ({tenant.place})",
            )


class Value(NamedTuple):
    """A user, session or child with a bucket of its own: its name today, and the one that it is counted under."""

    present: str
    counted: str


def child_value(plan: Plan, parent: Tenant, child: str) -> Value:
    """Of the segment below a tenant. One that `was` another below the same tenant keeps that one's bucket."""
    below = plan.tenants.get(f"{parent.path}/{child}")
    above, _, segment = below.counted.rpartition("/") if below else ("", "", child)
    return Value(child, segment if above == parent.counted else child)


def _each_values(plan: Plan, tenant: Tenant, request: Request) -> Iterator[tuple[Each, Value]]:
    for each in tenant.each:
        value = _value_of(each, tenant, request)
        if value is not None:
            yield each, child_value(plan, tenant, value) if each.of == "child" else Value(value, value)


def _value_of(each: Each, tenant: Tenant, request: Request) -> str | None:
    if each.of == "child":  # the direct child on the way down; the tenant itself is not below itself
        below = (request.tenant or "")[len(tenant.path) + 1 :]
        return below.split("/")[0] or None
    value = request.user if each.of == "user" else request.session
    if not value:
        raise NoRoute(
            f"tenant `{request.tenant}` needs a {each.of} on every call, and this one names none",
            help=f"pass {each.of}=...; each {each.of} has a bucket of its own ({each.place})",
        )
    if "/" in value or not value.isprintable():
        raise RequestError(f"`{value!a}` can't be a {each.of}: printable text without `/` can")
    return value


def owner_of_each(of: str, path: str) -> str:
    """The owner of what each user, session or child of a tenant has: `user:acme:*`. The path holds no `:` there, so
    that `user:a:b:c` is one user of one tenant and no other's."""
    return f"{of}:{path.replace('%', '%25').replace(':', '%3A')}:*"


def tenant_of(owner: str) -> str:
    """The path of the tenant in an owner made by `owner_of_each`."""
    return owner.split(":")[1].replace("%3A", ":").replace("%25", "%")


def bucket_of(amount: A, value: Value) -> A:
    """The bucket of one value; a pool stays the one that everybody spends from."""
    if not amount.owner.endswith("*"):
        return amount
    owner = f"{amount.owner.removesuffix('*')}{value.counted}"
    present = f"{amount.whose.removesuffix('*')}{value.present}"
    return replace(amount, owner=owner, present="" if present == owner else present)
