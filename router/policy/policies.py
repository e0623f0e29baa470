"""Pass: policy blocks become policies, with the built-in defaults where they say nothing."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Literal

from router.decide.classify import DEFAULT_FALL_BACK_ON, TRANSIENT
from router.errors import Problem
from router.plan import (
    STREAM_S,
    CacheRule,
    Entry,
    Lexical,
    Policy,
    PolicyEntry,
    RetryRule,
    Rule,
    TargetEntry,
)
from router.policy import scalars
from router.policy.conditions import conditions
from router.policy.counted import counted_name
from router.policy.demands import ceiling_of, demand_of
from router.policy.document import Spot, text_of
from router.policy.draft import Draft, problem
from router.policy.extends import is_abstract
from router.policy.traps import shown
from router.policy.walk import rules_of
from router.policy.windows import budgets, limits
from router.values import Kind, Place

DEFAULT_TOTAL_S = 60.0
DEFAULT_RETRY = RetryRule(on=TRANSIENT)
NO_RETRY = RetryRule(attempts=1, on=frozenset())


def resolve_policies(draft: Draft) -> Draft:
    written = draft.written.policies
    abstract = {name for name, spot in written.items() if is_abstract(spot)}
    found = {name: _policy(name, spot, draft) for name, spot in written.items()}
    problems = [found for spot in written.values() for found in _duplicate_rules(spot)]
    return replace(
        draft,
        policies={name: policy for name, policy in found.items() if name not in abstract},
        abstract={name: policy for name, policy in found.items() if name in abstract},
    ).blaming(problems)


def _policy(name: str, spot: Spot, draft: Draft) -> Policy:
    owner, counted = f"policy:{name}", counted_name(name, spot)
    return Policy(
        name=name,
        description=text_of(spot.get("description")) or "",
        entries=_entries(spot.get("targets")),
        rules=tuple(_rule(rule, name) for rule in rules_of(spot)),
        lexical=_lexical(spot),
        total_s=_seconds(spot.at("timeout", "total")) or DEFAULT_TOTAL_S,
        stream_s=_seconds(spot.at("timeout", "stream")) or STREAM_S,
        ceiling=ceiling_of(spot),
        demand=demand_of(spot, owner, draft.targets),
        budgets=budgets(spot.get("budget"), owner, draft.written.budgets, counted=f"policy:{counted}"),
        limits=limits(spot.get("limits"), owner, counted=f"policy:{counted}"),
        cache=_cache(spot.get("cache")),
        was=counted if counted != name else None,
        place=spot.key_place,
    )


def _lexical(spot: Spot) -> Lexical:
    fall_back_on = spot.get("fall_back_on")
    return Lexical(
        retry=_retry(spot.get("retry")),
        attempt_s=_seconds(spot.at("timeout", "attempt")),
        first_content_s=_seconds(spot.at("timeout", "first_content")),
        idle_s=_seconds(spot.at("timeout", "idle")),
        fall_back_on=DEFAULT_FALL_BACK_ON if fall_back_on is None else _kinds(fall_back_on),
        heeds_breakers=spot.get("breaker") is None,
        params=_params(spot),
        params_unsupported=_unsupported(spot.get("params_unsupported")),
    )


def _unsupported(spot: Spot | None) -> Literal["error", "drop"]:
    return "drop" if spot is not None and spot.value == "drop" else "error"


def _retry(spot: Spot | None) -> RetryRule:
    if spot is None:
        return DEFAULT_RETRY
    if spot.value == "off":
        return NO_RETRY
    attempts, backoff, on = spot.get("attempts"), spot.get("backoff"), spot.get("on")
    budget = spot.get("budget")
    base_s, max_s = _seconds(spot.get("base")), _seconds(spot.get("max"))
    return replace(
        DEFAULT_RETRY,
        attempts=attempts.value if attempts else DEFAULT_RETRY.attempts,
        backoff=backoff.value if backoff else DEFAULT_RETRY.backoff,
        base_s=DEFAULT_RETRY.base_s if base_s is None else base_s,
        max_s=DEFAULT_RETRY.max_s if max_s is None else max_s,
        on=_kinds(on) if on else DEFAULT_RETRY.on,
        budget=scalars.share(budget.value) if budget else None,
    )


def _kinds(spot: Spot) -> frozenset[Kind]:
    """The kinds named; `transient` stands for its set."""
    words = {item.text for item in spot.items()}
    named = frozenset(kind for kind in Kind if str(kind) in words)
    return named | TRANSIENT if "transient" in words else named


def _cache(spot: Spot | None) -> CacheRule | None:
    ttl_s = _seconds(spot.get("ttl")) if spot else None
    if spot is None or ttl_s is None:
        return None
    scope, sampled = spot.get("scope"), spot.get("sampled")
    return CacheRule(
        ttl_s=ttl_s,
        scope=scope.value if scope else "tenant",
        sampled=sampled.value is True if sampled else False,
        stale_s=_seconds(spot.get("serve_stale_on_error")) or 0.0,
    )


def _rule(spot: Spot, owner: str) -> Rule:
    name, policy = spot.get("name"), spot.get("policy")
    entries = _entries(spot.get("targets"))
    if policy is not None:
        entries = _nested(policy)
    return Rule(
        name=text_of(name) or "",
        when=conditions(spot.get("when"), owner),
        entries=entries,
        reject=text_of(spot.get("reject")),
        place=name.place if name else spot.place,
    )


def _entries(spot: Spot | None) -> tuple[Entry, ...]:
    return tuple(entry for item in spot.items() for entry in _entry(item)) if spot else ()


def _entry(item: Spot) -> tuple[Entry, ...]:
    """One, or none where it has the wrong form, which is reported elsewhere."""
    policy, named = item.get("policy"), item.get("model") or item
    if policy is not None:
        return _nested(policy)
    if named.text is None:
        return ()
    return (
        TargetEntry(
            target=named.text,
            params=_params(item),
            attempt_s=_seconds(item.at("timeout", "attempt")),
            first_content_s=_seconds(item.at("timeout", "first_content")),
            idle_s=_seconds(item.at("timeout", "idle")),
            place=named.place,
        ),
    )


def _nested(policy: Spot) -> tuple[PolicyEntry, ...]:
    return (PolicyEntry(policy=policy.text, place=policy.place),) if policy.text is not None else ()


def _params(spot: Spot) -> Mapping[str, Any]:
    params = spot.get("params")
    return params.value if params and isinstance(params.value, dict) else {}


def _seconds(spot: Spot | None) -> float | None:
    ms = scalars.duration_ms(spot.value) if spot else None
    return None if ms is None else ms / 1000


def _duplicate_rules(spot: Spot) -> Iterator[Problem]:
    first: dict[str, Place] = {}
    for rule in rules_of(spot):
        name = rule.get("name")
        if name is None or name.text is None:
            continue
        if name.text in first:
            also = first[name.text]
            message = f"rule {shown(name.text)} stands here and at {also}"
            yield problem("duplicate-name", message, name.place, help="rename one of them", also=also)
        first.setdefault(name.text, name.place)
