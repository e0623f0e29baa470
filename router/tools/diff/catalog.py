"""Providers and models: come, gone, disabled, priced, labelled or reached in another way."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import date
from math import inf

from router.decide.prices import all_prices, price_at
from router.plan import BreakerRule, Price, PriceTable, Provider, Target
from router.policy.breakers import breaker_text
from router.policy.document import Spot
from router.policy.prices import OwnDiscount, OwnPrice
from router.policy.scalars import count_text
from router.policy.targets import OwnFacts, own_facts
from router.policy.traps import written
from router.tools.diff.amounts import related
from router.tools.diff.change import Change, Effect, combined
from router.tools.diff.renames import ANEW, spends
from router.tools.diff.side import Side, meaning, place_of
from router.tools.price_texts import discount_text, own_price_text, price_text
from router.values import Place, SecretRef

KEYS = {"alias": "as"}
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
    is_any_gone = bool(before.keys() - after.keys())
    for name in sorted({*before, *after}):
        if (name in before) != (name in after):
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
        ("wire", _by(was), _by(now)),
        ("enabled", _enabled(was.disabled_at), _enabled(now.disabled_at)),
    )
    yield from (_Fact(what=what, before=one, after=other) for what, one, other in pairs if one != other)
    for what in sorted({*was.wire, *now.wire}):
        if was.wire.get(what) != now.wire.get(what):
            yield _Fact(what=what, before=was.wire.get(what), after=now.wire.get(what))
    yield from _labels(was.labels, now.labels)


def _by(provider: Provider) -> str | None:
    """None where nothing is said of it."""
    return None if provider.by == "auto" else provider.by


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
        elif each.name == "price":
            yield _price_fact(before, after, old, new)
        elif each.name == "discount":
            yield _Fact(
                what="discount",
                before=discount_text(before) if before else None,
                after=discount_text(after) if after else None,
                effect=effect_over_time(old, new) if old and new else discount_effect(before, after),
            )
        else:
            yield _Fact(what=KEYS.get(each.name, each.name), before=_text(before), after=_text(after))


def _price_fact(
    before: OwnPrice | None, after: OwnPrice | None, old: Target | None, new: Target | None
) -> _Fact:
    if old and new:
        effect = effect_over_time(old, new)
    elif before and after and before.days == after.days:
        effect = price_effect(before.table, after.table)
    else:
        effect = "both" if before and after else "neither"
    return _Fact(
        what="price",
        before=own_price_text(before) if before else _book_text(old),
        after=own_price_text(after) if after else _book_text(new),
        effect=effect,
    )


def _by_the_book(old: Side, new: Side) -> Iterator[Change]:
    """What is different only because the sides were priced by different books."""
    if old.plan.prices_digest == new.plan.prices_digest:
        return
    for name in (each for each in old.plan.targets if each in new.plan.targets):
        was, now = old.plan.targets[name], new.plan.targets[name]
        if all_prices(was) != all_prices(now) and "price file" in (*_sources(was), *_sources(now)):
            fact = _Fact(
                what="price",
                before=_book_text(was),
                after=_book_text(now),
                effect=effect_over_time(was, now),
            )
            yield _change(f"model {name}", fact, None, None)


def _sources(target: Target) -> tuple[str, ...]:
    return tuple(each.source if each else "price file" for each in all_prices(target))


def _book_text(target: Target | None) -> str:
    """Of a price that is not the model's own."""
    prices = target.prices if target else None
    return f"{price_text(prices)} (price file)" if prices else "the price file's"


def _labels(before: frozenset[str], after: frozenset[str]) -> Iterator[_Fact]:
    """Whoever requires a label may be sent to one place more, or one less."""
    if before != after:
        yield _Fact(
            what="labels",
            before=_text(before),
            after=_text(after),
            effect=combined(loosens=bool(after - before), tightens=bool(before - after)),
        )


def effect_over_time(before: Target, after: Target) -> Effect:
    """On every day that one of them names."""
    days = sorted({each.at_s for target in (before, after) for each in target.price_changes})
    pairs = [(price_at(before, at_s), price_at(after, at_s)) for at_s in (-inf, *days)]
    return _all_of(price_effect(one, other) for one, other in pairs)


def price_effect(before: PriceTable | None, after: PriceTable | None) -> Effect:
    """A call that counts as cheaper fits more budgets, and meets more demands on price."""
    if before is None or after is None:
        return "neither"
    lengths = sorted({tier.above_tokens for table in (before, after) for tier in table.tiers})
    pairs = [(before.per_request_nusd, after.per_request_nusd)]
    for length in lengths:
        pairs += zip(_rates(before, length), _rates(after, length), strict=True)
    return combined(loosens=any(b < a for a, b in pairs), tightens=any(b > a for a, b in pairs))


def _rates(table: PriceTable, length: int) -> tuple[int, ...]:
    """Of inputs longer than `length`."""
    tier = [each for each in table.tiers if each.above_tokens <= length][-1]
    rates = {each.name: getattr(tier, each.name) for each in fields(Price) if each.name.endswith("_ausd")}
    if rates["cache_write_1h_ausd"] is None:
        rates["cache_write_1h_ausd"] = tier.cache_write_ausd
    return tuple(rates.values())


def discount_effect(before: OwnDiscount | None, after: OwnDiscount | None) -> Effect:
    """More off loosens as a lower price does."""
    both = [each for each in (before, after) if each]
    days = {day for each in both for day in (each.days.since, each.days.until) if day}
    pairs = [(_off(before, day), _off(after, day)) for day in (date.min, *sorted(days))]
    return combined(loosens=any(b > a for a, b in pairs), tightens=any(b < a for a, b in pairs))


def _off(discount: OwnDiscount | None, day: date) -> int:
    return discount.off if discount and discount.days.hold(day) else 0


def _all_of(effects: Iterable[Effect]) -> Effect:
    found = set(effects)
    return combined(loosens=bool(found & {"loosens", "both"}), tightens=bool(found & {"tightens", "both"}))


def _text(value: object) -> str | None:
    if isinstance(value, BreakerRule):
        return breaker_text(value)
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
