"""The cases in which two wires are held against each other, kind by kind, each under a name that finds it again."""

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Protocol
from zlib import crc32

from router.adapters.cassette_tape import Tape, read_tape, wire_over
from router.adapters.cassette_transport import STAND_IN_KEY
from router.adapters.litellm_calls import model_name
from router.ports import Transport, WireCall
from router.testing import FakeProvider
from router.testing.fake_provider_routes import KINDS as FAKED
from tests.recorded_calls import Row, call_for, chat_rows
from tests.wires.capture import Ear, listening
from tests.wires.compare import differences
from tests.wires.faults import FAULTS, faulty_call
from tests.wires.outcomes import Outcome, is_answer, outcome
from tests.wires.requests import request
from tests.wires.subjects import SUBJECTS

Both = tuple[Any, Any]

ALL = 200
"""Generated requests of each kind."""


class Make(Protocol):
    """A wire, as both are made: by default over sockets of its own, else over what `wire` makes."""

    def __call__(
        self, *, wire: Callable[[], Any] | None = None, stand_in_key: str | None = None
    ) -> Transport: ...


@dataclass(frozen=True, kw_only=True)
class Case:
    """`name` is what the table holds: `request 17`, `fault whole reset`, `recorded FILE#0`."""

    kind: str
    name: str


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The first case in which they differ, and how (none: they are equal); how many were tried, and how many of those
    had an answer."""

    witness: str = ""
    lines: Sequence[str] = ()
    tried: int = 0
    answered: int = 0


def cases(kind: str, *, requests: int, recordings: Path | None) -> Iterator[Case]:
    """The first so many of the generated requests, and the same part of the faults and of the recorded exchanges,
    another one for each kind."""
    every = ALL // requests
    first = crc32(kind.encode()) % every
    faults = list(FAULTS)[first::every] if kind in FAKED else []
    recorded = list(_recorded(recordings).get(kind, ()))[first::every]
    names = [f"request {number}" for number in range(requests)]
    names += [f"fault {name}" for name in faults] + [f"recorded {name}" for name in recorded]
    return (Case(kind=kind, name=name) for name in names)


class Bench:
    """Two wires side by side, with what answers them. `recordings` None: there are none here."""

    def __init__(
        self, makes: tuple[Make, Make], ear: Ear, fake: FakeProvider, recordings: Path | None
    ) -> None:
        self._makes = makes
        self._wires = tuple(make() for make in makes)
        self._ear = ear
        self._fake = fake
        self._recordings = recordings

    async def verdict(self, cases: Iterable[Case]) -> Verdict:
        """Up to the first difference."""
        tried, answered = 0, 0
        for tried, case in enumerate(cases, start=1):
            sent, came = await self._tried(case)
            answered += is_answer(came[0])
            lines = differences(sent, came)
            if lines:
                return Verdict(witness=case.name, lines=lines, tried=tried, answered=answered)
        return Verdict(tried=tried, answered=answered)

    async def aclose(self) -> None:
        for wire in self._wires:
            await wire.aclose()

    async def _tried(self, case: Case) -> tuple[Both, Both]:
        """What both sent, where the case is about that, and what came."""
        what, _, name = case.name.partition(" ")
        match what:
            case "request":
                return await self._requested(case.kind, int(name))
            case "fault":
                return ([], []), await self._faulted(case.kind, name)
            case _:
                return ([], []), await self._replayed(case.kind, name)

    async def _requested(self, kind: str, number: int) -> tuple[Both, Both]:
        call = request(kind, number, self._ear.url, known_params(kind))
        self._ear.seed, sent, came = f"{kind} {number}", [], []
        for wire in self._wires:
            came.append(await outcome(wire, call))
            sent.append(self._ear.take())
        return (sent[0], sent[1]), (came[0], came[1])

    async def _faulted(self, kind: str, name: str) -> Both:
        step, stream = FAULTS[name]
        call = faulty_call(kind, self._fake.base_url(kind), stream=stream)
        came = []
        for wire in self._wires:
            self._fake.reset()
            self._fake.script("*", step)
            came.append(_certain(name, await outcome(wire, call)))
        return came[0], came[1]

    async def _replayed(self, kind: str, name: str) -> Both:
        row, tape = _recorded(self._recordings)[kind][name]
        played = tape().only(row.interaction)
        call = call_for(row, played.interactions[0])
        came = []
        for make in self._makes:
            only = played.only(0)
            wire = make(wire=lambda only=only: wire_over(only, None), stand_in_key=STAND_IN_KEY)
            came.append(await outcome(wire, call))
            await wire.aclose()
        return came[0], came[1]


@asynccontextmanager
async def bench(first: Make, second: Make, *, recordings: Path | None) -> AsyncIterator[Bench]:
    async with listening() as ear:
        with FakeProvider() as fake:
            both = Bench((first, second), ear, fake, recordings)
            try:
                yield both
            finally:
                await both.aclose()


def _certain(fault: str, came: Outcome) -> Outcome:
    """A reset connection may take with it what has come and was not read yet."""
    return {"error": came["error"]} if fault == "streamed cut" else came


def known_params(kind: str) -> Callable[[str], Sequence[str]]:
    """Which parameters litellm says that it takes for a model."""
    from router.adapters.litellm_env import litellm

    def known(model: str) -> Sequence[str]:
        call = WireCall(attempt="", target="", kind=kind, model=model, messages=(), params={}, timeout_s=1.0)
        prefix = model_name(call).partition("/")[0]
        return tuple(litellm.get_supported_openai_params(model=model, custom_llm_provider=prefix) or ())

    return known


@cache
def _recorded(recordings: Path | None) -> dict[str, dict[str, tuple[Row, Callable[[], Tape]]]]:
    """Kind -> name -> the exchange; a file is read when one of its exchanges is asked for."""
    found: dict[str, dict[str, tuple[Row, Callable[[], Tape]]]] = {}
    for row in chat_rows(recordings) if recordings else ():
        kind = _KINDS.get(row.provider, row.provider)
        if kind in SUBJECTS:
            tape = cache(lambda file=row.file: read_tape(recordings / file))
            found.setdefault(kind, {})[f"{row.file}#{row.interaction}"] = (row, tape)
    return found


_KINDS = {"fireworks": "fireworks_ai", "together": "together_ai", "vertex": "vertex_ai"}
"""What the index of recordings calls otherwise."""
