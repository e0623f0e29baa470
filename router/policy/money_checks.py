"""Checks of money and tokens: every hard budget can be kept, and can pay what it is for."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile

from router.decide.fit import hard, is_free, worst_of
from router.decide.prices import all_prices, is_priced
from router.errors import Problem
from router.plan import Budget, Limit, Plan, Policy, PriceTable, Target, Unit
from router.policy.draft import Draft, problem
from router.policy.reach import OUTPUT_UNITS, Call, Payers, Reached, calls, own_budgets, own_limits
from router.policy.scalars import count_text, money_text
from router.values import Place

UNITS: tuple[Unit, ...] = ("nusd", "tokens")


def unknown_prices(draft: Draft) -> Iterator[Problem]:
    """Once for each place a target without a price is written, whatever leads there."""
    plan, seen = draft.plan, set[Place]()
    for call in calls(draft):
        for reached in call.reached:
            if not is_priced(reached.candidate.target) and reached.entry.place not in seen:
                budget = call.a_budget_over(plan, reached)
                if budget is not None:
                    seen.add(reached.entry.place)
                    yield _unknown_price(reached, budget)


def _unknown_price(reached: Reached, budget: Budget) -> Problem:
    target = reached.candidate.target
    message = (
        f"`{target.name}` has no known price{_when_unknown(target)}, "
        f"so the budget `{budget.text}` ({budget.place}) can't be kept"
    )
    block = f"providers: {{{target.provider}: {{models: {{{target.model}: {{price: ...}}}}}}}}"
    advice = f"say what it costs: `{block}`, or `free`"
    return problem("unknown-price", message, reached.entry.place, help=advice, also=budget.place)


def _when_unknown(target: Target) -> str:
    """` before 2026-12-01`, ` from 2027-01-01 on`; nothing where it is unknown for ever."""
    if not any(all_prices(target)):
        return ""
    first_unknown = target.prices is None
    turns = next(each for each in target.price_changes if (each.prices is None) != first_unknown)
    return f" before {turns.day.isoformat()}" if first_unknown else f" from {turns.day.isoformat()} on"


def unbounded_output(draft: Draft) -> Iterator[Problem]:
    """Under a hard budget the whole output allowance is reserved: without a ceiling, the model's maximum."""
    plan = draft.plan
    for call in calls(draft):
        open_ended = [
            (reached, budget)
            for reached in call.reached
            if "max_tokens" not in reached.candidate.params
            and not is_free(reached.candidate)
            and (budget := call.an_open_budget_over(plan, reached))
        ]
        if open_ended:
            yield _no_ceiling(call.policy, *min(open_ended, key=_allowance))


def _allowance(found: tuple[Reached, Budget]) -> int:
    """None first: a model whose maximum is unknown bounds nothing at all."""
    return -(found[0].candidate.output_tokens or 10**15)


def _no_ceiling(policy: Policy, reached: Reached, budget: Budget) -> Problem:
    target, most = reached.candidate.target.name, reached.candidate.output_tokens
    reserves = (
        f"and nothing bounds the output of `{target}`"
        if most is None
        else f"so each attempt at `{target}` reserves {count_text(most)} tokens of output"
    )
    return problem(
        "no-output-ceiling",
        f"policy `{policy.name}` has no ceiling on output under the budget `{budget.text}`, {reserves}",
        policy.place,
        help="write `ceiling: {output_tokens: 1k}`, with what its answers need",
        severity="error" if most is None else "warning",
        also=budget.place,
    )


def unpayable(draft: Draft) -> Iterator[Problem]:
    """Budgets that can't pay a single token anywhere: errors. Nor the worst case of one attempt: warnings."""
    every = calls(draft)
    cheapest = _cheapest_under(draft.plan, every)
    hopeless = {budget: least for budget, least in cheapest.items() if least > budget.amount}
    yield from (_pays_nothing(budget, least) for budget, least in hopeless.items())
    told: set[Budget] = set(hopeless)
    for call in every:
        for unit in UNITS:
            yield from _pay_no_whole_answer(call, unit, told)
            if told.isdisjoint(call.policy.budgets):
                yield from _pays_no_worst_case(call.policy, call.without_jumps, unit)
        yield from _pay_at_no_target(call, told)


def _cheapest_under(plan: Plan, every: Sequence[Call]) -> Mapping[Budget, int]:
    """The least that anything charged to a budget can cost, in nano-USD; 0 where one of those prices is not known."""
    under: dict[Budget, int] = {}
    of_payers: dict[Payers, int] = {}
    for call in every:
        costs = [_least(reached) for reached in call.reached if not reached.jumped]
        for reached in call.reached:
            for budget in own_budgets(plan, reached):
                under[budget] = min(_least(reached), under.get(budget, _least(reached)))
        cheapest = min(costs, default=0)
        for payers in call.payers:
            of_payers[payers] = min(cheapest, of_payers.get(payers, cheapest))
    for payers, cost in of_payers.items():
        for budget in (
            each for scope in payers.scopes for each in hard(scope.budgets) if each.unit == "nusd"
        ):
            under[budget] = min(cost, under.get(budget, cost))
    return under


def _least(reached: Reached) -> int:
    """One token in, one token out, on the cheapest day; 0 where a price is unknown."""
    return min(_least_at(prices) if prices else 0 for prices in all_prices(reached.candidate.target))


def _least_at(prices: PriceTable) -> int:
    tier = prices.tiers[0]
    return (tier.cached_input_ausd + tier.output_ausd + 10**9 - 1) // 10**9 + prices.per_request_nusd


def _pays_nothing(budget: Budget, least: int) -> Problem:
    message = f"`{budget.text}` can't pay a single token: the cheapest attempt costs {money_text(least)}"
    return problem("budget-below-attempt", message, budget.place, help="raise it, or add a cheaper target")


def _pay_no_whole_answer(call: Call, unit: Unit, told: set[Budget]) -> Iterator[Problem]:
    """Budgets in which not even a short request fits, unless it asks for less output than the policy gives."""
    listed = call.without_jumps
    cheapest = _cheapest(listed, [_need_of_short(reached, unit) for reached in listed])
    if cheapest is None:
        return
    least, reached = cheapest
    own = [each for each in hard(call.policy.budgets) if each.unit == unit and each.amount < least]
    for budgets in (own, *(payers.amounts if unit == "nusd" else payers.tokens for payers in call.payers)):
        for budget in takewhile(lambda each: each.amount < least, budgets):
            if budget not in told:
                told.add(budget)
                yield _pays_no_whole_answer(budget, reached, least)


def _cheapest(found: Sequence[Reached], needs: Sequence[int | None]) -> tuple[int, Reached] | None:
    """The least of what each needs, and which that is; None where one of them is not known."""
    known = [need for need in needs if need is not None]
    if not known or len(known) < len(needs):
        return None
    return min(zip(known, found, strict=True), key=lambda each: each[0])


def _need_of_short(reached: Reached, unit: Unit) -> int | None:
    """What a request of one token reserves there; None: unknown, or nothing but the model bounds its output."""
    candidate = reached.candidate
    if "max_tokens" not in candidate.params:
        return None
    worst = worst_of(candidate, 1, adds=False, for_an_hour=False)
    return worst.nusd if unit == "nusd" else worst.input_tokens + worst.output_tokens


def _pays_no_whole_answer(budget: Budget, reached: Reached, least: int) -> Problem:
    output = f"{count_text(worst_of(reached.candidate, 1).output_tokens)} tokens of output"
    reserves = (
        f"{output} beside its input" if budget.unit == "tokens" else f"{money_text(least)} for {output}"
    )
    message = (
        f"no call fits in `{budget.text}` unless it lowers `max_tokens`: even a short one at "
        f"`{reached.candidate.target.name}`, the cheapest, reserves {reserves}"
    )
    return _too_small(budget, reached, message, "lower `ceiling: {output_tokens: ...}`, or raise the budget")


def _pays_no_worst_case(policy: Policy, found: Sequence[Reached], unit: Unit) -> Iterator[Problem]:
    """Only where the policy states what its requests may be: without ceilings the worst case means little."""
    worst = [(need, reached) for reached in found if (need := _worst(reached, unit)) is not None]
    cost, reached = max(worst, key=lambda each: each[0], default=(0, None))
    amounts = [budget for budget in hard(policy.budgets) if budget.unit == unit]
    small = min(amounts, key=lambda budget: budget.amount, default=None)
    if reached is None or small is None or cost <= small.amount:
        return
    message = (
        f"`{small.text}` can't pay the worst case of one attempt at `{reached.candidate.target.name}`, "
        f"{money_text(cost) if unit == 'nusd' else f'{count_text(cost)} tokens'}"
    )
    advice = "requests near the ceiling skip that target as over_budget; lower `ceiling`, or raise the budget"
    yield _too_small(small, reached, message, advice)


def _pay_at_no_target(call: Call, told: set[Budget]) -> Iterator[Problem]:
    """Budgets of callers are for many policies: they are told where no target of one is cheap enough for them."""
    listed = call.without_jumps
    cheapest = _cheapest(listed, [_worst(reached, "nusd") for reached in listed])
    if cheapest is None:
        return
    least, reached = cheapest
    for payers in call.payers:
        for budget in takewhile(lambda each: each.amount < least, payers.amounts):
            if budget not in told:
                told.add(budget)
                yield _pays_at_no_target(budget, call.policy, reached, least)


def _pays_at_no_target(budget: Budget, policy: Policy, reached: Reached, least: int) -> Problem:
    message = (
        f"`{budget.text}` can't pay the worst case of one attempt of policy `{policy.name}`: "
        f"{money_text(least)} at `{reached.candidate.target.name}`, the cheapest"
    )
    advice = "requests near the ceiling are refused as over_budget; lower `ceiling`, or raise the budget"
    return _too_small(budget, reached, message, advice)


def _too_small(budget: Budget, reached: Reached, message: str, advice: str) -> Problem:
    """A warning at a budget and at the target that it is too small for."""
    place, also = budget.place, reached.entry.place
    return problem("budget-below-attempt", message, place, help=advice, severity="warning", also=also)


def _worst(reached: Reached, unit: Unit) -> int | None:
    candidate = reached.candidate
    if candidate.input_ceiling is None or "max_tokens" not in candidate.params:
        return None
    worst = worst_of(candidate, candidate.input_ceiling, for_an_hour=False)  # few ask for that
    return worst.nusd if unit == "nusd" else worst.input_tokens + worst.output_tokens


def small_limits(draft: Draft) -> Iterator[Problem]:
    """A limit on tokens that no request through a policy fits in: its whole allowance is taken at once."""
    told: set[Limit] = set()
    for call in calls(draft):
        outputs = [reached.candidate.output_tokens for reached in call.reached]
        least = min((tokens for tokens in outputs if tokens is not None), default=0)
        for payers in call.payers:
            for limit in payers.limits:
                if limit.at_most >= least:
                    break
                yield _small_limit(limit, call.policy, least)
        for limit in call.policy.limits:
            if _is_below(limit, least):
                yield _small_limit(limit, call.policy, least)
        yield from _small_on_the_way(draft.plan, call, told)


def _is_below(limit: Limit, tokens: int) -> bool:
    return limit.unit in OUTPUT_UNITS and limit.at_most < tokens and not limit.shadow


def _small_on_the_way(plan: Plan, call: Call, told: set[Limit]) -> Iterator[Problem]:
    """Limits of nested policies, providers, models and keys: each once, at the first target that it keeps out."""
    for reached in call.reached:
        output = reached.candidate.output_tokens or 0
        for limit in own_limits(plan, reached):
            if _is_below(limit, output) and limit not in told:
                told.add(limit)
                yield _small_limit(limit, call.policy, output, f" at `{reached.candidate.target.name}`")


def _small_limit(limit: Limit, policy: Policy, least: int, where: str = "") -> Problem:
    message = f"`{limit.text}` is below the {count_text(least)} tokens of output that one request of policy"
    return problem(
        "limit-below-request",
        f"{message} `{policy.name}` reserves{where}",
        limit.place,
        help="raise the limit, or lower `ceiling: {output_tokens: ...}`",
        severity="warning",
        also=policy.place,
    )
