"""Worlds at random: whole policy sets in the language, and all that may happen to their calls. A seed repeats one.

Times are whole multiples of 1/8 s and draws of 1/16, which floats hold exactly: a verdict never hangs on a rounding.
"""

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any

from tests.reference.book import BOOK
from tests.reference.interpreter.world import Call, Spent, Step, Used, World

NAMES = ("fast", "careful", "spare", "last")
TENANTS = ("acme", "acme/search", "acme/legal", "beta")
USERS = ("ann", "bob")
TAGS = ("batch", "vip")
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Auckland")
KINDS = (
    "rate_limited", "overloaded", "server_error", "timeout", "connection", "auth", "quota", "not_found",
    "bad_request", "context_window", "content_filter", "invalid_output",
)  # fmt: skip
RETRYABLE = ("transient", "rate_limited", "overloaded", "server_error", "timeout", "connection")
FALL_BACK = (*KINDS, "truncated", "over_budget", "over_limit")
BUDGET_KEYS = ("per_request", "per_hour", "per_day", "per_week", "per_month", "in_total")
LIMIT_KEYS = tuple(
    f"{unit}_per_{window}"
    for unit in ("requests", "tokens", "input_tokens", "output_tokens")
    for window in ("second", "minute", "hour")
)


class Maker:
    """Draws the parts of one world."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.paths = self.maybe(0.75, lambda: TENANTS[: self.random.randint(1, len(TENANTS))], ())
        self.unpriced = self.random.random() < 0.1  # a model without a price, and so no budget in money

    def maybe(self, chance: float, make: Callable[[], Any], otherwise: Any = None) -> Any:
        return make() if self.random.random() < chance else otherwise

    def one(self, choices: Sequence[Any]) -> Any:
        return self.random.choice(choices)

    def some(self, choices: Sequence[Any], least: int = 1, most: int = 3) -> list[Any]:
        return self.random.sample(list(choices), min(len(choices), self.random.randint(least, most)))

    def blocks(
        self, chance: float, parts: Mapping[str, Callable[[], Any]], *, least: int = 0
    ) -> dict[str, Any]:
        """A block; without a budget where there is a model that has no price."""
        return self.block(
            chance,
            {name: make for name, make in parts.items() if not (self.unpriced and name == "budget")},
            least=least,
        )

    def block(
        self, chance: float, parts: Mapping[str, Callable[[], Any]], *, least: int = 0
    ) -> dict[str, Any]:
        """A map of some of its parts; at least `least` of them."""
        chosen = [name for name in parts if self.random.random() < chance]
        chosen = chosen if len(chosen) >= least else self.some(list(parts), least, least)
        return {name: parts[name]() for name in chosen}

    # -- values in their several forms

    def count(self, least: int, most: int) -> int | str:
        number = self.random.randint(least, most)
        if number >= 1_000 and self.random.random() < 0.4:
            return f"{number // 100 / 10:g}k"
        return number

    def time(self, *eighths: int) -> str:
        eighth = self.one(eighths)
        return f"{eighth * 125}ms" if eighth % 8 or self.random.random() < 0.3 else f"{eighth // 8}s"

    def money(self, least: float, most: float) -> str:
        """From the whole range of magnitudes alike."""
        amount = least * (most / least) ** self.random.random()
        return f"${amount:.6f}".rstrip("0").rstrip(".")

    def window(self, amount: Any) -> Any:
        return amount if self.random.random() < 0.7 else {"at_most": amount, "enforce": "hard"}

    # -- blocks

    def budget(self, scale: float = 1.0) -> dict[str, Any]:
        keys = self.some(BUDGET_KEYS, 1, 2)
        return {key: self.window(self.money(0.003 * scale, 0.5 * scale)) for key in keys}

    def limits(self) -> dict[str, Any]:
        rates = {}
        for key in self.some(LIMIT_KEYS, 1, 2):
            rates[key] = self.window(
                self.count(1, 4) if key.startswith("requests") else self.count(500, 20_000)
            )
        return {**rates, **self.maybe(0.3, lambda: {"concurrent_requests": self.count(1, 3)}, {})}

    def retry(self) -> Any:
        if self.random.random() < 0.15:
            return "off"
        parts = {
            "attempts": lambda: self.random.randint(1, 4),
            "backoff": lambda: self.one(("constant", "linear", "exponential", "fibonacci")),
            "base": lambda: self.time(1, 2, 4, 8),
            "max": lambda: self.time(8, 16, 32),
            "on": lambda: self.some(RETRYABLE),
        }
        return self.block(0.5, parts, least=1)

    def timeout(self) -> dict[str, Any]:
        parts = {"total": lambda: self.time(24, 64, 160, 240), "attempt": lambda: self.time(2, 4, 8, 20)}
        return self.block(0.6, parts, least=1)

    def ceiling(self) -> dict[str, Any]:
        parts = {
            "input_tokens": lambda: self.count(200, 6_000),
            "output_tokens": lambda: self.count(10, 1_500),
            "attempts": lambda: self.random.randint(1, 6),
        }
        return {"output_tokens": self.count(10, 1_500), **self.block(0.3, parts)}

    def params(self) -> dict[str, Any]:
        parts = {"temperature": lambda: self.one((0, 0.5, 1)), "n": lambda: self.random.randint(1, 3)}
        return self.block(0.4, parts)

    def between(self, value: Callable[[], Any]) -> dict[str, Any]:
        return {self.one(("over", "up_to")): value()}

    def fields(self, uses: Sequence[dict[str, str]]) -> dict[str, Callable[[], Any]]:
        share = lambda: f"{self.one((0, 10, 50, 80, 99.5)):g}%"  # noqa: E731 - one of a table of these
        fields = {
            "tenant": lambda: self.some(self.paths, 1, 2),
            "user": lambda: self.some((*USERS, "eve"), 1, 2),
            "session": lambda: self.some(("s1", "s2"), 1, 1),
            "tag": lambda: self.some(TAGS, 1, 1),
            "input_tokens": lambda: self.between(lambda: self.count(50, 2_000)),
            "output_tokens": lambda: self.between(lambda: self.count(50, 800)),
            "needs": lambda: self.some(("tools", "json", "vision"), 1, 2),
            "stream": lambda: self.one((True, False)),
            "local_time": lambda: self.local_time(),
            "budget_used": lambda: {**self.one(uses), **self.between(share)},
        }
        missing = {*(() if self.paths else ("tenant",)), *(() if uses else ("budget_used",))}
        return {name: make for name, make in fields.items() if name not in missing}

    def local_time(self) -> dict[str, Any]:
        begin, end = self.some(range(48), 2, 2)
        clock = {"from": f"{begin // 2:02}:{begin % 2 * 30:02}", "to": f"{end // 2:02}:{end % 2 * 30:02}"}
        return {
            **clock,
            **self.maybe(
                0.4, lambda: {"days": self.some(("mon", "tue", "wed", "thu", "fri", "sat", "sun"), 1, 5)}, {}
            ),
        }

    def when(self, uses: Sequence[dict[str, str]]) -> dict[str, Any]:
        fields = self.fields(uses)
        chosen = self.some(list(fields), 1, 3)
        negated = chosen[1:] if self.random.random() < 0.3 else []
        when = {name: fields[name]() for name in chosen if name not in negated}
        return {**when, **({"not": {name: fields[name]() for name in negated}} if negated else {})}

    # -- the document

    def document(self) -> dict[str, Any]:
        providers = self.providers()
        targets = [f"{name}/{model}" for name in providers for model in self.models(name, providers[name])]
        names = list(NAMES[: self.random.randint(1, 4)])
        policies = {name: self.policy(targets, names[at + 1 :]) for at, name in enumerate(names)}
        document = {"version": 1, "providers": providers, "policies": policies}
        tenants = self.tenants(names)
        zone = self.maybe(0.5, lambda: {"time_zone": self.one(ZONES)})
        document |= {**({"tenants": tenants} if tenants else {}), **({"settings": zone} if zone else {})}
        for at, name in enumerate(names):
            if self.random.random() < 0.5:
                policies[name]["rules"] = self.rules(targets, names[at + 1 :], uses_of(document, name))
        return document

    def models(self, name: str, provider: Mapping[str, Any]) -> list[str]:
        known = BOOK.get(provider.get("kind", name), {})
        priced = [model for model in known if self.unpriced or "input" in known[model]]
        return sorted({*priced, *(provider.get("models") or {})})

    def providers(self) -> dict[str, Any]:
        providers: dict[str, Any] = {name: self.provider() for name in self.some(list(BOOK), 1, 4)}
        if self.random.random() < 0.3:
            providers["vllm"] = {
                "kind": "hosted_vllm",
                "base_url": "http://localhost:8000/v1",
                "price": "free",
                "models": {
                    "llama": {"context": self.count(1_000, 9_000), "max_output": self.count(100, 4_000)}
                },
            }
        return providers

    def provider(self) -> dict[str, Any]:
        return self.blocks(0.2, {"budget": lambda: self.budget(3.0)})

    def target(self, name: str) -> Any:
        parts = {"params": self.params, "timeout": lambda: {"attempt": self.time(2, 4, 8, 20)}}
        extra = self.maybe(0.2, lambda: self.block(0.6, parts), {})
        return {"model": name, **extra} if extra or self.random.random() < 0.2 else name

    def entries(self, targets: Sequence[str], below: Sequence[str]) -> list[Any]:
        found = [self.target(name) for name in self.some(targets, 1, 3)]
        for name in self.maybe(0.4, lambda: self.some(below, 1, 2), []) if below else []:
            found.insert(self.random.randint(0, len(found)), {"policy": name})
        return found

    def policy(self, targets: Sequence[str], below: Sequence[str]) -> dict[str, Any]:
        parts = {
            "retry": self.retry,
            "timeout": self.timeout,
            "fall_back_on": lambda: self.some(FALL_BACK, 4, 12),
            "params": self.params,
            "budget": self.budget,
        }
        return {
            "targets": self.entries(targets, below),
            "ceiling": self.ceiling(),
            **self.blocks(0.45, parts),
        }

    def rules(
        self, targets: Sequence[str], below: Sequence[str], uses: Sequence[dict[str, str]]
    ) -> list[dict[str, Any]]:
        outcomes = [lambda: {"targets": self.entries(targets, below)}] * 3
        outcomes += [lambda: {"reject": "not now"}]
        outcomes += [lambda: {"policy": self.one(below)}] * 3 if below else []
        return [
            {"name": f"rule-{number}", "when": self.when(uses), **self.one(outcomes)()}
            for number in range(self.random.randint(1, 3))
        ]

    def tenants(self, names: Sequence[str]) -> dict[str, Any]:
        tenants: dict[str, Any] = {}
        for path in self.paths:
            parts = {"budget": lambda: self.budget(2.0), "limits": self.limits, "each": self.each}
            above = tenants.get(path.rpartition("/")[0], {}).get("policies", "all")
            granted = {"policies": self.one(("all", self.some(names if above == "all" else above, 1, 3)))}
            tenants[path] = {
                **(granted if "/" not in path or self.random.random() < 0.5 else {}),
                **self.blocks(0.4, parts),
            }
        return tenants

    def each(self) -> dict[str, Any]:
        scope = lambda: self.blocks(0.6, {"budget": self.budget, "limits": self.limits}, least=1)  # noqa: E731
        return self.block(0.4, {"user": scope, "session": scope, "child": scope}, least=1)

    # -- what happens

    def call(self, document: Mapping[str, Any]) -> Call:
        tenants = list(document.get("tenants", ()))
        known = [*tenants, *tenants, *tenants, "acme/new", "gone"]
        targets = targets_of(document)
        return Call(
            policy=self.one(list(document["policies"])),
            size=self.one((0, 3, 40, 400, 1_500, 4_000, 12_000)),
            gap_s=self.one((0.0, 0.125, 2.0, 90.0, 4_000.0, 90_000.0)),
            tenant=self.maybe(0.97 if tenants else 0.2, lambda: self.one(known)),
            user=self.maybe(0.93, lambda: self.one(USERS)),
            session=self.maybe(0.9, lambda: self.one(("s1", "s2"))),
            tags=tuple(self.maybe(0.3, lambda: self.some(TAGS, 1, 2), [])),
            prefer=tuple(self.maybe(0.2, lambda: self.some(targets), [])),
            only=tuple(self.maybe(0.1, lambda: self.some(targets), [])),
            timeout_s=self.maybe(0.2, lambda: self.one((0.5, 2.0, 5.0, 90.0))),
            params=self.asked(),
        )

    def asked(self) -> dict[str, Any]:
        tool = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
        parts = {
            "max_tokens": lambda: self.one((1, 30, 300, 3_000)),
            "tools": lambda: [tool],
            "response_format": lambda: {"type": self.one(("text", "json_object"))},
            "n": lambda: self.one((1, 1, 2)),
        }
        return self.block(0.15, parts)

    def step(self) -> Step:
        says = self.one(("answer", "answer", "never", *KINDS))
        after_s = self.one((0.0, 0.0, 0.125, 0.5, 1.0, 3.0, 12.0))
        if says == "answer":
            used = Used(input=self.random.randint(1, 60), output=self.random.randint(1, 20))
            return Step(
                says=says,
                after_s=after_s,
                used=used,
                finish=self.one(("stop", "stop", "length", "content_filter")),
            )
        return Step(
            says=says,
            after_s=after_s,
            retry_after_s=self.maybe(0.3, lambda: self.one((0.0, 0.25, 1.5, 7.0))),
            sent=says != "connection" or self.random.random() < 0.5,
            status=self.one((None, 200, 500, 503)) if says == "server_error" else None,
            used=self.maybe(
                0.3, lambda: Used(input=self.random.randint(1, 60), output=self.random.randint(0, 20))
            ),
        )

    def spent(self, document: Mapping[str, Any]) -> list[Spent]:
        return [
            Spent(owner=owner, unit="nusd", window=window, amount=int(10 ** self.random.uniform(5, 8.5)))
            for owner, window in self.some(owners_of(document), 0, 2)
        ]


WINDOWS = {
    "per_hour": "hour",
    "per_day": "day",
    "per_week": "week",
    "per_month": "month",
    "in_total": "total",
}


def owners_of(document: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Owners and windows, as the ledger has them, that a document has budgets for."""
    named = {f"policy:{name}": block for name, block in document["policies"].items()}
    named |= {f"provider:{name}": block for name, block in document["providers"].items()}
    for path, block in (document.get("tenants") or {}).items():
        named[f"tenant:{path}"] = block
        for of, each in block.get("each", {}).items():
            value = {"user": "ann", "session": "s1", "child": "search"}[of]
            named[f"{of}:{path}:{value}"] = each
    return [
        (owner, WINDOWS[key])
        for owner, block in named.items()
        for key in block.get("budget", ())
        if key in WINDOWS
    ]


def uses_of(document: Mapping[str, Any], policy: str) -> list[dict[str, str]]:
    """What `budget_used` may speak of in the rules of a policy."""
    keys = {window: key for key, window in WINDOWS.items()}
    found = []
    for owner, window in owners_of(document):
        of, _, name = owner.partition(":")
        use = {"of": of, "window": keys[window]}
        if of == "provider":
            found.append({**use, "name": name})
        elif of in ("tenant", "user") or (of == "policy" and name == policy):
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


def make_world(seed: int) -> World:
    """The world of a seed. Its document is in the language; whether it passes `check` is for the reader to say."""
    maker = Maker(seed)
    document = maker.document()
    return World(
        document=document,
        book=BOOK,
        calls=[maker.call(document) for _ in range(maker.random.randint(1, 4))],
        script={
            name: [maker.step() for _ in range(maker.random.randint(1, 4))] for name in targets_of(document)
        },
        draws=[maker.random.randint(0, 15) / 16 for _ in range(5)],
        start_s=1_767_225_600.0 + maker.random.randint(0, 365 * 24 * 4) * 900,
        spent=maker.spent(document),
    )
