"""What a store that is down does to a call: section 9.7 of the language."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tests.reference.interpreter.policies import Refused, long_windows
from tests.reference.interpreter.world import Call

USUAL = {"ledger": "closed", "limiter": "closed", "health": "open", "cache": "open"}


def on_store_error(document: Mapping[str, Any]) -> dict[str, str]:
    return {**USUAL, **(document.get("settings") or {}).get("on_store_error", {})}


def without(document: Mapping[str, Any], call: Call, store: str) -> bool:
    """Whether the call goes on without a store that it needs now. Raises Refused where that is down and closed."""
    if store not in call.down:
        return False
    if on_store_error(document)[store] == "closed":
        raise Refused("StoreError")
    return True


def looked_at(
    policies: Mapping[str, Any], name: str, callers: Sequence[Mapping[str, Any]]
) -> Iterator[tuple[Mapping[str, Any], str]]:
    """Every `budget_used` that the rules of a policy, or of one that it, or a budget of its caller, leads to, may read;
    with that policy."""
    waiting = list(dict.fromkeys([name, *(below for block in callers for below in taking_over(block))]))
    seen = set(waiting)
    while waiting:
        policy = waiting.pop()
        rules = policies[policy].get("rules", [])
        for rule in rules:
            for when in (rule["when"], rule["when"].get("not", {})):
                if "budget_used" in when:
                    yield when["budget_used"], policy
        for below in led_to(policies[policy], rules):
            if below not in seen:
                seen.add(below)
                waiting.append(below)


def led_to(policy: Mapping[str, Any], rules: list[Mapping[str, Any]]) -> Iterator[str]:
    yield from (rule["policy"] for rule in rules if "policy" in rule)
    for entries in (policy["targets"], *(rule.get("targets", []) for rule in rules)):
        yield from (entry["policy"] for entry in entries if isinstance(entry, Mapping) and "policy" in entry)
    yield from taking_over(policy)


def taking_over(scope: Mapping[str, Any]) -> Iterator[str]:
    """The policies that the budget of a scope names for when it is spent."""
    for window in long_windows(scope.get("budget", {})).values():
        spent = window.get("when_spent", "reject") if isinstance(window, Mapping) else "reject"
        yield from () if spent == "reject" else (spent["policy"],)
