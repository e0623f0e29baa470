"""The policies of a document: parents merged in, settings filled in, tenants with all that holds for them."""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from tests.reference.interpreter.units import count, nusd, seconds, share

TRANSIENT = frozenset({"rate_limited", "overloaded", "server_error", "timeout", "connection"})
FALL_BACK = TRANSIENT | {
    "auth",
    "quota",
    "not_found",
    "context_window",
    "invalid_output",
    "over_budget",
    "over_limit",
}
TOTAL_S = 60.0
NOT_INHERITED = ("extends", "abstract", "description", "was")
WINDOWS = {
    "per_request": "request",
    "per_hour": "hour",
    "per_day": "day",
    "per_week": "week",
    "per_month": "month",
    "in_total": "total",
}
BESIDE = ("enforce", "rolling", "warn_at", "when_spent")
ROLLING_S = {"hour": 3_600.0, "day": 86_400.0, "week": 604_800.0}
RATES = {"second": 1.0, "minute": 60.0, "hour": 3600.0}


def written_out(document: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Every policy with its parents merged in."""
    policies = document.get("policies") or {}

    def whole(name: str) -> dict[str, Any]:
        own = long_form(policies[name])
        if "extends" not in own:
            return own
        parent = {key: value for key, value in whole(own["extends"]).items() if key not in NOT_INHERITED}
        return merged(parent, own)

    return {name: whole(name) for name in policies}


def long_form(policy: Mapping[str, Any]) -> dict[str, Any]:
    own = deepcopy(dict(policy))
    for name in ("budget", "limits"):
        if isinstance(own.get(name), dict):
            own[name] = long_windows(own[name])
    return own


def long_windows(block: Mapping[str, Any]) -> dict[str, Any]:
    """Every window in its long form, with what stands beside the windows where it does not say it itself."""
    beside = {key: value for key, value in block.items() if key in BESIDE}
    return {
        key: value
        if key == "pool"
        else {**_of_window(key, beside), **(value if isinstance(value, dict) else {"at_most": value})}
        for key, value in block.items()
        if key not in BESIDE
    }


def _of_window(key: str, beside: Mapping[str, Any]) -> dict[str, Any]:
    """One request is over before anything could be warned of, and a month does not roll."""
    never = {"warn_at"} if key.endswith("per_request") else set()
    never |= {"rolling"} if WINDOWS.get(key[key.find("per_") :]) not in ROLLING_S else set()
    return {name: value for name, value in beside.items() if name not in never}


def merged(parent: Any, child: Any) -> Any:
    """Maps merge key by key; everything else is replaced."""
    if isinstance(parent, dict) and isinstance(child, dict):
        both = {key: merged(parent[key], value) if key in parent else value for key, value in child.items()}
        return {**parent, **both}
    return child


def kinds(words: list[str]) -> frozenset[str]:
    return frozenset(kind for word in words for kind in (TRANSIENT if word == "transient" else {word}))


@dataclass(frozen=True)
class Retry:
    attempts: int = 2
    backoff: str = "exponential"
    base_s: float = 0.2
    max_s: float = 2.0
    on: frozenset[str] = TRANSIENT
    budget: Decimal | None = None  # a share


def retry_of(policy: Mapping[str, Any]) -> Retry:
    block = policy.get("retry", {})
    if block == "off":
        return Retry(attempts=1)
    return Retry(
        attempts=block.get("attempts", 2),
        backoff=block.get("backoff", "exponential"),
        base_s=seconds(block.get("base", "200ms")),
        max_s=seconds(block.get("max", "2s")),
        on=kinds(block.get("on", ["transient"])),
        budget=share(block["budget"]) if "budget" in block else None,
    )


def fall_back_of(policy: Mapping[str, Any]) -> frozenset[str]:
    return kinds(policy["fall_back_on"]) if "fall_back_on" in policy else FALL_BACK


@dataclass(frozen=True)
class Budget:
    owner: str
    unit: str
    window: str
    amount: int
    shadow: bool = False
    rolling: bool = False
    when_spent: str | None = None  # the policy that takes over
    warn_at: tuple[Decimal, ...] = ()  # shares of the amount, rising
    present: str = field(default="", compare=False)  # the owner as it is called today

    @property
    def sliding(self) -> "Limit":
        """The same as a limit, where it is rolling."""
        unit = f"{self.unit} rolling"
        return Limit(self.owner, unit, ROLLING_S[self.window], self.amount, self.shadow, self.present)


@dataclass(frozen=True)
class Limit:
    owner: str
    unit: str
    window_s: float
    at_most: int
    shadow: bool = False
    present: str = field(default="", compare=False)


@dataclass(frozen=True)
class Scope:
    """One that a request passes through on its way, with what it holds the request to."""

    owner: str  # as what it spends is counted
    block: Mapping[str, Any]
    present: str = ""  # as it is called today, where that differs

    @property
    def ceiling(self) -> Mapping[str, Any]:
        return self.block.get("ceiling", {})

    def limits(self) -> Iterator[Limit]:
        for key, written in long_windows(self.block.get("limits", {})).items():
            at_most, shadow = count(written["at_most"]), written.get("enforce") == "shadow"
            unit, _, window = key.partition("_per_")
            yield Limit(self.owner, unit, RATES.get(window, 0.0), at_most, shadow, self.present or self.owner)


def policy_scope(name: str, policy: Mapping[str, Any]) -> Scope:
    return Scope(f"policy:{policy.get('was', name)}", policy, f"policy:{name}")


def provider_scope(name: str, document: Mapping[str, Any]) -> Scope:
    block = document["providers"][name] or {}
    return Scope(f"provider:{block.get('was', name)}", block, f"provider:{name}")


def budgets_of(scope: Scope, document: Mapping[str, Any]) -> Iterator[Budget]:
    block = scope.block.get("budget", {})
    yield from _windows(scope.owner, scope.present or scope.owner, block)
    if "pool" in block:
        pool = document["budgets"][block["pool"]]
        yield from _windows(f"pool:{pool.get('was', block['pool'])}", f"pool:{block['pool']}", pool)


def _windows(owner: str, present: str, block: Mapping[str, Any]) -> Iterator[Budget]:
    for key, written in long_windows(block).items():
        prefix = next((unit for unit in ("tokens", "requests") if key.startswith(f"{unit}_")), "")
        window = WINDOWS.get(key.removeprefix(f"{prefix}_"))
        if window is not None:
            amount = count(written["at_most"]) if prefix else nusd(written["at_most"])
            shadow, rolling = written.get("enforce") == "shadow", bool(written.get("rolling"))
            spent = written.get("when_spent", "reject")
            yield Budget(
                owner,
                prefix or "nusd",
                window,
                amount,
                shadow=shadow,
                rolling=rolling and window in ROLLING_S,
                when_spent=None if spent == "reject" else spent["policy"],
                warn_at=tuple(share(each) for each in written.get("warn_at", ())),
                present=present,
            )


def first_path(path: str, tenants: Mapping[str, Any]) -> str:
    """The path that a tenant is counted under: the nearest `was` at or above it stands for what it is on."""
    parts = path.split("/")
    for length in range(len(parts), 0, -1):
        block = tenants.get("/".join(parts[:length])) or {}
        if "was" in block:
            return "/".join([block["was"], *parts[length:]])
    return path


def first_child(path: str, child: str, tenants: Mapping[str, Any]) -> str:
    """The segment that a child of `path` is counted under in the buckets of `path`."""
    was = (tenants.get(f"{path}/{child}") or {}).get("was", "")
    above, _, segment = was.rpartition("/")
    return segment if was and above == first_path(path, tenants) else child


class Refused(Exception):
    """A request that goes no further: `error` is the class of the error that the caller gets."""

    def __init__(self, error: str) -> None:
        super().__init__(error)
        self.error = error


@dataclass
class Caller:
    """Who asks: the scopes of its tenant and all above it, of its user and session; what it may call (None: all)."""

    scopes: list[Scope] = field(default_factory=list)
    policies: frozenset[str] | None = None


def caller_of(document: Mapping[str, Any], call: Any) -> Caller:
    """Raises Refused for a tenant that is not known, or a value that a bucket needs and the call lacks."""
    tenants = document.get("tenants") or {}
    caller = Caller()
    if not tenants:
        return caller
    if call.tenant is None:
        raise Refused("NoRoute")
    parts = call.tenant.split("/")
    paths = ["/".join(parts[: n + 1]) for n in range(len(parts))]
    for path, below in zip(paths, [*parts[1:], None], strict=True):
        if path not in tenants:
            parent = tenants.get(path.rpartition("/")[0], {})
            if path != call.tenant or "child" not in parent.get("each", {}):
                raise Refused("NoRoute")
            continue
        child = first_child(path, below, tenants) if below else None
        values = {"user": (call.user,) * 2, "session": (call.session,) * 2, "child": (child, below)}
        _enter(caller, (first_path(path, tenants), path), tenants[path] or {}, values)
    return caller


Named = tuple[Any, Any]
"""As it is counted, and as it is called today."""


def _enter(caller: Caller, path: Named, block: Mapping[str, Any], values: Mapping[str, Named]) -> None:
    caller.scopes.append(Scope(f"tenant:{path[0]}", block, f"tenant:{path[1]}"))
    own = block.get("policies", "all")
    if own != "all":
        caller.policies = frozenset(own) if caller.policies is None else caller.policies & frozenset(own)
    for of, each in block.get("each", {}).items():
        value, present = values[of]
        if value is not None:
            scope = Scope(f"{of}:{path[0]}:{value}", each or {}, f"{of}:{path[1]}:{present}")
            caller.scopes.append(scope)
        elif of != "child":  # a tenant that calls for itself is nobody's child
            raise Refused("NoRoute")
