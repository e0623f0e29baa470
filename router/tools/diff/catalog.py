"""Providers and models: come, gone, disabled, priced, labelled or reached in another way."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields

from router.plan import Price, PriceTable, Provider, Target
from router.policy.document import Spot
from router.policy.scalars import count_text, money_text
from router.policy.targets import OwnFacts, own_facts
from router.policy.traps import written
from router.tools.diff.amounts import related
from router.tools.diff.ceilings import AUSD_PER_MILLION
from router.tools.diff.change import Change, Effect, combined
from router.tools.diff.renames import ANEW, KEPT, kept, spends
from router.tools.diff.side import Side, meaning, place_of
from router.values import Place, SecretRef

KEYS = {"alias": "as", "prices": "price"}
"""Facts whose key in the files has another name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fact:
    what: str
    before: str | None
    after: str | None
    effect: Effect = "neither"


def catalog_changes(old: Side, new: Side) -> Iterator[Change]:
    yield from _come_and_gone(old, new)
    for name in (each for each in old.plan.providers if each in new.plan.providers):
        was, now = old.written.providers[name], new.written.providers[name]
        subject = f"provider {name}"
        for fact in _of_provider(old.plan.providers[name], new.plan.providers[name]):
            yield _change(subject, fact, was, now)
        for fact in _own(own_facts(was), own_facts(now)):
            if fact.what not in ("labels", "enabled"):  # told above, with what they come to
                yield _change(subject, fact, was, now)
        yield from _of_models(name, old, new)
    yield from _by_the_book(old, new)


def _come_and_gone(old: Side, new: Side) -> Iterator[Change]:
    before, after = old.plan.providers, new.plan.providers
    renamed, is_any_gone = kept(before, after), bool(before.keys() - after.keys())
    for name in sorted({*before, *after}):
        if name in renamed:
            yield Change(
                area="catalog",
                subjects=(f"provider {name}",),
                what="provider",
                before=name,
                after=renamed[name],
                text=f"is {renamed[name]} now; {KEPT}",
                old_place=before[name].place,
                new_place=after[renamed[name]].place,
            )
        elif (name in before) != (name in after) and name not in renamed.values():
            is_new = name in after
            spend = f"; {ANEW}" if is_new and is_any_gone and spends(after[name]) else ""
            yield Change(
                area="catalog",
                subjects=(f"provider {name}",),
                what="provider",
                before=None if is_new else name,
                after=name if is_new else None,
                text=f"new{spend}" if is_new else "gone",
                old_place=None if is_new else before[name].place,
                new_place=after[name].place if is_new else None,
            )


def _change(subject: str, fact: _Fact, was: Spot | None, now: Spot | None) -> Change:
    return Change(
        area="catalog",
        subjects=(subject,),
        what=fact.what,
        before=fact.before,
        after=fact.after,
        text=related(fact.what, fact.before, fact.after),
        effect=fact.effect,
        old_place=place_of(was, fact.what),
        new_place=place_of(now, fact.what),
    )


def _of_provider(was: Provider, now: Provider) -> Iterator[_Fact]:
    pairs = (
        ("kind", was.kind, now.kind),
        ("base_url", _address(was), _address(now)),
        ("keys", _keys(was), _keys(now)),
        ("enabled", _enabled(was.disabled_at), _enabled(now.disabled_at)),
    )
    yield from (_Fact(what=what, before=one, after=other) for what, one, other in pairs if one != other)
    for what in sorted({*was.wire, *now.wire}):
        if was.wire.get(what) != now.wire.get(what):
            yield _Fact(what=what, before=was.wire.get(what), after=now.wire.get(what))
    yield from _labels(was.labels, now.labels)


def _of_models(provider: str, old: Side, new: Side) -> Iterator[Change]:
    """What the files say of a model itself."""
    was, now = (_declared(side.written.providers[provider]) for side in (old, new))
    for model in sorted({*was, *now}):
        one, other = was.get(model), now.get(model)
        name, subject = f"{provider}/{model}", f"model {provider}/{model}"
        before, after = own_facts(one), own_facts(other)
        facts = list(_own(before, after, old.plan.targets.get(name), new.plan.targets.get(name)))
        yield from (_change(subject, fact, one, other) for fact in facts)
        if (
            not facts
            and (one is None) != (other is None)
            and not any(each.get("limits") for each in (one, other) if each)
        ):
            text = (
                "declared, with nothing said of it" if other else "declared no longer; nothing was said of it"
            )
            yield Change(
                area="catalog",
                subjects=(subject,),
                what="models",
                before=model if one else None,
                after=model if other else None,
                text=text,
                old_place=one.key_place if one else None,
                new_place=other.key_place if other else None,
            )


def _declared(provider: Spot) -> Mapping[str, Spot]:
    models = provider.get("models")
    return dict(models.fields()) if models else {}


def _own(
    was: OwnFacts, now: OwnFacts, old: Target | None = None, new: Target | None = None
) -> Iterator[_Fact]:
    """`old` and `new` say what the facts come to, where the files are silent on one side."""
    for each in fields(OwnFacts):
        before, after = getattr(was, each.name), getattr(now, each.name)
        if meaning(before) == meaning(after):
            continue
        if each.name == "labels":
            yield from _labels(before, after)
        elif each.name == "prices":
            one = before or (old.prices if old else None)
            other = after or (new.prices if new else None)
            effect = price_effect(one, other)
            yield _Fact(
                what="price", before=_price_of(before, one), after=_price_of(after, other), effect=effect
            )
        else:
            yield _Fact(what=KEYS.get(each.name, each.name), before=_text(before), after=_text(after))


def _by_the_book(old: Side, new: Side) -> Iterator[Change]:
    """What is different only because the sides were priced by different books."""
    if old.plan.prices_digest == new.plan.prices_digest:
        return
    for name in (each for each in old.plan.targets if each in new.plan.targets):
        was, now = old.plan.targets[name], new.plan.targets[name]
        if was.prices != now.prices and "price file" in (_source(was), _source(now)):
            fact = _Fact(
                what="price",
                before=_price_of(None, was.prices),
                after=_price_of(None, now.prices),
                effect=price_effect(was.prices, now.prices),
            )
            yield _change(f"model {name}", fact, None, None)


def _source(target: Target) -> str:
    return target.prices.source if target.prices else "price file"


def _labels(before: frozenset[str], after: frozenset[str]) -> Iterator[_Fact]:
    """Whoever requires a label may be sent to one place more, or one less."""
    if before != after:
        yield _Fact(
            what="labels",
            before=_text(before),
            after=_text(after),
            effect=combined(loosens=bool(after - before), tightens=bool(before - after)),
        )


def price_effect(before: PriceTable | None, after: PriceTable | None) -> Effect:
    """A call that counts as cheaper fits more budgets, and meets more demands on price."""
    if before is None or after is None:
        return "neither"
    one, other = _amounts(before), _amounts(after)
    if one == other or len(one) != len(other):
        return "neither"
    pairs = list(zip(one, other, strict=True))
    return combined(loosens=any(b < a for a, b in pairs), tightens=any(b > a for a, b in pairs))


def _amounts(table: PriceTable) -> tuple[int, ...]:
    tiers = (getattr(tier, each.name) for tier in table.tiers for each in fields(Price))
    return (*tiers, table.per_request_nusd)


def _price_of(own: PriceTable | None, effective: PriceTable | None) -> str:
    """As written; what nobody wrote is the price file's."""
    text = price_text(effective) if effective else "unknown"
    return text if own else f"{text} (price file)" if effective else "the price file's"


def price_text(table: PriceTable) -> str:
    """The first tier, as an author writes it."""
    tier = table.tiers[0]
    parts = {"input_per_million": tier.input_ausd, "output_per_million": tier.output_ausd}
    if tier.cached_input_ausd != tier.input_ausd:
        parts["cached_per_million"] = tier.cached_input_ausd
    if tier.cache_write_ausd != tier.input_ausd:
        parts["cache_write_per_million"] = tier.cache_write_ausd
    texts = [f"{name}: {money_text(ausd // AUSD_PER_MILLION)}" for name, ausd in parts.items()]
    if table.per_request_nusd:
        texts.append(f"per_request: {money_text(table.per_request_nusd)}")
    return "free" if not any(_amounts(table)) else f"{{{', '.join(texts)}}}"


def _text(value: object) -> str | None:
    if isinstance(value, frozenset):
        return f"[{', '.join(sorted(value))}]" if value else None
    if isinstance(value, int) and not isinstance(value, bool):
        return count_text(value)
    return None if value is None else written(value)


def _enabled(disabled_at: Place | None) -> str:
    return "true" if disabled_at is None else "false"


def _address(provider: Provider) -> str | None:
    return _reference(provider.base_url) if isinstance(provider.base_url, SecretRef) else provider.base_url


def _keys(provider: Provider) -> str:
    return f"[{', '.join(_reference(key.secret) if key.secret else key.name for key in provider.keys)}]"


def _reference(ref: SecretRef) -> str:
    return f"{{{ref.source}: {ref.name}}}"
