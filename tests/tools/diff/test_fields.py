"""Every field of a plan is one that a difference looks at: a new one fails here until somebody tells of it."""

from dataclasses import fields

import pytest

from router import plan
from router.policy.targets import OwnFacts

TOLD: dict[type, str] = {
    plan.Policy: "name description entries rules lexical total_s stream_s ceiling demand budgets limits cache was "
    "place",
    plan.Lexical: "retry attempt_s first_content_s idle_s fall_back_on heeds_breakers params params_unsupported",
    plan.RetryRule: "attempts backoff base_s max_s on budget",
    plan.CacheRule: "ttl_s scope sampled stale_s",
    plan.BreakerRule: "failures failure_rate of_at_least within_s slower_than_s open_for_s open_at_most_s probes "
    "success_threshold place",
    plan.Demand: "owner allow require needs max_price place",
    plan.MaxPrice: "input_ausd output_ausd",
    plan.Tenant: "path policies ceiling demand never budgets limits each was place",
    plan.Each: "of ceiling demand budgets limits place",
    plan.Provider: "name kind base_url keys budgets limits model_limits wire by labels disabled_at was place",
    plan.Key: "name secret limits",
    plan.Rule: "name when entries reject place",
    plan.TargetEntry: "target params attempt_s first_content_s idle_s place",
    plan.PolicyEntry: "policy place",
    plan.Budget: "owner unit window amount shadow rolling place text present when_spent warn_at",
    plan.Limit: "owner unit window_s at_most shadow place text present",
    plan.Plan: "digest prices_digest providers targets policies tenants settings abstract handing_over folder",
    OwnFacts: "alias deployment price discount context max_output supports tokens breaker labels enabled",
}
"""Ceiling and Settings are gone through field by field, whatever they hold."""


@pytest.mark.parametrize("kind", TOLD, ids=lambda kind: kind.__name__)
def test_every_field_is_looked_at(kind: type) -> None:
    assert {each.name for each in fields(kind)} == set(TOLD[kind].split())
