"""Health of keys and targets on a Redis or Valkey server.

What an event makes of a breaker is worked out here and put in the place of what it was, where that still stands: so it
is worked out by one function, wherever breakers are kept.
"""

from collections.abc import Mapping, Sequence
from math import inf

from router.adapters.breaker_texts import breaker_of, moved, moved_event, text_of
from router.adapters.redis_store import RedisStore
from router.decide.breaker import Breaker, Event, Turn, turned
from router.decide.judge import rested
from router.ports import Healths, KeyHealth, Name, Outcome


class RedisHealth:
    """A Health in a RedisStore. Keys in good health are not kept, nor targets that never failed."""

    def __init__(self, store: RedisStore) -> None:
        self._store = store

    @property
    def suspends(self) -> bool:
        return self._store.suspends

    async def read(
        self, *, keys: Sequence[Name] = (), targets: Sequence[Name] = (), wait_s: float = inf
    ) -> Healths:
        if not keys and not targets:
            return Healths()
        names = [str(len(keys)), *map(_field, keys), *map(_field, targets)]
        found = (await self._store.run("health", "health", lambda again: names, wait_s=wait_s))[1]
        cooling, states = found[: len(keys)], found[len(keys) :]
        return Healths(
            keys={name: self._key_health(text) for name, text in zip(keys, cooling, strict=True) if text},
            breakers={
                name: self._own(breaker_of(text)) for name, text in zip(targets, states, strict=True) if text
            },
        )

    async def note(self, outcome: Outcome, *, wait_s: float = inf) -> Turn | None:
        key = "" if outcome.key is None else _field((outcome.provider, outcome.key))
        clears = outcome.kind is None and key != ""
        if not (outcome.rests or clears or outcome.ended is not None):
            return None
        values = [_field(outcome.target), key, "clear" if clears else ""]
        _, cooling, state = await self._store.run("health", "note", lambda again: values, wait_s=wait_s)
        if outcome.rests:
            await self._rest(key, outcome, cooling, wait_s)
        if outcome.ended is None:
            return None
        turn = await self._turned(outcome.target, outcome.ended, state, wait_s)
        return None if turn.after is turn.before else turn

    async def _rest(self, key: str, outcome: Outcome, text: str, wait_s: float) -> None:
        """`text`: its rest as it was a moment ago, as with `_turned`."""
        now_s = self._store.server_s(outcome.now_s)
        while True:
            known, (before_s, before) = text, _rest_of(text)
            until_s, rests = rested(before_s, before, named_s=outcome.named_s, now_s=now_s)
            if (until_s, rests) == (before_s, before):
                return
            text = await self._swapped("cooling", key, (known, f"{until_s!r} {rests}"), wait_s)
            if text == known:
                return

    async def turn(self, target: Name, event: Event, *, wait_s: float = inf) -> Turn:
        asked = ["0", _field(target)]
        found = (await self._store.run("health", "health", lambda again: asked, wait_s=wait_s))[1]
        return await self._turned(target, event, found[0], wait_s)

    async def breakers(self) -> Mapping[Name, Breaker]:
        found = (await self._store.run("health", "breakers", lambda again: []))[1]
        pairs = zip(found[::2], found[1::2], strict=True)
        return {_name(field): self._own(breaker_of(text)) for field, text in pairs}

    async def aclose(self) -> None:
        await self._store.aclose()

    async def _turned(self, target: Name, event: Event, text: str, wait_s: float) -> Turn:
        """`text`: what the breaker was a moment ago. Whoever finds that others were faster looks again."""
        there = moved_event(event, self._store.server_s(0.0))
        while True:
            before = breaker_of(text)
            after = turned(before, there)
            known = text
            if after is not before:
                text = await self._swapped("breakers", _field(target), (known, text_of(after)), wait_s)
            if text == known:
                own = self._own(before)
                return Turn(before=own, after=own if after is before else self._own(after))

    async def _swapped(self, what: str, field: str, texts: tuple[str, str], wait_s: float) -> str:
        """Of a pair of texts the first, where the second stands in its place now; else what was found there."""
        values = [what, field, *texts]
        answer = await self._store.run(
            "health", "turn", lambda again: [*values, str(int(again))], wait_s=wait_s
        )
        return str(answer[1])

    def _key_health(self, text: str) -> KeyHealth:
        until_s, rests = _rest_of(text)
        return KeyHealth(cooling_until_s=self._store.own_s(until_s), rests=rests)

    def _own(self, breaker: Breaker) -> Breaker:
        return moved(breaker, self._store.own_s(0.0))


def _field(name: Name) -> str:
    return "\t".join(name)


def _rest_of(text: str) -> tuple[float, int]:
    """Until when, by the server's clock, and how often in a row."""
    until_s, _, rests = text.partition(" ")
    return float(until_s or 0), int(rests or 0)


def _name(field: str) -> Name:
    provider, _, rest = field.partition("\t")
    return provider, rest
