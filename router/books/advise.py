"""What would have saved money on the recorded rows: each with the amount, and the YAML to write.

Arithmetic over what was paid, and no judgement of answers: whether a cheaper target is good enough, people say.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from router.books.renamed import named_today
from router.books.since import Since, looking_back_s
from router.decide.estimate import cost_nusd, worst_nusd
from router.decide.prices import price_at
from router.engine import Ports
from router.plan import AUSD_PER_NUSD, Plan, Policy, Target, TargetEntry
from router.ports import Row

WORTH_NUSD = 1_000_000
"""A tenth of a cent: less is no advice."""

ENOUGH_ROWS = 20
"""From so few answers nothing is said about how long answers are."""

SPARE = 1.25
"""How much room an output ceiling leaves above the longest answer that was seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """`saved_nusd` of `spent_nusd` that the `rows` concerned came to. `yaml` is what to write, at `where`;
    "" where no policy can say it."""

    kind: str  # "cheaper_first" | "lower_output_ceiling" | "fewer_retries" | "batch"
    policy: str
    where: str
    text: str
    yaml: str
    rows: int
    spent_nusd: int
    saved_nusd: int


async def advice(plan: Plan, ports: Ports, *, since: Since = "30d") -> tuple[Advice, ...]:
    """On the rows since then. Raises StoreError, RequestError."""
    since_s = looking_back_s(since, now_s=ports.clock.now_s(), time_zone=plan.settings.time_zone)
    return advise(plan, list(map(named_today(plan), await ports.ledger.rows(since_s=since_s))))


def advise(plan: Plan, rows: Sequence[Row]) -> tuple[Advice, ...]:
    """What saves most comes first."""
    by_policy: dict[str, list[Row]] = {}
    for row in rows:
        if row.policy in plan.policies:
            by_policy.setdefault(row.policy, []).append(row)
    found = [
        each
        for name, own in by_policy.items()
        for looks in (_cheaper_first, _lower_ceiling, _fewer_retries, _in_batches)
        for each in looks(plan, name, own)
    ]
    worth = (each for each in found if each.saved_nusd >= WORTH_NUSD)
    return tuple(sorted(worth, key=lambda each: (-each.saved_nusd, each.policy, each.kind)))


def _targets(plan: Plan, policy: Policy) -> list[Target]:
    """Those that the policy itself writes, in order; what it nests is the other policy's to order."""
    return [plan.targets[entry.target] for entry in policy.entries if isinstance(entry, TargetEntry)]


def _cheaper_first(plan: Plan, name: str, rows: Sequence[Row]) -> Iterator[Advice]:
    """The same tokens at the prices of another target of the same policy."""
    policy = plan.policies[name]
    targets = _targets(plan, policy)
    answered = [row for row in rows if row.usage is not None and row.kind is None and row.state == "settled"]
    dear = [row for row in answered if targets and row.target == targets[0].name]
    spent = sum(row.cost_nusd for row in dear)
    asked = {other: [_at_prices_of(other, row) for row in dear] for other in targets[1:] if other.enabled}
    costs = {other: sum(filter(None, each)) for other, each in asked.items() if None not in each}
    if not costs:
        return
    cheapest = min(costs, key=lambda each: costs[each])
    saved = spent - costs[cheapest]
    order = [cheapest, *(each for each in targets if each is not cheapest)]
    yield Advice(
        kind="cheaper_first",
        policy=name,
        where=str(policy.place),
        text=f"`{cheapest.name}` first: the tokens of `{targets[0].name}` at its prices",
        yaml=f"targets: [{', '.join(each.name for each in order)}]",
        rows=len(dear),
        spent_nusd=spent,
        saved_nusd=saved,
    )


def _at_prices_of(target: Target, row: Row) -> int | None:
    """What a row's tokens would have cost there, on its day; None: the price is unknown."""
    prices = price_at(target, row.reserved_at_s)
    return None if prices is None or row.usage is None else cost_nusd(prices, row.usage)


def _lower_ceiling(plan: Plan, name: str, rows: Sequence[Row]) -> Iterator[Advice]:
    """Attempts of which nobody knows the truth are charged at their worst case, and that holds the whole allowance."""
    policy = plan.policies[name]
    allowance = policy.ceiling.output_tokens
    lengths = [row.usage.output_tokens for row in rows if row.usage is not None and row.kind is None]
    if allowance is None or len(lengths) < ENOUGH_ROWS:
        return
    enough = _rounded(max(lengths) * SPARE)
    assumed = [row for row in rows if row.how == "worst_case" or row.state == "expired"]
    if enough >= allowance or not assumed:
        return
    saved = sum(_less(plan.targets.get(row.target), row, allowance - enough) for row in assumed)
    yield Advice(
        kind="lower_output_ceiling",
        policy=name,
        where=str(policy.place),
        text=f"no answer had more than {max(lengths)} tokens; attempts without one are charged for {allowance}",
        yaml=f"ceiling: {{output_tokens: {enough}}}",
        rows=len(assumed),
        spent_nusd=sum(row.cost_nusd for row in assumed),
        saved_nusd=saved,
    )


def _less(target: Target | None, row: Row, tokens: int) -> int:
    """What `tokens` of output less would have taken off a worst case."""
    prices = price_at(target, row.reserved_at_s) if target else None
    if prices is None:
        return 0
    per_call = worst_nusd(prices, input_tokens=0, output_tokens=tokens, choices=1)
    return max(0, min(per_call - prices.per_request_nusd, row.cost_nusd))


def _rounded(tokens: float) -> int:
    """Up to the next hundred."""
    return -(-int(tokens) // 100) * 100


def _fewer_retries(plan: Plan, name: str, rows: Sequence[Row]) -> Iterator[Advice]:
    """Second sends to a target that were charged and did not help."""
    policy = plan.policies[name]
    if policy.lexical.retry.attempts < 2:
        return
    wasted = [row for row in _repeats(rows) if row.kind is not None and row.cost_nusd]
    answered = sum(row.kind is None for row in _repeats(rows))
    if not wasted or answered >= len(wasted):
        return
    yield Advice(
        kind="fewer_retries",
        policy=name,
        where=str(policy.place),
        text=f"of {len(wasted) + answered} second sends to the same target {answered} were answered",
        yaml="retry: off",
        rows=len(wasted),
        spent_nusd=sum(row.cost_nusd for row in wasted),
        saved_nusd=sum(row.cost_nusd for row in wasted),
    )


def _in_batches(plan: Plan, name: str, rows: Sequence[Row]) -> Iterator[Advice]:
    """The same tokens at the rates of the providers' batch APIs, which no call of router's goes to."""
    pairs = [
        (row, cost) for row in rows if (cost := _batch_nusd(plan.targets.get(row.target), row)) is not None
    ]
    dearer = [(row, cost) for row, cost in pairs if cost < row.cost_nusd]
    if dearer:
        models = ", ".join(f"`{target}`" for target in sorted({row.target for row, _ in dearer}))
        yield Advice(
            kind="batch",
            policy=name,
            where=str(plan.policies[name].place),
            text=f"calls that can wait for hours, sent to the batch API of the provider itself at its rates: {models}",
            yaml="",
            rows=len(dearer),
            spent_nusd=sum(row.cost_nusd for row, _ in dearer),
            saved_nusd=sum(row.cost_nusd - cost for row, cost in dearer),
        )


def _batch_nusd(target: Target | None, row: Row) -> int | None:
    """None: no answer, or no rates are stated."""
    prices = price_at(target, row.reserved_at_s) if target else None
    if prices is None or prices.batch is None or row.usage is None or row.kind is not None:
        return None
    entry, answer = prices.batch
    return -(-(row.usage.input_tokens * entry + row.usage.output_tokens * answer) // AUSD_PER_NUSD)


def _repeats(rows: Sequence[Row]) -> list[Row]:
    """Attempts at a target that the same request had tried before."""
    seen: set[tuple[str, str]] = set()
    found = []
    for row in sorted(rows, key=lambda each: each.seq):
        key = (row.request_id, row.target)
        if key in seen:
            found.append(row)
        seen.add(key)
    return found
