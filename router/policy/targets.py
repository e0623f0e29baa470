"""Pass: every target that a policy writes, with all that the files and the price file know of its model."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import tzinfo

from router.errors import Problem
from router.plan import ModelFacts, Provider, Target, TokenClass
from router.policy import scalars
from router.policy.breakers import OwnBreaker, own_breaker, rule_of
from router.policy.catalog import Catalog, known_facts, refused_params
from router.policy.document import Spot, text_of
from router.policy.draft import Draft, problem
from router.policy.phrases import close_to
from router.policy.prices import OwnDiscount, OwnPrice, over_time, own_discount, own_price
from router.policy.settings import zone_of
from router.policy.traps import shown
from router.policy.walk import target_items

UNMEASURED_PERCENT = 60
"""The margin of a family that no recording measured."""


def resolve_targets(draft: Draft) -> Draft:
    found: dict[str, Target] = {}
    problems: list[Problem] = []
    for name, spot in target_texts(draft):
        resolved = _target(name, spot, draft) if name not in found else found[name]
        if isinstance(resolved, Problem):
            problems.append(resolved)
        elif resolved is not None:
            found[name] = resolved
    return replace(draft, targets=found).blaming([*problems, *_unknown_aliases(draft)])


def facts_of(draft: Draft, target: str) -> ModelFacts | None:
    """What the price file says of a target as written."""
    provider_name, model = target.split("/", 1)
    provider = draft.providers.get(provider_name)
    if provider is None:
        return None
    declared = draft.written.providers[provider_name].at("models", model)
    return _facts(draft.catalog, provider.kind, model, declared)


def target_texts(draft: Draft) -> Iterator[tuple[str, Spot]]:
    """Every `provider/model` that policies write, where it stands."""
    for policy in draft.written.policies.values():
        for item in target_items(policy):
            spot = item.get("model") or item
            if spot.text is not None and "/" in spot.text:
                yield spot.text, spot


def _target(name: str, spot: Spot, draft: Draft) -> Target | Problem | None:
    """None: its provider, or what that says of the model, can't be used, which has been reported there."""
    provider_name, model = name.split("/", 1)
    if not draft.may_declare("providers", provider_name):
        return undeclared(provider_name, spot, draft)
    provider = draft.providers.get(provider_name)
    if provider is None:
        return None
    if model.endswith("*"):
        message = f"{shown(name)}: patterns are part of the language but not supported by this version yet"
        return problem("unsupported", message, spot.place, help="write the models out")
    block = draft.written.providers[provider_name]
    declared = block.at("models", model)
    facts = _facts(draft.catalog, provider.kind, model, declared)
    if facts is None and declared is None:
        if is_unsure_of(model, block):
            return None
        return unknown_model(model, provider, spot, draft)
    known = facts or _unlisted(draft.catalog, provider.kind, model, declared)
    target = _resolved(
        model, provider, block, declared, known, listed=facts is not None, zone=zone_of(draft.settings)
    )
    return replace(target, refuses=_refuses(draft, target, own_facts(declared).alias))


def _refuses(draft: Draft, target: Target, alias: str | None) -> frozenset[str]:
    """What the model does not take, and what litellm does not send to the name that the provider is asked for."""
    names = dict.fromkeys((alias or target.model, target.wire_model))
    return frozenset().union(*(refused_params(draft.catalog, target.kind, name) for name in names))


def is_unsure_of(model: str, provider: Spot) -> bool:
    """Whether what the provider says of this model, or of its kind, was refused."""
    models = provider.get("models")
    return any(map(provider.is_unsure_of, ("models", "kind"))) or (
        models is not None and models.is_unsure_of(model)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnFacts:
    """What `models:` says of a model; None where it says nothing."""

    alias: str | None = None
    deployment: str | None = None
    price: OwnPrice | None = None
    discount: OwnDiscount | None = None
    context: int | None = None
    max_output: int | None = None
    supports: frozenset[str] | None = None
    tokens: str | None = None
    breaker: OwnBreaker | None = None
    labels: frozenset[str] = frozenset()
    enabled: bool = True


def own_facts(declared: Spot | None) -> OwnFacts:
    """What a model's block says, or what its provider's block says of all of its models."""
    if declared is None:
        return OwnFacts()
    supports, labels, enabled = declared.get("supports"), declared.get("labels"), declared.get("enabled")
    return OwnFacts(
        alias=text_of(declared.get("as")),
        deployment=text_of(declared.get("deployment")),
        price=own_price(declared.get("price")),
        discount=own_discount(declared.get("discount")),
        context=_count(declared.get("context")),
        max_output=_count(declared.get("max_output")),
        supports=frozenset(item.text for item in supports.items() if item.text) if supports else None,
        tokens=text_of(declared.get("tokens")),
        breaker=own_breaker(declared.get("breaker")),
        labels=frozenset(item.text for item in labels.items() if item.text) if labels else frozenset(),
        enabled=enabled is None or enabled.value is not False,
    )


def _unlisted(catalog: Catalog, kind: str, model: str, declared: Spot | None) -> ModelFacts:
    """A model that only the policies know: its name still says which family counts its tokens."""
    name = own_facts(declared).alias or model
    return ModelFacts(name=model, tokens=catalog.tokens(kind, name))


def _resolved(
    model: str,
    provider: Provider,
    block: Spot,
    declared: Spot | None,
    known: ModelFacts,
    *,
    listed: bool,
    zone: tzinfo,
) -> Target:
    own, shared = own_facts(declared), own_facts(block)
    supports = own.supports if own.supports is not None else shared.supports
    off = declared.get("enabled") if declared and not own.enabled else None
    prices, changes = over_time(
        (own.price, shared.price), (own.discount, shared.discount), known.prices, zone
    )
    return Target(
        provider=provider.name,
        model=model,
        kind=provider.kind,
        wire_model=own.deployment or model,
        prices=prices,
        price_changes=changes,
        context_tokens=own.context or shared.context or known.context_tokens,
        max_output_tokens=own.max_output or shared.max_output or known.max_output_tokens,
        supports=supports if supports is not None else known.supports if listed else None,
        tokens=_counted_by(own.tokens or shared.tokens, known.tokens),
        labels=own.labels | shared.labels,
        breaker=rule_of(own.breaker, shared.breaker),
        disabled_at=off.key_place if off else provider.disabled_at,
        place=declared.key_place if declared else provider.place,
    )


def _counted_by(method: str | None, family: TokenClass) -> TokenClass:
    """The family's way to count, with the method that the files chose. What a family adds to the text stays."""
    match method:
        case "exact":
            return replace(family, method="exact", margin_percent=0)
        case "window":
            return replace(family, method="window")
        case "margin" if family.method != "margin":
            return replace(family, method="margin", margin_percent=UNMEASURED_PERCENT)
        case _:
            return family


def _facts(catalog: Catalog, kind: str, model: str, declared: Spot | None) -> ModelFacts | None:
    return known_facts(catalog, kind, own_facts(declared).alias or model)


def _count(spot: Spot | None) -> int | None:
    return scalars.count(spot.value) if spot else None


def undeclared(name: str, spot: Spot, draft: Draft) -> Problem:
    close = close_to(name, draft.written.providers)
    advice = f"did you mean `{close}`?" if close else f"declare it: `providers: {{{name}: {{}}}}`"
    return problem("undeclared-provider", f"provider {shown(name)} is not declared", spot.place, help=advice)


def unknown_model(model: str, provider: Provider, spot: Spot, draft: Draft) -> Problem:
    declared = draft.written.providers[provider.name].get("models")
    known = [
        *(name for name, _ in (declared.fields() if declared else ())),
        *draft.catalog.models(provider.kind),
    ]
    close = close_to(model, known)
    advice = f"did you mean `{provider.name}/{close}`? " if close else ""
    advice += (
        f"a model that the price file does not know is declared under `providers: {provider.name}: models:`"
    )
    message = f"model {shown(model)} of provider `{provider.name}` is unknown"
    return problem("unknown-model", message, spot.place, help=advice)


def _unknown_aliases(draft: Draft) -> Iterator[Problem]:
    for name, provider in draft.providers.items():
        models = draft.written.providers[name].get("models")
        for _, model in models.fields() if models else ():
            alias = model.get("as")
            if alias is not None and known_facts(draft.catalog, provider.kind, str(alias.value)) is None:
                message = f"the price file knows no {shown(alias.value)}"
                advice = _alias_advice(str(alias.value), provider.kind, draft.catalog)
                yield problem("unknown-model", message, alias.place, help=advice)


def _alias_advice(alias: str, kind: str, catalog: Catalog) -> str:
    prefix = f"{kind}/" if alias.startswith(f"{kind}/") else ""
    close = close_to(alias.removeprefix(prefix), catalog.models(kind))
    if close is not None:
        return f"did you mean `{prefix}{close}`?"
    return "write the name its price is listed under, or leave `as` out and say `price` and `context`"
