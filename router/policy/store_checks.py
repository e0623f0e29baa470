"""Checks of what a store that fails does to what was meant to hold."""

from collections.abc import Iterator

from router.decide.written import budgets_of, limits_of
from router.errors import Problem
from router.plan import StorePort
from router.policy.draft import Draft, problem

EACH_ATTEMPT = ("provider:", "model:", "key:")
"""Owners whose requests are taken for each attempt, by the ledger."""


def open_stores(draft: Draft) -> Iterator[Problem]:
    """Budgets and limits of a store that may fail open hold while it answers, and not when it does not."""
    chosen, settings = draft.settings.on_store_error, draft.written.settings
    of_requests = [limit.unit in ("requests", "concurrent_requests") for limit in limits_of(draft.plan)]
    of_attempts = any(limit.owner.startswith(EACH_ATTEMPT) for limit in limits_of(draft.plan))
    of_ledger = not all(of_requests) or of_attempts or any(budgets_of(draft.plan))
    kept: dict[StorePort, tuple[str, bool]] = {
        "ledger": ("budgets, limits on tokens and those of providers are", of_ledger),
        "limiter": ("limits on requests are", any(of_requests)),
    }
    for port, (what, is_written) in kept.items():
        spot = settings.at("on_store_error", port) if settings else None
        if spot is not None and is_written and chosen.opens(port):
            message = f"with `{port}: open` {what} not hard: while the {port} is down, calls go on without it"
            advice = "meant so where an answer is worth more than the bound; else leave it out"
            yield problem("open-store", message, spot.key_place, help=advice, severity="note")
