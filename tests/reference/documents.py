"""Documents at random: whole policy sets in the language, with every word that this version runs.

Times are whole multiples of 1/8 s, which floats hold exactly: a verdict never hangs on a rounding.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from random import Random
from typing import Any

from tests.reference.book import BOOK
from tests.reference.interpreter.policies import first_path, written_out
from tests.reference.readings import uses_of

NAMES = ("fast", "careful", "spare", "last")
TENANTS = ("acme", "acme/search", "acme/legal", "beta")
USERS = ("ann", "bob")
STORES = ("ledger", "limiter", "health", "cache")
TAGS = ("batch", "vip")
LABELS = ("eu", "zero-retention")
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Auckland")
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
CAPABILITIES = ("tools", "json", "vision")
KINDS = (
    "rate_limited",
    "overloaded",
    "server_error",
    "timeout",
    "connection",
    "auth",
    "quota",
    "not_found",
    "bad_request",
    "context_window",
    "content_filter",
    "invalid_output",
)
RETRIED = ("transient", *KINDS[:5], "transient", "invalid_output", "not_found", "auth")
FALL_BACK = (*KINDS, "truncated", "over_budget", "over_limit")
PARTS = ("cache_write_1h", "audio_input", "image_input", "reasoning", "audio_output")
BUDGET_KEYS = ("per_request", "per_hour", "per_day", "per_week", "per_month", "in_total")
ROLLING_KEYS = ("per_hour", "per_day", "per_week")
LIMIT_KEYS = tuple(
    f"{unit}_per_{window}"
    for unit in ("requests", "tokens", "input_tokens", "output_tokens")
    for window in ("second", "minute", "hour")
)

Parts = Mapping[str, Callable[[], Any]]


class Maker:
    """Draws the parts of one document."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.aside = Random(f"was {seed}")  # what came later leaves the draws of the rest as they were
        self.paths = self.maybe(0.75, lambda: TENANTS[: self.random.randint(1, len(TENANTS))], ())
        self.unpriced = self.random.random() < 0.1  # a model without a price, and so no budget in money
        self.roomy = False  # whether no limit of a policy, provider, model or key is in the way
        self.pools = [] if self.unpriced or self.random.random() < 0.8 else ["shared"]
        self.targets: list[str] = []
        self.labels: list[str] = []  # those that something carries
        self.reached: dict[str, set[str]] = {}  # targets by policy
        self.landings: list[str] = []  # who may take over from a spent budget that is drawn now

    # -- chance

    def maybe(self, chance: float, make: Callable[[], Any], otherwise: Any = None) -> Any:
        return make() if self.random.random() < chance else otherwise

    def one(self, choices: Sequence[Any]) -> Any:
        return self.random.choice(choices)

    def some(self, choices: Sequence[Any], least: int = 1, most: int = 3) -> list[Any]:
        return self.random.sample(list(choices), min(len(choices), self.random.randint(least, most)))

    def block(self, chance: float, parts: Parts, *, least: int = 0) -> dict[str, Any]:
        """A map of some of its parts; at least `least` of them. No budget where there is a model without a price."""
        without = {name for name, out in (("budget", self.unpriced), ("limits", self.roomy)) if out}
        parts = {name: make for name, make in parts.items() if name not in without}
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

    def window(self, amount: Any, *, jumps: bool = False) -> Any:
        if self.random.random() < (0.5 if jumps and self.landings else 0.7):
            return amount
        spent = self.when_spent(0.7) if jumps else {}
        return {"at_most": amount, **spent, **({} if spent else self.enforce(0.8))}

    def when_spent(self, chance: float) -> dict[str, Any]:
        def drawn() -> dict[str, Any]:
            return {"when_spent": self.one(("reject", *[{"policy": name} for name in self.landings] * 4))}

        return self.maybe(chance, drawn, {}) if self.landings else {}

    def enforce(self, chance: float) -> dict[str, Any]:
        return self.maybe(chance, lambda: {"enforce": self.one(("hard", "hard", "shadow"))}, {})

    # -- blocks

    def budget(self, scale: float = 1.0, *, of_tenant: bool = False) -> dict[str, Any]:
        windows = self.windows(scale, of_tenant=of_tenant)
        pool = self.maybe(0.4, lambda: {"pool": self.one(self.pools)}, {}) if self.pools else {}
        return {**windows, **pool}

    def windows(self, scale: float, *, of_tenant: bool = False) -> dict[str, Any]:
        found: dict[str, Any] = {}
        scale *= self.one((1.0, 0.1)) if self.landings else 1.0  # so that some are spent soon
        for key in self.some(BUDGET_KEYS, 1, 2):
            chance = self.random.random()
            if chance < 0.2:
                found[f"tokens_{key}"] = self.rolled(key, self.count(3_000, 60_000), jumps=not of_tenant)
            elif chance < 0.35 and key != "per_request":
                found[f"requests_{key}"] = self.rolled(key, self.count(1, 5), jumps=not of_tenant)
            else:
                found[key] = self.rolled(key, self.money(0.003 * scale, 0.5 * scale), jumps=True)
        rolls = any(key.endswith(ROLLING_KEYS) for key in found)
        found |= self.maybe(0.1 * rolls, lambda: {"rolling": True}, {})
        if any("when_spent" in window for window in found.values() if isinstance(window, dict)):
            return self.warned(found)  # nobody takes over from what is in shadow
        enforced = self.enforce(0.1)
        shadow = enforced or any(isinstance(window, dict) for window in found.values())
        jumps = {} if shadow or of_tenant else self.when_spent(0.15)
        return {**self.warned(found), **enforced, **jumps}

    def rolled(self, key: str, amount: Any, *, jumps: bool) -> Any:
        """Some of what may be rolling is."""
        window = self.window(amount, jumps=jumps)
        if key not in ROLLING_KEYS or self.random.random() < 0.7:
            return window
        long = window if isinstance(window, dict) else {"at_most": window}
        return {**long, "rolling": self.random.random() < 0.8}

    def warned(self, windows: dict[str, Any]) -> dict[str, Any]:
        """With shares to warn at, of some windows or beside them."""
        lasting = [key for key in windows if key != "rolling" and "per_request" not in key]
        for key in lasting:
            if self.aside.random() < 0.35:
                long = windows[key] if isinstance(windows[key], dict) else {"at_most": windows[key]}
                windows[key] = {**long, "warn_at": self.shares()}
        return {**windows, "warn_at": self.shares()} if lasting and self.aside.random() < 0.25 else windows

    def shares(self) -> list[str]:
        return [f"{each:g}%" for each in sorted(self.aside.sample((0.5, 10, 33.333, 50, 80, 100), 2))]

    def limits(self) -> dict[str, Any]:
        rates: dict[str, Any] = {}
        for key in self.some(LIMIT_KEYS, 1, 2):
            amount = self.count(1, 4) if key.startswith("requests") else self.count(500, 20_000)
            rates[key] = self.window(amount)
        concurrent = self.maybe(0.3, lambda: {"concurrent_requests": self.count(1, 3)}, {})
        return {**rates, **concurrent, **self.enforce(0.1)}

    def retry(self) -> Any:
        if self.random.random() < 0.15:
            return "off"
        parts = {
            "attempts": lambda: self.random.randint(1, 4),
            "backoff": lambda: self.one(("constant", "linear", "exponential", "fibonacci")),
            "base": lambda: self.time(1, 2, 4, 8),
            "max": lambda: self.time(8, 16, 32),
            "on": lambda: self.some(sorted(set(RETRIED))),
        }
        found = self.block(0.5, parts, least=1)
        if self.aside.random() < 0.25:  # three may always be: so many that it matters
            found |= {"budget": self.aside.choice(("5%", "60%")), "attempts": self.aside.choice((5, 6))}
        return found

    def cache(self) -> Any:
        if self.random.random() < 0.1:
            return "off"
        parts = {
            "scope": lambda: self.one(("tenant", "user", "shared", "shared")),
            "sampled": lambda: self.random.random() < 0.7,
        }
        rule = {"ttl": self.one(("50s", "2h")), **self.block(0.6, parts)}
        if self.aside.random() < 0.5:
            rule["serve_stale_on_error"] = self.aside.choice(("15s", "2h", "9d"))
        return rule

    def timeout(self) -> dict[str, Any]:
        parts = {
            "total": lambda: self.time(8, 16, 24, 64, 160, 240, 960),
            "attempt": lambda: self.time(2, 4, 8, 20),
        }
        return self.block(0.6, parts, least=1)

    def ceiling(self, least: int = 0) -> dict[str, Any]:
        parts = {
            "input_tokens": lambda: self.count(200, 6_000),
            "output_tokens": lambda: self.count(10, 1_500),
            "attempts": lambda: self.random.randint(1, 6),
            "added_cost": lambda: self.money(0.0001, 0.01),
        }
        return self.block(0.3, parts, least=least)

    def params(self) -> dict[str, Any]:
        parts = {"temperature": lambda: self.one((0, 0, 0.5)), "n": lambda: self.random.randint(1, 3)}
        return self.block(0.4, parts)

    # -- demands: lenient ones, so that most of what a document names can be reached

    def demands(self) -> Parts:
        found: dict[str, Callable[[], Any]] = {"allow": self.allow, "max_price": self.max_price}
        return {**found, "require": lambda: [self.one(self.labels)]} if self.labels else found

    def allow(self) -> Any:
        names = self.some(self.targets, max(1, len(self.targets) - 2), len(self.targets))
        wide = [f"{name.rpartition('/')[0]}/*" if self.random.random() < 0.3 else name for name in names]
        return self.maybe(0.15, lambda: "all", list(dict.fromkeys(wide)))

    def max_price(self) -> dict[str, Any]:
        parts = {
            "input_per_million": lambda: self.one(("$1", "$5", "$6", "$20")),
            "output_per_million": lambda: self.one(("$5", "$15", "$25", "$100")),
        }
        return self.block(0.6, parts, least=1)

    # -- rules

    def between(self, value: Callable[[], Any]) -> dict[str, Any]:
        return {self.one(("over", "up_to")): value()}

    def fields(self, uses: Sequence[dict[str, str]]) -> Parts:
        found = {
            "tenant": lambda: self.some(self.paths, 1, 2),
            "user": lambda: self.some((*USERS, "eve"), 1, 2),
            "session": lambda: self.some(("s1", "s2"), 1, 1),
            "tag": lambda: self.some(TAGS, 1, 1),
            "input_tokens": lambda: self.between(
                lambda: self.one((11, 101, 376, "1.001k", self.count(50, 2_000)))
            ),
            "output_tokens": lambda: self.between(lambda: self.one((30, 300, self.count(50, 800)))),
            "needs": lambda: self.some(CAPABILITIES, 1, 2),
            "stream": lambda: self.one((True, False)),
            "local_time": self.local_time,
            "budget_used": lambda: {**self.one(uses), **self.between(self.share)},
        }
        missing = {*(() if self.paths else ("tenant",)), *(() if uses else ("budget_used",))}
        return {name: make for name, make in found.items() if name not in missing}

    def share(self) -> str:
        return f"{self.one((0, 10, 50, 80, 99.5)):g}%"

    def local_time(self) -> dict[str, Any]:
        begin, end = self.some(range(48), 2, 2)
        clock = {"from": f"{begin // 2:02}:{begin % 2 * 30:02}", "to": f"{end // 2:02}:{end % 2 * 30:02}"}
        return {**clock, **self.maybe(0.4, lambda: {"days": self.some(DAYS, 1, 5)}, {})}

    def when(self, uses: Sequence[dict[str, str]]) -> dict[str, Any]:
        fields = self.fields(uses)
        chosen = self.some(list(fields), 1, 3)
        negated = chosen[1:] if self.random.random() < 0.3 else []
        when = {name: fields[name]() for name in chosen if name not in negated}
        return {**when, **({"not": {name: fields[name]() for name in negated}} if negated else {})}

    def rules(self, below: Sequence[str], uses: Sequence[dict[str, str]]) -> list[dict[str, Any]]:
        outcomes = [lambda: {"targets": self.entries(below)}] * 3
        outcomes += [lambda: {"reject": "not now"}]
        outcomes += [lambda: {"policy": self.one(below)}] * 3 if below else []
        return [
            {"name": f"rule-{number}", "when": self.when(uses), **self.one(outcomes)()}
            for number in range(self.random.randint(1, 3))
        ]

    # -- the document

    def document(self) -> dict[str, Any]:
        providers = self.providers()
        self.targets = [
            f"{name}/{model}" for name in providers for model in self.models(name, providers[name])
        ]
        self.labels = sorted({label for block in providers.values() for label in _labels(block)})
        document: dict[str, Any] = {"version": 1, "providers": providers}
        if self.pools:
            document["budgets"] = {name: {**self.windows(3.0), **self.was(name)} for name in self.pools}
        document["policies"] = self.policies()
        self.landings = [
            name for name in NAMES if name in document["policies"] and self.is_free(self.reached[name])
        ]
        tenants = self.tenants([name for name in NAMES if name in document["policies"]])
        document |= {"tenants": tenants} if tenants else {}
        document |= self.maybe(0.5, lambda: {"settings": {"time_zone": self.one(ZONES)}}, {})
        if self.aside.random() < 0.3:
            document["settings"] = {**document.get("settings", {}), "on_store_error": self.on_store_error()}
        self.add_rules(document)
        return document

    def on_store_error(self) -> dict[str, str]:
        stores = self.aside.sample(STORES, self.aside.randint(1, len(STORES)))
        return {store: self.aside.choice(("closed", "open")) for store in stores}

    def is_free(self, targets: set[str]) -> bool:
        return all(name.startswith("vllm/") for name in targets)

    def providers(self) -> dict[str, Any]:
        providers: dict[str, Any] = {name: self.provider(name) for name in self.some(list(BOOK), 1, 4)}
        if self.random.random() < 0.3:
            providers["vllm"] = {
                "kind": "hosted_vllm",
                "base_url": "http://localhost:8000/v1",
                "price": "free",
                "context": self.count(1_000, 9_000),
                "models": {"llama": {"max_output": self.count(100, 4_000)}, "mixtral": {"max_output": 500}},
                **self.maybe(0.5, lambda: {"labels": self.some(LABELS, 1, 2)}, {}),
            }
        return providers

    def provider(self, name: str) -> dict[str, Any]:
        known = [model for model in BOOK[name] if self.unpriced or "input" in BOOK[name][model]]
        parts: dict[str, Callable[[], Any]] = {
            "budget": lambda: self.budget(3.0),
            "limits": self.limits,
            "labels": lambda: self.some(LABELS, 1, 2),
            "tokens": lambda: self.one(("exact", "margin", "window")),
            "discount": self.discount,
            "keys": lambda: [self.api_key(f"{name.upper()}_{n}") for n in range(self.random.randint(2, 3))],
            "models": lambda: {model: self.model(known) for model in self.some([*known, "own"], 1, 2)},
        }
        off = self.maybe(0.03, lambda: {"enabled": False}, {})
        breaker = {"breaker": self.breaker()} if self.aside.random() < 0.4 else {}
        return {**self.block(0.2, parts), **off, **self.was(name), **breaker}

    def breaker(self) -> dict[str, Any]:
        """Small enough to open in a few calls; times that are no multiple of what worlds count in."""
        one = self.aside.choice
        rate = {"failure_rate": one(("40%", "100%")), "of_at_least": one((1, 3))}
        found: dict[str, Any] = one(({"failures": one((1, 2))}, rate, {"failures": 3, **rate}))
        found["within"] = one(("2300ms", "70.1s"))
        found["open_for"] = one(("1700ms", "27.3s"))
        parts = {"open_at_most": "27.3s", "success_threshold": 2, "slower_than": "600ms", "probes": 2}
        return {**found, **{key: value for key, value in parts.items() if self.aside.random() < 0.25}}

    def api_key(self, name: str) -> dict[str, Any]:
        return {"env": name, **self.block(0.4, {"limits": self.limits})}

    def model(self, known: Sequence[str]) -> dict[str, Any]:
        parts: dict[str, Callable[[], Any]] = {
            "deployment": lambda: "deployed",
            "price": self.price,
            "discount": self.discount,
            "context": lambda: self.count(1_000, 9_000),
            "max_output": lambda: self.count(100, 4_000),
            "supports": lambda: self.some(CAPABILITIES, 0, 3),
            "tokens": lambda: self.one(("exact", "margin", "window")),
            "labels": lambda: self.some(LABELS, 1, 2),
            "limits": self.limits,
            "enabled": lambda: self.random.random() < 0.8,
        }
        found = {"as": self.one(known), **self.block(0.2, parts)}
        if self.aside.random() < 0.1:
            found["breaker"] = self.aside.choice(("off", self.breaker()))
        if found.get("price") == "free":
            found.pop("discount", None)
        return found

    def price(self) -> Any:
        if self.random.random() < 0.1:
            return "free"
        lengths = self.maybe(0.3, lambda: self.some(("300", "1k", "2.5k"), 1, 2), [])
        above = {"above": {length: self.rates() for length in lengths}} if lengths else {}
        fee = self.maybe(0.3, lambda: {"per_request": self.money(0.0001, 0.001)}, {})
        return {**self.rates(), **fee, **above, **self.days(0.4)}

    def rates(self) -> dict[str, Any]:
        price = {"input_per_million": self.money(0.01, 10), "output_per_million": self.money(0.01, 40)}
        parts = {
            "cache_write_per_million": lambda: self.money(0.01, 15),
            "cached_per_million": lambda: self.money(0.001, 5),
        }
        rare = {f"{name}_per_million": lambda: self.money(0.01, 30) for name in PARTS}
        return {**price, **self.block(0.3, parts), **self.block(0.05, rare)}

    def discount(self) -> Any:
        off, days = f"{self.random.randint(0, 100)}%", self.days(0.7)
        return {"off": off, **days} if days or self.random.random() < 0.3 else off

    def days(self, chance: float) -> dict[str, str]:
        """Some days of the year in which worlds are."""
        if self.random.random() >= chance:
            return {}
        first, last = sorted(self.some(range(365), 2, 2))
        texts = {
            "valid_from": (date(2026, 1, 1) + timedelta(days=first)).isoformat(),
            "valid_until": (date(2026, 1, 1) + timedelta(days=last)).isoformat(),
        }
        return {key: texts[key] for key in self.some(("valid_from", "valid_until"), 1, 2)}

    def models(self, name: str, provider: Mapping[str, Any]) -> list[str]:
        known = BOOK.get(provider.get("kind", name), {})
        priced = [model for model in known if self.unpriced or "input" in known[model]]
        return sorted({*priced, *(provider.get("models") or {})})

    def target(self, name: str) -> Any:
        parts = {"params": self.params, "timeout": lambda: {"attempt": self.time(2, 4, 8, 20)}}
        extra = self.maybe(0.2, lambda: self.block(0.6, parts), {})
        return {"model": name, **extra} if extra or self.random.random() < 0.2 else name

    def entries(self, below: Sequence[str]) -> list[Any]:
        """Some targets, and perhaps policies behind them: mostly of targets that these do not have as well."""
        nested = self.maybe(0.4, lambda: self.some(below, 1, 2), []) if below else []
        there = (
            {name for each in nested for name in self.reached[each]} if self.random.random() < 0.9 else set()
        )
        free = [name for name in self.targets if name not in there] or self.targets
        found = [self.target(name) for name in self.some(free, 1, 3)]
        for name in nested:
            found.insert(self.random.randint(0, len(found)), {"policy": name})
        return found

    def policies(self) -> dict[str, Any]:
        """A policy leads only to those behind it, so that there is no cycle; it may extend any of them, or `base`."""
        names = NAMES[: self.random.randint(1, 4)]
        base = {"base": {"abstract": True, **self.settings(0.5)}} if self.random.random() < 0.25 else {}
        policies: dict[str, Any] = {}
        for at, name in reversed(list(enumerate(names))):
            self.landings = below = list(names[at + 1 :])
            parents = [*base, *below]
            extends = (
                self.maybe(0.35, lambda parents=parents: {"extends": self.one(parents)}, {})
                if parents
                else {}
            )
            inherits = extends and extends["extends"] != "base" and self.random.random() < 0.5
            targets = {} if inherits else {"targets": self.own(below) or self.entries(below)}
            policies[name] = {
                **targets,
                **extends,
                **self.settings(0.25 if extends else 0.4),
                **self.was(name),
            }
            if below and not self.unpriced and self.random.random() < 0.3:
                policies[name].setdefault("budget", self.budget())
            if not extends:
                policies[name].setdefault("ceiling", {}).setdefault("output_tokens", self.count(10, 1_500))
            self.reached[name] = self.reach_of(written_out({"policies": {**policies, **base}})[name])
        return {**{name: policies[name] for name in names}, **base}

    def own(self, below: Sequence[str]) -> list[Any]:
        """Now and then the last policy has nothing but what is free: to that a tenant's spent budget may lead."""
        free = [name for name in self.targets if name.startswith("vllm/")]
        return list(free) if free and not below and self.random.random() < 0.5 else []

    def reach_of(self, policy: Mapping[str, Any]) -> set[str]:
        """The targets that a policy and those nested in it write, but for their rules."""
        maps = [{"model": entry} if isinstance(entry, str) else entry for entry in policy["targets"]]
        own = {entry["model"] for entry in maps if "model" in entry}
        return own.union(*(self.reached[entry["policy"]] for entry in maps if "policy" in entry))

    def settings(self, chance: float) -> dict[str, Any]:
        parts = {
            "retry": self.retry,
            "timeout": self.timeout,
            "fall_back_on": lambda: self.some(FALL_BACK, 4, 12),
            "params": self.params,
            "budget": self.budget,
            "ceiling": lambda: self.ceiling(1),
            "cache": self.cache,
            "description": lambda: self.one(("short answers", "for all")),
        }
        return {
            **self.block(chance, parts),
            **self.block(chance / 3, {"limits": self.limits}),
            **({"breaker": "off"} if self.aside.random() < chance / 3 else {}),
            **self.block(chance / 3, {"params_unsupported": lambda: self.one(("drop", "drop", "error"))}),
            **self.block(chance / 20, {**self.demands(), "needs": lambda: ["json"]}),
        }

    def add_rules(self, document: dict[str, Any]) -> None:
        """Last, as they may speak of budgets of any scope. With targets, a child restates the rules of its parent."""
        policies = document["policies"]
        for name in reversed([each for each in NAMES if each in policies]):
            below = NAMES[NAMES.index(name) + 1 :]
            below = [each for each in below if each in policies]
            inherited = "extends" in policies[name] and bool(written_out(document)[name].get("rules"))
            if "targets" in policies[name] and (inherited or self.random.random() < 0.5):
                empty = inherited and self.random.random() < 0.3
                policies[name]["rules"] = [] if empty else self.rules(below, uses_of(document, name))

    def tenants(self, names: Sequence[str]) -> dict[str, Any]:
        tenants: dict[str, Any] = {}
        for path in self.paths:
            above = tenants.get(path.rpartition("/")[0], {}).get("policies", "all")
            granted = {"policies": self.one(("all", self.some(names if above == "all" else above, 1, 3)))}
            budget = lambda: self.budget(2.0, of_tenant=True)  # noqa: E731
            parts = {"budget": budget, "limits": self.limits, "each": self.each}
            tenants[path] = {
                **(granted if "/" not in path or self.random.random() < 0.5 else {}),
                **self.block(0.4, parts),
                **self.block(0.06, {**self.demands(), "ceiling": lambda: self.ceiling(1)}),
                **self.maybe(0.1, lambda: {"content": self.content()}, {}),
            }
            if self.aside.random() < 0.15:
                tenants[path]["was"] = self.old_path(path, tenants)
        return tenants

    def was(self, name: str) -> dict[str, str]:
        return {"was": f"old-{name}"} if self.aside.random() < 0.15 else {}

    def old_path(self, path: str, tenants: Mapping[str, Any]) -> str:
        """Below the same parent or elsewhere."""
        above, _, segment = path.rpartition("/")
        here = f"{first_path(above, tenants)}/old-{segment}" if above else f"old-{segment}"
        return self.aside.choice((here, here, f"elsewhere/{segment}-{len(path)}"))

    def content(self) -> dict[str, Any]:
        return self.block(0.5, {"cache": lambda: "never", "log": lambda: "never"}, least=1)

    def each(self) -> dict[str, Any]:
        budget = lambda: self.budget(of_tenant=True)  # noqa: E731
        parts = {"budget": budget, "limits": self.limits, "ceiling": lambda: self.ceiling(1)}
        scope = lambda: {**self.block(0.5, parts, least=1), **self.block(0.06, self.demands())}  # noqa: E731
        return self.block(0.4, {"user": scope, "session": scope, "child": scope}, least=1)


def _labels(provider: Mapping[str, Any]) -> list[str]:
    models = (provider.get("models") or {}).values()
    return [*provider.get("labels", ()), *(label for model in models for label in model.get("labels", ()))]
