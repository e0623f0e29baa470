"""Upper bounds that changed: budgets and limits of every owner, figures of ceilings, dearest prices."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from router.plan import Budget, Limit, Provider
from router.policy.scalars import count_text, money_text, share_text
from router.tools.diff.change import Area, Change, Effect, combined
from router.tools.diff.side import Moved, Side, eaches
from router.values import Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """An upper bound: a number to compare (infinite where it refuses nothing), and as its author would write it. Where
    one that is `anew` takes the place of another that is not, or the other way, what was spent is not counted on."""

    amount: float
    text: str
    place: Place | None
    anew: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """The budgets and limits of one owner. Those of pools are others' as well."""

    budgets: tuple[Budget, ...]
    limits: tuple[Limit, ...] = ()

    @property
    def own(self) -> tuple[Budget | Limit, ...]:
        return (*(each for each in self.budgets if not _pool(each)), *self.limits)

    @property
    def pools(self) -> Mapping[str, Budget]:
        """By name, one of the windows of each."""
        return {_pool(each): each for each in reversed(self.budgets) if _pool(each)}


NOTHING = Held(budgets=())


def budget_changes(old: Side, new: Side, among: Moved) -> Iterator[Change]:
    """Of owners, then of pools. Where the amount of a pool is otherwise, so is everybody who spends from it."""
    owners = list(pairs(old, new, among))
    for subject, before, after in owners:
        yield from bounds_changed("budgets", subject, figures(before.own), figures(after.own))
        yield from _warnings_changed(subject, before.own, after.own)
        yield from _pool_changes(subject, before, after)
    old_pools, new_pools = pooled(each for _, each, _ in owners), pooled(each for _, _, each in owners)
    for pool, budgets in old_pools.items():
        if pool in new_pools:
            yield from bounds_changed("budgets", f"pool {pool}", figures(budgets), figures(new_pools[pool]))
            yield from _warnings_changed(f"pool {pool}", budgets, new_pools[pool])


def pairs(old: Side, new: Side, among: Moved) -> Iterator[tuple[str, Held, Held]]:
    """(name, before, after) of every owner that may be otherwise."""
    for (subject, held), (_, holds) in zip(holders(old, among), holders(new, among), strict=True):
        yield subject, held, holds


def bounds_changed(
    area: Area, subject: str, before: Mapping[str, Figure], after: Mapping[str, Figure]
) -> Iterator[Change]:
    """Figures by name. One that is absent bounds nothing: it is looser than any."""
    for name in dict.fromkeys((*before, *after)):
        old, new = before.get(name), after.get(name)
        was, now = old.amount if old else float("inf"), new.amount if new else float("inf")
        anew = old is not None and new is not None and old.anew != new.anew
        texts = old.text if old else None, new.text if new else None
        if (
            was != now or anew or (old and new and now == float("inf") and texts[0] != texts[1])
        ):  # both in shadow
            otherwise = anew and max(was, now) < float("inf")  # neither window is within the other
            yield Change(
                area=area,
                subjects=(subject,),
                what=name,
                before=texts[0],
                after=texts[1],
                text=f"{related(name, *texts)}{', and what was spent is counted anew' if anew else ''}",
                effect=combined(loosens=now > was or otherwise, tightens=now < was or otherwise),
                old_place=old.place if old else None,
                new_place=new.place if new else None,
            )


def _warnings_changed(
    subject: str, before: Iterable[Budget | Limit], after: Iterable[Budget | Limit]
) -> Iterator[Change]:
    """Of budgets on both sides: those that come and go take their warnings with them."""
    was, now = (
        {name_of(each): each for each in side if isinstance(each, Budget)} for side in (before, after)
    )
    for name in (each for each in was if each in now and was[each].warn_at != now[each].warn_at):
        what, old, new = f"{name}.warn_at", _shares(was[name]), _shares(now[name])
        yield Change(
            area="budgets",
            subjects=(subject,),
            what=what,
            before=old,
            after=new,
            text=related(what, old, new),
            old_place=was[name].place,
            new_place=now[name].place,
        )


def _shares(budget: Budget) -> str | None:
    return f"[{', '.join(map(share_text, budget.warn_at))}]" if budget.warn_at else None


def related(name: str, before: str | None, after: str | None) -> str:
    """`ceiling.output_tokens 400 -> none`."""
    return f"{name} {'none' if before is None else before} -> {'none' if after is None else after}"


def holders(side: Side, among: Moved) -> Iterator[tuple[str, Held]]:
    """Owners of budgets and limits; each of a tenant whether it is written or not."""
    for name in among.policies:
        policy = side.plan.policies[name]
        yield f"policy {name}", Held(budgets=policy.budgets, limits=policy.limits)
    for path in among.tenants:
        yield from _of_tenant(side, path)
    for name in among.providers:
        provider = side.plan.providers[name]
        yield f"provider {name}", Held(budgets=provider.budgets, limits=_limits_within(provider))


def _limits_within(provider: Provider) -> tuple[Limit, ...]:
    """Its own, its models' and its keys': a change of any is one of the provider."""
    of_models = (limit for limits in provider.model_limits.values() for limit in limits)
    return (*provider.limits, *of_models, *(limit for key in provider.keys for limit in key.limits))


def _of_tenant(side: Side, path: str) -> Iterator[tuple[str, Held]]:
    tenant = side.plan.tenants[path]
    yield f"tenant {path}", Held(budgets=tenant.budgets, limits=tenant.limits)
    for of, each in eaches(tenant.each):
        yield f"each {of} of {path}", Held(budgets=each.budgets, limits=each.limits) if each else NOTHING


def figures(amounts: Iterable[Budget | Limit]) -> dict[str, Figure]:
    """By name, as `budget.per_day`, `limits.requests_per_minute` and `models.gpt-5.limits.requests_per_minute`."""
    return {
        name_of(each): Figure(
            amount=float("inf") if each.shadow else _number(each),
            text=amount_text(each),
            place=each.place,
            anew=isinstance(each, Budget) and each.rolling,
        )
        for each in amounts
    }


def name_of(each: Budget | Limit) -> str:
    word = each.text.partition(":")[0]
    if isinstance(each, Budget):
        return f"budget.{word}"
    whose, _, name = each.whose.partition(":")
    within = {"model": "models", "key": "keys"}.get(whose)
    return f"{within}.{name.partition('/')[2]}.limits.{word}" if within else f"limits.{word}"


def amount_text(each: Budget | Limit) -> str:
    text = money_text(_number(each)) if each.unit == "nusd" else count_text(_number(each))
    marks = [word for word in ("rolling", "shadow") if getattr(each, word, False)]
    return f"{text} ({', '.join(marks)})" if marks else text


def pooled(held: Iterable[Held]) -> dict[str, tuple[Budget, ...]]:
    """The budgets of each pool that somebody spends from."""
    found: dict[str, dict[Budget, None]] = {}
    for each in held:
        for budget in each.budgets:
            if pool := _pool(budget):
                found.setdefault(pool, {})[budget] = None
    return {pool: tuple(budgets) for pool, budgets in sorted(found.items())}


def _pool_changes(subject: str, before: Held, after: Held) -> Iterator[Change]:
    for pool in sorted({*before.pools, *after.pools}):
        old, new = before.pools.get(pool), after.pools.get(pool)
        if old and new and old.owner != new.owner:
            text = f"pool {pool} is counted under another name: what was spent is left behind"
            yield _pool_change(subject, pool, old, new, text, "both")
        elif (old is None) != (new is None):
            text = f"spends from pool {pool} {'too' if new else 'no longer'}"
            yield _pool_change(subject, pool, old, new, text, "tightens" if new else "loosens")


def _pool_change(
    subject: str, pool: str, old: Budget | None, new: Budget | None, text: str, effect: Effect
) -> Change:
    return Change(
        area="budgets",
        subjects=(subject,),
        what="budget.pool",
        before=_pool(old) if old else None,
        after=_pool(new) if new else None,
        text=text,
        effect=effect,
        old_place=old.place if old else None,
        new_place=new.place if new else None,
    )


def _pool(each: Budget) -> str:
    return each.whose.removeprefix("pool:") if each.whose.startswith("pool:") else ""


def _number(each: Budget | Limit) -> int:
    return each.amount if isinstance(each, Budget) else each.at_most
