"""The whole effective policy: every value with the place it came from. What `router explain` prints."""

from collections.abc import Iterator
from dataclasses import dataclass, fields

from router.decide.classify import TRANSIENT
from router.decide.retries import LEAST, WINDOW_S
from router.errors import RequestError
from router.plan import Budget, OnStoreError, Policy
from router.policy.document import Spot
from router.policy.extends import woven_policies
from router.policy.load import Loaded
from router.policy.merge import written_in
from router.policy.phrases import suggestion
from router.policy.scalars import count_text, duration_text, money_text, share_text
from router.policy.tenants import chain
from router.policy.traps import written
from router.policy.walk import rules_of
from router.values import Kind, Place

DEMANDS = ("allow", "require", "max_price", "needs")


@dataclass(frozen=True, slots=True, kw_only=True)
class Effective:
    """`name` is a dotted path inside the policy, `text` the value as an author writes it. `place` None: built in."""

    name: str
    text: str
    place: Place | None


def effective(loaded: Loaded, policy: str) -> tuple[Effective, ...]:
    """Every value that calls of `policy` run with, in the order of the language. Raises RequestError for an unknown
    policy, ValueError where nothing was compiled."""
    if loaded.plan is None:
        raise ValueError("these policies have errors, so nothing is in effect")
    found = loaded.plan.policies.get(policy)
    if found is None:
        advice = suggestion(policy, loaded.plan.policies, what="policies here:")
        raise RequestError(f"there is no policy `{policy}`", help=advice)
    written_blocks = written_in(loaded.documents)
    return (
        *_rows(found, woven_policies(written_blocks.policies)[policy]),
        *_on_store_error(loaded.plan.settings.on_store_error, written_blocks.settings),
    )


def asked_of(loaded: Loaded, tenant: str) -> tuple[Effective, ...]:
    """What a tenant, those above it, and what they say of each of theirs ask of its calls beside budgets and limits:
    all of it holds at once. Nothing for a tenant that no file declares."""
    written_tenants, found = written_in(loaded.documents).tenants, list[Effective]()
    for path in chain(tenant):
        spot = written_tenants.get(path)
        if spot is not None:
            found += _asked(f"tenant {path}", spot)
            for of in ("user", "session", *(["child"] if path != tenant else [])):
                below = spot.at("each", of)
                found += _asked(f"each {of} of {path}", below) if below else ()
    return tuple(found)


def _asked(whose: str, scope: Spot) -> Iterator[Effective]:
    for key in ("was", "ceiling", *DEMANDS, "content"):
        yield from _lines(f"{whose}.{key}", scope.get(key))


def _rows(policy: Policy, spot: Spot) -> Iterator[Effective]:
    if policy.description:
        yield _row("description", policy.description, spot)
    yield from _lines("extends", spot.get("extends"))
    yield from _lines("was", spot.get("was"))
    yield from _written("targets", spot.get("targets"))
    for rule in rules_of(spot):
        yield from _rule(rule)
    yield from _timing(policy, spot)
    yield from _ceiling(policy, spot)
    for demand in DEMANDS:
        yield from _lines(demand, spot.get(demand))
    yield from _cache(policy, spot)
    for budget in policy.budgets:
        window, _, amount = budget.text.partition(": ")
        pool = budget.whose.removeprefix("pool:") if budget.whose.startswith("pool:") else ""
        name = f"budget.pool {pool}.{window}" if pool else f"budget.{window}"
        yield Effective(name=name, text=f"{amount}{_marks(budget)}{_warns(budget)}", place=budget.place)
    yield from _lines("budget.when_spent", spot.at("budget", "when_spent"))
    for name, value in policy.lexical.params.items():
        yield _row(f"params.{name}", written(value), spot)
    yield from _lines("params_unsupported", spot.get("params_unsupported"))


def _warns(budget: Budget) -> str:
    """` (warns at 50%, 80%)`."""
    shares = ", ".join(map(share_text, budget.warn_at))
    return f" (warns at {shares})" if shares and "warn_at" not in budget.text else ""


def _written(name: str, items: Spot | None) -> Iterator[Effective]:
    for number, item in enumerate(items.items() if items else (), start=1):
        yield Effective(name=f"{name}.{number}", text=written(item.value), place=item.place)


def _lines(name: str, spot: Spot | None) -> Iterator[Effective]:
    """What is in effect as it is written, where it is written at all."""
    if spot is not None:
        yield Effective(name=name, text=written(spot.value), place=spot.key_place)


def _rule(rule: Spot) -> Iterator[Effective]:
    """When it holds, and what it does."""
    name, when = rule.get("name"), rule.get("when")
    if name is None or when is None:
        return
    yield Effective(name=f"rules.{name.value}.when", text=written(when.value), place=when.key_place)
    for outcome in ("policy", "reject"):
        found = rule.get(outcome)
        if found is not None:
            text, place = written(found.value), found.key_place
            yield Effective(name=f"rules.{name.value}.{outcome}", text=text, place=place)
    yield from _written(f"rules.{name.value}.targets", rule.get("targets"))


def _timing(policy: Policy, spot: Spot) -> Iterator[Effective]:
    lexical = policy.lexical
    retry, attempt_s = lexical.retry, lexical.attempt_s
    yield _row("fall_back_on", kinds_text(policy.lexical.fall_back_on), spot)
    if retry.attempts == 1 and not retry.on:
        yield _row("retry", "off", spot)
    else:
        yield _row("retry.attempts", str(retry.attempts), spot)
        yield _row("retry.backoff", retry.backoff, spot)
        yield _row("retry.base", _duration(retry.base_s), spot)
        yield _row("retry.max", _duration(retry.max_s), spot)
        yield _row("retry.on", kinds_text(retry.on), spot)
        if retry.budget is not None:
            text = f"{share_text(retry.budget)} of the requests of the last {WINDOW_S}s, at least {LEAST}"
            yield _row("retry.budget", text, spot)
    yield _row("timeout.total", _duration(policy.total_s), spot)
    yield _row(
        "timeout.attempt", "what is left of total" if attempt_s is None else _duration(attempt_s), spot
    )
    for name, time_s in (("first_content", lexical.first_content_s), ("idle", lexical.idle_s)):
        if time_s is not None:
            yield _row(f"timeout.{name}", _duration(time_s), spot)
    yield _row("timeout.stream", _duration(policy.stream_s), spot)
    if not policy.lexical.heeds_breakers:
        yield _row("breaker", "off", spot)


def _ceiling(policy: Policy, spot: Spot) -> Iterator[Effective]:
    ceiling = policy.ceiling
    yield _row("ceiling.input_tokens", _count(ceiling.input_tokens), spot)
    yield _row("ceiling.output_tokens", _count(ceiling.output_tokens), spot)
    yield _row("ceiling.attempts", "none" if ceiling.attempts is None else str(ceiling.attempts), spot)
    if ceiling.added_cost_nusd is not None:
        yield _row("ceiling.added_cost", money_text(ceiling.added_cost_nusd), spot)


def _cache(policy: Policy, spot: Spot) -> Iterator[Effective]:
    if policy.cache is None:
        yield _row("cache", "off", spot)
        return
    yield _row("cache.ttl", _duration(policy.cache.ttl_s), spot)
    yield _row("cache.scope", policy.cache.scope, spot)
    yield _row("cache.sampled", written(policy.cache.sampled), spot)
    if policy.cache.stale_s:
        yield _row("cache.serve_stale_on_error", _duration(policy.cache.stale_s), spot)


def _on_store_error(chosen: OnStoreError, settings: Spot | None) -> Iterator[Effective]:
    """All four, where the files say something of one."""
    block = settings.get("on_store_error") if settings else None
    for port in fields(OnStoreError) if block else ():
        spot = block.get(port.name) if block else None
        text: str = getattr(chosen, port.name)
        place = spot.key_place if spot else None
        yield Effective(name=f"settings.on_store_error.{port.name}", text=text, place=place)


def _row(name: str, text: str, policy: Spot) -> Effective:
    spot = policy.at(*name.split(".", 1))
    return Effective(name=name, text=text, place=spot.key_place if spot else None)


def kinds_text(kinds: frozenset[Kind]) -> str:
    """With the set name where all of its kinds are there."""
    rest = [str(kind) for kind in Kind if kind in kinds and not (kinds >= TRANSIENT and kind in TRANSIENT)]
    return f"[{', '.join([*(['transient'] if kinds >= TRANSIENT else []), *rest])}]"


def _duration(seconds: float) -> str:
    return duration_text(round(seconds * 1000))


def _count(tokens: int | None) -> str:
    return "none" if tokens is None else count_text(tokens)


def _marks(budget: Budget) -> str:
    """What stands beside the windows and makes it another budget, where its own text does not say it."""
    marks = [word for word in ("rolling", "shadow") if getattr(budget, word) and word not in budget.text]
    return f" ({', '.join(marks)})" if marks else ""
