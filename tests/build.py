"""Small plans by hand, for tests of decisions: every field that a test does not speak of has a plain value."""

from typing import Any

from router.decide.classify import DEFAULT_FALL_BACK_ON, TRANSIENT
from router.plan import Candidate, Lexical, Price, PriceTable, RetryRule, Route, Target, TokenClass
from router.values import Place

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
