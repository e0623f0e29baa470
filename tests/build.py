"""Small plans by hand, for tests of decisions: every field that a test does not speak of has a plain value."""

from typing import Any

from router.decide.classify import DEFAULT_FALL_BACK_ON, TRANSIENT
from router.decide.jumps import handing_over
from router.plan import (
    Budget,
    Candidate,
    Ceiling,
    Each,
    Key,
    Lexical,
    Limit,
    Plan,
    Policy,
    PolicyEntry,
    Price,
    PriceTable,
    Provider,
    RetryRule,
    Route,
    Settings,
    Target,
    TargetEntry,
    Tenant,
    TokenClass,
)
from router.values import Place, SecretRef

PLACE = Place(file="policies/a.yaml", line=1, column=1)


def price(input_ausd: int = 50_000_000_000, output_ausd: int = 400_000_000_000) -> PriceTable:
    """$0.05 and $0.40 a million by default."""
    tier = Price(
        input_ausd=input_ausd,
        output_ausd=output_ausd,
        cached_input_ausd=input_ausd,
        cache_write_ausd=input_ausd,
        audio_input_ausd=input_ausd,
        image_input_ausd=input_ausd,
        reasoning_ausd=output_ausd,
        audio_output_ausd=output_ausd,
    )
    return PriceTable(tiers=(tier,))


def target(name: str = "openai/gpt-5-nano", **fields: Any) -> Target:
    provider, _, model = name.partition("/")
    values: dict[str, Any] = {
        "provider": provider,
        "model": model,
        "kind": provider,
        "wire_model": model,
        "prices": price(),
        "context_tokens": 128_000,
        "max_output_tokens": 4_096,
        "supports": None,
        "tokens": TokenClass(method="exact"),
        "place": PLACE,
    }
    return Target(**{**values, **fields})


def lexical(**fields: Any) -> Lexical:
    values: dict[str, Any] = {
        "retry": RetryRule(attempts=2, base_s=0.2, max_s=2.0, on=TRANSIENT),
        "attempt_s": 5.0,
        "fall_back_on": DEFAULT_FALL_BACK_ON,
        "params": {},
    }
    return Lexical(**{**values, **fields})


def candidate(name: str = "openai/gpt-5-nano", **fields: Any) -> Candidate:
    values: dict[str, Any] = {
        "target": target(name),
        "policy": "cheap-fast",
        "lexical": lexical(),
        "total_s": 60.0,
        "input_ceiling": None,
        "output_tokens": 400,
        "attempts_ceiling": None,
        "added_cost_nusd": None,
        "budgets": (),
        "per_request": (),
        "params": {"max_tokens": 400},
    }
    return Candidate(**{**values, **fields})


def route(*candidates: Candidate, **fields: Any) -> Route:
    values: dict[str, Any] = {
        "policy": "cheap-fast",
        "rule": None,
        "candidates": candidates,
        "limits": (),
        "cache": None,
        "total_s": 60.0,
    }
    return Route(**{**values, **fields})


def budget(owner: str, amount: int, window: Any = "day") -> Budget:
    return Budget(
        owner=owner, unit="nusd", window=window, amount=amount, place=PLACE, text=f"per_{window}: {amount}"
    )


def limit(owner: str, at_most: int, *, unit: Any = "requests", window_s: float = 3600.0) -> Limit:
    return Limit(
        owner=owner, unit=unit, window_s=window_s, at_most=at_most, place=PLACE, text=f"{unit}: {at_most}"
    )


def entry(name: str, **fields: Any) -> TargetEntry | PolicyEntry:
    """`provider/model` is a target, a name without `/` a nested policy."""
    if "/" in name:
        return TargetEntry(target=name, place=PLACE, **fields)
    return PolicyEntry(policy=name, place=PLACE)


def policy(name: str, *entries: str | TargetEntry | PolicyEntry, **fields: Any) -> Policy:
    values: dict[str, Any] = {
        "name": name,
        "description": "",
        "entries": tuple(entry(each) if isinstance(each, str) else each for each in entries),
        "rules": (),
        "lexical": lexical(),
        "total_s": 60.0,
        "ceiling": Ceiling(),
        "budgets": (),
        "cache": None,
        "place": PLACE,
    }
    return Policy(**{**values, **fields})


def tenant(path: str, *policies: str, each: tuple[Each, ...] = (), **fields: Any) -> Tenant:
    values: dict[str, Any] = {"budgets": (), "limits": (), "place": PLACE}
    allowed = frozenset(policies) if policies else None
    return Tenant(path=path, policies=allowed, each=each, **{**values, **fields})


def provider(name: str, **fields: Any) -> Provider:
    secret = SecretRef(source="env", name=f"{name.upper()}_API_KEY", place=PLACE)
    values: dict[str, Any] = {
        "name": name,
        "kind": name,
        "base_url": None,
        "keys": (Key(name=secret.name, secret=secret),),
        "budgets": (),
        "place": PLACE,
    }
    return Provider(**{**values, **fields})


def plan(
    *policies: Policy, tenants: tuple[Tenant, ...] = (), targets: tuple[Target, ...] = (), **fields: Any
) -> Plan:
    """A plan whose targets and providers are those that the policies name, plain unless given."""
    names = {
        each.target
        for one in policies
        for each in (*one.entries, *(below for rule in one.rules for below in rule.entries))
        if isinstance(each, TargetEntry)
    }
    known = {each.name: each for each in targets}
    values: dict[str, Any] = {
        "digest": "d" * 64,
        "prices_digest": "p" * 64,
        "providers": {name.split("/")[0]: provider(name.split("/")[0]) for name in names},
        "targets": {name: known.get(name) or target(name) for name in names},
        "policies": {each.name: each for each in policies},
        "tenants": {each.path: each for each in tenants},
        "handing_over": handing_over({each.path: each for each in tenants}),
        "settings": Settings(),
        "folder": "",
    }
    return Plan(**{**values, **fields})
