"""Ceilings and demands as written, on policies, tenants and each of theirs alike; and what in them names nothing."""

from collections.abc import Collection, Iterator, Mapping

from router.errors import Problem
from router.plan import Ceiling, Demand, MaxPrice, Provider
from router.policy import scalars
from router.policy.catalog import known_facts
from router.policy.document import Spot
from router.policy.draft import Draft, problem
from router.policy.phrases import suggestion
from router.policy.targets import is_unsure_of, undeclared, unknown_model
from router.policy.traps import shown

_AUSD_PER_TOKEN = 1_000  # nano-USD per million tokens, in atto-USD per token
_DEMANDS = ("allow", "require", "needs", "max_price")


def ceiling_of(spot: Spot) -> Ceiling:
    block = spot.get("ceiling")
    if block is None:
        return Ceiling()
    attempts, added_cost = block.get("attempts"), block.get("added_cost")
    return Ceiling(
        input_tokens=_count(block.get("input_tokens")),
        output_tokens=_count(block.get("output_tokens")),
        attempts=attempts.value if attempts and type(attempts.value) is int else None,
        added_cost_nusd=scalars.money_nusd(added_cost.value) if added_cost else None,
    )


def demand_of(spot: Spot, owner: str, targets: Collection[str]) -> Demand | None:
    """None: nothing is asked of a target here. `targets` are the names that patterns are matched against."""
    if not any(map(spot.holds, _DEMANDS)):
        return None
    found = Demand(
        owner=owner,
        allow=_allowed(spot.get("allow"), targets),
        require=_words(spot.get("require")),
        needs=_words(spot.get("needs")),
        max_price=_max_price(spot.get("max_price")),
        place=spot.key_place,
    )
    asks = found.allow is not None or found.require or found.needs or found.max_price
    return found if asks else None


def _allowed(spot: Spot | None, targets: Collection[str]) -> frozenset[str] | None:
    if spot is None or not isinstance(spot.value, list):
        return None
    patterns = _words(spot)
    return frozenset(
        name for name in targets if name in patterns or any(f"{above}*" in patterns for above in _above(name))
    )


def _above(target: str) -> Iterator[str]:
    """`groq/` and `groq/openai/` of `groq/openai/gpt-oss-20b`: a pattern is one of these, and a `*`."""
    return (target[: at + 1] for at, sign in enumerate(target[:-1]) if sign == "/")


def _words(spot: Spot | None) -> frozenset[str]:
    return frozenset(item.text for item in spot.items() if item.text) if spot else frozenset()


def _max_price(spot: Spot | None) -> MaxPrice | None:
    if spot is None:
        return None
    read, write = _ausd(spot.get("input_per_million")), _ausd(spot.get("output_per_million"))
    return None if read is None and write is None else MaxPrice(input_ausd=read, output_ausd=write)


def _ausd(spot: Spot | None) -> int | None:
    nusd = scalars.money_nusd(spot.value) if spot else None
    return None if nusd is None else nusd * _AUSD_PER_TOKEN


def _count(spot: Spot | None) -> int | None:
    return scalars.count(spot.value) if spot else None


# --- What names nothing -----------------------------------------------------------------------------------------------


def unmatched_patterns(draft: Draft) -> Iterator[Problem]:
    """Every item of an `allow` speaks of some model."""
    good = set(draft.targets)  # and what was found to match
    for scope in _scopes(draft):
        allow = scope.get("allow")
        for item in allow.items() if allow else ():
            if item.text is not None and "/" in item.text and item.text not in good:
                found = list(_unmatched(item, item.text, draft))
                yield from found
                if not found:
                    good.add(item.text)


def _unmatched(item: Spot, text: str, draft: Draft) -> Iterator[Problem]:
    provider, model = text.split("/", 1)
    if not draft.may_declare("providers", provider):
        yield undeclared(provider, item, draft)
        return
    known = draft.providers.get(provider)
    if known is None or is_unsure_of(model, draft.written.providers[provider]):
        return
    declared = draft.written.providers[provider].get("models")
    if not text.endswith("*"):
        written = isinstance(declared.value, dict) and model in declared.value if declared else False
        if not written and known_facts(draft.catalog, known.kind, model) is None:
            yield unknown_model(model, known, item, draft)
        return
    if declared is not None and not declared.is_whole:
        return
    folders = draft.once(f"folders of models of {provider}", lambda: _folders(known, declared, draft))
    if not text.endswith("/*") or text[:-1] not in folders:
        message = f"{shown(text)} matches no model"
        advice = "a pattern ends in `/*`: `openai/*`, `groq/openai/*`; or write the model out"
        yield problem("pattern-matches-nothing", message, item.place, help=advice)


def _folders(provider: Provider, declared: Spot | None, draft: Draft) -> frozenset[str]:
    """`groq/`, `groq/openai/`: what patterns of a provider may hold before their `*`."""
    written = (name for name, _ in declared.fields()) if declared else ()
    models = (f"{provider.name}/{name}" for name in (*written, *draft.catalog.models(provider.kind)))
    return frozenset(above for name in (*draft.targets, *models) for above in _above(name))


def unknown_labels(draft: Draft) -> Iterator[Problem]:
    """A label that nothing carries leaves whoever requires it without any target."""
    if not _knows_labels(draft):
        return
    carried = set(carried_labels(draft.written.providers))
    for scope in _scopes(draft):
        require = scope.get("require")
        for item in require.items() if require else ():
            if item.text is not None and item.text not in carried:
                advice = suggestion(item.text, carried, what="labels here:")
                advice = advice or "write `labels: [...]` on the providers or models that have it"
                message = f"no provider or model carries the label {shown(item.text)}"
                yield problem("unknown-label", message, item.place, help=advice)


def _knows_labels(draft: Draft) -> bool:
    """Whether every label that is carried could be read."""
    written = draft.written
    read = "providers" not in written.unread and not written.refused.get("providers")
    return read and all(provider.is_whole for provider in written.providers.values())


def carried_labels(providers: Mapping[str, Spot]) -> Iterator[str]:
    """Every label of every provider and model, as often as it is written."""
    for provider in providers.values():
        yield from _words(provider.get("labels"))
        models = provider.get("models")
        for _, model in models.fields() if models else ():
            yield from _words(model.get("labels"))


def _scopes(draft: Draft) -> Iterator[Spot]:
    """Every block that may hold demands, each written one once."""
    yield from draft.written.policies.values()
    for tenant in draft.written.tenants.values():
        yield tenant
        each = tenant.get("each")
        yield from (below for _, below in each.fields()) if each else ()
