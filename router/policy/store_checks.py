"""Checks of what a store that fails does to what was meant to hold."""

from collections.abc import Iterator

from router.errors import Problem
from router.plan import Limit, Plan, StorePort
from router.policy.draft import Draft, problem
from router.policy.scope_checks import budgets_of


def open_stores(draft: Draft) -> Iterator[Problem]:
    """Budgets and limits of a store that may fail open hold while it answers, and not when it does not."""
    chosen, settings = draft.settings.on_store_error, draft.written.settings
    tokens, requests = _limits_of_both_kinds(draft.plan)
    kept: dict[StorePort, tuple[str, bool]] = {
        "ledger": ("budgets and limits on tokens are", bool(tokens) or any(budgets_of(draft.plan))),
        "limiter": ("limits on requests are", bool(requests)),
    }
    for port, (what, is_written) in kept.items():
        spot = settings.at("on_store_error", port) if settings else None
        if spot is not None and is_written and chosen.opens(port):
            message = f"with `{port}: open` {what} not hard: while the {port} is down, calls go on without it"
            advice = "meant so where an answer is worth more than the bound; else leave it out"
            yield problem("open-store", message, spot.key_place, help=advice, severity="note")


def _limits_of_both_kinds(plan: Plan) -> tuple[list[Limit], list[Limit]]:
    """Those on tokens, which the ledger keeps, and those on requests, which the limiter keeps."""
    tenants = plan.tenants.values()
    limits = [
        *(limit for tenant in tenants for limit in tenant.limits),
        *(limit for tenant in tenants for each in tenant.each for limit in each.limits),
    ]
    tokens = [limit for limit in limits if limit.unit.endswith("tokens")]
    return tokens, [limit for limit in limits if limit not in tokens]
