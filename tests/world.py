"""A whole router in memory, on a clock that only moves when told: real engine, real state, scripted wire."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from router.adapters.clocks import ManualClock
from router.adapters.draws import SeededDraw
from router.adapters.flights import ThreadFlight
from router.adapters.memory_cache import MemoryCache
from router.adapters.memory_state import MemoryState
from router.adapters.retry_counts import MemoryRetries
from router.adapters.scripted_transport import Script, ScriptedTransport
from router.adapters.secrets import EnvSecrets
from router.client.gate import Gate
from router.client.inline import run_inline
from router.client.streams import OpenStreams, Stream
from router.engine import Ports, execute, open_stream
from router.events import Event
from router.plan import Plan, TokenClass
from router.ports import Row
from router.values import InputEstimate, Message, Reply, Request


class ByteTokens:
    """A Tokens port without encodings: four bytes a token is likely, one byte a token is the bound."""

    def reader(self, messages: Sequence[Message]) -> "ByteReader":
        return ByteReader(messages)

    def count_text(self, text: str, encoding: str) -> int:
        return len(text.encode()) // 4 + 1


class ByteReader:
    """The InputReader of ByteTokens."""

    def __init__(self, messages: Sequence[Message]) -> None:
        self._size = sum(len(str(message.get("content") or "").encode()) for message in messages)

    def estimate(
        self, params: Mapping[str, Any], tokens: TokenClass, *, context_tokens: int | None
    ) -> InputEstimate:
        unbounded = ("web_search",) if "web_search_options" in params else ()
        hour = (params.get("cache_control") or {}).get("ttl") == "1h"
        return InputEstimate(
            tokens=self._size // 4 + 1, bound=self._size + 1, unbounded=unbounded, for_an_hour=hour
        )


class World:
    """`plan` and `transport.calls` may be replaced and looked at between calls."""

    def __init__(
        self, plan: Plan, script: Script = (), *, seed: int = 7, clock: ManualClock | None = None
    ) -> None:
        self.plan = plan
        self.clock = clock or ManualClock()
        self.state = MemoryState()
        self.cache = MemoryCache()
        self.seen: list[Event] = []
        self.transport = (
            ScriptedTransport(script, clock=self.clock) if script else ScriptedTransport(clock=self.clock)
        )
        self.ports = Ports(
            transport=self.transport,
            ledger=self.state.ledger,
            limiter=self.state.limiter,
            health=self.state.health,
            flight=ThreadFlight(),
            retries=MemoryRetries(),
            cache=self.cache,
            clock=self.clock,
            draw=SeededDraw(seed),
            tokens=ByteTokens(),
            secrets=EnvSecrets({}),
            sinks=(self.seen.append,),
        )
        self._count = 0

    def request(self, text: str = "hello", *, policy: str = "main", **fields: Any) -> Request:
        self._count += 1
        message = {"role": "user", "content": text}
        return Request(id=f"r{self._count}", policy=policy, messages=(message,), **fields)

    def call(self, text: str = "hello", **fields: Any) -> Reply:
        return run_inline(execute(self.plan, self.ports, self.request(text, **fields)))

    def call_with(self, messages: Sequence[Message], **fields: Any) -> Reply:
        """A call of any messages."""
        request = replace(self.request(**fields), messages=tuple(messages))
        return run_inline(execute(self.plan, self.ports, request))

    def stream(self, text: str = "hello", **fields: Any) -> Stream:
        request = self.request(text, stream=True, **fields)
        live = run_inline(open_stream(self.plan, self.ports, request))
        return Stream(live, Gate(), OpenStreams(), run_inline)

    def rows(self) -> Sequence[Row]:
        return run_inline(self.ports.ledger.rows())

    def targets(self) -> list[str]:
        """The targets that were called, in order."""
        return [call.target for call in self.transport.calls]

    def facts(self, kind: type[Event]) -> list[Any]:
        return [event for event in self.seen if isinstance(event, kind)]
