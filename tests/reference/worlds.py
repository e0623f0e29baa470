"""Worlds at random: a document, and all that may happen to its calls. A seed repeats one.

Draws are whole multiples of 1/16 and times of 1/8 s, which floats hold exactly.
"""

from collections.abc import Mapping
from typing import Any

from tests.reference.book import BOOK
from tests.reference.documents import KINDS, TAGS, USERS, WINDOWS, Maker, owners_of, targets_of
from tests.reference.interpreter.world import Call, Spent, Step, Used, World


class WorldMaker(Maker):
    """Draws the calls, the script and the past of a document too."""

    def call(self, document: Mapping[str, Any]) -> Call:
        tenants = list(document.get("tenants", ()))
        known = [*tenants, *tenants, *tenants, "acme/new", "gone"]
        targets = targets_of(document)
        return Call(
            policy=self.one([*self.called(document), self.one([*document["policies"], "gone"])]),
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

    def called(self, document: Mapping[str, Any]) -> list[str]:
        return [name for name, block in document["policies"].items() if not block.get("abstract")] * 10

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
        says = self.one((*["answer"] * 7, "never", *KINDS))
        after_s = self.one((0.0, 0.0, 0.125, 0.5, 1.0, 3.0, 12.0))
        if says == "answer":
            used = Used(input=self.random.randint(1, 60), output=self.random.randint(1, 20))
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
            used=self.maybe(
                0.3, lambda: Used(input=self.random.randint(1, 60), output=self.random.randint(0, 20))
            ),
        )

    def past(self, unit: str) -> int:
        return int(10 ** (self.random.uniform(5, 8.5) if unit == "nusd" else self.random.uniform(1, 4.5)))

    def env(self, document: Mapping[str, Any]) -> frozenset[str] | None:
        """The variables that are set; now and then one is missing."""
        if self.random.random() < 0.6:
            return None
        standard = [f"{name.upper()}_API_KEY" for name in BOOK]
        written = [key["env"] for block in document["providers"].values() for key in block.get("keys", ())]
        return frozenset(name for name in (*standard, *written) if self.random.random() < 0.85)

    def spent(self, document: Mapping[str, Any]) -> list[Spent]:
        return [
            Spent(owner=owner, unit=unit, window=WINDOWS[key], amount=self.past(unit))
            for owner, unit, key in self.some(owners_of(document), 0, 2)
        ]


def make_world(seed: int) -> World:
    """The world of a seed. Its document is in the language; whether it passes `check` is for the reader to say."""
    maker = WorldMaker(seed)
    return world_of(maker, maker.document())


def world_of(maker: WorldMaker, document: Mapping[str, Any]) -> World:
    random = maker.random
    return World(
        document=document,
        book=BOOK,
        calls=[maker.call(document) for _ in range(random.randint(1, 4))],
        script={name: [maker.step() for _ in range(random.randint(1, 4))] for name in targets_of(document)},
        draws=[random.randint(0, 15) / 16 for _ in range(5)],
        start_s=1_767_225_600.0 + random.randint(0, 365 * 24 * 4) * 900,
        env=maker.env(document),
        spent=maker.spent(document),
    )
