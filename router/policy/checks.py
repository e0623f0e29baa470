"""Checks of meaning, over the sound part of a draft."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from router.decide.judge import is_sampled
from router.decide.match import leads_to, taking_over
from router.decide.params import untaken
from router.errors import Problem
from router.policy import (
    money_checks,
    order_checks,
    price_checks,
    rolling_checks,
    rule_checks,
    scope_checks,
    shadow_checks,
    spent_checks,
    store_checks,
    target_checks,
    unused_checks,
)
from router.policy.draft import Draft, problem
from router.policy.names import caller_budgets
from router.policy.reach import callable_policies, everything
from router.policy.sound import BLOCKS
from router.policy.targets import facts_of, target_texts

SOON = timedelta(days=60)
Check = Callable[[Draft], Iterator[Problem]]


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderCheck:
    """A check of what all entries add up to: asked only where every entry of the blocks it looks `over` is known."""

    check: Check
    over: frozenset[str]


def sampled_caches(draft: Draft) -> Iterator[Problem]:
    """Sampled answers are not kept unless the rule says so: then the cache never holds anything."""
    for name in sorted(callable_policies(draft.plan)):
        policy, spot = draft.policies[name], draft.written.policies[name].get("cache")
        if policy.cache is None or policy.cache.sampled or spot is None:
            continue
        sampled = next(
            (each for each in everything(draft.plan, policy) if is_sampled(each.candidate.params)), None
        )
        if sampled is not None:
            message = f"answers of `{sampled.candidate.target.name}` are sampled, and this cache keeps none of those"
            advice = "write `sampled: true` where an older answer will do"
            if untaken({"temperature": 0}, sampled.candidate.target.refuses) is None:
                advice += ", or `params: {temperature: 0}`"
            place, also = spot.key_place, sampled.entry.place
            yield problem("sampled-cache", message, place, help=advice, severity="warning", also=also)


def uncallable_policies(draft: Draft) -> Iterator[Problem]:
    """Policies that no tenant may call and that no callable policy leads to."""
    callable_ = callable_policies(draft.plan)
    of_tenants = {entry.policy for entry in taking_over(caller_budgets(draft.tenants))}
    reached = callable_ | of_tenants | _led_to(draft, callable_ | of_tenants)
    for name, policy in draft.policies.items():
        if name not in reached:
            message = f"no tenant may call policy `{name}`, and no policy that one may call leads to it"
            advice = "give it to a tenant, or take it out"
            yield problem("uncallable-policy", message, policy.place, help=advice, severity="warning")
        elif name not in callable_ and policy.cache is not None:
            spot = draft.written.policies[name].get("cache")
            message = f"this cache never applies: policy `{name}` is only reached through others"
            advice = "the cache of the policy that is called is the one that counts; take this one out"
            place = spot.key_place if spot else policy.place
            yield problem("nested-cache", message, place, help=advice, severity="warning")


def _led_to(draft: Draft, start: frozenset[str]) -> frozenset[str]:
    found: set[str] = set()
    waiting = list(start)
    while waiting:
        for entry in leads_to(draft.policies[waiting.pop()]):
            if entry.policy not in found:
                found.add(entry.policy)
                waiting.append(entry.policy)
    return frozenset(found)


def retiring_models(draft: Draft) -> Iterator[Problem]:
    """A warning, never an error: what depends on today's date must not stop a restart at night."""
    if draft.today is None:
        return
    for name, spot in target_texts(draft):
        facts = facts_of(draft, name)
        gone_on = facts.deprecated_on if facts else None
        if gone_on is not None and gone_on - draft.today <= SOON:
            verb = "was" if gone_on <= draft.today else "is to be"
            message = f"`{name}` {verb} retired on {gone_on.isoformat()}"
            yield problem(
                "model-deprecated", message, spot.place, help="move to its successor", severity="warning"
            )


CHECKS: tuple[Check, ...] = (
    retiring_models,
    price_checks.past_validity,
    money_checks.unknown_prices,
    money_checks.unbounded_output,
    money_checks.small_limits,
    rule_checks.rules_in_themselves,
    order_checks.impossible_conditions,
    order_checks.starved_targets,
    order_checks.long_attempts,
    order_checks.long_backoffs,
    order_checks.capped_backoffs,
    order_checks.small_contexts,
    order_checks.lost_capabilities,
    order_checks.refused_params,
    target_checks.refused_targets,
    sampled_caches,
    scope_checks.shared_caches,
    scope_checks.spent_for_good,
    scope_checks.unbounded_users,
    store_checks.open_stores,
    rolling_checks.large_amounts,
    shadow_checks.not_enforced,
    shadow_checks.conditions_on_shadows,
)
"""Checks of one policy, target or tenant at a time: what is not sound is left out, and each still tells the truth."""

FOLDER_CHECKS: tuple[FolderCheck, ...] = (
    FolderCheck(check=money_checks.unpayable, over=frozenset(BLOCKS)),
    FolderCheck(check=target_checks.dead_targets, over=frozenset(BLOCKS)),
    FolderCheck(check=target_checks.targets_left, over=frozenset(BLOCKS)),
    FolderCheck(check=rule_checks.rules_of_callers, over=frozenset(BLOCKS)),
    FolderCheck(check=spent_checks.costly_jumps, over=frozenset({"providers", "policies", "tenants"})),
    FolderCheck(check=unused_checks.unused_pools, over=frozenset(BLOCKS)),
    FolderCheck(check=unused_checks.unused_parents, over=frozenset({"policies"})),
    FolderCheck(check=uncallable_policies, over=frozenset({"policies", "tenants"})),
)
