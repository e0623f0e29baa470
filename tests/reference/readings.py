"""What a document has: budgets by owner, what rules may ask of them, targets."""

from collections.abc import Mapping
from typing import Any

from tests.reference.interpreter.policies import first_child, first_path, long_windows, written_out

WINDOWS = {
    "per_hour": "hour",
    "per_day": "day",
    "per_week": "week",
    "per_month": "month",
    "in_total": "total",
}


def owners_of(document: Mapping[str, Any], *, handing_over: bool = False) -> list[tuple[str, str, str]]:
    """Owners, units and windows, as the ledger has them, that a document has budgets for; or only those that name who
    takes over when they are spent."""
    named = {f"policy:{block.get('was', name)}": block for name, block in written_out(document).items()}
    named |= {f"provider:{block.get('was', name)}": block for name, block in document["providers"].items()}
    named |= {
        f"pool:{block.get('was', name)}": {"budget": block}
        for name, block in document.get("budgets", {}).items()
    }
    tenants = document.get("tenants") or {}
    for present, block in tenants.items():
        path = first_path(present, tenants)
        named[f"tenant:{path}"] = block
        for of, each in block.get("each", {}).items():
            child = first_child(present, "search", tenants)
            value = {"user": "ann", "session": "s1", "child": child}[of]
            named[f"{of}:{path}:{value}"] = each
    return [
        (owner, unit, window)
        for owner, block in named.items()
        for key, written in long_windows(block.get("budget", {})).items()
        for unit, window in [unit_of(key)]
        if window in WINDOWS and (not handing_over or written.get("when_spent", "reject") != "reject")
    ]


def unit_of(key: str) -> tuple[str, str]:
    """`tokens_per_day` is in tokens, `per_day`."""
    unit, _, window = key.partition("_")
    return (unit, window) if unit in ("tokens", "requests") else ("nusd", key)


def uses_of(document: Mapping[str, Any], policy: str) -> list[dict[str, str]]:
    """What `budget_used` may speak of in the rules of a policy."""
    found = []
    present = {block["was"]: name for name, block in document["providers"].items() if "was" in block}
    called = document["policies"][policy].get("was", policy)
    for owner, unit, window in owners_of(document):
        of, _, name = owner.partition(":")
        use = {"of": of, "window": window}
        if unit != "nusd":
            continue
        if of == "provider":
            found.append({**use, "name": present.get(name, name)})
        elif of in ("tenant", "user") or (of == "policy" and name == called):
            found.append(use)
    return found


def targets_of(document: Mapping[str, Any]) -> list[str]:
    """Every target that some policy writes."""
    found: dict[str, None] = {}
    for policy in document["policies"].values():
        lists = [policy.get("targets", []), *(rule.get("targets", []) for rule in policy.get("rules", []))]
        for entry in (entry for each in lists for entry in each):
            name = entry if isinstance(entry, str) else entry.get("model")
            if name:
                found[name] = None
    return list(found)
