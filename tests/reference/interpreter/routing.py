"""From a call to its flat list: the rules read once, nested policies spliced in, what may not serve dropped."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.reference.interpreter.conditions import Snapshot, first_rule
from tests.reference.interpreter.models import Model, model_of
from tests.reference.interpreter.policies import (
    TOTAL_S,
    Budget,
    Refused,
    Retry,
    Scope,
    budgets_of,
    fall_back_of,
    policy_scope,
    retry_of,
)
from tests.reference.interpreter.units import count, dollars, nusd, seconds
from tests.reference.interpreter.world import Call, World

COUNTED = ("context", "input_ceiling", "unbounded_input")  # reasons that hang on the input
LOCAL = ("hosted_vllm", "ollama")  # servers of one's own need no key


@dataclass(frozen=True)
class Place:
    """A target as it stands in the list: with the settings of its policy and every scope on its path."""

    model: Model
    policy: str  # the one it is written in
    scopes: tuple[Scope, ...]
    retry: Retry
    attempt_s: float | None
    fall_back_on: frozenset[str]
    total_s: float
    output: int | None  # tokens of one choice
    choices: int
    input_bound: int
    input_ceiling: int | None
    added_cost: int | None  # nano-USD that what a provider adds may cost an attempt
    sends: int | None  # ceiling.attempts
    params: Mapping[str, Any]  # as they are sent
    untaken: frozenset[str]  # parameters that keep the target from serving
    way: tuple[str, ...]  # the policies that lead to it
    heeds_breakers: bool


@dataclass(frozen=True)
class Flat:
    """`possible`: what may be listed by all that is known before the input is counted. `unpromised`: what only budgets
    keep out, with those that do."""

    rule: str | None
    listed: list[Place]
    possible: list[Place]
    dropped: list[tuple[str, str, frozenset[str]]]
    served_by: set[tuple[str, str]]  # of the list: target, policy
    unpromised: list[tuple[Place, list[Budget]]]


def needs_of(call: Call) -> frozenset[str]:
    tools = {"tools"} if call.params.get("tools") else set()
    form = call.params.get("response_format")
    json = {"json"} if form and form["type"] != "text" else set()
    return frozenset(tools | json | ({"vision"} if call.image else set()))


def adds_input(call: Call) -> bool:
    """Whether the provider adds input of its own: what it finds when it searches."""
    return "web_search_options" in call.params


def flatten(
    world: World, policies: Mapping[str, Any], name: str, above: list[Scope], call: Call, seen: Snapshot
) -> Flat:
    """The list of a policy, with what holds before it is entered. Raises Refused where the call asks for more choices
    than a policy that it meets allows."""
    listed: list[Place] = []
    possible: list[Place] = []
    dropped: list[tuple[str, str, frozenset[str]]] = []
    served_by: set[tuple[str, str]] = set()
    kept_out: list[Place] = []
    rule = first_rule(policies[name].get("rules", []), name, seen)
    if rule is not None and "reject" in rule:
        return Flat(rule["name"], [], [], [], set(), [])
    for entry, policy, scopes, way in _entries(policies, name, above, seen):
        if call.params.get("n", 1) > {**policies[policy].get("params", {}), **entry.get("params", {})}.get(
            "n", 1
        ):
            raise Refused("RequestError")
        model = model_of(world.document, world.book, entry["model"])
        place = _place(model, entry, policy, policies[policy], scopes, call, seen, way)
        reasons = _reasons(place, world, call, {each.model.name for each in listed})
        if reasons <= {"duplicate", *COUNTED} and not any(
            _hides(before, place, world) for before in possible
        ):
            possible.append(place)
            kept_out += [place] if reasons - {"duplicate"} == {"unbounded_input"} else []
        if reasons:
            again = any(model.name == name for name, _, _ in dropped)
            reasons |= {"duplicate"} if again else set()  # as true a reason as the others
            dropped.append((model.name, policy, reasons))
        else:
            listed.append(place)
            served_by.add((model.name, policy))
    order = {name: at for at, name in enumerate(call.prefer)}
    for places in (listed, possible, kept_out):
        places.sort(key=lambda each: order.get(each.model.name, len(order)))
    names = {place.model.name for place in listed}
    unpromised = [(each, _unkept(each, world)) for each in kept_out if each.model.name not in names]
    return Flat(rule["name"] if rule else None, listed, possible, dropped, served_by, unpromised)


def _hides(before: Place, later: Place, world: World) -> bool:
    """Whether no request, however long, gets past `before` to `later`: the same target, no tighter, no more guarded."""
    ceilings = [place.input_ceiling or 10**15 for place in (before, later)]
    guarded = [{each.unit for each in _hard(place.scopes, world)} - {"requests"} for place in (before, later)]
    states = [place.added_cost is not None for place in (before, later)]
    open_ = ceilings[0] >= ceilings[1] and guarded[0] <= guarded[1] and states[0] >= states[1]
    return before.model.name == later.model.name and open_


def _entries(
    policies: Mapping[str, Any], name: str, above: list[Scope], seen: Snapshot, way: tuple[str, ...] = ()
) -> Iterator[tuple[Mapping[str, Any], str, list[Scope], tuple[str, ...]]]:
    """Every target of a policy, with the policy that it is written in, the scopes on its path and their policies."""
    policy, way = policies[name], (*way, name)
    scopes = [*above, policy_scope(name, policy)]
    rule = first_rule(policy.get("rules", []), name, seen)
    if rule is not None and "reject" in rule:
        return  # a nested policy that rejects has nothing to give
    for entry in _outcome(rule) if rule else policy["targets"]:
        if isinstance(entry, str):
            yield {"model": entry}, name, scopes, way
        elif "policy" in entry:
            yield from _entries(policies, entry["policy"], scopes, seen, way)
        else:
            yield entry, name, scopes, way


def _outcome(rule: Mapping[str, Any]) -> list[Any]:
    return [{"policy": rule["policy"]}] if "policy" in rule else rule["targets"]


def _place(
    model: Model,
    entry: Mapping[str, Any],
    name: str,
    policy: Mapping[str, Any],
    scopes: list[Scope],
    call: Call,
    seen: Snapshot,
    way: tuple[str, ...],
) -> Place:
    params, untaken = _taken(
        {**policy.get("params", {}), **entry.get("params", {}), **call.params}, model, policy
    )
    attempt = entry.get("timeout", {}).get("attempt", policy.get("timeout", {}).get("attempt"))
    asked = [_tightest(scopes, "output_tokens"), params.get("max_tokens")]
    outputs = [*asked, model.max_output]
    totals = [total_of(scope.block) for scope in scopes if scope.owner.startswith("policy:")]
    return Place(
        model=model,
        policy=name,
        scopes=tuple(scopes),
        retry=retry_of(policy),
        attempt_s=None if attempt is None else seconds(attempt),
        fall_back_on=fall_back_of(policy),
        total_s=min([*totals, *([call.timeout_s] if call.timeout_s else [])]),
        output=min((each for each in outputs if each is not None), default=None),
        choices=params.get("n", 1),
        input_ceiling=_tightest(scopes, "input_tokens"),
        added_cost=_tightest(scopes, "added_cost", nusd),
        input_bound=model.bound(seen.input_tokens),
        sends=_tightest(scopes, "attempts"),
        params={**params, "max_tokens": min((each for each in asked if each is not None), default=None)},
        untaken=untaken,
        way=way,
        heeds_breakers=policy.get("breaker") != "off",
    )


def _taken(
    params: Mapping[str, Any], model: Model, policy: Mapping[str, Any]
) -> tuple[Mapping[str, Any], frozenset[str]]:
    """(what is sent, what keeps the target from serving). One choice is what comes of no `n` at all; more are never
    given up."""
    refused = {name for name in params if name in model.refuses and (name, params[name]) != ("n", 1)}
    left_out = refused - {"n"} if policy.get("params_unsupported") == "drop" else set()
    one = {"n"} if "n" in model.refuses and params.get("n") == 1 else set()
    return {name: params[name] for name in params if name not in left_out | one}, frozenset(
        refused - left_out
    )


def total_of(policy: Mapping[str, Any]) -> float:
    """A total always exists, and holds on every path through its policy."""
    timeout = policy.get("timeout", {})
    return seconds(timeout["total"]) if "total" in timeout else TOTAL_S


def _tightest(
    scopes: list[Scope] | tuple[Scope, ...], key: str, read: Callable[[Any], int] = count
) -> int | None:
    written = [read(scope.ceiling[key]) for scope in scopes if key in scope.ceiling]
    return min(written, default=None)


def _reasons(place: Place, world: World, call: Call, listed: set[str]) -> frozenset[str]:
    """Every reason for which this target may not serve this call; which one is told first is not for the language."""
    model = place.model
    tokens = estimate(call)
    found = {
        "duplicate": model.name in listed,
        "not_in_only": bool(call.only) and model.name not in call.only,
        "disabled": not model.enabled,
        "missing_key": lacks_key(world, model.provider),
        "capability": model.supports is not None and not _needed(place, call) <= model.supports,
        "parameter": bool(place.untaken),
        "not_allowed": not all(_allows(scope, model.name) for scope in place.scopes),
        "label": not all(set(scope.block.get("require", ())) <= model.labels for scope in place.scopes),
        "max_price": any(_too_dear(scope, place) for scope in place.scopes),
        "context": model.context is not None and tokens > model.context,
        "unbounded_input": adds_input(call) and _guarded(place, world),
        "input_ceiling": place.input_ceiling is not None and place.input_bound > place.input_ceiling,
    }
    return frozenset(reason for reason, holds in found.items() if holds)


def _guarded(place: Place, world: World) -> bool:
    """Whether a budget holds here that input without a bound would make a promise of nothing."""
    return bool(_unkept(place, world))


def _unkept(place: Place, world: World) -> list[Budget]:
    """The budgets of which that is so."""
    provider = Scope("provider", world.document["providers"][place.model.provider] or {})
    costs = not place.model.is_free and place.added_cost is None
    units = {"tokens", "nusd"} if costs else {"tokens"}
    return [budget for budget in _hard((*place.scopes, provider), world) if budget.unit in units]


def _hard(scopes: tuple[Scope, ...], world: World) -> list[Budget]:
    """The budgets of these that refuse anything."""
    return [budget for scope in scopes for budget in budgets_of(scope, world.document) if not budget.shadow]


def estimate(call: Call) -> int:
    """Four bytes a token."""
    return call.size // 4 + 1


def key_names(world: World, provider: str) -> list[str]:
    """The keys of a provider in the order written, without those that are switched off."""
    block = world.document["providers"][provider] or {}
    kind = block.get("kind", provider)
    standard = [] if kind in LOCAL else [{"env": f"{kind.upper()}_API_KEY"}]
    return [key["env"] for key in block.get("keys", standard) if key.get("enabled", True)]


def keys_here(world: World, provider: str) -> list[str]:
    """Those that this machine has. Where no target needs a key all of them count."""
    return [name for name in key_names(world, provider) if world.env is None or name in world.env]


def lacks_key(world: World, provider: str) -> bool:
    return bool(key_names(world, provider)) and not keys_here(world, provider)


def _needed(place: Place, call: Call) -> frozenset[str]:
    demanded = {need for scope in place.scopes for need in scope.block.get("needs", ())}
    return needs_of(call) | demanded


def _allows(scope: Scope, name: str) -> bool:
    allowed = scope.block.get("allow", "all")
    return allowed == "all" or any(
        name.startswith(pattern[:-1]) if pattern.endswith("/*") else name == pattern for pattern in allowed
    )


def _too_dear(scope: Scope, place: Place) -> bool:
    wanted = scope.block.get("max_price")
    if not wanted:
        return False
    prices = [price for _, price in place.model.prices]
    if None in prices:
        return True
    reach = min(each for each in (place.input_ceiling, place.model.context, 10**15) if each)
    tiers = [tier for price in prices if price for tier in price.tiers if tier.above < reach]
    most = {
        "input_per_million": max(t.input for t in tiers),
        "output_per_million": max(t.output for t in tiers),
    }
    return any(most[key] > dollars(limit) for key, limit in wanted.items())
