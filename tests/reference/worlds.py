"""Worlds at random: a document, and all that may happen to its calls. A seed repeats one.

Draws are whole multiples of 1/16 and times of 1/8 s, which floats hold exactly.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from tests.reference.book import BOOK
from tests.reference.documents import KINDS, STORES, TAGS, USERS, Maker
from tests.reference.interpreter.policies import Refused, caller_of
from tests.reference.interpreter.world import Call, Spent, Step, Used, World
from tests.reference.readings import WINDOWS, owners_of, targets_of

GAPS_S = (0.0, 0.125, 1.0, 1.125, 2.0, 20.0, 29.0, 31.0, 60.0, 61.0, 90.0, 3_599.0, 4_000.0, 90_000.0)
CHANGES = {
    "Europe/Berlin": ("2026-03-29T01:00:00+00:00", "2026-10-25T01:00:00+00:00"),
    "America/New_York": ("2026-03-08T07:00:00+00:00", "2026-11-01T06:00:00+00:00"),
    "Pacific/Auckland": ("2026-04-04T14:00:00+00:00", "2026-09-26T14:00:00+00:00"),
}
SIZES = (0, 3, 40, 400, 1_500, 4_000, 12_000)


class WorldMaker(Maker):
    """Draws the calls, the script and the past of a document too."""

    def calls(self, document: Mapping[str, Any]) -> list[Call]:
        """A few; now and then the same one again, perhaps of somebody else."""
        found = [self.call(document)]
        for _ in range(self.random.randint(0, 3)):
            again = self.random.random() < 0.3
            found.append(self.again(document, self.one(found)) if again else self.call(document))
        return found

    def again(self, document: Mapping[str, Any], call: Call) -> Call:
        same = replace(call, gap_s=self.one((0.0, 40.0, 60.0, 61.0)), down=self.down())
        others = [path for path in self.paths if self.may_call(document, call.policy, path)]
        return replace(same, tenant=self.one(others)) if others and self.random.random() < 0.4 else same

    def call(self, document: Mapping[str, Any]) -> Call:
        targets = targets_of(document)
        policy, tenant = self.maybe(0.9, lambda: self.granted(document)) or self.stray(document)
        return Call(
            policy=policy,
            size=self.one(SIZES),
            gap_s=self.one(GAPS_S),
            image=self.random.random() < 0.05,
            tenant=tenant,
            user=self.maybe(0.95, lambda: self.one(USERS)),
            session=self.maybe(0.95, lambda: self.one(("s1", "s2"))),
            tags=tuple(self.maybe(0.3, lambda: self.some(TAGS, 1, 2), [])),
            prefer=tuple(self.maybe(0.2, lambda: self.some(targets), [])),
            only=tuple(self.maybe(0.05, lambda: self.some(targets), [])),
            timeout_s=self.maybe(0.2, lambda: self.one((0.5, 2.0, 5.0, 90.0))),
            params=self.asked(),
            down=self.down(),
        )

    def down(self) -> frozenset[str]:
        """Stores that can't be asked, now and then."""
        if self.aside.random() > 0.15:
            return frozenset()
        return frozenset(self.aside.sample(STORES, self.aside.randint(1, len(STORES))))

    def granted(self, document: Mapping[str, Any]) -> tuple[str, str | None] | None:
        """A policy, and a tenant that may call it; perhaps one of no file."""
        tenants = [*document.get("tenants", ()), "acme/new"] if self.paths else [None, "acme"]
        pairs = [
            (policy, tenant)
            for tenant in tenants
            for policy in dict.fromkeys(self.called(document))
            if self.may_call(document, policy, tenant)
        ]
        return self.one(pairs) if pairs else None

    def may_call(self, document: Mapping[str, Any], policy: str, tenant: str | None) -> bool:
        try:
            caller = caller_of(document, Call(policy=policy, tenant=tenant, user="ann", session="s1"))
        except Refused:
            return False
        return caller.policies is None or policy in caller.policies

    def stray(self, document: Mapping[str, Any]) -> tuple[str, str | None]:
        """Anything: a policy that is not there, a tenant that may not."""
        policies = [*self.called(document), *document["policies"], "gone"]
        return self.one(policies), self.one([*document.get("tenants", ()), "acme/new", "gone", None])

    def called(self, document: Mapping[str, Any]) -> list[str]:
        return [name for name, block in document["policies"].items() if not block.get("abstract")]

    def asked(self) -> dict[str, Any]:
        tool = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
        parts = {
            "max_tokens": lambda: self.one((1, 30, 300, 3_000)),
            "tools": lambda: [tool],
            "temperature": lambda: self.one((0, 0.5)),
            "response_format": lambda: {"type": self.one(("text", "json_object"))},
        }
        rare: dict[str, Callable[[], Any]] = {"n": lambda: self.one((1, 2)), "web_search_options": dict}
        return {**self.block(0.15, parts), **self.block(0.04, rare)}

    def step(self) -> Step:
        says = self.one((*["answer"] * 7, "never", *KINDS))
        after_s = self.one((0.0, 0.0, 0.125, 0.5, 1.0, 3.0, 12.0))
        if says == "answer":
            used = self.used()
            return Step(
                says=says,
                after_s=after_s,
                used=used,
                finish=self.one((*["stop"] * 4, "length", "content_filter")),
            )
        return Step(
            says=says,
            after_s=after_s,
            retry_after_s=self.maybe(0.3, lambda: self.one((0.0, 0.25, 1.5, 7.0))),
            sent=says != "connection" or self.random.random() < 0.5,
            status=self.one((None, 200, 500, 503)) if says == "server_error" else None,
            used=self.maybe(0.3, self.used),
        )

    def used(self) -> Used:
        whole, cached = self.random.randint(1, 60), self.maybe(0.3, lambda: self.random.randint(0, 30), 0)
        written = self.maybe(0.3, lambda: self.random.randint(0, 30), 0)
        cached = min(cached, whole)
        return Used(
            input=whole,
            output=self.random.randint(0, 20),
            cached=cached,
            written=min(written, whole - cached),
        )

    def moment(self, document: Mapping[str, Any]) -> float:
        """Some moment of the year; now and then one near which clocks change."""
        zone = document.get("settings", {}).get("time_zone")
        days = sorted(_days(document))
        if days and self.random.random() < 0.6:  # around the midnight at which a price changes
            midnight = datetime.fromisoformat(self.one(days)).replace(tzinfo=ZoneInfo(zone or "UTC"))
            return midnight.timestamp() + self.one((-3_600.0, -60.0, -3.0, -1.0, -0.125, 0.0, 0.125, 900.0))
        if zone in CHANGES and self.random.random() < 0.15:
            at = datetime.fromisoformat(self.one(CHANGES[zone])).timestamp()
            return at + 900.0 * self.random.randint(-12, 12)
        return 1_767_225_600.0 + 900.0 * self.random.randint(0, 365 * 24 * 4)

    def past(self, unit: str) -> int:
        if unit == "requests":
            return self.random.randint(1, 3)
        return int(10 ** (self.random.uniform(5, 8.5) if unit == "nusd" else self.random.uniform(1, 4.5)))

    def env(self, document: Mapping[str, Any]) -> frozenset[str] | None:
        """The variables that are set; now and then one is missing."""
        if self.random.random() < 0.6:
            return None
        standard = [f"{name.upper()}_API_KEY" for name in BOOK]
        written = [key["env"] for block in document["providers"].values() for key in block.get("keys", ())]
        return frozenset(name for name in (*standard, *written) if self.random.random() < 0.85)

    def spent(self, document: Mapping[str, Any]) -> list[Spent]:
        past = [
            Spent(owner=owner, unit=unit, window=WINDOWS[key], amount=self.past(unit))
            for owner, unit, key in self.some(owners_of(document), 0, 2)
        ]
        handing = self.some(owners_of(document, handing_over=True), 0, 2)
        return past + [
            Spent(owner=owner, unit=unit, window=WINDOWS[key], amount=10**9) for owner, unit, key in handing
        ]


def _days(block: Any) -> Iterator[str]:
    """Every day that prices and discounts name, wherever they stand."""
    for key, below in block.items() if isinstance(block, dict) else ():
        if key in ("valid_from", "valid_until"):
            yield below
        yield from _days(below)


def make_world(seed: int) -> World:
    """The world of a seed. Its document is in the language; whether it passes `check` is for the reader to say."""
    maker = WorldMaker(seed)
    world = world_of(maker, maker.document())
    return outlived(maker, world) if maker.aside.random() < 0.15 else world


def outlived(maker: WorldMaker, world: World) -> World:
    """The same world in an outage: some targets answer once, all else fails, and the same is asked again and again."""
    aside, call = maker.aside, world.calls[0]
    policies = dict(world.document["policies"])
    if call.policy in policies:
        rule = {"ttl": "50s", "sampled": True, "serve_stale_on_error": aside.choice(("15s", "2h", "9d"))}
        policies[call.policy] = {**policies[call.policy], "cache": rule}
    once = Step(says="answer", used=Used(input=30, output=10))
    script = {
        name: [*aside.choices(([once], []))[0], *(_failure(aside) for _ in range(2))] for name in world.script
    }
    gaps_s = aside.sample((0.0, 51.0, 61.0, 66.0, 3_599.0, 7_300.0, 90_000.0), 3)
    again = [replace(call, gap_s=gap_s, down=maker.down()) for gap_s in gaps_s]
    return replace(
        world, document={**world.document, "policies": policies}, calls=[call, *again], script=script
    )


def _failure(random: Random) -> Step:
    transient = ("rate_limited", "overloaded", "server_error", "timeout", "connection")
    return Step(says=random.choice(transient if random.random() < 0.8 else KINDS))


def world_of(maker: WorldMaker, document: Mapping[str, Any]) -> World:
    random = maker.random
    return World(
        document=document,
        book=BOOK,
        calls=maker.calls(document),
        script={name: [maker.step() for _ in range(random.randint(1, 4))] for name in targets_of(document)},
        draws=[random.randint(0, 15) / 16 for _ in range(5)],
        start_s=maker.moment(document),
        env=maker.env(document),
        spent=maker.spent(document),
    )
