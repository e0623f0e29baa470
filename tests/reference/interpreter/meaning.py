"""What a document means, as plain data: two texts with equal meanings are the same policies."""

from collections.abc import Mapping
from typing import Any

from tests.reference.interpreter.breakers import rule_of
from tests.reference.interpreter.policies import (
    TOTAL_S,
    Scope,
    budgets_of,
    fall_back_of,
    first_path,
    policy_scope,
    provider_scope,
    retry_of,
    written_out,
)
from tests.reference.interpreter.stores import on_store_error
from tests.reference.interpreter.units import count, dollars, minutes, seconds, share

COUNTS = ("input_tokens", "output_tokens", "context", "max_output")
LISTS = ("tenant", "user", "session", "tag", "needs")


def meaning_of(document: Mapping[str, Any]) -> Any:
    policies = {name: block for name, block in written_out(document).items() if not block.get("abstract")}
    return {
        "settings": {
            "time_zone": "UTC",
            **(document.get("settings") or {}),
            "on_store_error": on_store_error(document),
        },
        "providers": {
            name: _provider(name, block or {}, document) for name, block in document["providers"].items()
        },
        "policies": {name: _policy(name, block, document) for name, block in policies.items()},
        "tenants": {
            path: _tenant(path, block or {}, document)
            for path, block in (document.get("tenants") or {}).items()
        },
    }


def _provider(name: str, block: Mapping[str, Any], document: Mapping[str, Any]) -> Any:
    kind = block.get("kind", name)
    keys = block.get("keys", [{"env": f"{kind.upper()}_API_KEY"}])
    return {
        "kind": kind,
        "was": block.get("was"),
        "keys": [
            (key["env"], frozenset(Scope("key", key).limits())) for key in keys if key.get("enabled", True)
        ],
        "limits": frozenset(provider_scope(name, document).limits()),
        "model_limits": {
            model: limits
            for model, facts in (block.get("models") or {}).items()
            if (limits := frozenset(Scope("model", facts or {}).limits()))
        },
        "base_url": block.get("base_url"),
        "wire": block.get("wire", "auto"),
        "budgets": _budgets(provider_scope(name, document), document),
        "all": _facts(block),
        "models": {model: _facts(facts or {}) for model, facts in (block.get("models") or {}).items()},
    }


def _facts(block: Mapping[str, Any]) -> Any:
    """What a model, or all of a provider's, is said to be. Labels say nothing where there are none."""
    discount = block.get("discount")
    if isinstance(discount, str):
        discount = {"off": discount}
    return {
        "as": block.get("as"),
        "deployment": block.get("deployment"),
        "price": _price(block["price"]) if "price" in block else None,
        "discount": {**discount, "off": share(discount["off"])} if discount else None,
        "context": count(block["context"]) if "context" in block else None,
        "max_output": count(block["max_output"]) if "max_output" in block else None,
        "supports": frozenset(block["supports"]) if "supports" in block else None,
        "tokens": block.get("tokens"),
        "breaker": rule_of(block["breaker"]) or "off" if "breaker" in block else None,
        "labels": frozenset(block.get("labels", ())),
        "enabled": block.get("enabled", True),
    }


def _price(written: Any) -> Any:
    """Rates are numbers, lengths too; days are as they are written."""
    if not isinstance(written, dict):
        return dollars(written) if written.startswith("$") else written
    return {
        count(key) if key[0].isdigit() else key: value if key.startswith("valid") else _price(value)
        for key, value in written.items()
    }


def _policy(name: str, block: Mapping[str, Any], document: Mapping[str, Any]) -> Any:
    timeout, cache = block.get("timeout", {}), block.get("cache", "off")
    return {
        "targets": _entries(block["targets"]),
        "was": block.get("was"),
        "rules": [_rule(rule) for rule in block.get("rules", [])],
        "retry": "off" if block.get("retry") == "off" else retry_of(block),
        "total_s": seconds(timeout["total"]) if "total" in timeout else TOTAL_S,
        "attempt_s": seconds(timeout["attempt"]) if "attempt" in timeout else None,
        "fall_back_on": fall_back_of(block),
        "breaker": block.get("breaker"),
        "params": block.get("params", {}),
        "params_unsupported": block.get("params_unsupported", "error"),
        "cache": "off"
        if cache == "off"
        else {"scope": "tenant", "sampled": False, **cache, "ttl": seconds(cache["ttl"])},
        "budgets": _budgets(policy_scope(name, block), document),
        "limits": frozenset(policy_scope(name, block).limits()),
        **_ceilings(block, document),
    }


def _ceilings(block: Mapping[str, Any], document: Mapping[str, Any]) -> Any:
    allow, ceiling, price = block.get("allow", "all"), block.get("ceiling", {}), block.get("max_price", {})
    return {
        "ceiling": {
            key: dollars(value) if key == "added_cost" else count(value) for key, value in ceiling.items()
        },
        "allow": None if allow == "all" else _allowed(allow, document),
        "require": frozenset(block.get("require", ())),
        "needs": frozenset(block.get("needs", ())),
        "max_price": {key: dollars(value) for key, value in price.items()},
    }


def _allowed(patterns: list[str], document: Mapping[str, Any]) -> frozenset[str]:
    """The targets that a list allows: what a pattern might match besides is nobody's target."""
    return frozenset(
        name
        for name in _targets(document)
        for pattern in patterns
        if name == pattern or (pattern.endswith("/*") and name.startswith(pattern[:-1]))
    )


def _targets(document: Mapping[str, Any]) -> frozenset[str]:
    lists = [
        entries
        for block in written_out(document).values()
        for entries in (
            block.get("targets", []),
            *(rule.get("targets", []) for rule in block.get("rules", [])),
        )
    ]
    return frozenset(entry[0] for entries in lists for entry in _entries(entries) if entry[0] != "policy")


def _entries(entries: list[Any]) -> list[Any]:
    maps = [{"model": entry} if isinstance(entry, str) else entry for entry in entries]
    return [
        ("policy", entry["policy"])
        if "policy" in entry
        else (entry["model"], entry.get("params", {}), _attempt(entry.get("timeout", {})))
        for entry in maps
    ]


def _attempt(timeout: Mapping[str, Any]) -> float | None:
    return seconds(timeout["attempt"]) if "attempt" in timeout else None


def _rule(rule: Mapping[str, Any]) -> Any:
    entries = [{"policy": rule["policy"]}] if "policy" in rule else rule.get("targets", [])
    return {
        "name": rule["name"],
        "when": _fields(rule["when"]),
        "entries": _entries(entries),
        "reject": rule.get("reject"),
    }


def _fields(when: Mapping[str, Any]) -> Any:
    return {
        name: _fields(written) if name == "not" else _field(name, written) for name, written in when.items()
    }


def _field(name: str, written: Any) -> Any:
    if name in LISTS:
        return frozenset(written)
    if name in COUNTS:
        return {key: count(value) for key, value in written.items()}
    if name == "local_time":
        return minutes(written["from"]), minutes(written["to"]), frozenset(written.get("days", ()))
    if name == "budget_used":
        return {key: share(value) if key in ("over", "up_to") else value for key, value in written.items()}
    return written


def _budgets(scope: Scope, document: Mapping[str, Any]) -> Any:
    return frozenset(budgets_of(scope, document))


def _tenant(path: str, block: Mapping[str, Any], document: Mapping[str, Any]) -> Any:
    policies, counted = block.get("policies", "all"), first_path(path, document["tenants"])
    return {
        "counted": counted,
        "policies": None if policies == "all" else frozenset(policies),
        "each": {
            of: _scope(f"{of}:{counted}:*", each or {}, document)
            for of, each in block.get("each", {}).items()
        },
        "content": frozenset(block.get("content", {})),
        **_scope(f"tenant:{counted}", block, document),
    }


def _scope(owner: str, block: Mapping[str, Any], document: Mapping[str, Any]) -> Any:
    scope = Scope(owner, block)
    return {
        "budgets": _budgets(scope, document),
        "limits": frozenset(scope.limits()),
        **_ceilings(block, document),
    }
