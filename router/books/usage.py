"""What was spent, from the ledger's rows alone, and what is left of budgets and limits."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from zoneinfo import ZoneInfo

from router.books.balance import BudgetNow, LimitNow, budgets_now, limits_now
from router.books.renamed import bucket_named, named_today, tenant_today
from router.books.since import Since, looking_back_s
from router.books.spends import Spend, Table, spend_of, steps_of, table_of, words_of
from router.decide.scopes import Value, bucket_of, child_value, did_you_mean
from router.decide.windows import window_start
from router.engine import Ports
from router.errors import RequestError
from router.plan import ROLLING_S, Budget, Limit, Plan, Window
from router.ports import Row

DAY_S = 86_400.0
LONGEST_S: Mapping[str, float] = {
    "hour": 2 * 3_600.0,
    "day": 2 * DAY_S,
    "week": 8 * DAY_S,
    "month": 32 * DAY_S,
}
"""No calendar window began longer ago than this; `total` began with the ledger."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Times are Unix seconds. `steps` are the keys of the windows, each a `step`, of what groups spent over time."""

    since_s: float
    now_s: float
    time_zone: str
    total: Spend
    step: Window
    steps: tuple[str, ...]
    tables: tuple[Table, ...]
    budgets: tuple[BudgetNow, ...]
    limits: tuple[LimitNow, ...]


async def usage(
    plan: Plan,
    ports: Ports,
    *,
    since: Since = "7d",
    by: Sequence[str] = (),
    window: Window | None = None,
    tenant: str | None = None,
) -> Report:
    """One table by all words of `by` (of KEYS); without any, the tables of OVERVIEW. `tenant` leaves out spend that is
    not at or below it, and budgets and limits that do not hold for it. Raises StoreError, RequestError for a word that
    is none, and for a tenant that neither files nor rows know."""
    now_s, zone = ports.clock.now_s(), ZoneInfo(plan.settings.time_zone)
    since_s, tables = (
        looking_back_s(since, now_s=now_s, time_zone=plan.settings.time_zone),
        words_of(by, window),
    )
    kept = await ports.ledger.rows(since_s=min(since_s, _buckets_since_s(plan, now_s)))
    named = map(named_today(plan), kept)
    rows = [row for row in named if tenant is None or _at_or_below(row.tenant, tenant)]
    if tenant is not None and not rows and not _may_exist(plan, tenant):
        today = tenant_today(plan, tenant)
        if today != tenant:
            raise RequestError(
                f"tenant `{tenant}` is `{today}` now",
                help="ask by that: what was spent under the old name is there",
            )
        near = did_you_mean(tenant, plan.tenants)
        raise RequestError(
            f"unknown tenant `{tenant}`{near}", help="neither the policies nor the ledger know it"
        )
    counted = [row for row in rows if row.reserved_at_s >= since_s]
    budgets = [*_budgets(plan, tenant), *_bucket_budgets(plan, rows, now_s, zone, tenant)]
    limits = [*_limits(plan, tenant), *_bucket_limits(plan, rows, now_s, tenant)]
    step, steps = steps_of(since_s, now_s, zone)
    return Report(
        since_s=since_s,
        now_s=now_s,
        time_zone=plan.settings.time_zone,
        total=spend_of(counted),
        step=step,
        steps=steps,
        tables=tuple(
            table_of(counted, words, window or "day", zone, step=step, steps=steps) for words in tables
        ),
        budgets=tuple((await budgets_now(ports.ledger, budgets, now_s=now_s, zone=zone)).values()),
        limits=tuple((await limits_now(ports.limiter, limits, now_s=now_s)).values()),
    )


def known_budgets(plan: Plan, rows: Sequence[Row], *, now_s: float, zone: tzinfo) -> tuple[Budget, ...]:
    """Every budget that the files name, and those of users, sessions and children that rows of today's windows name."""
    return tuple(dict.fromkeys((*_budgets(plan, None), *_bucket_budgets(plan, rows, now_s, zone, None))))


# --- Budgets and limits -----------------------------------------------------------------------------------------------


def _may_exist(plan: Plan, tenant: str) -> bool:
    """Declared, or below one whose children need not be."""
    above = plan.tenants.get(tenant.rpartition("/")[0])
    return tenant in plan.tenants or (above is not None and any(each.of == "child" for each in above.each))


def _holds_for(scope: str, tenant: str | None) -> bool:
    """Whether the budgets of a scope are spent by this tenant, or by one below it."""
    return tenant is None or _at_or_below(scope, tenant) or _at_or_below(tenant, scope)


def _budgets(plan: Plan, tenant: str | None) -> Iterator[Budget]:
    """The budgets that the files name, but for those of each request, which leave no balance."""
    owners = [each for each in plan.tenants.values() if _holds_for(each.path, tenant)]
    found = [each.budgets for each in owners]
    if tenant is None:
        found += [each.budgets for each in plan.policies.values()]
        found += [each.budgets for each in plan.providers.values()]
    yield from (budget for budgets in found for budget in budgets if budget.window != "request")


def _limits(plan: Plan, tenant: str | None) -> Iterator[Limit]:
    for each in plan.tenants.values():
        if _holds_for(each.path, tenant):
            yield from each.limits
    if tenant is None:
        yield from (limit for policy in plan.policies.values() for limit in policy.limits)
        for provider in plan.providers.values():
            yield from provider.limits
            yield from (limit for limits in provider.model_limits.values() for limit in limits)
            yield from (limit for key in provider.keys for limit in key.limits)


def _bucket_budgets(
    plan: Plan, rows: Sequence[Row], now_s: float, zone: tzinfo, tenant: str | None
) -> Iterator[Budget]:
    """One budget for each user, session or child that the rows of the present windows name."""
    seen = {counter for row in rows for counter, _ in row.counters}
    rolled = {
        counter
        for row in rows
        for counter, _ in row.rolling
        if row.reserved_at_s > now_s - ROLLING_S[counter.window]
    }
    for budget in _each_budgets(plan, tenant):
        if not budget.owner.endswith("*"):  # a pool, or the bucket of one child
            yield budget
            continue
        start = "" if budget.rolling else window_start(budget.window, now_s, zone)[0]
        owners = {
            each.owner
            for each in (rolled if budget.rolling else seen)
            if (each.unit, each.window, each.start) == (budget.unit, budget.window, start)
        }
        prefix = budget.owner.removesuffix("*")
        values = (owner.removeprefix(prefix) for owner in sorted(owners) if owner.startswith(prefix))
        yield from (bucket_named(plan, budget, value) for value in values)


def _each_budgets(plan: Plan, tenant: str | None = None) -> Iterator[Budget]:
    """Templates; of a tenant above the one asked about, the bucket of the child on the way down alone."""
    for declared in plan.tenants.values():
        for each in declared.each if _holds_for(declared.path, tenant) else ():
            own = tenant is None or _at_or_below(declared.path, tenant)
            below = "" if own else (tenant or "")[len(declared.path) + 1 :].partition("/")[0]
            for budget in each.budgets:
                if budget.window != "request" and (own or each.of == "child"):
                    yield budget if own else bucket_of(budget, child_value(plan, declared, below))


def _buckets_since_s(plan: Plan, now_s: float) -> float:
    """Where the present windows of buckets began, or earlier."""
    return min((now_s - LONGEST_S.get(each.window, now_s) for each in _each_budgets(plan)), default=now_s)


def _bucket_limits(plan: Plan, rows: Sequence[Row], now_s: float, tenant: str | None) -> Iterator[Limit]:
    """One limit for each user or child with a row in its window; rows do not know sessions."""
    for declared in plan.tenants.values():
        if tenant is not None and not _at_or_below(declared.path, tenant):
            continue
        for each in declared.each:
            for limit in each.limits:
                recent = [row for row in rows if row.reserved_at_s > now_s - max(limit.window_s, 60.0)]
                values = {_bucket(each.of, declared.path, row) for row in recent}
                is_child = each.of == "child"
                named = (
                    child_value(plan, declared, value) if is_child else Value(value, value)
                    for value in sorted(values - {""})
                )
                yield from (bucket_of(limit, value) for value in named)


def _bucket(of: str, path: str, row: Row) -> str:
    """The value of this row's bucket below `path`; "" where it has none."""
    if not _at_or_below(row.tenant, path):
        return ""
    if of == "child":
        return (row.tenant or "")[len(path) + 1 :].partition("/")[0]
    return row.user or "" if of == "user" else ""


def _at_or_below(path: str | None, ancestor: str) -> bool:
    return path is not None and (path == ancestor or path.startswith(f"{ancestor}/"))
