"""A document that says something about every key of the language, and ways through documents."""

from copy import deepcopy
from typing import Any


def everything() -> dict[str, Any]:
    """A document that says something, other than the default, about every key."""
    rates_of_tokens = {
        "input_per_million": "$3",
        "output_per_million": "$4",
        "cached_per_million": "$1",
        "cache_write_per_million": "$5",
        "cache_write_1h_per_million": "$6",
        "reasoning_per_million": "$7",
        "audio_input_per_million": "$8",
        "audio_output_per_million": "$9",
        "image_input_per_million": "$10",
    }
    days = {"valid_from": "2026-11-01", "valid_until": "2027-03-01"}
    above = {"200k": {name: f"{rate}.5" for name, rate in rates_of_tokens.items()}}
    price = {**rates_of_tokens, "per_request": "$0.01", "above": above, **days}
    model = {
        "as": "eu/large",
        "deployment": "d",
        "price": price,
        "context": "9k",
        "max_output": "2k",
        "supports": ["tools"],
        "labels": ["gpu"],
        "tokens": "exact",
        "discount": "15%",
        "breaker": "off",
    }
    breaker = {
        "failures": 3,
        "failure_rate": "40%",
        "of_at_least": 30,
        "within": "2m",
        "slower_than": "9s",
        "open_for": "20s",
        "open_at_most": "4m",
        "probes": 2,
        "success_threshold": 3,
    }
    times = {"attempt": "3s", "first_content": "2s", "idle": "5s"}
    windows = ("per_request", "per_hour", "per_day", "per_week", "per_month", "in_total")
    budget: dict[str, Any] = {window: f"${number}" for number, window in enumerate(windows, start=50)}
    budget |= {f"tokens_{window}": f"{number}M" for number, window in enumerate(windows, start=50)}
    budget |= {f"requests_{window}": f"{number}k" for number, window in enumerate(windows[1:], start=50)}
    longer = {
        **budget,
        "per_hour": {"at_most": "$51", "enforce": "shadow", "rolling": True, "warn_at": ["50%", "80%"]},
        "tokens_per_hour": {"at_most": "51M", "enforce": "shadow", "rolling": True, "warn_at": ["70%"]},
    }
    jumping = {
        **budget,
        "per_day": {"at_most": "$52", "when_spent": {"policy": "last"}},
        "tokens_per_day": {"at_most": "52M", "when_spent": {"policy": "last"}},
        "when_spent": {"policy": "spare"},
    }
    demands = {
        "ceiling": {"input_tokens": "1k", "output_tokens": 300, "attempts": 7, "added_cost": "$0.05"},
        "allow": ["weu/*", "openai/*"],
        "require": ["eu"],
        "max_price": {"input_per_million": "$20", "output_per_million": "$40"},
    }
    rates = [
        f"{unit}_{window}"
        for unit in ("requests", "tokens", "input_tokens", "output_tokens")
        for window in ("per_second", "per_minute", "per_hour")
    ]
    limits = {rate: f"{number}k" for number, rate in enumerate([*rates, "concurrent_requests"], start=20)}
    when = {
        "tenant": ["acme"],
        "user": ["u"],
        "session": ["s"],
        "tag": ["t"],
        "input_tokens": {"over": 5, "up_to": "1k"},
        "output_tokens": {"over": 5, "up_to": "1k"},
        "needs": ["tools"],
        "stream": True,
        "local_time": {"from": "08:00", "to": "09:00", "days": ["mon"]},
        "budget_used": {"of": "provider", "name": "weu", "window": "per_day", "over": "1%", "up_to": "80%"},
    }
    unlike = {
        **{name: ["z"] for name in ("user", "session", "tag")},
        "tenant": ["acme/z"],
        "needs": ["json"],
        "stream": False,
        "input_tokens": {"over": 500},
        "output_tokens": {"up_to": 50},
        "local_time": {"from": "08:30", "to": "08:40"},
        "budget_used": {"of": "tenant", "window": "per_day", "over": "90%"},
    }
    return {
        "version": 1,
        "settings": {
            "time_zone": "Europe/Berlin",
            "state": {"env": "STATE"},
            "cache": {"file": "/run/secrets/cache"},
            "default_policy": "fast",
            "on_store_error": {"ledger": "open", "limiter": "open", "health": "closed", "cache": "closed"},
        },
        "providers": {
            "weu": {
                "kind": "azure",
                "keys": [{"env": "A", "limits": limits}, {"file": "b"}],
                "base_url": {"env": "URL"},
                "api_version": "1",
                "wire": "litellm",
                "price": price,
                "discount": {"off": "20%", **days},
                "labels": ["eu"],
                "context": "8k",
                "max_output": "1k",
                "supports": ["json"],
                "tokens": "window",
                "breaker": breaker,
                "models": {"small": {**model, "limits": limits}, "gone": {"enabled": False}},
                "budget": {**longer, "pool": "invoice"},
                "limits": limits,
                "was": "west",
            },
            "anthropic": {"enabled": False, "keys": [{"env": "C"}, {"env": "D", "enabled": False}]},
            "vertex_ai": {"project": "p", "region": "r", "models": {"m": {"price": "free"}}},
            "openai": {"labels": ["eu"], "base_url": {"file": "/run/url"}},
        },
        "budgets": {
            "invoice": {**budget, "was": "bill", "enforce": "shadow", "rolling": True, "warn_at": ["60%"]}
        },
        "policies": {
            "base": {"abstract": True, "needs": ["tools"], "cache": {"ttl": "9m"}},
            "fast": {
                "description": "d",
                "extends": "base",
                "targets": [
                    {"model": "weu/small", "params": {"n": 2}, "timeout": times},
                    {"policy": "slow"},
                ],
                "rules": [
                    {"name": "a", "when": {**when, "not": unlike}, "targets": ["openai/large"]},
                    {"name": "b", "when": {"stream": True}, "policy": "slow"},
                    {"name": "c", "when": {"tag": ["x"]}, "reject": "why"},
                ],
                "fall_back_on": ["timeout"],
                "retry": {
                    "attempts": 3,
                    "backoff": "linear",
                    "base": "1s",
                    "max": "4s",
                    "on": ["timeout"],
                    "budget": "15%",
                },
                "timeout": {"total": "20s", "stream": "2m", **times, "attempt": "4s"},
                "breaker": "off",
                **demands,
                "cache": {"ttl": "5m", "scope": "user", "sampled": True, "serve_stale_on_error": "1d"},
                "budget": {**budget, "enforce": "shadow", "rolling": True, "warn_at": ["60%", "90%"]},
                "limits": limits,
                "was": "quick",
                "params": {"temperature": 0.5},
                "params_unsupported": "drop",
            },
            "slow": {"targets": ["openai/small"], "ceiling": {"output_tokens": "1k"}, "budget": jumping},
            "last": {"targets": ["openai/small"], "ceiling": {"output_tokens": "1k"}},
            "spare": {"targets": ["openai/large"], "ceiling": {"output_tokens": "1k"}},
        },
        "tenants": {
            "acme": {
                "policies": ["fast", "slow"],
                "was": "ajax",
                "budget": budget,
                "limits": {
                    **limits,
                    "requests_per_hour": {"at_most": "9k", "enforce": "hard"},
                    "enforce": "shadow",
                },
                "content": {"cache": "never", "log": "never"},
                **demands,
                "each": {
                    of: {"budget": {**budget, "pool": "invoice"}, "limits": limits, **demands}
                    for of in ("user", "session", "child")
                },
            }
        },
    }


def paths(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    steps = (
        list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []
    )
    return [
        *([path] if path else []),
        *(each for step in steps for each in paths(value[step], (*path, step))),
    ]


def without(value: Any, path: tuple[str | int, ...]) -> Any:
    """The value with what is at `path` taken out."""
    copy = deepcopy(value)
    inner = copy
    for step in path[:-1]:
        inner = inner[step]
    del inner[path[-1]]
    return copy


def at(value: Any, path: tuple[str | int, ...]) -> Any:
    for step in path:
        value = value[step]
    return value
