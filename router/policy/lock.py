"""The lock: what policies and price book said at one time, so that a change of either shows as drift, fact by fact.

It holds what the price book says, not what holds for a target in the end: what the policies say over it is in their
digest.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from router.plan import ModelFacts, Plan, Price, PriceTable, TokenClass
from router.policy.catalog import Catalog, known_facts
from router.policy.document import Document, Spot
from router.policy.merge import written_in
from router.policy.prices import PARTS
from router.policy.targets import own_facts
from router.policy.traps import written

LOCK_FILE = "router.lock"
"""Inside the folder of the policies it locks."""

HEAD = """\
# What the policies and the price book said when this was written, by `router lock`: a fact a line, to be reviewed like
# code. `router lock --check` and `--frozen` refuse whatever differs from it.
"""

Facts = Mapping[str, str | int]
"""Name of a fact -> its value, as it stands in the file."""

_WHOLE = {"input_per_million": "input_ausd", "output_per_million": "output_ausd"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """`policies` and `prices` are the digests that every trace and ledger row carry."""

    policies: str
    prices: str
    targets: Mapping[str, Facts]


def lock_of(plan: Plan, documents: Sequence[Document], catalog: Catalog) -> Lock:
    """What is to be locked now. `documents` are those that `plan` was made of."""
    providers = written_in(tuple(documents)).providers
    return Lock(
        policies=plan.digest,
        prices=plan.prices_digest,
        targets={name: _facts(plan, name, providers, catalog) for name in sorted(plan.targets)},
    )


def lock_text(lock: Lock) -> str:
    """The file: equal locks are equal bytes."""
    lines = ["version: 1", f'policies: "{lock.policies}"', f'prices: "{lock.prices}"', "targets:"]
    for target, facts in lock.targets.items():
        lines.append(f"  {_value(target)}:")
        lines += [f"    {name}: {_value(value)}" for name, value in facts.items()]
    return HEAD + "\n".join(lines) + ("\n" if lock.targets else " {}\n")


def _value(value: str | int) -> str:
    """As an author would write it; in quotes and by their numbers where there are characters that nobody sees."""
    if isinstance(value, int) or value.isprintable():
        return written(value)
    shown = json.dumps(value, ensure_ascii=False)
    return "".join(each if each.isprintable() else f"\\U{ord(each):08x}" for each in shown)


def _facts(plan: Plan, name: str, providers: Mapping[str, Spot], catalog: Catalog) -> Facts:
    target = plan.targets[name]
    alias = own_facts(providers[target.provider].at("models", target.model)).alias or target.model
    found = known_facts(catalog, target.kind, alias)
    if found is None:
        return {"price_file": "does not know it", **_tokens(catalog.tokens(target.kind, alias))}
    return {**_model(found), **_tokens(found.tokens)}


def _model(facts: ModelFacts) -> Facts:
    stated: dict[str, str | int | None] = {
        **(_prices(facts.prices) if facts.prices else {"price": "unknown"}),
        "context": facts.context_tokens,
        "max_output": facts.max_output_tokens,
        "supports": " ".join(sorted(facts.supports)) or "nothing",
        "deprecated_on": facts.deprecated_on.isoformat() if facts.deprecated_on else None,
    }
    return {name: value for name, value in stated.items() if value is not None}


def _prices(table: PriceTable) -> Facts:
    found: dict[str, str | int] = {}
    for tier in table.tiers:
        above = f"_above_{tier.above_tokens}" if tier.above_tokens else ""
        found |= {f"{name}{above}": rate for name, rate in _rates(tier)}
    if table.per_request_nusd:
        found["per_request"] = _dollars(Decimal(table.per_request_nusd).scaleb(-9))
    return found


def _rates(tier: Price) -> Iterator[tuple[str, str]]:
    for name, whole in _WHOLE.items():
        yield name, _per_million(getattr(tier, whole))
    for name, (part, whole) in PARTS.items():
        if getattr(tier, part) != getattr(tier, whole):
            yield name, _per_million(getattr(tier, part))
    hour = tier.cache_write_1h_ausd
    if hour is not None and hour != tier.cache_write_ausd:
        yield "cache_write_1h_per_million", _per_million(hour)


def _tokens(tokens: TokenClass) -> Facts:
    facts: dict[str, str | int] = {"tokens": tokens.method, "encoding": tokens.encoding}
    if tokens.method == "margin":
        facts["margin"] = f"{tokens.margin_percent}%"
    overhead = {"overhead_tokens": tokens.overhead_tokens, "per_message_tokens": tokens.per_message_tokens}
    return {**facts, **overhead, **({"family": tokens.family} if tokens.family else {})}


def _per_million(ausd: int) -> str:
    """Atto-USD per token as dollars per million."""
    return _dollars(Decimal(ausd).scaleb(-12))


def _dollars(usd: Decimal) -> str:
    return f"${usd.normalize():f}"
