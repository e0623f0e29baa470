"""What the routes of a policy follow from, as texts: where they are equal on both sides, nobody's requests go elsewhere
for the policy's sake."""

from collections.abc import Iterator

from router.decide.fit import hard
from router.decide.match import conditions_within, reachable
from router.decide.prices import all_prices
from router.plan import Plan, Policy, Target, TargetEntry
from router.tools.diff.side import meaning


class Senses:
    """What may matter to the routes of a policy: its own lists, rules and demands, those of policies that it leads to,
    and what is known of the targets."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._policies = {name: _sense(policy) for name, policy in plan.policies.items()}
        self._targets = {
            name: meaning((_facts(each), _has_invoices(plan, each))) for name, each in plan.targets.items()
        }

    def of(self, policy: str) -> tuple[str, ...]:
        whole = reachable(self._plan, self._plan.policies[policy])
        targets = {name for each in whole for name in _targets(each)}
        return (
            *(self._policies[each.name] for each in sorted(whole, key=lambda each: each.name)),
            *(f"{name} {self._targets[name]}" for name in sorted(targets)),
            *self._amounts(self._plan.policies[policy]),
        )

    def _amounts(self, policy: Policy) -> Iterator[str]:
        """The budgets that its rules look at, tenants' and users' apart: those are their askers'."""
        uses = [each.budget for each in conditions_within(self._plan, policy) if each.budget is not None]
        for use in sorted(uses, key=repr):
            provider = self._plan.providers.get(use.name or "")
            held = policy.budgets if use.of == "policy" else provider.budgets if provider else ()
            yield meaning(tuple(each for each in held if each.window == use.window))


def _facts(target: Target) -> tuple[object, ...]:
    return (target.labels, all_prices(target), target.supports, target.context_tokens, target.enabled)


def _has_invoices(plan: Plan, target: Target) -> bool:
    return any(each.window == "request" for each in hard(plan.providers[target.provider].budgets))


def _sense(policy: Policy) -> str:
    return meaning(
        (
            policy.name,
            policy.entries,
            policy.rules,
            policy.demand,
            policy.ceiling.input_tokens,
            policy.ceiling.added_cost_nusd is None,
            bool(hard(policy.budgets)),
            policy.budgets if _reads_budgets(policy) else (),
        )
    )


def _reads_budgets(policy: Policy) -> bool:
    return any(each.budget is not None for rule in policy.rules for each in rule.when)


def _targets(policy: Policy) -> Iterator[str]:
    lists = (policy.entries, *(rule.entries for rule in policy.rules))
    return (each.target for entries in lists for each in entries if isinstance(each, TargetEntry))
